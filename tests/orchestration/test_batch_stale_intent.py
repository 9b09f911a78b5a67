"""A POST that goes out long after its intent was first written down: after a kill its run is looked for where it can be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from orchestration.account import posts, starting
from orchestration.crashing import Process, lost, resumed, rows, runs_of, scenario, until
from orchestration.journal.kit import copied

from maia_async import Batch, OutcomeState, run_batch
from maia_async.emulator import Emulator, Pipeline, Scenario


def delay(emulator: Emulator, why: str) -> None:
    if why == "no connection":
        emulator.control.refuse_connections(150)
    elif why == "429, tried again by the client":
        emulator.control.add_fault(starting(status=429, retry_after=110, landed=False, times=2))
    elif why == "429, held by the batch":
        emulator.control.add_fault(starting(status=429, retry_after=200, landed=False, times=1))
    else:
        emulator.control.add_fault(starting(kind="silence", landed=False, times=2))


@pytest.mark.parametrize("why", ["no connection", "429, tried again by the client", "429, held by the batch", "sent again"])
@pytest.mark.parametrize("later", [5, 100, 1000])
@pytest.mark.parametrize("duration", [3, 2000])
async def test_a_run_that_began_long_after_its_intent_is_found(tmp_path: Path, why: str, later: float, duration: float) -> None:
    path = tmp_path / "journal.db"
    async with Emulator(Scenario.of(Pipeline(name="a", duration=duration))) as emulator:
        async with emulator.client() as maia:
            await maia.projects.list()
            delay(emulator, why)
            emulator.control.add_fault(starting(kind="silence", landed=True, times=1))
            async with Batch(maia.project(), rows(1, "a"), journal=path):
                while not emulator.control.executions():  # noqa: ASYNC110 - what is waited for happens on the server
                    await asyncio.sleep(1)
                image = copied(path, tmp_path / "image")  # as if it were killed now
            emulator.control.clear_faults()
        await asyncio.sleep(later)
        async with emulator.client() as maia:
            report = await run_batch(maia.project(), None, journal=image)

        (run,) = emulator.control.executions()
    assert [(outcome.state, outcome.execution_id) for outcome in report.outcomes] == [(OutcomeState.SUCCESS, run.id)]


# Sent twice: what is in doubt of the first POST is not forgotten with the second


async def test_one_whose_first_post_a_409_proved_is_found_after_a_kill(tmp_path: Path) -> None:
    async with Emulator(scenario(latency_out=0.2, list_lag=40.0)) as emulator:
        emulator.control.add_fault(lost(0, status=504, landed=True))
        async with Process(emulator, rows(1, ["long"]), tmp_path / "j.db") as process:
            await until(lambda: posts(emulator) == 2)
            await asyncio.sleep(2)
            left = process.kill(tmp_path / "left")
            (run,) = emulator.control.executions()
            emulator.control.finish(run.id)
            await asyncio.sleep(100)  # the list shows it now, and its tag is free again
            outcomes = await resumed(emulator, left)
        assert [(outcome.state, outcome.execution_id) for outcome in outcomes] == [(OutcomeState.SUCCESS, run.id)]
        assert runs_of(emulator) == {"0": 1}


@pytest.mark.parametrize("later", [0, 1100])
async def test_one_whose_second_post_was_refused_is_never_sent_with_another_tag(tmp_path: Path, later: float) -> None:
    async with Emulator(scenario(latency_out=0.2, list_lag=40.0)) as emulator:
        emulator.control.add_fault(lost(0, status=504, landed=True))
        emulator.control.add_fault(lost(0, status=429, retry_after=1000 if later else 300, skip=1))
        requests = rows(1, ["long"])
        async with emulator.client() as maia, Batch(maia.project(), requests, journal=tmp_path / "j.db"):
            await until(lambda: posts(emulator) == 2)
            await asyncio.sleep(1)
        await asyncio.sleep(later)
        async with Process(emulator, requests, tmp_path / "j.db"):
            await asyncio.sleep(200)
        assert runs_of(emulator) == {"0": 1}
