"""What goes wrong around a batch: refusals, lost answers, full budgets, taken tags, broken credentials; each becomes its outcome."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from orchestration.account import EndsFirst, ours, outcomes, patches, posts, request, scenario, starting, states

from maia_async import (
    Batch,
    Conflict,
    InvalidRequest,
    Maia,
    OutcomeState,
    PipelineDisabled,
    RateLimit,
    ResponseError,
    RetryPolicy,
    TriggerOutcomeUnknown,
    Unauthorized,
    run_batch,
)
from maia_async.emulator import Emulator, Fault
from maia_async.orchestration.batch.rules import Rules

AUTO_TAG = f"maia-async-{'0' * 32}"
CANNOT_CONNECT = RetryPolicy(max_tries=2, base=0.1, cap=0.1)


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario()) as running:
        yield running


# What is refused


async def test_a_sized_input_with_invalid_rows_sends_nothing_and_tells_every_problem(emulator: Emulator, maia: Maia) -> None:
    rows = [request(), request("", ""), request(environment="x" * 256), request(scalar_variables={"day": 1})]
    batch = Batch(maia.project(), rows)

    with pytest.raises(InvalidRequest) as caught:
        async with batch:
            raise AssertionError("it must not be entered")

    assert [problem.field for problem in caught.value.problems] == [
        "[1].pipelineName",
        "[1].environmentName",
        "[2].environmentName",
        "[3].scalarVariables.day",
    ]
    assert emulator.control.requests() == []
    assert batch.report().total == 0
    assert ours() == []


async def test_an_invalid_row_of_a_lazy_input_is_rejected_and_the_others_run(emulator: Emulator, maia: Maia) -> None:
    found = await outcomes(Batch(maia.project(), iter([request("instant"), request(""), request("instant")])))

    assert states(found) == ["SUCCESS", "REJECTED", "SUCCESS"]
    rejected = next(outcome for outcome in found if outcome.index == 1)
    assert "[1].pipelineName: must not be empty" in str(rejected.error)
    assert posts(emulator) == 2


async def test_each_refusal_of_the_api_is_rejected_with_its_error(emulator: Emulator, maia: Maia) -> None:
    rows = [
        request("no such pipeline"),
        request(environment="no such environment"),
        request("disabled"),
        request("long", execution_tag="twice"),
        request("good", execution_tag="twice"),
    ]
    async with Batch(maia.project(), rows) as batch:
        for _ in range(4):
            await anext(batch)

    found = batch.report().outcomes
    assert states(found) == ["REJECTED", "REJECTED", "REJECTED", "LEFT_RUNNING", "REJECTED"]
    assert [getattr(outcome.error, "status", None) for outcome in found] == [404, 404, 410, None, 409]
    assert isinstance(found[2].error, PipelineDisabled)
    assert isinstance(found[4].error, Conflict)
    assert all(outcome.execution_id is None for outcome in found if outcome.state == "REJECTED")


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 418, 422])
async def test_any_definite_refusal_is_rejected_and_sent_once(emulator: Emulator, maia: Maia, status: int) -> None:
    emulator.control.add_fault(starting(status=status))

    (outcome,) = await outcomes(Batch(maia.project(), [request()]))

    assert outcome.state == "REJECTED"
    assert isinstance(outcome.error, ResponseError)
    assert outcome.error.status == status
    assert posts(emulator) == 1


async def test_a_run_whose_answer_is_lost_is_found_in_the_list(emulator: Emulator, maia: Maia) -> None:
    emulator.control.add_fault(starting("good", status=502, landed=True))

    found = await outcomes(Batch(maia.project(), [request("good"), request("short"), request("good")]))

    assert states(found) == ["SUCCESS", "SUCCESS", "SUCCESS"]
    assert len({outcome.execution_id for outcome in found}) == posts(emulator) == len(emulator.control.executions()) == 3


async def test_an_answer_that_is_lost_is_unknown_when_the_rows_cannot_be_told_apart(emulator: Emulator, maia: Maia) -> None:
    emulator.control.add_fault(starting("good", status=502, landed=True))
    days = [request("good", scalar_variables={"day": day}) for day in ("monday", "tuesday")]

    found = await outcomes(Batch(maia.project(), [days[0], request("short"), days[1]]))

    assert states(found) == ["UNKNOWN", "SUCCESS", "UNKNOWN"]
    unknown = [outcome for outcome in found if outcome.state == "UNKNOWN"]
    assert all(isinstance(outcome.error, TriggerOutcomeUnknown) and outcome.execution_id is None for outcome in unknown)
    ids = {run.id for run in emulator.control.executions() if run.pipeline_name == "good"}
    assert [set(outcome.candidates) for outcome in unknown] == [ids, ids]
    assert posts(emulator) == len(emulator.control.executions()) == 3


async def test_a_trigger_that_is_refused_with_401_and_a_fresh_token_ends_the_batch(emulator: Emulator, maia: Maia) -> None:
    emulator.control.add_fault(starting(skip=1, status=401))
    batch = Batch(maia.project(), (request("long") for _ in itertools.count()), max_running=1000)

    with pytest.raises(Unauthorized):
        await outcomes(batch)

    report = batch.report()
    assert report.total < 100
    assert {state.value for state, count in report.counts.items() if count} == {"LEFT_RUNNING", "NOT_STARTED"}
    assert report.counts[OutcomeState.LEFT_RUNNING] == len(emulator.control.executions()) == 1


async def test_429_is_waited_for_however_often_it_comes(now: Any) -> None:
    async with Emulator(scenario(rate_limit=RateLimit(requests=5, per=10.0))) as emulator, emulator.client() as maia:
        report = await run_batch(maia.project(), [request("instant")] * 30, max_running=30)

        assert report.succeeded
        assert emulator.control.statistics()["refused_429"] > 0
        assert len(emulator.control.executions()) == 30


# Second POSTs


async def test_a_row_whose_second_post_is_refused_is_unknown_and_not_rejected(emulator: Emulator, maia: Maia) -> None:
    emulator.control.set_network(list_lag=10_000)
    emulator.control.add_fault(starting("long", status=504, landed=True, times=1))
    emulator.control.add_fault(starting("long", status=403, skip=1))

    report = await run_batch(maia.project(), [request("long"), request("instant")])

    assert states(report.outcomes) == ["UNKNOWN", "SUCCESS"]
    assert isinstance(report.outcomes[0].error, TriggerOutcomeUnknown)
    assert len([run for run in emulator.control.executions() if run.pipeline_name == "long"]) == 1


async def test_a_batch_that_is_left_while_a_second_post_is_held_does_not_say_that_nothing_was_started(
    emulator: Emulator, maia: Maia
) -> None:
    emulator.control.set_network(list_lag=10_000)
    emulator.control.add_fault(starting(status=504, landed=True, times=1))
    emulator.control.add_fault(starting(status=429, retry_after=1000, skip=1))
    async with Batch(maia.project(), [request("long")]) as batch:
        while posts(emulator) < 2:  # noqa: ASYNC110 - what is waited for happens on the server
            await asyncio.sleep(0.5)
        await asyncio.sleep(1)

    (outcome,) = batch.report().outcomes
    assert outcome.state == "UNKNOWN"
    assert posts(emulator) == 2


# Conflicts


async def test_on_conflict_wait_starts_the_run_when_the_tag_is_free(emulator: Emulator, maia: Maia) -> None:
    rows = [request("takes 20", execution_tag="one"), request("takes 20", execution_tag="one"), request("takes 1")]

    report = await run_batch(maia.project(), rows, on_conflict="wait")

    assert report.succeeded
    first, second = (run for run in emulator.control.executions() if run.execution_tag == "one")
    assert first.finished_at is not None
    assert first.finished_at <= second.started_at < first.finished_at + 31


@pytest.mark.parametrize("timeout", [5.0, 45.0])
async def test_on_conflict_wait_gives_up_after_conflict_timeout(emulator: Emulator, maia: Maia, timeout: float) -> None:
    emulator.control.add_execution("long", duration=1000, execution_tag="taken")

    report = await run_batch(maia.project(), [request(execution_tag="taken")], on_conflict="wait", conflict_timeout=timeout)

    assert states(report.outcomes) == ["REJECTED"]
    assert isinstance(report.outcomes[0].error, Conflict)
    assert report.seconds == pytest.approx(timeout, abs=0.5)
    assert posts(emulator) > 1


async def test_requests_that_wait_for_a_tag_do_not_hold_up_more_of_the_input_than_max_running(emulator: Emulator, maia: Maia) -> None:
    emulator.control.add_execution("long", duration=1000, execution_tag="taken")
    rows = [*([request(execution_tag="taken")] * 70), *([request("instant")] * 30)]
    signal = asyncio.Event()

    async with Batch(maia.project(), rows, max_running=100, on_conflict="wait", stop_signal=signal) as batch:
        for _ in range(30):
            assert (await anext(batch)).succeeded
        while maia.statistics().in_flight:  # noqa: ASYNC110 - nothing tells of it; a POST that is out at the signal gets its answer
            await asyncio.sleep(0.01)
        signal.set()
        rest = [outcome.state.value async for outcome in batch]

    assert rest == ["NOT_STARTED"] * 70


@pytest.mark.parametrize(
    ("on_conflict", "tag", "waits"),
    [("raise", AUTO_TAG, False), ("raise", "mine", False), ("wait", AUTO_TAG, False), ("wait", "mine", True)],
)
def test_a_tag_of_its_own_is_waited_for_by_nobody(on_conflict: str, tag: str, waits: bool) -> None:
    rules = Rules(max_running=1, on_failure="continue", on_conflict=on_conflict, conflict_timeout=1, on_cancel="leave", timeout=None)
    assert rules.waits_for(tag) is waits


async def test_on_conflict_wait_does_not_wait_for_its_own_run_to_start_another(emulator: Emulator, maia: Maia) -> None:
    """A gateway repeats the POST by itself: the run goes on, and the 409 to the copy is all that comes back."""
    emulator.control.add_fault(starting(status=409, landed=True, times=1))

    report = await run_batch(maia.project(), [request("takes 40")], on_conflict="wait")

    assert report.succeeded
    assert [run.id for run in emulator.control.executions()] == [report.outcomes[0].execution_id]
    assert posts(emulator) == 1


async def test_a_conflict_about_a_tag_of_its_own_that_no_run_explains_is_rejected_and_sent_once(emulator: Emulator, maia: Maia) -> None:
    emulator.control.add_fault(starting(status=409))

    report = await run_batch(maia.project(), [request()], on_conflict="wait")

    assert states(report.outcomes) == ["REJECTED"]
    assert isinstance(report.outcomes[0].error, Conflict)
    assert posts(emulator) == 1


# on_failure="cancel" in full


async def test_a_failure_cancels_every_other_run_on_the_server(emulator: Emulator, maia: Maia) -> None:
    rows = [request("long")] * 30 + [request("fails")] + [request("long")] * 30

    report = await run_batch(maia.project(), rows, max_running=40, on_failure="cancel")

    assert {state.value: count for state, count in report.counts.items() if count} == {"CANCELLED": 39, "FAILED": 1}
    assert report.not_read == 21
    assert not report.succeeded
    assert sorted(run.status for run in emulator.control.executions()) == ["CANCELLED"] * 39 + ["FAILED"]
    assert len(patches(emulator)) == len(set(patches(emulator))) == 39


async def test_runs_that_cannot_be_cancelled_are_left_and_said_so(emulator: Emulator, maia: Maia, caplog: pytest.LogCaptureFixture) -> None:
    emulator.control.add_fault(Fault(method="PATCH", status=403))
    batch = Batch(maia.project(), [request("long"), request("fails")], on_failure="cancel")

    found = await outcomes(batch)

    assert states(found) == ["LEFT_RUNNING", "FAILED"]
    assert [execution.id for execution in batch.outstanding] == [batch.report().outcomes[0].execution_id]
    (warning,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert batch.outstanding[0].id in warning
    assert "it may just have ended" not in warning


@pytest.mark.parametrize("status", [400, 404, 409])
async def test_a_run_that_ends_while_its_cancel_is_under_way_is_what_it_is_and_the_warning_says_so(
    emulator: Emulator, maia: Maia, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    emulator.control.set_readings(patch_finished=status)
    EndsFirst(emulator)

    report = await run_batch(maia.project(), [request("long"), request("fails")], on_failure="cancel")

    assert states(report.outcomes) == ["SUCCESS", "FAILED"]
    (warning,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert "(it may just have ended)" in warning


@pytest.mark.parametrize("way", ["failure", "leaving"])
async def test_cancels_that_get_no_answer_do_not_hold_up_the_end(emulator: Emulator, maia: Maia, now: Any, way: str) -> None:
    emulator.control.add_fault(Fault(method="PATCH", kind="silence"))
    rows = [request("long")] * 49 + [request("fails")]
    batch = Batch(maia.project(), rows, on_failure="cancel" if way == "failure" else "continue", on_cancel="cancel")
    async with batch:
        assert (await anext(batch)).state == "FAILED"
        began = now()
        if way == "failure":
            _ = [outcome async for outcome in batch]

    assert batch.report().counts[OutcomeState.LEFT_RUNNING] == 49
    assert now() - began == pytest.approx((60 if way == "failure" else 10) + 4.9, abs=0.5)
    assert ours() == []


# What breaks


class _Broken:
    """Credentials of the caller's own that fail after a while."""

    def __init__(self, good_for: int) -> None:
        self.left = good_for

    async def authorization(self) -> str:
        self.left -= 1
        if self.left < 0:
            raise LookupError("the vault is sealed")
        return "Bearer static-token"

    def forget(self, authorization: str) -> None:
        """Nothing else to give."""


@pytest.mark.parametrize("good_for", [0, 1, 2, 3, 8])
async def test_credentials_of_the_callers_own_that_break_end_the_batch_with_their_own_error(emulator: Emulator, good_for: int) -> None:
    emulator.control.add_token("static-token")
    async with emulator.client(auth=_Broken(good_for)) as maia:
        batch = Batch(maia.project(), iter([request("long")] * 6), max_running=3)
        with pytest.raises(LookupError, match="the vault is sealed"):
            await outcomes(batch)
    ids = {run.id for run in emulator.control.executions()}
    assert {execution.id for execution in batch.outstanding} == ids
    assert batch.report().total == sum(batch.report().counts.values()) <= 6


async def test_a_stop_signal_that_raises_ends_the_batch_with_its_error(emulator: Emulator, maia: Maia) -> None:
    class Raises:
        async def wait(self) -> None:
            await anyio.sleep(3)
            raise LookupError("no such queue")

    emulator.control.add_fault(starting("slow answer", delay=8))
    emulator.control.add_fault(starting("stubborn", delay=100))
    emulator.control.add_fault(starting("good", tag="maia-async-*", status=502, landed=True))
    emulator.control.add_execution("long", duration=1000, execution_tag="taken")
    rows = [request("long"), request("slow answer"), request("stubborn"), request("good"), request(execution_tag="taken")]
    batch = Batch(maia.project(), rows, stop_signal=Raises(), on_conflict="wait")
    with pytest.raises(LookupError, match="no such queue"):
        await outcomes(batch)

    assert states(batch.report().outcomes) == ["LEFT_RUNNING", "LEFT_RUNNING", "UNKNOWN", "UNKNOWN", "NOT_STARTED"]
    assert {execution.id for execution in batch.outstanding} == {
        run.id
        for run in emulator.control.executions()
        if run.pipeline_name == "slow answer" or (run.trigger == "API" and run.pipeline_name == "long")
    }
    assert batch.report().seconds == pytest.approx(13, abs=0.5)  # the answer that does not come is awaited for 10 s
    assert ours() == []
