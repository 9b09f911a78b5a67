"""What is tried with streaming pipelines under each fault. It knows no fault."""

from __future__ import annotations

from collections import Counter

import anyio
from faults.registry import Facts, operation
from faults.world import World

from maia_async import GaveUp, StreamingPipelineDefinition, StreamingTransition, supervise
from maia_async.emulator.definitions import example
from maia_async.emulator.scenario import STREAMING_AGENT


@operation("stream_status", "`await stream.status()`", "GET", "**/streaming-pipelines/*/status")
async def _(world: World) -> Facts:
    return {"status": (await world.streaming.status()).value}


@operation("stream_start", "`await stream.start()`", "POST", "**/streaming-pipelines/*/commands")
async def _(world: World) -> Facts:
    try:
        await world.streaming.start()
    finally:
        assert world.control.stream(world.stream).starts <= 1
    return {"starts": world.control.stream(world.stream).starts}


@operation("stream_create", "`await project.streaming_pipelines.create(definition)`", "POST", "**/streaming-pipelines")
async def _(world: World) -> Facts:
    definition = StreamingPipelineDefinition.from_dict(example("made here", STREAMING_AGENT))
    try:
        made = await world.project.streaming_pipelines.create(definition)
    finally:
        ours = [stream.id for stream in world.control.streams() if stream.name == "made here"]
        assert len(ours) <= 1
    assert ours == [made.id]
    return {}


@operation("ensure_streaming", "`await stream.ensure_streaming()`", "POST", "**/streaming-pipelines/*/commands")
async def _(world: World) -> Facts:
    await world.streaming.ensure_streaming()
    assert world.control.stream(world.stream).state == "STREAMING"
    return {"starts": world.control.stream(world.stream).starts}


@operation("ensure_stopped", "`await stream.ensure_stopped()` of one that streams", "POST", "**/streaming-pipelines/*/commands")
async def _(world: World) -> Facts:
    world.control.start_stream(world.stream)
    world.control.advance(60)
    await world.streaming.ensure_stopped(timeout=300)
    return {"state": world.control.stream(world.stream).state}


@operation("stream_wait", "`await stream` after a START by somebody else", "GET", "**/streaming-pipelines/*/status")
async def _(world: World) -> Facts:
    world.control.start_stream(world.stream)
    return {"status": (await world.streaming).value}


@operation("supervise", "`async for event in supervise([stream])` for ten minutes", "GET", "**/streaming-pipelines/*/status")
async def _(world: World) -> Facts:
    return await _supervised(world)


@operation("supervise_start", "the same; the fault is aimed at its START", "POST", "**/streaming-pipelines/*/commands")
async def _(world: World) -> Facts:
    return await _supervised(world)


async def _supervised(world: World) -> Facts:
    told: Counter[str] = Counter()
    gave_up, streamed = False, False
    with anyio.move_on_after(600):
        async with supervise([world.streaming]) as supervisor:
            async for event in supervisor:
                told[type(event).__name__] += 1
                gave_up = gave_up or isinstance(event, GaveUp)
                streamed = streamed or (isinstance(event, StreamingTransition) and event.current == "STREAMING")
    return {
        "streamed": streamed,
        "gave_up": gave_up,
        "restarts": told["RestartAttempted"],
        "unreachable": told["Unreachable"],
        "state": world.control.stream(world.stream).state,
    }
