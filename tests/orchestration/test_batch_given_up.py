"""What one process gave up, the next one has not forgotten: its run may still show, and is not taken for another request's."""

from __future__ import annotations

import asyncio
from pathlib import Path

from orchestration.crashing import lost, rows
from orchestration.journal.kit import copied

from maia_async import Batch, OutcomeState, run_batch
from maia_async.emulator import Emulator, Pipeline, Scenario


async def test_a_run_that_shows_late_is_not_taken_for_the_next_requests(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with Emulator(Scenario.of(Pipeline(name="a", duration=9000))) as emulator:
        async with emulator.client() as maia:
            await maia.projects.list()
            emulator.control.add_fault(lost(0, kind="silence", lands_after=90))
            emulator.control.add_fault(lost(1, kind="silence", landed=False, times=None))
            async with Batch(maia.project(), rows(2, "a", execution_tag=None), journal=path) as batch:
                first = await anext(aiter(batch))
                assert (first.index, first.state) == (0, OutcomeState.UNKNOWN)
                await asyncio.sleep(1)  # the other POST is out, and does not land
                image = copied(path, tmp_path / "image")
                await asyncio.sleep(10)
            emulator.control.clear_faults()
        async with emulator.client() as maia:
            await asyncio.sleep(20)
            (late,) = emulator.control.executions()
            assert late.scalar_variables == {"row": "0"}
            report = await run_batch(maia.project(), None, journal=image, timeout=400)

    assert [outcome.state for outcome in report.outcomes] == [OutcomeState.UNKNOWN, OutcomeState.UNKNOWN]
    assert report.outcomes[1].candidates == (late.id,)
