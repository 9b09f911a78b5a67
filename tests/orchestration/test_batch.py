"""A batch against the emulator: order, bounds, reading under back-pressure, `run_batch`, and what misuse gets.

The rows of its own table are in `test_batch_table.py`, what goes wrong in `test_batch_troubles.py`, random mixes in `test_batch_mixes.py`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from orchestration.account import ENVIRONMENT, most_at_once, ours, outcomes, patches, posts, request, scenario, starting, states

from maia_async import (
    AUTO,
    Batch,
    ConfigurationError,
    ExecutionRequest,
    Maia,
    MisuseError,
    Outcome,
    RetryPolicy,
    SessionClosed,
    run_batch,
)
from maia_async.emulator import Emulator
from maia_async.orchestration.batch.pump import MIN_UNREAD
from maia_async.orchestration.batch.starts import MAX_TRIGGERS

CANNOT_CONNECT = RetryPolicy(max_tries=2, base=0.1, cap=0.1)


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario()) as running:
        yield running


# What comes out


async def test_outcomes_come_in_order_of_completion_and_the_report_in_order_of_the_input(maia: Maia, now: Any) -> None:
    rows = [request(name) for name in ("takes 20", "takes 3", "takes 40", "instant", "takes 10")]
    batch = Batch(maia.project(), rows)
    async with batch:
        came = [(outcome.index, now()) async for outcome in batch]

    assert [index for index, _ in came] == [3, 1, 4, 0, 2]
    for (_, at), seconds in zip(came, (0, 3, 10, 20, 40), strict=True):
        assert seconds <= at <= seconds * 1.1 + 1.1  # noticed within a tenth of its age, or a second
    report = batch.report()
    assert [outcome.index for outcome in report.outcomes] == [0, 1, 2, 3, 4]
    assert report.succeeded
    assert report.not_read == 0
    assert (report.durations.p50, report.durations.max) == (10, 40)
    assert report.seconds == pytest.approx(came[-1][1])


async def test_an_outcome_holds_the_request_as_it_was_sent_and_what_became_of_it(emulator: Emulator, maia: Maia) -> None:
    (outcome,) = await outcomes(Batch(maia.project(), [request("fails", scalar_variables={"day": "1"})]))

    (run,) = emulator.control.executions()
    assert outcome.execution_id == run.id
    assert outcome.request.execution_tag == run.execution_tag
    assert outcome.request.execution_tag is not AUTO
    assert run.scalar_variables == {"day": "1"}
    assert outcome.state == "FAILED"
    assert outcome.error is None
    assert outcome.details is not None
    assert outcome.details.message == "no such table"
    assert outcome.triggered_at is not None
    assert outcome.finished_at is not None
    assert outcome.triggered_at <= outcome.finished_at
    assert not outcome.replayed


async def test_requests_used_is_what_the_server_saw_and_no_more_once_the_batch_has_ended(emulator: Emulator, maia: Maia) -> None:
    await maia.projects.list()
    before = len(emulator.control.requests())
    batch = Batch(maia.project(), [request("takes 10")] * 5)
    await outcomes(batch)
    seen = len(emulator.control.requests()) - before
    await maia.projects.list()

    assert batch.report().requests_used == seen


async def test_the_report_and_what_is_outstanding_can_be_read_at_any_time(maia: Maia) -> None:
    batch = Batch(maia.project(), [request("short"), request("long"), request("long")], max_running=2)
    assert (batch.report().total, batch.report().not_read, batch.outstanding) == (0, None, ())
    async with batch:
        first = await anext(batch)
        during, running = batch.report(), batch.outstanding

    assert first.index == 0
    assert (during.total, during.not_read, during.seconds) == (1, 1, pytest.approx(5, abs=1))
    assert [execution.id for execution in running] == [batch.report().outcomes[1].execution_id]
    after = batch.report()
    assert states(after.outcomes) == ["SUCCESS", "LEFT_RUNNING"]
    assert after.not_read == 1
    assert [execution.id for execution in batch.outstanding] == [execution.id for execution in running]
    assert json.loads(after.to_json())["total"] == after.total


async def test_a_batch_that_nobody_iterates_over_is_left_when_the_block_ends(emulator: Emulator, maia: Maia) -> None:
    async with Batch(maia.project(), [request("long")]) as batch:
        await anyio.sleep(1)

    assert states(batch.report().outcomes) == ["LEFT_RUNNING"]
    assert ours() == []


async def test_an_empty_batch_ends_at_once_and_succeeded(emulator: Emulator, maia: Maia) -> None:
    report = await run_batch(maia.project(), [])

    assert report.succeeded
    assert report.total == 0
    assert posts(emulator) == 0


async def test_two_tasks_may_share_the_outcomes(maia: Maia) -> None:
    found: list[int] = []
    async with Batch(maia.project(), [request("takes 1")] * 20) as batch:

        async def take() -> None:
            found.extend([outcome.index async for outcome in batch])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            tasks.start_soon(take)

    assert sorted(found) == list(range(20))


# Bounds


@pytest.mark.parametrize("bound", [1, 2, 7, 100])
async def test_never_more_than_max_running_run_at_once_and_the_bound_is_used(bound: int) -> None:
    names = itertools.cycle(["takes 3", "takes 1", "takes 10", "instant", "fails", "disabled"])
    rows = [request(next(names)) for _ in range(40)]
    async with Emulator(scenario(latency_in=(0.05, 0.5), latency_out=(0.05, 0.5))) as emulator, emulator.client() as maia:
        batch = Batch(maia.project(), rows, max_running=bound)
        await outcomes(batch)

        most = most_at_once(emulator)
    assert most <= bound
    assert most > 0.5 * min(bound, 25)
    assert batch.report().total == 40


async def test_no_more_posts_are_under_way_than_the_rate_needs(emulator: Emulator) -> None:
    emulator.control.add_fault(starting(delay=5))
    async with emulator.client(rate_limit=None) as maia, Batch(maia.project(), [request("instant")] * 200, max_running=200):
        await anyio.sleep(3)
        assert posts(emulator) == MAX_TRIGGERS


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_endless_input_is_read_only_as_far_as_there_is_room(maia: Maia, kind: str) -> None:
    taken: list[int] = []

    def endless() -> Iterator[ExecutionRequest]:
        for number in itertools.count():
            taken.append(number)
            yield request("takes 1")

    async def endless_async() -> AsyncIterator[ExecutionRequest]:
        for row in endless():
            await anyio.lowlevel.checkpoint()
            yield row

    async with Batch(maia.project(), endless() if kind == "sync" else endless_async(), max_running=10) as batch:
        await anyio.sleep(0.5)
        assert len(taken) == 10  # all of them run, none has ended
        await anyio.sleep(500)
        stopped = len(taken)  # because nobody takes the outcomes
        assert MIN_UNREAD <= stopped < MIN_UNREAD + 10
        assert batch.report().total == stopped
        for _ in range(50):
            await anext(batch)
        await anyio.sleep(500)
        assert MIN_UNREAD + 50 <= len(taken) < MIN_UNREAD + 60
    assert batch.report().not_read is None
    assert batch.outstanding == ()


async def test_a_slow_async_input_is_awaited_and_does_not_hold_up_what_runs(maia: Maia, now: Any) -> None:
    async def slow() -> AsyncIterator[ExecutionRequest]:
        for _ in range(3):
            await anyio.sleep(100)
            yield request("takes 10")

    async with Batch(maia.project(), slow()) as batch:
        at = [now() async for _ in batch]

    assert at == pytest.approx([110, 210, 310], abs=2)


# run_batch


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_on_outcome_is_told_each_outcome_and_awaited(maia: Maia, kind: str) -> None:
    told: list[int] = []

    def hear(outcome: Outcome) -> None:
        told.append(outcome.index)

    async def hear_slowly(outcome: Outcome) -> None:
        await anyio.sleep(1)
        told.append(outcome.index)

    rows = [request("takes 3"), request("takes 1"), request("fails")]
    report = await run_batch(maia.project(), rows, hear if kind == "sync" else hear_slowly)

    assert told == [1, 0, 2]
    assert report.total == 3


@pytest.mark.parametrize("on_cancel", ["leave", "cancel"])
async def test_what_on_outcome_raises_leaves_the_batch_early_and_the_ids_are_logged(
    emulator: Emulator, maia: Maia, caplog: pytest.LogCaptureFixture, on_cancel: Any
) -> None:
    def hear(outcome: Outcome) -> None:
        raise KeyError("full")

    with pytest.raises(KeyError, match="full"):
        await run_batch(maia.project(), [request("short"), request("long")], hear, on_cancel=on_cancel)

    (long,) = (run for run in emulator.control.executions() if run.pipeline_name == "long")
    assert patches(emulator) == ([] if on_cancel == "leave" else [long.id])
    assert any(f"1 executions go on: {long.id}" in record.getMessage() for record in caplog.records)
    assert ours() == []


async def test_run_batch_that_is_cancelled_ends_with_that_cancellation(emulator: Emulator, maia: Maia) -> None:
    with anyio.move_on_after(5) as scope:
        await run_batch(maia.project(), [request("long")], on_cancel="cancel")

    assert scope.cancelled_caught
    assert [run.status for run in emulator.control.executions()] == ["CANCELLING"]
    assert ours() == []


# Misuse


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_running", 0),
        ("max_running", -1),
        ("max_running", 2.5),
        ("max_running", True),
        ("max_running", "5"),
        ("on_failure", "abort"),
        ("on_conflict", "retry"),
        ("on_cancel", None),
        ("conflict_timeout", 0),
        ("conflict_timeout", None),
        ("conflict_timeout", float("nan")),
        ("timeout", 0),
        ("timeout", -1.0),
        ("timeout", "10"),
        ("timeout", True),
        ("timeout", float("nan")),
    ],
)
async def test_an_option_that_makes_no_sense_is_refused_by_its_name(maia: Maia, option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=option):
        Batch(maia.project(), [], **{option: value})


async def test_a_batch_is_used_once_and_inside_its_block(maia: Maia) -> None:
    batch = Batch(maia.project(), [request("instant")])
    with pytest.raises(MisuseError, match="enter the batch first"):
        await anext(batch)
    await outcomes(batch)
    with pytest.raises(MisuseError, match="make a new one"):
        await batch.__aenter__()
    assert batch.report().succeeded
    with pytest.raises(StopAsyncIteration):
        await anext(batch)


async def test_a_batch_of_a_closed_client_says_so(emulator: Emulator) -> None:
    maia = emulator.client()
    await maia.aclose()
    with pytest.raises(SessionClosed):
        await run_batch(maia.project(), [request()])


async def test_a_client_that_is_closed_before_the_batch_took_its_first_step_ends_the_iteration(emulator: Emulator) -> None:
    maia = emulator.client()
    batch = Batch(maia.project(), [request()])
    async with batch:
        await maia.aclose()
        with pytest.raises(SessionClosed):
            await anext(batch)
    assert batch.report().total == 0
    assert posts(emulator) == 0


async def test_a_foreign_item_of_a_lazy_input_is_a_misuse_told_when_the_rest_has_ended(maia: Maia) -> None:
    rows: Any = iter([request("short"), {"pipelineName": "good", "environmentName": ENVIRONMENT}])
    batch = Batch(maia.project(), rows)
    with pytest.raises(MisuseError, match="one is dict"):
        await outcomes(batch)
    assert batch.report().succeeded
