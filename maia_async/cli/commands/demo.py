"""`maia demo`: what the package does, seen without an account. It talks to an embedded emulator only, and says so first."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from maia_async import OutcomeState
from maia_async.cli.batching import BatchRun
from maia_async.cli.demo_plan import demo_requests, demo_scenario
from maia_async.cli.exits import ExitStatus, UsageProblem
from maia_async.cli.options import Injected, Output
from maia_async.emulator import Emulator

_UNPLANNED = (OutcomeState.UNKNOWN, OutcomeState.NOT_STARTED, OutcomeState.LEFT_RUNNING)


async def demo(
    *,
    executions: Annotated[int, Parameter(help="How many to run.")] = 200,
    speed: Annotated[float, Parameter(help="How many API seconds pass in one real second.")] = 25.0,
    seed: Annotated[int, Parameter(help="Of every random choice.")] = 7,
    output: Output = "table",
    program: Injected,
) -> ExitStatus:
    """Watch 200 executions run in an embedded emulator, without an account."""
    if executions < 1:
        raise UsageProblem(f"--executions must be at least 1, is {executions}")
    embedded = Emulator(demo_scenario(seed), speed=speed)
    talk = program.talk
    talk.say("maia demo: this is an embedded emulator on this machine. Nothing reaches Maia, and no account is needed.", "bold")
    talk.say(f"{executions} executions of 5 pipelines; some fail, one pipeline is disabled, one is not published, some share a tag.")
    talk.say(
        f"Its time runs {speed:g} times as fast, run times below included. The API allows 1000 requests a minute: the client keeps to that."
    )
    program.embedded = True
    async with embedded as emulator, emulator.client(observers=(program.ledger,)) as maia:
        run = BatchRun(
            program=program,
            maia=maia,
            project=maia.project(),
            title="demo",
            requests=demo_requests(executions, seed),
            options={"max_running": 40},
            output=output,
        )
        report = await run.run()
    talk.say("The failures are part of the demo: a batch tells what became of every row.", "bold")
    talk.say("Next: `maia batch FILE --emulator` with rows of your own, or set credentials and `maia projects list`.")
    return ExitStatus.UNSUCCESSFUL if any(report.counts[state] for state in _UNPLANNED) else ExitStatus.OK
