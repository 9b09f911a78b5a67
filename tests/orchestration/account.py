"""The account that the batch tests run against, and how they look at it from outside. It knows nothing of a batch's inside."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from attrs import define

from maia_async import Batch, ExecutionRequest
from maia_async import Outcome as BatchOutcome
from maia_async.emulator import Emulator, Fault, Outcome, Pipeline, Scenario
from maia_async.emulator.exchange import Reply

ENVIRONMENT = "Environment-1"
TRIGGERS = "**/pipeline-executions"


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


def starting(pipeline: str = "*", *, tag: str | None = None, **fields: Any) -> Fault:
    """A fault of POSTs that start runs of this pipeline; tag: of their tag, a glob too."""
    asked = {"pipelineName": pipeline} if tag is None else {"pipelineName": pipeline, "executionTag": tag}
    return Fault(method="POST", path=TRIGGERS, request=asked, **fields)


@define(eq=False)
class EndsFirst:
    """A hook, since no fault does that: a run ends by itself just before the PATCH that asks it to stop is looked at."""

    emulator: Emulator
    status: str = "SUCCESS"

    def __attrs_post_init__(self) -> None:
        self.emulator.control._service.faults.rules.append(self)

    async def before(self, asked: web.BaseRequest) -> None:
        if asked.method == "PATCH":
            self.emulator.control.finish(asked.path.rsplit("/", 1)[-1], self.status)

    async def after(self, asked: web.BaseRequest, reply: Reply) -> None:
        """Its answer is the real one."""


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
