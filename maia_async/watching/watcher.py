"""One polling loop behind every wait; it lives only while somebody waits, and it never ends a wait by guess.

The loop is a task of the client (empty context), started with the first waiter and ended before the last one's await returns. It keeps
all deadlines in one heap, so a wait costs neither a task nor a timer. What is known of a thing outlives the loop: a hundred callers that
each loop over short waits still make progress, and share one read per `min_interval`.

A deadline is followed by a last look (`deadlines.py`). A failed look ends the wait only if the subject says so;
otherwise it is repeated until `max_unreachable` has passed since the first failure, pauses of ours not counted. A bug in this loop reaches
every waiter.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from maia_async.errors import MaiaError
from maia_async.governor import Governor
from maia_async.policies import PollPolicy
from maia_async.tasks import TaskOwner, end
from maia_async.watching.agenda import Agenda
from maia_async.watching.chains import Chains, ReadPage, no_list
from maia_async.watching.crowd import Crowd
from maia_async.watching.deadlines import Deadlines, after_deadline
from maia_async.watching.known import Known
from maia_async.watching.pace import after_failure, first_look
from maia_async.watching.sweeper import ServerTime, Sweeper, Tell, untold
from maia_async.watching.under_way import UnderWay
from maia_async.watching.watched import NEVER, Sighting, Subject, Waiter, Watched, wake

Entered = tuple[Waiter, asyncio.Future[None]]
logger = logging.getLogger("maia_async")
AT_ONCE: Final = 250  # things whose turn it is that are looked through in one turn of the loop: mostly they are put off again
MOST_UNSENT: Final = 4  # own reads that wait for the budget: a list, or the read after a command, would come too late behind hundreds


class Watcher:
    """Everything awaited through one client."""

    def __init__(
        self,
        *,
        policy: PollPolicy,
        governor: Governor,
        owner: TaskOwner,
        read_page: ReadPage = no_list,
        server_time: ServerTime = untold,
        tell: Tell = lambda *_: None,
    ) -> None:
        self.policy = policy
        self.looks = 0
        self.waiting = 0
        self.lags: deque[float] = deque(maxlen=1000)  # from the ends of runs to our sight of them, as far as the API tells
        self._governor = governor
        self._owner = owner
        self._known = Known()
        self._due = Agenda()
        self._deadlines = Deadlines()
        self._unsent = 0
        self._wake = asyncio.Event()
        self._sleeps_until = NEVER  # for how long the loop sleeps; NEVER: it is awake, and looks around before it does
        self._task: asyncio.Task[None] | None = None
        self._under_way = UnderWay(owner, self._wake.set)
        self._closed = False
        self.chains = Chains(policy=policy, read_page=read_page, find=self._find, saw=self._listed, look=self._look_at)
        self.sweeper = Sweeper(policy=policy, governor=governor, chains=self.chains, look=self._look_at, server_time=server_time, tell=tell)
        self._crowd = Crowd(policy, governor, self.sweeper)

    def watched(self, subject: Subject) -> Watched:
        """The state of `subject`, shared by all that have the same key. The caller must hold on to it."""
        return self._known.of(subject)

    def join(
        self,
        watched: Watched,
        until: Callable[[Watched], bool],
        on_done: Callable[[Waiter], None],
        *,
        timeout: float | None = None,
        future: asyncio.Future[None] | None = None,
    ) -> Waiter:
        """Wait for `until`; `on_done(waiter)` is called once, unless `leave` comes first. When it is true already: before this returns."""
        waiter = Waiter(watched, until, on_done, timeout, future)
        now = asyncio.get_running_loop().time()
        if self._closed:
            self._finish(waiter, watched.subject.closed(), joined=False)
        elif not self._settled(waiter, joined=False):
            self._enlist(waiter, now)
        return waiter

    def enter(self, watched: Watched, until: Callable[[Watched], bool], *, timeout: float | None = None) -> Entered:
        """`join`, and a future that is done when the wait is over. Raises MisuseError anywhere but where the client lives."""
        self._owner.home.check()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return self.join(watched, until, wake, timeout=timeout, future=future), future

    async def wait(self, watched: Watched, until: Callable[[Watched], bool], *, timeout: float | None = None) -> None:
        """Return when `until` is true; raises what it raises, the subject's errors, and the subject's timeout error.

        Cancelling this wait disturbs no other.
        """
        waiter, future = self.enter(watched, until, timeout=timeout)
        try:
            await future
        finally:
            self.leave(waiter)
            await self.rest()
        waiter.check()

    def leave(self, waiter: Waiter) -> None:
        """Stop waiting; a waiter that is done has left already."""
        if not waiter.done:
            waiter.done = True
            self._drop(waiter)

    def hasten(self, watched: Watched) -> None:
        """Look soon, and often for a while: a command was just given, so its age starts anew."""
        watched.since = asyncio.get_running_loop().time()
        self._crowd.hasten(watched, watched.since)
        self.sweeper.commanded(watched)
        if watched.due > watched.since + self.policy.min_interval:
            self._schedule(watched, watched.since + self.policy.min_interval)
            self._nudge()

    def look_soon(self, watched: Watched) -> None:
        """Somebody asks anew: look as soon as `min_interval` after the last look, and go on in the usual rhythm after that.

        Not while it fails: the pause between failed looks is there for the API's sake.
        """
        now = asyncio.get_running_loop().time()
        due = max(now, watched.looked_at + self.policy.min_interval)
        if watched.due > due and watched.failure is None:
            self._schedule(watched, due)
            self._nudge()

    async def rest(self) -> None:
        """If nobody waits, end the loop and return when it has ended."""
        if not self.waiting and self._task is not None:
            task, self._task = self._task, None
            await end(task)

    async def aclose(self) -> None:
        """Every wait ends with the subject's closed error; no later one starts."""
        self._closed = True
        try:
            for number, watched in enumerate(self._known.active(), 1):
                self._fail(watched, watched.subject.closed())
                if not number % AT_ONCE:
                    await asyncio.sleep(0)
        finally:
            for watched in self._known.active():  # whoever is left when the closing itself is cancelled
                self._fail(watched, watched.subject.closed())
            await self.rest()

    def _enlist(self, waiter: Waiter, now: float) -> None:
        watched = waiter.watched
        if waiter.timeout is not None and waiter.timeout != float("inf"):
            waiter.deadline = now + max(0.0, waiter.timeout)
            self._deadlines.add(waiter, waiter.deadline)
        alone = not watched.waiters
        watched.waiters += (waiter,)
        self.waiting += 1
        if alone:
            self._known.await_(watched)
            watched.rested(now, self.policy.max_interval)
            self._crowd.join(watched)
            self.sweeper.add(watched, now)
            if watched.since is None:
                just = watched.begins(now, self.policy.min_interval)
                watched.due = now + first_look(self.policy, just_triggered=just, rate=self._governor.spare_rate())
            self._plan_first(watched, max(watched.due, now))
        if self._task is None:
            self._task = self._owner.start(self._run(), name="watcher")
        else:
            self._start_looks(now)  # from here: for a run that ends at its first look, waking the loop would cost as much as the look
            self._nudge()

    def _plan_first(self, watched: Watched, due: float) -> None:
        if not self.sweeper.tells_of(watched):
            self._schedule(watched, due)
        else:  # with others: ten thousand that come together would all stand in the heap, only to be put off when they are due
            self._due.put_off(watched, due, self.policy.min_interval)

    def _drop(self, waiter: Waiter) -> None:
        watched = waiter.watched
        watched.waiters = tuple(other for other in watched.waiters if other is not waiter)
        self.waiting -= 1
        self._deadlines.gone(waiter)
        if not watched.waiters:
            self.sweeper.discard(watched)
            self._crowd.leave(watched)
            self._known.leave(watched)
        if not self.waiting:
            self._due.clear()
            self._deadlines.clear()
            self._wake.set()

    def _schedule(self, watched: Watched, due: float, reckoned: bool = False) -> None:
        """Look at `due`; when nobody waits for it, that is only the earliest time for the next one who does."""
        watched.due, watched.reckoned = due, reckoned
        if watched.waiters:
            self._due.put(watched, due, fresh=self._crowd.is_fresh(watched))

    async def _run(self) -> None:
        try:
            try:
                while self.waiting:  # again when somebody joined while the last looks were being ended
                    await self._loop()
                    await self._under_way.end()
            finally:
                await self._under_way.end()
        except Exception as error:  # noqa: BLE001 - a bug of ours, whatever it is: nobody may hang because of it
            for watched in self._known.active():
                self._fail(watched, error)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    async def _loop(self) -> None:
        while self.waiting:
            self._under_way.raise_bug()
            self._wake.clear()
            now = asyncio.get_running_loop().time()
            self._expire(now)
            self._start_chains(now)
            self._start_looks(now)
            # A bare timer, not a cancel scope: this turns once for every look that ends.
            moment = self._next_moment()
            timer = None if moment == float("inf") else asyncio.get_running_loop().call_at(moment, self._wake.set)
            self._sleeps_until = moment
            try:
                await self._wake.wait()
            finally:
                self._sleeps_until = NEVER
                if timer is not None:
                    timer.cancel()

    def _start_looks(self, now: float) -> None:
        for _ in range(AT_ONCE):
            if self._under_way.full or self._crowded() or (watched := self._due.take(now)) is None:
                return
            if watched.looking:
                continue  # that look schedules the next one when it ends
            if watched.reckoned and (found := self._crowd.next_look(watched, now))[0] > now:
                self._schedule(watched, *found)
                continue
            later = None if watched.due == NEVER else self.sweeper.postponed(watched, now)
            if later is not None:  # lists tell of it; that it is due is only noticed here, so that a list row costs no heap
                self._due.put_off(watched, later, self.policy.min_interval)
                continue
            watched.looking, watched.sent = True, False
            self._unsent += 1
            self._under_way.begin(self._look(watched), partial(self._look_over, watched), name="look")

    def _start_chains(self, now: float) -> None:
        while not self._under_way.full and (chain := self.sweeper.due(now)) is not None:
            self._under_way.begin(chain[0], partial(self._chain_over, chain[1]), name="list")

    def _chain_over(self, ended: Callable[[], None]) -> None:
        ended()
        self._nudge()

    async def _look(self, watched: Watched) -> None:
        watched.goes_out(asyncio.get_running_loop().time())
        self.looks += 1
        try:
            self._saw(watched, await watched.subject.look(partial(self._sending, watched)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is judged and reaches this thing's waiters, and no others
            self._failed(watched, error)

    def _look_over(self, watched: Watched) -> None:
        watched.looking = False
        if not watched.sent:
            self._unsent -= 1
        if watched.waiters and not watched.scheduled:
            # This look was cancelled with the loop of earlier waiters, and somebody has joined since.
            self._schedule(watched, asyncio.get_running_loop().time())
        self._nudge()

    def _crowded(self) -> bool:
        """Whether own reads wait for the budget: then the next one waits here, where a list may make it needless or another overtake it."""
        return self._unsent >= MOST_UNSENT and self._governor.queued > 0 and self._due.next() != NEVER

    def _sending(self, watched: Watched, sent: bool) -> None:
        if sent and not watched.sent:
            self._unsent -= 1
            if self._unsent == MOST_UNSENT - 1:  # others may go
                self._nudge()
        watched.sending(sent)

    def _saw(self, watched: Watched, sighting: Sighting) -> None:
        now = watched.looked_at = asyncio.get_running_loop().time()
        watched.answered = watched.asks
        self._took(watched, sighting)
        if sighting.ends and not watched.waiters:
            return  # nothing can change any more, and whoever joins sees it
        self.sweeper.looked(watched)
        self._schedule(watched, *self._crowd.next_look(watched, now))

    def _took(self, watched: Watched, sighting: Sighting) -> None:
        before = watched.last
        if watched.saw(sighting):
            watched.subject.tell_change(watched, before)
        for waiter in watched.waiters:
            if not self._settled(waiter) and waiter.closing:
                self._finish(waiter, watched.subject.timed_out(watched, waiter.timeout or 0.0))

    def _find(self, project_id: str, execution_id: str) -> Watched | None:
        return self._known.awaited(("execution", project_id), execution_id)

    def _listed(self, watched: Watched, sighting: Sighting, now: float) -> None:
        """A list row showed it; when it is read itself does not change."""
        watched.looked_at = now
        self._took(watched, sighting)

    def _look_at(self, watched: Watched, due: float) -> None:
        """Read it itself no later than `due`."""
        if watched.due > due or not watched.scheduled:
            self._schedule(watched, due)
            self._nudge()

    def _failed(self, watched: Watched, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        unreadable = watched.failed(error, now, self._governor.paused_seconds)
        self.sweeper.failed(watched, now)
        since_trigger = None if watched.triggered_at is None else now - watched.triggered_at
        if not isinstance(error, MaiaError) or watched.subject.ended_by(error, since_trigger=since_trigger):
            end_with = error
        elif unreadable >= self.policy.max_unreachable:
            end_with = watched.subject.unavailable(watched, unreadable)
            end_with.__cause__ = error
        else:
            for waiter in [waiter for waiter in watched.waiters if waiter.closing]:
                self._finish(waiter, watched.subject.timed_out(watched, waiter.timeout or 0.0))
            jitter = random.random()  # noqa: S311 - it spreads load, it protects nothing
            self._schedule(watched, now + after_failure(self.policy, failures=watched.failures, jitter=jitter))
            return
        watched.counts_anew()
        watched.due = now + self.policy.min_interval
        self._fail(watched, end_with)

    def _expire(self, now: float) -> None:
        for waiter in self._deadlines.expired(now):
            watched = waiter.watched
            fresh = watched.is_fresh(waiter, now, self.policy.min_interval)
            step = after_deadline(waiter, fresh=fresh)
            if step is None:
                self._finish(waiter, watched.subject.timed_out(watched, waiter.timeout or 0.0))
                continue
            if not waiter.closing and not watched.looking:
                self._schedule(watched, NEVER)
                watched.sent = False  # that of an earlier look: this one may not even begin in time
            waiter.closing += 1
            self._deadlines.add(waiter, waiter.deadline + step)

    def _nudge(self) -> None:
        """Something has changed: wake the loop if it would sleep too long. Waking it for every look would cost as much as the look."""
        if self._sleeps_until > NEVER and self._next_moment() < self._sleeps_until:
            self._wake.set()

    def _next_moment(self) -> float:
        if self._under_way.full:
            return self._deadlines.next()
        due = float("inf") if self._crowded() else self._due.next()
        return min(due, self.sweeper.moment(), self._deadlines.next())

    def _settled(self, waiter: Waiter, *, joined: bool = True) -> bool:
        try:
            reached = waiter.watched.last is not None and waiter.until(waiter.watched)
        except Exception as error:  # noqa: BLE001 - the waiter's own predicate raised: the waiter gets it
            self._finish(waiter, error, joined=joined)
            return True
        if reached:
            self._finish(waiter, None, joined=joined)
        return reached

    def _finish(self, waiter: Waiter, error: BaseException | None, *, joined: bool = True) -> None:
        if waiter.done:
            return
        waiter.done = True
        waiter.error = error
        if joined:
            self._drop(waiter)
        try:
            waiter.on_done(waiter)
        except Exception:  # one caller's callback must not end the others' waits
            logger.exception("the callback of a wait for %s failed", waiter.watched.subject.key)

    def _fail(self, watched: Watched, error: BaseException) -> None:
        for waiter in watched.waiters:
            self._finish(waiter, error)
