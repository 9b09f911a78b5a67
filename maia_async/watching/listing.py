"""One page of the list of executions as the watcher needs it: its rows, and the query that asks for them. Pure.

What a server takes is found out as it answers (`Dialect`): the survey does not say whether the bounds of the start may have fractions of a
second, nor whether every status may be asked for.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from attrs import evolve, field, frozen

from maia_async.models.enums import ExecutionStatus
from maia_async.watching.census import Row
from maia_async.watching.planner import Ask
from maia_async.wire import codec
from maia_async.wire.operations import Query, written
from maia_async.wire.paging import PAGE_SIZE

EDGE: Final = 0.001


@frozen(slots=True)
class Page:
    """Rows, each with the object that it was read from, and the token of the next page."""

    rows: tuple[tuple[Row, Any], ...]
    more: str | None


@frozen(slots=True)
class Dialect:
    """What a server takes in the query of this list."""

    fractions: bool = True
    narrows: bool = True
    listed: bool = True
    refused: frozenset[str | None] = field(factory=frozenset)

    def without(self, ask: Ask) -> Dialect:
        """What to try after it refused `ask`."""
        if self.fractions:
            return evolve(self, fractions=False)
        if ask.word is not None:
            return evolve(self, refused=self.refused | {ask.word})
        return evolve(self, narrows=False) if ask.names is not None else evolve(self, listed=False)


def query(project_id: str, ask: Ask, token: str | None, dialect: Dialect) -> Query:
    """The parameters that ask for one page.

    Both bounds are inclusive (API survey 2.6), but some servers take them as exclusive: a thousandth more on either side, or a second
    where fractions are refused, is right for both.
    """
    pairs: list[tuple[str, str]] = [("projectId", project_id), ("limit", str(PAGE_SIZE))]
    if ask.names is not None:
        pairs += [("pipelineName", ask.names[0]), ("environmentName", ask.names[1])]
    if ask.word is not None:
        pairs.append(("status", ask.word))
    first, last = ask.window.first, ask.window.last
    if first is not None:
        pairs.append(("startedAfter", _moment(first - EDGE if dialect.fractions else first - 1)))
    if last is not None:
        pairs.append(("startedBefore", _moment(last + 1 - EDGE if dialect.fractions else last + 1)))
    if token is not None:
        pairs.append(("paginationToken", token))
    return tuple(pairs)


def read_page(data: Any) -> Page:
    """The rows of an answer; those that are none are left out. Raises DecodeError."""
    rows, more = codec.raw_rows(data)
    return Page(tuple((row, raw) for raw in rows if (row := _row(raw)) is not None), more)


def _row(raw: dict[str, Any]) -> Row | None:
    name, word = raw.get("pipelineExecutionId"), raw.get("status")
    if not isinstance(name, str) or not isinstance(word, str):
        return None
    return Row(name, ExecutionStatus(word), *codec.start_of(raw))


def _moment(seconds: float) -> str:
    return written(datetime.fromtimestamp(seconds, UTC))
