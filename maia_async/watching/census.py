"""What is known of one project's list of executions: who is awaited there, and how many rows stand where. Plain state; it asks for nothing.

Rows are counted for each second of start, status and narrowing, as they were listed the last time that second was covered. What stands in
a second that no list has covered yet is taken to be our own runs alone; the first list that covers it says better.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from attrs import define, field, frozen

from maia_async.models.enums import ExecutionStatus
from maia_async.watching.planner import Ask, Names
from maia_async.watching.watched import Watched
from maia_async.watching.windows import EARLIER
from maia_async.wire.paging import PAGE_SIZE

GAP_PARTS: Final = 120  # into which the rows of a gap are reckoned: by single seconds as long as it is no longer than that
MEMORY: Final = 30.0  # seconds over which ends are averaged


@frozen(slots=True)
class Row:
    """What a list row says that matters here."""

    execution_id: str
    word: ExecutionStatus
    started: int | None
    names: Names


@define(eq=False)
class Census:
    """One project. `awaited` holds the runs with a known start by its second; `strangers` those whose start nobody has told yet."""

    awaited: dict[int, set[Watched]] = field(factory=dict)
    strangers: dict[Watched, None] = field(factory=dict)
    page: int = PAGE_SIZE
    memory: float = MEMORY
    _by_names: dict[Names, Counter[int]] = field(factory=dict)
    _rows: dict[Names, dict[str, dict[int, int]]] = field(factory=dict)
    _runs: int = 0
    _ends: float = 0.0
    _ends_at: float = 0.0

    @property
    def runs(self) -> int:
        """Awaited runs, strangers included."""
        return self._runs + len(self.strangers)

    def pages(self) -> float:
        """Pages of the list that hold them, about; never less than one."""
        return 1 + self.runs / self.page

    def add(self, watched: Watched) -> None:
        """It is awaited from now on."""
        start = watched.start
        if start is None:
            self.strangers[watched] = None
            return
        alike = self.awaited.get(start)
        if alike is None:
            self.awaited[start] = {watched}
        else:
            watched.start = next(iter(alike)).start  # one int for all, and not one for each of a hundred thousand
            alike.add(watched)
        self._runs += 1
        for names in _scopes(watched):
            self._by_names.setdefault(names, Counter())[start] += 1

    def discard(self, watched: Watched) -> None:
        """It is awaited no more."""
        start = watched.start
        if watched in self.strangers:
            del self.strangers[watched]
            if not self.strangers:
                self.strangers = {}  # an emptied dict keeps its size
            return
        if start is None or watched not in self.awaited.get(start, ()):
            return
        self.awaited[start].remove(watched)
        self._runs -= 1
        if not self.awaited[start]:
            del self.awaited[start]
        for names in _scopes(watched):
            counts = self._by_names[names]
            counts[start] -= 1
            if not counts[start]:
                del counts[start]
                if not counts:
                    del self._by_names[names]
                    self._rows.pop(names, None)

    def place(self, watched: Watched, start: int | None, names: Names) -> None:
        """A list or a read told when it started and what it is called there."""
        if (start is None or start == watched.start) and (names is None or names == watched.names):
            return
        here = watched in self.strangers or watched in self.awaited.get(watched.start or 0, ())
        if here:
            self.discard(watched)
        watched.start = watched.start if start is None else start
        watched.names = watched.names if names is None else names
        if here:
            self.add(watched)

    def counts(self) -> dict[Names, Mapping[int, int]]:
        """For each narrowing, the seconds with awaited runs and their number."""
        return dict(self._by_names)

    def rows(self) -> Mapping[Names, Mapping[str, Mapping[int, int]]]:
        """For each narrowing and status, the rows listed for each second."""
        return self._rows

    def within(self, ask: Ask) -> list[Watched]:
        """The awaited runs that an ask is about."""
        first, last, names = ask.window.first, ask.window.last, ask.names
        seconds: Iterable[int]
        if first is not None and last is not None and last - first < len(self.awaited):
            seconds = range(first, last + 1)
        else:
            seconds = [at for at in self.awaited if (first is None or at >= first) and (last is None or at <= last)]
        nobody: dict[Watched, None] = {}
        return [watched for second in seconds for watched in self.awaited.get(second, nobody) if names is None or watched.names == names]

    def ended(self, count: int, now: float) -> None:
        """So many runs were seen to have ended."""
        self._ends = self.end_rate(now) + count / self.memory
        self._ends_at = now

    def end_rate(self, now: float) -> float:
        """Ends seen a second, lately."""
        return self._ends * max(0.0, 1 - (now - self._ends_at) / self.memory)

    def covered(self, ask: Ask, rows: Iterable[Row], *, first: int | None, whole: bool) -> None:
        """An ask was answered with `rows`, which cover its window from `first` up. Not `whole`: below it there are as many each second.

        All rows count as of the status that was asked for: a server that ignores the filter makes that question as dear as it is.
        """
        counted = self._counted(ask, rows)
        for names in self._by_names if ask.names is None else self._by_names.keys() & {ask.names}:
            known = self._rows.setdefault(names, {})
            found = counted.get(names, {})
            for word in known.keys() | found.keys() if ask.word is None else (ask.word,):
                fresh = found.get(word, {})
                seconds = known.setdefault(word, {})
                _clear(seconds, first, ask.window.last)
                seconds.update(fresh)
                if not whole and fresh and first is not None and ask.window.first is not None:
                    _reckon(seconds, ask.window.first, first, sum(fresh.values()) / (max(fresh) - min(fresh) + 1))

    def _counted(self, ask: Ask, rows: Iterable[Row]) -> dict[Names, dict[str, dict[int, int]]]:
        """The rows for each narrowing that they are asked by or that is ours, status and second."""
        asked: dict[str, dict[int, int]] = {}
        counted = {ask.names: asked}
        for row in rows:
            if row.started is not None:
                word = row.word.value if ask.word is None else ask.word
                _count(asked, word, row.started)
                if ask.names is None and row.names is not None and row.names in self._by_names:
                    _count(counted.setdefault(row.names, {}), word, row.started)
        return counted

    def tidy(self) -> None:
        """Forget what stands before the oldest awaited run: in one narrowing each time, in turn, since nobody looks at it meanwhile."""
        names = next(iter(self._rows), None)
        words = self._rows.pop(names, None)
        if words is None or not self.awaited:
            return
        limit = min(self.awaited) - EARLIER
        self._rows[names] = {word: {at: count for at, count in seconds.items() if at >= limit} for word, seconds in words.items()}


def _scopes(watched: Watched) -> tuple[Names, ...]:
    return (None,) if watched.names is None else (None, watched.names)


def _count(words: dict[str, dict[int, int]], word: str, second: int) -> None:
    seconds = words.get(word)
    if seconds is None:
        seconds = words[word] = {}
    seconds[second] = seconds.get(second, 0) + 1


def _reckon(seconds: dict[int, int], first: int, end: int, density: float) -> None:
    """Between two seconds there are so many rows in each, or as many as are known. A day has 86,400: every plan would count them all."""
    step = max(1, math.ceil((end - first) / GAP_PARTS))
    known: Counter[int] = Counter()
    for at in [at for at in seconds if first <= at < end]:
        known[at - (at - first) % step] += seconds.pop(at)
    for at in range(first, end, step):
        count = max(known[at], round(step * density))
        if count:
            seconds[at] = count


def _clear(seconds: dict[int, int], first: int | None, last: int | None) -> None:
    if first is not None and last is not None and last - first < len(seconds):
        for second in range(first, last + 1):
            seconds.pop(second, None)
        return
    for second in [at for at in seconds if (first is None or at >= first) and (last is None or at <= last)]:
        del seconds[second]
