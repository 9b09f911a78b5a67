"""What a read of a streaming pipeline means for one who waits for a state; pure decisions, and the one loop of `ensure_*` around them.

Waiting for `wanted`, at a read that shows `observed`; `ran`: STARTING, SNAPSHOTTING or STREAMING was seen since this wait began; `late`:
the read is later than `start_grace` after the last START of ours, or after the beginning of the wait when there was none:

    wanted             observed                          ran   late  meaning
    any                one of the wanted                 -     -     ARRIVED
    has STREAMING      NOT_RUNNING                       yes   -     STOPPED    it ran and does no more
    has STREAMING      NOT_RUNNING                       no    no    GOING_ON   not started yet
    has STREAMING      NOT_RUNNING                       no    yes   STOPPED    it never started
    has STREAMING      STOPPING, after running           yes   -     STOPPED
    any                anything else, UNKNOWN included   -     -     GOING_ON

`ensure_*`, at a state read now:

    ensure     STARTING, SNAPSHOTTING   STREAMING   STOPPING          NOT_RUNNING   UNKNOWN, unseen words
    streaming  wait                     done        wait for its end  START, wait   wait until it is told
    stopped    STOP, wait               STOP, wait  wait              done          wait until it is told
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Final

import anyio
from attrs import define, frozen

from maia_async.errors import Conflict, StreamingStopped
from maia_async.models.streaming import StreamingState
from maia_async.watching.watched import Watched

if TYPE_CHECKING:
    from maia_async.resources.streaming import StreamingPipeline


@frozen(slots=True)
class Sight:
    """What one status read showed, and when (our wall clock)."""

    word: StreamingState
    at: datetime
    ends: bool = False

    @property
    def value(self) -> StreamingState:
        """The state."""
        return self.word

    def differs(self, other: Sight) -> bool:
        """Whether it is another state."""
        return self.word != other.word


MOST_CONFLICTS: Final = 10


class Meaning(Enum):
    """What a read means for one who waits."""

    ARRIVED = "arrived"
    GOING_ON = "going on"
    STOPPED = "stopped"


def meaning(wanted: frozenset[StreamingState], observed: StreamingState, *, ran: bool, late: bool) -> Meaning:
    """Decide from the table of this module."""
    if observed in wanted:
        return Meaning.ARRIVED
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


def next_step(desired: StreamingState, observed: StreamingState) -> Next:
    """Decide from the second table of this module."""
    if observed is desired:
        return Next.DONE
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
    _wanted: frozenset[StreamingState]
    _now: Callable[[], float]
    _ran: bool = False
    start_grace: float = 60.0
    state: StreamingState = StreamingState.UNKNOWN
    _began: float = 0.0

    def __attrs_post_init__(self) -> None:
        self._began = self._now()

    def __call__(self, watched: Watched) -> bool:
        """Raises StreamingStopped."""
        if watched.last is None or watched.looked_at < self._began:
            return False  # what an earlier wait saw is no news
        self.state = watched.last.word
        since = watched.since if watched.command == "START" and watched.since is not None else self._began
        found = meaning(self._wanted, self.state, ran=self._ran, late=watched.looked_at - since > self.start_grace)
        if found is Meaning.STOPPED:
            seen = timeline(watched)
            path = " -> ".join(word.value for word, _ in seen)
            text = f"streaming pipeline {self._pipeline.id} stopped on its way to STREAMING: {path}"
            raise StreamingStopped(text, pipeline=self._pipeline, timeline=seen)
        self._ran = self._ran or self.state.is_running
        return found is Meaning.ARRIVED


def timeline(watched: Watched) -> tuple[tuple[StreamingState, datetime], ...]:
    """The states seen, each with the time when it was first seen in a row."""
    return tuple((sight.word, sight.at) for _, sight in watched.changes() if isinstance(sight, Sight))


async def ensured(pipeline: StreamingPipeline, desired: StreamingState, timeout: float | None) -> None:
    """Bring a pipeline into `desired`; a 409 means: look again, then decide. Raises WaitTimeout with the timeline."""
    deadline = float("inf") if timeout is None else anyio.current_time() + timeout
    with anyio.CancelScope(deadline=deadline) as scope:
        await _bring(pipeline, desired)
    if scope.cancelled_caught:
        raise pipeline.watched.subject.timed_out(pipeline.watched, timeout or 0.0)


async def _bring(pipeline: StreamingPipeline, desired: StreamingState) -> None:
    conflicts = 0
    while True:
        observed = await pipeline.status()
        step = next_step(desired, observed)
        if step is Next.DONE:
            return
        if step is Next.WAIT_FOR_CHANGE:
            await pipeline.wait_for(*(state.value for state in StreamingState if state is not observed))
            continue
        try:
            if step is Next.START:
                await pipeline.start()
            elif step is Next.STOP:
                await pipeline.stop()
        except Conflict:
            conflicts += 1
            if conflicts == MOST_CONFLICTS:
                raise  # the API goes on refusing what its own status calls for
            await anyio.sleep(pipeline.pause)
            continue
        await pipeline.arrive(frozenset({desired}), ran=observed.is_running and step is Next.WAIT)
        return
