"""The moving part of a batch: reads, triggers and awaits until nothing is left. What each event leads to: the table in `batch.py`.

A request passes QUEUED (taken from the input), a POST under way, RUNNING (joined to the watcher, no task), and is recorded exactly once,
in the ledger. The pump looks at no status itself and sends nothing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from attrs import define, field

from maia_async.clock import utc_now
from maia_async.errors import InvalidRequest, MaiaError, SessionClosed, TriggerOutcomeUnknown, Unauthorized
from maia_async.models import ExecutionDetails, ExecutionRequest, OutcomeState
from maia_async.orchestration.batch.book import Book, began_of, sent_of, stays_intended
from maia_async.orchestration.batch.cancel import cancel_runs
from maia_async.orchestration.batch.hold import Hold, Step, step_after
from maia_async.orchestration.batch.input import BatchInput, row_problems
from maia_async.orchestration.batch.ledger import Ledger, Live
from maia_async.orchestration.batch.rules import Rules, Runs, on_leaving
from maia_async.orchestration.batch.starts import Starts, withdrawn
from maia_async.orchestration.journal import Resume
from maia_async.orchestration.outcomes import Outcome, state_of_details, state_of_trigger
from maia_async.resources.execution import PipelineExecution, handle_of
from maia_async.resources.handover import about
from maia_async.resources.project import Project
from maia_async.tasks import bare, is_being_cancelled
from maia_async.watching.watched import Waiter, Watched

TURN: Final = 32
MIN_UNREAD: Final = 100


@define(eq=False)
class Pump:
    """One batch in motion. `run()` is its task, `ended()` that task's done callback; everything is called from the same loop."""

    _project: Project
    _source: BatchInput
    _rules: Rules
    _signal: Any
    _book: Book | None = None
    ledger: Ledger = field(factory=Ledger)
    _runs: Runs = Runs.AWAIT
    _stopping: bool = False
    _index: int = 0  # of the next request of the input
    _reading_ended: bool = False
    _finished: bool = False
    _left_with: Callable[[Live], Exception | None] = lambda _: None
    _reading: anyio.CancelScope = field(factory=anyio.CancelScope)
    _done: asyncio.Event = field(factory=asyncio.Event)
    _tasks: TaskGroup | None = None
    _started_at: float = field(init=False)
    _ended_at: float | None = None
    _requests_before: int = field(init=False)
    _requests_after: int | None = None
    _now: Callable[[], float] = field(init=False)
    _starts: Starts = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._started_at = self._now()
        self._requests_before = self._project.runtime.exchange.sent
        hold = Hold(self._project.runtime.watcher.policy.max_unreachable)
        most = float("inf") if self._book is None else self._rules.max_unacknowledged
        self._starts = Starts(
            self._project, self._rules, self.ledger.room, self._started, self._failed, self._broken, hold, self._book, most
        )
        self.ledger.keep = None if self._book is None else partial(self._keep, self._book)

    # what the batch reads

    def requests_used(self) -> int:
        """Attempts that the client has sent since the batch began, until it ended."""
        after = self._project.runtime.exchange.sent if self._requests_after is None else self._requests_after
        return after - self._requests_before

    def seconds(self) -> float:
        """From the beginning to the end, or to now."""
        return (self._now() if self._ended_at is None else self._ended_at) - self._started_at

    def outstanding(self) -> tuple[PipelineExecution, ...]:
        """Runs that were started and whose end was not seen."""
        running, left = self.ledger.started()
        return (*(self._project.execution(execution_id) for execution_id in left), *running)

    def leave(self) -> None:
        """The block is being left: stop at once, as `on_cancel` says. Cancels that have begun go on: leaving takes nothing back."""
        if not self._finished:
            self._stop(on_leaving(self._rules.on_cancel, self._runs))

    # the task

    async def run(self) -> None:
        """Until every request taken is recorded."""
        try:
            try:
                async with anyio.create_task_group() as tasks:
                    self._tasks = tasks
                    tasks.start_soon(self._read)
                    if self._signal is not None:
                        tasks.start_soon(self._heed_signal)
                    if self._rules.timeout is not None:
                        tasks.start_soon(self._heed_timeout, self._rules.timeout)
                    if self._stopping:  # left before this task began
                        self._stop(self._runs)
                    await self._done.wait()
                    tasks.cancel_scope.cancel()
            finally:
                await self._starts.end(self.ledger.live.values())
        except asyncio.CancelledError:
            self.ledger.fail(_closed())
            raise
        except BaseExceptionGroup as group:
            self.ledger.fail(bare(group))
        finally:
            self._conclude()
            await self._project.runtime.watcher.rest()  # its loop ends before we do, so that nothing runs once the block is left

    def ended(self, task: asyncio.Task[None]) -> None:
        """Called when the task is done. A task that is cancelled before its first step never enters `run()`."""
        if task.cancelled():
            self.ledger.fail(_closed())
        self._conclude()

    async def _read(self) -> None:
        with self._reading:
            try:
                if self._book is not None:
                    await self._resume(self._book)
                while await self._has_room():
                    request = await self._source.next()
                    if request is None:
                        self._has_read()
                        break
                    if self._book is not None and not self.ledger.knows(self._index):
                        await self._starts.learn_time()
                    self._take(request)
            except asyncio.CancelledError as error:
                if is_being_cancelled():
                    raise
                # Not ours: the input awaits something that was cancelled, and that is how it says so.
                self.ledger.fail(error)
            except Exception as error:  # noqa: BLE001 - whatever the caller's input raises is passed on when the rest has ended
                self.ledger.fail(error)
        self._reading_ended = True
        self._check_done()
        while not self._stopping:  # to the end of the batch: a request that is held may find its lane held when its turn has come
            self.ledger.room.clear()
            self._send_parked()
            await self.ledger.room.wait()

    async def _resume(self, book: Book) -> None:
        """Take the rows that earlier processes have begun: give their outcomes again, look for their runs, await those that are known."""
        self._starts.know(book.started_before())
        rows = book.resumed()
        if any(row.resume is Resume.LOOK_UP for row in rows):  # before any is taken, so that none is in between when the batch ends here
            await self._starts.learn_time()
        for number, row in enumerate(rows):
            if number % TURN == 0:
                await anyio.lowlevel.checkpoint()
            if row.outcome is not None and row.resume is Resume.REPLAY:
                self.ledger.replay(row.outcome)
                if row.outcome.state is OutcomeState.UNKNOWN:
                    self._starts.doubt(row.request, sent_of(row))
                continue
            live = self.ledger.take(row.index, row.given)
            live.request, live.intended, live.triggered_at = row.request, True, row.started_at
            live.server_time = row.server_time
            if row.execution_id is None:
                live.earlier, live.doubted = sent_of(row), True
                self._starts.look_up(live)
            else:
                began = began_of(row, server_time=self._project.runtime.exchange.server_time(), now=self._now())
                live.execution = handle_of(
                    self._project.runtime, self._project.id, row.execution_id, triggered_at=began, request=row.request
                )
                self._join(live)

    async def _has_room(self) -> bool:
        """Wait until another request may be taken; False when none shall be any more."""
        if self._index % TURN == 0:  # an input that never waits must not keep the loop for itself
            await anyio.lowlevel.checkpoint()
        unread = max(self._rules.max_running, MIN_UNREAD)
        while not self._send_parked() or self.ledger.unread >= unread or self._starts.lanes.full:
            self.ledger.room.clear()
            await self.ledger.room.wait()
        # Asked here and not left to the scope: a stop in the very step that makes room finds nothing to cancel.
        return not self._stopping

    def _send_parked(self) -> bool:
        """Send requests whose lanes are free again; returns whether there is room for yet another."""
        lanes = self._starts.lanes
        while (room := len(self.ledger.live) - lanes.parked < self._rules.max_running) and lanes.parked and not self._starts.crowded:
            live = lanes.next()
            if live is None:
                break
            self._starts.begin(live)
        return room and not self._starts.full

    def _has_read(self) -> None:
        if self._book is not None and self._source.size is None:
            self._book.read(self._index, lambda error: None if error is None else self._broken(error))

    def _take(self, request: ExecutionRequest) -> None:
        index, self._index = self._index, self._index + 1
        if self._book is not None:
            self._book.check(index, request)
            if self.ledger.knows(index):
                return  # an earlier process has begun it
        live = self.ledger.take(index, request)
        problems = () if self._source.size is not None else row_problems(live.index, request)  # a sized input was checked whole
        if problems:
            self._record(live, OutcomeState.REJECTED, error=InvalidRequest(problems, what="batch row"))
        else:
            self._starts.begin(live)

    def _started(self, live: Live, execution_id: str) -> None:
        self._has_started(live, execution_id)
        if self._runs is Runs.AWAIT:
            self._join(live)
        elif self._runs is Runs.LEAVE or self._tasks is None:
            self._let_go(live)
        else:
            self._tasks.start_soon(self._cancel, [live])

    def _failed(self, live: Live, error: Exception) -> None:
        step = step_after(error, out=live.out)
        ends = step is Step.END or (step is Step.UNREACHABLE and not self._stopping)  # else the stop cut a hold short
        self._record(live, state_of_trigger(error, out=live.out), error=error)
        if ends:
            self._abort(error)

    def _broken(self, bug: Exception) -> None:
        self.ledger.fail(bug)
        self._done.set()

    def _has_started(self, live: Live, execution_id: str) -> None:
        live.triggered_at = utc_now()
        began = self._now() if live.began is None else live.began
        live.execution = handle_of(self._project.runtime, self._project.id, execution_id, triggered_at=began, request=live.request)

    def _join(self, live: Live) -> None:
        if live.execution is not None:
            live.waiter = self._project.runtime.watcher.join(live.execution.watched, Watched.ended, partial(self._ended_wait, live))

    def _ended_wait(self, live: Live, waiter: Waiter) -> None:
        error = waiter.error
        if error is not None or live.execution is None or live.execution.last_details is None:
            told = about(error, live.execution) if isinstance(error, MaiaError) else error
            self._let_go(live, told if isinstance(told, Exception) else None)
            if isinstance(error, Unauthorized | SessionClosed):
                self._abort(error)
            return
        details = live.execution.last_details
        self._record(live, state_of_details(details), details=details)

    # stopping

    async def _heed_signal(self) -> None:
        await self._signal.wait()
        self._stop(Runs.LEAVE if self._rules.on_cancel == "leave" else Runs.CANCEL)

    async def _heed_timeout(self, timeout: float) -> None:
        await anyio.sleep(timeout)

        def timed_out(live: Live) -> Exception | None:
            watched = None if live.execution is None else live.execution.watched
            return None if watched is None else watched.subject.timed_out(watched, timeout)

        self._left_with = timed_out
        self._stop(Runs.LEAVE)

    def _abort(self, error: Exception) -> None:
        self.ledger.fail(error)
        self._stop(Runs.LEAVE)

    def _stop(self, runs: Runs) -> None:
        """No more reading; what was not sent is withdrawn, and runs are treated as `runs` says.

        Who leaves gives what is in doubt 10 s. Who stays to await runs has the time to await answers too: a run that starts late is theirs.
        """
        confirming = self._runs is Runs.CANCEL and runs is Runs.CONFIRM_AND_LEAVE  # the same for the runs: that goes on, in its own time
        self._stopping, self._runs = True, runs
        leaving = runs in {Runs.LEAVE, Runs.CANCEL_AND_LEAVE, Runs.CONFIRM_AND_LEAVE}
        self._reading.cancel()
        self.ledger.room.set()
        for live in list(self.ledger.live.values()):
            self._starts.stop(live, leaving=leaving)
        running = [live for live in self.ledger.live.values() if live.execution is not None]
        if runs is Runs.LEAVE:
            for live in running:
                self._let_go(live)
        elif runs is not Runs.AWAIT and not confirming and self._tasks is not None:
            self._tasks.start_soon(self._cancel, running)

    async def _cancel(self, lives: list[Live]) -> None:
        """Cancel these runs; then await them for a while, or leave them."""
        confirm = self._runs in {Runs.CANCEL, Runs.CONFIRM_AND_LEAVE}
        for live in lives:
            if confirm and live.waiter is None and live.index in self.ledger.live:
                self._join(live)
        await cancel_runs(
            lives,
            confirm=confirm,
            concerns=lambda live: live.index in self.ledger.live,
            done=self._hasten if confirm else self._let_go,
        )
        for live in lives:
            self._let_go(live)

    def _hasten(self, live: Live) -> None:
        """A refused cancel may tell of an end that the watcher would see only in its usual rhythm."""
        if live.execution is not None and not live.cancelled:
            self._project.runtime.watcher.hasten(live.execution.watched)

    # recording

    def _let_go(self, live: Live, error: Exception | None = None) -> None:
        if live.index in self.ledger.live and live.execution is not None:
            if live.waiter is not None:
                self._project.runtime.watcher.leave(live.waiter)
            self._record(live, OutcomeState.LEFT_RUNNING, error=error or self._left_with(live), details=live.execution.last_details)

    def _record(self, live: Live, state: OutcomeState, *, error: Exception | None = None, details: ExecutionDetails | None = None) -> None:
        outcome: Outcome | None = self.ledger.record(live, state, error=error, details=details)
        if outcome is None:
            return
        if not outcome.succeeded and not self._stopping and self._rules.on_failure != "continue":
            self._stop(Runs.CANCEL if self._rules.on_failure == "cancel" else Runs.AWAIT)
        self._check_done()

    def _keep(self, book: Book, live: Live, outcome: Outcome, show: Callable[[], None]) -> None:
        """Write an outcome down, then show it. What a later look-up may find out stays in doubt: `stays_intended`."""

        def written(error: Exception | None) -> None:
            self._starts.lanes.leave(live)
            show()
            if error is not None and not self._finished:
                self._abort(error)

        cut_short = self._stopping or self._starts.closed
        if stays_intended(outcome.state, doubted=live.doubted, cut_short=cut_short, unread=live.unread):
            written(None)
        else:
            book.ended(live, outcome, written)

    def _check_done(self) -> None:
        if self._reading_ended and not self.ledger.live:
            self._done.set()

    def _conclude(self) -> None:
        """Whatever happened, every request taken has its outcome now.

        a request that is not recorded when the task ends    its outcome
        its run was started, or its POST brought an id       LEFT_RUNNING
        its POST brought none                                as the trigger's error says
        its POST of an earlier process was not looked for    UNKNOWN
        it has no POST                                       NOT_STARTED
        """
        if self._finished:
            return
        self._finished = self._stopping = True
        self._ended_at, self._requests_after = self._now(), self._project.runtime.exchange.sent
        for live in list(self.ledger.live.values()):
            failure: Exception = withdrawn() if live.earlier is None else self._not_looked_for(live)
            if live.execution is None and live.call is not None and live.call.task.done():
                failed = live.call.failure()
                if failed is None:
                    live.began = live.call.began
                    self._has_started(live, live.call.task.result())
                else:
                    failure = failed
                    live.over(live.call)
            if live.execution is not None:
                self._let_go(live)
            else:
                self._record(live, state_of_trigger(failure, out=live.out), error=failure)
        self.ledger.close()

    def _not_looked_for(self, live: Live) -> Exception:
        tag, reason = live.request.execution_tag, "the batch ended before its POST of an earlier process could be looked for"
        known = tag if isinstance(tag, str) else None
        return TriggerOutcomeUnknown(request=live.request, project_id=self._project.id, execution_tag=known, candidates=(), reason=reason)


def _closed() -> SessionClosed:
    return SessionClosed("this Maia client was closed while a batch was running")
