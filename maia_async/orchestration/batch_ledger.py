"""The book of one batch: what was taken, what is under way, what became of it, and what is still to be handed to the caller.

It promises one outcome for each request taken, in the order in which it is recorded, and never a second one. It starts, sends and
decides nothing; the only thing that it waits for is the next outcome.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime

from attrs import define, field

from maia_async.clock import utc_now
from maia_async.models import ExecutionDetails, ExecutionRequest, OutcomeState
from maia_async.orchestration.outcomes import Outcome
from maia_async.orchestration.reading import Reading
from maia_async.orchestration.trigger import Call
from maia_async.resources.execution import PipelineExecution
from maia_async.watching.watched import Waiter


@define(eq=False, slots=True)
class Live:
    """A request that was taken and is not recorded yet. `request` has its tag once it was sent; `call` is the POST under way."""

    index: int
    request: ExecutionRequest
    call: Call | None = None
    execution: PipelineExecution | None = None
    waiter: Waiter | None = None
    triggered_at: datetime | None = None
    cancelled: bool = False
    out: bool = False  # the last POST went out, and its error is about its answer


@define(eq=False)
class Ledger(Reading):
    """`live` and `outcomes` by index: every request taken is in exactly one of them. `room` is set when there may be room for another."""

    taken: int = 0
    live: dict[int, Live] = field(factory=dict)
    outcomes: dict[int, Outcome] = field(factory=dict)
    room: asyncio.Event = field(factory=asyncio.Event)
    _unread: deque[Outcome] = field(factory=deque)

    @property
    def unread(self) -> int:
        """Outcomes that nobody has asked for yet."""
        return len(self._unread)

    def take(self, request: ExecutionRequest) -> Live:
        """The next request of the input."""
        live = self.live[self.taken] = Live(self.taken, request)
        self.taken += 1
        return live

    def record(
        self, live: Live, state: OutcomeState, *, error: Exception | None = None, details: ExecutionDetails | None = None
    ) -> Outcome | None:
        """What became of it; None when that was recorded before."""
        if self.live.pop(live.index, None) is None:
            return None
        live.waiter = None  # its callback knows `live`: ten objects for each run would wait for the garbage collector
        self.outcomes[live.index] = outcome = Outcome(
            index=live.index,
            request=live.request,
            state=state,
            execution_id=None if live.execution is None else live.execution.id,
            details=details,
            error=error,
            candidates=getattr(error, "candidates", ()),
            triggered_at=live.triggered_at,
            finished_at=utc_now() if details is not None and details.is_terminal else None,
        )
        self._unread.append(outcome)
        self._news.set()
        self.room.set()
        return outcome

    async def next(self) -> Outcome:
        """The next outcome. After the last one raises the error that ended the batch, once, and StopAsyncIteration."""
        await self._wait_for(self._unread)
        outcome = self._unread.popleft()
        self.room.set()
        return outcome

    def started(self) -> tuple[list[PipelineExecution], list[str]]:
        """The runs that were started and whose end was not seen: handles of those under way, ids of those that were left."""
        left = [outcome.execution_id for outcome in self.outcomes.values() if outcome.state is OutcomeState.LEFT_RUNNING]
        return [live.execution for live in self.live.values() if live.execution is not None], [name for name in left if name is not None]
