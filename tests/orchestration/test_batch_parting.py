"""What `run_batch` hands over when it raises: the batch, the ids, and the outcomes that were not told yet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest
from attrs import frozen
from orchestration.account import ours, request, scenario, starting

from maia_async import Batch, Maia, Outcome, TriggerPolicy, Unauthorized, run_batch
from maia_async.emulator import Emulator

ROWS = [request("short"), request("long"), request("good"), request("long")]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario()) as running:
        running.control.add_fault(starting("good", status=502, landed=True))
        # Somebody else has just started it, too: what becomes of a lost answer cannot be found out.
        running.control.add_execution("good", trigger="API", started_ago=60)
        yield running


@pytest.fixture
async def maia(emulator: Emulator) -> AsyncIterator[Maia]:
    async with emulator.client(trigger=TriggerPolicy(settle=1.0)) as client:
        yield client


async def cancelled(coroutine: Any, after: float) -> asyncio.CancelledError:
    """The very CancelledError that leaves `coroutine`."""
    left: list[asyncio.CancelledError] = []

    async def use() -> None:
        try:
            await coroutine
        except asyncio.CancelledError as error:
            left.append(error)
            raise

    task = asyncio.get_running_loop().create_task(use(), name="user")
    await anyio.sleep(after)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    return left[0]


async def test_a_cancelled_run_batch_tells_the_rest_and_carries_its_batch(
    emulator: Emulator, maia: Maia, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Outcome] = []

    error = await cancelled(run_batch(maia.project(), ROWS, told.append), after=20)

    assert [(outcome.index, outcome.state.value) for outcome in told] == [
        (2, "UNKNOWN"),
        (0, "SUCCESS"),
        (1, "LEFT_RUNNING"),
        (3, "LEFT_RUNNING"),
    ]
    ids = [run.id for run in emulator.control.executions() if run.pipeline_name == "long"]
    batch = vars(error)["batch"]
    assert isinstance(batch, Batch)
    assert {execution.id for execution in batch.outstanding} == set(ids)
    (note,) = error.__notes__
    tag = told[0].request.execution_tag
    assert note.startswith("the batch ended early; 2 executions go on: ")
    assert all(name in note for name in ids)
    (candidate,) = [run.id for run in emulator.control.executions() if run.execution_tag == tag]
    assert note.endswith(f"1 requests may have started a run: [2] 'good' with tag '{tag}' (candidates {candidate})")
    (logged,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert logged == f"a {note.removeprefix('the ')}"
    assert ours() == []


async def test_a_run_batch_that_nobody_listens_to_carries_its_batch_too(emulator: Emulator, maia: Maia) -> None:
    error = await cancelled(run_batch(maia.project(), [request("long")]), after=5)

    (execution,) = vars(error)["batch"].outstanding
    assert [run.id for run in emulator.control.executions() if run.pipeline_name == "long"] == [execution.id]
    assert execution.id in error.__notes__[0]


async def test_the_error_that_ends_the_iteration_carries_the_batch_and_every_outcome_was_told(emulator: Emulator, maia: Maia) -> None:
    told: list[Outcome] = []
    emulator.control.add_fault(starting(skip=1, status=401))

    with pytest.raises(Unauthorized) as caught:
        await run_batch(maia.project(), [request("long")] * 5, told.append, max_running=2)

    batch = vars(caught.value)["batch"]
    assert [outcome.index for outcome in sorted(told, key=lambda outcome: outcome.index)] == list(range(batch.report().total))
    assert batch.outstanding[0].id in caught.value.__notes__[0]


async def test_a_batch_that_left_nothing_says_nothing(maia: Maia) -> None:
    def raises(outcome: Outcome) -> None:
        raise KeyError("full")

    with pytest.raises(KeyError) as caught:
        await run_batch(maia.project(), [request("instant")], raises)

    assert not hasattr(caught.value, "__notes__")
    assert vars(caught.value)["batch"].report().succeeded


async def test_what_raised_itself_is_not_told_any_more(maia: Maia) -> None:
    calls: list[int] = []

    def raises(outcome: Outcome) -> None:
        calls.append(outcome.index)
        raise KeyError("full")

    with pytest.raises(KeyError) as caught:
        await run_batch(maia.project(), ROWS, raises)

    assert calls == [2]
    assert len(vars(caught.value)["batch"].outstanding) == 3


async def test_what_raises_at_the_end_does_not_hide_why_the_batch_ended(maia: Maia, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def raises_late(outcome: Outcome) -> None:
        calls.append(outcome.index)
        if outcome.execution_id is not None and not outcome.succeeded:
            raise KeyError("full")

    error = await cancelled(run_batch(maia.project(), ROWS, raises_late), after=20)

    assert len(vars(error)["batch"].outstanding) == 2
    assert calls == [2, 0, 1]
    assert any("on_outcome failed for request 1" in record.getMessage() for record in caplog.records)


def _async_function(told: list[int]) -> Callable[[Outcome], Awaitable[None]]:
    async def hear(outcome: Outcome) -> None:
        told.append(outcome.index)

    return hear


def _returns_a_coroutine(told: list[int]) -> Callable[[Outcome], Awaitable[None]]:
    hear = _async_function(told)

    def call(outcome: Outcome) -> Awaitable[None]:
        return hear(outcome)

    return call


@pytest.mark.parametrize("kind", [_async_function, _returns_a_coroutine])
@pytest.mark.parametrize("after", [2.0, 20.0], ids=["before it was ever called", "later"])
async def test_an_async_listener_is_not_told_the_rest(maia: Maia, kind: Any, after: float) -> None:
    told: list[int] = []

    error = await cancelled(run_batch(maia.project(), [request("short"), request("long")], kind(told)), after=after)

    assert told == ([0] if after > 5 else [])
    assert vars(error)["batch"].report().total == 2


async def test_an_exception_that_is_frozen_carries_the_batch_all_the_same(maia: Maia) -> None:
    @frozen
    class Frozen(Exception):
        reason: str

    def raises(outcome: Outcome) -> None:
        raise Frozen("full")

    with pytest.raises(Frozen) as caught:
        await run_batch(maia.project(), [request("instant")], raises)

    assert isinstance(vars(caught.value)["batch"], Batch)
