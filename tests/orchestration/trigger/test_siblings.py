"""Several clients of one process, and one pipeline under several names: nobody is given another request's run."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from orchestration.trigger.lossy import Lossy, client, execute, own_runs, request, scenario

from maia_async import Maia, MaiaError, TriggerOutcomeUnknown
from maia_async.emulator import Emulator, Fault
from maia_async.orchestration.trigger import siblings
from maia_async.orchestration.trigger.evidence import LaneName
from maia_async.orchestration.trigger.lanes import MEMORY, Case, Lanes
from maia_async.orchestration.trigger.siblings import MOST_PLACES, Siblings, may_be_one, siblings_at
from maia_async.session import Session

ENVIRONMENT = "Environment-1"


class OneLands(Lossy):
    """Of the first two POSTs one lands, the first or the second; both answers are lost."""

    def __init__(self, emulator: Emulator, lands: int) -> None:
        super().__init__(emulator, "504")
        self._lands = lands

    async def before(self, asked: Any) -> Any:
        if asked.method == "POST" and asked.path.endswith("/pipeline-executions"):
            self.landed = len(self.numbers) == self._lands
        return await super().before(asked)

    async def after(self, asked: Any, reply: Any) -> Any:
        self.landed = True
        return await super().after(asked, reply)


@pytest.fixture(autouse=True)
def another_process() -> None:
    siblings.forget()


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario("load", "other")) as running:
        yield running


def reads_as(monkeypatch: pytest.MonkeyPatch, spelled: str, known: str) -> None:
    """A server that takes one spelling for the other."""
    real = Session.send

    async def send(self: Session, method: str, url: str, *, body: Any = None, **more: Any) -> Any:
        if isinstance(body, bytes):
            body = body.replace(spelled.encode(), known.encode())
        return await real(self, method, url.replace(spelled, known), body=body, **more)

    monkeypatch.setattr(Session, "send", send)


async def start(maia: Maia, project: str, pipeline: str, environment: str, row: str) -> str | MaiaError:
    try:
        return (await maia.project(project).execute(pipeline, environment, scalar_variables={"row": row})).id
    except MaiaError as error:
        return error


async def both(emulator: Emulator, clients: tuple[Maia, Maia], one: tuple[str, str, str], two: tuple[str, str, str]) -> list[Any]:
    """What the two requests come to; no run is given to the other one."""
    for maia in clients:
        await maia.projects.list()
    async with asyncio.TaskGroup() as tasks:
        a = tasks.create_task(start(clients[0], *one, row="a"))
        await asyncio.sleep(0.01)
        b = tasks.create_task(start(clients[1], *two, row="b"))
    held = {run.id: (run.scalar_variables or {}).get("row") for run in emulator.control.executions()}
    found = [a.result(), b.result()]
    assert [held[got] for got in found if isinstance(got, str)] == [
        row for row, got in zip("ab", found, strict=True) if isinstance(got, str)
    ]
    return found


@pytest.mark.parametrize("lands", [0, 1])
@pytest.mark.parametrize("what", ["project", "pipeline", "environment"])
async def test_one_lane_in_two_spellings(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, what: str, lands: int) -> None:
    project = emulator.scenario.projects[0].id
    one = (project, "load", ENVIRONMENT)
    spelled, known, two = {
        "project": (project.upper(), project, (project.upper(), "load", ENVIRONMENT)),
        "pipeline": ("load.orch.yaml", "load", (project, "load.orch.yaml", ENVIRONMENT)),
        "environment": ("environment-1", ENVIRONMENT, (project, "load", "environment-1")),
    }[what]
    reads_as(monkeypatch, spelled, known)
    OneLands(emulator, lands)
    async with client(emulator) as maia:
        await both(emulator, (maia, maia), one, two)
    assert len(own_runs(emulator)) == 1


@pytest.mark.parametrize("lands", [0, 1])
async def test_rows_that_do_not_say_their_environment(emulator: Emulator, lands: int) -> None:
    """None of a row's fields is marked required (API survey 2.2)."""
    project = emulator.scenario.projects[0]
    names = [environment.name for environment in project.environments]
    emulator.control.add_fault(Fault(method="GET", path="**/v1/pipeline-executions", remove=("results.*.environmentName",)))
    OneLands(emulator, lands)
    async with client(emulator) as maia:
        found = await both(emulator, (maia, maia), (project.id, "load", names[0]), (project.id, "load", names[1]))
    assert isinstance(found[lands], str)  # the list was asked for it by its environment


@pytest.mark.parametrize("lands", [0, 1])
async def test_two_clients_that_look_for_the_same_run(emulator: Emulator, lands: int) -> None:
    project = emulator.scenario.projects[0].id
    OneLands(emulator, lands)
    async with client(emulator) as one, client(emulator) as two:
        found = await both(emulator, (one, two), (project, "load", ENVIRONMENT), (project, "load", ENVIRONMENT))
    assert all(isinstance(got, TriggerOutcomeUnknown) for got in found)
    assert len(own_runs(emulator)) == 1


async def test_a_client_waits_for_the_id_that_is_on_its_way_to_another(emulator: Emulator) -> None:
    project = emulator.scenario.projects[0].id
    emulator.control.add_fault(Fault(method="POST", path="**/pipeline-executions", status=504, landed=False, times=1))
    emulator.control.add_fault(Fault(method="POST", path="**/pipeline-executions", delay=18, landed=True, times=1))
    async with client(emulator) as one, client(emulator) as two:
        await one.projects.list()
        async with asyncio.TaskGroup() as tasks:
            a = tasks.create_task(start(one, project, "load", ENVIRONMENT, "a"))
            await asyncio.sleep(1)
            b = tasks.create_task(start(two, project, "load", ENVIRONMENT, "b"))
    rows = {run.id: (run.scalar_variables or {}).get("row") for run in own_runs(emulator)}
    assert rows == {a.result(): "a", b.result(): "b"}


async def test_the_runs_of_a_closed_client_are_nobody_elses(emulator: Emulator) -> None:
    async with client(emulator):  # without any, a place on loopback is forgotten
        async with client(emulator) as maia:
            assert isinstance(await execute(maia, request()), str)
        await asyncio.sleep(60)
        Lossy(emulator, "504")
        async with client(emulator) as maia:
            await maia.projects.list()
            assert isinstance(await execute(maia, request()), str)
    assert len(own_runs(emulator)) == 2


async def test_a_pause_of_ours_is_no_impatience_with_the_list(emulator: Emulator) -> None:
    Lossy(emulator, "504")
    emulator.control.add_fault(Fault(method="GET", path="**/v1/pipeline-executions", status=429, retry_after=300, times=1))
    async with client(emulator) as maia:
        await maia.projects.list()
        assert [await execute(maia, request())] == [run.id for run in own_runs(emulator)]


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        (("p-1", "e", "a"), ("P1", "E", "A.orch.yaml"), True),
        (("p", "e", "daily/a"), ("p", "e", "a"), True),
        (("p", "e", "a"), ("q", "e", "a"), False),
        (("p", "e", "a"), ("p", "f", "a"), False),
        (("p", "e", "a"), ("p", "e", "b"), False),
        (("p", "e", "x/a"), ("p", "e", "y/a"), False),
    ],
)
def test_which_lanes_may_be_one(one: tuple[str, str, str], other: tuple[str, str, str], may: bool) -> None:
    lanes = [LaneName(project=project, environment=environment, pipeline=pipeline) for project, environment, pipeline in (one, other)]
    assert may_be_one(*lanes) is may
    assert may_be_one(*reversed(lanes)) is may


# What is remembered


def joined(here: Siblings, is_over: Callable[[], bool] = lambda: False) -> Lanes:
    found = Lanes(is_over, here.tidy)
    here.join(found)
    return found


async def test_what_others_see_of_a_client_open_over_and_closed() -> None:
    over = False
    here = siblings_at("https://a.example/dpc", Lanes())
    mine, theirs = joined(here), joined(here, lambda: over)
    lane, other = mine.of(("p", "e", "a")), theirs.of(("p", "E", "a.orch.yaml"))
    other.flying = 2
    other.know("ID-1", 0.0, 0.0)
    other.know_run(request().with_tag().execution_tag, "ID-1", 0.0)
    other.give_up(request(), sent=0.0, start=None, now=0.0)
    other.cases.append(Case(request(), "same", 0.0, None, 0.0, asyncio.get_running_loop().create_future(), lambda: None))
    seen = here.others(lane)
    assert (seen.flying, len(seen.doubts)) == (2, 2)
    assert here.knows("id1")
    again = request().with_tag()
    for lanes in (lane, other):  # one request of a journal, which two clients look for
        lanes.cases.append(Case(again, "same", 0.0, None, 0.0, asyncio.get_running_loop().create_future(), lambda: None))
    assert len(here.others(lane).doubts) == 2
    over = True
    assert (here.others(lane).flying, len(here.others(lane).doubts)) == (0, 1)
    here.leave(theirs)
    del theirs, other
    gc.collect()
    assert here.knows("id1")
    assert (here.others(lane).flying, len(here.others(lane).doubts)) == (0, 1)
    await asyncio.sleep(2 * MEMORY)
    mine.of(("p", "e", "a"))
    assert not here.knows("id1")
    assert here.others(lane).doubts == ()


async def test_a_client_that_nobody_closed_is_forgotten_when_it_is_gone() -> None:
    here = siblings_at("https://a.example/dpc", Lanes())
    theirs = joined(here)
    theirs.of(("p", "e", "a")).know("id", 0.0, 0.0)
    assert here.knows("id")
    del theirs
    gc.collect()
    assert not here.knows("id")
    assert here.is_empty


def test_places_are_one_however_they_are_written_and_few_are_remembered() -> None:
    first = siblings_at("https://eu1.api.matillion.com/dpc", Lanes())
    assert siblings_at("https://EU1.api.matillion.com:443/dpc", Lanes()) is first
    alive = joined(siblings_at("https://alive.example/dpc", Lanes()))
    for number in range(2 * MOST_PLACES):
        siblings_at(f"https://{number}.example/dpc", Lanes())
    assert siblings_at("https://eu1.api.matillion.com/dpc", Lanes()) is not first
    assert siblings_at("https://alive.example/dpc", Lanes())._alive[id(alive)]() is alive
    passing = siblings_at("http://127.0.0.1:8000/dpc", Lanes())
    siblings_at("https://another.example/dpc", Lanes())
    assert siblings_at("http://127.0.0.1:8000/dpc", Lanes()) is not passing
