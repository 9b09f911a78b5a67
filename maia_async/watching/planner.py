"""Which question is the cheapest way to learn what has become of the awaited runs of one project: pure, and drawn as a cost model.

`n` runs are awaited. P(word) is how many pages of the list hold the rows with that status, in the windows of start time that still hold an
awaited run (`windows.py`); `T` is the time from one round to the next. A terminal row is the result: it needs no second read.

    plan      what is read in each round                                     requests a round             it sees the others, too
    OWN       every run itself                                               n                            yes
    ALL       the rows of every status                                       sum of P                     yes
    RUNNING   the rows that run; a run that is no longer among them itself   P(RUNNING) + ends * T        yes
    ENDED     the rows of each terminal status                               sum of P(terminal words)     no: P(RUNNING) every PRESENCE s

The plan with the shortest T wins, and of equals the one with the fewest requests a second. T is as short as the runs' age wants it (a tenth
of the youngest one's, between `min_interval` and CALM times that), or as the budget allows: the round's requests / (rate - what comes on
top), whichever is longer; never above an hour.

    why not …
    always RUNNING   every end costs a read of its own: eight a second for 10,000 runs of up to 20 minutes
    always ALL       a young run's page holds a hundred rows that have not ended; while a crowd is young, what has ended is a fraction of it
    always ENDED     five words are at least five requests, and an old crowd's ended rows are nearly all of it

Rows that others started count in P, as they were listed the last time. When they make the rounds dear, the same plans are priced with the
list narrowed to each (pipeline, environment) of ours.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from enum import Enum
from itertools import repeat
from typing import Final, TypeVar

from attrs import field, frozen

from maia_async.models.enums import ExecutionStatus
from maia_async.policies import PollPolicy
from maia_async.watching.pace import scale_of
from maia_async.watching.windows import Window, pages, windows
from maia_async.wire.paging import PAGE_SIZE

T = TypeVar("T")
Names = tuple[str, str] | None
"""(pipeline, environment) that a list is narrowed to; None: the whole project."""

FEW: Final = 5  # up to here every run is read itself, unless lists have shown already that they show our runs
CALM: Final = 4.0  # min_intervals between two rounds, when the budget allows it
AGE_SHARE: Final = 0.1
FRESH: Final = 10.0  # seconds for which a start may be later than we think
PRESENCE: Final = 60.0
PRESENCE_PART: Final = 0.2  # of the rate, at most, for seeing that the others are still there
LONGEST: Final = 3600.0
OPEN: Final = ExecutionStatus.RUNNING.value
ENDS: Final = tuple(word.value for word in ExecutionStatus if word.is_terminal)


class Kind(Enum):
    """The four plans."""

    OWN = "own"
    ALL = "all"
    RUNNING = "running"
    ENDED = "ended"


@frozen(slots=True)
class Ask:
    """One chain of list pages: a window, a status (None: all), and what the list is narrowed to."""

    window: Window
    word: str | None = None
    names: Names = None


@frozen(slots=True)
class Plan:
    """What to read in the next rounds: `asks` every `interval` seconds, `presence` every `presence_interval`."""

    kind: Kind
    interval: float
    asks: tuple[Ask, ...] = ()
    presence: tuple[Ask, ...] = ()
    presence_interval: float = math.inf
    requests: float = 0.0  # expected for a round


@frozen(slots=True, kw_only=True)
class Situation:
    """What is known of one project.

    awaited: for each names the seconds in which awaited runs started, with their number (None holds all of them). rows: for each names and
    status the rows listed for each second. ends: ends seen a second. rate: requests a second that may be spent. refused: words that the
    server does not take as a filter (None: it takes none). proven: lists have shown runs of ours. fresh: for how long
    after the last start lists are open above.
    """

    runs: int
    youngest: float
    awaited: Mapping[Names, Mapping[int, int]]
    rows: Mapping[Names, Mapping[str, Mapping[int, int]]]
    rate: float
    ends: float = 0.0
    page: int = PAGE_SIZE
    refused: frozenset[str | None] = field(factory=frozenset)
    proven: bool = False
    fresh: float = FRESH


Steps = Generator[int, None, T]
"""Work that is done bit by bit: it yields how many seconds of start it has gone through, and returns what it found."""


def planning(situation: Situation, policy: PollPolicy) -> Steps[Plan]:
    """The cheapest plan; see the table of this module.

    It is made bit by bit: hundreds of narrowed lists are priced between the turns of a caller's loop, which may not stand still.

    What is counted may change meanwhile: then a part of the plan is right for before. What only the winner needs is made for it alone.
    """
    calm = min(policy.max_interval, policy.min_interval * CALM)
    wish = min(calm, max(policy.min_interval, AGE_SHARE * situation.youngest))
    own = _Price(Kind.OWN, _stretched(wish, situation.runs, situation.rate), situation.runs)
    if situation.runs <= (0 if situation.proven else FEW) or not situation.awaited.get(None):
        return own.plan()
    priced = yield from _priced(_Cuts(situation, (None,)), wish, policy)
    narrow = tuple(names for names in situation.awaited if names is not None)
    fair = situation.runs / situation.page + 1
    if narrow and min((each.requests for each in priced), default=math.inf) > 2 * fair:
        priced += yield from _priced(_Cuts(situation, narrow), wish, policy)
    return min([*priced, own], key=_Price.cost).plan()


@frozen(slots=True)
class _Price:
    """What a plan would cost. The plan itself is made for the cheapest one."""

    kind: Kind
    interval: float
    requests: float
    cuts: _Cuts | None = None
    words: tuple[str | None, ...] = ()
    rare: float = math.inf

    def cost(self) -> tuple[float, float]:
        """The smallest is the best: the interval, and of equal ones the requests a second."""
        present = self.cuts.number(OPEN) if self.cuts is not None and self.kind is Kind.ENDED else 0
        return self.interval, self.requests / self.interval + present / self.rare

    def plan(self) -> Plan:
        """The plan that has this price."""
        if self.cuts is None:
            return Plan(self.kind, self.interval, requests=self.requests)
        # Presence is read bit by bit: a window that is open above would have filled by its turn.
        presence = self.cuts.asks(OPEN, shut=True) if self.kind is Kind.ENDED else ()
        return Plan(self.kind, self.interval, self.cuts.asks(*self.words), presence, self.rare, self.requests)


def _stretched(wish: float, requests: float, rate: float) -> float:
    return min(LONGEST, max(wish, requests / rate if rate > 0 else LONGEST))


def _priced(cuts: _Cuts, wish: float, policy: PollPolicy) -> Steps[list[_Price]]:
    """The plans by lists, over all scopes of `cuts` together: the three, but for those that cannot win."""
    rate, refused, ends = cuts.situation.rate, cuts.situation.refused, cuts.situation.ends
    found: list[_Price] = []
    if refused.isdisjoint({None, OPEN}):
        cost = yield from cuts.pages(OPEN)
        interval = _stretched(wish, cost, rate - ends)
        found.append(_Price(Kind.RUNNING, interval, cost + ends * interval, cuts, (OPEN,)))
        if refused.isdisjoint(ENDS):
            ended = yield from cuts.pages(*ENDS)
            scale = scale_of(policy)
            rare = max(PRESENCE * scale, cost / (PRESENCE_PART * rate)) if rate > 0 else LONGEST
            found.append(_Price(Kind.ENDED, _stretched(wish, ended, rate - cost / rare), ended, cuts, ENDS, rare))
    # The rows of every status are the most to count: not when it cannot win.
    least = _every(cuts, wish, (yield from cuts.least()))
    if all(least.cost() <= each.cost() for each in found):
        found.insert(0, _every(cuts, wish, (yield from cuts.pages(None))))
    return found


def _every(cuts: _Cuts, wish: float, requests: int) -> _Price:
    return _Price(Kind.ALL, _stretched(wish, requests, cuts.situation.rate), requests, cuts, (None,))


class _Cuts:
    """The windows of some scopes together, cut for each status when they are asked for."""

    def __init__(self, situation: Situation, scopes: tuple[Names, ...]) -> None:
        self.situation = situation
        self._scopes = scopes
        self._sorted: dict[Names, dict[int, int]] = {}
        self._running: dict[Names, Mapping[int, int]] = {}
        self._cut: dict[str | None, dict[Names, list[Window]]] = {}

    def pages(self, *words: str | None) -> Steps[int]:
        """Requests that the windows take."""
        for word in words:
            done = self._cut.setdefault(word, {})
            for names in self._scopes:
                if names not in done:
                    rows = self._rows(names, word)
                    done[names] = windows(self._wanted(names), rows, self.situation.page)
                    yield len(self._wanted(names)) + len(rows)
        return sum(pages(cut, self.situation.page) for word in words for cut in self._cut[word].values())

    def least(self) -> Steps[int]:
        """The fewest requests that the windows of all statuses can take: what stands in the seconds of our own runs is in any of them."""
        total = 0
        for names in self._scopes:
            listed, wanted = self.situation.rows.get(names, {}), self._wanted(names)
            rows = sum(sum(map(seconds.get, wanted, repeat(0))) for word, seconds in listed.items() if word != OPEN)
            total += math.ceil((rows + sum(wanted.values())) / self.situation.page)
            yield len(wanted)
        return total

    def number(self, word: str | None) -> int:
        """How many windows there are; they have been cut."""
        return sum(map(len, self._cut[word].values()))

    def asks(self, *words: str | None, shut: bool = False) -> tuple[Ask, ...]:
        """Each window as an ask; they have been cut.

        While runs are being started the newest window is open above, unless `shut`: a start may be later than we think. Not for longer:
        others go on starting theirs, and their rows come first.
        """
        growing = self.situation.youngest < self.situation.fresh and not shut
        found: list[Ask] = []
        for word in words:
            for names, cut in self._cut[word].items():
                found.extend(Ask(window, word, names) for window in cut)
                if growing and cut:
                    found[-1] = Ask(Window(cut[-1].first, None, cut[-1].rows), word, names)
        return tuple(found)

    def _wanted(self, names: Names) -> dict[int, int]:
        # Sorted once: to sort it again for each status costs next to nothing.
        found = self._sorted.get(names)
        if found is None:
            counts = self.situation.awaited[names]
            found = self._sorted[names] = {second: counts[second] for second in sorted(counts)}
        return found

    def _rows(self, names: Names, word: str | None) -> Mapping[int, int]:
        listed = self.situation.rows.get(names, {})
        if word is not None and word != OPEN:
            return listed.get(word, {})
        if names not in self._running:
            self._running[names] = running_rows(self._wanted(names), listed.get(OPEN, {}))
        running = self._running[names]
        return running if word == OPEN else all_rows(running, listed)


def running_rows(wanted: Mapping[int, int], listed: Mapping[int, int]) -> dict[int, int]:
    """The rows to expect for each second of those that run: as they were listed, and at least our own."""
    rows = dict(wanted)
    for second, count in listed.items():
        if count > rows.get(second, 0):
            rows[second] = count
    return rows


def all_rows(running: Mapping[int, int], listed: Mapping[str, Mapping[int, int]]) -> dict[int, int]:
    """The rows to expect for each second of every status: those that run, and the others as they were listed."""
    rows = dict(running)
    for word, seconds in listed.items():
        if word != OPEN:
            for second, count in seconds.items():
                rows[second] = rows.get(second, 0) + count
    return rows
