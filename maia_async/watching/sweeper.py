"""Reads pages of the list of executions for everybody who waits, round after round, as `planner.py` says. It ends no wait by absence.

an own read of a run is due, and                  then
lists are not read for its project                it is made
lists do not show the run                         it is made
discovery was begun a moment ago                  it is put off
the last one was AUDIT ago                        it is made, one run after the other: a list may stand still
a list of those that go on was read lately, and   it is put off
  the run was listed not too long ago, or is new
otherwise                                         it is made: whatever is wrong with the lists
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from maia_async.governor import Governor
from maia_async.policies import PollPolicy
from maia_async.watching.census import MEMORY, Census
from maia_async.watching.chains import PATIENCE, Chains
from maia_async.watching.field import Field
from maia_async.watching.pace import after_failure, scale_of
from maia_async.watching.planner import FEW, FRESH, OPEN, Ask, Kind, Plan, Situation, Steps, planning
from maia_async.watching.watched import NEVER, Watched
from maia_async.watching.windows import Window

PART: Final = 0.65  # of the polls' guarantee: the rest is for own reads, and to spare
SPARE_PART: Final = 0.6  # of what the other lanes leave beyond it
LEAST_PART: Final = 0.4  # of both, however much own reads want
DISCOVER: Final = 30  # from so many runs of unknown start on, the list is asked for them first
DISCOVERY: Final = (*range(100, 1300, 100), 3600)  # seconds before now at which its windows end
TRUST: Final = 60.0  # seconds without having been listed, at least, after which a run is read itself
RETHINK: Final = 15.0  # until a plan of own reads is thought over
DISCOVERED: Final = 15.0  # … for which own reads wait for discovery, at most: a list may hang
AUDIT: Final = 900.0  # seconds after its last own read from which a run is read itself, whatever lists show: they may stand still …
AUDIT_PART: Final = 0.02  # … one after the other, with so much of the polls' rate
UNREAD: Final = 60.0  # … for which plans that need own reads are avoided after those failed
UNDATED: Final = 10.0  # seconds, of any policy, for which discovery waits for a first answer, which tells the API's clock
MOST_FAILURES: Final = 3
AT_ONCE: Final = 4000  # seconds of start that planning goes through in one turn of the loop: some milliseconds
SPREAD: Final = 0.9  # of the interval, over which a round's requests are spread
logger = logging.getLogger("maia_async")


ServerTime = Callable[[], float | None]
"""Seconds since the epoch by the API's clock, as far as it has told."""


Tell = Callable[[str, Plan, int], None]
"""Told of every round: project, plan, awaited runs."""


def untold() -> None:
    """For a watcher that needs no such clock."""


class Sweeper:
    """The list reads of one watcher. It starts no task: the watcher does, for what `due` gives."""

    def __init__(
        self,
        *,
        policy: PollPolicy,
        governor: Governor,
        chains: Chains,
        look: Callable[[Watched, float], None],
        server_time: ServerTime,
        tell: Tell,
    ) -> None:
        self.rounds = 0
        self._policy = policy
        self._scale = scale_of(policy)
        self._governor = governor
        self._chains = chains
        self._look = look
        self._server_time = server_time
        self._tell = tell
        self.own_rate: Callable[[], float] = lambda: 0.0  # requests a second that own reads want
        self._fields: dict[str, Field] = {}
        self._asks: list[tuple[float, int, Field, Ask]] = []
        self._sequence = itertools.count()
        self._next_audit = NEVER

    # who is awaited

    def _of(self, watched: Watched) -> Field | None:
        """The field in which it is awaited; None also for what stands in no list."""
        return self._fields.get(watched.subject.listed_in or "")

    def add(self, watched: Watched, now: float) -> None:
        """It is awaited from now on."""
        project_id = watched.subject.listed_in
        if project_id is None:
            return
        here = self._of(watched)
        if here is None:
            here = self._fields[project_id] = Field(project_id, Census(memory=MEMORY * self._scale))
        here.census.add(watched)
        here.joined_at = now
        watched.stray = False
        unknown = len(here.census.strangers)
        here.late += watched.start is None and here.discovering
        if watched.start is None and not here.seeks and unknown > DISCOVER + 2 * here.unfound:
            here.wants_discovery, here.discovered_at = True, now
            here.next_round = now
        if not here.swept and here.census.runs > FEW and here.next_round == math.inf:
            here.next_round = max(now, self._chains.refused_until(project_id))

    def discard(self, watched: Watched) -> None:
        """It is awaited no more."""
        here = self._of(watched)
        if here is None:
            return
        here.find(watched)
        here.audited.discard(watched)
        here.census.discard(watched)
        if not here.census.runs:
            here.gone = True
            del self._fields[here.project_id]
            self._asks = [entry for entry in self._asks if entry[2] is not here]
            heapq.heapify(self._asks)

    def swept_runs(self) -> int:
        """Runs that are not read themselves as long as lists show them, or are about to."""
        return sum(here.census.runs - here.strays for here in self._fields.values() if here.swept or here.discovering)

    def demand(self) -> float:
        """Requests a second that the rounds want."""
        return sum(here.plan.requests / here.plan.interval for here in self._fields.values() if here.swept)

    def tells_of(self, watched: Watched) -> bool:
        """Whether lists may make its own reads needless."""
        here = self._of(watched)
        return here is not None and not watched.stray and (here.seeks or (here.swept and watched.start is not None))

    def postponed(self, watched: Watched, now: float) -> float | None:
        """An own read of it is due: until when that can wait, or None when it cannot."""
        here = self._of(watched)
        if here is None or watched.stray:
            return None
        if here.seeks and now < here.discovered_at + max(UNDATED, DISCOVERED * self._scale):
            return now + self._policy.min_interval
        if watched.start is None or not here.swept:
            return None
        since = now if watched.since is None else watched.since
        until = max(here.trusted_until, since + PATIENCE * self._scale)
        # However well lists do in general: this run may stand in a window that fails each time.
        until = min(until, max(watched.listed_at, since) + max(TRUST * self._scale, 8 * here.plan.interval, 4 * here.rare))
        if until > now and self._audits(max(watched.asked_at, since), now):
            here.audited.add(watched)
            return None
        return until if until > now else None

    def _audits(self, read_at: float, now: float) -> bool:
        """Whether a run is read itself though lists show it. Thousands may have begun together: then one after the other."""
        if now < max(read_at + AUDIT * self._scale, self._next_audit):
            return False
        self._next_audit = max(self._next_audit, now - PATIENCE * self._scale) + 1 / (AUDIT_PART * self._governor.spare_rate())
        return True

    def failed(self, watched: Watched, now: float) -> None:
        """An own read failed. Where that goes on, lists are asked for ends, too."""
        here = self._of(watched)
        if here is not None and watched.failures >= MOST_FAILURES:
            here.unread_at = now

    def looked(self, watched: Watched) -> None:
        """An own read showed that it has not ended."""
        here = self._of(watched)
        if here is None:
            return
        if watched.listed_at == NEVER and watched.last is not None:
            stranger = watched.start is None
            here.census.place(watched, *watched.last.place())
            if stranger:  # as good as listed: lists may go on from here
                watched.listed_at = asyncio.get_running_loop().time()
        if here.swept and watched.listed_at < watched.asked_at and watched not in here.audited:
            here.lose(watched)
        here.audited.discard(watched)

    def commanded(self, watched: Watched) -> None:
        """Read it itself until a list shows that nothing is new: a command was just given."""
        here = self._of(watched)
        if here is not None and here.swept:
            here.lose(watched)

    # rounds

    def moment(self) -> float:
        """When something is to be done next."""
        rounds = min((here.next_round for here in self._fields.values() if not here.open_asks), default=math.inf)
        return min(rounds, self._asks[0][0] if self._asks else math.inf)

    def due(self, now: float) -> tuple[Coroutine[Any, Any, None], Callable[[], None]] | None:
        """The next list chain whose time has come, to be run as a task, and what to call when that has ended; None when there is none."""
        for here in list(self._fields.values()):
            if here.next_round <= now and not here.open_asks:
                if here.wants_discovery:
                    here.planning = None
                    self._discover(here, now)
                elif (found := self._planned(here, now)) is not None:
                    self._begin_round(here, found, now)
        if not self._asks or self._asks[0][0] > now:
            return None
        _, _, here, ask = heapq.heappop(self._asks)
        # Not at the end of the coroutine: a task that is cancelled before its first step never gets there.
        return self._chains.read(here, ask), partial(self._chain_ended, here)

    def _chain_ended(self, here: Field) -> None:
        here.open_asks -= 1
        if not here.open_asks and here.discovering:
            self._discovered(here)

    def _begin_round(self, here: Field, found: Plan, now: float) -> None:
        before, here.plan = here.plan, found
        if found.kind is Kind.OWN:
            here.next_round = (
                max(now + RETHINK * self._scale, self._chains.refused_until(here.project_id)) if here.census.runs > FEW else math.inf
            )
            if before.kind is not Kind.OWN:
                self._read_themselves(here, now)
            return
        here.census.tidy()
        self.rounds += 1
        self._tell(here.project_id, found, here.census.runs)
        asks = [*found.asks, *here.present(found)]
        wait = found.interval
        if here.failures:
            wait = max(wait, after_failure(self._policy, failures=here.failures, jitter=0.0))
        here.next_round = now + wait
        for number, ask in enumerate(asks):
            self._put(here, ask, now + SPREAD * wait * number / len(asks))

    def _put(self, here: Field, ask: Ask, when: float) -> None:
        here.open_asks += 1
        heapq.heappush(self._asks, (when, next(self._sequence), here, ask))

    def _planned(self, here: Field, now: float) -> Plan | None:
        """The plan for the next round; None as long as it takes another turn of the loop to make it."""
        if self._chains.refused_until(here.project_id) > now:
            here.planning = None
            return Plan(Kind.OWN, math.inf)
        here.planning = here.planning or self._steps(here, now)
        gone_through = 0
        try:
            while gone_through < AT_ONCE:
                gone_through += next(here.planning)
        except StopIteration as made:
            here.planning = None
            found: Plan = made.value
            return found
        return None

    def _steps(self, here: Field, now: float) -> Steps[Plan]:
        census = here.census
        # In pages, which is what lists cost: by their runs alone, ten runs beside ten thousand would hardly ever be looked at.
        rate = self._rate() * census.pages() / sum(each.census.pages() for each in self._fields.values())
        refused = self._chains.dialect.refused
        if now < here.unread_at + UNREAD * self._scale:
            refused |= {OPEN}
        counts = census.counts()
        return planning(
            Situation(
                runs=census.runs,
                youngest=now - here.joined_at,
                awaited=counts if self._chains.dialect.narrows else {None: counts.get(None, {})},
                rows=census.rows(),
                ends=census.end_rate(now),
                rate=rate,
                page=census.page,
                refused=refused,
                proven=here.proven,
                fresh=FRESH * self._scale,
            ),
            self._policy,
        )

    def _rate(self) -> float:
        """Requests a second that lists may take."""
        spare, sure = self._governor.spare_rate(), self._governor.sure_rate()
        if math.isinf(spare):
            return spare
        return max(LEAST_PART * spare, PART * sure + SPARE_PART * (spare - sure) - self.own_rate())

    def _read_themselves(self, here: Field, now: float) -> None:
        for runs in (*here.census.awaited.values(), here.census.strangers):
            for watched in runs:
                self._look(watched, now + self._policy.min_interval)

    # discovery: runs that were started before we came, and nobody told us when

    def _discover(self, here: Field, now: float) -> None:
        server = self._server_time()
        coming = now < min(here.joined_at + self._policy.min_interval / 10, here.discovered_at + self._policy.min_interval)
        if coming or (server is None and now - here.discovered_at < UNDATED):
            here.next_round = now + self._policy.min_interval / 10  # the others come, and the reads of the first few tell the time
            return
        if server is None or OPEN in self._chains.dialect.refused or self._chains.refused_until(here.project_id) > now:
            self._discovered(here)
            return
        here.next_round, here.wants_discovery, here.discovering = now, False, True
        last: int | None = None
        for age in (*DISCOVERY, None):
            first = None if age is None else int(server) - age
            # Of what started long ago only what still runs: the list may hold years.
            self._put(here, Ask(Window(first, last, 0), OPEN if age is None else None), now)
            last = first

    def _discovered(self, here: Field) -> None:
        here.discovering = False
        if here.late > DISCOVER:  # their rows may have been read before anybody waited for them
            here.wants_discovery, here.late = True, 0
            here.discovered_at = here.next_round = asyncio.get_running_loop().time()
            return
        here.wants_discovery, here.late = False, 0
        here.unfound = len(here.census.strangers)
        now = asyncio.get_running_loop().time()
        for watched in list(here.census.strangers):
            self._look(watched, now)
