"""The soak itself: shifts of work in all weathers, each followed by a rest in which everything is counted; all in virtual time.

One client, one supervisor and one wait live as long as the soak; each shift has work of its own, which is over before the rest. The rest is
long enough for idle connections to be closed. Then runs are held against claims, what is held is measured, and the server forgets its
requests and its ended runs, so that what grows is not the server's memory.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from random import Random
from typing import Any, Final

from attrs import define, field, frozen
from ledger import Ledger, Verdict
from meter import Holding, Trouble, holding, listening
from weather import CALM, Weather
from work import PIPELINES, Work

from maia_async import GaveUp, Maia, MaiaError, Supervisor, supervise
from maia_async.emulator import Emulator, Scenario

REST: Final = 240.0
DRAIN: Final = 0.2  # of a shift, in which nothing new is begun
LONGEST_SHIFT: Final = 5 * 3600.0  # a wait that has not ended by then never will
FOR_EVER: Final = 10 * 365 * 86_400.0


@frozen(kw_only=True)
class Soak:
    """How long, how much. seconds: of a shift, its rest included. pace: of the work. streams: supervised ones."""

    shifts: int
    seconds: float = 3600.0
    seed: int = 0
    pace: float = 1.0
    streams: int = 10


@define
class Lived:
    """What came of it."""

    soak: Soak
    verdict: Verdict = field(factory=Verdict)
    holdings: list[Holding] = field(factory=list)
    trouble: Trouble = field(factory=Trouble)
    spells: Counter[str] = field(factory=Counter)
    done: Counter[str] = field(factory=Counter)
    raised: Counter[str] = field(factory=Counter)
    restarts: int = 0
    drops: int = 0
    not_streaming: int = 0
    hung: int = 0
    outcomes: Counter[str] = field(factory=Counter)
    requests: int = 0
    retries: int = 0
    held_back: int = 0
    arrived: int = 0  # at the server
    simulated: float = 0.0
    took: float = 0.0
    cpu: float = 0.0


async def live(soak: Soak, tell: Callable[[Lived], None] = lambda _: None) -> Lived:
    """All shifts. `tell` hears after each."""
    lived = Lived(soak)
    begun, spent = time.perf_counter(), time.process_time()
    loop = asyncio.get_running_loop()
    scenario = Scenario.of(*PIPELINES, latency_in=CALM, latency_out=CALM, seed=soak.seed)
    dice = Random(soak.seed)
    with listening(loop) as lived.trouble:
        async with Emulator(scenario) as emulator:
            weather = Weather(emulator, Random(dice.random()), lived.spells)
            works: list[Work] = []

            def told(event: Any) -> None:
                for work in works[-1:]:
                    work.told(event)

            async with emulator.client(observers=[told]) as maia, _night_shift(maia, emulator, soak, lived):
                weather.drizzle()
                started = loop.time()
                for number in range(1, soak.shifts + 1):
                    until = loop.time() + (1 - DRAIN) * soak.seconds - REST
                    works[:] = [Work(maia, emulator, Ledger(), Random(dice.random()), until, soak.pace)]
                    await _shift(weather, works[0], lived)
                    weather.clear()
                    await asyncio.sleep(max(REST, started + number * soak.seconds - loop.time() - 60))
                    _count(emulator, maia, works[0], lived)
                    lived.simulated = loop.time() - started
                    lived.holdings.append(await holding(lived.simulated / 3600, partial(_connections, maia)))
                    lived.took, lived.cpu = time.perf_counter() - begun, time.process_time() - spent
                    tell(lived)
                    if lived.simulated >= soak.shifts * soak.seconds:
                        break  # a shift whose last waits met an outage lasts longer
    return lived


async def _shift(weather: Weather, work: Work, lived: Lived) -> None:
    async with asyncio.TaskGroup() as group:
        turn = group.create_task(weather.turn())
        try:
            async with asyncio.timeout(LONGEST_SHIFT), asyncio.TaskGroup() as tasks:
                for each in work.tasks():
                    tasks.create_task(each)
        except TimeoutError:
            lived.hung += 1
        turn.cancel()


def _count(emulator: Emulator, maia: Maia, work: Work, lived: Lived) -> None:
    control = emulator.control
    verdict = work.ledger.judge(control.executions())
    verdict.wrong += len(work.wrong)
    verdict.examples += work.wrong
    lived.verdict.add(verdict)
    lived.done += work.done
    lived.raised += work.raised
    lived.arrived = control.statistics()["requests"]
    statistics = maia.statistics()
    lived.requests, lived.retries, lived.held_back = statistics.requests, statistics.retries, statistics.held_back
    lived.outcomes = Counter(statistics.outcomes)
    control.clear_requests()
    # A run that was left and goes on would be a stranger in the next shift.
    for run in control.executions():
        if run.finished_at is None and run.pipeline_name != "for ever":
            control.finish(run.id)
    control.forget_executions()


def _connections(maia: Maia) -> int:
    http = maia._session._http  # noqa: SLF001 - neither we nor aiohttp have a public count
    if http is None or http.connector is None:
        return 0
    return sum(map(len, http.connector._conns.values())) + len(http.connector._acquired)  # noqa: SLF001 - see above


@asynccontextmanager
async def _night_shift(maia: Maia, emulator: Emulator, soak: Soak, lived: Lived) -> AsyncIterator[None]:
    """What lives as long as the soak: a supervisor over streams that drop, and a wait for a run that never ends."""
    control, project = emulator.control, maia.project()
    ids = control.create_stream("stream", project_id=project.id, count=soak.streams, started_ago=7200.0)
    control.create_stream("spare", project_id=project.id, count=2)
    [for_ever] = control.add_execution("for ever", project_id=project.id, duration=FOR_EVER)
    async with AsyncExitStack() as stack:
        supervisor = await stack.enter_async_context(supervise([project.streaming_pipeline(each) for each in ids]))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        drops = group.create_task(_drop(emulator, ids, Random(soak.seed), lived))
        tasks = [
            group.create_task(_hear(supervisor, maia, lived)),
            group.create_task(_wait_for_ever(project.execution(for_ever), lived)),
        ]
        yield
        drops.cancel()
        await asyncio.sleep(REST)  # one that dropped a moment ago is to be started first
        lived.not_streaming = sum(control.stream(each).status != "STREAMING" for each in ids)
        for task in tasks:
            task.cancel()


async def _hear(supervisor: Supervisor, maia: Maia, lived: Lived) -> None:
    async for event in supervisor:
        lived.restarts += type(event).__name__ == "RestartAttempted"
        if isinstance(event, GaveUp):  # as an operator would, who has seen to it
            supervisor.add(maia.project().streaming_pipeline(event.pipeline_id))


async def _drop(emulator: Emulator, ids: list[str], dice: Random, lived: Lived) -> None:
    while True:
        await asyncio.sleep(dice.uniform(0.5, 1.5) * 1200 / max(1, len(ids)))
        stream_id = dice.choice(ids)
        if emulator.control.stream(stream_id).status == "STREAMING":
            emulator.control.drop_stream(stream_id)
            lived.drops += 1


async def _wait_for_ever(run: Any, lived: Lived) -> None:
    """An outage that is longer than `max_unreachable` ends a wait: whoever means it waits again."""
    while True:
        with suppress(MaiaError):
            await run.wait(check=False)
            lived.hung += 1  # it never ends
        lived.raised["the wait for ever"] += 1
        await asyncio.sleep(60)
