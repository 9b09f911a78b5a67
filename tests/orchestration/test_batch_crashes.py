"""A killed batch, in virtual time: killed at each step of the loop, and at the moments that are hard to see through afterwards."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestration.account import posts
from orchestration.crashing import Process, inline, lost, one_clock, resumed, rows, runs_of, scenario, until, wrongly_attributed
from orchestration.journal.kit import copied
from orchestration.stepping import SteppingLoop
from virtual_time import VirtualLoop

from maia_async import Batch, Maia, OutcomeState, TriggerPolicy, exchange
from maia_async.clock import utc_now
from maia_async.emulator import Emulator, Fault
from maia_async.orchestration.batch import book as batch_book
from maia_async.orchestration.trigger import desk, resolver
from maia_async.policies import Timeouts
from maia_async.session import Session
from maia_async.wire.requests import Reply


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario(latency_out=1.0)) as running:
        yield running


# A POST that goes out long after its intent was written down


@pytest.mark.parametrize("pause", [100, 1000], ids=["in the exchange", "held by the batch"])
async def test_a_run_that_was_started_after_a_long_pause_is_found(emulator: Emulator, tmp_path: Path, pause: int) -> None:
    emulator.control.add_fault(lost(1, status=429, retry_after=pause))
    async with Process(emulator, rows(2, "a"), tmp_path / "j.db") as process:
        await until(lambda: len(emulator.control.executions()) == 2)
        left = process.kill(tmp_path / "left")
        await asyncio.sleep(10)  # the run is over: its tag would refuse no second one
        outcomes = await resumed(emulator, left)
    assert [outcome.state for outcome in outcomes] == [OutcomeState.SUCCESS] * 2
    assert runs_of(emulator) == {"0": 1, "1": 1}


async def test_a_run_that_was_started_by_a_late_resume_is_found_by_the_next(emulator: Emulator, tmp_path: Path) -> None:
    emulator.control.add_fault(lost(1, kind="silence", landed=False))
    async with Process(emulator, rows(2, "a"), tmp_path / "j.db") as first:
        await asyncio.sleep(10)
        left = first.kill(tmp_path / "left")
    await asyncio.sleep(3600)
    async with Process(emulator, None, left) as second:
        await until(lambda: len(emulator.control.executions()) == 2)
        left = second.kill(tmp_path / "left again")
        await asyncio.sleep(10)
        outcomes = await resumed(emulator, left)
    assert [outcome.state for outcome in outcomes] == [OutcomeState.SUCCESS] * 2
    assert runs_of(emulator) == {"0": 1, "1": 1}


# What time it was


class Wall:
    """The clock of our machine, which goes as fast as the loop's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        begun = utc_now()

        def now() -> datetime:
            return begun + timedelta(seconds=asyncio.get_running_loop().time() + self.ahead)

        for module in (batch_book, desk, resolver, exchange):
            monkeypatch.setattr(module, "utc_now", now)


@pytest.mark.parametrize("where", ["", "/oauth/"], ids=["no answer has a Date", "the token's answers have none"])
@pytest.mark.parametrize("ahead", [0, 300])
async def test_our_own_clock_is_not_taken_for_the_apis(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, ahead: int
) -> None:
    real = Session.send

    async def dateless(self: Session, method: str, url: str, **more: Any) -> Reply:
        reply = await real(self, method, url, **more)
        return evolve(reply, headers={k: v for k, v in reply.headers.items() if k.lower() != "date"}) if where in url else reply

    monkeypatch.setattr(Session, "send", dateless)
    Wall(monkeypatch).ahead = ahead
    emulator.control.add_fault(lost(1, kind="silence", landed=True))
    async with Process(emulator, rows(2, "a"), tmp_path / "j.db") as process:
        left = await process.kill_with(2, tmp_path / "left")
        await asyncio.sleep(10)
        outcomes = await resumed(emulator, left)
    assert runs_of(emulator) == {"0": 1, "1": 1}
    assert [outcome.state for outcome in outcomes] == [OutcomeState.SUCCESS, OutcomeState.SUCCESS if where else OutcomeState.UNKNOWN]


@pytest.mark.parametrize("back", [0, 300])
async def test_a_clock_that_is_put_right_before_the_resume(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, back: int
) -> None:
    wall = Wall(monkeypatch)
    wall.ahead = back
    emulator.control.add_fault(lost(0, kind="silence", landed=True))
    async with Process(emulator, rows(1, "a"), tmp_path / "j.db") as process:
        left = await process.kill_with(1, tmp_path / "left")
        await asyncio.sleep(10)
        wall.ahead = 0
        outcomes = await resumed(emulator, left)
    assert [outcome.state for outcome in outcomes] == [OutcomeState.SUCCESS]
    assert runs_of(emulator) == {"0": 1}


@pytest.mark.parametrize("row", [0, 1], ids=["the first POST of a process", "a later one"])
async def test_resumed_an_hour_later_when_others_have_run_it_meanwhile(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: int
) -> None:
    Wall(monkeypatch)
    emulator.control.add_fault(lost(row, kind="silence", landed=True))
    async with Process(emulator, rows(2, "a"), tmp_path / "j.db") as process:
        left = await process.kill_with(row + 1, tmp_path / "left")
        await asyncio.sleep(1800)
        emulator.control.add_execution("a", trigger="API", duration=5)
        await asyncio.sleep(1800)
        outcomes = await resumed(emulator, left)
    assert outcomes[row].state is OutcomeState.SUCCESS


# Resumed while the list cannot be read


async def killed_with_one_in_doubt(emulator: Emulator, tmp_path: Path) -> Path:
    emulator.control.add_fault(lost(0, kind="silence", landed=True))
    async with Process(emulator, rows(1, "a"), tmp_path / "j.db") as process:
        left = await process.kill_with(1, tmp_path / "left")
        await asyncio.sleep(10)
    return left


@pytest.mark.parametrize("status", [None, 403, 503], ids=["no connection", "403", "503"])
async def test_a_list_that_cannot_be_read_leaves_it_in_doubt_for_the_next_resume(
    emulator: Emulator, tmp_path: Path, status: int | None
) -> None:
    left = await killed_with_one_in_doubt(emulator, tmp_path)
    if status is None:
        emulator.control.refuse_connections()
    else:
        emulator.control.add_fault(Fault(method="GET", path="**/v1/pipeline-executions", status=status))
    (first,) = await resumed(emulator, left)
    emulator.control.accept_connections()
    emulator.control.clear_faults()
    (second,) = await resumed(emulator, left)

    assert first.state is OutcomeState.UNKNOWN
    assert "no date" not in str(first.error)
    assert (second.state, runs_of(emulator)) == (OutcomeState.SUCCESS, {"0": 1})


async def test_an_outage_that_is_shorter_than_the_patience_of_a_batch_is_waited_for(emulator: Emulator, tmp_path: Path) -> None:
    left = await killed_with_one_in_doubt(emulator, tmp_path)
    emulator.control.refuse_connections(500)
    (outcome,) = await resumed(emulator, left)
    assert (outcome.state, runs_of(emulator)) == (OutcomeState.SUCCESS, {"0": 1})


# Two batches


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_two_journals_of_one_client_leave_at_most_one_post_of_a_lane_unexplained(
    emulator: Emulator, tmp_path: Path, order: tuple[int, int]
) -> None:
    emulator.control.add_fault(lost(0, kind="silence", landed=True))
    requests = rows(2, "a")

    async def run(maia: Maia, number: int) -> None:
        async with Batch(maia.project(), requests[number : number + 1], journal=tmp_path / f"{number}.db") as batch:
            async for _ in batch:
                pass

    async with emulator.client() as maia:
        await maia.projects.list()
        tasks = []
        for number in (0, 1):
            tasks.append(asyncio.get_running_loop().create_task(run(maia, number), name="batch of a user"))
            await until(lambda: posts(emulator))
            await asyncio.sleep(5)
        assert posts(emulator) == 1

        async def never(*_: Any, **__: Any) -> Any:
            await asyncio.Event().wait()

        maia.project().runtime.exchange.session.send = never  # type: ignore[method-assign]  # as if it were killed
        left = [copied(tmp_path / f"{number}.db", tmp_path / f"left{number}") for number in (0, 1)]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await asyncio.sleep(10)
    outcomes = [outcome for number in order for outcome in await resumed(emulator, left[number])]
    # The run of the second journal, started by another process before the first is looked for, is nobody's that the first one knows.
    assert [outcome.state for outcome in outcomes] == [
        OutcomeState.SUCCESS,
        OutcomeState.SUCCESS if order[0] == 0 else OutcomeState.UNKNOWN,
    ]
    assert wrongly_attributed(emulator, outcomes) == []
    assert max(runs_of(emulator).values()) == 1


# What one process gave up


async def test_the_run_of_a_request_that_was_given_up_before_the_kill_is_not_taken_for_anothers(emulator: Emulator, tmp_path: Path) -> None:
    emulator.control.add_fault(lost(0, kind="silence", lands_after=70.0))
    emulator.control.add_fault(lost(1, kind="silence", landed=False))
    policies = {"timeout": Timeouts(connect=5.0, total=20.0)}
    async with Process(emulator, rows(2, "a", execution_tag=None), tmp_path / "j.db", policies=policies) as process:
        await until(lambda: process.seen)  # UNKNOWN: it is late, and without a tag it may not be sent again
        await asyncio.sleep(2)
        left = process.kill(tmp_path / "left")
        await until(emulator.control.executions)
        outcomes = await resumed(emulator, left)
    assert [outcome.state for outcome in outcomes] == [OutcomeState.UNKNOWN, OutcomeState.UNKNOWN]
    assert [outcome.execution_id for outcome in outcomes] == [None, None]
    assert outcomes[1].candidates == (emulator.control.executions()[0].id,)


# Killed at each step


def killed_at(step: int, folder: Path, *, count: int) -> tuple[int, dict[str, Any]]:
    """Kill a batch at this step of the loop, resume it, and kill that one at the same step again; at 0 nothing is killed."""

    async def main() -> tuple[int, dict[str, Any]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppingLoop)
        left: dict[int, Path] = {}
        async with Emulator(scenario(latency_in=0.2, latency_out=0.2)) as emulator:
            journal = folder / "j.db"
            for number in (1, 2):
                async with Process(emulator, rows(count, "ab"), journal, {"max_running": 3}) as process:

                    def strike(number: int = number, process: Process = process) -> None:
                        left[number] = process.kill(folder / f"left {number}")

                    loop.begin({step: strike})
                    await until(lambda number=number, process=process: number in left or not process.lives)
                    steps = loop.steps
                    loop.begin({})
                if number not in left:
                    break
                journal = left[number]
            outcomes = process.seen if not left else await resumed(emulator, journal, rows(count, "ab"))
            return steps, {
                "runs": runs_of(emulator),
                "states": [outcome.state.value for outcome in outcomes],
                "wrong": wrongly_attributed(emulator, outcomes),
            }

    folder.mkdir()
    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        return runner.run(main())


STRIDE = 24
FIRST = pytest.mark.parametrize("first", [1, *(pytest.param(first, marks=pytest.mark.long) for first in range(4, STRIDE, 3))])


@FIRST
def test_killed_at_each_step_it_starts_each_request_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    inline(monkeypatch)
    whole = {"runs": {str(row): 1 for row in range(4)}, "states": ["SUCCESS"] * 4, "wrong": []}
    steps, found = killed_at(0, tmp_path / "0", count=4)
    assert found == whole
    assert steps > 50
    for step in range(first, steps + 1, STRIDE):
        assert killed_at(step, tmp_path / str(step), count=4)[1] == whole, f"killed at step {step}"


# Killed at random, with answers lost at random

SETTLE = 5.0
POLICIES = {"trigger": TriggerPolicy(settle=SETTLE), "timeout": Timeouts(connect=4.0, total=8.0)}
TROUBLES: dict[str, dict[str, Any]] = {
    "504, landed": {"status": 504, "landed": True},
    "504, landed, over": {"status": 504, "ends": "SUCCESS"},
    "504, not landed": {"status": 504, "landed": False},
    "reset, landed": {"kind": "reset", "landed": True},
    "reset, not landed": {"kind": "reset", "landed": False},
    "silence, landed": {"kind": "silence", "landed": True},
    "silence, not landed": {"kind": "silence", "landed": False},
    "late": {"lands_after": 3.0},
    "paused": {"status": 429, "retry_after": 30},
    "paused for long": {"status": 429, "retry_after": 200},
}
ROW = st.tuples(st.booleans(), st.none() | st.sampled_from(sorted(TROUBLES)))
KILLS = st.lists(st.tuples(st.floats(0, 40), st.sampled_from([0.0, 3.0, 90.0, 4000.0])), max_size=4)


@settings(max_examples=20)
@given(drawn=st.lists(ROW, min_size=1, max_size=8), lanes=st.integers(1, 3), kills=KILLS, sized=st.booleans())
def test_killed_and_unlucky_at_random(drawn: list[tuple[bool, str | None]], lanes: int, kills: Any, sized: bool) -> None:
    """Without a tag what did not land cannot be told from what is not shown yet; every other doubt is resolved."""
    names = "abc"[:lanes]
    requests = [rows(len(drawn), names, **({} if auto else {"execution_tag": None}))[row] for row, (auto, _) in enumerate(drawn)]
    faults = [lost(row, **TROUBLES[trouble]) for row, (_, trouble) in enumerate(drawn) if trouble is not None]
    doubtful = {requests[row].pipeline_name for row, (auto, _) in enumerate(drawn) if not auto}

    async def main(folder: Path) -> None:
        journal, shown = folder / "j.db", dict[int, tuple[OutcomeState, str | None]]()
        async with Emulator(scenario(latency_in=(0.0, 0.5), latency_out=(0.0, 0.5), faults=faults)) as emulator:
            for number, (after, pause) in enumerate(kills):
                given_now = requests if sized else iter(requests)
                async with Process(emulator, given_now, journal, {"max_running": 5}, POLICIES) as process:
                    await asyncio.sleep(after)
                    journal = process.kill(folder / f"left {number}")
                    shown.update({outcome.index: (outcome.state, outcome.execution_id) for outcome in process.seen})
                    await asyncio.sleep(pause)
            outcomes = {outcome.index: outcome for outcome in await resumed(emulator, journal, requests, POLICIES)}
            runs = runs_of(emulator)
            assert sorted(outcomes) == list(range(len(requests)))
            assert wrongly_attributed(emulator, outcomes.values()) == []
            for row, outcome in outcomes.items():
                assert shown.get(row, (outcome.state, outcome.execution_id)) == (outcome.state, outcome.execution_id)
                if outcome.state is OutcomeState.UNKNOWN:
                    assert outcome.request.pipeline_name in doubtful
                    assert runs[str(row)] <= 1
                else:
                    assert (outcome.state, runs[str(row)]) == (OutcomeState.SUCCESS, 1)

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        inline(patch)
        one_clock(patch)
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(main(Path(folder)))
