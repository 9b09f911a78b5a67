"""Runs a batch for a command: progress on stderr, outcomes and report on stdout, nothing lost however it ends. It reads no file.

it ends by                     runs that go on                                            outcomes written
the end of the input           none                                                       all
Ctrl-C                         left                                                       all, LEFT_RUNNING among them
Ctrl-C, `cancel_on_interrupt`  cancelled, and awaited for 60 s and 0.1 s for each         all, each as what it is by then
a second Ctrl-C                left as they are, also while they are awaited              the same
SIGTERM, an error              left                                                       all, LEFT_RUNNING among them

With a journal, the closing words say how to go on, if there is anything left to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from rich.console import RenderableType

from maia_async import Batch, BatchReport, ExecutionDetails, ExecutionRequest, JournalSummary, Maia, Outcome, OutcomeState, Project
from maia_async.cli import journals
from maia_async.cli.cancelling import cancel_left, with_ends
from maia_async.cli.data import Form
from maia_async.cli.exits import ExitStatus, exit_status_of
from maia_async.cli.ledger import Doubt
from maia_async.cli.program import Program
from maia_async.cli.progress import BatchProgress
from maia_async.cli.summary import write_report


@define(kw_only=True)
class BatchRun:
    """One batch on the command line. `options` are those of `Batch`; `beside` is shown below the live display.

    announced: what is said once nothing was refused. earlier: what its journal had. resume: the command
    that goes on with it; None without a journal.
    """

    program: Program
    maia: Maia
    project: Project
    title: str
    requests: Sequence[ExecutionRequest] | None
    options: dict[str, Any]
    announced: str = ""
    earlier: JournalSummary | None = None
    resume: str | None = None
    output: Form = "table"
    cancel_on_interrupt: bool = False
    beside: Callable[[], RenderableType] | None = None
    _written: set[int] = field(factory=set)
    _cut_short: bool = True  # until the iteration has come to its end

    @property
    def total(self) -> int:
        """How many rows there are."""
        return len(self.requests if self.requests is not None else self.earlier.entries if self.earlier is not None else ())

    async def run(self) -> BatchReport:
        """The report, after it was written. Raises what the batch raises."""
        going = self.program.ledger.going  # not the client's waits: those of streaming pipelines are among them
        progress = BatchProgress(self.program.talk, self.maia, self.title, self.total, lambda: len(going), self.beside)
        # Lines of JSON on the same terminal would be written into the live display.
        quiet = self.output == "json" and self.program.data.is_terminal
        batch = Batch(self.project, self.requests, **self.options)
        await batch.__aenter__()  # apart from the block: what is refused here has no report
        self._begin()
        ends: dict[str, ExecutionDetails] = {}
        try:
            if quiet:
                await self._iterate(batch, progress)
            else:
                with self.program.talk.display(progress.draw):
                    await self._iterate(batch, progress)
        except asyncio.CancelledError:
            if self.cancel_on_interrupt and self.program.stopped_as is ExitStatus.INTERRUPTED:
                await cancel_left(self.program, batch.outstanding, ends)
            raise
        finally:
            self._write(with_ends(batch.report(), ends))
        return batch.report()

    def _begin(self) -> None:
        if self.earlier is not None:  # nobody has told the ledger of them, and the batch may be left before it has looked at one
            self.program.ledger.going |= dict.fromkeys(journals.left_running(self.earlier), self.project.id)
        if self.announced:
            self.program.talk.say(self.announced)

    async def _iterate(self, batch: Batch, progress: BatchProgress) -> None:
        try:
            async for outcome in batch:
                progress.note(outcome)
                self._deliver(outcome)
            self._cut_short = self.options.get("timeout") is not None or self.options.get("on_failure") != "continue"  # or may be
        except asyncio.CancelledError:
            self.program.say_stopped("requests under way get 10 seconds for their answers; Ctrl-C again ends at once")
            raise
        finally:
            await batch.__aexit__(None, None, None)

    def _deliver(self, outcome: Outcome) -> None:
        if self.output == "json":
            # The row as it is called everywhere else, beside the index that programs count with.
            self.program.data.json_line({"index": outcome.index, "row": outcome.index + 1, **outcome.to_dict()})
            self._written.add(outcome.index)

    def _write(self, report: BatchReport) -> None:
        self.program.ledger.doubts += [
            Doubt(outcome.request, outcome.candidates) for outcome in report.outcomes if outcome.state is OutcomeState.UNKNOWN
        ]
        if self.output == "json":
            for outcome in report.outcomes:
                if outcome.index not in self._written:
                    self._deliver(outcome)
            self.program.data.json_line({"report": report.to_dict(outcomes=False)})
        else:
            if self.program.data.is_terminal:
                self.program.data.line("")
            write_report(self.program.data, report, self.maia.statistics(), embedded=self.program.embedded)
        self.program.all_on_stdout = True
        if self.resume is not None and journals.may_go_on(report, cut_short=self._cut_short):
            self.program.resume = self.resume


def batch_status(report: BatchReport) -> ExitStatus:
    """The exit code of a report.

    report                                                               exit
    every request was taken and ended with SUCCESS                       0
    nothing was started, each time because the API or network failed     4
    anything else                                                        1
    """
    if report.succeeded:
        return ExitStatus.OK
    never = report.total > 0 and report.counts[OutcomeState.NOT_STARTED] == report.total
    if never and all(outcome.error is not None and exit_status_of(outcome.error) is ExitStatus.API_FAILED for outcome in report.outcomes):
        return ExitStatus.API_FAILED
    return ExitStatus.UNSUCCESSFUL
