"""One project whose list of executions is read: the state that rounds and chains share. It decides nothing and asks for nothing."""

from __future__ import annotations

import math
from collections import deque

from attrs import define, field

from maia_async.watching.census import Census
from maia_async.watching.planner import Ask, Kind, Plan, Steps
from maia_async.watching.watched import NEVER, Watched


@define(eq=False)
class Field:
    """One project: what is known of its list, and the round under way. `swept`: its runs are not read one by one."""

    project_id: str
    census: Census
    plan: Plan = field(factory=lambda: Plan(Kind.OWN, math.inf))
    next_round: float = math.inf
    planning: Steps[Plan] | None = None  # the plan for the next round is being made
    presence: deque[Ask] = field(factory=deque)  # what is left of the round that sees that the others are still there
    presence_due: float = 0.0
    open_asks: int = 0
    failures: int = 0
    wants_discovery: bool = False  # many strangers: the list is to be asked for them
    discovering: bool = False  # … and is being asked
    discovered_at: float = NEVER
    late: int = 0  # strangers that came while it was being asked
    unfound: int = 0  # strangers that the last discovery has not found
    joined_at: float = 0.0  # the last one that was added: the youngest there is
    strays: int = 0
    proven: bool = False  # a list has shown a run of ours
    trusted_until: float = NEVER  # until then a run need not be read itself because no list has told of it
    rare: float = 0.0  # seconds in which every run is seen once, where ends are asked for
    gone: bool = False  # nobody waits here any more: what a chain under way still reads is of no use, a later wait has a field of its own
    audited: set[Watched] = field(factory=set)  # read themselves although lists show them: that says nothing about the lists
    unread_at: float = NEVER  # when an own read failed again and again

    @property
    def swept(self) -> bool:
        """Whether lists are read for its runs."""
        return self.plan.kind is not Kind.OWN

    @property
    def seeks(self) -> bool:
        """Whether the list may soon tell where its strangers stand."""
        return self.wants_discovery or self.discovering

    def present(self, plan: Plan) -> list[Ask]:
        """The part of `plan.presence` that goes with one round: all at once would hold up the ends."""
        self.rare = max(plan.presence_interval if plan.presence else 0.0, 0.9 * self.rare)
        if not plan.presence:
            self.presence.clear()
            return []
        self.presence_due += len(plan.presence) * plan.interval / plan.presence_interval
        now_due, self.presence_due = int(self.presence_due), self.presence_due % 1
        if not self.presence:
            self.presence.extend(plan.presence)
        return [self.presence.popleft() for _ in range(min(now_due, len(self.presence)))]

    def lose(self, watched: Watched) -> None:
        """Lists do not show it: it is read itself, in its own rhythm."""
        if not watched.stray and watched.waiters:
            watched.stray = True
            self.strays += 1

    def find(self, watched: Watched) -> None:
        """A list shows it (again), or nobody waits for it any more."""
        if watched.stray:
            watched.stray = False
            self.strays -= 1
