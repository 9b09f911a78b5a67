"""Whether a pipeline is restarted once more, and how soon: a pure ledger of what was tried; it reads no clock and starts nothing.

    accepted restarts in the last `within` seconds    verdict at the next drop
    fewer than `max_restarts`                         restart after full jitter over min(cap, base * 2 ** n)
    `max_restarts`                                    give up

n: those accepted restarts, and the tries since the last of them that were refused. After such a try the delay is stretched
when more than RETRIERS pipelines are in that state: an agent that is down must not turn hundreds of pipelines against the budget. With a
cap of 60 s they then send about one START a second together.

The first start of a pipeline is no restart. One without a usable answer counts as accepted when it may have been one, which
`transitions.py` decides. FLAPS drops in the same seconds are flapping, which is told once, until it has calmed down to one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from attrs import define, field

from maia_async.backoffs import jittered
from maia_async.policies import RestartPolicy

FLAPS: Final = 3
RETRIERS: Final = 30
MOST_DOUBLINGS: Final = 64


@define(eq=False)
class Restarts:
    """What was tried with one pipeline. Times are seconds of one clock, handed in; they never go back."""

    policy: RestartPolicy
    waits: Callable[[float, float], Iterator[float]] = jittered
    tries: int = 0
    _accepted: deque[float] = field(factory=deque)
    _drops: deque[float] = field(factory=deque)
    _flapping: bool = False

    def count(self, now: float) -> int:
        """Restarts accepted in the last `within` seconds."""
        # A restart exactly `within` ago still counts: no window may hold more than `max_restarts`, its two ends included.
        return _recent(self._accepted, now - self.policy.within)

    def attempt(self, now: float) -> int:
        """The number of the next try; 1 is the first in these seconds."""
        return self.count(now) + self.tries + 1

    def may_restart(self, now: float) -> bool:
        """The table above; False: give up."""
        return self.count(now) < self.policy.max_restarts

    def delay(self, now: float, *, retriers: int = 1) -> float:
        """Seconds until the next try; `retriers` pipelines, this one included, had their last START refused or lost."""
        number = min(self.count(now) + self.tries, MOST_DOUBLINGS)
        wait = next(islice(self.waits(self.policy.base, self.policy.cap), number, None))
        return wait * max(1.0, retriers / RETRIERS) if self.tries else wait

    def accepted(self, now: float) -> None:
        """A restart was accepted."""
        self.tries = 0
        self._accepted.append(now)

    def failed(self) -> None:
        """A try was refused, or as good as that."""
        self.tries += 1

    def runs(self) -> None:
        """The pipeline was seen running."""
        self.tries = 0

    def dropped(self, now: float) -> int:
        """A drop; the number of drops in these seconds when that begins to be flapping, else 0."""
        if _recent(self._drops, now - self.policy.within) < FLAPS - 1:
            self._flapping = False  # one less than FLAPS would tell a steady flapper anew at each drop
        self._drops.append(now)
        if len(self._drops) < FLAPS or self._flapping:
            return 0
        self._flapping = True
        return len(self._drops)


def _recent(times: deque[float], since: float) -> int:
    while times and times[0] < since:
        times.popleft()
    return len(times)
