"""A Maia that loses answers to triggers, request by request, and how these tests look at the server from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Literal

from aiohttp import web
from attrs import define, field

from maia_async import ExecutionRequest, Maia, MaiaError, TriggerPolicy
from maia_async.emulator import Emulator, Fault, Pipeline, Scenario
from maia_async.emulator.control import ServerRun
from maia_async.emulator.exchange import Reply
from maia_async.policies import Timeouts

ENVIRONMENT = "Environment-1"
SETTLE = 15.0
TIMEOUT = 20.0
Loss = Literal["504", "500", "reset", "slow"]
LOSSES: tuple[Loss, ...] = ("504", "500", "reset", "slow")
TAKES = {"504": 0.0, "500": 0.0, "reset": 0.0, "slow": TIMEOUT}
"""Seconds from a POST to the moment when its client gives up."""


@define(eq=False)
class Lossy:
    """Loses the answers of POSTs that start runs. `hits` is asked with the number of the request (0 is the first), and how often it came.

    landed: the request is carried out before. ends: such a run is over at once. It is a hook, because no `Fault` knows a request again.
    """

    emulator: Emulator
    loss: Loss = "504"
    landed: bool = True
    ends: bool = False
    hits: Callable[[int, int], bool] = lambda number, time: time == 0
    numbers: dict[str, list[int]] = field(factory=dict)  # of each request: its number, and how often it came
    at: list[float] = field(factory=list)
    _now: dict[int, bool] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.emulator.control._service.faults.rules.append(self)

    async def before(self, asked: web.BaseRequest) -> Reply | None:
        if asked.method != "POST" or not asked.path.endswith("/pipeline-executions"):
            return None
        body = json.loads(await asked.read())
        tag = body.get("executionTag") or ""
        name = tag if tag.startswith("maia-async-") else f"#{len(self.numbers)}"
        seen = self.numbers.setdefault(name, [len(self.numbers), 0])
        hit = self.hits(*seen)
        seen[1] += 1
        self.at.append(asyncio.get_running_loop().time())
        self._now[id(asked)] = hit
        return await self._lose(asked) if hit and not self.landed else None

    async def after(self, asked: web.BaseRequest, reply: Reply) -> Reply | None:
        if not self._now.pop(id(asked), False) or not self.landed:
            return None
        if self.ends and isinstance(reply.payload, dict) and "pipelineExecutionId" in reply.payload:
            self.emulator.control.finish(reply.payload["pipelineExecutionId"])
        return await self._lose(asked)

    async def _lose(self, asked: web.BaseRequest) -> Reply:
        if self.loss == "slow":
            await asyncio.sleep(10 * TIMEOUT)
        if self.loss == "reset" and asked.transport is not None:
            asked.transport.abort()
        return Reply(500 if self.loss == "500" else 504, None)


def scenario(*names: str, duration: float = 1000.0, **settings: Any) -> Scenario:
    """An account without a limit, whose pipelines take so long."""
    return Scenario.of(*(Pipeline(name=name, duration=duration) for name in names), **{"rate_limit": None, **settings})


def client(emulator: Emulator, **options: Any) -> Maia:
    settings = {"rate_limit": None, "trigger": TriggerPolicy(settle=SETTLE), "timeout": Timeouts(connect=10.0, total=TIMEOUT)}
    return emulator.client(**{**settings, **options})


def request(name: str = "load", environment: str = ENVIRONMENT, **fields: Any) -> ExecutionRequest:
    return ExecutionRequest(pipeline_name=name, environment_name=environment, **fields)


async def execute(maia: Maia, row: ExecutionRequest) -> str | MaiaError:
    """The id, or the error that came instead."""
    try:
        execution = await maia.project().execute(
            row.pipeline_name,
            row.environment_name,
            execution_tag=row.execution_tag,
            scalar_variables=row.scalar_variables,
        )
    except MaiaError as error:
        return error
    return execution.id


async def execute_all(maia: Maia, rows: list[ExecutionRequest]) -> list[str | MaiaError]:
    """All of them at once, in this order."""
    found: list[str | MaiaError] = [""] * len(rows)

    async def one(index: int) -> None:
        found[index] = await execute(maia, rows[index])

    async with asyncio.TaskGroup() as tasks:
        for index in range(len(rows)):
            tasks.create_task(one(index))
    return found


def own_runs(emulator: Emulator) -> list[ServerRun]:
    """The runs that these tests' client started: those of others were not triggered with an agent of the environment."""
    return [run for run in emulator.control.executions() if run.agent_id is not None]


def listing(**fields: Any) -> Fault:
    """A fault of reads of the list."""
    return Fault(method="GET", path="**/v1/pipeline-executions", **fields)


def looks(emulator: Emulator) -> int:
    """How often the list was read."""
    return len([sent for sent in emulator.control.requests(method="GET") if sent.path.endswith("/v1/pipeline-executions")])
