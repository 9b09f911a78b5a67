"""What a supervisor does later, for all its pipelines in one heap: at most one moment for each pipeline and purpose. It runs nothing."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from maia_async.orchestration.supervision.charge import Charge


class Alarm(Enum):
    """What for."""

    START = "send START"
    JOIN = "read it again"
    TELL = "tell that it cannot be read"


@define(eq=False)
class Alarms:
    """The moments. `charge.alarms` says which of them count: an entry that is not in there was taken back."""

    _heap: list[tuple[float, int, Charge, Alarm]] = field(factory=list)
    _sequence: itertools.count[int] = field(factory=itertools.count)

    def set(self, charge: Charge, alarm: Alarm, at: float) -> None:
        """Instead of the former moment for this purpose, if there is one."""
        charge.alarms[alarm] = at
        heapq.heappush(self._heap, (at, next(self._sequence), charge, alarm))

    def due(self, now: float) -> Iterator[tuple[Charge, Alarm]]:
        """What is to be done by now; each is told once."""
        while self._heap and self._heap[0][0] <= now:
            at, _, charge, alarm = heapq.heappop(self._heap)
            if charge.alarms.get(alarm) == at:
                del charge.alarms[alarm]
                yield charge, alarm

    def next(self) -> float:
        """When to ask again."""
        return self._heap[0][0] if self._heap else float("inf")
