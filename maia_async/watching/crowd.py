"""How many things share the reads, and so how often each is read: counts and the pace of one client's watcher. It sends nothing.

    a thing                              its load is what the budget allows for
    got a command in the last minute     twice those that got one: a fleet must not slow down the one that somebody waits for, nor may a
                                         fleet that is restarted for ever keep the others from being read
    any other                            everything that is read one by one
    is shown by lists                    nothing: it is not read itself

Own reads and lists share what polls can count on: each gets what the other does not ask for, lists never more than their part.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

from maia_async.governor import Governor
from maia_async.policies import PollPolicy
from maia_async.watching.pace import STREAM_FRESH, load_of
from maia_async.watching.sweeper import PART, Sweeper
from maia_async.watching.watched import Watched

RECKON: Final = 60.0  # min_intervals for which a long time until the next read holds
FRESH_PART: Final = 0.5  # of the own reads, for things that got a command
OWN_PACE: Final = 15.0  # seconds between two reads of one thing, taken as what own reads want of the budget


class Crowd:
    """Everything that is watched."""

    def __init__(self, policy: PollPolicy, governor: Governor, sweeper: Sweeper) -> None:
        self._policy = policy
        self._governor = governor
        self._sweeper = sweeper
        sweeper.own_rate = self.own_rate
        self._kinds: Counter[str] = Counter()
        self._fresh: dict[Watched, float] = {}  # when each got a command, oldest first

    def join(self, watched: Watched) -> None:
        """It is watched from now on."""
        self._kinds[watched.subject.key[0]] += 1

    def leave(self, watched: Watched) -> None:
        """It is watched no more."""
        self._kinds[watched.subject.key[0]] -= 1
        self._fresh.pop(watched, None)

    def hasten(self, watched: Watched, now: float) -> None:
        """It got a command."""
        self._fresh.pop(watched, None)
        self._fresh[watched] = now

    def is_fresh(self, watched: Watched) -> bool:
        """Whether it got a command lately."""
        return watched in self._fresh

    def own(self) -> int:
        """How many things are read one by one."""
        return self._kinds.total() - self._sweeper.swept_runs()

    def own_rate(self) -> float:
        """Requests a second that own reads want."""
        return min(self.own() / (OWN_PACE * self._policy.min_interval), self._governor.spare_rate())

    def next_look(self, watched: Watched, now: float) -> tuple[float, bool]:
        """When to read it next, and whether only to reckon anew then: the crowd that makes a time long may be gone by that time."""
        due = watched.looked_at + self.interval(watched, now)
        horizon = now + RECKON * self._policy.min_interval
        return min(due, horizon), due > horizon

    def interval(self, watched: Watched, now: float) -> float:
        """Seconds until the next own read of it."""
        while self._fresh and next(iter(self._fresh.values())) < now - STREAM_FRESH * self._policy.min_interval:
            del self._fresh[next(iter(self._fresh))]
        sharing = min(len(self._fresh) / FRESH_PART, self.own()) if watched in self._fresh else self.own()
        spare = self._governor.spare_rate()
        rate = spare if math.isinf(spare) else max((1 - PART) * spare, spare - self._sweeper.demand())
        age = now - (now if watched.since is None else watched.since)
        kind = watched.subject.key[0]
        return watched.subject.interval(self._policy, age=age, load=load_of(sharing, rate), alike=self._kinds[kind])
