"""`maia status|watch|cancel ID`: runs that exist already, by id or by reference. They start nothing."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

from cyclopts import Parameter

from maia_async import ExecutionDetails, ExecutionStatus, PipelineExecution
from maia_async.cli.cancelling import cancel_or_end
from maia_async.cli.connect import connected
from maia_async.cli.data import as_json
from maia_async.cli.exits import ExitStatus, beyond
from maia_async.cli.handles import execution_of, executions_of
from maia_async.cli.options import EVERYWHERE, Changes, Injected, Output, Where
from maia_async.cli.program import Program
from maia_async.cli.several import each, ids_of
from maia_async.cli.showing import status_line, status_lines, write_details

ExecutionId = Annotated[str, Parameter(name="ID", help="Id of the execution, or a reference to it.")]
Ids = Annotated[
    str, Parameter(name="ID", help="Ids of the executions, or references; a single `-` reads them from stdin, one a line.", required=True)
]


async def status(execution_id: ExecutionId, /, *, output: Output = "table", where: Where = EVERYWHERE, program: Injected) -> ExitStatus:
    """Show one execution."""
    async with connected(program, where) as maia:
        execution = execution_of(maia, where, execution_id)
        write_details(program.data, execution, await execution.details(), output)
    return ExitStatus.OK


async def watch(*execution_ids: Ids, output: Changes = "table", where: Where = EVERYWHERE, program: Injected) -> ExitStatus:
    """Follow executions to their ends: exit code 0 when all are SUCCESS."""
    ids = ids_of(program, execution_ids)
    several = False

    async def one(execution: PipelineExecution) -> ExitStatus:
        last = await _follow(program, execution, output, named=several)
        return ExitStatus.OK if last is ExecutionStatus.SUCCESS else ExitStatus.UNSUCCESSFUL

    async with connected(program, where) as maia:
        executions = executions_of(maia, where, ids)
        several = len(executions) > 1
        line = status_lines(executions) if several else status_line(executions[0])
        # On a terminal its own lines are the progress.
        with nullcontext() if program.data.is_terminal else program.talk.display(line):
            # All at once: waits share the client's one watcher.
            return await each(program, executions, one, at_once=len(executions)) if several else await one(executions[0])


async def cancel(
    *execution_ids: Ids,
    force: Annotated[bool, Parameter(help="Terminate instead of letting the current step end.")] = False,
    wait: Annotated[bool, Parameter(help="Wait for the end, at most 60 seconds for each.")] = False,
    output: Output = "table",
    where: Where = EVERYWHERE,
    program: Injected,
) -> ExitStatus:
    """Cancel executions: exit code 0 when each was accepted or, with --wait, has ended as CANCELLED."""
    ids = ids_of(program, execution_ids)
    words: dict[str, str] = {}

    async def one(execution: PipelineExecution) -> ExitStatus:
        word = await _cancel(execution, force=force, wait=wait)
        words[execution.id] = word.value
        if word in {ExecutionStatus.CANCELLING, ExecutionStatus.CANCELLED}:
            return ExitStatus.OK
        program.talk.say(f"execution {execution.id} had ended before: {word.value}", "yellow")
        return ExitStatus.UNSUCCESSFUL

    async with connected(program, where) as maia:
        executions = executions_of(maia, where, ids)
        worst = await each(program, executions, one)
    rows = [(execution.id, words[execution.id]) for execution in executions if execution.id in words]
    if output == "json":
        program.data.document([{"pipelineExecutionId": run, "status": word} for run, word in rows])
    elif rows:
        program.data.table(("EXECUTION", "STATUS"), rows)
    return worst


async def _follow(program: Program, execution: PipelineExecution, output: str, *, named: bool) -> ExecutionStatus:
    last = ExecutionStatus.UNKNOWN
    async for details in execution.watch():
        last = details.status
        if output == "json":
            program.data.json_line({"pipelineExecutionId": execution.id, "projectId": execution.project_id, **as_json(details)})
        else:
            program.data.line(f"{execution.id}  {_line(details)}" if named else _line(details))
    return last


def _line(details: ExecutionDetails) -> str:
    when = details.finished_at or details.started_at
    status = details.status.value
    parts = (status, None if when is None else when.isoformat(sep=" ", timespec="seconds"), beyond(status, details.message or ""))
    return "  ".join(part for part in parts if part)


async def _cancel(execution: PipelineExecution, *, force: bool, wait: bool) -> ExecutionStatus:
    """The status that the cancel led to; CANCELLING when it was accepted and is not awaited. Raises MaiaError."""
    if wait:
        return (await execution.cancel_and_confirm(force=force)).status
    details = await cancel_or_end(execution, force=force)
    return ExecutionStatus.CANCELLING if details is None else details.status
