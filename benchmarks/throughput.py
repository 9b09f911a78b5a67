"""Executions per second of a batch, against a bare aiohttp program that sends the same POSTs and GETs under the same bound.

The runs end at once, so each takes one POST and one GET. The batch would ask lists for most of them: the comparison is made with a server
that refuses lists, so that both send the same, and shown once more as it comes. What arrived is counted and shown. The bare program does
what a good script does and no more: it names no error, keeps no budget, and would lose its ids in a crash.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, Final
from uuid import uuid4

import aiohttp
from attrs import frozen
from rounds import interleaved, ratios
from server import ENVIRONMENT, PIPELINE, TOKEN, Server
from table import Row, Target

from maia_async import ExecutionRequest, Maia, StaticToken, run_batch

MAX_RUNNING: Final = 50


@frozen
class Run:
    """One round of one contender."""

    per_second: float
    cpu_us: float  # of this process, for each execution
    requests: int


async def measure(rounds: int, count: int, loads: Callable[[bytes], Any]) -> list[Row]:
    """Rows for executions a second, and for the client's CPU time for each of them, without lists and with them."""
    return [row for lists in (False, True) for row in await _measure(rounds, count, loads, lists=lists)]


async def _measure(rounds: int, count: int, loads: Callable[[bytes], Any], *, lists: bool) -> list[Row]:
    with Server(lists=lists) as server:
        async with (
            Maia(auth=StaticToken(TOKEN), base_url=server.base_url, project_id=server.project_id, rate_limit=None) as maia,
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}) as http,
        ):
            url = f"{server.base_url}/v1/projects/{server.project_id}/pipeline-executions"

            async def timed(contender: Callable[[], Any]) -> Run:
                sent = server.requests()
                begun, spent = time.perf_counter(), time.process_time()
                await contender()
                seconds, cpu = time.perf_counter() - begun, time.process_time() - spent
                return Run(count / seconds, cpu / count * 1e6, server.requests() - sent)

            contenders = [partial(timed, partial(_batch, maia, count)), partial(timed, partial(_bare, http, url, count, loads))]
            ours, bare = await interleaved(contenders, rounds)
    requests = int(median(run.requests for run in ours)), int(median(run.requests for run in bare))
    row = partial(Row, part="throughput", control_is=f"aiohttp, {MAX_RUNNING} workers", requests=requests)
    way = "lists read" if lists else "each run read itself"
    rate, rates = ratios([run.per_second for run in ours], [run.per_second for run in bare])
    cpu, cpus = ratios([run.cpu_us for run in ours], [run.cpu_us for run in bare])
    return [
        row(
            what=f"batch of {count:,} instant runs, {way}",
            unit="/s",
            ours=median(run.per_second for run in ours),
            control=median(run.per_second for run in bare),
            ratio=rate,
            spread=rates,
            target=None if lists else Target("ratio", ">=", 0.6),
        ),
        row(
            what=f"the client's CPU for each of them, {way}",
            unit="us",
            ours=median(run.cpu_us for run in ours),
            control=median(run.cpu_us for run in bare),
            ratio=cpu,
            spread=cpus,
        ),
    ]


async def _batch(maia: Maia, count: int) -> None:
    requests = [
        ExecutionRequest(pipeline_name=PIPELINE, environment_name=ENVIRONMENT, scalar_variables={"number": str(number)})
        for number in range(count)
    ]
    report = await run_batch(maia.project(), requests, max_running=MAX_RUNNING)
    if not report.succeeded:
        raise RuntimeError(f"not every run succeeded: {report.to_json(outcomes=False)}")


async def _bare(http: aiohttp.ClientSession, url: str, count: int, loads: Callable[[bytes], Any]) -> None:
    numbers = iter(range(count))
    ended: dict[str, dict[str, Any]] = {}

    async def worker() -> None:
        for number in numbers:
            body = {
                "pipelineName": PIPELINE,
                "environmentName": ENVIRONMENT,
                "executionTag": str(uuid4()),
                "scalarVariables": {"number": str(number)},
            }
            async with http.post(url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}) as response:
                response.raise_for_status()
                execution_id = loads(await response.read())["pipelineExecutionId"]
            async with http.get(f"{url}/{execution_id}") as response:
                response.raise_for_status()
                details = loads(await response.read())
            details = details.get("result", details)
            if details["status"] != "SUCCESS":
                raise RuntimeError(f"run {execution_id} has not succeeded: {details}")
            ended[execution_id] = details

    async with asyncio.TaskGroup() as workers:
        for _ in range(MAX_RUNNING):
            workers.create_task(worker())
    if len(ended) != count:
        raise RuntimeError(f"{len(ended)} of {count} runs were seen")
