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
from collections.abc import Mapping
from enum import Enum
from typing import Final

from attrs import evolve, field, frozen

from maia_async.models.enums import ExecutionStatus
from maia_async.policies import PollPolicy
from maia_async.watching.windows import Window, pages, windows

Names = tuple[str, str] | None
"""(pipeline, environment) that a list is narrowed to; None: the whole project."""

FEW: Final = 5  # up to here every run is read itself, unless lists have shown already that they show our runs
PAGE: Final = 100  # the most that a page holds (API survey 2.6)
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
    page: int = PAGE
    refused: frozenset[str | None] = field(factory=frozenset)
    proven: bool = False
    fresh: float = FRESH


def plan(situation: Situation, policy: PollPolicy) -> Plan:
    """The cheapest plan; see the table of this module."""
    calm = min(policy.max_interval, policy.min_interval * CALM)
    wish = min(calm, max(policy.min_interval, AGE_SHARE * situation.youngest))
    own = Plan(Kind.OWN, _stretched(wish, situation.runs, situation.rate), requests=situation.runs)
    if situation.runs <= (0 if situation.proven else FEW) or not situation.awaited.get(None):
        return own
    priced = _priced(situation, (None,), wish, policy)
    narrow = [names for names in situation.awaited if names is not None]
    fair = situation.runs / situation.page + 1
    if narrow and min((each.requests for each in priced), default=math.inf) > 2 * fair:
        priced += _priced(situation, tuple(narrow), wish, policy)
    return min([*priced, own], key=_cost)


def _cost(found: Plan) -> tuple[float, float]:
    return found.interval, found.requests / found.interval + len(found.presence) / found.presence_interval


def _stretched(wish: float, requests: float, rate: float) -> float:
    return min(LONGEST, max(wish, requests / rate if rate > 0 else LONGEST))


def _priced(situation: Situation, scopes: tuple[Names, ...], wish: float, policy: PollPolicy) -> list[Plan]:
    """The three plans by lists, over all `scopes` together."""
    rate, page = situation.rate, situation.page
    by_word = {word: _asks(situation, scopes, (word,), word) for word in (OPEN, *ENDS)}
    every = _asks(situation, scopes, None, None)
    found = [Plan(Kind.ALL, _stretched(wish, _requests(every, page), rate), every, requests=_requests(every, page))]
    if None in situation.refused or OPEN in situation.refused:
        return found
    running = by_word[OPEN]
    cost = _requests(running, page)
    interval = _stretched(wish, cost, rate - situation.ends)
    found.append(Plan(Kind.RUNNING, interval, running, requests=cost + situation.ends * interval))
    if situation.refused.isdisjoint(ENDS):
        ended = tuple(ask for word in ENDS for ask in by_word[word])
        scale = policy.min_interval / PollPolicy().min_interval
        rare = max(PRESENCE * scale, cost / (PRESENCE_PART * rate)) if rate > 0 else LONGEST
        interval = _stretched(wish, _requests(ended, page), rate - cost / rare)
        # Read bit by bit: a window that is open above would have filled by its turn.
        newest = {names: max(seconds) for names, seconds in situation.awaited.items()}
        present = tuple(evolve(ask, window=evolve(ask.window, last=ask.window.last or newest[ask.names])) for ask in running)
        found.append(Plan(Kind.ENDED, interval, ended, present, rare, requests=_requests(ended, page)))
    return found


def _requests(asks: tuple[Ask, ...], page: int) -> int:
    return pages((ask.window for ask in asks), page)


def _asks(situation: Situation, scopes: tuple[Names, ...], words: tuple[str, ...] | None, word: str | None) -> tuple[Ask, ...]:
    """The windows of every scope, each as an ask.

    While runs are being started the newest window is open above: a start may be later than we think. Not for longer: others go on
    starting theirs, and their rows come first.
    """
    found: list[Ask] = []
    for names in scopes:
        wanted = situation.awaited[names]
        rows = expected(wanted, situation.rows.get(names, {}), words)
        cut = windows(wanted, rows, situation.page)
        if cut and situation.youngest < situation.fresh:
            cut[-1] = Window(cut[-1].first, None, cut[-1].rows)
        found.extend(Ask(window, word, names) for window in cut)
    return tuple(found)


def expected(wanted: Mapping[int, int], listed: Mapping[str, Mapping[int, int]], words: tuple[str, ...] | None) -> dict[int, int]:
    """The rows to expect for each second: as they were listed, and at least our own that run."""
    chosen = tuple(listed) if words is None else words
    rows: dict[int, int] = {}
    for word in chosen:
        if word != OPEN:
            for second, count in listed.get(word, {}).items():
                rows[second] = rows.get(second, 0) + count
    if words is None or OPEN in words:
        running = listed.get(OPEN, {})
        for second in wanted.keys() | running.keys():
            rows[second] = rows.get(second, 0) + max(wanted.get(second, 0), running.get(second, 0))
    return rows
