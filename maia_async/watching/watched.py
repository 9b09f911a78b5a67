"""What the watcher knows of one awaited thing, and who waits for it: plain state, no I/O and no clock.

A `Subject` says how the thing is read and what a failed read means for it; `Sighting` is what a read showed. The watcher is the only
one that changes a `Watched`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from attrs import define

from maia_async.policies import PollPolicy

MOST_CHANGES: Final = 64
NEVER: Final = float("-inf")


class Sighting(Protocol):
    """What one read showed."""

    @property
    def word(self) -> Any:
        """The state in the API's word (an open enum)."""

    @property
    def ends(self) -> bool:
        """Whether nothing can change any more."""

    def value(self, watched: Watched) -> Any:
        """The whole value of the thing that it shows, decoded on demand."""

    def differs(self, other: Any) -> bool:
        """Whether anything in it differs from another sighting."""

    def place(self) -> tuple[int | None, tuple[str, str] | None]:
        """The second of the start, and the names of pipeline and environment, as far as it tells them."""


class Subject(Protocol):
    """A kind of thing that can be awaited."""

    @property
    def key(self) -> tuple[str, ...]:
        """Kind, project and id: the same key is the same thing."""

    async def look(self, in_doubt: Callable[[bool], None]) -> Sighting:
        """Read it once, without retries: the watcher's own rhythm is the retry. `in_doubt(True)` when the request goes out."""

    def interval(self, policy: PollPolicy, *, age: float, load: float, alike: int) -> float:
        """Seconds until the next look; `alike` is how many things of its kind are watched (see `pace.py`)."""

    def ended_by(self, error: Exception, *, since_trigger: float | None) -> bool:
        """Whether a failed read ends the wait, `since_trigger` seconds after our own trigger (None: not triggered by us)."""

    def unavailable(self, watched: Watched, seconds: float) -> Exception:
        """The error for having been unreadable for `seconds`."""

    def timed_out(self, watched: Watched, timeout: float) -> Exception:
        """The error for a deadline of ours."""

    @property
    def listed_in(self) -> str | None:
        """The project in whose list of executions it stands; None: in no list."""

    def listed(self, row: Any) -> Sighting | None:
        """What a list row shows; None when it does not fit."""

    def tell_change(self, watched: Watched, before: Sighting | None) -> None:
        """Something changed since `before`: whoever wants to know is told."""

    def closed(self) -> Exception:
        """The error for a client that was closed under the wait."""


@define(eq=False, slots=True, weakref_slot=False)
class Waiter:
    """Somebody who waits: `until` looks at the state after every read and says whether that is it (or raises); `on_done` is told once."""

    watched: Watched
    until: Callable[[Watched], bool]
    on_done: Callable[[Waiter], None]
    timeout: float | None = None
    future: asyncio.Future[None] | None = None  # what `wake` wakes
    deadline: float = float("inf")
    closing: int = 0  # 0 waiting, 1 past the deadline and in want of a last look, 2 that look was sent
    done: bool = False
    error: BaseException | None = None

    def check(self) -> None:
        """Raise what ended the wait, if that was an error."""
        if self.error is not None:
            # One error may end many waits: each starts a traceback of its own.
            raise self.error.with_traceback(None)


def wake(waiter: Waiter) -> None:
    """For `on_done`: whoever awaits its future goes on. A closure for each wait would cost more than the wait."""
    if waiter.future is not None and not waiter.future.done():
        waiter.future.set_result(None)


@define(eq=False, slots=True, weakref_slot=False)
class Trouble:
    """Looks at a thing fail, one after the other."""

    since: float
    paused_then: float  # our own pauses up to then
    failures: int = 0
    error: Exception | None = None


@define(eq=False, slots=True, weakref_slot=True)
class Watched:
    """One awaited thing. Shared by every handle of the same id, so that awaiting twice costs no extra polling."""

    subject: Subject
    triggered_at: float | None = None
    since: float | None = None  # what its age counts from: our trigger, the first wait, or the last command
    looked_at: float = NEVER
    asks: int = 0  # looks that went out; `answered` is the number of the last one that came back
    answered: int = 0
    commanded: int = 0  # `asks` when our last command ended: what looks up to that one show may be older than the command
    asked_at: float = NEVER  # when the look went out that is under way, or else was the last: what it shows may be as old as that
    due: float = NEVER
    scheduled: bool = False
    reckoned: bool = False  # `due` is when to think again about when it is due
    looking: bool = False
    sent: bool = False
    trouble: Trouble | None = None  # its looks fail
    last: Sighting | None = None
    version: int = 0
    start: int | None = None  # the second of its start, in API time
    names: tuple[str, str] | None = None  # pipeline and environment
    listed_at: float = NEVER  # when a list last showed it
    stray: bool = False  # lists do not show it: it is read itself
    waiters: tuple[Waiter, ...] = ()
    _changes: deque[tuple[int, Sighting]] | None = None

    def rested(self, now: float, longest: float) -> None:
        """Somebody waits for it again. Where nobody looked for `longest`, that time was not spent unreachable."""
        if now > self.due + longest:
            self.counts_anew()

    def begins(self, now: float, soon: float) -> bool:
        """Somebody waits for it for the first time; returns whether our own trigger was less than `soon` seconds ago."""
        self.since = now if self.triggered_at is None else self.triggered_at
        return self.triggered_at is not None and now - self.triggered_at < soon

    def is_fresh(self, waiter: Waiter, now: float, soon: float) -> bool:
        """Whether a wait whose time is over needs no last look: the table in `deadlines.py`."""
        if self.looking:
            return False
        young = now - self.looked_at < soon
        between = self.failure is not None and now < self.due and self.looked_at < waiter.deadline - (waiter.timeout or 0.0)
        return young or between

    def goes_out(self, now: float) -> None:
        """A look begins, or its request leaves."""
        self.asked_at = now
        self.asks += 1

    def sending(self, sent: bool) -> None:
        """Told by the exchange before and after each attempt: the wait for a slot is over."""
        if sent:
            self.sent = True
            self.goes_out(asyncio.get_running_loop().time())

    def saw(self, sighting: Sighting) -> bool:
        """Take a read's result; returns whether it differs from the one before."""
        self.trouble = None
        if self.last is not None and not sighting.differs(self.last):
            return False
        self.last = sighting
        self.version += 1
        if self._changes is not None:
            self._changes.append((self.version, sighting))
        return True

    def failed(self, error: Exception, now: float, paused: float) -> float:
        """Note a failed look; returns for how many seconds looks have failed. `paused`: our own pauses so far, which do not count."""
        self.looked_at = now
        trouble = self.trouble
        if trouble is None or not trouble.failures:
            trouble = self.trouble = Trouble(now, paused)
        elif self.listed_at > trouble.since:  # a list has shown it meanwhile: that was a read, too
            trouble.since, trouble.paused_then = self.listed_at, paused
        trouble.failures += 1
        trouble.error = error
        return now - trouble.since - (paused - trouble.paused_then)

    def counts_anew(self) -> None:
        """A later wait starts its own count of failures; the last one stays known."""
        if self.trouble is not None:
            self.trouble.failures = 0

    @property
    def failures(self) -> int:
        """How many looks have failed in a row."""
        return 0 if self.trouble is None else self.trouble.failures

    @property
    def failure(self) -> Exception | None:
        """Why the last look failed; None when it did not."""
        return None if self.trouble is None else self.trouble.error

    @property
    def value(self) -> Any:
        """What the last read showed, as a whole value; None before the first."""
        return None if self.last is None else self.last.value(self)

    def keep_changes(self) -> None:
        """From now on remember the last changes, for somebody who iterates over them."""
        if self._changes is None:
            self._changes = deque(maxlen=MOST_CHANGES)
            if self.last is not None:
                self._changes.append((self.version, self.last))

    def changes(self) -> tuple[tuple[int, Sighting], ...]:
        """The remembered changes, oldest first, each with its version."""
        return tuple(self._changes or ())

    def change_after(self, version: int) -> tuple[int, Sighting] | None:
        """The oldest remembered change after `version`, with its own version."""
        for at, sighting in self._changes or ():
            if at > version:
                return at, sighting
        return None

    def ended(self) -> bool:
        """Whether the last read showed an end."""
        return self.last is not None and self.last.ends
