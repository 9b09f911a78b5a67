"""What is tried with runs, lists and whole clients under each fault. It knows no fault."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

import anyio
from faults.registry import OPERATIONS, RUNS, Facts, operation
from faults.world import ENVIRONMENT, PIPELINE, SECRET, World

from maia_async import ExecutionRequest, MaiaError, WaitTimeout, run_batch

CROWD: Final = 30
BURST: Final = 20
OUTAGE: Final = 300


async def _execute(world: World, **options: Any) -> Facts:
    run = await world.project.execute(PIPELINE, ENVIRONMENT, scalar_variables={"region": "eu"}, **options)
    ours = world.started()
    assert [one.id for one in ours] == [run.id]
    assert ours[0].scalar_variables == {"region": "eu"}
    return {"bodies": len({str(entry.body) for entry in world.requests("POST", "/pipeline-executions")})}


@operation("execute", "`project.execute(...)`, its tag made by us", "POST", RUNS)
async def _(world: World) -> Facts:
    return await _execute(world)


@operation("execute_tagged", '`project.execute(..., execution_tag="nightly")`', "POST", RUNS)
async def _(world: World) -> Facts:
    return await _execute(world, execution_tag="nightly")


@operation("execute_untagged", "`project.execute(..., execution_tag=None)`", "POST", RUNS)
async def _(world: World) -> Facts:
    return await _execute(world, execution_tag=None)


@operation("execute_and_wait", "`await (await project.execute(...))`", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    run = await world.project.execute(PIPELINE, ENVIRONMENT)
    assert (await run).status == "SUCCESS"
    return {}


@operation("wait", "`await execution.wait(check=False)` of a run of 8 s", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    details = await world.execution.wait(check=False)
    assert details.pipeline_execution_id == world.run
    return {"status": details.status.value}


@operation("await", "`await execution` of a run of 8 s", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    return {"status": (await world.execution).status.value}


@operation("wait_10s", "`await execution.wait(timeout=10)` of a run of an hour", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    world.begin_run(3600)
    await world.execution.wait(timeout=10)
    return {}


@operation("wait_and_leave", "a wait that is cancelled after 3.5 s, and 100 s more", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    with anyio.move_on_after(3.5) as scope:
        world.begin_run(3600)
        await world.execution
    assert scope.cancelled_caught
    await anyio.lowlevel.checkpoint()
    before, tasks = len(world.requests()), world.maia._owner.running
    await anyio.sleep(100)
    return {"later": len(world.requests()) - before, "tasks": tasks}


@operation("hand_over", "the wait ends; its error's `reference` is awaited by another client", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    try:
        await world.execution.wait(timeout=3)
    except MaiaError as error:
        ended, reference = type(error).__name__, error.reference
    assert reference is not None
    assert SECRET not in reference
    async with world.another_client() as other:
        details = await other.execution_from(reference)
    assert details.pipeline_execution_id == world.run
    return {"ended": ended, "status": details.status.value}


@operation("sweep", f"{CROWD} waits at once, of runs of 2 to 31 s", "GET", "/dpc/v1/pipeline-executions")
async def _(world: World) -> Facts:
    ids = world.control.add_executions(durations=[float(2 + number) for number in range(CROWD)], pipelines=(PIPELINE,))
    ended: Counter[str] = Counter()

    async def one(run_id: str) -> None:
        details = await world.project.execution(run_id).wait(check=False)
        assert details.pipeline_execution_id == run_id
        ended[details.status.value] += 1

    async with anyio.create_task_group() as tasks:
        for run_id in ids:
            tasks.start_soon(one, run_id)
    return {"ended": dict(ended)}


@operation("details", "`await execution.details()`", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    details = await world.execution.details()
    assert details.pipeline_execution_id == world.run
    return {"status": details.status.value}


@operation("status", "`await execution.status()`", "GET", f"{RUNS}/*/status")
async def _(world: World) -> Facts:
    return {"status": (await world.execution.status()).value}


@operation("steps", "`await execution.steps().collect()`", "GET", f"{RUNS}/*/steps")
async def _(world: World) -> Facts:
    return {"steps": len(await world.execution.steps().collect())}


@operation("cancel", "`await execution.cancel()`", "PATCH", f"{RUNS}/*")
async def _(world: World) -> Facts:
    await world.execution.cancel()
    return {"shown": world.control.execution(world.run).status}


@operation("cancel_and_confirm", "`await execution.cancel_and_confirm()`", "PATCH", f"{RUNS}/*")
async def _(world: World) -> Facts:
    return {"status": (await world.execution.cancel_and_confirm()).status.value}


@operation("cancel_ended", "`await execution.cancel_and_confirm()` of a run that has just ended", "PATCH", f"{RUNS}/*")
async def _(world: World) -> Facts:
    world.begin_run(1)
    await anyio.sleep(2)
    return {"status": (await world.execution.cancel_and_confirm()).status.value}


@operation("execute_and_cancel", "`await (await project.execute(...)).cancel_and_confirm()`", "PATCH", f"{RUNS}/*")
async def _(world: World) -> Facts:
    run = await world.project.execute(PIPELINE, ENVIRONMENT)
    return {"status": (await run.cancel_and_confirm()).status.value}


@operation("execute_twice", '`project.execute(..., execution_tag="nightly")`, two times', "POST", RUNS)
async def _(world: World) -> Facts:
    for _ in range(2):
        await world.project.execute(PIPELINE, ENVIRONMENT, execution_tag="nightly", scalar_variables={"region": "eu"})
    return {}


@operation("projects", "`await maia.projects.list().collect()` (pages by number)", "GET", "/dpc/v1/projects", pages=3)
async def _(world: World) -> Facts:
    found = await world.maia.projects.list(page_size=10).collect()
    return {"ids": len({project.id for project in found}), "items": len(found)}


@operation("executions", "`await maia.executions.list().collect()` (pages by token)", "GET", "/dpc/v1/pipeline-executions", pages=3)
async def _(world: World) -> Facts:
    there = {world.run, *world.control.add_crowd(24)}
    found = await world.project.executions.list(page_size=10).collect()
    ids = {row.pipeline_execution_id for row in found}
    assert len(ids) == len(found)
    return {"items": len(found), "whole": there <= ids}


@operation("batch", "`await run_batch(project, requests)` with three requests", "POST", RUNS)
async def _(world: World) -> Facts:
    rows = [ExecutionRequest(pipeline_name=PIPELINE, environment_name=ENVIRONMENT, scalar_variables={"n": str(n)}) for n in range(3)]
    report = await run_batch(world.project, rows)
    ids = {outcome.execution_id for outcome in report.outcomes if outcome.execution_id is not None}
    assert ids <= {run.id for run in world.started()}
    return {"states": {state.value: count for state, count in report.counts.items() if count}}


@operation("batch_reads", "the same; the fault is aimed at its reads", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    return await OPERATIONS["batch"].call(world)


@operation("raw", '`await maia.request("GET", "/v1/projects")`', "GET", "/dpc/v1/projects")
async def _(world: World) -> Facts:
    return {"body": type((await world.maia.request("GET", "/v1/projects")).body).__name__}


@operation("burst", f"{BURST} reads at once", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    return await _at_once(world, BURST)


@operation("outage", f"{OUTAGE} reads at once", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    return await _at_once(world, OUTAGE)


async def _at_once(world: World, count: int) -> Facts:
    failed: Counter[str] = Counter()

    async def one() -> None:
        try:
            await world.execution.details()
        except MaiaError as error:
            failed[type(error).__name__] += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(one)
    return {"failed": dict(failed)}


@operation("twice", "a read, ten idle minutes, and a read", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    await world.execution.details()
    await anyio.sleep(600)
    await world.execution.details()
    return {}


@operation("cancelled", "a read that is cancelled after 1 s, and another one after it", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    start = asyncio.get_running_loop().time()
    with anyio.move_on_after(1):
        await world.execution.details()
    ended = asyncio.get_running_loop().time() - start
    world.control.clear_faults()
    await world.execution.details()
    return {"ended": round(ended, 3)}


@operation("closed_meanwhile", "a read while the client is closed after 1 s", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    async def close() -> None:
        await anyio.sleep(1)
        await world.maia.aclose()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(close)
        try:
            await world.execution.details()
        except MaiaError as error:
            return {"ended": type(error).__name__}
    return {}


@operation("closed_wait", "a wait while the client is closed after 3 s", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    async with anyio.create_task_group() as tasks:

        async def close() -> None:
            await anyio.sleep(3)
            await world.maia.aclose()
            await world.maia.aclose()

        tasks.start_soon(close)
        try:
            await world.execution
        except MaiaError as error:
            return {"ended": type(error).__name__, "id": getattr(error, "execution_id", None) == world.run}
    return {}


@operation("after_close", "a read with a client that was closed", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    await world.maia.aclose()
    await world.maia.aclose()
    await world.execution.details()
    return {}


@operation("cancel_in_crowd", "a cancel behind 100 reads that wait for the budget", "PATCH", f"{RUNS}/*")
async def _(world: World) -> Facts:
    order: list[str] = []

    async def read() -> None:
        await world.execution.details()
        order.append("read")

    async def cancel() -> None:
        await world.execution.cancel()
        order.append("cancel")

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(read)
        await anyio.sleep(0.5)
        before = len(order)
        tasks.start_soon(cancel)
        await anyio.sleep(0.5)
        overtook = "cancel" in order
        left_queued = 100 - before
        tasks.cancel_scope.cancel()
    await anyio.lowlevel.checkpoint()
    return {"overtook": overtook, "some_waited": left_queued > 0}


@operation("short_waits", "twenty tasks that loop over `wait(timeout=0.5)`", "GET", f"{RUNS}/*")
async def _(world: World) -> Facts:
    async def one() -> None:
        while True:
            try:
                await world.execution.wait(timeout=0.5)
            except WaitTimeout:
                continue
            return

    try:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one)
    except* MaiaError as group:
        first = group.exceptions[0]
    else:
        return {}
    raise first
