"""Every fault times requests, list lag, tag and neighbours: the best outcome that contract 1 of the design can reach, and no less.

`best` is written from the contract and not from the code under test: it knows what the server did, and when a list can show it. UNKNOWN
where the contract could know fails a cell, and so does a run too many, or an id that belongs to another request's variables.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import Any

import pytest
from attrs import frozen
from orchestration.trigger.lossy import LOSSES, SETTLE, TAKES, Lossy, client, execute_all, own_runs, request, scenario

from maia_async import AUTO, Conflict, ExecutionRequest, MaiaError, TriggerOutcomeUnknown
from maia_async.emulator import Emulator

MANY = 50
HIT = 7  # the one of many whose answer is lost
CROWD_AT = 2.0
LATE = 40.0  # a lag beyond every `settle` here, and within four of them


@frozen(kw_only=True)
class Cell:
    """One cell of the matrix. fate: what became of a request whose answer was lost."""

    loss: Any
    fate: str  # "nothing", "running", "over"
    shape: str  # "one", "different", "equal", "pipelines"
    all: bool
    lag: float
    tag: str  # "auto", "own", "none"
    crowd: bool

    def __str__(self) -> str:
        hit = "all" if self.all else "one of them"
        return f"{self.loss} {self.fate}, {self.shape}, {hit}, lag {self.lag:g}, {self.tag}, {'crowd' if self.crowd else 'alone'}"

    @property
    def size(self) -> int:
        return 1 if self.shape == "one" else MANY

    @property
    def excludes(self) -> bool:
        """Whether one of these runs keeps the others from starting: they share a tag, and it goes on."""
        return self.tag == "own" and self.shape == "equal" and self.fate != "over"

    def rows(self) -> list[ExecutionRequest]:
        return [self._row(number) for number in range(self.size)]

    def _row(self, number: int) -> ExecutionRequest:
        mine = 0 if self.shape == "equal" else number
        tag = {"auto": AUTO, "own": f"tag {mine}", "none": None}[self.tag]
        return request(f"load {mine if self.shape == 'pipelines' else 0}", execution_tag=tag, scalar_variables={"n": str(mine)})


@frozen
class Best:
    """What a cell must come to: how many requests with an id, in conflict, unknown with and without candidates; runs of ours at the end."""

    ids: int
    conflicts: int
    told: int
    untold: int
    runs: int


def best(cell: Cell) -> Best:
    """The oracle. Time 0 is when all POSTs go out."""
    if cell.shape == "pipelines":  # lanes do not concern each other
        hit, other = _lane(cell, 1, 1, siblings=0), _lane(cell, 1, 0, siblings=1)
        lost = MANY if cell.all else 1
        return Best(*(lost * a + (MANY - lost) * b for a, b in zip(_flat(hit), _flat(other), strict=True)))
    lost = cell.size if cell.all else 1
    return _lane(cell, cell.size, lost, siblings=cell.size - lost)


def _flat(found: Best) -> tuple[int, ...]:
    return found.ids, found.conflicts, found.told, found.untold, found.runs


def _lane(cell: Cell, size: int, lost: int, *, siblings: int) -> Best:
    if cell.excludes:
        # One run at a time for one tag: the first POST that is carried out starts it, the others are conflicts, answered or lost.
        first_is_lost = cell.all
        started = 0 if cell.all and cell.fate == "nothing" else 1
        ids, conflicts = (0, 0) if first_is_lost else (1, size - lost - 1)
        landed = started if first_is_lost else 0
    else:
        ids, conflicts, landed = siblings, 0, lost if cell.fate != "nothing" else 0
        started = siblings + landed
    if not lost:
        return Best(ids, conflicts, 0, 0, started)
    given_up = TAKES[cell.loss]
    decided = given_up + SETTLE
    if ids and cell.lag > decided:
        decided = cell.lag + SETTLE / 3  # its siblings' runs are known to be missing: the list is waited for
    listed = landed if cell.lag <= decided else 0
    strangers = 1 if cell.crowd and CROWD_AT + cell.lag <= decided else 0
    alike = lost == 1 or cell.shape == "equal"
    if listed + strangers == 0:
        return _none_listed(cell, ids, conflicts, lost, landed, started, alike=alike)
    if cell.crowd or not alike:
        return Best(ids, conflicts, lost, 0, started)
    again = lost - listed if cell.tag == "auto" else 0
    return Best(ids + listed + again, conflicts, 0, lost - listed - again, started + again)


def _none_listed(cell: Cell, ids: int, conflicts: int, lost: int, landed: int, started: int, *, alike: bool) -> Best:
    if cell.tag != "auto":
        return Best(ids, conflicts, 0, lost, started)
    if not landed:
        return Best(ids + lost, conflicts, 0, 0, started + lost)
    if cell.fate == "over":
        # The documented limit: it landed, has ended, and is first listed after `settle`. A second run is started, for the same request.
        return Best(ids + lost, conflicts, 0, 0, started + lost)
    # Its own tag is refused: it landed and runs, and the list is waited for.
    if cell.crowd or not alike:
        return Best(ids, conflicts, lost, 0, started)
    return Best(ids + lost, conflicts, 0, 0, started)


def cells() -> list[Cell]:
    fates = ("nothing", "running", "over")
    shapes = [("one", True), *itertools.product(("different", "equal", "pipelines"), (False, True))]
    return [
        Cell(loss=loss, fate=fate, shape=shape, all=every, lag=lag, tag=tag, crowd=crowd)
        for loss, fate, (shape, every), lag, tag, crowd in itertools.product(
            LOSSES, fates, shapes, (0.0, 5.0, LATE), ("auto", "own", "none"), (False, True)
        )
    ]


async def play(cell: Cell) -> tuple[list[str | MaiaError], Emulator]:
    names = sorted({row.pipeline_name for row in cell.rows()})
    world = scenario(*names, duration=0.0 if cell.fate == "over" else 1000.0, list_lag=cell.lag)
    async with Emulator(world) as emulator, client(emulator) as maia:
        hit = 0 if cell.shape == "one" else HIT
        Lossy(emulator, cell.loss, landed=cell.fate != "nothing", hits=lambda number, time: time == 0 and (cell.all or number == hit))
        await maia.projects.list()
        if cell.crowd:
            for name in names:
                emulator.control.add_execution(name, trigger="API", started_ago=60, duration=1000)

        async def others() -> None:
            await asyncio.sleep(CROWD_AT)
            for name in names:
                emulator.control.add_execution(name, trigger="API", duration=1000)

        async with asyncio.TaskGroup() as tasks:
            if cell.crowd:
                tasks.create_task(others())
            found = await execute_all(maia, cell.rows())
        await asyncio.sleep(100)  # whatever is on its way arrives
    return found, emulator


def check(cell: Cell, found: list[str | MaiaError], emulator: Emulator) -> None:
    runs = own_runs(emulator)
    ids = [one for one in found if isinstance(one, str)]
    unknown = [one for one in found if isinstance(one, TriggerOutcomeUnknown)]
    came = Best(
        len(ids),
        sum(isinstance(one, Conflict) for one in found),
        sum(bool(error.candidates) for error in unknown),
        sum(not error.candidates for error in unknown),
        len(runs),
    )
    assert came == best(cell)
    assert sum(_flat(came)[:4]) == len(found)
    assert len(set(ids)) == len(ids), "two requests were given the same run"
    server = {run.id: run for run in emulator.control.executions()}
    for row, one in zip(cell.rows(), found, strict=True):
        if isinstance(one, str):
            assert server[one].scalar_variables == row.scalar_variables, "a run of another request"
            assert server[one].pipeline_name == row.pipeline_name
            assert server[one].agent_id is not None, "a run of somebody else"
        elif isinstance(one, TriggerOutcomeUnknown) and cell.fate != "nothing" and one.candidates and not cell.excludes:
            mine = {run.id for run in runs if run.scalar_variables == row.scalar_variables}
            assert mine & set(one.candidates), "its own run is not among the candidates"
    if cell.shape != "equal":
        limit = 2 if cell.fate == "over" and cell.tag == "auto" and cell.lag == LATE else 1
        most = Counter(str(run.scalar_variables) for run in runs).most_common(1)
        assert not most or most[0][1] <= limit, "a second run"


def is_quick(cell: Cell) -> bool:
    """Whether the suite plays it; others are played with `-m long`. How the answer is lost matters to one request as to fifty."""
    if cell.loss != "504":
        return cell.shape == "one" and cell.tag == "auto" and cell.lag == 0.0
    return cell.shape == "one" or (cell.tag == "auto" and cell.lag == 0.0)


def is_alike(cell: Cell) -> bool:
    """Whether one with another loss is among the long ones, and this one is only played with `-m matrix`."""
    return cell.loss != "504" and cell.shape != "one"


QUICK = [cell for cell in cells() if is_quick(cell)]
SLOW = [cell for cell in cells() if not is_quick(cell) and not is_alike(cell)]
ALIKE = [cell for cell in cells() if not is_quick(cell) and is_alike(cell)]


def by_kind(found: list[Cell]) -> list[Any]:
    """A test for each would take as long to collect as to run."""
    return [pytest.param([*group], id=kind) for kind, group in itertools.groupby(found, lambda cell: str(cell).partition(", lag")[0])]


def test_each_cell_has_its_place() -> None:
    assert (len(QUICK), len(SLOW), len(ALIKE)) == (108, 432, 972)


@pytest.mark.parametrize("cell", QUICK, ids=str)
async def test_cell(cell: Cell) -> None:
    check(cell, *await play(cell))


async def check_all(found: list[Cell]) -> None:
    for cell in found:
        try:
            check(cell, *await play(cell))
        except AssertionError as error:
            error.add_note(str(cell))
            raise


@pytest.mark.long
@pytest.mark.parametrize("of_one_kind", by_kind(SLOW))
async def test_every_other_cell(of_one_kind: list[Cell]) -> None:
    await check_all(of_one_kind)


@pytest.mark.matrix
@pytest.mark.parametrize("of_one_kind", by_kind(ALIKE))
async def test_each_way_to_lose_an_answer_among_fifty_requests(of_one_kind: list[Cell]) -> None:
    await check_all(of_one_kind)
