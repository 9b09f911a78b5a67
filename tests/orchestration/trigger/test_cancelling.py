"""Cancels and closes at every step of a request that is in doubt: no run is lost, none is started twice, nothing is left running."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any

import pytest
from orchestration.account import ENVIRONMENT
from orchestration.stepping import Played, every_step, play
from orchestration.trigger.lossy import Lossy

from maia_async import Maia, SessionClosed, TriggerOutcomeUnknown, TriggerPolicy

FATES = pytest.mark.parametrize("landed", [True, False], ids=["landed", "not landed"])
AGAIN = pytest.mark.parametrize("again_after", [None, pytest.param(2, marks=pytest.mark.long)], ids=["once", "again 2 later"])


def client(played: Played) -> Maia:
    return played.emulator.client(observers=[played.events.append], trigger=TriggerPolicy(settle=3.0))


def no_second_run(played: Played, where: str) -> None:
    tags = Counter(run.execution_tag for run in played.runs)
    assert not tags or max(tags.values()) == 1, where


async def whole(tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for them, whoever is cancelled meanwhile: that they are not disturbed is what is under test."""
    while pending := [task for task in tasks if not task.done()]:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(pending)


@FATES
@AGAIN
def test_execute(landed: bool, again_after: int | None) -> None:
    async def use(played: Played) -> None:
        Lossy(played.emulator, landed=landed)
        async with client(played) as maia:
            execution = await maia.project().execute("long", ENVIRONMENT)
            played.handed.add(execution.id)

    met: Counter[str] = Counter()
    for step, played in every_step(use, again_after=again_after):
        where = f"cancelled at step {step}"
        assert played.lost() == [], where
        assert played.left_behind == [], where
        assert played.error is None or isinstance(played.error, asyncio.CancelledError), where
        no_second_run(played, where)
        met["id"] += any(event.execution_id is not None for event in played.abandoned())
        met["no id"] += any(event.execution_id is None for event in played.abandoned())
        met["not sent"] += not played.runs and not played.abandoned()
    # Withdrawn in doubt, one that did not land is not sent again: nobody can say more than that.
    assert met["not sent"] > 3
    assert met["id"] > 3
    assert landed or met["no id"] > 3


@FATES
def test_several_of_a_lane_one_of_them_cancelled(landed: bool) -> None:
    async def use(played: Played) -> None:
        Lossy(played.emulator, landed=landed, hits=lambda number, time: number < 2 and time == 0)
        async with client(played) as maia:
            others = [asyncio.get_running_loop().create_task(maia.project().execute("long", ENVIRONMENT), name="other") for _ in range(2)]
            try:
                played.handed.add((await maia.project().execute("long", ENVIRONMENT)).id)
            finally:
                await whole(others)
                played.facts["others"] = [task.result().id for task in others]
                played.handed.update(played.facts["others"])

    for step, played in every_step(use):
        where = f"cancelled at step {step}"
        assert played.lost() == [], where
        assert played.left_behind == [], where
        no_second_run(played, where)
        assert len(set(played.facts.get("others", [1, 2]))) == 2, where


@FATES
def test_a_client_that_another_task_closes(landed: bool) -> None:
    async def use(played: Played) -> None:
        Lossy(played.emulator, landed=landed)
        maia = played.facts["maia"] = client(played)
        try:
            played.handed.add((await maia.project().execute("long", ENVIRONMENT)).id)
        except SessionClosed:
            played.facts["closed"] = True
        except TriggerOutcomeUnknown as error:
            played.facts["unknown"] = error
            played.handed.update(error.candidates)
        await maia.aclose()
        if "closing" in played.facts:
            await played.facts["closing"]

    def close(played: Played) -> None:
        if "maia" in played.facts:
            played.facts["closing"] = asyncio.get_running_loop().create_task(played.facts["maia"].aclose(), name="closing")

    undisturbed = play(use)
    assert undisturbed.lost() == []
    met: Counter[str] = Counter()
    for step in range(1, undisturbed.steps + 1):
        played: Any = play(use, step, strike=close)
        where = f"closed at step {step}"
        assert played.error is None, where
        assert played.lost() == [], where
        assert [name for name in played.left_behind if "name='closing'" not in name] == [], where
        no_second_run(played, where)
        met.update(key for key in ("closed", "unknown") if key in played.facts)
    assert met["closed"] > 3
    assert landed or met["unknown"] > 3
