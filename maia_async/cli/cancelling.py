"""Cancels runs for commands, and sorts out what a refusal means. A run that has ended by itself is no failure of a cancel.

the PATCH               the run, read once then    result
accepted                not read                   None
400, 404, 409, 410, 422 ended, or CANCELLING       its details
400, 404, 409, 410, 422 goes on                    raises the refusal
400, 404, 409, 410, 422 cannot be read             raises the error of the read
any other error         not read                   raises it
"""

from __future__ import annotations

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
_BOUND: Final = 10.0
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


async def cancel_left(program: Program, executions: Sequence[PipelineExecution]) -> dict[str, ExecutionDetails]:
    """Cancel what a batch leaves, within 10 s and 0.1 s for each, and say what became of them: the ledger holds what still goes on.

    Returns the ends of those that had ended before, by id.
    """
    program.talk.say(f"cancelling {len(executions)} {'run' if len(executions) == 1 else 'runs'}", "yellow")
    ends: dict[str, ExecutionDetails] = {}
    limiter = anyio.Semaphore(_AT_ONCE)

    async def cancel_one(execution: PipelineExecution) -> None:
        async with limiter:
            try:
                details = await cancel_or_end(execution)
            except MaiaError as error:
                program.talk.say(f"could not cancel: {error}", "yellow")
                if isinstance(error, NotFound):
                    program.ledger.forget(execution.id)  # Maia knows no such run: nothing of it goes on
                return
        if details is None or not details.is_terminal:
            program.ledger.cancelling.add(execution.id)
        else:
            ends[execution.id] = details
            program.ledger.forget(execution.id)

    with anyio.move_on_after(_BOUND + _PER_RUN * len(executions)):
        async with anyio.create_task_group() as tasks:
            for execution in executions:
                tasks.start_soon(cancel_one, execution)
    if ends:
        program.talk.say(f"{len(ends)} had ended before: {_counted(ends.values())}")
    return ends


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
