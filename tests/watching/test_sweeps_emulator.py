"""Waits by lists through the whole client: every way to read the list's documentation, and what makes lists hard to trust."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from maia_async.emulator import Emulator, ListFaults, Readings

pytestmark = pytest.mark.long


async def waits(emulator: Emulator, *, within: float, runs: int = 40, upper: bool = False) -> None:
    """Runs of 2 to 80 s that started in the last minute are awaited; each ends with its status, not early, and within `within` seconds."""
    control = emulator.control
    lengths = [62.0 + 2 * number for number in range(runs)]
    outcomes = ["SUCCESS", "FAILED", "CANCELLED"]
    ids = control.add_executions(durations=lengths, started_over=60.0, outcomes=outcomes)
    ends = control.ends(ids)
    wrong: dict[str, Any] = {}
    async with emulator.client() as client:

        async def one(number: int, run: str) -> None:
            details = await client.project().execution(run.upper() if upper else run).wait(check=False)
            end = ends[run]
            assert end is not None
            late = control.now - end
            if details.status != outcomes[number % 3] or not 0 <= late <= within:
                wrong[run] = details.status, late

        with anyio.fail_after(900):
            async with anyio.create_task_group() as tasks:
                for number, run in enumerate(ids):
                    tasks.start_soon(one, number, run)
    assert not wrong
    assert control.statistics()["refused_429"] == 0
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("maia_async")]


@pytest.mark.parametrize("readings", Readings.every_list(), ids=lambda readings: str(readings.differences()))
async def test_every_reading_of_the_list(readings: Readings) -> None:
    async with Emulator(readings=readings) as emulator:
        await waits(emulator, within=20)


@pytest.mark.parametrize(
    ("lies", "within"),
    [
        (lambda control: control.set_network(list_lag=5), 8),
        (lambda control: control.set_network(list_lag=1e6), 20),
        (lambda control: control.set_network(list_status_lag=10), 20),
        (lambda control: control.set_list_faults(ListFaults(repeat_more="every")), 20),
        (lambda control: control.set_list_faults(ListFaults(empty_last=True)), 8),
        (lambda control: control.set_readings(page_tokens="offset", max_page_size=7), 12),
        (lambda control: control.add_crowd(3000, pipelines=("q",), started_over=900, starting_over=300, duration=(5, 600)), 8),
        (lambda control: control.set_others(400), 20),
    ],
)
async def test_what_makes_lists_hard_to_trust(lies: Callable[[Any], Any], within: float) -> None:
    async with Emulator() as emulator:
        lies(emulator.control)
        await waits(emulator, within=within)


async def test_ids_that_the_caller_spells_in_other_letters() -> None:
    async with Emulator() as emulator:
        await waits(emulator, within=20, upper=True)
