"""What the command line makes of a journal beside the batch itself: whether there is one, what it has, how to go on. It writes none.

    a row of the journal                            the batch that goes on
    PLANNED, NOT_STARTED                            starts it
    INTENT                                          looks for its run
    STARTED, LEFT_RUNNING                           awaits its run
    any other state                                 gives its outcome again, marked as replayed

How a batch ended, and whether the closing words say how to go on:

    its report has                                  going on
    NOT_STARTED, LEFT_RUNNING, rows that were not   makes sense
      read
    UNKNOWN, new, of a batch that was cut short     makes sense: the journal keeps it in doubt, and it is looked up
    UNKNOWN otherwise, and any other state          changes nothing
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Final

from maia_async import BatchReport, JournalSummary, OutcomeState, journal_summary
from maia_async.cli.exits import UsageProblem
from maia_async.cli.options import Where

_STARTED: Final = ("STARTED", "LEFT_RUNNING")
_TO_START: Final = ("PLANNED", "NOT_STARTED")
_GO_ON: Final = (OutcomeState.NOT_STARTED, OutcomeState.LEFT_RUNNING)


async def earlier(path: Path, *, must_exist: bool) -> JournalSummary | None:
    """What is in the journal; None when there is none yet. Raises JournalError for what is none, or (`must_exist`) for a missing one."""
    if not must_exist and not _has_content(path):
        return None
    return await journal_summary(path)


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0 or not path.is_file()
    except OSError:  # not there; or out of reach, which whoever opens it says better
        return False


def refuse_parts(found: JournalSummary, path: Path) -> None:
    """Raises UsageProblem when it does not hold its whole input."""
    if found.size is None or found.size != len(found.entries):
        moved = "" if Path(f"{path}-wal").exists() else f" (if it was moved after a kill, put its {path.name}-wal beside it first)"
        raise UsageProblem(
            f"{path}: its input had not been read to its end, and it holds {len(found.entries)} of its rows only{moved}",
            f"go on with the input that it was made from: {command_line(path, ())} FILE",
        )


def checked_project(found: JournalSummary, where: Where, path: Path) -> str:
    """The project of the journal. Raises UsageProblem when `--project` is another one."""
    if where.project is not None and where.project != found.project_id:
        raise UsageProblem(f"{path}: is of project {found.project_id}, and --project is {where.project}: leave --project out")
    return found.project_id


def described(found: JournalSummary) -> str:
    """How far it has come: `of 5 rows 2 ended before (1 FAILED, 1 SUCCESS), 1 was started, 2 are to be started`."""
    return f"of {len(found.entries)} rows {', '.join(_parts(found.counts)) or 'none has begun'}"


def _parts(counts: Mapping[str, int]) -> Iterator[str]:
    ended = {state: count for state, count in counts.items() if state not in {*_STARTED, *_TO_START, "INTENT"}}
    if ended:
        yield f"{sum(ended.values())} ended before ({', '.join(f'{count} {state}' for state, count in sorted(ended.items()))})"
    started, doubtful, rest = (sum(counts.get(state, 0) for state in states) for states in (_STARTED, ("INTENT",), _TO_START))
    if started:
        yield f"{started} {'was' if started == 1 else 'were'} started"
    if doubtful:
        yield f"{doubtful} may have been started"
    if rest:
        yield f"{rest} {'is' if rest == 1 else 'are'} to be started"


def left_running(found: JournalSummary) -> Iterator[str]:
    """The ids of the runs that may go on."""
    for entry in found.entries:
        if entry.state in _STARTED and entry.execution_id is not None:
            yield entry.execution_id


def may_go_on(report: BatchReport, *, cut_short: bool) -> bool:
    """Whether resuming would do anything but give outcomes again; see the second table of this module."""
    if report.not_read or any(report.counts[state] for state in _GO_ON):
        return True
    return cut_short and any(outcome.state is OutcomeState.UNKNOWN and not outcome.replayed for outcome in report.outcomes)


def command_line(path: Path, options: Sequence[str]) -> str:
    """The command that goes on, as a shell understands it. The project is in the journal, and so is the input."""
    # A name that begins with a hyphen would be read as an option.
    name = f"./{path}" if str(path).startswith("-") else str(path)
    return " ".join(map(quote, ("maia", "batch", "--resume", name, *options)))
