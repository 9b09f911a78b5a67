"""What the list of executions says about the POSTs of one lane that got no answer: pure, from rows to evidence. It concludes nothing.

A lane is (project, environment, pipeline). Of each row is asked, in this order:

    a row                                                    counts as
    of another project, environment or pipeline              nothing
    whose id this process or its journal knows               ours_listed; the name it shows is a learned spelling
    started by SCHEDULE, SCHEDULE_RUN_NOW or DESIGNER        nothing
    started in the window, or without a start                unexplained
    the same, the pipeline or environment spelled otherwise  spelled_otherwise
      or no environment, of a question that names none, or
      whose answer shows that names are not looked at
    started in the 20 minutes before it, either spelling     before
    started after it                                         nothing

A trigger that is missing, UNKNOWN or a new word may be the API. An id that is known, was started in the window and is not among the rows
is `missing`: the list is behind, and what it does not show is no proof of absence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from attrs import frozen

from maia_async.models import ExecutionStatus, ExecutionTrigger
from maia_async.orchestration.trigger.spelling import Spelling, place_of, spelling_of
from maia_async.wire import codec

LOOK_BACK: Final = 1200  # seconds before the window in which nobody else may have started this pipeline (contract 1)
_NOT_THE_API: Final = frozenset({ExecutionTrigger.SCHEDULE, ExecutionTrigger.SCHEDULE_RUN_NOW, ExecutionTrigger.DESIGNER})


@frozen(kw_only=True)
class Row:
    """One row as far as it matters here. `start` and `end` are seconds since the epoch by the API's clock; `end` only of one that ended.

    by_name: it was asked for by the names of the lane, and not among all rows of the project.
    """

    id: str
    name: str | None = None
    environment: str | None = None
    project: str | None = None
    may_be_api: bool = True
    start: int | None = None
    end: int | None = None
    by_name: bool = True

    @property
    def key(self) -> str:
        """The id in one spelling: a list may print a uuid otherwise than the answer to a trigger does."""
        return codec.plain_id(self.id)


@frozen(kw_only=True)
class LaneName:
    """What a lane is called."""

    project: str
    environment: str
    pipeline: str


@frozen(kw_only=True)
class Window:
    """Seconds of start, both included, in which the run of an unexplained POST may have begun; None: until now."""

    first: int
    last: int | None = None


@frozen(kw_only=True)
class Evidence:
    """The rows of one lane; see the table of this module. Rows are in the order of their starts; `missing` are keys."""

    ours_listed: tuple[str, ...] = ()
    unexplained: tuple[Row, ...] = ()
    spelled_otherwise: tuple[Row, ...] = ()
    before: tuple[Row, ...] = ()
    missing: tuple[str, ...] = ()
    learned: frozenset[str] = frozenset()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Ids that may be the run of an unexplained POST."""
        return tuple(row.id for row in (*self.unexplained, *self.spelled_otherwise))


def read_rows(data: Any) -> tuple[list[Row], bool, str | None]:
    """The rows of a page, whether every one of them could be read, and the token of the next page. Raises DecodeError."""
    found, more = codec.raw_rows(data)
    rows = [_row(raw) for raw in found]
    return [row for row in rows if row is not None], None not in rows, more


def _row(raw: dict[str, Any]) -> Row | None:
    told = codec.run_id(raw)
    if told is None:
        return None
    word, status = raw.get("trigger"), raw.get("status")
    ended = isinstance(status, str) and ExecutionStatus(status).is_terminal
    return Row(
        id=told,
        name=_text(raw.get("pipelineName")),
        environment=_text(raw.get("environmentName")),
        project=_text(raw.get("projectId")),
        may_be_api=not (isinstance(word, str) and ExecutionTrigger(word) in _NOT_THE_API),
        start=codec.second_of(raw.get("startedAt")),
        end=codec.second_of(raw.get("finishedAt")) if ended else None,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def weigh(
    rows: Iterable[Row],
    lane: LaneName,
    window: Window,
    *,
    mine: Collection[str],
    ours: Callable[[str], bool],
    expected: Iterable[str] = (),
    learned: Collection[str] = (),
) -> Evidence:
    """Sort rows into evidence. `mine`: keys of ids known to be this lane's; `ours`: whether a key is known at all; `expected`: keys of
    those that started in the window, to be missed; `learned`: spellings learned before.
    """  # noqa: D205 - the arguments are the summary
    every = {row.key: row for row in rows}
    filtered = not any(row.by_name and _relation(row, lane, learned) is Spelling.OTHER for row in every.values())
    spellings = frozenset(learned) | {row.name for row in every.values() if row.name is not None and row.key in mine}
    ours_listed: list[str] = []
    shown: dict[Spelling, list[Row]] = {Spelling.SAME: [], Spelling.OTHER_SPELLING: []}
    before: list[Row] = []
    for row in sorted(every.values(), key=lambda row: (row.start is None, row.start or 0, row.id)):
        spelling = _relation(row, lane, spellings, filtered=filtered and row.by_name)
        if row.key in mine or (spelling is not Spelling.OTHER and ours(row.key)):
            ours_listed.append(row.id)
        elif spelling is not Spelling.OTHER and row.may_be_api:
            if row.start is not None and row.start < window.first:
                if row.start >= window.first - LOOK_BACK:
                    before.append(row)
            elif row.start is None or window.last is None or row.start <= window.last:
                shown[spelling].append(row)
    return Evidence(
        ours_listed=tuple(ours_listed),
        unexplained=tuple(shown[Spelling.SAME]),
        spelled_otherwise=tuple(shown[Spelling.OTHER_SPELLING]),
        before=tuple(before),
        missing=tuple(known for known in expected if known not in every),
        learned=spellings,
    )


def _relation(row: Row, lane: LaneName, learned: Collection[str], *, filtered: bool = True) -> Spelling:
    if row.project is not None and codec.plain_id(row.project) != codec.plain_id(lane.project):
        return Spelling.OTHER
    place = Spelling.OTHER_SPELLING if row.environment is None and not filtered else place_of(row.environment, lane.environment)
    both = {place, spelling_of(row.name, lane.pipeline, learned)}
    if Spelling.OTHER in both:
        return Spelling.OTHER
    return Spelling.OTHER_SPELLING if Spelling.OTHER_SPELLING in both else Spelling.SAME
