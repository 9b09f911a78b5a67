"""Starts runs: one POST, never sent again unless it is known not to have landed, its id never lost. It waits for no end of a run.

Each POST is made by a task that the client owns, so that a cancelled caller does not tear it off half-way:

    the caller is cancelled while the POST         then
    has not gone out                               it is withdrawn; nothing was started
    is in doubt (sent, no answer)                  the task goes on for at most 10 s; the observers get TriggerAbandoned with the id,
                                                   or with the error when it may have started and no id came
    was answered at that very moment               the observers get TriggerAbandoned with the id

A caller may also take a POST back and stay (`Call.withdraw`): one that is in doubt is then awaited to its end, and not sent again.

    what ends the POST (wire/landing.py)           raised
    STARTED                                        nothing: the id is returned
    NOT_LANDED, REFUSED, or never went out         the error itself, also when it is none of ours (credentials of the caller's own)
    AMBIGUOUS, and any other error once it is out  TriggerOutcomeUnknown
    withdrawn                                      what its withdrawal was given as the reason
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from attrs import define, field

from maia_async.clock import utc_now
from maia_async.errors import InvalidRequest, MaiaError, SessionClosed, TriggerOutcomeUnknown
from maia_async.events import ExecutionTriggered, TriggerAbandoned
from maia_async.exchange import Exchange, decoded
from maia_async.governor import Lane
from maia_async.models import ExecutionRequest
from maia_async.observers import Observers
from maia_async.tasks import FINISH_BOUND, TaskOwner, done, settle
from maia_async.wire import codec, operations
from maia_async.wire.landing import Landing, landing_of

logger = logging.getLogger("maia_async")


class Withdrawn(MaiaError):
    """A POST was taken back before it went out: nothing was started."""


@define(eq=False)
class Call:
    """One POST under way: `request` with the tag that is sent, `in_doubt` while it is out and no answer says that it did not land.

    A finished one that is not in doubt failed before it went out, or was turned away unread: its error says nothing about the request.
    """

    project_id: str
    request: ExecutionRequest
    ended: Callable[[Call], None] | None = None
    in_doubt: bool = False
    withdrawn: MaiaError | None = None
    hurried: bool = False
    task: asyncio.Task[str] = field(init=False)

    def doubt(self, sent: bool) -> None:
        """Told by the exchange before and after each attempt."""
        if not sent:
            self.in_doubt = False
        if self.withdrawn is not None:  # not sent again, and no pause before that is waited through
            raise self.withdrawn
        self.in_doubt = sent

    async def conclude(self, reason: MaiaError) -> None:
        """The caller is going: withdraw the POST, or wait for its answer for at most 10 s. Cancellation comes after that."""
        self.hurry(reason)
        await settle(self.task)

    def withdraw(self, reason: MaiaError) -> None:
        """Take the POST back if it has not gone out, with `reason` as its failure; else let `Timeouts.total` bound it, as always."""
        if self.withdrawn is None:
            self.withdrawn = reason
            if not self.in_doubt:
                self.task.cancel()

    def hurry(self, reason: MaiaError) -> None:
        """Withdraw the POST if it has not gone out, with `reason` as its failure; else give it 10 s from now."""
        self.withdraw(reason)
        if self.in_doubt and not self.hurried and not self.task.done():
            self.hurried = True
            timer = asyncio.get_running_loop().call_later(FINISH_BOUND, self.task.cancel)
            self.task.add_done_callback(lambda _: timer.cancel())

    def failure(self) -> Exception | None:
        """Why the finished POST gave no id; None when it did."""
        if self.task.cancelled():
            return self._unknown("no answer within 10 s after its caller went") if self.in_doubt else self.withdrawn or SessionClosed()
        error = self.task.exception()
        if error is None:
            return None
        doubtful = self.in_doubt and landing_of(error) is Landing.AMBIGUOUS
        if isinstance(error, Exception) and not doubtful:
            return error
        unknown = self._unknown(str(error) if isinstance(error, MaiaError) else repr(error))
        unknown.__cause__ = error
        return unknown

    def _unknown(self, reason: str) -> TriggerOutcomeUnknown:
        tag = self.request.execution_tag
        tag = tag if isinstance(tag, str) else None
        return TriggerOutcomeUnknown(request=self.request, project_id=self.project_id, execution_tag=tag, reason=reason)


class TriggerDesk:
    """Every POST that starts a run goes out from here."""

    def __init__(self, *, exchange: Exchange, owner: TaskOwner, observers: Observers) -> None:
        self._exchange = exchange
        self._owner = owner
        self._observers = observers
        self._calls: set[Call] = set()
        self._closed = False

    async def start(self, project_id: str, request: ExecutionRequest) -> str:
        """Start one run and return its id; raises as `Project.execute` says."""
        call = self.submit(project_id, request)
        try:
            await done(call.task)
        except asyncio.CancelledError:
            self._abandon(call)
            raise
        failure = call.failure()
        if failure is not None:
            raise failure
        return call.task.result()

    def submit(self, project_id: str, request: ExecutionRequest, *, ended: Callable[[Call], None] | None = None) -> Call:
        """Put a POST on its way without waiting for it; `ended` is told when its task is done. Raises InvalidRequest before that."""
        if self._closed:
            raise SessionClosed
        problems = request.problems()
        if problems:
            raise InvalidRequest(problems, what="execution request")
        call = Call(project_id, request.with_tag(), ended)
        call.task = self._owner.start(self._post(call), name="trigger", finishes=True, ended=partial(self._over, call))
        self._calls.add(call)
        return call

    async def _post(self, call: Call) -> str:
        spec = operations.execute_pipeline(call.project_id, codec.encode_request(call.request))
        reply = await self._exchange.call(spec, Lane.TRIGGER, in_doubt=call.doubt)
        execution_id = decoded(spec, reply, codec.started_id)
        if self._observers:
            event = ExecutionTriggered(at=utc_now(), project_id=call.project_id, execution_id=execution_id, request=call.request)
            self._observers.emit(event)
        return execution_id

    def _over(self, call: Call, _: asyncio.Task[str]) -> None:
        self._calls.discard(call)
        if call.ended is not None:
            call.ended(call)

    async def aclose(self) -> None:
        """Withdraw what has not gone out, and give the rest its 10 s. Callers that still wait get their answer, or the error."""
        self._closed = True
        for call in self._calls:
            call.hurry(SessionClosed())
        await settle(*(call.task for call in self._calls))

    def _abandon(self, call: Call) -> None:
        reason = Withdrawn("its caller was cancelled before it was sent")

        async def see_to_it() -> None:
            await call.conclude(reason)
            self._tell(call)

        if call.task.done():
            self._tell(call)
        elif call.in_doubt:
            _ = self._owner.start(see_to_it(), name="abandoned trigger", finishes=True)
        else:
            call.hurry(reason)

    def _tell(self, call: Call) -> None:
        failure = call.failure()
        if failure is not None and not isinstance(failure, TriggerOutcomeUnknown):
            return  # nothing was started
        execution_id = None if failure is not None else call.task.result()
        error = None if failure is None else str(failure)
        logger.warning("execute() was cancelled after its POST had gone out: %s", failure or f"execution {execution_id} was started")
        event = TriggerAbandoned(at=utc_now(), project_id=call.project_id, request=call.request, execution_id=execution_id, error=error)
        self._observers.emit(event)
