"""`maia demo`: what the package does, seen without an account. It talks to an embedded emulator only, and says so first."""

from __future__ import annotations

from typing import Annotated

import anyio
from cyclopts import Parameter

from maia_async import BatchReport, OutcomeState
from maia_async.cli.batching import BatchRun
from maia_async.cli.demo_ends import Conductor, occupy_tag
from maia_async.cli.demo_plan import DROPS, demo_requests, demo_scenario
from maia_async.cli.demo_streams import StreamDemo
from maia_async.cli.exits import ExitStatus, UsageProblem
from maia_async.cli.options import Injected, Outcomes, naming
from maia_async.emulator import Emulator

_UNPLANNED = (OutcomeState.UNKNOWN, OutcomeState.NOT_STARTED, OutcomeState.LEFT_RUNNING)
_MOST_SECONDS = 900.0  # of the API, for the streaming pipelines after the batch; they need a quarter of it


async def demo(
    *,
    executions: Annotated[int, Parameter(help="How many to run.")] = 200,
    speed: Annotated[float, Parameter(help="How many API seconds pass in one real second.")] = 25.0,
    seed: Annotated[int, Parameter(help="Of every random choice.")] = 7,
    output: Outcomes = "table",
    program: Injected,
) -> ExitStatus:
    """Watch 200 executions run in an embedded emulator, without an account."""
    if executions < 1:
        raise UsageProblem(f"--executions must be at least 1, is {executions}")
    with naming(speed="--speed"):
        embedded = Emulator(demo_scenario(seed), speed=speed)
    talk = program.talk
    talk.say("maia demo: this is an embedded emulator on this machine. Nothing reaches Maia, and no account is needed.", "bold")
    talk.say(f"{executions} executions of 5 pipelines; some fail, one pipeline is disabled, one is not published, some tags are taken.")
    talk.say(
        f"Its time runs {speed:g} times as fast, run times below included. The API allows 1000 requests a minute: the client keeps to that."
    )
    talk.say("Beside them two streaming pipelines are supervised: they start, take their snapshots and stream; one drops and is restarted.")
    program.embedded = True
    async with embedded as emulator, emulator.client(observers=(program.ledger, Conductor(emulator, seed))) as maia:
        occupy_tag(emulator)
        streams = StreamDemo.of(program, emulator, maia)
        run = BatchRun(
            program=program,
            maia=maia,
            project=maia.project(),
            title="demo",
            requests=demo_requests(executions, seed),
            options={"max_running": 40},
            output=output,
            beside=streams.table.draw,
        )
        report = await _both(run, streams, bound=_MOST_SECONDS / speed)
        streams.write(output)
    talk.say("The failures are part of the demo: a batch tells what became of every row.", "bold")
    if streams.succeeded:
        talk.say(f"So is the drop: {DROPS!r} stopped by itself, and supervise() started it again.", "bold")
    else:
        talk.say("The streaming pipelines did not do what they are here to show.", "red")
    talk.say(
        "Next: `maia batch FILE --emulator` with rows of your own, `maia streaming supervise --all --emulator`, "
        "or set credentials and `maia projects list`."
    )
    planned = streams.succeeded and not any(report.counts[state] for state in _UNPLANNED)
    return ExitStatus.OK if planned else ExitStatus.UNSUCCESSFUL


async def _both(run: BatchRun, streams: StreamDemo, *, bound: float) -> BatchReport:
    """The batch's report, when the batch has ended and the streaming pipelines have shown what they do, or `bound` seconds later."""
    failure: Exception | None = None
    report: BatchReport | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(streams.run)
        try:
            report = await run.run()
            with streams.program.talk.display(streams.table.draw), anyio.move_on_after(bound):
                await streams.told.wait()
        except Exception as error:  # noqa: BLE001 - raised below: from inside it would leave the task group wrapped in an exception group
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None or report is None:
        raise failure or AssertionError("a batch without a report")
    return report
