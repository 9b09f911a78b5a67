"""What a read of a streaming pipeline means for one who waits for a state; pure decisions, and the one loop of `ensure_*` around them.

Waiting for `wanted`, at a read that shows `observed`; `ran`: STARTING, SNAPSHOTTING or STREAMING was seen since this wait began; `late`:
the read went out later than `start_grace` after our last command there (START, or STOP when the wait `stops` the pipeline) ended, or after
the beginning of the wait when there was none. A read is news when it is younger than `min_interval` at the beginning of the wait and went
out after our last command:

    wanted             observed                          ran   late  meaning
    any                one of the wanted                 -     -     ARRIVED
    any, and it stops  STARTING, SNAPSHOTTING, STREAMING -     yes   IGNORED    our STOP had no effect
    has STREAMING      NOT_RUNNING                       yes   -     STOPPED    it ran and does no more
    has STREAMING      NOT_RUNNING                       no    no    GOING_ON   not started yet
    has STREAMING      NOT_RUNNING                       no    yes   STOPPED    it never started
    has STREAMING      STOPPING, after running           yes   -     STOPPED
    any                anything else, UNKNOWN included   -     -     GOING_ON

`ensure_*`, at a state read now:

    ensure     STARTING, SNAPSHOTTING   STREAMING   STOPPING          NOT_RUNNING   UNKNOWN, unseen words
    streaming  wait                     done        wait for its end  START, wait   wait until it is told
    stopped    STOP, wait               STOP, wait  wait              done *        wait until it is told

    * but STOP, wait while a START of ours may still show NOT_RUNNING (`orders.py`). After IGNORED: look again, and STOP.

A 409 means that the read was late, or that somebody else was faster: read again, then decide. The API's status may lag behind (a START of
somebody else shows NOT_RUNNING for a while), so this goes on for `START_GRACE`, at growing distances. Reads are the watcher's, so they are
shared, in the timeline, and ridden out when they fail.
"""

from __future__ import annotations

import math
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Final

import anyio
from attrs import define, frozen

from maia_async.errors import ConfigurationError, Conflict, StreamingStopped, WaitTimeout
from maia_async.models.streaming import StreamingState
from maia_async.resources.orders import Orders
from maia_async.watching.watched import Watched

if TYPE_CHECKING:
    from maia_async.resources.streaming import StreamingPipeline


@frozen(slots=True)
class Sight:
    """What one status read showed, and when (our wall clock)."""

    word: StreamingState
    at: datetime
    ends: bool = False

    def value(self, _: Watched) -> StreamingState:
        """The state."""
        return self.word

    def place(self) -> tuple[None, None]:
        """Streams are in no list of executions."""
        return None, None

    def differs(self, other: Sight) -> bool:
        """Whether it is another state."""
        return self.word != other.word


START_GRACE: Final = 60.0
LONGEST_PAUSE: Final = 5  # between two refused commands, in min_intervals
KNOWN: Final = frozenset(StreamingState)


class Meaning(Enum):
    """What a read means for one who waits."""

    ARRIVED = "arrived"
    GOING_ON = "going on"
    STOPPED = "stopped"
    IGNORED = "ignored"


def meaning(wanted: frozenset[StreamingState], observed: StreamingState, *, ran: bool, late: bool, stops: bool = False) -> Meaning:
    """Decide from the table of this module."""
    if observed in wanted:
        return Meaning.ARRIVED
    if stops and late and observed.is_running:
        return Meaning.IGNORED
    if StreamingState.STREAMING in wanted:
        if observed is StreamingState.NOT_RUNNING and (ran or late):
            return Meaning.STOPPED
        if observed is StreamingState.STOPPING and ran:
            return Meaning.STOPPED
    return Meaning.GOING_ON


class Next(Enum):
    """What `ensure_*` does next."""

    DONE = "done"
    START = "START"
    STOP = "STOP"
    WAIT = "wait"
    WAIT_FOR_CHANGE = "wait for a change"


def next_step(desired: StreamingState, observed: StreamingState, *, start_pends: bool = False) -> Next:
    """Decide from the second table of this module."""
    if observed is desired:
        return Next.STOP if start_pends and desired is StreamingState.NOT_RUNNING else Next.DONE
    if not observed.is_known or observed is StreamingState.UNKNOWN:
        return Next.WAIT_FOR_CHANGE
    if desired is StreamingState.STREAMING:
        if observed is StreamingState.NOT_RUNNING:
            return Next.START
        return Next.WAIT_FOR_CHANGE if observed is StreamingState.STOPPING else Next.WAIT
    return Next.STOP if observed.is_running else Next.WAIT


@define(eq=False)
class Arrival:
    """The predicate of one wait: called after every read, it is true when one of the wanted states is there."""

    _pipeline: StreamingPipeline
    _wanted: frozenset[StreamingState] | None
    _began: float
    _ran: bool
    _orders: Orders
    start_grace: float = START_GRACE
    fresh: float = 1.0
    stops: bool = False
    state: StreamingState = StreamingState.UNKNOWN

    def __call__(self, watched: Watched) -> bool:
        """Raises StreamingStopped."""
        if watched.last is None or watched.failure is not None or watched.looked_at <= self._began - self.fresh:
            return False  # what an earlier wait saw is no news
        if watched.answered <= watched.commanded:
            return False  # it went out before our command
        self.state = watched.last.word
        if self._wanted is None:
            return True
        since = self._orders.last_end("STOP" if self.stops else "START")
        late = read_at(watched) - (self._began if since is None else since) > self.start_grace
        found = meaning(self._wanted, self.state, ran=self._ran, late=late, stops=self.stops)
        if found is Meaning.STOPPED:
            seen = timeline(watched)
            path = " -> ".join(word.value for word, _ in seen)
            text = f"streaming pipeline {self._pipeline.id} stopped on its way to STREAMING: {path}"
            raise StreamingStopped(text, pipeline=self._pipeline, timeline=seen)
        self._ran = self._ran or self.state.is_running
        return found in {Meaning.ARRIVED, Meaning.IGNORED}


def read_at(watched: Watched) -> float:
    """When the last read went out; while the next one is under way, at the latest when the last one came back."""
    return min(watched.asked_at, watched.looked_at)


def timeline(watched: Watched) -> tuple[tuple[StreamingState, datetime], ...]:
    """The states seen, each with the time when it was first seen in a row."""
    return tuple((sight.word, sight.at) for _, sight in watched.changes() if isinstance(sight, Sight))


def check_seconds(**values: float | None) -> None:
    """Raise ConfigurationError for what is neither None nor a number of seconds."""
    for name, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0):
            raise ConfigurationError(f"{name} must be None or a number of seconds, at least 0, is {value!r}")


async def ensured(pipeline: StreamingPipeline, desired: StreamingState, timeout: float | None, start_grace: float = START_GRACE) -> None:
    """Bring a pipeline into `desired` as the second table of this module says. Raises WaitTimeout with the timeline."""
    check_seconds(timeout=timeout, start_grace=start_grace)
    deadline = math.inf if timeout is None else anyio.current_time() + timeout
    try:
        await _bring(pipeline, desired, deadline, start_grace)
    except WaitTimeout:
        expired = pipeline.watched.subject.timed_out(pipeline.watched, timeout or 0.0)  # of the whole, not of the last wait
    else:
        return
    raise expired


async def _bring(pipeline: StreamingPipeline, desired: StreamingState, deadline: float, grace: float) -> None:
    def left() -> float | None:
        return None if deadline == math.inf else max(0.0, deadline - anyio.current_time())

    async def there(*, ran: bool = False) -> bool:
        stops = desired is StreamingState.NOT_RUNNING
        return await pipeline.arrive(frozenset({desired}), ran=ran, timeout=left(), start_grace=grace, stops=stops) is desired

    conflicts, refused_since = 0, math.inf
    while True:
        observed = await pipeline.arrive(None, timeout=left())
        step = next_step(desired, observed, start_pends=pipeline.subject.orders.start_pends(read_at(pipeline.watched), grace=grace))
        if step is Next.DONE:
            return
        if step is Next.WAIT_FOR_CHANGE:
            await pipeline.arrive(KNOWN - {observed}, timeout=left())
            continue
        if step is Next.WAIT:
            if await there(ran=observed.is_running):
                return
            continue
        try:
            await _order(pipeline, step, deadline)
        except Conflict:
            conflicts, refused_since = conflicts + 1, min(refused_since, anyio.current_time())
            if anyio.current_time() - refused_since >= START_GRACE:
                raise  # the API goes on refusing what its own status calls for
            pause = pipeline.pause * min(conflicts, LONGEST_PAUSE)
            await anyio.sleep(pause if deadline == math.inf else min(pause, left() or 0.0))
        else:
            if await there():
                return


async def _order(pipeline: StreamingPipeline, step: Next, deadline: float) -> None:
    """The command, which is not waited for beyond `deadline`, and not sent after it."""
    if anyio.current_time() < deadline:
        with anyio.CancelScope(deadline=deadline):
            await (pipeline.start() if step is Next.START else pipeline.stop())
            return
    raise pipeline.watched.subject.timed_out(pipeline.watched, 0.0)
