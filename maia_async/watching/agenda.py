"""When each thing is to be read itself, and who goes first when more are due than may be read: plain state; it reads nothing.

is due                                                   goes
for a last look after its deadline                       first
and got a command lately: somebody waits for its effect  next, but for every second turn when others are due, too
any other                                                then, the one that has been due for longest first

Without the second row a command's effect would be read after hundreds of calm things, which a busy account keeps waiting for a minute.
Without the exception to it, a fleet that is restarted again and again would never let the others be read.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Final

from maia_async.watching.watched import NEVER, Watched

BATCH: Final = 200
AT_ONCE: Final = 2  # batches that are looked through in one turn of the loop


class Agenda:
    """The own reads to come. A thing that is put in anew leaves its older entries behind, which count for nothing."""

    def __init__(self) -> None:
        self._fresh: list[tuple[float, int, Watched | list[Watched]]] = []
        self._calm: list[tuple[float, int, Watched | list[Watched]]] = []
        self._batches: dict[float, list[Watched]] = {}
        self._sequence = itertools.count()
        self._others_turn = False

    def put(self, watched: Watched, due: float, *, fresh: bool) -> None:
        """Read it at `due`. fresh: it got a command lately."""
        watched.due, watched.scheduled = due, True
        heapq.heappush(self._fresh if fresh else self._calm, (due, next(self._sequence), watched))

    def put_off(self, watched: Watched, due: float, grain: float) -> None:
        """Think of it again at the first multiple of `grain` from `due` on, together with many others.

        An entry of its own for each of a hundred thousand would take as much memory as half of what is known of it.
        """
        due = math.ceil(due / grain) * grain
        batch = self._batches.get(due)
        if batch is None or len(batch) >= BATCH:
            batch = self._batches[due] = []
            heapq.heappush(self._calm, (due, next(self._sequence), batch))
        batch.append(watched)
        due = batch[0].due if batch[0].due == due else due  # one float for all of them
        watched.due, watched.scheduled, watched.reckoned = due, True, False

    def next(self) -> float:
        """When something is due next; inf when nothing is."""
        calm = self._calm[0][0] if self._calm else math.inf
        return min(calm, self._fresh[0][0]) if self._fresh else calm

    def take(self, now: float) -> Watched | None:
        """The one that goes next, which is put in no more; None when nothing is due at `now`."""
        split = 0
        while split < AT_ONCE and (queue := self._next_queue(now)) is not None:
            due, _, found = heapq.heappop(queue)
            if isinstance(found, list):
                split += 1
                self._split(due, found)
            elif found.due == due and found.scheduled and found.waiters:
                found.scheduled = False
                self._others_turn = queue is self._fresh
                return found
        return None

    def _split(self, due: float, batch: list[Watched]) -> None:
        if self._batches.get(due) is batch:
            del self._batches[due]
        for watched in batch:
            if watched.due == due and watched.scheduled and watched.waiters:
                heapq.heappush(self._calm, (due, next(self._sequence), watched))

    def clear(self) -> None:
        """Nobody waits."""
        self._fresh.clear()
        self._calm.clear()
        self._batches.clear()

    def _next_queue(self, now: float) -> list[tuple[float, int, Watched | list[Watched]]] | None:
        calm = self._is_due(self._calm, now)
        if calm and self._calm[0][0] == NEVER:
            return self._calm
        if self._is_due(self._fresh, now) and not (calm and self._others_turn):
            return self._fresh
        return self._calm if calm else None

    @staticmethod
    def _is_due(queue: list[tuple[float, int, Watched | list[Watched]]], now: float) -> bool:
        return bool(queue) and queue[0][0] <= now
