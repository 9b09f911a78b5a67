"""What is to be looked at when: a heap of single things and of batches that were put off together. Plain state; it reads no clock."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Final

from maia_async.watching.watched import Watched

BATCH: Final = 200
AT_ONCE: Final = 5  # batches that are looked through in one turn of the loop


class Schedule:
    """Entries may be out of date: what counts is `due` and `scheduled` of the thing itself."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Watched | list[Watched]]] = []
        self._batches: dict[float, list[Watched]] = {}
        self._sequence = itertools.count()

    def put(self, watched: Watched, due: float) -> None:
        """Look at it at `due`."""
        watched.due, watched.scheduled = due, True
        heapq.heappush(self._heap, (due, next(self._sequence), watched))

    def put_off(self, watched: Watched, due: float, grain: float) -> None:
        """Look at it at the first multiple of `grain` from `due` on, together with many others.

        An entry of its own for each of a hundred thousand would take as much memory as half of what is known of it.
        """
        due = math.ceil(due / grain) * grain
        batch = self._batches.get(due)
        if batch is None or len(batch) >= BATCH:
            batch = self._batches[due] = []
            heapq.heappush(self._heap, (due, next(self._sequence), batch))
        batch.append(watched)
        watched.due, watched.scheduled = due, True

    def next(self) -> float:
        """When the next one is due; inf when there is none."""
        return self._heap[0][0] if self._heap else float("inf")

    def pop(self, now: float) -> Watched | None:
        """The next one that is due, or None. It is scheduled no more."""
        split = 0
        while self._heap and self._heap[0][0] <= now and split < AT_ONCE:
            due, _, found = heapq.heappop(self._heap)
            if isinstance(found, list):
                split += 1
                self._split(due, found)
            elif found.due == due and found.scheduled and found.waiters:
                found.scheduled = False
                return found
        return None

    def clear(self) -> None:
        """Nothing is to be looked at."""
        self._heap.clear()
        self._batches.clear()

    def _split(self, due: float, batch: list[Watched]) -> None:
        if self._batches.get(due) is batch:
            del self._batches[due]
        for watched in batch:
            if watched.due == due and watched.scheduled and watched.waiters:
                heapq.heappush(self._heap, (due, next(self._sequence), watched))
