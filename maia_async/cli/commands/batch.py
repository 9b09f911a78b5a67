"""`maia batch FILE`: every row of a file, which is checked whole before the first request; with a journal, also after a kill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from attrs import frozen
from cyclopts import Parameter

from maia_async import ExecutionRequest, JournalSummary, Maia, Project
from maia_async.cli import journals
from maia_async.cli.batchfile import Format
from maia_async.cli.batching import BatchRun, batch_status
from maia_async.cli.batchrows import read_requests, requests_in
from maia_async.cli.connect import connected, project_of
from maia_async.cli.exits import ExitStatus, UsageProblem
from maia_async.cli.options import EVERYWHERE, Injected, Outcomes, Where, checked_timeout
from maia_async.cli.program import Program

_USUAL: Final = {"max_running": 50, "on_failure": "continue", "on_conflict": "raise", "max_unacknowledged": 1}


async def batch(
    file: Annotated[
        str | None, Parameter(help="Rows with the API's keys; CSV has columns such as scalarVariables.day. `-` is stdin.")
    ] = None,
    /,
    *,
    format: Annotated[Format | None, Parameter(help="Of the file; else its extension says it.")] = None,  # noqa: A002 - the option's name
    journal: Annotated[
        Path | None,
        Parameter(help="Keep every request, id and outcome in this file; the same command goes on where it was, even after a kill."),
    ] = None,
    resume: Annotated[Path | None, Parameter(help="Go on with the batch of this journal, which has the rows; FILE is not needed.")] = None,
    max_running: Annotated[int, Parameter(help="Runs under way at once.")] = 50,
    max_unacknowledged: Annotated[
        int | None,
        Parameter(help="With a journal: triggers of a pipeline without an answer at once; else 1, so that a kill leaves no riddle."),
    ] = None,
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
    chosen = _Chosen(file=file, format=format, journal=journal, resume=resume)
    chosen.refuse_contradictions(where, max_unacknowledged)
    options: dict[str, Any] = {"max_running": max_running, "on_failure": on_failure, "on_conflict": on_conflict, "timeout": timeout}
    _refuse_below_one(max_running=max_running, max_unacknowledged=max_unacknowledged)
    requests = chosen.requests(program)
    earlier = await chosen.earlier()
    if chosen.book is not None:
        options |= {"journal": chosen.book, "max_unacknowledged": max_unacknowledged or 1}
    async with connected(program, where) as maia:
        run = BatchRun(
            program=program,
            maia=maia,
            project=chosen.project(maia, where, earlier),
            title=chosen.title,
            requests=requests,
            options=options,
            announced=chosen.announced(requests, earlier, max_running),
            earlier=earlier,
            resume=chosen.command_line(options, program),
            output=output,
            cancel_on_interrupt=cancel_on_interrupt,
        )
        return batch_status(await run.run())


@frozen(kw_only=True)
class _Chosen:
    """Where the rows come from, and where they are kept."""

    file: str | None
    format: Format | None
    journal: Path | None
    resume: Path | None

    @property
    def book(self) -> Path | None:
        """The journal, if there is to be one."""
        return self.journal if self.resume is None else self.resume

    @property
    def source(self) -> str:
        return "stdin" if self.file == "-" else str(self.file)

    @property
    def title(self) -> str:
        place = self.book if self.file is None else Path(self.file)
        return "stdin" if self.file == "-" else Path(place or "").name

    def refuse_contradictions(self, where: Where, max_unacknowledged: int | None) -> None:
        """Raises UsageProblem."""
        if self.journal is not None and self.resume is not None:
            raise UsageProblem("give --journal or --resume, not both: --journal goes on with a journal that is there, too")
        if self.file is None and self.resume is None:
            hint = "" if self.journal is None else f"; to go on with what is in the journal: {journals.command_line(self.journal, ())}"
            raise UsageProblem(f"give FILE, which has the rows{hint}")
        if self.file is None and self.format is not None:
            raise UsageProblem("--format is about FILE, and there is none")
        if self.book is None and max_unacknowledged is not None:
            raise UsageProblem("--max-unacknowledged is about a journal: give --journal or --resume, too")
        if self.book is not None and where.emulator:
            raise UsageProblem(
                "a journal does not go with --emulator: the embedded emulator ends with this command, and what the journal knows is lost",
                "`maia emulator` serves one that stays",
            )
        if self.file == "-" and self.format is None:
            raise UsageProblem("stdin has no name that says its format: give --format yaml, json, jsonl or csv")

    def requests(self, program: Program) -> list[ExecutionRequest] | None:
        """The rows of the file; None when the journal has them. Raises UsageProblem."""
        if self.file == "-" and self.format is not None:
            return requests_in(program.read_stdin("rows"), self.format)
        return None if self.file is None else read_requests(Path(self.file), self.format)

    async def earlier(self) -> JournalSummary | None:
        """What the journal has. Raises JournalError, and UsageProblem when FILE is needed after all."""
        if self.book is None:
            return None
        found = await journals.earlier(self.book, must_exist=self.resume is not None)
        if self.file is None and found is not None:
            journals.refuse_parts(found, self.book)
        return found

    def project(self, maia: Maia, where: Where, earlier: JournalSummary | None) -> Project:
        """Of the journal that is resumed, else the usual one. Raises UsageProblem."""
        if self.resume is None or earlier is None:
            return project_of(maia, where)
        return maia.project(journals.checked_project(earlier, where, self.resume))

    def announced(self, requests: Sequence[ExecutionRequest] | None, earlier: JournalSummary | None, max_running: int) -> str:
        """What is said before the first request."""
        if earlier is not None and (requests is None or earlier.entries):
            return f"resuming {self.book}, at most {max_running} at once: {journals.described(earlier)}"
        count = len(requests or ())
        kept = "" if self.book is None else f"; the journal is {self.book}"
        return f"{count} {'run' if count == 1 else 'runs'} from {self.source}, at most {max_running} at once{kept}"

    def command_line(self, options: Mapping[str, object], program: Program) -> str | None:
        """The command that goes on; None without a journal."""
        if self.book is None:
            return None
        changed = [(f"--{name.replace('_', '-')}", str(options[name])) for name, usual in _USUAL.items() if options[name] != usual]
        return journals.command_line(self.book, (*chain.from_iterable(changed), *program.connection_options))


def _refuse_below_one(**given: int | None) -> None:
    for name, value in given.items():
        if value is not None and value < 1:
            raise UsageProblem(f"--{name.replace('_', '-')} must be at least 1, is {value}")
