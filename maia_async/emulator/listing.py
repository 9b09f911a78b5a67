"""The index of executions behind their list: newest start first, with filters; pure, `now` is handed in, and it renders nothing.

Runs are kept in groups of one project, pipeline and environment, and in each group on shelves by what the list shows of them:

    | shelf                    | holds                                                                         |
    | ------------------------ | ----------------------------------------------------------------------------- |
    | ALL                      | every run of the group                                                        |
    | RUNNING                  | not ended, and nothing happened to it: RUNNING without a look                 |
    | ODD                      | not ended, and held, cancelled or released: each one is looked at             |
    | SUCCESS, FAILED …        | ended so: an end never changes                                                |

All shelves are in the order of starts, so a page costs two bisects for each shelf that fits and a merge of its rows. A heap of planned
ends moves runs to their last shelf when they are due; a scan of everything happens after a large crowd came, or time in lists went back
(a status lag was raised).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush, merge
from itertools import islice
from typing import Final

from attrs import define, field, frozen

from maia_async.emulator.executions import TERMINAL, Run, as_of, end_of, last_word, status_at

ALL: Final = ""
RUNNING: Final = "RUNNING"
ODD: Final = "ODD"
# From here on one sort is cheaper than one insertion for each.
_MANY: Final = 64
Position = tuple[float, int]
_Group = tuple[str, str, str]


def _key(run: Run) -> Position:
    return run.key


@frozen(kw_only=True)
class Filter:
    """What a row must be. None asks nothing; `before` is the position of a pagination token; `exclusive` leaves both bounds out.

    `shown`: the name that is compared with `pipeline_name`, made of the folded one.
    """

    project_id: str | None = None
    visible_projects: frozenset[str] | None = None
    pipeline_name: str | None = None
    environment_name: str | None = None
    started_after: float | None = None
    started_before: float | None = None
    statuses: frozenset[str] | None = None
    schedule_id: str | None = None
    before: Position | None = None
    exclusive: bool = False
    shown: Callable[[str], str] = str

    def takes(self, group: _Group, folded: str) -> bool:
        """Whether runs of this project, pipeline (also given in folded case) and environment can fit."""
        return (
            (self.project_id is None or group[0] == self.project_id)
            and (self.visible_projects is None or group[0] in self.visible_projects)
            and (self.pipeline_name is None or self.pipeline_name.casefold() in self.shown(folded))
            and (self.environment_name is None or group[2] == self.environment_name)
        )

    def shelves(self) -> Iterable[str]:
        """Where runs of the wanted statuses can be."""
        if self.statuses is None:
            return (ALL,)
        open_ = self.statuses - TERMINAL
        return [*(self.statuses & TERMINAL), *([RUNNING] if RUNNING in open_ else []), *([ODD] if open_ else [])]


@define
class _Shelves:
    """The runs of one group."""

    folded: str
    runs: dict[str, list[Run]] = field(factory=lambda: defaultdict(list))


class RunIndex:
    """All runs in the order of their starts."""

    def __init__(self) -> None:
        self._groups: dict[_Group, _Shelves] = {}
        self._ends: list[tuple[float, int, Run]] = []
        self._settled = -math.inf
        self._stale = False
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, run: Run) -> None:
        """Put a run in its place; at the end at once, as nearly all are."""
        shelves = self._group(run).runs
        run.shelf = _open_shelf(run)
        _insert(shelves[ALL], run)
        _insert(shelves[run.shelf], run)
        self._plan(run)
        self._count += 1

    def extend(self, crowd: Iterable[Run]) -> None:
        """Put many runs in their places."""
        added = list(crowd)
        if len(added) < _MANY:
            for run in added:
                self.add(run)
            return
        touched: dict[int, list[Run]] = {}
        for run in added:
            runs = self._group(run).runs[ALL]
            runs.append(run)
            touched[id(runs)] = runs
        for runs in touched.values():
            runs.sort(key=_key)
        self._count += len(added)
        self._stale = True

    def changed(self, run: Run) -> None:
        """Take note that the plan of a run that has not ended is another one."""
        if self._stale:
            return
        shelf = _open_shelf(run)
        if shelf != run.shelf:
            runs = self._group(run).runs
            _remove(runs[run.shelf], run)
            _insert(runs[shelf], run)
            run.shelf = shelf
        self._plan(run)

    def select(
        self, wanted: Filter, *, limit: int, now: float, lag: float = 0.0, status_lag: float = 0.0, skip: int = 0
    ) -> tuple[list[Run], bool]:
        """At most `limit` rows after the first `skip`, and whether there are more.

        A run younger than `lag` seconds is not listed yet; statuses are those of `status_lag` seconds ago.
        """
        then = now - status_lag
        self._settle(then)
        visible = now - lag
        rows = merge(*self._candidates(wanted, visible), key=_key, reverse=True)
        fitting = (run for run in rows if run.created <= visible and _fits(run, wanted, then))
        found = list(islice(fitting, skip, skip + limit + 1))
        return found[:limit], len(found) > limit

    def _candidates(self, wanted: Filter, visible: float) -> list[Iterator[Run]]:
        """For each shelf that fits, its runs within the bounds, newest first."""
        low: Position | None = None
        if wanted.started_after is not None:
            low = (wanted.started_after, 2**63 if wanted.exclusive else -1)
        high: Position = (visible, 2**63)
        if wanted.started_before is not None:
            high = min(high, (wanted.started_before, -1 if wanted.exclusive else 2**63))
        if wanted.before is not None:
            # Sequences are whole: one less and taken is the same as left out.
            high = min(high, (wanted.before[0], wanted.before[1] - 1))
        found: list[Iterator[Run]] = []
        for group, shelves in self._groups.items():
            if wanted.takes(group, shelves.folded):
                for shelf in wanted.shelves():
                    runs = shelves.runs.get(shelf)
                    if runs:
                        first = 0 if low is None else bisect_left(runs, low, key=_key)
                        last = bisect_right(runs, high, lo=first, key=_key)
                        if first < last:
                            found.append(map(runs.__getitem__, range(last - 1, first - 1, -1)))
        return found

    def _group(self, run: Run) -> _Shelves:
        group = (run.project_id, run.pipeline_name, run.environment_name)
        shelves = self._groups.get(group)
        if shelves is None:
            shelves = self._groups[group] = _Shelves(run.pipeline_name.casefold())
        return shelves

    def _plan(self, run: Run) -> None:
        end = end_of(run)
        if end is not None:
            heappush(self._ends, (end, run.sequence, run))

    def _settle(self, then: float) -> None:
        """Move the runs that have ended by `then` to their last shelves."""
        if self._stale or then < self._settled:
            self._rebuild(then)
            return
        self._settled = then
        due: defaultdict[tuple[_Group, str], list[Run]] = defaultdict(list)
        while self._ends and self._ends[0][0] <= then:
            end, _, run = heappop(self._ends)
            # Changed plans leave their old ends in the heap.
            if run.shelf in {RUNNING, ODD} and end_of(run) == end:
                due[(run.project_id, run.pipeline_name, run.environment_name), run.shelf].append(run)
                run.shelf = last_word(run)
        for (group, shelf), runs in due.items():
            _move(self._groups[group].runs, shelf, runs)

    def _rebuild(self, then: float) -> None:
        self._settled, self._stale = then, False
        self._ends = []
        for shelves in self._groups.values():
            every = shelves.runs[ALL]
            shelves.runs = defaultdict(list, {ALL: every})
            for run in every:
                end = end_of(run)
                if end is not None and end <= then:
                    run.shelf = last_word(run)
                else:
                    run.shelf = _open_shelf(run)
                    if end is not None:
                        self._ends.append((end, run.sequence, run))
                shelves.runs[run.shelf].append(run)
        heapify(self._ends)


def _open_shelf(run: Run) -> str:
    return RUNNING if run.held is None and run.cancel_done is None and run.past is None else ODD


def _fits(run: Run, wanted: Filter, then: float) -> bool:
    """What neither the group nor the shelf has decided."""
    return (wanted.schedule_id is None or run.schedule_id == wanted.schedule_id) and (
        wanted.statuses is None or run.shelf != ODD or status_at(as_of(run, then), then) in wanted.statuses
    )


def _insert(runs: list[Run], run: Run) -> None:
    if not runs or runs[-1].key < run.key:
        runs.append(run)
    else:
        insort(runs, run, key=_key)


def _remove(runs: list[Run], run: Run) -> None:
    del runs[bisect_left(runs, run.key, key=_key)]


def _move(shelves: dict[str, list[Run]], shelf: str, ended: list[Run]) -> None:
    """Take runs, whose `shelf` is the new one already, from their old one."""
    if len(ended) < _MANY:
        for run in ended:
            _remove(shelves[shelf], run)
            _insert(shelves[run.shelf], run)
        return
    shelves[shelf] = [run for run in shelves[shelf] if run.shelf == shelf]
    for run in ended:
        shelves[run.shelf].append(run)
    for word in {run.shelf for run in ended}:
        shelves[word].sort(key=_key)
