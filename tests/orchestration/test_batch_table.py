"""The table at the top of `batch.py`, row by row: one and the same moment, met by each thing that can happen to a batch.

Five seconds into the batch its four requests stand as the columns of the table have it; `max_running` is 4, so that a fifth is read when
there is room, that is, never if reading has ended:

    0  long          a run under way, for 1000 s
    1  tagged        not sent: its tag is taken until second 20, it waits to try again
    2  slow answer   in doubt: it was sent, the answer comes at second 8, in some tests at second 30
    3  third         what happens is its end, or it is one more run
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest
from attrs import define, field
from orchestration.account import others, patches, posts, request, scenario, starting

from maia_async import Batch, ExecutionRequest, Maia, RetryPolicy, SessionClosed, StaticToken, Unauthorized, WaitTimeout
from maia_async.emulator import Emulator, Fault
from maia_async.orchestration.batch.rules import Runs, on_leaving

LEFT = ["LEFT_RUNNING", "NOT_STARTED", "LEFT_RUNNING", "LEFT_RUNNING"]
CANCELLED = ["CANCELLED", "NOT_STARTED", "CANCELLED", "CANCELLED"]


@define
class Told:
    """What one batch did."""

    states: list[str]
    error: BaseException | None
    seconds: float
    batch: Batch
    emulator: Emulator
    asked: list[ExecutionRequest] = field(factory=list)

    @property
    def cancelled_on_the_server(self) -> set[str]:
        return {self.emulator.control.execution(name).pipeline_name for name in patches(self.emulator)}


class _Leaves(Exception):
    """A reason to leave the block."""


def first_four(third: str) -> list[ExecutionRequest]:
    return [request("long"), request("short", execution_tag="tagged"), request("slow answer"), request(third)]


async def play(
    then: Callable[[Maia, Emulator, Batch], Any] | None = None,
    *,
    third: str = "long",
    rest: Callable[[], Iterator[ExecutionRequest]] = lambda: iter(()),
    leave_at: str | None = None,
    answer_at: float = 8.0,
    **options: Any,
) -> Told:
    """Run the batch of the module's docstring; `then` is called at second 5, `leave_at` names how the block is left at second 5."""
    asked: list[ExecutionRequest] = []

    def rows() -> Iterator[ExecutionRequest]:
        for row in first_four(third):
            asked.append(row)
            yield row
        for row in rest():
            asked.append(row)
            yield row

    async with Emulator(scenario()) as emulator:
        emulator.control.add_fault(starting("slow answer", delay=answer_at))
        emulator.control.add_execution("short", duration=20, execution_tag="tagged")
        emulator.control.add_token("static-token")
        before = asyncio.all_tasks()
        async with emulator.client(auth=StaticToken("static-token")) as maia, anyio.create_task_group() as around:
            batch = Batch(maia.project(), rows(), on_conflict="wait", **{"max_running": 4, **options})

            async def strike() -> None:
                await anyio.sleep(5)
                if then is not None:
                    told = then(maia, emulator, batch)
                    if told is not None:
                        await told

            around.start_soon(strike)
            error = await _iterate(batch, leave_at)
            around.cancel_scope.cancel()
        assert [name for name in others(before) if "strike" not in name] == []
        report = batch.report()
        return Told([outcome.state.value for outcome in report.outcomes], error, report.seconds, batch, emulator, asked)


async def _raise_at_five() -> None:
    await anyio.sleep(5)
    raise _Leaves


async def _iterate(batch: Batch, leave_at: str | None) -> BaseException | None:
    error: BaseException | None = None
    try:
        with anyio.move_on_after(5 if leave_at == "cancellation" else None):
            async with batch:
                if leave_at == "exception":
                    await _raise_at_five()
                async for _ in batch:
                    if leave_at == "break":
                        break
    except _Leaves:
        pass
    except Exception as raised:  # noqa: BLE001 - whatever it is, it is looked at
        error = raised
    return error


async def test_row_the_input_ends() -> None:
    told = await play()

    assert told.states == ["SUCCESS"] * 4
    assert told.error is None
    assert told.cancelled_on_the_server == set()
    assert 1000 <= told.seconds < 1100


async def test_row_a_failure_and_continue() -> None:
    told = await play(third="fails", rest=lambda: iter([request("instant")] * 3))

    assert told.states == ["SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "SUCCESS", "SUCCESS", "SUCCESS"]
    assert told.error is None


async def test_row_a_failure_and_stop() -> None:
    told = await play(third="fails", rest=lambda: iter([request("instant")] * 3), on_failure="stop")

    assert told.states == ["SUCCESS", "NOT_STARTED", "SUCCESS", "FAILED"]
    assert told.error is None
    assert len(told.asked) == 4
    assert told.cancelled_on_the_server == set()
    assert "stopped before this request was sent" in str(told.batch.report().outcomes[1].error)


async def test_row_a_failure_and_cancel() -> None:
    told = await play(third="fails", rest=lambda: iter([request("instant")] * 3), on_failure="cancel")

    assert told.states == ["CANCELLED", "NOT_STARTED", "CANCELLED", "FAILED"]
    assert told.error is None
    assert len(told.asked) == 4
    assert told.cancelled_on_the_server == {"long", "slow answer"}
    assert told.seconds < 20


async def test_row_a_failure_and_cancel_awaits_a_run_that_does_not_stop_for_60_seconds() -> None:
    told = await play(third="fails", rest=lambda: iter([request("stubborn")]), max_running=5, on_failure="cancel")

    assert told.states == ["CANCELLED", "NOT_STARTED", "CANCELLED", "FAILED", "LEFT_RUNNING"]
    assert told.seconds == pytest.approx(66, abs=2)
    assert [execution.id for execution in told.batch.outstanding] == [told.batch.report().outcomes[4].execution_id]


@pytest.mark.parametrize(("on_failure", "end"), [("stop", "SUCCESS"), ("cancel", "CANCELLED")])
async def test_row_a_failure_leaves_a_trigger_in_doubt_the_time_that_it_always_has(on_failure: str, end: str) -> None:
    told = await play(third="fails", on_failure=on_failure, answer_at=30)

    assert told.states == [end, "NOT_STARTED", end, "FAILED"]
    assert told.error is None


async def test_row_a_failure_bounds_a_trigger_in_doubt_by_the_timeout_of_every_attempt_and_its_look_up() -> None:
    told = await play(third="fails", on_failure="cancel", answer_at=5000)

    assert told.states == ["CANCELLED", "NOT_STARTED", "CANCELLED", "FAILED"]
    assert told.seconds == pytest.approx(60 + 15 + 3, abs=1.5)  # Timeouts.total, then `settle` until it is found, then its cancel


async def test_leaving_after_a_failure_concludes_what_is_in_doubt_within_10_seconds() -> None:
    told = await play(third="fails", on_failure="stop", leave_at="break", answer_at=30)

    assert told.states == ["LEFT_RUNNING", "NOT_STARTED", "UNKNOWN", "FAILED"]
    assert told.seconds == pytest.approx(15, abs=0.5)


async def test_row_timeout() -> None:
    told = await play(timeout=5)

    assert told.states == LEFT
    assert told.error is None
    assert told.cancelled_on_the_server == set()
    assert told.seconds == pytest.approx(8, abs=0.5)
    assert len(told.batch.outstanding) == 3
    errors = [outcome.error for outcome in told.batch.report().outcomes]
    assert all(isinstance(error, WaitTimeout) for error in (errors[0], errors[2], errors[3]))
    assert "has not ended after 5 s" in str(errors[0])


class _Signal:
    """Something with `wait()` that is no event of asyncio's."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> str:
        await self._event.wait()
        return "anything"


@pytest.mark.parametrize("kind", [asyncio.Event, anyio.Event, _Signal], ids=["asyncio", "anyio", "own"])
@pytest.mark.parametrize(
    ("on_cancel", "states", "cancelled"),
    [("leave", LEFT, set()), ("cancel", CANCELLED, {"long", "slow answer"}), ("confirm", CANCELLED, {"long", "slow answer"})],
    ids=["leave", "cancel", "confirm"],
)
async def test_row_stop_signal(kind: Any, on_cancel: str, states: list[str], cancelled: set[str]) -> None:
    signal = kind()
    told = await play(lambda *_: signal.set(), stop_signal=signal, on_cancel=on_cancel)

    assert told.states == states
    assert told.error is None
    assert len(told.asked) == 4
    assert told.cancelled_on_the_server == cancelled


@pytest.mark.parametrize(("on_cancel", "end"), [("leave", "UNKNOWN"), ("cancel", "CANCELLED"), ("confirm", "CANCELLED")])
async def test_row_stop_signal_concludes_what_is_in_doubt_only_when_runs_are_left(on_cancel: str, end: str) -> None:
    signal = asyncio.Event()
    told = await play(lambda *_: signal.set(), stop_signal=signal, on_cancel=on_cancel, answer_at=30)

    assert told.states[2] == end
    assert told.seconds == pytest.approx(15 if on_cancel == "leave" else 31, abs=1)


async def test_row_stop_signal_with_cancel_awaits_a_run_that_does_not_stop_for_60_seconds() -> None:
    signal = asyncio.Event()
    told = await play(lambda *_: signal.set(), third="stubborn", stop_signal=signal, on_cancel="cancel")

    assert told.states == ["CANCELLED", "NOT_STARTED", "CANCELLED", "LEFT_RUNNING"]
    assert told.seconds == pytest.approx(65, abs=1)


async def test_a_stop_signal_that_was_set_before_starts_nothing() -> None:
    signal = asyncio.Event()
    signal.set()
    told = await play(stop_signal=signal)

    assert told.states == []
    assert told.asked == []
    assert posts(told.emulator) == 0


@pytest.mark.parametrize("way", ["break", "exception", "cancellation"])
async def test_row_the_block_is_left_early_and_runs_are_left(way: str) -> None:
    third = "short" if way == "break" else "long"
    told = await play(third=third, rest=lambda: iter([request("instant")]), leave_at=way)

    assert told.states == [*LEFT[:3], "SUCCESS" if way == "break" else "LEFT_RUNNING"]
    assert told.error is None
    assert len(told.asked) == 4
    assert told.cancelled_on_the_server == set()
    assert told.seconds == pytest.approx(8, abs=0.5)
    assert len(told.batch.outstanding) == (2 if way == "break" else 3)


@pytest.mark.parametrize("way", ["break", "exception", "cancellation"])
async def test_row_the_block_is_left_early_and_runs_are_cancelled(way: str) -> None:
    third = "short" if way == "break" else "long"
    told = await play(third=third, rest=lambda: iter([request("instant")]), leave_at=way, on_cancel="cancel")

    assert told.states == [*LEFT[:3], "SUCCESS" if way == "break" else "LEFT_RUNNING"]
    assert told.cancelled_on_the_server == {"long", "slow answer"}
    assert len(patches(told.emulator)) == (2 if way == "break" else 3)
    assert told.seconds == pytest.approx(8, abs=0.5)


@pytest.mark.parametrize("way", ["break", "exception", "cancellation"])
async def test_row_the_block_is_left_early_and_runs_are_cancelled_and_awaited(way: str) -> None:
    third = "short" if way == "break" else "long"
    told = await play(third=third, rest=lambda: iter([request("instant")]), leave_at=way, on_cancel="confirm")

    assert told.states == [*CANCELLED[:3], "SUCCESS" if way == "break" else "CANCELLED"]
    assert told.error is None
    assert told.cancelled_on_the_server == {"long", "slow answer"}
    assert told.batch.outstanding == ()
    assert len(told.asked) == 4


async def test_leaving_early_with_confirm_concludes_what_is_in_doubt_within_10_seconds() -> None:
    told = await play(leave_at="exception", on_cancel="confirm", answer_at=30)

    assert told.states == ["CANCELLED", "NOT_STARTED", "UNKNOWN", "CANCELLED"]
    assert told.seconds == pytest.approx(15, abs=0.5)


async def test_leaving_early_with_confirm_awaits_a_run_that_does_not_stop_for_60_seconds() -> None:
    told = await play(third="stubborn", leave_at="exception", on_cancel="confirm")

    assert told.states == ["CANCELLED", "NOT_STARTED", "CANCELLED", "LEFT_RUNNING"]
    assert told.seconds == pytest.approx(65, abs=1)
    assert [execution.id for execution in told.batch.outstanding] == [told.batch.report().outcomes[3].execution_id]


async def test_leaving_with_confirm_awaits_the_cancels_that_have_begun() -> None:
    told = await play(third="fails", leave_at="break", on_failure="cancel", on_cancel="confirm")

    assert told.states == ["CANCELLED", "NOT_STARTED", "CANCELLED", "FAILED"]
    assert len(patches(told.emulator)) == 2


@pytest.mark.parametrize("refusal", [409, 400, 404])
async def test_a_run_that_ended_just_before_its_cancel_is_reported_as_what_it_is_and_at_once(refusal: int) -> None:
    """The watcher looks at runs of this age every half minute; the refused PATCH makes it look now."""
    async with Emulator(scenario()) as emulator, emulator.client() as maia:
        emulator.control.set_readings(patch_finished=refusal)
        async with Batch(maia.project(), [request("long")] * 2, on_cancel="confirm") as batch:
            await anyio.sleep(600)
            emulator.control.finish(emulator.control.executions()[0].id, "SUCCESS")

        by_id = {outcome.execution_id: outcome.state.value for outcome in batch.report().outcomes}
        assert [by_id[run.id] for run in emulator.control.executions()] == ["SUCCESS", "CANCELLED"]
    assert batch.report().seconds < 607


async def test_a_cancel_without_a_usable_answer_is_sent_again_while_ends_are_awaited(caplog: pytest.LogCaptureFixture) -> None:
    rows = [request("long")] * 3
    async with Emulator(scenario()) as emulator, emulator.client(retry=RetryPolicy(max_tries=1)) as maia:
        refused = emulator.control.add_fault(Fault(method="PATCH", status=502, times=6))
        async with Batch(maia.project(), rows, on_cancel="confirm") as batch:
            await anyio.sleep(5)

        assert [outcome.state.value for outcome in batch.report().outcomes] == ["CANCELLED"] * 3
        assert emulator.control.fault(refused).hits == 6
        assert len(patches(emulator)) == 9
    assert sum("trying again" in message for message in caplog.messages) == 3  # once for each run


@pytest.mark.parametrize("runs", Runs)
@pytest.mark.parametrize("on_cancel", ["leave", "cancel", "confirm"])
def test_what_leaving_does_to_runs(on_cancel: str, runs: Runs) -> None:
    begun = runs is Runs.CANCEL
    expected = {
        "leave": Runs.CANCEL_AND_LEAVE if begun else Runs.LEAVE,
        "cancel": Runs.CANCEL_AND_LEAVE,
        "confirm": Runs.CONFIRM_AND_LEAVE,
    }
    assert on_leaving(on_cancel, runs) is expected[on_cancel]


async def test_leaving_early_takes_no_cancel_back_that_has_begun() -> None:
    told = await play(third="fails", leave_at="break", on_failure="cancel", on_cancel="leave")

    assert told.states == ["LEFT_RUNNING", "NOT_STARTED", "LEFT_RUNNING", "FAILED"]
    assert told.cancelled_on_the_server == {"long", "slow answer"}


async def test_leaving_while_cancels_are_awaited_asks_no_run_twice_and_waits_no_longer() -> None:
    rows = [request("stubborn"), request("stubborn"), request("fails")]
    async with Emulator(scenario()) as emulator, emulator.client() as maia:
        async with Batch(maia.project(), rows, on_failure="cancel") as batch:
            await anext(batch)
            await anyio.sleep(10)

        assert [outcome.state.value for outcome in batch.report().outcomes] == ["LEFT_RUNNING", "LEFT_RUNNING", "FAILED"]
        assert len(patches(emulator)) == 2
    assert batch.report().seconds == pytest.approx(15, abs=1)


async def test_row_401_with_a_fresh_token() -> None:
    told = await play(lambda _, emulator, __: emulator.control.revoke_tokens() and None, rest=lambda: iter([request("instant")]))

    assert told.states == LEFT
    assert isinstance(told.error, Unauthorized)
    assert len(told.asked) == 4
    assert sum(isinstance(outcome.error, Unauthorized) for outcome in told.batch.report().outcomes) >= 1


async def test_row_the_client_is_closed() -> None:
    told = await play(lambda maia, *_: maia.aclose(), rest=lambda: iter([request("instant")]))

    assert told.states == LEFT
    assert isinstance(told.error, SessionClosed)
    assert len(told.asked) == 4
    assert len(told.batch.outstanding) == 3


async def test_row_the_input_raises() -> None:
    def raises() -> Iterator[ExecutionRequest]:
        raise OSError("the disk is gone")
        yield request()

    told = await play(rest=raises, max_running=5)

    assert told.states == ["SUCCESS"] * 4
    assert isinstance(told.error, OSError)
    assert not isinstance(told.error, BaseExceptionGroup)


async def test_an_async_input_that_awaits_something_cancelled_raises_that_when_the_rest_has_ended() -> None:
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    gone.cancel()

    async def rows() -> AsyncIterator[ExecutionRequest]:
        yield request("short")
        await gone

    async with Emulator(scenario()) as emulator, emulator.client() as maia, Batch(maia.project(), rows()) as batch:
        outcome = await anext(batch)
        with pytest.raises(asyncio.CancelledError):
            await anext(batch)

    assert outcome.succeeded
