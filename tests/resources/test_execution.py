"""A run as a handle: awaiting, watching, cancelling, re-attaching, against the emulator under every reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from maia_async import (
    ConfigurationError,
    Conflict,
    ExecutionCancelled,
    ExecutionChanged,
    ExecutionDetails,
    ExecutionFailed,
    ExecutionForbidden,
    ExecutionSkipped,
    ExecutionStatus,
    ExecutionUnsuccessful,
    Forbidden,
    InvalidRequest,
    Maia,
    NotFound,
    PollPolicy,
    SessionClosed,
    StatusUnavailable,
    TriggerAbandoned,
    Unauthorized,
    UnknownValueSeen,
    WaitTimeout,
)
from maia_async.emulator import Credential, Emulator, Outcome, Pipeline, Readings, Scenario

ENVIRONMENT = "Environment-1"


def scenario(**settings: Any) -> Scenario:
    return Scenario.of(
        Pipeline(name="good", duration=30),
        Pipeline(name="instant", duration=0),
        Pipeline(name="bad", duration=10, outcomes=[Outcome(status="FAILED", message="no such table")]),
        Pipeline(name="skips", duration=0, outcomes=[Outcome(status="SKIPPED")]),
        Pipeline(name="forbidden", duration=1, outcomes=[Outcome(status="FORBIDDEN")]),
        Pipeline(name="long", duration=7200),
        Pipeline(name="stubborn", duration=7200, ignores_graceful_cancel=True),
        **settings,
    )


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario()) as running:
        yield running


def reads(emulator: Emulator, execution_id: str) -> int:
    return len(emulator.control.requests(method="GET", path_contains=execution_id))


def ours() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("maia_async")]


@pytest.mark.parametrize("readings", Readings.every(), ids=str)
async def test_a_run_is_started_awaited_and_its_end_returned_under_every_reading(readings: Readings) -> None:
    async with Emulator(scenario(), readings=readings) as emulator, emulator.client() as maia:
        execution = await maia.project().execute("good", ENVIRONMENT, scalar_variables={"day": "1"}, grid_variables={"g": [["a", "b"]]})
        details = await execution

        assert details.status is ExecutionStatus.SUCCESS
        assert details.pipeline_execution_id == execution.id
        assert details.project_id == execution.project_id
        assert details.message == '"Rewrite Table": Success'
        assert [run.scalar_variables for run in emulator.control.executions()] == [{"day": "1"}]
        assert await execution.status() is ExecutionStatus.SUCCESS
        assert (await execution.details()).status is ExecutionStatus.SUCCESS
        steps = [step async for step in execution.steps(page_size=1)]
        assert steps
        assert all(step.result is not None and step.result.status is ExecutionStatus.SUCCESS for step in steps)


@pytest.mark.parametrize("readings", Readings.every(), ids=str)
async def test_cancel_and_confirm_works_under_every_reading(readings: Readings) -> None:
    async with Emulator(scenario(), readings=readings) as emulator, emulator.client() as maia:
        execution = await maia.project().execute("long", ENVIRONMENT)
        assert (await execution.cancel_and_confirm()).status is ExecutionStatus.CANCELLED

        finished = await maia.project().execute("instant", ENVIRONMENT)
        assert (await finished.cancel_and_confirm()).status is ExecutionStatus.SUCCESS


@pytest.mark.parametrize(
    ("pipeline", "error", "status"),
    [
        ("bad", ExecutionFailed, ExecutionStatus.FAILED),
        ("skips", ExecutionSkipped, ExecutionStatus.SKIPPED),
        ("forbidden", ExecutionForbidden, ExecutionStatus.FORBIDDEN),
    ],
)
async def test_an_end_other_than_success_raises_its_own_error(maia: Maia, pipeline: str, error: type[Exception], status: Any) -> None:
    execution = await maia.project().execute(pipeline, ENVIRONMENT)

    with pytest.raises(error) as caught:
        await execution
    assert isinstance(caught.value, ExecutionUnsuccessful)
    assert caught.value.execution.id == execution.id
    assert caught.value.details.status is status
    assert (await execution.wait(check=False)).status is status


async def test_the_message_of_a_failure_holds_all_that_one_asks_for(maia: Maia) -> None:
    execution = await maia.project().execute("bad", ENVIRONMENT)

    with pytest.raises(ExecutionFailed) as caught:
        await execution
    for word in ("bad", ENVIRONMENT, execution.id, "FAILED", "no such table"):
        assert word in str(caught.value)


async def test_a_run_that_has_ended_costs_one_read_and_none_when_awaited_again(emulator: Emulator, maia: Maia) -> None:
    execution = await maia.project().execute("instant", ENVIRONMENT)
    again = maia.project().execution(execution.id)

    results = [await execution, await execution, await again]

    assert reads(emulator, execution.id) == 1
    assert results[0] == results[1] == results[2]


async def test_many_tasks_await_one_run_for_the_price_of_one(emulator: Emulator, maia: Maia) -> None:
    one = await maia.project().execute("good", ENVIRONMENT)
    await one
    alone = reads(emulator, one.id)
    shared = await maia.project().execute("good", ENVIRONMENT)
    ends: list[Any] = []

    async def waiter(execution: Any) -> None:
        ends.append((await execution).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(waiter, shared)
            tasks.start_soon(waiter, maia.project().execution(shared.id))

    assert len(ends) == 100
    assert reads(emulator, shared.id) == alone


async def test_nothing_of_ours_runs_while_nobody_waits_or_after_the_end(maia: Maia) -> None:
    execution = await maia.project().execute("good", ENVIRONMENT)
    assert ours() == []
    await execution
    assert ours() == []


async def test_wait_timeout_carries_the_handle_and_the_last_details_and_one_can_go_on(maia: Maia, now: Any) -> None:
    execution = await maia.project().execute("good", ENVIRONMENT)
    start = now()

    with pytest.raises(WaitTimeout) as caught:
        await execution.wait(timeout=7)
    assert isinstance(caught.value, TimeoutError)
    assert now() - start == pytest.approx(7, abs=0.5)
    assert caught.value.execution.id == execution.id
    assert caught.value.last_details.status is ExecutionStatus.RUNNING
    assert execution.id in str(caught.value)
    assert (await caught.value.execution).status is ExecutionStatus.SUCCESS


async def test_the_callers_own_timeout_passes_through_and_leaves_the_run_alone(emulator: Emulator, maia: Maia) -> None:
    execution = await maia.project().execute("good", ENVIRONMENT)

    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(5):
            await execution
    assert not isinstance(caught.value, WaitTimeout)
    assert emulator.control.requests(method="PATCH") == []
    assert (await execution).status is ExecutionStatus.SUCCESS


async def test_on_cancel_cancels_the_run_before_the_cancellation_goes_on(emulator: Emulator, maia: Maia) -> None:
    execution = await maia.project().execute("long", ENVIRONMENT)
    task = asyncio.get_running_loop().create_task(execution.wait(on_cancel="cancel"))
    await anyio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [request.body for request in emulator.control.requests(method="PATCH")] == [{"forceUpdate": False, "status": "CANCELLED"}]
    with pytest.raises(ExecutionCancelled):
        await execution


async def test_a_second_cancellation_does_not_tear_off_the_cancel_that_is_under_way() -> None:
    async with Emulator(scenario(latency_in=(1, 1))) as emulator:
        async with emulator.client() as maia:
            execution = await maia.project().execute("long", ENVIRONMENT)
            task = asyncio.get_running_loop().create_task(execution.wait(on_cancel="cancel"))
            await anyio.sleep(5)
            task.cancel()
            await anyio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert len(emulator.control.requests(method="PATCH")) == 1
        assert ours() == []


async def test_on_timeout_cancels_the_run(emulator: Emulator, maia: Maia) -> None:
    execution = await maia.project().execute("long", ENVIRONMENT)
    with pytest.raises(WaitTimeout):
        await execution.wait(timeout=3, on_timeout="cancel")

    assert len(emulator.control.requests(method="PATCH")) == 1


@pytest.mark.parametrize(
    "options", [{"on_cancel": "maybe"}, {"on_timeout": "no"}, {"timeout": -1}, {"timeout": float("nan")}, {"timeout": "5"}]
)
async def test_nonsense_options_of_wait_are_refused_with_their_name(maia: Maia, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        await maia.project().execution("x").wait(**options)


async def test_watch_gives_every_observed_change_and_ends_after_the_end(maia: Maia) -> None:
    execution = await maia.project().execute("long", ENVIRONMENT)
    seen: list[str] = []
    async for details in execution.watch():
        assert isinstance(details, ExecutionDetails)
        seen.append(details.status.value)
        if len(seen) == 1:
            await execution.cancel()
    assert seen == ["RUNNING", "CANCELLING", "CANCELLED"]


async def test_a_slow_watcher_misses_no_change_that_somebody_else_observed(maia: Maia) -> None:
    execution = await maia.project().execute("long", ENVIRONMENT)
    watch = execution.watch()
    first = await anext(watch)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: execution.wait(check=False))
        await anyio.sleep(3)
        await execution.cancel()
    rest = [details.status.value async for details in watch]

    assert first.status is ExecutionStatus.RUNNING
    assert rest == ["CANCELLING", "CANCELLED"]


async def test_unknown_statuses_are_no_ends_and_are_told_once(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    events: list[Any] = []
    async with emulator.client(observers=[events.append]) as maia:
        execution = await maia.project().execute("good", ENVIRONMENT)
        emulator.control.set_status(execution.id, "QUEUED")
        with pytest.raises(WaitTimeout) as caught:
            await execution.wait(timeout=60)
        assert caught.value.last_details.status == "QUEUED"
        emulator.control.set_status(execution.id, None)
        assert (await execution).status is ExecutionStatus.SUCCESS

    assert [event.value for event in events if isinstance(event, UnknownValueSeen)] == ["QUEUED"]
    assert [record for record in caplog.records if "QUEUED" in record.getMessage()].__len__() == 1
    changes = [(event.previous, event.current) for event in events if isinstance(event, ExecutionChanged)]
    assert changes == [(None, "QUEUED"), ("QUEUED", "SUCCESS")]


async def test_a_token_that_expires_in_the_middle_of_a_wait_is_renewed() -> None:
    async with Emulator(scenario(token_lifetime=60)) as emulator, emulator.client() as maia:
        execution = await maia.project().execute("long", ENVIRONMENT)
        assert (await execution).status is ExecutionStatus.SUCCESS
        assert len(emulator.control.requests(path_contains="/oauth")) > 100
        assert [request for request in emulator.control.requests() if request.status == 401] == []


async def test_revoked_tokens_cost_one_refusal_each_and_no_wait(emulator: Emulator, maia: Maia) -> None:
    execution = await maia.project().execute("good", ENVIRONMENT)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(execution.wait)
        await anyio.sleep(5)
        emulator.control.revoke_tokens()

    assert len([request for request in emulator.control.requests() if request.status == 401]) == 1


async def test_credentials_that_are_refused_end_the_wait(emulator: Emulator) -> None:
    from maia_async import StaticToken

    emulator.control.add_token("short-lived-token")
    async with emulator.client(auth=StaticToken("short-lived-token")) as maia:
        execution = await maia.project().execute("good", ENVIRONMENT)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_revoke_after, emulator, 5)
            with pytest.raises(Unauthorized):
                await execution
    assert ours() == []


async def _revoke_after(emulator: Emulator, seconds: float) -> None:
    await anyio.sleep(seconds)
    emulator.control.revoke_tokens()


async def test_an_id_that_does_not_exist_ends_a_reattached_wait_at_once(maia: Maia, now: Any) -> None:
    start = now()
    with pytest.raises(NotFound):
        await maia.project().execution("00000000-0000-0000-0000-000000000000")
    assert now() - start < 1


@pytest.mark.parametrize("execution_id", ["..", ".", ""])
async def test_an_id_that_is_no_path_segment_is_refused_before_anything_is_sent(emulator: Emulator, maia: Maia, execution_id: str) -> None:
    for operation in ("wait", "details", "status", "cancel"):
        with pytest.raises(InvalidRequest, match="execution_id"):
            await getattr(maia.project().execution(execution_id), operation)()
    assert emulator.control.requests(path_contains="pipeline-executions") == []


async def test_a_cancel_of_a_finished_run_is_the_apis_refusal(maia: Maia) -> None:
    execution = await maia.project().execute("instant", ENVIRONMENT)
    with pytest.raises(Conflict):
        await execution.cancel()


async def test_cancel_and_confirm_gives_up_on_a_run_that_does_not_stop(maia: Maia, now: Any) -> None:
    execution = await maia.project().execute("stubborn", ENVIRONMENT)
    start = now()
    with pytest.raises(WaitTimeout):
        await execution.cancel_and_confirm(timeout=20)
    assert now() - start == pytest.approx(20, abs=1)
    assert (await execution.cancel_and_confirm(force=True)).status is ExecutionStatus.CANCELLED


async def test_closing_from_another_task_ends_waits_with_the_id(emulator: Emulator) -> None:
    maia = emulator.client()
    execution = await maia.project().execute("long", ENVIRONMENT)
    caught: list[SessionClosed] = []

    async def waiter() -> None:
        try:
            await execution
        except SessionClosed as error:
            caught.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waiter)
        await anyio.sleep(5)
        await maia.aclose()

    assert [error.execution_id for error in caught] == [execution.id]
    assert ours() == []


async def test_execute_that_is_cancelled_in_doubt_hands_the_id_to_the_observers() -> None:
    events: list[Any] = []
    async with Emulator(scenario(latency_in=(0.2, 0.2), latency_out=(2, 2))) as emulator:
        async with emulator.client(observers=[events.append]) as maia:
            with anyio.move_on_after(7):  # token 2.2 s, then the POST: sent at 2.2, carried out at 2.4, answered at 4.4
                await maia.projects.list()
            with anyio.move_on_after(1):
                await maia.project().execute("good", ENVIRONMENT)
        abandoned = [event for event in events if isinstance(event, TriggerAbandoned)]
        runs = emulator.control.executions()

    assert len(runs) == 1
    assert [event.execution_id for event in abandoned] == [runs[0].id]


async def test_execute_that_is_cancelled_before_it_went_out_starts_nothing() -> None:
    events: list[Any] = []
    async with Emulator(scenario(latency_in=(2, 2))) as emulator:
        async with emulator.client(observers=[events.append]) as maia:
            with anyio.move_on_after(1):  # still fetching the token
                await maia.project().execute("good", ENVIRONMENT)
        assert emulator.control.executions() == []
    assert [event for event in events if isinstance(event, TriggerAbandoned)] == []


async def test_a_server_that_cannot_be_reached_is_ridden_out_until_max_unreachable(now: Any) -> None:
    emulator = Emulator(scenario())
    await emulator.__aenter__()
    async with emulator.client(poll=PollPolicy(max_unreachable=120.0)) as maia:
        execution = await maia.project().execute("long", ENVIRONMENT)
        task = asyncio.get_running_loop().create_task(execution.wait())
        await anyio.sleep(10)
        await emulator.__aexit__(None, None, None)
        start = now()
        with pytest.raises(StatusUnavailable) as caught:
            await task
    assert 115 < now() - start < 165
    assert caught.value.execution.id == execution.id
    assert caught.value.last_details.status is ExecutionStatus.RUNNING


async def test_a_credential_without_a_role_is_forbidden_at_once() -> None:
    first = Credential(client_id="emulator", client_secret="emulator")
    account = scenario(credentials=[first, Credential(client_id="other", client_secret="secret", projects=())])
    from maia_async import ClientCredentials

    async with Emulator(account) as emulator, emulator.client(auth=ClientCredentials("other", "secret")) as maia:
        with pytest.raises(Forbidden):
            await maia.project().execution("1398aa31-af57-4a6a-9752-27c2e8556c3f")
