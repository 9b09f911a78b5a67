"""`maia batch FILE`: every row of a file. The file is checked whole before the first request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from maia_async.cli.batchfile import Format
from maia_async.cli.batching import BatchRun, batch_status
from maia_async.cli.batchrows import read_requests, requests_in
from maia_async.cli.connect import connected, project_of
from maia_async.cli.exits import ExitStatus, UsageProblem
from maia_async.cli.options import EVERYWHERE, Injected, Outcomes, Where, checked_timeout


async def batch(
    file: Annotated[str, Parameter(help="Rows with the API's keys; CSV has columns such as scalarVariables.day. `-` is stdin.")],
    /,
    *,
    format: Annotated[Format | None, Parameter(help="Of the file; else its extension says it.")] = None,  # noqa: A002 - the option's name
    max_running: Annotated[int, Parameter(help="Runs under way at once.")] = 50,
    on_failure: Annotated[
        Literal["continue", "stop", "cancel"], Parameter(help="stop: start no more; cancel: end what runs, too.")
    ] = "continue",
    on_conflict: Annotated[Literal["raise", "wait"], Parameter(help="wait: try again while a run with the same tag is going.")] = "raise",
    cancel_on_interrupt: Annotated[bool, Parameter(help="On Ctrl-C, cancel the runs that are going and await their ends.")] = False,
    timeout: Annotated[float | None, Parameter(help="Seconds for the whole batch; then the rest is left running.")] = None,
    output: Outcomes = "table",
    where: Where = EVERYWHERE,
    program: Injected,
) -> ExitStatus:
    """Run every row of a file."""
    checked_timeout(timeout)
    if max_running < 1:
        raise UsageProblem(f"--max-running must be at least 1, is {max_running}")
    source = "stdin" if file == "-" else file
    if file == "-":
        if format is None:
            raise UsageProblem("stdin has no name that says its format: give --format yaml, json, jsonl or csv")
        requests = requests_in(program.read_stdin("rows"), format)
    else:
        requests = read_requests(Path(file), format)
    async with connected(program, where) as maia:
        run = BatchRun(
            program=program,
            maia=maia,
            project=project_of(maia, where),
            title=source if file == "-" else Path(file).name,
            requests=requests,
            options={"max_running": max_running, "on_failure": on_failure, "on_conflict": on_conflict, "timeout": timeout},
            output=output,
            cancel_on_interrupt=cancel_on_interrupt,
        )
        program.talk.say(f"{len(requests)} {'run' if len(requests) == 1 else 'runs'} from {source}, at most {max_running} at once")
        return batch_status(await run.run())
