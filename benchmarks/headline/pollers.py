"""One poller for each run, every 5 s, whatever the HTTP library: what a careful program has when it does not know about other pollers.

What it does well: connections are kept; the answer of the last poll is the result (details, no second read); `Retry-After` is honoured with
jitter, and the place in the concurrency limit is kept meanwhile, so that a refusal slows down everybody and not only the one refused;
places are given first come, first served, so that no run starves; a run that was just triggered is looked at after one interval.
"""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any, Protocol

from attrs import frozen
from contender import Notes, each_in_a_task
from jobs import POLL, Job

# Enough for three times the rate limit at 0.2 s; with 50, httpx spends more on looking after connections than on requests.
PLACES = 10
TERMINAL = frozenset({"SUCCESS", "FAILED", "CANCELLED", "SKIPPED", "FORBIDDEN"})


@frozen
class Answer:
    """Of one request."""

    status: int
    retry_after: str | None
    body: bytes


class Transport(Protocol):
    """One HTTP library."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What is raised when there is no answer."""

    async def send(self, method: str, path: str, body: dict[str, Any] | None) -> Answer:
        """One attempt."""


class Pace:
    """At most 1000 requests in a minute, evenly, from this side; the optional improvement that avoids nearly every 429."""

    def __init__(self, slot: float) -> None:
        self._slot = slot
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next moment that is free."""
        now = asyncio.get_running_loop().time()
        self._next = max(self._next + self._slot, now)
        await asyncio.sleep(self._next - now)


class Pollers:
    """All of them."""

    def __init__(self, job: Job, notes: Notes, transport: Transport, loads: Any, *, pace: Pace | None = None) -> None:
        self._job = job
        self._notes = notes
        self._transport = transport
        self._loads = loads
        self._pace = pace
        self._places = asyncio.Semaphore(PLACES)
        self._path = f"/v1/projects/{job.project_id}/pipeline-executions"

    async def run(self) -> None:
        """The whole job."""
        if self._job.scene == "trigger":
            await each_in_a_task((self._trigger_and_wait(*place) for place in self._job.places()), self._notes)
        else:
            await each_in_a_task((self._wait(execution_id) for execution_id in self._job.ids), self._notes)

    async def _trigger_and_wait(self, pipeline: str, environment: str) -> None:
        started = await self._ask("POST", self._path, {"pipelineName": pipeline, "environmentName": environment})
        await self._sleep(POLL)
        await self._wait(started["pipelineExecutionId"])

    async def _wait(self, execution_id: str) -> None:
        while True:
            details = await self._ask("GET", f"{self._path}/{execution_id}")
            if details.get("result", details)["status"] in TERMINAL:
                self._notes.note(execution_id)
                return
            await self._sleep(POLL)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        async with self._places:
            while True:
                if self._pace is not None:
                    await self._pace.turn()
                try:
                    answer = await self._transport.send(method, path, body)
                except self._transport.errors:
                    if method == "POST":
                        raise  # it may have started a run
                    await self._sleep(POLL)
                    continue
                if answer.status == 429:
                    await self._sleep(told_to_wait(answer.retry_after, self._job.speed) + random.random())
                    continue
                if answer.status >= 400:
                    raise RuntimeError(f"{method} {path}: {answer.status} {answer.body[:200]!r}")
                found: dict[str, Any] = self._loads(answer.body)
                return found

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._job.speed)


def told_to_wait(header: str | None, speed: float) -> float:
    """API seconds of a `Retry-After`: whole ones, at least 1, as RFC 9110 has it.

    With a scaled clock the emulator sends fractions, and being refused again every 50 ms would be an invention of the benchmark's.
    """
    return max(1, math.ceil(float(header or 1) * speed - 1e-6))
