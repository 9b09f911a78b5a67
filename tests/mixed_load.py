"""Everything that one account may see at once, through real clients against the emulator, and what came of it; it judges nothing.

A `Load` is what one client does: it starts runs and awaits them, awaits runs that others have started, supervises streaming pipelines
of which some drop, cancels a run now and then, and renews its token. `play` lets one or several clients do so on one account.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from random import Random
from typing import Any

from attrs import define, field, frozen

from maia_async import ClientCredentials, MaiaError, RateLimit, RequestFinished, supervise
from maia_async.emulator import Credential, Emulator, Pipeline, Scenario
from maia_async.emulator.requestlog import LoggedRequest
from maia_async.statistics import quantile

ENVIRONMENT = "Environment-1"
LATENCY = (0.05, 0.3)


@frozen(kw_only=True)
class Load:
    """What one client does. Seconds.

    starts: runs that it starts and awaits. others: runs that were started in the ten minutes before, and that it awaits.
    lengths: of both, uniform. cancels: one run of its own in so many seconds. drops: one of its streams in so many seconds.
    """

    starts: int
    others: int
    streams: int
    lengths: tuple[float, float] = (10.0, 600.0)
    cancels: float = 5.0
    drops: float = 20.0


@define(eq=False)
class Played:
    """What one client went through. Times are the server's, in seconds from the beginning."""

    client_id: str
    streams: list[str]
    requests: list[LoggedRequest] = field(factory=list)
    started: float = 0.0  # when the last run had been started
    lags: list[float] = field(factory=list)  # of each wait, from the end on the server
    cancels: list[float] = field(factory=list)  # from call to sending, when few had left (40 of 1000 requests) and none paused
    drops: list[tuple[str, float]] = field(factory=list)

    def accepted(self, since: float, until: float) -> int:
        """Requests that arrived then and were not refused."""
        return sum(since <= request.at < until and request.status != 429 for request in self.requests)

    def refused(self) -> int:
        """Answers 429."""
        return sum(request.status == 429 for request in self.requests)

    def reads_after_commands(self) -> list[tuple[float, float]]:
        """For each command: when it arrived, and the longest time without a read of that stream in the minute after it."""
        found = []
        for command in self.of("/commands", "POST"):
            status = command.path.removesuffix("/commands").rsplit("/", 1)[-1] + "/status"
            reads = [request.at for request in self.of(status) if command.at <= request.at <= command.at + 60]
            found.append((command.at, max(b - a for a, b in pairwise([command.at, *reads, command.at + 60]))))
        return found

    def of(self, ending: str, method: str = "GET") -> list[LoggedRequest]:
        """Its requests to paths with this end."""
        return [request for request in self.requests if request.method == method and request.path.endswith(ending)]

    def gaps(self) -> list[float]:
        """Seconds between two reads of the same stream."""
        found = []
        for stream_id in self.streams:
            reads = [request.at for request in self.of(f"{stream_id}/status")]
            found += [later - earlier for earlier, later in pairwise(reads)]
        return found


@frozen
class Result:
    """The whole scene: `peak` is the most arrivals in any 60 s, closed at both ends; `seconds` its length; `tokens` those issued."""

    clients: tuple[Played, ...]
    peak: int
    seconds: float
    tokens: int


def peak(times: Iterable[float], span: float = 60.0) -> int:
    """The most of `times` in any closed window of `span`."""
    ordered = sorted(times)
    return max((bisect_right(ordered, at + span) - index for index, at in enumerate(ordered)), default=0)


def at_percent(values: Sequence[float], percent: float) -> float:
    """A percentile, 0 of nothing."""
    return quantile(sorted(values), percent / 100) or 0.0


async def play(*loads: Load, requests: int = 1000, seed: int = 0) -> Result:
    """One client for each load, all on one account that allows `requests` in any 60 s; until every wait has ended."""
    limit = RateLimit(requests=requests)
    credentials = [Credential(client_id=f"client-{number}", client_secret="secret") for number in range(len(loads))]
    longest = max(load.lengths[1] for load in loads)
    shortest = min(load.lengths[0] for load in loads)
    pipelines = [Pipeline(name=f"pipeline-{number}", duration=(shortest, longest)) for number in range(8)]
    scenario = Scenario.of(
        *pipelines,
        credentials=credentials,
        rate_limit=limit,
        latency_in=LATENCY,
        latency_out=LATENCY,
        token_lifetime=300.0,
        seed=seed,
    )
    async with Emulator(scenario) as emulator:
        control = emulator.control
        begun = control.now
        names = [pipeline.name for pipeline in pipelines]
        actors = [_Actor(emulator, load, number, seed, names) for number, load in enumerate(loads)]
        async with asyncio.TaskGroup() as group:
            for actor in actors:
                group.create_task(actor.run())
        log = control.requests()
        for entry in log:
            entry.at -= begun
        for actor in actors:
            actor.played.requests = [entry for entry in log if entry.client_id == actor.played.client_id]
            ends = control.ends(actor.seen)
            actor.played.lags = [at - max(ends[run_id] or 0.0, begun) for run_id, at in actor.seen.items()]
        clients = tuple(actor.played for actor in actors)
        return Result(clients, peak(entry.at for entry in log), control.now - begun, control.statistics()["tokens_issued"])


class _Actor:
    """One client at work."""

    def __init__(self, emulator: Emulator, load: Load, number: int, seed: int, names: list[str]) -> None:
        self._control, self._load, self._names = emulator.control, load, names
        self._random = Random(1000 * seed + number)
        crowd: dict[str, Any] = {"started_over": 600.0, "duration": load.lengths, "pipelines": names}
        self._others = self._control.add_executions(count=load.others, seed=seed + number, **crowd) if load.others else []
        streams = self._control.create_stream(
            f"stream-{number}", project_id=emulator.scenario.projects[0].id, count=load.streams, started_ago=7200.0
        )
        self.played = Played(f"client-{number}", list(streams))
        self.seen: dict[str, float] = {}
        self._begun = self._control.now
        self._going: dict[str, Any] = {}
        self._sent_at: dict[str, float] = {}
        self._left: list[float] = []  # when cancels were sent
        limit = emulator.scenario.rate_limit
        self._calm = 40 if limit is None else limit.requests // 25
        auth = ClientCredentials(self.played.client_id, "secret", token_url=emulator.token_url)
        self._maia = emulator.client(rate_limit=limit, auth=auth, observers=[self._observe])

    async def run(self) -> None:
        async with self._maia as maia:
            project = maia.project()
            streams = [project.streaming_pipeline(stream_id) for stream_id in self.played.streams]
            async with supervise(streams) as supervisor, asyncio.TaskGroup() as work:
                aside = [work.create_task(each) for each in (_taken(supervisor), self._cancel(), self._drop())]
                async with asyncio.TaskGroup() as waits:
                    for run_id in self._others:
                        waits.create_task(self._await(project.execution(run_id)))
                    rows = iter(range(self._load.starts))
                    async with asyncio.TaskGroup() as starts:
                        for _ in range(64):
                            starts.create_task(self._start(project, rows, waits))
                    self.played.started = self._control.now - self._begun
                for task in aside:
                    task.cancel()

    async def _start(self, project: Any, rows: Iterable[int], waits: asyncio.TaskGroup) -> None:
        for number in rows:
            run = await project.execute(self._names[number % 8], ENVIRONMENT)
            self._going[run.id] = run
            waits.create_task(self._await(run))

    async def _await(self, run: Any) -> None:
        await run.wait(check=False)
        self._going.pop(run.id, None)
        self.seen[run.id] = self._control.now

    async def _cancel(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._random.uniform(0.5, 1.5) * self._load.cancels)
                if self._going:
                    run = self._going.pop(self._random.choice(list(self._going)))
                    group.create_task(self._cancel_one(run))

    async def _cancel_one(self, run: Any) -> None:
        now = asyncio.get_running_loop().time()
        recent = len(self._left) - bisect_left(self._left, now - 60)
        paused = self._maia.statistics().paused_seconds
        with suppress(MaiaError):  # it has just ended
            await run.cancel()
        waited = self._sent_at[run.id] - now
        if recent < self._calm and self._maia.statistics().paused_seconds == paused:
            self.played.cancels.append(waited)

    def _observe(self, event: Any) -> None:
        if isinstance(event, RequestFinished) and event.lane == "CANCEL":
            left = asyncio.get_running_loop().time() - event.duration
            self._left.append(left)
            self._sent_at.setdefault(event.path.rsplit("/", 1)[-1], left)

    async def _drop(self) -> None:
        while self.played.streams:
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * self._load.drops)
            stream_id = self._random.choice(self.played.streams)
            if self._control.stream(stream_id).status == "STREAMING":
                self._control.drop_stream(stream_id)
                self.played.drops.append((stream_id, self._control.now - self._begun))


async def _taken(supervisor: Any) -> None:
    async for _ in supervisor:
        pass
