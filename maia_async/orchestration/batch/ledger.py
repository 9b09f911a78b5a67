"""The book of one batch: what was taken, what is under way, what became of it, and what is still to be handed to the caller.

It promises one outcome for each request taken, in the order in which it is recorded, and never a second one. It starts, sends and
decides nothing; the only thing that it waits for is the next outcome.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import partial

from attrs import define, field

from maia_async.clock import utc_now
from maia_async.models import ExecutionDetails, ExecutionRequest, OutcomeState
from maia_async.orchestration.outcomes import Outcome
from maia_async.orchestration.reading import Reading
from maia_async.orchestration.trigger import Call, LaneKey, Sent
from maia_async.resources.execution import PipelineExecution
from maia_async.watching.watched import Waiter


@define(eq=False, slots=True)
class Live:
    """A request that was taken and is not recorded yet. `request` has its tag once it was sent; `call` is the POST under way.

    given: the request as the caller gave it. lane: where its trigger is unacknowledged. intended: a journal knows of its POST; server_time:
    when that went out, as the journal has it. earlier: that went out in an earlier process. doubted: a POST of it was in doubt, whatever
    came of others. unread: it still is, because the list could not be read.
    """

    index: int
    request: ExecutionRequest
    given: ExecutionRequest
    call: Call | None = None
    execution: PipelineExecution | None = None
    waiter: Waiter | None = None
    triggered_at: datetime | None = None
    began: float | None = None  # see `Begun`
    cancelled: bool = False
    out: bool = False  # the last POST went out, and its error is about its answer
    lane: LaneKey | None = None
    parked: bool = False
    intended: bool = False
    intended_at: float = float("-inf")  # the loop's time; of an earlier process: long ago
    server_time: float | None = None
    earlier: Sent | None = None
    doubted: bool = False
    unread: bool = False

    def over(self, call: Call) -> None:
        """Its call has ended."""
        self.out, self.began = call.in_doubt, call.began
        self.doubted = self.doubted or call.case is not None or call.gone is not None
        self.unread = call.case is not None and call.case.unread


@define(eq=False)
class Ledger(Reading):
    """`live` and `outcomes` by index: every request taken is in exactly one of them. `room` is set when there may be room for another.

    keep: called with each outcome, and with what shows it to the reader; without it an outcome is shown at once.
    """

    keep: Callable[[Live, Outcome, Callable[[], None]], None] | None = None
    taken: int = 0
    live: dict[int, Live] = field(factory=dict)
    outcomes: dict[int, Outcome] = field(factory=dict)
    room: asyncio.Event = field(factory=asyncio.Event)
    _unread: deque[Outcome] = field(factory=deque)
    _unkept: int = 0
    _ending: bool = False

    @property
    def unread(self) -> int:
        """Outcomes that nobody has asked for yet."""
        return len(self._unread)

    def knows(self, index: int) -> bool:
        """Whether the request in that place of the input was taken before."""
        return index in self.live or index in self.outcomes

    def take(self, index: int, request: ExecutionRequest) -> Live:
        """A request of the input, by its place."""
        live = self.live[index] = Live(index, request, request)
        self.taken += 1
        return live

    def replay(self, outcome: Outcome) -> None:
        """A request that an earlier process took and brought to its end."""
        self.outcomes[outcome.index] = outcome
        self.taken += 1
        self._show(outcome)

    def close(self) -> None:
        """Nothing comes any more, but for what is being kept."""
        self._ending = True
        if not self._unkept:
            super().close()

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
        if self.keep is None:
            self._show(outcome)
        else:
            self._unkept += 1
            self.keep(live, outcome, partial(self._kept, outcome))
        return outcome

    def _kept(self, outcome: Outcome) -> None:
        self._unkept -= 1
        self._show(outcome)
        if self._ending:
            self.close()

    def _show(self, outcome: Outcome) -> None:
        self._unread.append(outcome)
        self._news.set()
        self.room.set()

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
