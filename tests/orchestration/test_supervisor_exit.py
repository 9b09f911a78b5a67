"""How a supervision ends: what is waited for, what is stopped, what is told, and that nothing is left behind."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest
from orchestration.account import ours
from orchestration.streams_world import Told, world

from maia_async import (
    RestartPolicy,
    SessionClosed,
    StreamingState,
    StreamingTransition,
    supervise,
)
from maia_async.emulator import Emulator
from maia_async.emulator.streams import shown_at

AT_ONCE = RestartPolicy(base=1e-6, cap=1e-6)
FAILS = [500] * 1000


@pytest.mark.parametrize(("plan", "lasts", "expected"), [("late", 5.0, "6 StartAttempted True"), ("never", 10.0, None)])
async def test_a_start_that_has_gone_out_is_waited_for_at_the_exit_and_told(plan: str, lasts: float, expected: str | None) -> None:
    told, loop = Told(), asyncio.get_running_loop()
    async with world() as made:
        pipeline = made.make("a")
        made.commands["a"] = deque([plan])
        await asyncio.sleep(1)
        async with supervise([pipeline]) as supervisor:
            listening = loop.create_task(told.listen(supervisor))
            await asyncio.sleep(0.001)
        await listening
        assert loop.time() == pytest.approx(1 + lasts, abs=0.01)
        assert ours() == []

    assert told.lines()[-1] == (expected or "11.001 StartAttempted None RequestTimedOut")
    assert len(made.sent) == 1


async def test_a_start_that_still_waits_for_its_turn_is_not_waited_for_at_the_exit() -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        pipeline = made.make("a")
        made.gate.clear()
        async with supervise([pipeline]):
            await asyncio.sleep(5)
        assert loop.time() == 5
        made.gate.set()
        await asyncio.sleep(5)
    assert made.sent == []


async def test_a_start_that_has_gone_out_is_waited_for_and_told_when_the_client_is_closed() -> None:
    told, loop = Told(), asyncio.get_running_loop()
    async with world() as made:
        pipeline = made.make("a")
        made.commands["a"] = deque(["late"])
        async with supervise([pipeline]) as supervisor:
            listening = loop.create_task(told.listen(supervisor))
            await asyncio.sleep(1)
            await made.aclose()
            assert loop.time() == 5
            await listening

    assert told.lines() == ["0 - > NOT_RUNNING", "5 StartAttempted True"]
    assert isinstance(told.error, SessionClosed)


@pytest.mark.parametrize(
    ("plan", "script", "stops"),
    [
        ([409], {"starting": 20}, [(3.0, 409), None]),  # refused while it starts: once more after a read shows it running
        (["ignored"], {"starting": 20}, [(3.0, 202), None]),
        ([OSError("of a user's own Auth")], {"starting": 20}, [None]),
        ([], {"start_lag": 9, "starting": 20}, [(3.0, 202)]),  # it shows NOT_RUNNING, but our START is on its way
        ([409], {"start_lag": 9, "starting": 20}, [(3.0, 409), None]),
    ],
)
async def test_a_stop_at_the_exit_is_sent_until_the_reads_show_its_effect(plan: list[Any], script: Any, stops: list[Any]) -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        pipeline = made.make("a", stop_seconds=0.5, **script)
        async with supervise([pipeline], on_exit="stop") as supervisor:
            await asyncio.sleep(3)
            made.commands["a"] = deque(plan)
        assert loop.time() < 3 + 10.1
        assert (supervisor.states["a"].state, shown_at(made.streams["a"], made.now)) == ("NOT_RUNNING", "NOT_RUNNING")
        assert ours() == []

    sent = [(sent.at, sent.status) for sent in made.sent if sent.word == "STOP"]
    assert len(sent) == len(stops)
    for found, expected in zip(sent, stops, strict=True):
        assert found[1] == 202 if expected is None else found == expected


@pytest.mark.parametrize(("on_exit", "stops"), [("leave", []), ("stop", ["calm", "starting", "unreachable"])])
async def test_leaving_leaves_them_streaming_or_stops_those_that_run(on_exit: Any, stops: list[str]) -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        pipelines = [
            made.make("calm", running=True),
            made.make("starting"),
            made.make("unreachable", running=True),
            made.make("given up", running=True, flaps_every=10),
            made.make("stopped by others", running=True, stop_seconds=10),
            made.make("removed", running=True),
        ]
        made.commands["calm"] = deque([500])
        async with supervise(pipelines, restart=AT_ONCE, on_exit=on_exit) as supervisor:
            await asyncio.sleep(10)
            made.other("stopped by others", "STOP")
            supervisor.remove("removed")
            await asyncio.sleep(90)
            made.hold("unreachable", "UNKNOWN")
            made.commands["unreachable"] = deque([500, 500])
            await asyncio.sleep(16)
            made.hold("unreachable", "STREAMING")
            began = loop.time()
        took = loop.time() - began
        assert ours() == []
        assert made.runtime.watcher.waiting == 0

    assert sorted({sent.pipeline_id for sent in made.sent if sent.word == "STOP"}) == stops
    if on_exit == "stop":
        assert 4 <= took <= 10.6
        assert {supervisor.states[name].state for name in stops} == {StreamingState.NOT_RUNNING}
    else:
        assert took == 0


async def test_stopping_at_the_exit_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        slow, refused = made.make("slow", running=True, stop_seconds=60), made.make("refused", running=True)
        forbidden = made.make("forbidden", running=True)
        made.commands["refused"], made.commands["forbidden"] = deque(FAILS), deque([403])
        async with supervise([slow, refused, forbidden], on_exit="stop"):
            await asyncio.sleep(10)
        assert loop.time() == pytest.approx(10 + 10 + 0.3)

    said = sorted(record.getMessage() for record in caplog.records)
    assert len(said) == 3
    assert said[0].startswith("could not stop streaming pipeline forbidden: ")
    assert said[1:] == [
        "streaming pipeline refused may still run: it could not be stopped in time",
        "streaming pipeline slow is still stopping",
    ]


async def test_a_start_under_way_at_the_exit_is_ended_before_the_stop() -> None:
    async with world() as made:
        pipeline = made.make("a")
        made.commands["a"] = deque(["late"])
        async with supervise([pipeline], on_exit="stop"):
            await asyncio.sleep(1)

    assert [(sent.word, sent.status) for sent in made.sent] == [("START", 202), ("STOP", 202)]


async def test_an_exception_leaves_the_block_bare_and_nothing_behind() -> None:
    async with world() as made:
        pipeline = made.make("a", running=True)

        async def use() -> None:
            async with supervise([pipeline], on_exit="stop"):
                await asyncio.sleep(5)
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            await use()
        assert ours() == []
    assert [sent.word for sent in made.sent] == ["STOP"]


async def test_a_cancellation_leaves_the_block_and_nothing_behind() -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        pipelines = [made.make(str(number), running=number % 2 == 0) for number in range(6)]

        async def use() -> None:
            async with supervise(pipelines, on_exit="stop") as supervisor:
                async for _ in supervisor:
                    pass

        for steps in range(30):
            task = loop.create_task(use())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert ours() == []
            assert made.runtime.watcher.waiting == 0


async def test_a_closed_client_ends_the_iteration_with_session_closed_and_stops_nothing() -> None:
    async with world() as made:
        pipeline = made.make("a", running=True)
        async with supervise([pipeline], on_exit="stop") as supervisor:
            assert (await anext(supervisor)).pipeline_id == "a"
            loop = asyncio.get_running_loop()
            closing = loop.create_task(made.aclose())
            with pytest.raises(SessionClosed):
                await anext(supervisor)
            await closing
            with pytest.raises(StopAsyncIteration):
                await anext(supervisor)
            with pytest.raises(SessionClosed):
                supervisor.add(made.make("b"))
        with pytest.raises(SessionClosed):
            async with supervise([pipeline]):
                pass
    assert made.sent == []


async def test_closing_the_real_client_ends_it(emulator: Emulator) -> None:
    (name,) = emulator.control.create_stream("calm", started_ago=1000)
    maia = emulator.client()
    pipeline = maia.project(emulator.control.stream(name).project_id).streaming_pipeline(name)
    async with supervise([pipeline]) as supervisor:
        assert isinstance(await anext(supervisor), StreamingTransition)
        await maia.aclose()
        with pytest.raises(SessionClosed):
            await anext(supervisor)
    assert ours() == []
