"""`ensure_stopped` and `ensure_streaming` when what the reads show lags behind our commands, or a command has no effect."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest
from orchestration.streams_world import world

from maia_async import ConfigurationError, StreamingStopped
from maia_async.emulator.streams import shown_at


@pytest.mark.parametrize(
    ("script", "plan", "waits", "stops", "ends"),
    [
        ({}, [], 0, [(0, 202)], 4),  # it shows NOT_RUNNING before it starts: our START is stopped all the same
        ({"start_lag": 9, "starting": 20}, [], 5, [(5, 202)], 9),
        ({"start_lag": 9, "starting": 20}, [409], 0, [(0, 409), (1, 202)], 5),  # a 409 ends no START
        ({"start_lag": 9, "starting": 20}, [], 20, [(20, 202)], 24),  # STARTING
        ({"starting": 0, "snapshot": "never", "flaps_every": 3}, [], 10, [], 10),  # it ran since, and runs no more
        ({}, [], 3600, [(3600, 202)], 3604),
    ],
)
async def test_a_start_of_ours_that_does_not_show_yet_is_stopped(
    script: Any, plan: list[Any], waits: float, stops: list[Any], ends: float
) -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        pipeline = made.make("a", **script)
        await pipeline.start()
        if waits:
            watching = loop.create_task(pipeline.wait_for("UNKNOWN"))
            await asyncio.sleep(waits)
            watching.cancel()
        made.commands["a"] = deque(plan)
        await pipeline.ensure_stopped()

        assert [(round(sent.at), sent.status) for sent in made.sent if sent.word == "STOP"] == stops
        assert round(loop.time()) == ends
        await asyncio.sleep(100)
        assert shown_at(made.streams["a"], made.now) == "NOT_RUNNING"


async def test_a_start_of_ours_that_never_shows_is_waited_for_no_longer_than_its_grace() -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        pipeline = made.make("a")
        made.commands["a"] = deque(["ignored"])
        await pipeline.start()
        await asyncio.sleep(2)
        await pipeline.ensure_stopped()
        assert 60 < loop.time() <= 65
        assert {sent.status for sent in made.sent if sent.word == "STOP"} == {409}

        await pipeline.ensure_stopped()
        assert loop.time() <= 65


async def test_a_stop_that_was_accepted_and_has_no_effect_is_sent_again_after_a_minute() -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        pipeline = made.make("a", running=True, stop_seconds=1)
        made.commands["a"] = deque(["ignored", "ignored"])
        await pipeline.ensure_stopped()

        assert [(sent.at, sent.word, sent.status) for sent in made.sent] == [(0.0, "STOP", 202), (61.0, "STOP", 202), (122.0, "STOP", 202)]
        assert loop.time() == 123


async def test_one_that_others_start_again_while_it_is_being_stopped_is_stopped_once_more() -> None:
    async with world() as made:
        pipeline = made.make("a", running=True, stop_seconds=1, starting=1, snapshot="never")
        loop = asyncio.get_running_loop()
        made.other("a", "STOP")
        loop.call_later(1.5, made.other, "a", "START")
        await asyncio.sleep(0.5)
        made.reads["a"] = deque([0.0])  # STOPPING; the next read, at 3.5 s, shows it running
        await pipeline.ensure_stopped()
        assert [(sent.word, sent.status) for sent in made.sent] == [("STOP", 202)]
        assert 60 < loop.time() < 80


async def test_ensure_streaming_has_a_grace_of_the_callers() -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        pipeline = made.make("a", refuses_to_start="stays")
        with pytest.raises(StreamingStopped):
            await pipeline.ensure_streaming(start_grace=9)
        assert loop.time() == 10
        with pytest.raises(ConfigurationError, match="start_grace"):
            await pipeline.ensure_streaming(start_grace=-1)
