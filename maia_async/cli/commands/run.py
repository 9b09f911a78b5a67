"""`maia run PIPELINE`: one run. Without waiting, the id stands alone on stdout, so that `ID=$(maia run ... --no-wait)` holds it."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Final

from cyclopts import Parameter

from maia_async import AUTO, ExecutionDetails, ExecutionRequest, ExecutionUnsuccessful
from maia_async.cli.batchfile import json_reason
from maia_async.cli.cancelling import cancel_left
from maia_async.cli.connect import connected, project_of
from maia_async.cli.exits import ExitStatus, UsageProblem
from maia_async.cli.options import EVERYWHERE, Injected, Output, Where, checked_timeout
from maia_async.cli.showing import status_line, write_details

_OPTIONS: Final = {
    "pipelineName": "PIPELINE",
    "environmentName": "--environment",
    "agentId": "--agent",
    "versionName": "--version-name",
    "executionTag": "--tag",
    "scalarVariables": "--var",
    "gridVariables": "--grid",
}


async def run(
    pipeline: Annotated[str, Parameter(help="Name of a published pipeline.")],
    /,
    *,
    environment: Annotated[str, Parameter(help="Name of the environment to run in.")],
    var: Annotated[tuple[str, ...], Parameter(help="A scalar variable, NAME=VALUE; may be repeated.")] = (),
    grid: Annotated[tuple[str, ...], Parameter(help='A grid variable, NAME=JSON such as rows=[["a","1"]]; may be repeated.')] = (),
    tag: Annotated[str | None, Parameter(help="Execution tag: one run per tag and environment; else one of its own.")] = None,
    no_tag: Annotated[bool, Parameter(help="Send no execution tag.")] = False,
    agent: Annotated[str | None, Parameter(help="Id of the agent to run on.")] = None,
    version_name: Annotated[str | None, Parameter(help="Published version to run; else the latest.")] = None,
    wait: Annotated[bool, Parameter(negative="--no-wait", help="Wait for the end; or print the id and leave.")] = True,
    timeout: Annotated[float | None, Parameter(help="Seconds to wait at most; the run goes on after that.")] = None,
    cancel_on_interrupt: Annotated[bool, Parameter(help="On Ctrl-C, cancel the run and await its end.")] = False,
    output: Output = "table",
    where: Where = EVERYWHERE,
    program: Injected,
) -> ExitStatus:
    """Run one published pipeline and wait for its end."""
    if tag is not None and no_tag:
        raise UsageProblem("give --tag or --no-tag, not both")
    if cancel_on_interrupt and not wait:
        raise UsageProblem("--cancel-on-interrupt is for a run that is waited for: it does not go with --no-wait")
    if timeout is not None and not wait:
        raise UsageProblem("--timeout says how long to wait: it does not go with --no-wait")
    checked_timeout(timeout)
    fields: dict[str, Any] = {
        "execution_tag": None if no_tag else AUTO if tag is None else tag,
        "agent_id": agent,
        "version_name": version_name,
        "scalar_variables": assignments(var, option="--var") or None,
        "grid_variables": grids(grid) or None,
    }
    refuse_wrong(ExecutionRequest(pipeline_name=pipeline, environment_name=environment, **fields))
    async with connected(program, where) as maia:
        execution = await project_of(maia, where).execute(pipeline, environment, **fields)
        if not wait:
            if output == "json":
                program.data.document({"pipelineExecutionId": execution.id, "projectId": execution.project_id})
            else:
                program.data.line(execution.id)
            program.ledger.forget(execution.id)
            return ExitStatus.OK
        program.talk.say(f"started execution {execution.id}")
        try:
            with program.talk.display(status_line(execution)):
                details = await execution.wait(timeout)
        except ExecutionUnsuccessful as error:
            write_details(program.data, execution, error.details, output)
            raise
        except asyncio.CancelledError:
            if cancel_on_interrupt and program.stopped_as is ExitStatus.INTERRUPTED:
                program.say_stopped()
                ends: dict[str, ExecutionDetails] = {}
                await cancel_left(program, [execution], ends)
                for found in ends.values():
                    write_details(program.data, execution, found, output)
            raise
        write_details(program.data, execution, details, output)
        return ExitStatus.OK


def refuse_wrong(request: ExecutionRequest) -> None:
    """Raises UsageProblem for what is wrong with a request, under the names of the options."""
    problems = request.problems()
    if problems:
        raise UsageProblem(*(f"{_option_of(problem.field)}: {problem.message}" for problem in problems))


def _option_of(field: str) -> str:
    name, dot, inner = field.partition(".")
    return f"{_OPTIONS.get(name, name)} {inner}" if dot else _OPTIONS.get(name, name)


def assignments(given: tuple[str, ...], *, option: str) -> dict[str, str]:
    """NAME=VALUE pairs; the value may hold anything. Raises UsageProblem for what is none, and for a name given twice."""
    found: dict[str, str] = {}
    problems = []
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            problems.append(f"{option} {text}: must be NAME=VALUE")
        elif name in found:
            problems.append(f"{option} {name}: is given twice")
        else:
            found[name] = value
    if problems:
        raise UsageProblem(*problems)
    return found


def grids(given: tuple[str, ...]) -> dict[str, Any]:
    """NAME=JSON pairs; whether each is a grid, the request's own check says. Raises UsageProblem for what is no JSON."""
    found: dict[str, Any] = {}
    problems = []
    for name, text in assignments(given, option="--grid").items():
        try:
            found[name] = json.loads(text)
        except (ValueError, RecursionError) as error:
            problems.append(f"--grid {name}: is not JSON: {json_reason(error)}")
    if problems:
        raise UsageProblem(*problems)
    return found
