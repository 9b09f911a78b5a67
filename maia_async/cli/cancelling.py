"""Cancels runs for commands, sorts out what a refusal means, and awaits the ends. A run that has ended by itself is no failure of a cancel.

the PATCH               the run, read once then    result
accepted                not read                   None
400, 404, 409, 410, 422 ended, or CANCELLING       its details
400, 404, 409, 410, 422 goes on                    raises the refusal
400, 404, 409, 410, 422 cannot be read             raises the error of the read
any other error         not read                   raises it

What a command leaves behind (`cancel_left`) is cancelled so, and then awaited:

it                                 the ledger             what is said
ended before its cancel            forgets it             how many did, and how
ended after it                     forgets it             the same
has not ended when time is up      holds it: cancelling   how to see the end
could not be cancelled             holds it: going        why, and how to cancel it
does not exist (404)               forgets it             why
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import anyio
from attrs import evolve

from maia_async import (
    BatchReport,
    ExecutionDetails,
    ExecutionStatus,
    MaiaError,
    NotFound,
    Outcome,
    OutcomeState,
    PipelineExecution,
    ResponseError,
)
from maia_async.cli.program import Program

_AT_ONCE: Final = 20
_BOUND: Final = 60.0  # as a batch has for the ends of the runs that it cancels
_PER_RUN: Final = 0.1


async def cancel_or_end(execution: PipelineExecution, *, force: bool = False) -> ExecutionDetails | None:
    """Ask Maia to cancel it; see the table of this module. What a finished run answers is not documented: a look at the run tells."""
    try:
        await execution.cancel(force=force)
    except ResponseError as error:
        if error.status not in {400, 404, 409, 410, 422}:
            raise
        details = await execution.details()
        if not details.is_terminal and details.status is not ExecutionStatus.CANCELLING:
            raise
        return details
    return None


async def cancel_left(program: Program, executions: Sequence[PipelineExecution], ends: dict[str, ExecutionDetails]) -> None:
    """Cancel what a command leaves and await the ends, within 60 s and 0.1 s for each; see the second table of this module.

    ends: gets the ends that were seen, by id. Not returned: a second Ctrl-C ends this at once, and what was seen until then counts.
    """
    if not executions:
        return
    bound = _BOUND + _PER_RUN * len(executions)
    runs = "1 run" if len(executions) == 1 else f"{len(executions)} runs"
    program.talk.say(f"cancelling {runs}, and waiting at most {bound:.0f} s for the end; Ctrl-C again ends at once", "yellow")
    before = 0
    limiter = anyio.Semaphore(_AT_ONCE)

    async def one(execution: PipelineExecution) -> None:
        nonlocal before
        try:
            async with limiter:
                details = await cancel_or_end(execution)
        except MaiaError as error:
            program.talk.say(f"could not cancel: {error}", "yellow")
            if isinstance(error, NotFound):
                program.ledger.forget(execution.id)  # Maia knows no such run: nothing of it goes on
            return
        if details is None or not details.is_terminal:
            program.ledger.cancelling.add(execution.id)
            with contextlib.suppress(MaiaError):  # accepted, and not seen to its end: that is what the closing words say
                details = await execution.wait(check=False)
        else:
            before += 1
        if details is not None and details.is_terminal:
            ends[execution.id] = details
            program.ledger.forget(execution.id)

    with anyio.move_on_after(bound):
        async with anyio.create_task_group() as tasks:
            for execution in executions:
                tasks.start_soon(one, execution)
    if ends:
        program.talk.say(f"{len(ends)} ended: {_counted(ends.values())}" + (f"; {before} of them before the cancel" if before else ""))


def with_ends(report: BatchReport, ends: Mapping[str, ExecutionDetails]) -> BatchReport:
    """The report with the real ends of runs that it holds as left running; its run times stay those that the batch itself saw."""
    outcomes = tuple(_with_end(outcome, ends.get(outcome.execution_id or "")) for outcome in report.outcomes)
    counted = Counter(outcome.state for outcome in outcomes)
    return evolve(report, outcomes=outcomes, counts={state: counted[state] for state in OutcomeState})


def _with_end(outcome: Outcome, details: ExecutionDetails | None) -> Outcome:
    if details is None or outcome.state is not OutcomeState.LEFT_RUNNING:
        return outcome
    return evolve(outcome, state=OutcomeState(details.status.value), details=details, error=None)


def _counted(ends: Iterable[ExecutionDetails]) -> str:
    return ", ".join(f"{count} {status}" for status, count in Counter(details.status.value for details in ends).items())
