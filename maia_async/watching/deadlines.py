"""The deadlines of all waits in one heap, and what follows when one has come: plain state and one pure decision; no task and no timer.

at the deadline                                   then
the last look is younger than min_interval        give up at once
a look is under way                               join it
looks fail, and this wait lay wholly inside the   give up at once: whoever loops over short waits keeps to the pause, too
  pause after the last one
otherwise                                         look now, before everything else
2 s later, and no request has gone out            give up: the budget does not grant it
5 s later                                         give up: no answer in time
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import Final

from maia_async.watching.watched import Waiter

LAST_LOOK_GRANT: Final = 2.0
LAST_LOOK_ANSWER: Final = 5.0
MOST_GONE: Final = 100
AT_ONCE: Final = 500  # waits that end in one turn of the loop: ten thousand with one deadline must not stop it


def after_deadline(waiter: Waiter, *, fresh: bool) -> float | None:
    """Seconds after the deadline at which to ask again, or None to give up. `fresh`: the last look will do (`Watched.is_fresh`)."""
    given_up = (waiter.closing == 1 and not waiter.watched.sent) or waiter.closing == 2
    if given_up or (not waiter.closing and fresh):
        return None
    return LAST_LOOK_ANSWER if waiter.closing else LAST_LOOK_GRANT


class Deadlines:
    """When whose time is over."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Waiter]] = []
        self._gone = 0
        self._sequence = itertools.count()

    def add(self, waiter: Waiter, at: float) -> None:
        """Tell of it at that time."""
        heapq.heappush(self._heap, (at, next(self._sequence), waiter))

    def next(self) -> float:
        """The next time; inf without one."""
        return self._heap[0][0] if self._heap else float("inf")

    def expired(self, now: float) -> Iterator[Waiter]:
        """Those whose time has come, at most AT_ONCE of them."""
        for _ in range(AT_ONCE):
            if not self._heap or self._heap[0][0] > now:
                return
            waiter = heapq.heappop(self._heap)[2]
            if not waiter.done:
                yield waiter

    def gone(self, waiter: Waiter) -> None:
        """It waits no more. Such stay in the heap until they are the majority: else a long timeout would hold on to its run."""
        self._gone += waiter.deadline != float("inf")
        if self._gone > MOST_GONE and self._gone > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if not entry[2].done]
            heapq.heapify(self._heap)
            self._gone = 0

    def clear(self) -> None:
        """Nobody waits."""
        self._heap.clear()
        self._gone = 0
