"""The account that the batch tests run against, and how they look at it from outside. It knows nothing of a batch's inside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
from aiohttp import web
from attrs import define, field

from maia_async import Batch, ExecutionRequest
from maia_async import Outcome as BatchOutcome
from maia_async.emulator import Emulator, Outcome, Pipeline, Scenario
from maia_async.emulator.exchange import Reply

ENVIRONMENT = "Environment-1"


def scenario(**settings: Any) -> Scenario:
    return Scenario.of(
        Pipeline(name="good", duration=30),
        Pipeline(name="instant", duration=0),
        Pipeline(name="short", duration=5),
        Pipeline(name="fails", duration=5, outcomes=[Outcome(status="FAILED", message="no such table")]),
        Pipeline(name="skips", duration=0, outcomes=[Outcome(status="SKIPPED")]),
        Pipeline(name="forbidden", duration=0, outcomes=[Outcome(status="FORBIDDEN")]),
        Pipeline(name="long", duration=1000),
        Pipeline(name="slow answer", duration=1000),
        Pipeline(name="stubborn", duration=1000, ignores_graceful_cancel=True),
        Pipeline(name="disabled", enabled=False),
        *(Pipeline(name=f"takes {seconds}", duration=seconds) for seconds in (1, 2, 3, 10, 20, 40)),
        **settings,
    )


def request(pipeline: str = "good", environment: str = ENVIRONMENT, **fields: Any) -> ExecutionRequest:
    return ExecutionRequest(pipeline_name=pipeline, environment_name=environment, **fields)


@define(eq=False)
class Scripted:
    """A fault that answers POSTs which start runs: `instead` before they are looked at, `late` and `lost` after they were carried out.

    Each is asked with the pipeline's name; `late` says by how many seconds, `lost` whether a 502 comes instead of the answer.
    """

    emulator: Emulator
    instead: Callable[[], Reply | None] = field(default=lambda: None)
    late: Callable[[str], float] = field(default=lambda _: 0.0)
    lost: Callable[[str], bool] = field(default=lambda _: False)

    def __attrs_post_init__(self) -> None:
        self.emulator.control._service.faults.rules.append(self)

    async def before(self, asked: web.BaseRequest) -> Reply | None:
        return self.instead() if _starts_a_run(asked) else None

    async def after(self, asked: web.BaseRequest, reply: Reply) -> Reply | None:
        if not _starts_a_run(asked) or not isinstance(reply.payload, dict) or "pipelineExecutionId" not in reply.payload:
            return None
        pipeline = self.emulator.control.execution(reply.payload["pipelineExecutionId"]).pipeline_name
        await anyio.sleep(self.late(pipeline))
        return Reply(502, None) if self.lost(pipeline) else None


def _starts_a_run(asked: web.BaseRequest) -> bool:
    return asked.method == "POST" and asked.path.endswith("/pipeline-executions")


async def outcomes(batch: Batch) -> list[BatchOutcome]:
    """Run it to its end."""
    async with batch:
        return [outcome async for outcome in batch]


def states(found: Any) -> list[str]:
    """Their states, by index."""
    return [outcome.state.value for outcome in sorted(found, key=lambda outcome: outcome.index)]


def posts(emulator: Emulator) -> int:
    return len(emulator.control.requests(method="POST", path_contains="pipeline-executions"))


def patches(emulator: Emulator) -> list[str]:
    """The ids of the runs that were asked to stop."""
    return [sent.path.rsplit("/", 1)[-1] for sent in emulator.control.requests(method="PATCH")]


def most_at_once(emulator: Emulator) -> int:
    """How many runs the server had going at the same time, at most. A run without length counts as none."""
    moments: list[tuple[float, int]] = []
    for run in emulator.control.executions():
        end = float("inf") if run.finished_at is None else run.finished_at
        if end > run.started_at:
            moments += [(run.started_at, 1), (end, -1)]
    going = most = 0
    for _, change in sorted(moments):
        going += change
        most = max(most, going)
    return most


def ours() -> list[str]:
    """The tasks of the client that live now."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("maia_async")]


def others(before: set[asyncio.Task[Any]]) -> list[str]:
    """The tasks that were not there before, but for the emulator's connections (the loop itself accepts those in tasks, too)."""
    found = {task: str(task.get_coro()) for task in asyncio.all_tasks() - before}
    return [str(task) for task, name in found.items() if "RequestHandler" not in name and "_accept_connection" not in name]
