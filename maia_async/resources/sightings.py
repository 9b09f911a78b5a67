"""What reads of an execution show, and how the watcher reads a page of the list of executions. It decides nothing.

A read of one execution is kept as it came, a list row as little as possible: there may be a hundred thousand of them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import define, field

from maia_async import errors
from maia_async.exchange import Exchange, decoded
from maia_async.governor import Lane
from maia_async.models import ExecutionDetails, ExecutionStatus
from maia_async.watching.chains import ReadPage
from maia_async.watching.listing import Dialect, Page, query, read_page
from maia_async.watching.planner import Ask
from maia_async.wire import codec, operations


@define(slots=True)
class Seen:
    """What one read of an execution showed. The whole value is built on demand: structuring costs several times the JSON parsing.

    The body is kept as it came: parsed, it takes four times the memory, for every run that is waited for.
    """

    word: ExecutionStatus
    body: bytes = field(repr=False)
    _project_id: str
    _execution_id: str
    _value: ExecutionDetails | None = None

    @property
    def ends(self) -> bool:
        """Whether the run has ended."""
        return self.word.is_terminal

    @property
    def value(self) -> ExecutionDetails:
        """The details, without the fields that do not fit: a wait lives on the status, and must not fail over a time's format."""
        if self._value is None:
            try:
                data = codec.parse_json(self.body)
                self._value = codec.details(data, project_id=self._project_id, execution_id=self._execution_id, salvage=True)
            except errors.DecodeError:
                self._value = ExecutionDetails(status=self.word, pipeline_execution_id=self._execution_id, project_id=self._project_id)
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
    """What a list row showed of an execution. Of one that has not ended only what tells it from others: there may be very many."""

    word: ExecutionStatus
    _project_id: str
    _execution_id: str
    _start: int | None
    _names: tuple[str, str] | None
    _value: ExecutionDetails | None = None

    @property
    def ends(self) -> bool:
        """Whether the run has ended."""
        return self.word.is_terminal

    @property
    def value(self) -> ExecutionDetails:
        """The details as far as they were kept."""
        if self._value is not None:
            return self._value
        pipeline, environment = self._names or (None, None)
        return ExecutionDetails(
            status=self.word,
            pipeline_execution_id=self._execution_id,
            project_id=self._project_id,
            pipeline_name=pipeline,
            environment_name=environment,
            started_at=None if self._start is None else datetime.fromtimestamp(self._start, UTC),
        )

    def place(self) -> tuple[int | None, tuple[str, str] | None]:
        """Its start and its names."""
        return self._start, self._names

    def differs(self, other: Seen | Listed) -> bool:
        """Whether the status is another one."""
        return self.word != other.word


def list_reader(exchange: Exchange) -> ReadPage:
    """How the watcher reads a page of the list of executions: without retries, on the polls' lane, through any pause."""

    async def read(project_id: str, ask: Ask, token: str | None, dialect: Dialect) -> Page:
        spec = operations.list_executions(query(project_id, ask, token, dialect))
        reply = await exchange.call(spec, Lane.POLL, tries=1, ride_out=True)
        return decoded(spec, reply, read_page)

    return read
