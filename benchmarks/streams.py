"""What it costs to supervise streaming pipelines for an hour of virtual time, and how soon one that drops is restarted.

    hour    drops                                                            read from it
    plain   1 % of the pipelines in the hour, at least one                   requests a minute, CPU seconds
    eager   DROPS in all, in as many hours as need be, at most EAGER an hour delays: five drops would be no p99

A delay is the server's: from the drop in its history to the START in its log. Drops come at random times, seeded, to random pipelines.
None drops twice within SPARED: then its reads would still be frequent from the last restart, and the delay too good.

Client and emulator share this process and its loop, whose clock jumps; so the CPU seconds are those of both. The control sends as many
GETs of a status, evenly over the hour, with bare aiohttp to the same emulator: what is above it is the client's.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp
from attrs import frozen
from table import Row, Target

from maia_async import Supervisor, supervise
from maia_async.emulator import Emulator, Scenario

# The loop that never sleeps belongs to the tests, which are no package. A copy of it would drift, and nothing installed needs it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from mixed_load import at_percent
from virtual_time import VirtualLoop

HOUR: Final = 3600.0
AFTER: Final = 600.0  # until the last drop of the hour is restarted
SPARED: Final = 600.0  # also what `RestartPolicy.within` counts: every delay is that of a first restart
DROPS: Final = 240
EAGER: Final = {500: 240, 20: 60}
LATENCY: Final = (0.02, 0.2)
CONTROL: Final = "aiohttp, as many GETs"


@frozen
class Hour:
    """What one simulated hour gave."""

    requests: int
    cpu: float
    delays: tuple[float, ...]


def measure(*, quick: bool) -> list[Row]:
    """Rows for 500 and for 20 pipelines."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        crowd = _rows(runner, 500, quick=quick, p50=70, p99=130, requests=300)
        return crowd + _rows(runner, 20, quick=quick, p50=10)


def _rows(
    runner: asyncio.Runner, count: int, *, quick: bool, p50: float, p99: float | None = None, requests: float | None = None
) -> list[Row]:
    row = partial(Row, part="streams", control_is=CONTROL)
    plain_drops = max(1, count // 100)
    plain = runner.run(_hour(count, plain_drops, seed=0))
    bare = runner.run(_bare(plain.requests))
    rows = [
        row(
            what=f"{count} pipelines, {_times(plain_drops)}: requests",
            unit="/min",
            ours=plain.requests / HOUR * 60,
            target=None if requests is None else Target("ours", "<=", requests),
        ),
        row(
            what=f"{count} pipelines, {_times(plain_drops)}: CPU, the server's too",
            unit="s",
            ours=plain.cpu,
            control=bare,
            ratio=plain.cpu / bare,
            requests=(plain.requests, plain.requests),
        ),
        row(what=f"{count} pipelines, {_times(plain_drops)}: longest delay", unit="s", ours=max(plain.delays)),
    ]
    hours = 1 if quick else math.ceil(DROPS / EAGER[count])
    eager = [runner.run(_hour(count, EAGER[count], seed=1 + number)) for number in range(hours)]
    delays = sorted(delay for hour in eager for delay in hour.delays)
    what = f"{count} pipelines, {_times(len(delays))} in {hours} h"
    rate = sum(hour.requests for hour in eager) / hours / HOUR * 60
    return [
        *rows,
        row(what=f"{what}: median delay", unit="s", ours=median(delays), target=Target("ours", "<=", p50)),
        row(
            what=f"{what}: p99 delay",
            unit="s",
            ours=at_percent(delays, 99),
            target=None if p99 is None else Target("ours", "<=", p99),
        ),
        row(what=f"{what}: requests", unit="/min", ours=rate),
    ]


def _times(drops: int) -> str:
    return f"{drops} drop" if drops == 1 else f"{drops} drops"


async def _hour(count: int, drops: int, *, seed: int) -> Hour:
    """One hour of supervision, from the first look on; requests and CPU are those of the hour, delays of all its drops."""
    scenario = Scenario(latency_in=LATENCY, latency_out=LATENCY, seed=seed)
    async with Emulator(scenario) as emulator, emulator.client() as maia:
        control = emulator.control
        ids = control.create_stream("crowd", project_id=scenario.projects[0].id, count=count, started_ago=2 * HOUR)
        begun, spent = control.now, time.process_time()
        crowd = [maia.project().streaming_pipeline(stream_id) for stream_id in ids]
        async with asyncio.TaskGroup() as group, supervise(crowd) as supervisor:
            group.create_task(_taken(supervisor))
            for at, stream_id in _plan(ids, drops, random.Random(seed)):
                await asyncio.sleep(begun + at - control.now)
                control.drop_stream(stream_id)
            await asyncio.sleep(begun + HOUR - control.now)
            cpu, requests = time.process_time() - spent, len(control.requests())
            await asyncio.sleep(AFTER)
        return Hour(requests, cpu, _delays(emulator, drops))


def _plan(ids: list[str], drops: int, dice: random.Random) -> list[tuple[float, str]]:
    """When which one drops, in order."""
    last = dict.fromkeys(ids, -SPARED)
    plan = []
    for at in sorted(dice.uniform(0, HOUR) for _ in range(drops)):
        stream_id = dice.choice([each for each in ids if at - last[each] >= SPARED])
        last[stream_id] = at
        plan.append((at, stream_id))
    return plan


async def _taken(supervisor: Supervisor) -> None:
    async for _ in supervisor:
        pass


def _delays(emulator: Emulator, drops: int) -> tuple[float, ...]:
    """From each drop to the first START after it. A drop without one is an error: it would make the numbers better."""
    starts: dict[str, list[float]] = {}
    for request in emulator.control.requests(method="POST", path_contains="/commands"):
        if request.body == {"command": "START"}:
            starts.setdefault(request.path.split("/")[-2], []).append(request.at)
    delays = [
        min(at for at in starts[stream.id] if at >= change.at) - change.at
        for stream in emulator.control.streams()
        for change in stream.history
        if change.by == "drop"
    ]
    if len(delays) != drops:
        raise RuntimeError(f"{len(delays)} of {drops} drops are in the server's history")
    return tuple(delays)


async def _bare(requests: int) -> float:
    """CPU seconds of as many status reads, evenly over the hour."""
    scenario = Scenario(latency_in=LATENCY, latency_out=LATENCY, tokens={"bench": "emulator"})
    project = scenario.projects[0].id
    headers = {"Authorization": "Bearer bench", "Accept": "application/json"}
    async with Emulator(scenario) as emulator, aiohttp.ClientSession(headers=headers) as http:
        [stream_id] = emulator.control.create_stream(project_id=project, started_ago=2 * HOUR)
        url = f"{emulator.base_url}/v1/projects/{project}/streaming-pipelines/{stream_id}/status"
        spent = time.process_time()
        for _ in range(requests):
            async with http.get(url) as response:
                response.raise_for_status()
                await response.read()
            await asyncio.sleep(HOUR / requests)
        return time.process_time() - spent
