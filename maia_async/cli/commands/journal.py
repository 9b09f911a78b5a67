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
from maia_async.cli.summary import stacked


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
        document = as_json(found)
        # The row as it is called everywhere else, beside the index that programs count with.
        document["entries"] = [{"index": entry["index"], "row": entry["index"] + 1, **entry} for entry in document["entries"]]
        program.data.document(document)
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
        if data.is_terminal:
            data.table(("ROW", "STATE", "PIPELINE", "EXECUTION, REASON"), _narrow(found.entries))
        else:
            data.table(("ROW", "STATE", "PIPELINE", "ENVIRONMENT", "EXECUTION", "REASON"), _wide(found.entries))


def requests(found: JournalSummary) -> str:
    """How many requests there are, as far as that is known."""
    known = len(found.entries)
    if found.size is None:
        return f"{known}, and the end of the input was not reached"
    return str(known) if known == found.size else f"{known} of {found.size}"


def _narrow(entries: Iterable[JournalEntry]) -> Iterator[tuple[object, ...]]:
    for entry in entries:
        yield from stacked(entry.index, entry.state, entry.pipeline_name, (_ids(entry), entry.error))


def _wide(entries: Iterable[JournalEntry]) -> Iterator[tuple[object, ...]]:
    for entry in entries:
        yield entry.index + 1, entry.state, entry.pipeline_name, entry.environment_name, _ids(entry), entry.error


def _ids(entry: JournalEntry) -> str:
    return entry.execution_id or ", ".join(entry.candidates) or (f"tag {entry.execution_tag}" if entry.state == "INTENT" else "")
