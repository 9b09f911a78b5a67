"""Which requests of a batch wait for their lane: the pipeline and environment in which a trigger must be settled first. It sends nothing.

a lane                                                        then
holds a trigger in doubt (`trigger/desk.py`)                  its requests are parked until that is settled
has as many unacknowledged triggers as it may, of a journal   they are parked until one is written down, or over: whoever's of this client
otherwise                                                     they go

Parked requests are no runs and no triggers under way: other lanes go on beside them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define, field

from maia_async.orchestration.batch.ledger import Live
from maia_async.orchestration.trigger import LaneKey, TriggerDesk, key_of

MOST_PARKED: Final = 1000  # requests read ahead of those that cannot go: more would be an input in memory


@define(eq=False)
class Lanes:
    """The lanes of one batch. `room` is set when a parked request may go; `limit`: unacknowledged triggers in each, for a journal.

    They are counted by the desk, since a kill ends all batches of a client: the runs that two of them leave cannot be told apart.
    """

    _project_id: str
    _desk: Callable[[], TriggerDesk]
    _room: asyncio.Event
    limit: float
    _parked: dict[LaneKey, deque[Live]] = field(factory=dict)
    _count: int = 0
    _awaited: set[LaneKey] = field(factory=set)

    @property
    def parked(self) -> int:
        """How many requests wait."""
        return self._count

    @property
    def full(self) -> bool:
        """Whether no more should be read ahead."""
        return self._count >= MOST_PARKED

    def parks(self, live: Live) -> bool:
        """Whether this request has to wait; then it does, from now on."""
        key = key_of(self._project_id, live.request)
        if self._open(key):
            return False
        self._parked.setdefault(key, deque()).append(live)
        self._count += 1
        live.parked = True
        self._await(key)
        return True

    def enter(self, live: Live) -> None:
        """Its trigger is unacknowledged from now on."""
        if self.limit < float("inf") and live.lane is None:
            live.lane = key_of(self._project_id, live.request)
            self._desk().announced(live.lane)

    def leave(self, live: Live) -> None:
        """It is acknowledged, or will not be sent."""
        key, live.lane = live.lane, None
        if key is not None:
            self._desk().acknowledged(key)

    def next(self) -> Live | None:
        """A parked request that may go now, which is parked no more."""
        for key in list(self._parked):
            queue = self._parked[key]
            while queue and not queue[0].parked:
                queue.popleft()
            if not queue:
                del self._parked[key]
            elif self._open(key):
                live = queue.popleft()
                del self._parked[key]
                if queue:
                    self._parked[key] = queue  # at the end: the other lanes go first
                self.take_back(live)
                return live
            else:
                self._await(key)
        return None

    def take_back(self, live: Live) -> bool:
        """It waits no more; returns whether it did."""
        found, live.parked = live.parked, False
        self._count -= found
        return found

    def _open(self, key: LaneKey) -> bool:
        return self._desk().has_room(key, self.limit)

    def _await(self, key: LaneKey) -> None:
        """Have `room` set when this lane, which is not open, may be."""
        if key not in self._awaited:
            self._awaited.add(key)

            def eased() -> None:
                self._awaited.discard(key)
                self._room.set()

            self._desk().on_ease(key, eased)
