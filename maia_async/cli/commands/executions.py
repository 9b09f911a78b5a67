"""`maia status|watch|cancel ID`: runs that exist already, by id. They start nothing."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from maia_async import ExecutionDetails, ExecutionStatus, MaiaError, PipelineExecution, ResponseError, Unauthorized
from maia_async.cli.connect import connected, project_of
from maia_async.cli.data import as_json
from maia_async.cli.exits import ExitStatus, exit_status_of, explain
from maia_async.cli.options import EVERYWHERE, Injected, Output, Where
from maia_async.cli.program import Program
from maia_async.cli.showing import status_line, write_details

ExecutionId = Annotated[str, Parameter(name="ID", help="Id of the execution.")]


async def status(execution_id: ExecutionId, /, *, output: Output = "table", where: Where = EVERYWHERE, program: Injected) -> ExitStatus:
    """Show one execution."""
    async with connected(program, where) as maia:
        execution = project_of(maia, where).execution(execution_id)
        write_details(program.data, execution, await execution.details(), output)
    return ExitStatus.OK


async def watch(execution_id: ExecutionId, /, *, output: Output = "table", where: Where = EVERYWHERE, program: Injected) -> ExitStatus:
    """Follow one execution to its end."""
    async with connected(program, where) as maia:
        execution = project_of(maia, where).execution(execution_id)
        if program.data.is_terminal:  # its lines are the progress
            last = await _follow(program, execution, output)
        else:
            with program.talk.display(status_line(execution)):
                last = await _follow(program, execution, output)
    return ExitStatus.OK if last is ExecutionStatus.SUCCESS else ExitStatus.UNSUCCESSFUL


async def cancel(
    *execution_ids: Annotated[str, Parameter(name="ID", help="Ids of the executions.", required=True)],
    force: Annotated[bool, Parameter(help="Terminate instead of letting the current step end.")] = False,
    wait: Annotated[bool, Parameter(help="Wait for the end, at most 60 seconds for each.")] = False,
    output: Output = "table",
    where: Where = EVERYWHERE,
    program: Injected,
) -> ExitStatus:
    """Cancel executions: exit code 0 when each was accepted or, with --wait, has ended as CANCELLED."""
    worst = ExitStatus.OK
    rows: list[tuple[str, str]] = []
    async with connected(program, where) as maia:
        project = project_of(maia, where)
        for execution_id in execution_ids:
            execution = project.execution(execution_id)
            try:
                word = await _cancel(execution, force=force, wait=wait)
                cancelled = word in {ExecutionStatus.CANCELLING, ExecutionStatus.CANCELLED}
                became = ExitStatus.OK if cancelled else ExitStatus.UNSUCCESSFUL
                rows.append((execution_id, word.value))
                if not cancelled:
                    program.talk.say(f"execution {execution_id} had ended before: {word.value}", "yellow")
            except Unauthorized:
                raise
            except MaiaError as error:
                became = exit_status_of(error)
                for line in explain(error):
                    program.talk.say(f"maia: {line}", "red")
            worst = max(worst, became)
    if output == "json":
        program.data.document([{"pipelineExecutionId": run, "status": word} for run, word in rows])
    else:
        program.data.table(("EXECUTION", "STATUS"), rows)
    return worst


async def _follow(program: Program, execution: PipelineExecution, output: str) -> ExecutionStatus:
    last = ExecutionStatus.UNKNOWN
    async for details in execution.watch():
        last = details.status
        if output == "json":
            program.data.json_line({"pipelineExecutionId": execution.id, "projectId": execution.project_id, **as_json(details)})
        else:
            program.data.line(_line(details))
    return last


def _line(details: ExecutionDetails) -> str:
    when = details.finished_at or details.started_at
    parts = (details.status.value, None if when is None else when.isoformat(sep=" ", timespec="seconds"), details.message)
    return "  ".join(part for part in parts if part)


async def _cancel(execution: PipelineExecution, *, force: bool, wait: bool) -> ExecutionStatus:
    """The status that the cancel led to; CANCELLING when it was accepted and is not awaited. Raises MaiaError."""
    if wait:
        return (await execution.cancel_and_confirm(force=force)).status
    try:
        await execution.cancel(force=force)
    except ResponseError as error:
        if error.status not in {400, 404, 409, 410, 422}:
            raise
        # What a finished run answers is not documented: it is told by a look at the run.
        details = await execution.details()
        if not details.is_terminal:
            raise
        return details.status
    return ExecutionStatus.CANCELLING
