"""A client at work through a total outage, against the emulator: how many attempts it makes in each minute; it judges nothing.

The work is steady, so that there is a normal rate: a batch that never ends, waits for runs of others that last for hours, supervised
streams, and tasks that call again and again and shrug errors off. The attempts are counted on the client's side, since the server sees
nothing of a connection that it refuses.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any, Final

from attrs import define, field, frozen

from maia_async import Batch, ExecutionRequest, MaiaError, RequestFinished, supervise
from maia_async.emulator import Emulator, Fault, Pipeline, Scenario

MINUTE: Final = 60.0
OUTAGES: Final = ("503", "refused", "silence", "token")
API, TOKEN = "/dpc/**", "/oauth/**"


@frozen(kw_only=True)
class Steady:
    """What the client does. running: of the batch, each for about a minute. callers: tasks that call every 20 to 40 s."""

    running: int = 40
    waits: int = 300
    streams: int = 100
    callers: int = 100


@define(kw_only=True)
class Lived:
    """What was seen. Seconds from the beginning; `sent` are the beginnings of all attempts, in order."""

    begins: float  # of the outage
    ends: float
    sent: list[float] = field(factory=list)
    ended_waits: int = 0
    held_back: int = 0
    states: dict[str, int] = field(factory=dict)  # outcomes of the batch

    def minute(self, since: float) -> int:
        """Attempts in the minute that begins then."""
        return bisect_left(self.sent, since + MINUTE) - bisect_left(self.sent, since)

    def normal(self, minutes: int) -> float:
        """Attempts a minute in so many minutes before the outage."""
        span = minutes * MINUTE
        return (bisect_left(self.sent, self.begins) - bisect_left(self.sent, self.begins - span)) / minutes

    def by_minute(self) -> list[int]:
        """Attempts in each minute of the outage."""
        return [self.minute(self.begins + number * MINUTE) for number in range(round((self.ends - self.begins) / MINUTE))]

    def busiest(self, within: float) -> int:
        """The most attempts in any minute that begins in so many seconds after the end of the outage."""
        starts = [self.ends, *(at for at in self.sent if self.ends <= at < self.ends + within)]
        return max(self.minute(at) for at in starts)


async def live(load: Steady, outage: str, *, before: int, minutes: int, after: int, seed: int = 0, breaker: bool = True) -> Lived:
    """So many minutes of work, of outage, and of work again. Without the breaker: as the client was before it had one."""
    token_lifetime = 90.0 if outage == "token" else 1800.0
    scenario = Scenario.of(
        Pipeline(name="short", duration=(40, 80)),
        latency_in=(0.02, 0.2),
        latency_out=(0.02, 0.2),
        token_lifetime=token_lifetime,
        seed=seed,
    )
    lived = Lived(begins=before * MINUTE, ends=(before + minutes) * MINUTE)
    async with Emulator(scenario) as emulator:
        zero = asyncio.get_running_loop().time()

        def count(event: Any) -> None:
            if isinstance(event, RequestFinished):
                lived.sent.append(asyncio.get_running_loop().time() - event.duration - zero)

        async with emulator.client(observers=[count]) as maia:
            if not breaker:
                maia._exchange.breaker.window = maia._exchange.token_breaker.window = -1.0
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(each) for each in _work(maia, emulator, load, lived, seed)]
                await asyncio.sleep(lived.begins)
                over = _break(emulator, outage)
                await asyncio.sleep(lived.ends - lived.begins)
                over()
                await asyncio.sleep(after * MINUTE)
                lived.held_back = maia.statistics().held_back
                for task in tasks:
                    task.cancel()
    lived.sent.sort()
    return lived


def _break(emulator: Emulator, outage: str) -> Callable[[], None]:
    """Begin the outage; what ends it."""
    control = emulator.control
    if outage == "refused":
        control.refuse_connections()
        return control.accept_connections
    faults = {
        "503": [Fault(path=API, status=503), Fault(path=TOKEN, status=503)],
        "silence": [Fault(path=API, kind="silence"), Fault(path=TOKEN, kind="silence")],
        "token": [Fault(path=TOKEN, status=503)],
    }[outage]
    for fault in faults:
        control.add_fault(fault)
    return control.clear_faults


def _work(maia: Any, emulator: Emulator, load: Steady, lived: Lived, seed: int) -> Iterator[Any]:
    project, control = maia.project(), emulator.control
    if load.running:
        yield _batch(project, load.running, lived)
    others = (
        control.add_executions(count=load.waits, pipelines=["others"], started_over=3600.0, duration=(36_000, 72_000)) if load.waits else []
    )
    for run_id in others:
        yield _wait(project.execution(run_id), lived)
    if load.streams:
        ids = control.create_stream("stream", project_id=emulator.scenario.projects[0].id, count=load.streams, started_ago=7200.0)
        yield _supervise([project.streaming_pipeline(each) for each in ids])
    dice = Random(seed)
    for number in range(load.callers):
        yield _call(maia, Random(dice.random()), others[number % len(others)] if others else None)


async def _batch(project: Any, running: int, lived: Lived) -> None:
    row = ExecutionRequest(pipeline_name="short", environment_name="Environment-1")
    async with Batch(project, iter(lambda: row, None), max_running=running) as batch:
        async for outcome in batch:
            lived.states[outcome.state.value] = lived.states.get(outcome.state.value, 0) + 1


async def _wait(run: Any, lived: Lived) -> None:
    with suppress(MaiaError):
        await run.wait(check=False)
    lived.ended_waits += 1


async def _supervise(pipelines: list[Any]) -> None:
    async with supervise(pipelines) as supervisor:
        async for _ in supervisor:
            pass


async def _call(maia: Any, dice: Random, run_id: str | None) -> None:
    while True:
        await asyncio.sleep(dice.uniform(20, 40))
        with suppress(MaiaError):
            if run_id is not None and dice.random() < 0.5:
                await maia.project().execution(run_id).details()
            else:
                await maia.projects.list()
