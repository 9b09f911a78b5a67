"""An adopted run that has ended is told as soon as any other: lists are asked where it began, and not where it was found."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from orchestration.account import ENVIRONMENT
from orchestration.crashing import rows

from maia_async import Outcome, run_batch
from maia_async.emulator import Emulator, Pipeline, Scenario
from maia_async.orchestration.journal import Journal


@pytest.mark.parametrize("count", [12, 18, 60])
async def test_an_adopted_run_that_has_ended_is_told_soon(tmp_path: Path, count: int) -> None:
    path = tmp_path / "j.db"
    requests = rows(count, "abc")
    seen: dict[int, float] = {}

    def told(outcome: Outcome) -> None:
        seen[outcome.index] = asyncio.get_running_loop().time() - began

    async with Emulator(Scenario.of(*(Pipeline(name=n, duration=2) for n in "abc"))) as emulator:
        async with emulator.client() as maia:
            await maia.projects.list()
            project = maia.project()
            async with await Journal.open(path, project_id=project.id, base_url=emulator.base_url) as journal:
                await journal.plan(requests)
                sent = requests[0].with_tag()
                await journal.intent(0, requests[0], tag=sent.execution_tag, server_time=project.runtime.exchange.server_time())
                await project.execute("a", ENVIRONMENT, execution_tag=sent.execution_tag, scalar_variables=sent.scalar_variables)
        began = asyncio.get_running_loop().time()
        async with emulator.client() as maia:
            await run_batch(maia.project(), None, told, journal=path)
    assert seen[0] < 22
