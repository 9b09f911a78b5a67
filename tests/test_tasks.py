"""Background tasks: who inherits what, what closing waits for, and that nothing is left behind, also under cancellation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar

import anyio
import pytest

from maia_async.errors import SessionClosed
from maia_async.tasks import TaskOwner, end, settle

Now = Callable[[], float]
COLOUR: ContextVar[str] = ContextVar("COLOUR", default="none")


@pytest.fixture
async def owner() -> AsyncIterator[TaskOwner]:
    """An owner that must have nothing left at the end."""
    owner = TaskOwner()
    yield owner
    await owner.aclose()
    assert owner.running == 0
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("maia_async")] == []


async def forever() -> None:
    await anyio.sleep_forever()


async def stubborn(seconds: float, done: list[str]) -> None:
    """Ends some seconds after it was cancelled."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(seconds)
        done.append("cleaned up")


async def test_a_task_gives_its_result_and_is_forgotten(owner: TaskOwner) -> None:
    async def work() -> int:
        await anyio.sleep(1)
        return 7

    task = owner.start(work(), name="work")
    assert owner.running == 1
    assert task.get_name() == "maia_async work"
    assert await task == 7
    await anyio.lowlevel.checkpoint()
    assert owner.running == 0


async def test_a_task_starts_in_an_empty_context(owner: TaskOwner) -> None:
    async def look() -> str:
        return COLOUR.get()

    COLOUR.set("red")
    assert await owner.start(look(), name="look") == "none"
    assert COLOUR.get() == "red"


async def test_a_task_outlives_the_scope_of_whoever_started_it(owner: TaskOwner, now: Now) -> None:
    async def work() -> str:
        await anyio.sleep(5)
        return "done"

    with anyio.move_on_after(1):
        task = owner.start(work(), name="work")
        await anyio.sleep(10)
    assert await task == "done"
    assert now() == 5.0


async def test_closing_cancels_what_runs_and_lets_finish_what_must(owner: TaskOwner, now: Now) -> None:
    async def bounded() -> str:
        await anyio.sleep(10)
        return "finished"

    watcher = owner.start(forever(), name="watcher")
    trigger = owner.start(bounded(), name="trigger", finishes=True)
    await anyio.sleep(1)
    await owner.aclose()
    assert now() == 10.0
    assert watcher.cancelled()
    assert trigger.result() == "finished"
    assert owner.running == 0


async def test_closing_from_another_task_and_twice_works(owner: TaskOwner) -> None:
    assert not owner.start(forever(), name="watcher").done()
    async with anyio.create_task_group() as others:
        others.start_soon(owner.aclose)
        others.start_soon(owner.aclose)
    await owner.aclose()
    assert owner.running == 0


async def test_after_closing_nothing_starts_and_no_coroutine_is_left_unawaited(owner: TaskOwner) -> None:
    await owner.aclose()
    ran = []

    async def work() -> None:
        ran.append(1)

    coroutine = work()
    with pytest.raises(SessionClosed):
        _ = owner.start(coroutine, name="late")
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)
    assert ran == []


async def test_a_task_that_must_finish_is_cancelled_by_nobody_but_may_fail(owner: TaskOwner) -> None:
    async def failing() -> None:
        await anyio.sleep(1)
        raise LookupError("gone")

    task = owner.start(failing(), name="failing", finishes=True)
    await owner.aclose()
    assert isinstance(task.exception(), LookupError)


async def test_an_error_that_nobody_awaits_is_logged(owner: TaskOwner, caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> None:
        raise LookupError("gone")

    with caplog.at_level(logging.DEBUG, logger="maia_async"):
        owner.start(failing(), name="failing").get_name()
        await anyio.sleep(1)
    assert "background task maia_async failing failed" in caplog.text
    assert "LookupError: gone" in caplog.text


async def test_whoever_awaits_a_failed_task_gets_its_error_bare(owner: TaskOwner) -> None:
    async def failing() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await owner.start(failing(), name="failing")


async def test_closing_under_cancellation_leaves_no_task_and_passes_the_cancellation_on(now: Now) -> None:
    owner = TaskOwner()
    done: list[str] = []
    owner.start(stubborn(3.0, done), name="stubborn").get_name()
    await anyio.sleep(1)
    closing = asyncio.current_task()
    assert closing is not None
    asyncio.get_running_loop().call_later(1.0, closing.cancel)
    asyncio.get_running_loop().call_later(2.0, closing.cancel)
    with pytest.raises(asyncio.CancelledError):
        await owner.aclose()
    assert [closing.uncancel(), closing.uncancel()] == [1, 0]
    assert now() == 4.0
    assert done == ["cleaned up"]
    assert owner.running == 0


async def test_a_close_whose_scope_is_cancelled_while_a_task_finishes_still_ends_the_rest(now: Now) -> None:
    """A scope of anyio cancels again in every step of the loop: a wait that only tries again would spin, and no clock would move."""
    owner = TaskOwner()
    watcher = owner.start(forever(), name="watcher")
    trigger = owner.start(anyio.sleep(10), name="trigger", finishes=True)
    with anyio.move_on_after(1) as scope:
        await owner.aclose()
    assert scope.cancelled_caught
    assert now() == 10.0
    assert watcher.cancelled()
    assert trigger.done()
    assert not trigger.cancelled()
    assert owner.running == 0


async def test_end_returns_when_the_tasks_are_done_and_looks_at_no_result(owner: TaskOwner, now: Now) -> None:
    async def failing() -> None:
        raise LookupError("gone")

    done: list[str] = []
    tasks = [owner.start(stubborn(2.0, done), name="stubborn"), owner.start(failing(), name="failing"), owner.start(forever(), name="f")]
    await anyio.sleep(1)
    await end(*tasks)
    assert now() == 3.0
    assert done == ["cleaned up"]
    assert all(task.done() for task in tasks)


async def test_end_and_settle_of_nothing_return_at_once(now: Now) -> None:
    await end()
    await settle()
    assert now() == 0.0


async def test_settle_waits_without_cancelling(owner: TaskOwner, now: Now) -> None:
    task = owner.start(anyio.sleep(5), name="work")
    await settle(task)
    assert task.done()
    assert not task.cancelled()
    assert now() == 5.0
