"""`maia journal show J`: what a journal says of a batch and of each of its requests. It reads one file and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from maia_async import JournalEntry, JournalSummary, journal_summary
from maia_async.cli.data import Data, as_json
from maia_async.cli.exits import ExitStatus
from maia_async.cli.options import Injected, Output


async def show(
    journal: Annotated[Path, Parameter(help="The journal of a batch, also of one that is running.")],
    /,
    *,
    output: Output = "table",
    program: Injected,
) -> ExitStatus:
    """Show how far each request of a batch has come. Variables are not shown."""
    found = await journal_summary(journal)
    if output == "json":
        program.data.document(as_json(found))
    else:
        write_summary(program.data, found)
    return ExitStatus.OK


def write_summary(data: Data, found: JournalSummary) -> None:
    """It for people: the whole, how many of each state, and a line for each request."""
    data.fields(
        (
            ("project", found.project_id),
            ("base URL", found.base_url),
            ("created", found.created_at),
            ("requests", requests(found)),
        )
    )
    data.line("")
    data.table(("STATE", "COUNT"), sorted(found.counts.items()))
    if found.entries:
        data.line("")
        data.table(("ROW", "STATE", "PIPELINE", "ENVIRONMENT", "EXECUTION", "REASON"), _rows(found.entries))


def requests(found: JournalSummary) -> str:
    """How many requests there are, as far as that is known."""
    known = len(found.entries)
    if found.size is None:
        return f"{known}, and the end of the input was not reached"
    return str(known) if known == found.size else f"{known} of {found.size}"


def _rows(entries: Iterable[JournalEntry]) -> Iterator[tuple[object, ...]]:
    for entry in entries:
        ids = entry.execution_id or ", ".join(entry.candidates) or (f"tag {entry.execution_tag}" if entry.state == "INTENT" else "")
        yield entry.index + 1, entry.state, entry.pipeline_name, entry.environment_name, ids, entry.error
