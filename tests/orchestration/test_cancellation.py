"""Cancels at every step and counts: no run on the server is lost, and nothing of ours is left running, whatever the moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from orchestration.account import ours, patches, request
from orchestration.stepping import Played, Use, every_step, play

from maia_async import Batch, ExecutionStatus, SessionClosed

ROWS = [request("takes 1"), request("long"), request("instant"), request("disabled"), request("takes 1")]
# What the suite does not play is among the long tests.
LONG = pytest.mark.long
AGAIN = pytest.mark.parametrize(
    "again_after",
    [None, pytest.param(1, marks=LONG), pytest.param(5, marks=LONG)],
    ids=["once", "again at once", "again 5 later"],
)


def check(use: Use, again_after: int | None) -> dict[str, int]:
    """Cancel at every step; returns how often what came of it, so that a test can say that it met what it is about."""
    met = {"steps": 0, "cancelled": 0, "runs": 0, "abandoned": 0}
    for step, played in every_step(use, again_after=again_after):
        where = f"cancelled at step {step}"
        assert played.lost() == [], where
        assert played.left_behind == [], where
        assert played.error is None or isinstance(played.error, asyncio.CancelledError), where
        met["steps"] += 1
        met["cancelled"] += played.error is not None
        met["runs"] += bool(played.runs)
        met["abandoned"] += bool(played.abandoned())
    return met


@AGAIN
def test_execute(again_after: int | None) -> None:
    async def use(played: Played) -> None:
        async with played.client() as maia:
            execution = await maia.project().execute("long", "Environment-1")
            played.handed.add(execution.id)

    met = check(use, again_after)

    assert 2 < met["abandoned"] < met["runs"] < met["steps"]  # before it is out, in doubt, and after it


@AGAIN
def test_several_executes_in_one_task_group(again_after: int | None) -> None:
    async def use(played: Played) -> None:
        async with played.client() as maia, asyncio.TaskGroup() as group:

            async def one(name: str) -> None:
                played.handed.add((await maia.project().execute(name, "Environment-1")).id)

            for name in ("long", "takes 1", "instant"):
                group.create_task(one(name))

    assert check(use, again_after)["abandoned"] > 2


@AGAIN
@pytest.mark.parametrize("on_cancel", ["leave", "cancel", pytest.param("confirm", marks=LONG)])
def test_wait(on_cancel: Any, again_after: int | None) -> None:
    async def use(played: Played) -> None:
        async with played.client() as maia:
            execution = await maia.project().execute("takes 3", "Environment-1")
            played.handed.add(execution.id)
            await execution.wait(on_cancel=on_cancel)

    assert check(use, again_after)["cancelled"] > 5


def test_a_wait_that_shall_cancel_does_it_at_every_step_of_the_wait() -> None:
    async def use(played: Played) -> None:
        async with played.client() as maia:
            execution = await maia.project().execute("takes 3", "Environment-1")
            played.handed.add(execution.id)
            try:
                await execution.wait(on_cancel="cancel")
            except asyncio.CancelledError:
                played.facts["during the wait"] = True
                raise

    cancelled = 0
    for step, played in every_step(use):
        if played.facts:
            assert patches(played.emulator) == [played.runs[0].id], f"cancelled at step {step}"
            cancelled += played.runs[0].status == "CANCELLED"
    assert cancelled > 10


@AGAIN
def test_a_wait_that_shall_confirm_has_seen_the_end_whatever_the_step_of_the_wait(again_after: int | None) -> None:
    async def use(played: Played) -> None:
        async with played.client() as maia:
            execution = await maia.project().execute("takes 3", "Environment-1")
            played.handed.add(execution.id)
            try:
                await execution.wait(on_cancel="confirm")
            except asyncio.CancelledError:
                played.facts["seen"] = execution.last_details
                raise

    ends = set()
    for step, played in every_step(use, again_after=again_after):
        where = f"cancelled at step {step}"
        assert played.left_behind == [], where
        if "seen" in played.facts:
            details = played.facts["seen"]
            assert details is not None, where
            assert details.status == played.runs[0].status, where  # its end, whichever it is
            assert len(patches(played.emulator)) <= 1, where
            ends.add(details.status.value)
    assert ends == {"CANCELLED", "SUCCESS"}


@AGAIN
@pytest.mark.parametrize("on_cancel", [pytest.param("leave", marks=LONG), pytest.param("cancel", marks=LONG), "confirm"])
def test_a_timeout_that_confirms_sends_its_patch_once_and_leaves_nothing_behind(on_cancel: Any, again_after: int | None) -> None:
    """Cancelled while it waits, while the PATCH is under way, and while the end is awaited."""

    async def use(played: Played) -> None:
        async with played.client() as maia:
            execution = await maia.project().execute("long", "Environment-1")
            played.handed.add(execution.id)
            try:
                played.facts["end"] = (await execution.wait(2, check=False, on_timeout="confirm", on_cancel=on_cancel)).status
            except asyncio.CancelledError:
                played.facts["cancelled"] = True
                raise

    asked = confirmed = 0
    for step, played in every_step(use, again_after=again_after):
        where = f"cancelled at step {step}"
        assert played.lost() == [], where
        assert played.left_behind == [], where
        assert len(patches(played.emulator)) <= 1, where
        if patches(played.emulator) or (played.facts and on_cancel != "leave"):
            assert [run.status for run in played.runs] == ["CANCELLED"], where
        asked += bool(patches(played.emulator)) and "cancelled" in played.facts
        confirmed += "end" in played.facts
    assert asked > 5
    assert confirmed > 0


def test_one_waiters_cancellation_at_any_step_disturbs_no_other() -> None:
    async def use(played: Played) -> None:
        async with played.client() as maia:
            execution = await maia.project().execute("takes 2", "Environment-1")
            played.handed.add(execution.id)
            other = asyncio.get_running_loop().create_task(maia.project().execution(execution.id).wait(), name="other")
            try:
                await execution
            finally:
                while not other.done():  # a second cancellation is not under test here
                    await asyncio.wait([other])
                played.facts["other"] = other.result().status

    waited = 0
    for step, played in every_step(use):
        assert played.facts.get("other", ExecutionStatus.SUCCESS) is ExecutionStatus.SUCCESS, f"cancelled at step {step}"
        waited += bool(played.facts)
    assert waited > 20


@AGAIN
@pytest.mark.parametrize("on_cancel", [pytest.param("leave", marks=LONG), "cancel", pytest.param("confirm", marks=LONG)])
def test_batch(on_cancel: Any, again_after: int | None) -> None:
    async def use(played: Played) -> None:
        async with played.client() as maia:
            batch = Batch(maia.project(), iter(ROWS), max_running=3, on_cancel=on_cancel, timeout=4.0)
            try:
                async with batch:
                    async for _ in batch:
                        pass
            finally:
                report = batch.report()
                played.facts["outcomes"] = report.outcomes
                played.handed.update(execution.id for execution in batch.outstanding)
                played.handed.update(outcome.execution_id for outcome in report.outcomes if outcome.execution_id is not None)

    left = 0
    for step, played in every_step(use, again_after=again_after):
        where = f"cancelled at step {step}"
        assert played.lost() == [], where
        assert played.left_behind == [], where
        assert played.error is None or isinstance(played.error, asyncio.CancelledError), where
        outcomes = played.facts.get("outcomes", ())
        assert [outcome.index for outcome in outcomes] == list(range(len(outcomes))), where
        assert all(outcome.state != "UNKNOWN" for outcome in outcomes), where
        left += sum(outcome.state == "LEFT_RUNNING" for outcome in outcomes)
    assert left > 20


def test_a_batch_that_shall_cancel_leaves_no_run_going_whatever_the_step() -> None:
    async def use(played: Played) -> None:
        async with played.client() as maia:
            async with Batch(maia.project(), ROWS, on_cancel="cancel") as batch:
                played.facts["batch"] = batch
                for _ in range(4):
                    played.handed.add((await anext(batch)).execution_id or "")
            played.handed.update(execution.id for execution in batch.outstanding)

    whole = play(use)
    assert [run.status for run in whole.runs if run.pipeline_name == "long"] == ["CANCELLED"]
    for step in range(1, whole.steps + 1):
        played = play(use, step)
        if "batch" in played.facts:
            assert [run for run in played.runs if run.status == "RUNNING"] == [], f"cancelled at step {step}"


def test_a_batch_that_shall_confirm_reports_each_run_as_what_it_is_whatever_the_step() -> None:
    async def use(played: Played) -> None:
        async with played.client() as maia:
            batch = played.facts["batch"] = Batch(maia.project(), ROWS, on_cancel="confirm")
            try:
                async with batch:
                    for _ in range(4):
                        played.handed.add((await anext(batch)).execution_id or "")
            finally:
                played.handed.update(outcome.execution_id for outcome in batch.report().outcomes if outcome.execution_id is not None)

    assert [run.status for run in play(use).runs if run.pipeline_name == "long"] == ["CANCELLED"]
    ends = 0
    for step, played in every_step(use):
        where = f"cancelled at step {step}"
        assert played.lost() == [], where
        assert played.left_behind == [], where
        held = {run.id: run.status for run in played.runs}
        for outcome in played.facts["batch"].report().outcomes if "batch" in played.facts else ():
            if outcome.execution_id is not None:
                assert outcome.state.value == held[outcome.execution_id], where
                ends += outcome.state == "CANCELLED"
    assert ends > 20


def test_a_client_that_another_task_closes_at_any_step_hands_everything_over() -> None:
    async def use(played: Played) -> None:
        maia = played.facts["maia"] = played.client()
        batch = Batch(maia.project(), iter(ROWS), max_running=3, timeout=4.0)
        try:
            async with batch:
                async for _ in batch:
                    pass
        except SessionClosed:
            played.facts["cut off"] = True
        await maia.aclose()
        report = batch.report()
        played.handed.update(outcome.execution_id for outcome in report.outcomes if outcome.execution_id is not None)
        left = {outcome.execution_id for outcome in report.outcomes if outcome.state == "LEFT_RUNNING"}
        assert left == {execution.id for execution in batch.outstanding}
        if "closing" in played.facts:
            await played.facts["closing"]

    def close(played: Played) -> None:
        if "maia" in played.facts:
            played.facts["closing"] = asyncio.get_running_loop().create_task(played.facts["maia"].aclose(), name="closing")

    whole = play(use)
    assert whole.lost() == []
    cut_off = 0
    for step in range(1, whole.steps + 1):
        played = play(use, step, strike=close)
        assert played.error is None, f"closed at step {step}"
        assert played.lost() == [], f"closed at step {step}"
        # Begun at the very last step, the closing itself may still be under way.
        assert [name for name in played.left_behind if "name='closing'" not in name] == [], f"closed at step {step}"
        cut_off += "cut off" in played.facts
    assert cut_off > 20


@AGAIN
def test_closing_that_is_cancelled_at_any_step_leaves_nothing_running(again_after: int | None) -> None:
    """A batch in another task, with POSTs in doubt and runs under way, when the client's own block is left."""

    async def use(played: Played) -> None:
        batch: Batch | None = None

        async def other() -> None:
            assert batch is not None
            try:
                async with batch:
                    async for _ in batch:
                        pass
            except SessionClosed:
                pass

        task = None
        try:
            async with played.client() as maia:
                batch = Batch(maia.project(), iter(ROWS), max_running=3)
                task = asyncio.get_running_loop().create_task(other(), name="other")
                await asyncio.sleep(0.9)  # token 0.4, then the POSTs: at 0.6 carried out, at 0.8 answered; the fourth is in doubt
        finally:
            if task is not None and batch is not None:
                played.facts["ours"] = ours()
                while not task.done():
                    await asyncio.wait([task])
                ids = (outcome.execution_id for outcome in batch.report().outcomes)
                played.handed.update(found for found in ids if found is not None)

    for step, played in every_step(use, again_after=again_after):
        assert played.facts.get("ours", []) == [], f"cancelled at step {step}"
        assert played.lost() == [], f"cancelled at step {step}"
        assert played.left_behind == [], f"cancelled at step {step}"
