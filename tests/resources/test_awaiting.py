"""`await execution` as an iterator: cancelled, closed and already over, it leaves nobody waiting."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from maia_async import ExecutionFailed, MaiaError, SessionClosed
from maia_async.emulator import Emulator


async def awaits(execution: Any) -> Any:
    return await execution


async def test_one_that_has_ended_is_told_at_once() -> None:
    async with Emulator() as emulator, emulator.client() as maia:
        execution = await maia.project().execute("My pipeline", "Environment-1")
        first = await execution
        coroutine = awaits(execution)

        with pytest.raises(StopIteration) as ended:
            coroutine.send(None)

        assert ended.value.value == first
        assert maia.statistics().waits == 0


async def test_a_cancelled_wait_is_left() -> None:
    async with Emulator() as emulator, emulator.client() as maia:
        execution = await maia.project().execute("My pipeline", "Environment-1")
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(awaits(execution)), group.create_task(awaits(execution))
            await asyncio.sleep(1)
            assert maia.statistics().waits == 2
            first.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert maia.statistics().waits == 1
        assert first.cancelled()
        assert (await execution) == second.result()


async def test_a_closed_wait_is_left_without_awaiting() -> None:
    async with Emulator() as emulator, emulator.client() as maia:
        execution = await maia.project().execute("My pipeline", "Environment-1")
        coroutine = awaits(execution)
        coroutine.send(None)
        assert maia.statistics().waits == 1

        coroutine.close()

        assert maia.statistics().waits == 0


async def error_of(execution: Any) -> MaiaError | None:
    try:
        await execution
    except MaiaError as error:
        return error
    return None


async def test_errors_come_out_of_it() -> None:
    async with Emulator() as emulator, asyncio.TaskGroup() as group:
        async with emulator.client() as maia:
            failing = await maia.project().execute("My pipeline", "Environment-1")
            emulator.control.finish(failing.id, "FAILED")
            assert isinstance(await error_of(failing), ExecutionFailed)
            going = await maia.project().execute("My pipeline", "Environment-1")
            task = group.create_task(error_of(going))
            await asyncio.sleep(0.5)
        assert isinstance(await task, SessionClosed)
