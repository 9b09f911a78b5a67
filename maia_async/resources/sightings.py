"""What reads of an execution show, and how the watcher reads a page of the list of executions. It decides nothing.

A read of one execution is kept as it came, a list row as little as possible: there may be a hundred thousand of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from attrs import define, field

from maia_async import errors
from maia_async.exchange import Exchange
from maia_async.governor import Lane
from maia_async.models import ExecutionDetails, ExecutionStatus
from maia_async.watching.chains import ReadPage
from maia_async.watching.listing import Dialect, Page, query, read_page
from maia_async.watching.planner import Ask
from maia_async.watching.watched import Watched
from maia_async.wire import codec, operations
from maia_async.wire.bodies import decoded


@define(slots=True, weakref_slot=False)
class Seen:
    """What one read of an execution showed. The whole value is built on demand: structuring costs several times the JSON parsing.

    The body is kept as it came: parsed, it takes four times the memory, for every run that is waited for.
    """

    word: ExecutionStatus
    body: bytes = field(repr=False)
    _value: ExecutionDetails | None = None

    @property
    def ends(self) -> bool:
        """Whether the run has ended."""
        return self.word.is_terminal

    def value(self, watched: Watched) -> ExecutionDetails:
        """The details, without the fields that do not fit: a wait lives on the status, and must not fail over a time's format."""
        if self._value is None:
            _, project_id, execution_id = watched.subject.key
            try:
                data = codec.parse_json(self.body)
                self._value = codec.details(data, project_id=project_id, execution_id=execution_id, salvage=True)
            except errors.DecodeError:
                self._value = ExecutionDetails(status=self.word, pipeline_execution_id=execution_id, project_id=project_id)
        return self._value

    def place(self) -> tuple[int | None, tuple[str, str] | None]:
        """Its start and its names."""
        return codec.start_of(codec.parse_json(self.body))

    def differs(self, other: Seen | Listed) -> bool:
        """Whether the API said anything else than before."""
        if isinstance(other, Listed):
            return self.word != other.word
        try:
            return self.body != other.body and bool(codec.parse_json(self.body) != codec.parse_json(other.body))
        except RecursionError:  # nested so deeply that the parser takes it and the comparison does not
            return True


@define(slots=True, weakref_slot=False)
class Listed:
    """What a list row showed of an execution. Of one that has not ended only its state: the rest is known of it anyway."""

    word: ExecutionStatus
    _value: ExecutionDetails | None = None

    @property
    def ends(self) -> bool:
        """Whether the run has ended."""
        return self.word.is_terminal

    def value(self, watched: Watched) -> ExecutionDetails:
        """The details as far as they were kept."""
        if self._value is not None:
            return self._value
        _, project_id, execution_id = watched.subject.key
        pipeline, environment = watched.names or (None, None)
        return ExecutionDetails(
            status=self.word,
            pipeline_execution_id=execution_id,
            project_id=project_id,
            pipeline_name=pipeline,
            environment_name=environment,
            started_at=None if watched.start is None else datetime.fromtimestamp(watched.start, UTC),
        )

    def place(self) -> tuple[int | None, tuple[str, str] | None]:
        """What it tells of the start and the names: nothing that is not known from its row already."""
        return None, None

    def differs(self, other: Seen | Listed) -> bool:
        """Whether the status is another one."""
        return self.word != other.word


@lru_cache(maxsize=64)
def listed(word: ExecutionStatus) -> Listed:
    """One for all runs of which a list shows no more than this state: there may be a hundred thousand of them."""
    return Listed(word)


def list_reader(exchange: Exchange) -> ReadPage:
    """How the watcher reads a page of the list of executions: without retries, on the polls' lane, through any pause."""

    async def read(project_id: str, ask: Ask, token: str | None, dialect: Dialect) -> Page:
        spec = operations.list_executions(query(project_id, ask, token, dialect))
        reply = await exchange.call(spec, Lane.POLL, tries=1, ride_out=True)
        return decoded(spec, reply, read_page)

    return read
