"""One contender in a process of its own: says that it is ready, reads its job, does it, and prints what it saw. It computes no figure.

Every process parses JSON with the standard library, so that an installed orjson helps nobody.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from importlib import import_module
from typing import Any

from attrs import field, frozen
from jobs import Job
from meter import Costs, Turns, metered_loop

Doing = Callable[[Job, "Notes"], Coroutine[Any, Any, None]]
_MODULES = {
    "maia_async": "library",
    "aiohttp": "pollers_aiohttp",
    "aiohttp-paced": "pollers_aiohttp",
    "httpx": "pollers_httpx",
    "threads": "threads",
}
NAMES = tuple(_MODULES)
_SLICE = 50


@frozen
class Notes:
    """When which task resumed, and what went wrong."""

    resumed: dict[str, float] = field(factory=dict)
    errors: list[str] = field(factory=list)

    def note(self, execution_id: str) -> None:
        """The task that awaited this run goes on."""
        self.resumed[execution_id] = time.monotonic()

    def failed(self, error: BaseException) -> None:
        """A task ended otherwise."""
        self.errors.append(f"{type(error).__name__}: {error}")


async def each_in_a_task(doings: Iterable[Coroutine[Any, Any, None]], notes: Notes) -> None:
    """One task for each, as a service has, started in slices: ten thousand first steps in one turn are a stall of the caller's making."""

    async def kept(doing: Coroutine[Any, Any, None]) -> None:
        try:
            await doing
        except Exception as error:  # noqa: BLE001 - it is reported, and the others go on
            notes.failed(error)

    async with asyncio.TaskGroup() as group:
        for number, doing in enumerate(doings):
            group.create_task(kept(doing))
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)


def main() -> None:
    name = sys.argv[1]
    sys.modules["orjson"] = None  # type: ignore[assignment]  # the documented way to make an import fail
    run = import_module(_MODULES[name]).run
    print("ready", flush=True)
    given = json.loads(sys.stdin.readline())
    job = Job(**{**given, "ids": tuple(given["ids"])})
    random.seed(job.contender)
    notes = Notes()
    seen = _threaded(run, job, notes) if name == "threads" else _looped(run, job, notes)
    seen |= {"errors": len(notes.errors), "first_error": next(iter(notes.errors), None)}
    print(json.dumps(seen), flush=True)


def _threaded(run: Callable[[Job, Notes], None], job: Job, notes: Notes) -> dict[str, Any]:
    costs, begun = Costs(), time.monotonic()
    run(job, notes)
    return {"begun": begun, "ended": time.monotonic(), **costs.so_far(), "resumed": dict(notes.resumed)}


def _looped(run: Doing, job: Job, notes: Notes) -> dict[str, Any]:
    turns = Turns()

    async def bounded() -> dict[str, Any]:
        costs, begun = Costs(), time.monotonic()
        turns.restart()
        doing = asyncio.create_task(run(job, notes))  # noqa: TID251 - awaited below
        await asyncio.wait({doing}, timeout=job.give_up / job.speed)
        # Read before what is left is cancelled: giving up is no part of the job.
        stall = {"stall_ms": turns.wall * 1e3, "stall_cpu_ms": turns.cpu * 1e3, "stalls_over_20ms": turns.over}
        seen = {"begun": begun, "ended": time.monotonic(), **costs.so_far(), **stall, "resumed": dict(notes.resumed)}
        doing.cancel()
        with suppress(asyncio.CancelledError):
            await doing
        return seen

    with asyncio.Runner(loop_factory=lambda: metered_loop(turns)) as runner:
        return runner.run(bounded())


if __name__ == "__main__":
    main()
