"""One polling loop behind every wait; it lives only while somebody waits, and it never ends a wait by guess.

The loop is a task of the client (empty context), started with the first waiter and ended before the last one's await returns. It keeps
all deadlines in one heap, so a wait costs neither a task nor a timer. What is known of a thing outlives the loop: a hundred callers that
each loop over short waits still make progress, and share one read per `min_interval`.

A deadline is followed by a last look (`_expire`):

    at the deadline                                   then
    the last look is younger than min_interval        give up at once
    a look is under way                               join it
    otherwise                                         look now, before everything else
    2 s later, and no request has gone out            give up: the budget does not grant it
    5 s later                                         give up: no answer in time

A failed look ends the wait only if the subject says so; otherwise it is repeated until `max_unreachable` has passed since the first
failure, pauses of ours not counted. A bug in this loop reaches every waiter.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
from collections import Counter
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from maia_async.errors import MaiaError
from maia_async.governor import Governor
from maia_async.policies import PollPolicy
from maia_async.tasks import TaskOwner, end
from maia_async.watching.pace import after_failure, first_look, load_of
from maia_async.watching.watched import NEVER, Sighting, Subject, Waiter, Watched

LAST_LOOK_GRANT: Final = 2.0
LAST_LOOK_ANSWER: Final = 5.0
logger = logging.getLogger("maia_async")
MOST_GONE: Final = 100
MAX_LOOKS: Final = 100  # under way at once: what the connection pool holds


class Watcher:
    """Everything awaited through one client."""

    def __init__(self, *, policy: PollPolicy, governor: Governor, owner: TaskOwner) -> None:
        self.policy = policy
        self.looks = 0
        self.waiting = 0
        self._governor = governor
        self._owner = owner
        self._all: WeakValueDictionary[tuple[str, ...], Watched] = WeakValueDictionary()
        self._active: dict[Watched, None] = {}
        self._kinds: Counter[str] = Counter()
        self._due: list[tuple[float, int, Watched]] = []
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._gone = 0
        self._sequence = itertools.count()
        self._looking = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._bug: BaseException | None = None
        self._closed = False

    def watched(self, subject: Subject) -> Watched:
        """The state of `subject`, shared by all that have the same key. The caller must hold on to it."""
        found = self._all.get(subject.key)
        if found is None:
            found = self._all[subject.key] = Watched(subject)
        return found

    def join(
        self, watched: Watched, until: Callable[[Watched], bool], on_done: Callable[[Waiter], None], *, timeout: float | None = None
    ) -> Waiter:
        """Wait for `until`; `on_done(waiter)` is called once, unless `leave` comes first. When it is true already: before this returns."""
        waiter = Waiter(watched, until, on_done, timeout)
        now = asyncio.get_running_loop().time()
        if self._closed:
            self._finish(waiter, watched.subject.closed(), joined=False)
        elif not self._settled(waiter, joined=False):
            self._enlist(waiter, now)
        return waiter

    async def wait(self, watched: Watched, until: Callable[[Watched], bool], *, timeout: float | None = None) -> None:
        """Return when `until` is true; raises what it raises, the subject's errors, and the subject's timeout error.

        Cancelling this wait disturbs no other.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = self.join(watched, until, lambda _: None if future.done() else future.set_result(None), timeout=timeout)
        try:
            await future
        finally:
            self.leave(waiter)
            await self.rest()
        if waiter.error is not None:
            # One error may end many waits: each starts a traceback of its own.
            raise waiter.error.with_traceback(None)

    def leave(self, waiter: Waiter) -> None:
        """Stop waiting; a waiter that is done has left already."""
        if not waiter.done:
            waiter.done = True
            self._drop(waiter)

    def hasten(self, watched: Watched) -> None:
        """Look soon, and often for a while: a command was just given, so its age starts anew."""
        watched.since = asyncio.get_running_loop().time()
        if watched.due > watched.since + self.policy.min_interval:
            self._schedule(watched, watched.since + self.policy.min_interval)
            self._wake.set()

    def look_soon(self, watched: Watched) -> None:
        """Somebody asks anew: look as soon as `min_interval` after the last look, and go on in the usual rhythm after that.

        Not while it fails: the pause between failed looks is there for the API's sake.
        """
        now = asyncio.get_running_loop().time()
        due = max(now, watched.looked_at + self.policy.min_interval)
        if watched.due > due and watched.failure is None:
            self._schedule(watched, due)
            self._wake.set()

    async def rest(self) -> None:
        """If nobody waits, end the loop and return when it has ended."""
        if not self.waiting and self._task is not None:
            task, self._task = self._task, None
            await end(task)

    async def aclose(self) -> None:
        """Every wait ends with the subject's closed error; no later one starts."""
        self._closed = True
        for watched in list(self._active):
            for waiter in list(watched.waiters):
                self._finish(waiter, watched.subject.closed())
        await self.rest()

    def _enlist(self, waiter: Waiter, now: float) -> None:
        watched = waiter.watched
        if waiter.timeout is not None and waiter.timeout != float("inf"):
            waiter.deadline = now + max(0.0, waiter.timeout)
            heapq.heappush(self._deadlines, (waiter.deadline, next(self._sequence), waiter))
        watched.waiters.append(waiter)
        self.waiting += 1
        if watched not in self._active:
            self._active[watched] = None
            if now > watched.due + self.policy.max_interval:
                watched.failures = 0  # nobody looked meanwhile: that time was not spent unreachable
            self._kinds[watched.subject.key[0]] += 1
            if watched.since is None:
                watched.since = now if watched.triggered_at is None else watched.triggered_at
                just = watched.triggered_at is not None and now - watched.triggered_at < self.policy.min_interval
                watched.due = now + first_look(self.policy, just_triggered=just, rate=self._governor.spare_rate())
            self._schedule(watched, max(watched.due, now))
        if self._task is None:
            self._task = self._owner.start(self._run(), name="watcher")
        else:
            self._start_looks(now)  # from here: for a run that ends at its first look, waking the loop would cost as much as the look
            if self._due or waiter.timeout is not None:
                self._wake.set()

    def _drop(self, waiter: Waiter) -> None:
        watched = waiter.watched
        watched.waiters.remove(waiter)
        self.waiting -= 1
        self._forget_deadlines(waiter)
        if not watched.waiters:
            del self._active[watched]
            self._kinds[watched.subject.key[0]] -= 1
        if not self.waiting:
            self._due.clear()
            self._deadlines.clear()
            self._gone = 0
            self._wake.set()

    def _forget_deadlines(self, waiter: Waiter) -> None:
        """Deadlines of waiters that are gone stay in the heap until they are the majority: else a long timeout would hold on to its run."""
        self._gone += waiter.deadline != float("inf")
        if self._gone > MOST_GONE and self._gone > len(self._deadlines) // 2:
            self._deadlines = [entry for entry in self._deadlines if not entry[2].done]
            heapq.heapify(self._deadlines)
            self._gone = 0

    def _schedule(self, watched: Watched, due: float) -> None:
        """Look at `due`; when nobody waits for it, that is only the earliest time for the next one who does."""
        watched.due = due
        if watched in self._active:
            watched.scheduled = True
            heapq.heappush(self._due, (due, next(self._sequence), watched))

    async def _run(self) -> None:
        try:
            try:
                while self.waiting:  # again when somebody joined while the last looks were being ended
                    await self._loop()
                    await end(*self._under_way)
            finally:
                await end(*self._under_way)
        except Exception as error:  # noqa: BLE001 - a bug of ours, whatever it is: nobody may hang because of it
            self._fail_all(error)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    async def _loop(self) -> None:
        while self.waiting:
            if self._bug is not None:
                bug, self._bug = self._bug, None
                raise bug
            self._wake.clear()
            now = asyncio.get_running_loop().time()
            self._expire(now)
            self._start_looks(now)
            # A bare timer, not a cancel scope: this turns once for every look that ends.
            moment = self._next_moment()
            timer = None if moment == float("inf") else asyncio.get_running_loop().call_at(moment, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                if timer is not None:
                    timer.cancel()

    def _start_looks(self, now: float) -> None:
        while self._due and self._due[0][0] <= now and self._looking < MAX_LOOKS:
            due, _, watched = heapq.heappop(self._due)
            if due != watched.due or not watched.scheduled or watched not in self._active:
                continue  # an older entry of something that was scheduled anew or left
            watched.scheduled = False
            if watched.looking:
                continue  # that look schedules the next one when it ends
            watched.looking, watched.sent = True, False
            self._looking += 1
            # Not in a task group: each look is a task of its own, and a group's bookkeeping costs as much as the rest of the look's start.
            self._under_way.add(self._owner.start(self._look(watched), name="look", ended=self._look_ended))

    def _look_ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._bug = task.exception()
            self._wake.set()

    async def _look(self, watched: Watched) -> None:
        now = asyncio.get_running_loop().time
        try:
            watched.goes_out(now())
            self.looks += 1
            try:
                self._saw(watched, await watched.subject.look(watched.sending))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is judged and reaches this thing's waiters, and no others
                self._failed(watched, error)
        finally:
            watched.looking = False
            self._looking -= 1
            if watched in self._active and not watched.scheduled:
                # This look was cancelled with the loop of earlier waiters, and somebody has joined since.
                self._schedule(watched, now())
            if self._due or watched.waiters:
                self._wake.set()

    def _saw(self, watched: Watched, sighting: Sighting) -> None:
        now = watched.looked_at = asyncio.get_running_loop().time()
        watched.answered = watched.asks
        before = watched.last
        if watched.saw(sighting):
            watched.subject.tell_change(watched, before)
        for waiter in list(watched.waiters):
            if not self._settled(waiter) and waiter.closing:
                self._finish(waiter, watched.subject.timed_out(watched, waiter.timeout or 0.0))
        if sighting.ends and not watched.waiters:
            return  # nothing can change any more, and whoever joins sees it
        age = now - (now if watched.since is None else watched.since)
        load = load_of(len(self._active), self._governor.spare_rate())
        wait = watched.subject.interval(self.policy, age=age, load=load, alike=self._kinds[watched.subject.key[0]])
        self._schedule(watched, now + wait)

    def _failed(self, watched: Watched, error: Exception) -> None:
        now = watched.looked_at = asyncio.get_running_loop().time()
        paused = self._governor.paused_seconds
        if not watched.failures:
            watched.failed_since, watched.paused_then = now, paused
        watched.failures += 1
        watched.failure = error
        since_trigger = None if watched.triggered_at is None else now - watched.triggered_at
        unreadable = now - watched.failed_since - (paused - watched.paused_then)
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
        watched.failures = 0  # a later wait starts its own count
        watched.due = now + self.policy.min_interval
        for waiter in list(watched.waiters):
            self._finish(waiter, end_with)

    def _expire(self, now: float) -> None:
        while self._deadlines and self._deadlines[0][0] <= now:
            _, _, waiter = heapq.heappop(self._deadlines)
            if waiter.done:
                continue
            watched = waiter.watched
            fresh = now - watched.looked_at < self.policy.min_interval and not watched.looking
            given_up = (waiter.closing == 1 and not watched.sent) or waiter.closing == 2
            if given_up or (not waiter.closing and fresh):
                self._finish(waiter, watched.subject.timed_out(watched, waiter.timeout or 0.0))
                continue
            if not waiter.closing and not watched.looking:
                self._schedule(watched, NEVER)
            waiter.closing += 1
            until = waiter.deadline + (LAST_LOOK_GRANT if waiter.closing == 1 else LAST_LOOK_ANSWER)
            heapq.heappush(self._deadlines, (until, next(self._sequence), waiter))

    def _next_moment(self) -> float:
        due = self._due[0][0] if self._due and self._looking < MAX_LOOKS else float("inf")
        deadline = self._deadlines[0][0] if self._deadlines else float("inf")
        return min(due, deadline)

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

    def _fail_all(self, error: BaseException) -> None:
        for watched in list(self._active):
            for waiter in list(watched.waiters):
                self._finish(waiter, error)
