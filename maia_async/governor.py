"""One governor for one account's budget: gives slots in order of precedence, pauses all on a 429; it sends nothing and owns no task.

The decisions are in `maia_async.budget` and `maia_async.lanes`; this module keeps the queues, one timer, and one future for each request
that has to wait. A request that finds room and nobody waiting gets its slot without a future. Waiters are woken one by one as slots open,
never all at once.
"""

from __future__ import annotations

import asyncio
import math
import random as _random
from collections import OrderedDict
from typing import TYPE_CHECKING

from attrs import define, field

from maia_async.budget import Budget, Ending
from maia_async.errors import MaiaError, RateLimited, SessionClosed
from maia_async.lanes import Lane, Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from maia_async.policies import RateLimit

__all__ = ["Governor", "Lane", "Slot"]

# Added to every timer: asyncio fires a timer up to one clock resolution early, and a slot is free only strictly after its time. Without it
# a loop whose clock stands still between timers would be woken for ever at the same instant.
_TIMER_SLACK = 1e-6


@define(eq=False)
class Slot:
    """Leave to send one attempt. The first call of a method counts, later ones do nothing, so `unanswered` may stand in a `finally`."""

    _governor: Governor
    _lane: Lane
    granted_at: float
    _ended: bool = field(init=False, default=False)

    def answered(self) -> None:
        """The whole answer came, with any status but 429: free again `per` seconds from now."""
        self._end(Ending.ANSWERED)

    def unanswered(self) -> None:
        """The attempt failed or was cancelled: the request may still arrive, so the slot is held a twelfth of `per` longer."""
        self._end(Ending.UNANSWERED)

    def unused(self) -> None:
        """Nothing was sent: free at once."""
        self._end(Ending.UNUSED)

    def refused(self, retry_after: float | None) -> float:
        """The answer was a 429: begins the pause, or joins it; returns the seconds until it ends."""
        if self._ended:
            return self._governor.pause_left()
        self._ended = True
        return self._governor.on_refused(self._lane, self.granted_at, retry_after)

    def _end(self, ending: Ending) -> None:
        if not self._ended:
            self._ended = True
            self._governor.on_end(self._lane, ending, self.granted_at)


@define(eq=False)
class _Waiter:
    """A queued acquire: its future gets the slot, or the error to raise (as a result: a future's exception nobody fetches is logged)."""

    lane: Lane
    method: str
    path: str
    ride_out: bool
    future: asyncio.Future[Slot | MaiaError]


class Governor:
    """Everything that leaves for one account asks here first. Belongs to the event loop that uses it; needs none to be constructed.

    `limit=None`: no window and no pace, but requests in flight are bounded and a 429 still pauses everybody.
    """

    def __init__(self, limit: RateLimit | None, *, max_in_flight: int = 100, random: Callable[[], float] = _random.random) -> None:
        self._budget = Budget(limit, max_in_flight, random=random)
        self._turns = Turns()
        # Ordered dicts, not deques: a cancelled acquire leaves from the middle at once, however many stand before it.
        self._queues: tuple[OrderedDict[_Waiter, None], ...] = tuple(OrderedDict() for _ in Lane)
        self._queued = 0
        self._throttled = 0.0
        self._throttled_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def acquire(self, lane: Lane, *, method: str = "", path: str = "", ride_out: bool = False) -> Slot:
        """Wait for a slot, first come first served within a lane. Cancellation while waiting costs no slot.

        Raises `RateLimited` (of `method` and `path`, never sent) when a pause has more than `max_pause` left, unless `ride_out`;
        and `SessionClosed` after `close()`.
        """
        self._loop = loop = asyncio.get_running_loop()
        now = loop.time()
        if self._closed:
            raise SessionClosed
        budget = self._budget
        budget.advance(now)
        if not ride_out and budget.pause_too_long(now):
            raise self._rate_limited(method, path, now)
        if not self._queued and budget.opens_at(lane, now) <= now:
            budget.take(lane, now)
            return Slot(self, lane, now)
        waiter = _Waiter(lane, method, path, ride_out, loop.create_future())
        self._count(+1, now)
        # Somebody with the same bounds waits already: so there is no room, and what will wake them is under way.
        crowded = any(self._queues[each] for each in Lane if each.urgent == lane.urgent)
        self._queues[lane][waiter] = None
        if not crowded:
            self._serve(now)
        try:
            verdict = await waiter.future
        except BaseException:  # cancelled, or the coroutine was closed
            # Either still queued, or served in the same turn of the loop: then the slot goes to the next one.
            self._leave(waiter)
            future = waiter.future
            if future.done() and not future.cancelled() and isinstance(verdict := future.result(), Slot):
                verdict.unused()
            elif not lane.urgent and (self._queues[Lane.TOKEN] or self._queues[Lane.CANCEL]):
                self._serve(self._now())  # the urgent lanes may have waited for our sake
            raise
        if isinstance(verdict, Slot):
            return verdict
        raise verdict

    def close(self) -> None:
        """Every queued acquire raises `SessionClosed`, and so does every later one. Slots in use may still be given back."""
        self._closed = True
        self._dismiss(lambda _: SessionClosed())
        self._set_timer(math.inf)

    @property
    def paused_seconds(self) -> float:
        """Seconds of pause so far, the running one included."""
        return self._budget.paused_seconds(self._now())

    @property
    def throttled_seconds(self) -> float:
        """Seconds that acquires have spent queued, summed over all of them, those still queued included."""
        return self._throttled + self._queued * (self._now() - self._throttled_at)

    @property
    def paused_until(self) -> float | None:
        """The end of the pause in force, by the loop's clock, or None."""
        return self._budget.paused_until if self.pause_left() > 0 else None

    @property
    def refused(self) -> int:
        """Answers 429 so far."""
        return self._budget.refusals

    @property
    def episodes(self) -> int:
        """Pauses so far: many requests in flight may be refused in one."""
        return self._budget.episodes

    @property
    def in_flight(self) -> int:
        """Slots granted and not yet ended."""
        return self._budget.in_flight

    @property
    def queued(self) -> int:
        """Acquires that wait."""
        return self._queued

    @property
    def limit_now(self) -> float:
        """Requests per `per` that we allow ourselves now; inf without a limit."""
        return self._budget.limit_now(self._now())

    def in_use(self) -> int:
        """Slots of the window that are held."""
        self._budget.advance(self._now())
        return self._budget.used

    def spare_rate(self) -> float:
        """Requests per second that polls can count on now; inf without a limit."""
        now = self._now()
        self._budget.advance(now)
        return self._budget.spare_rate(now)

    def sure_rate(self) -> float:
        """Requests per second that polls are guaranteed whatever the others want; inf without a limit."""
        return self._budget.sure_rate(self._now())

    def pause_left(self) -> float:
        """Seconds until the pause in force ends; 0 without one."""
        return max(0.0, self._budget.paused_until - self._now())

    def on_end(self, lane: Lane, ending: Ending, granted_at: float) -> None:
        """A slot's attempt has ended (called by the slot)."""
        now = self._now()
        self._budget.end(lane, ending, granted_at, now)
        if self._queued:
            self._serve(now)

    def on_refused(self, lane: Lane, granted_at: float, retry_after: float | None) -> float:
        """A slot's attempt was answered 429 (called by the slot)."""
        now = self._now()
        pause = self._budget.refused(lane, granted_at, retry_after, now)
        if self._budget.pause_too_long(now):
            self._dismiss(lambda waiter: None if waiter.ride_out else self._rate_limited(waiter.method, waiter.path, now))
        if self._queued:
            self._serve(now)
        return pause

    def resume(self, normal: float) -> None:
        """An outage is over: for one window, leave no faster than `normal` requests a second (see `Budget.resume`)."""
        self._budget.resume(normal * self._budget.per, self._now())

    def _now(self) -> float:
        # Statistics may be asked for before the first request and after the loop has ended.
        return self._loop.time() if self._loop is not None else 0.0

    def _rate_limited(self, method: str, path: str, now: float) -> RateLimited:
        return RateLimited(429, method=method, path=path, retry_after=self._budget.paused_until - now)

    def _count(self, change: int, now: float) -> None:
        self._throttled += self._queued * (now - self._throttled_at)
        self._throttled_at = now
        self._queued += change

    def _leave(self, waiter: _Waiter) -> None:
        if waiter in self._queues[waiter.lane]:
            del self._queues[waiter.lane][waiter]
            self._count(-1, self._now())
            if not self._queued:
                self._set_timer(math.inf)

    def _dismiss(self, verdict: Callable[[_Waiter], MaiaError | None]) -> None:
        """Send away every waiter that gets an error; those that get None stay, in their order."""
        for queue in self._queues:
            for waiter in list(queue):
                error = verdict(waiter)
                if error is not None and not waiter.future.done():
                    waiter.future.set_result(error)
                    self._leave(waiter)

    def _waiting(self) -> list[Lane]:
        """The lanes with a live waiter; heads whose task was cancelled a moment ago are dropped."""
        for queue in self._queues:
            while queue and (head := next(iter(queue))).future.done():
                self._leave(head)
        return [lane for lane in Lane if self._queues[lane]]

    def _serve(self, now: float) -> None:
        """Hand out what there is room for, then see to it that we look again when time alone opens more."""
        budget = self._budget
        budget.advance(now)
        while waiting := self._waiting():
            contested = not waiting[-1].urgent
            ready = [lane for lane in waiting if budget.opens_at(lane, now, contested=contested) <= now]
            if not ready:
                break
            lane = self._turns.grant(ready, waiting, reserve=budget.reserve_left)
            waiter, _ = self._queues[lane].popitem(last=False)
            self._count(-1, now)
            budget.take(lane, now)
            waiter.future.set_result(Slot(self, lane, now))
        due = (budget.queue_at(lane, now, contested=not waiting[-1].urgent) for lane in waiting)
        self._set_timer(min(due, default=math.inf))

    def _set_timer(self, due: float) -> None:
        """At most one timer. One that fires too early only looks and sets the next, so it is left alone while somebody waits."""
        if self._timer is not None:
            if self._queued and self._timer.when() <= due + _TIMER_SLACK:
                return
            self._timer.cancel()
            self._timer = None
        if due < math.inf and self._loop is not None and not self._closed:
            self._timer = self._loop.call_at(due + _TIMER_SLACK, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._serve(self._now())
