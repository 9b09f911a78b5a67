"""A run that goes from one client to another: what the reference brings along, what it refuses, and which errors carry it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async import (
    Batch,
    ClientCredentials,
    ExecutionFailed,
    ExecutionRequest,
    ExecutionStatus,
    Forbidden,
    InvalidRequest,
    Maia,
    MaiaError,
    MisuseError,
    NotFound,
    PipelineExecution,
    PollPolicy,
    SessionClosed,
    StaticToken,
    StatusUnavailable,
    Unauthorized,
    WaitTimeout,
)
from maia_async.emulator import Credential, Emulator, Outcome, Pipeline, Scenario
from maia_async.errors import ConnectFailed
from maia_async.resources.handover import about

ENVIRONMENT = "Environment-1"
NOBODY = "00000000-0000-4000-8000-000000000000"


def scenario(**settings: Any) -> Scenario:
    return Scenario.of(
        Pipeline(name="good", duration=30),
        Pipeline(name="bad", duration=10, outcomes=[Outcome(status="FAILED", message="no such table")]),
        Pipeline(name="long", duration=7200),
        **settings,
    )


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario()) as running:
        yield running


async def test_another_client_goes_on_where_the_first_has_left(emulator: Emulator) -> None:
    async with emulator.client() as maia:
        first = await maia.project().execute("good", ENVIRONMENT)
        reference = first.reference

    async with emulator.client(project_id=NOBODY) as maia:
        second = maia.execution_from(reference)
        assert isinstance(second, PipelineExecution)
        assert (second.id, second.project_id) == (first.id, first.project_id)
        assert second.reference == reference
        assert (await second).status is ExecutionStatus.SUCCESS


async def test_a_reference_says_what_our_own_trigger_knows(emulator: Emulator, maia: Maia) -> None:
    execution = await maia.project().execute("good", ENVIRONMENT)
    (run,) = emulator.control.executions()

    told = json.loads(execution.reference)

    assert told.pop("started_at").endswith("Z")
    assert told == {
        "maia": 1,
        "base_url": emulator.base_url,
        "project": execution.project_id,
        "execution": run.id,
        "pipeline": "good",
        "environment": ENVIRONMENT,
    }


async def test_a_reference_by_id_alone_says_the_rest_once_it_was_seen(maia: Maia) -> None:
    started = await maia.project().execute("good", ENVIRONMENT)
    async with maia_again(maia) as other:
        execution = other.project().execution(started.id)
        assert set(json.loads(execution.reference)) == {"maia", "base_url", "project", "execution"}
        await execution
        assert {"pipeline", "environment", "started_at"} < set(json.loads(execution.reference))


def maia_again(maia: Maia) -> Maia:
    """A client that knows nothing of what the other one has seen."""
    return Maia(auth=ClientCredentials("emulator", "emulator"), base_url=maia.base_url, project_id=maia.project_id)


async def test_making_a_handle_from_a_reference_sends_nothing(emulator: Emulator) -> None:
    async with emulator.client() as maia:
        maia.execution_from(json.dumps({"maia": 1, "base_url": emulator.base_url, "project": "p", "execution": "e"}))

    assert emulator.control.requests() == []


async def test_a_handed_over_run_that_does_not_exist_is_final_at_once(emulator: Emulator, maia: Maia, now: Any) -> None:
    """`not_found_grace` is for a trigger of ours: whatever time the reference says."""
    execution = await maia.project().execute("good", ENVIRONMENT)
    reference = execution.reference.replace(execution.id, NOBODY)
    start = now()

    with pytest.raises(NotFound) as caught:
        await maia.execution_from(reference)

    assert now() - start < 1
    assert caught.value.reference == reference


async def test_hints_that_are_wrong_cost_requests_and_no_result(emulator: Emulator) -> None:
    """Enough runs that lists are read, and every reference lies about pipeline and time."""
    async with emulator.client() as maia:
        references = [(await maia.project().execute("good", ENVIRONMENT)).reference for _ in range(20)]
    lies = {"pipeline": "long", "environment": "nowhere", "started_at": "2031-01-01T00:00:00Z"}

    async with emulator.client() as maia, anyio.create_task_group() as tasks:
        ends: list[ExecutionStatus] = []

        async def one(text: str) -> None:
            ends.append((await maia.execution_from(json.dumps({**json.loads(text), **lies}))).status)

        for text in references:
            tasks.start_soon(one, text)

    assert ends == [ExecutionStatus.SUCCESS] * 20


async def test_what_was_observed_counts_for_more_than_the_hints(maia: Maia) -> None:
    execution = await maia.project().execute("good", ENVIRONMENT)
    told = json.loads(execution.reference)

    maia.execution_from(json.dumps({**told, "pipeline": "long", "started_at": "2001-01-01T00:00:00Z"}))

    assert json.loads(execution.reference) == told


async def test_a_reference_of_another_region_is_refused_by_name(maia: Maia) -> None:
    with pytest.raises(MisuseError) as caught:
        maia.execution_from('{"maia": 1, "region": "us1", "project": "p", "execution": "e"}')

    assert "https://us1.api.matillion.com/dpc" in str(caught.value)
    assert f"this client talks to {maia.base_url}: hand it to a client of that region" in str(caught.value)


async def test_what_is_no_reference_is_refused_before_anything_is_sent(emulator: Emulator, maia: Maia) -> None:
    for text in ("", "1398aa31-af57-4a6a-9752-27c2e8556c3f", "{}", '{"maia": 2}', None):
        with pytest.raises(InvalidRequest, match="invalid reference"):
            maia.execution_from(text)
    assert emulator.control.requests() == []


async def test_an_id_that_no_path_can_hold_has_no_reference(maia: Maia) -> None:
    execution = maia.project().execution("..")

    with pytest.raises(InvalidRequest, match="execution"):
        _ = execution.reference
    with pytest.raises(InvalidRequest) as caught:
        await execution
    assert caught.value.reference is None


@given(secret=st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=24, max_size=60))
def test_no_credential_is_in_a_reference(secret: str) -> None:
    async def use() -> str:
        texts = []
        for auth in (StaticToken(secret), ClientCredentials(secret, secret)):
            async with Maia(auth=auth, region="us1", project_id="p") as maia:
                texts.append(maia.project().execution("e").reference)
        return "".join(texts)

    assert secret not in asyncio.run(use())


# which errors carry it


async def test_a_timeout_carries_it(maia: Maia) -> None:
    execution = await maia.project().execute("good", ENVIRONMENT)
    with pytest.raises(WaitTimeout) as caught:
        await execution.wait(timeout=3)
    assert caught.value.reference == execution.reference
    assert (await maia.execution_from(caught.value.reference or "")).status is ExecutionStatus.SUCCESS


@pytest.mark.parametrize("way", ["await", "wait", "watch"])
async def test_a_closed_client_hands_over_what_it_still_awaited(emulator: Emulator, way: str) -> None:
    maia = emulator.client()
    execution = await maia.project().execute("long", ENVIRONMENT)
    caught: list[SessionClosed] = []

    async def waiter() -> None:
        try:
            await by(way, execution)
        except SessionClosed as error:
            caught.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waiter)
        await anyio.sleep(5)
        await maia.aclose()

    (closed,) = caught
    assert closed.execution is execution
    assert closed.execution_id == execution.id
    assert str(closed) == f"this Maia client is closed; execution {execution.id} was left running"
    async with emulator.client() as other:
        assert await other.execution_from(closed.reference or "").status() is ExecutionStatus.RUNNING


async def by(way: str, execution: PipelineExecution) -> None:
    if way == "watch":
        async for _ in execution.watch():
            pass
    else:
        await (execution if way == "await" else execution.wait())


async def test_an_end_other_than_success_carries_it(maia: Maia) -> None:
    execution = await maia.project().execute("bad", ENVIRONMENT)
    with pytest.raises(ExecutionFailed) as caught:
        await execution
    assert caught.value.reference == execution.reference


@pytest.mark.parametrize("way", ["await", "wait", "watch"])
async def test_a_refused_read_carries_it(maia: Maia, way: str) -> None:
    execution = maia.project().execution(NOBODY)
    with pytest.raises(NotFound) as caught:
        await by(way, execution)
    assert caught.value.execution is execution
    assert caught.value.reference == execution.reference
    assert caught.value.status == 404
    assert NOBODY in caught.value.path


async def test_a_missing_role_carries_it() -> None:
    first = Credential(client_id="emulator", client_secret="emulator")
    account = scenario(credentials=[first, Credential(client_id="other", client_secret="secret", projects=())])
    async with Emulator(account) as emulator, emulator.client(auth=ClientCredentials("other", "secret")) as maia:
        with pytest.raises(Forbidden) as caught:
            await maia.project().execution("1398aa31-af57-4a6a-9752-27c2e8556c3f")
    assert caught.value.reference is not None


async def test_one_refused_token_ends_many_waits_and_each_names_its_own_run(emulator: Emulator) -> None:
    async with emulator.client(auth=ClientCredentials("emulator", "wrong")) as maia, anyio.create_task_group() as tasks:
        named: dict[str, str | None] = {}

        async def one(execution_id: str) -> None:
            with pytest.raises(Unauthorized) as caught:
                await maia.project().execution(execution_id)
            named[execution_id] = json.loads(caught.value.reference or "{}").get("execution")

        for number in range(4):
            tasks.start_soon(one, f"run-{number}")

    assert named == {f"run-{number}": f"run-{number}" for number in range(4)}


async def test_a_run_that_could_not_be_read_carries_it() -> None:
    emulator = Emulator(scenario())
    await emulator.__aenter__()
    async with emulator.client(poll=PollPolicy(max_unreachable=60.0)) as maia:
        execution = await maia.project().execute("long", ENVIRONMENT)
        await emulator.__aexit__(None, None, None)
        with pytest.raises(StatusUnavailable) as caught:
            await execution
    assert caught.value.reference == execution.reference
    assert isinstance(caught.value.__cause__, ConnectFailed)


async def test_the_outcomes_of_a_batch_carry_it(maia: Maia) -> None:
    rows = [ExecutionRequest(pipeline_name="long", environment_name=ENVIRONMENT)] * 2
    async with Batch(maia.project(), rows, timeout=5) as batch:
        found = {outcome.execution_id: outcome.error.reference async for outcome in batch if isinstance(outcome.error, MaiaError)}

    assert found == {execution.id: execution.reference for execution in batch.outstanding}
    assert len(found) == 2


async def test_a_refused_read_in_a_batch_is_about_its_own_run(emulator: Emulator) -> None:
    emulator.control.add_token("a-token-to-be-revoked")
    rows = [ExecutionRequest(pipeline_name="long", environment_name=ENVIRONMENT)] * 3
    async with emulator.client(auth=StaticToken("a-token-to-be-revoked")) as maia:
        batch = Batch(maia.project(), rows)

        async def use() -> None:
            async with batch:
                await anyio.sleep(5)
                emulator.control.revoke_tokens()
                async for _ in batch:
                    pass

        with pytest.raises(Unauthorized) as caught:
            await use()

    assert caught.value.reference is None  # it ended the batch, not one wait
    told = [outcome for outcome in batch.report().outcomes if isinstance(outcome.error, Unauthorized)]
    assert told
    for outcome in told:
        assert isinstance(outcome.error, Unauthorized)
        assert json.loads(outcome.error.reference or "{}")["execution"] == outcome.execution_id


def test_an_error_is_copied_before_it_is_about_a_run() -> None:
    error = Unauthorized(401, method="POST", path="/oauth/token", request_id="r-1", retry_after=2.0)
    error.__cause__ = OSError("why")
    error.add_note("a note")

    twin = about(error, "the run")

    assert (type(twin), str(twin), twin.status, twin.__notes__) == (Unauthorized, str(error), 401, ["a note"])
    assert twin.__cause__ is error.__cause__
    assert twin.execution == "the run"
    assert error.execution is None
    assert about(twin, "another") is twin
