"""What one process gave up, the next one has not forgotten: its run may still show, and is not taken for another request's."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from maia_async import Batch, ExecutionRequest, OutcomeState, run_batch
from maia_async.emulator import Emulator, Fault, Pipeline, Scenario

TRIGGERS = "**/pipeline-executions"


def row(number: int) -> ExecutionRequest:
    return ExecutionRequest(pipeline_name="a", environment_name="Environment-1", scalar_variables={"row": str(number)}, execution_tag=None)


def crash_image(path: Path, image: Path) -> None:
    for suffix in ("", "-wal"):
        if (part := Path(f"{path}{suffix}")).exists():
            shutil.copy(part, f"{image}{suffix}")


async def test_a_run_that_shows_late_is_not_taken_for_the_next_requests(tmp_path: Path) -> None:
    path, image = tmp_path / "journal.db", tmp_path / "image.db"
    async with Emulator(Scenario.of(Pipeline(name="a", duration=9000))) as emulator:
        async with emulator.client() as maia:
            await maia.projects.list()
            one = {"scalarVariables": {"row": "0"}}
            emulator.control.add_fault(Fault(method="POST", path=TRIGGERS, request=one, kind="silence", lands_after=90, times=1))
            other = {"scalarVariables": {"row": "1"}}
            emulator.control.add_fault(Fault(method="POST", path=TRIGGERS, request=other, kind="silence", landed=False))
            async with Batch(maia.project(), [row(0), row(1)], journal=path) as batch:
                first = await anext(aiter(batch))
                assert (first.index, first.state) == (0, OutcomeState.UNKNOWN)
                await asyncio.sleep(1)  # the other POST is out, and does not land
                crash_image(path, image)
                await asyncio.sleep(10)
            emulator.control.clear_faults()
        async with emulator.client() as maia:
            await asyncio.sleep(20)
            (late,) = emulator.control.executions()
            assert late.scalar_variables == {"row": "0"}
            report = await run_batch(maia.project(), None, journal=image, timeout=400)

    assert [outcome.state for outcome in report.outcomes] == [OutcomeState.UNKNOWN, OutcomeState.UNKNOWN]
    assert report.outcomes[1].candidates == (late.id,)
