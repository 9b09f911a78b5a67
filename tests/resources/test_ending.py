"""A wait that ends early, row by row of the tables in `ending.py`: what is sent, how long it takes, and what the caller is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from orchestration.account import EndsFirst, ours

from maia_async import (
    ConnectFailed,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionStatus,
    Forbidden,
    Maia,
    PipelineExecution,
    RetryPolicy,
    ServerError,
    WaitTimeout,
)
from maia_async.emulator import Emulator, Fault, Pipeline, Scenario
from maia_async.errors import (
    BadRequest,
    Conflict,
    Disconnected,
    MaiaError,
    NotFound,
    RateLimited,
    RequestTimedOut,
    SessionClosed,
    Unauthorized,
)
from maia_async.resources.ending import in_doubt

ENVIRONMENT = "Environment-1"


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    pipelines = (
        Pipeline(name="long", duration=7200),
        Pipeline(name="stubborn", duration=7200, ignores_graceful_cancel=True),
    )
    async with Emulator(Scenario.of(*pipelines)) as running:
        yield running


def patched(emulator: Emulator, **fields: Any) -> None:
    """Have this become of PATCHes."""
    emulator.control.add_fault(Fault(method="PATCH", **fields))


def sent(emulator: Emulator) -> int:
    return len(emulator.control.requests(method="PATCH"))


def status(emulator: Emulator) -> str:
    return emulator.control.executions()[0].status


async def start(maia: Maia, pipeline: str = "long") -> PipelineExecution:
    return await maia.project().execute(pipeline, ENVIRONMENT)


# ended by its timeout


async def test_row_timeout_leave(emulator: Emulator, maia: Maia) -> None:
    with pytest.raises(WaitTimeout):
        await (await start(maia)).wait(3)
    assert sent(emulator) == 0


async def test_row_timeout_cancel_does_not_await_the_end(emulator: Emulator, maia: Maia, now: Any) -> None:
    execution = await start(maia, "stubborn")
    begun = now()
    with pytest.raises(WaitTimeout):
        await execution.wait(3, on_timeout="cancel")
    assert sent(emulator) == 1
    assert now() - begun == pytest.approx(3, abs=0.5)


async def test_row_timeout_confirm_raises_the_cancelled_end(emulator: Emulator, maia: Maia, now: Any) -> None:
    execution = await start(maia)
    begun = now()
    with pytest.raises(ExecutionCancelled) as caught:
        await execution.wait(3, on_timeout="confirm")
    assert caught.value.reference == execution.reference
    assert status(emulator) == "CANCELLED"
    assert now() - begun < 15
    assert ours() == []


async def test_row_timeout_confirm_returns_the_cancelled_end_when_ends_are_not_checked(emulator: Emulator, maia: Maia) -> None:
    details = await (await start(maia)).wait(3, check=False, on_timeout="confirm")
    assert details.status is ExecutionStatus.CANCELLED


@pytest.mark.parametrize("refusal", [409, 400, 404])
async def test_a_success_that_crosses_the_cancel_is_a_success_and_is_seen_at_once(
    emulator: Emulator, maia: Maia, now: Any, refusal: int
) -> None:
    """At the age of this run the watcher would look again after half a minute."""
    emulator.control.set_readings(patch_finished=refusal)
    EndsFirst(emulator)
    execution = await start(maia)
    begun = now()

    details = await execution.wait(600, on_timeout="confirm")

    assert now() - begun == pytest.approx(601, abs=1.5)
    assert details.status is ExecutionStatus.SUCCESS
    assert sent(emulator) == 1


async def test_a_failure_that_crosses_the_cancel_is_a_failure(emulator: Emulator, maia: Maia) -> None:
    EndsFirst(emulator, "FAILED")
    with pytest.raises(ExecutionFailed):
        await (await start(maia)).wait(3, on_timeout="confirm")


async def test_row_timeout_confirm_gives_up_on_a_run_that_does_not_stop(emulator: Emulator, maia: Maia, now: Any) -> None:
    execution = await start(maia, "stubborn")
    begun = now()
    with pytest.raises(WaitTimeout) as caught:
        await execution.wait(3, on_timeout="confirm")
    assert now() - begun == pytest.approx(63, abs=2.5)
    assert str(caught.value) == f"execution {execution.id} has not ended after 3 s: RUNNING"
    assert caught.value.last_details.status is ExecutionStatus.RUNNING
    assert caught.value.__cause__ is None
    assert sent(emulator) == 1


async def test_a_cancel_that_is_already_under_way_is_awaited(emulator: Emulator, maia: Maia) -> None:
    execution = await start(maia)
    patched(emulator, status=409, times=1)
    emulator.control.set_status(execution.id, "CANCELLING")

    async def later() -> None:
        await anyio.sleep(10)
        emulator.control.set_status(execution.id, None)
        emulator.control.finish(execution.id, "CANCELLED")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(later)
        details = await execution.wait(3, check=False, on_timeout="confirm")

    assert details.status is ExecutionStatus.CANCELLED
    assert sent(emulator) == 1


@pytest.mark.parametrize("answer", [403, 409])
async def test_a_refused_cancel_of_a_run_that_goes_on_is_the_cause_and_is_not_awaited(
    emulator: Emulator, maia: Maia, now: Any, answer: int, caplog: pytest.LogCaptureFixture
) -> None:
    patched(emulator, status=answer)
    execution = await start(maia)
    begun = now()
    with pytest.raises(WaitTimeout) as caught:
        await execution.wait(3, on_timeout="confirm")
    assert isinstance(caught.value.__cause__, Forbidden if answer == 403 else Conflict)
    assert now() - begun < 5
    assert sent(emulator) == 1
    assert caplog.messages[-1].startswith(f"could not cancel execution {execution.id}: PATCH ")


async def test_a_patch_without_a_usable_answer_is_sent_again(emulator: Emulator, maia: Maia, caplog: pytest.LogCaptureFixture) -> None:
    patched(emulator, status=502, times=1)
    patched(emulator, status=503, times=1)
    details = await (await start(maia)).wait(3, check=False, on_timeout="confirm")
    assert details.status is ExecutionStatus.CANCELLED
    assert sent(emulator) == 3
    assert [record for record in caplog.records if record.levelno == logging.WARNING] == []


async def test_a_patch_that_landed_and_whose_answer_was_lost_is_no_failure(emulator: Emulator, maia: Maia) -> None:
    patched(emulator, status=504, landed=True, times=1)
    details = await (await start(maia)).wait(3, check=False, on_timeout="confirm")
    assert details.status is ExecutionStatus.CANCELLED


async def test_patches_that_are_never_answered_usably_end_after_10_seconds_and_the_run_is_awaited(
    emulator: Emulator, maia: Maia, now: Any
) -> None:
    patched(emulator, status=502)
    execution = await start(maia)
    begun = now()
    with pytest.raises(WaitTimeout) as caught:
        await execution.wait(3, on_timeout="confirm")
    assert isinstance(caught.value.__cause__, ServerError)
    assert now() - begun == pytest.approx(63, abs=2.5)
    last = emulator.control.requests(method="PATCH")[-1]
    assert last.at - emulator.control.requests(method="PATCH")[0].at <= 10


async def test_without_confirm_a_patch_has_the_tries_of_every_request_and_no_more(emulator: Emulator) -> None:
    patched(emulator, status=502)
    async with emulator.client(retry=RetryPolicy(max_tries=2)) as maia:
        with pytest.raises(WaitTimeout):
            await (await start(maia)).wait(3, on_timeout="cancel")
    assert sent(emulator) == 2


async def test_with_confirm_a_patch_is_tried_beyond_those(emulator: Emulator) -> None:
    patched(emulator, status=502, times=2)
    async with emulator.client(retry=RetryPolicy(max_tries=1)) as maia:
        with pytest.raises(ExecutionCancelled):
            await (await start(maia)).wait(3, on_timeout="confirm")
    assert sent(emulator) == 3


async def test_a_client_that_is_closed_while_the_end_is_awaited_says_so(emulator: Emulator) -> None:
    maia = emulator.client()
    execution = await start(maia, "stubborn")
    async with anyio.create_task_group() as tasks:

        async def close() -> None:
            await anyio.sleep(10)
            await maia.aclose()

        tasks.start_soon(close)
        with pytest.raises(SessionClosed) as caught:
            await execution.wait(3, on_timeout="confirm")
    assert caught.value.reference == execution.reference
    assert ours() == []


# ended by a cancellation


async def cancelled(execution: PipelineExecution, *, after: float = 5, again: float | None = None, **options: Any) -> float:
    """Cancel a wait; returns the seconds from the cancellation to its end."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(execution.wait(**options))
    await anyio.sleep(after)
    begun = loop.time()
    task.cancel()
    if again is not None:
        await anyio.sleep(again)
        task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    return loop.time() - begun


async def test_row_cancellation_leave(emulator: Emulator, maia: Maia) -> None:
    assert await cancelled(await start(maia)) < 0.1
    assert sent(emulator) == 0


async def test_row_cancellation_cancel(emulator: Emulator, maia: Maia) -> None:
    assert await cancelled(await start(maia, "stubborn"), on_cancel="cancel") < 1
    assert sent(emulator) == 1


async def test_row_cancellation_confirm_has_seen_the_end_when_it_goes_on(emulator: Emulator, maia: Maia) -> None:
    execution = await start(maia)
    assert await cancelled(execution, on_cancel="confirm") < 15
    assert execution.last_details is not None
    assert execution.last_details.status is ExecutionStatus.CANCELLED
    assert sent(emulator) == 1
    assert ours() == []


async def test_row_cancellation_confirm_is_bounded(emulator: Emulator, maia: Maia, caplog: pytest.LogCaptureFixture) -> None:
    assert await cancelled(await start(maia, "stubborn"), on_cancel="confirm") == pytest.approx(60, abs=2.5)
    assert "was told to stop, and has not ended within 60 s" in caplog.text
    assert ours() == []


async def test_further_cancellations_do_not_tear_it_off(emulator: Emulator, maia: Maia) -> None:
    execution = await start(maia)
    await cancelled(execution, again=0.001, on_cancel="confirm")
    assert status(emulator) == "CANCELLED"


async def test_a_scope_of_the_callers_is_as_good_as_a_cancellation(emulator: Emulator, maia: Maia) -> None:
    execution = await start(maia)
    with anyio.move_on_after(5) as scope:
        await execution.wait(on_cancel="confirm")
    assert scope.cancelled_caught
    assert status(emulator) == "CANCELLED"


async def test_a_refused_cancel_lets_the_cancellation_go_on_at_once(emulator: Emulator, maia: Maia) -> None:
    patched(emulator, status=403)
    assert await cancelled(await start(maia), on_cancel="confirm") < 1
    assert status(emulator) == "RUNNING"


async def test_closing_while_the_end_is_awaited_ends_it(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    maia = emulator.client()
    task = asyncio.get_running_loop().create_task((await start(maia, "stubborn")).wait(on_cancel="confirm"))
    await anyio.sleep(5)
    task.cancel()
    await anyio.sleep(5)
    await maia.aclose()
    assert task.cancelled() or (await asyncio.wait([task]) and task.cancelled())
    assert "its end was not seen" in caplog.text
    assert ours() == []


async def test_one_waiter_that_confirms_disturbs_no_other(maia: Maia) -> None:
    execution = await start(maia)
    other = asyncio.get_running_loop().create_task(maia.project().execution(execution.id).wait(check=False))
    await cancelled(execution, on_cancel="confirm")
    assert (await other).status is ExecutionStatus.CANCELLED


# a cancellation while a timeout is dealt with


@pytest.mark.parametrize(("on_cancel", "seconds"), [("leave", 0), ("cancel", 0), ("confirm", 60)])
async def test_a_cancellation_during_the_confirm_of_a_timeout_follows_on_cancel_and_sends_nothing_twice(
    emulator: Emulator, maia: Maia, on_cancel: Any, seconds: float
) -> None:
    execution = await start(maia, "stubborn")
    took = await cancelled(execution, after=10, timeout=3, on_timeout="confirm", on_cancel=on_cancel)
    assert took == pytest.approx(seconds, abs=2.5)
    assert sent(emulator) == 1


async def test_a_cancellation_during_the_patch_of_a_timeout_comes_after_it(emulator: Emulator, maia: Maia) -> None:
    patched(emulator, delay=4)
    assert await cancelled(await start(maia), timeout=3, on_timeout="confirm") == pytest.approx(2, abs=0.5)
    assert sent(emulator) == 1
    assert status(emulator) in {"CANCELLING", "CANCELLED"}


async def test_credentials_of_the_callers_own_that_raise_do_not_hide_the_cancellation(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    class Breaks:
        broken = False

        async def authorization(self) -> str:
            if self.broken:
                raise KeyError("vault")
            return "Bearer a-token-of-our-own"

        def forget(self, authorization: str) -> None: ...

    auth = Breaks()
    emulator.control.add_token("a-token-of-our-own")
    async with emulator.client(auth=auth) as maia:
        execution = await start(maia)
        task = asyncio.get_running_loop().create_task(execution.wait(on_cancel="confirm"))
        await anyio.sleep(5)
        auth.broken = True
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert f"could not cancel execution {execution.id}: 'vault'" in caplog.text
    assert sent(emulator) == 0
    assert ours() == []


@pytest.mark.parametrize(
    ("error", "doubtful"),
    [
        *((ServerError(status, method="PATCH", path="/"), True) for status in (500, 502, 503, 504)),
        (RateLimited(429, method="PATCH", path="/"), True),
        (MaiaError("else"), False),
        *((kind(status, method="PATCH", path="/"), False) for kind, status in [(BadRequest, 400), (Unauthorized, 401), (Forbidden, 403)]),
        *((kind(status, method="PATCH", path="/"), False) for kind, status in [(NotFound, 404), (Conflict, 409), (BadRequest, 422)]),
        (ConnectFailed("refused"), True),
        (ConnectFailed("certificate", final=True), False),
        (RequestTimedOut("slow"), True),
        (Disconnected("reset"), True),
        (TimeoutError(), True),
        (SessionClosed(), False),
        (KeyError("vault"), False),
    ],
    ids=repr,
)
def test_which_failures_of_a_patch_leave_it_in_doubt(error: Exception, doubtful: bool) -> None:
    assert in_doubt(error) is doubtful
