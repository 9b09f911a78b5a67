"""One request on its way to a started run, as its caller holds it: taking it back, waiting for it, and why it failed. It sends nothing.

what ends it                                                       raised (`failure`)
an id, of its POST, of a POST sent again, or of the list           nothing: the task's result is the id
NOT_LANDED, REFUSED (wire/landing.py), or it never went out        the error itself, also when it is none of ours
the same, of a POST sent again: it says nothing about the first    TriggerOutcomeUnknown, with the error as its cause
409 for an AUTO tag, and the list shows no run of it in time       the Conflict; TriggerOutcomeUnknown when it was sent before
in doubt, and the list does not settle it (decision.py)            TriggerOutcomeUnknown
in doubt when its time was up                                      TriggerOutcomeUnknown
withdrawn before it went out                                       what its withdrawal was given as the reason
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from attrs import define, field

from maia_async.errors import MaiaError, SessionClosed, TriggerOutcomeUnknown
from maia_async.exchange import Dated, Exchange
from maia_async.models import ExecutionRequest
from maia_async.orchestration.trigger.lanes import Case, GivenUp, Lane
from maia_async.tasks import FINISH_BOUND, settle
from maia_async.wire.landing import Landing, landing_of


class Withdrawn(MaiaError):
    """A POST was taken back before it went out: nothing was started."""


class LaneHeld(MaiaError):
    """Its lane is held, and it has not gone out: for a caller who has other things to send meanwhile, and comes again later."""


class Held(Exception):
    """Its lane is held: the POST must not go out now. Never leaves this package."""


@define(eq=False)
class Call:
    """One request: `request` with the tag that is sent, `in_doubt` while a run of it may exist whose id is not known.

    A finished one that is not in doubt failed before it went out, or was turned away unread: its error says nothing about the request.
    `out`: its last POST was sent, and no answer says that it did not land. `flying`: it counts as such in its lane. `announce`: awaited
    just before each attempt. `gives_back`: it fails with LaneHeld instead of waiting for its lane.
    """

    project_id: str
    request: ExecutionRequest
    lane: Lane
    _exchange: Exchange
    ended: Callable[[Call], None] | None = None
    announce: Callable[[], Awaitable[None]] | None = None
    gives_back: bool = False
    in_doubt: bool = False
    withdrawn: MaiaError | None = None
    hurried: bool = False
    out: bool = False
    flying: bool = False
    sent: float = 0.0
    began: float = 0.0  # see `Begun`
    dated: Dated | None = None
    case: Case | None = None
    gone: GivenUp | None = None  # an earlier call of the very same request, whose fate nobody found out
    task: asyncio.Task[str] = field(init=False)

    def doubt(self, sent: bool) -> None:
        """Told by the exchange before and after each attempt. Raises Held, and the reason of a withdrawal."""
        if not sent:
            self.out = False
            if self.case is None:
                self.in_doubt = False
                self.land()
        if self.withdrawn is not None:  # not sent again, and no pause before that is waited through
            raise self.withdrawn
        if sent:
            if self.case is None and self.lane.resolver is not None:
                raise Held
            self.fly()
            self.out = self.in_doubt = True
            self.sent, self.dated = asyncio.get_running_loop().time(), self._exchange.dated

    def fly(self) -> None:
        """It counts as out in its lane."""
        if not self.flying:
            self.flying = True
            self.lane.flying += 1

    def land(self) -> None:
        """It counts no more: it was answered, or broke."""
        if self.flying:
            self.flying = False
            self.lane.flying -= 1
            if self.lane.resolver is not None:
                self.lane.stir()

    async def conclude(self, reason: MaiaError) -> None:
        """The caller is going: withdraw the POST, or wait for its fate for at most 10 s. Cancellation comes after that."""
        self.hurry(reason)
        await settle(self.task)

    def withdraw(self, reason: MaiaError) -> None:
        """Take the POST back if it has not gone out, with `reason` as its failure; else await its answer, and do not send it again."""
        if self.withdrawn is None:
            self.withdrawn = reason
            if self.case is not None:
                self.case.withdrawn = True
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
        """Why the finished request gave no id; None when it did."""
        if self.task.cancelled():
            late = "it was not clear within 10 s after its caller went"
            return self.unknown(late, self._candidates()) if self.in_doubt else self.withdrawn or SessionClosed()
        error = self.task.exception()
        if error is None:
            return None
        doubtful = self.in_doubt and landing_of(error) is Landing.AMBIGUOUS
        if isinstance(error, TriggerOutcomeUnknown) or (isinstance(error, Exception) and not doubtful):
            return error
        unknown = self.unknown(repr(error), self._candidates())
        unknown.__cause__ = error
        return unknown

    def unknown(self, reason: str, candidates: tuple[str, ...] = ()) -> TriggerOutcomeUnknown:
        """The error of a request whose fate was not found out."""
        tag = self.request.execution_tag
        cause = None if self.case is None else self.case.cause
        said = f"{cause if isinstance(cause, MaiaError) else repr(cause)}; {reason}" if cause is not None else reason
        error = TriggerOutcomeUnknown(
            request=self.request,
            project_id=self.project_id,
            execution_tag=tag if isinstance(tag, str) else None,
            candidates=candidates,
            reason=said,
        )
        error.__cause__ = cause
        return error

    def _candidates(self) -> tuple[str, ...]:
        return () if self.case is None else self.case.candidates
