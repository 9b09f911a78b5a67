"""`maia streaming start|stop ID...`: commands, each pipeline on its own; one refusal does not keep the others. Neither restarts anything.

the answer to the command    the state read then                     result
accepted                     not read                                ACCEPTED; with --wait what the wait arrives at
409                          what the command is to lead to          that state: nothing to do, exit code 0
409                          any other                               the 409, exit code 1

What START is to lead to: STARTING, SNAPSHOTTING, STREAMING. What STOP is to lead to: STOPPING, NOT_RUNNING.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import anyio
from cyclopts import Parameter

from maia_async import Conflict, MaiaError, StreamingPipeline, StreamingState, Unauthorized
from maia_async.cli.connect import connected, project_of
from maia_async.cli.exits import ExitStatus, UsageProblem, exit_status_of, explain
from maia_async.cli.options import EVERYWHERE, Injected, Output, Where, checked_timeout
from maia_async.cli.program import Program
from maia_async.cli.streams import find_all

Command = Literal["START", "STOP"]
Which = Annotated[str, Parameter(name="ID", help="Ids of the streaming pipelines, or their exact names.", required=True)]
Wait = Annotated[bool, Parameter(help="Wait until it is there: STREAMING, or NOT_RUNNING.")]
Timeout = Annotated[float | None, Parameter(help="Seconds to wait at most with --wait; a snapshot may take hours.")]
ACCEPTED: Final = "ACCEPTED"
_AT_ONCE: Final = 20


async def start(
    *pipeline_ids: Which,
    wait: Wait = False,
    timeout: Timeout = None,
    output: Output = "table",
    where: Where = EVERYWHERE,
    program: Injected,
) -> ExitStatus:
    """Start streaming pipelines. One that runs already is left as it is."""
    return await _command("START", pipeline_ids, program, where, output=output, wait=wait, timeout=timeout)


async def stop(
    *pipeline_ids: Which,
    wait: Wait = False,
    timeout: Timeout = None,
    output: Output = "table",
    where: Where = EVERYWHERE,
    program: Injected,
) -> ExitStatus:
    """Stop streaming pipelines. One that does not run is left as it is."""
    return await _command("STOP", pipeline_ids, program, where, output=output, wait=wait, timeout=timeout)


def led_to(command: Command, state: StreamingState) -> bool:
    """Whether `state` is where the command leads to."""
    return state.is_running if command == "START" else state in {StreamingState.STOPPING, StreamingState.NOT_RUNNING}


async def _command(
    command: Command, words: tuple[str, ...], program: Program, where: Where, *, output: str, wait: bool, timeout: float | None
) -> ExitStatus:
    checked_timeout(timeout)
    if timeout is not None and not wait:
        raise UsageProblem("--timeout says how long to wait: it goes with --wait")
    results: dict[str, str] = {}
    statuses = [ExitStatus.OK]
    limiter = anyio.Semaphore(_AT_ONCE)
    refused: list[Unauthorized] = []

    async def one(pipeline: StreamingPipeline) -> None:
        try:
            if wait:  # not limited: waits share the client's one watcher, and the first must not hold up the twenty-first
                results[pipeline.id] = await _ensured(pipeline, command, timeout)
            else:
                async with limiter:
                    results[pipeline.id] = await _sent(pipeline, command)
        except Unauthorized as error:
            refused.append(error)
        except MaiaError as error:
            statuses.append(exit_status_of(error))
            for line in explain(error):
                program.talk.say(f"maia: {line}", "red")

    async with connected(program, where, streaming=True) as maia:
        pipelines = await find_all(project_of(maia, where), words)
        async with anyio.create_task_group() as tasks:
            for pipeline in pipelines:
                tasks.start_soon(one, pipeline)
    if refused:
        raise refused[0]
    if output == "json":
        rows = [(each, results.get(each.id)) for each in pipelines]
        program.data.document([{"streamingPipelineId": each.id, "command": command, "result": result} for each, result in rows])
    else:
        program.data.table(("STREAMING PIPELINE", "RESULT"), [(each.id, results.get(each.id, "refused")) for each in pipelines])
    return max(statuses)


async def _sent(pipeline: StreamingPipeline, command: Command) -> str:
    try:
        await (pipeline.start() if command == "START" else pipeline.stop())
    except Conflict:
        state = await pipeline.status()
        if not led_to(command, state):
            raise
        return state.value
    return ACCEPTED


async def _ensured(pipeline: StreamingPipeline, command: Command, timeout: float | None) -> str:
    if command == "START":
        await pipeline.ensure_streaming(timeout)
        return StreamingState.STREAMING.value
    await pipeline.ensure_stopped(timeout)
    return StreamingState.NOT_RUNNING.value
