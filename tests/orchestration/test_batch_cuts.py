"""Cancelled at every step: a batch with a journal, from its entering to its leaving, and `execute()` while a lost answer is looked for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from orchestration.account import others, starting
from orchestration.crashing import inline, resumed, rows, runs_of, scenario, wrongly_attributed
from orchestration.stepping import Played, SteppingLoop, every_step

from maia_async import Batch, TriggerOutcomeUnknown, TriggerPolicy, journal_summary
from maia_async.emulator import Emulator, Fault

COUNT = 4
STRIDE = 27
FIRST = pytest.mark.parametrize("first", [1, *(pytest.param(first, marks=pytest.mark.long) for first in range(4, STRIDE, 3))])
LOST = starting(status=504, landed=True, times=1)


def files_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def cancelled_at(at: tuple[int, ...], folder: Path, options: dict[str, Any], faults: tuple[Fault, ...]) -> tuple[int, str]:
    """Cancel a batch at these steps of the loop, then resume it; how many steps it took, and what is wrong with what came of it."""

    async def main() -> tuple[int, str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppingLoop)
        journal, handed = folder / "j.db", set[str | None]()
        async with Emulator(scenario(latency_in=0.2, latency_out=0.2, faults=faults)) as emulator:
            before = asyncio.all_tasks()

            async def used() -> None:
                async with emulator.client(trigger=TriggerPolicy(settle=3)) as maia:
                    batch = Batch(maia.project(), rows(COUNT, "ab"), journal=journal, max_running=3, **options)
                    try:
                        async with batch:
                            async for _ in batch:
                                pass
                    finally:
                        handed.update(outcome.execution_id for outcome in batch.report().outcomes)
                        handed.update(execution.id for execution in batch.outstanding)

            task = loop.create_task(used(), name="under test")
            loop.begin(dict.fromkeys(at, task.cancel))
            await asyncio.wait([task])
            steps = loop.steps
            loop.begin({})
            if left := others(before):
                return steps, f"left behind: {left}"
            if not task.cancelled() and task.exception() is not None:
                return steps, f"ended with {task.exception()!r}"
            await asyncio.sleep(1)  # whatever is on its way arrives
            files = files_in(folder)
            known = {entry.execution_tag for entry in (await journal_summary(journal)).entries} if files else set()
            if lost := [run for run in emulator.control.executions() if run.id not in handed and run.execution_tag not in known]:
                return steps, f"lost: {lost}"
            if files not in ([], ["j.db"]):
                return steps, f"files: {files}"
            outcomes = await resumed(emulator, journal, rows(COUNT, "ab"))
            runs, ends = runs_of(emulator), sorted((outcome.index, outcome.state.value) for outcome in outcomes)
            allowed = {"SUCCESS"} if options.get("on_cancel", "leave") == "leave" else {"SUCCESS", "CANCELLED"}
            if [row for row, _ in ends] != list(range(COUNT)) or not {state for _, state in ends} <= allowed:
                return steps, f"outcomes: {ends}"
            if runs != {str(row): 1 for row in range(COUNT)} or wrongly_attributed(emulator, outcomes):
                return steps, f"runs: {runs}, wrong: {wrongly_attributed(emulator, outcomes)}"
            return steps, ""

    folder.mkdir()
    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        return runner.run(main())


@FIRST
@pytest.mark.parametrize("again_after", [None, 1, 5], ids=["once", "again at once", "again 5 later"])
@pytest.mark.parametrize(
    ("options", "faults"),
    [({}, ()), ({}, (LOST,)), ({"on_cancel": "confirm"}, ())],
    ids=["leave", "leave, an answer lost", "confirm"],
)
def test_a_batch_that_is_cancelled_at_any_step_is_resumed_to_one_run_for_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Any, faults: Any, again_after: int | None, first: int
) -> None:
    inline(monkeypatch)
    steps, wrong = cancelled_at((), tmp_path / "0", options, faults)
    assert wrong == ""
    assert steps > 50
    for step in range(first, steps + 1, STRIDE * (3 if again_after else 1)):
        at = (step,) if again_after is None else (step, step + again_after)
        assert cancelled_at(at, tmp_path / str(step), options, faults)[1] == "", f"cancelled at steps {at}"


@pytest.mark.long
def test_entering_that_is_cancelled_at_any_step_leaves_a_journal_that_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inline(monkeypatch)
    for step in range(1, 30):
        assert cancelled_at((step,), tmp_path / str(step), {}, ())[1] == "", f"cancelled at step {step}"


@pytest.mark.parametrize("again_after", [None, 1, 5], ids=["once", "again at once", "again 5 later"])
@pytest.mark.parametrize("landed", [True, False], ids=["landed", "not landed"])
def test_execute_that_is_cancelled_while_a_lost_answer_is_looked_for(landed: bool, again_after: int | None) -> None:
    async def use(played: Played) -> None:
        played.emulator.control.add_fault(starting(status=504, landed=landed, times=1))
        async with played.emulator.client(observers=[played.events.append], trigger=TriggerPolicy(settle=3)) as maia:
            execution = await maia.project().execute("long", "Environment-1")
            played.handed.add(execution.id)

    met = {"steps": 0, "an id": 0, "in doubt": 0}
    for step, played in every_step(use, again_after=again_after):
        where = f"cancelled at step {step}"
        assert played.lost() == [], where
        assert played.left_behind == [], where
        assert len(played.runs) <= 1, where
        assert played.error is None or isinstance(played.error, asyncio.CancelledError | TriggerOutcomeUnknown), where
        met["steps"] += 1
        met["an id"] += any(event.execution_id is not None for event in played.abandoned())
        met["in doubt"] += any(event.execution_id is None for event in played.abandoned())
    assert met["an id" if landed else "steps"] > 2, met
