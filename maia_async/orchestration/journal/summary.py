"""What a journal tells somebody who only looks: who wrote it, how far each request has come, how many of each. It changes nothing.

It takes no lock, so that it can be read while a batch writes it. Variables are left out: they are what the file's mode protects.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from attrs import field, frozen

from maia_async.errors import JournalCorrupt, JournalError
from maia_async.offload import Thread
from maia_async.orchestration.journal import files
from maia_async.orchestration.journal.rows import Row
from maia_async.orchestration.journal.schema import Meta
from maia_async.orchestration.journal.store import load


@frozen(kw_only=True)
class JournalEntry:
    """One request. `state`: PLANNED, INTENT (its POST may have landed), STARTED, or the state of its outcome."""

    index: int
    state: str
    pipeline_name: str
    environment_name: str
    execution_tag: str | None = None
    execution_id: str | None = None
    candidates: tuple[str, ...] = ()
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None


@frozen(kw_only=True)
class JournalSummary:
    """A whole journal. size: requests of the input, None while that is not known. counts: entries by state."""

    path: str
    project_id: str
    base_url: str
    created_at: str
    package_version: str
    size: int | None
    counts: Mapping[str, int]
    entries: tuple[JournalEntry, ...] = field(repr=False)


async def journal_summary(path: str | os.PathLike[str]) -> JournalSummary:
    """Read a journal, also one that is being written. Raises JournalError for what is none."""
    thread = Thread("journal reader")
    try:
        return await thread.run(_summary, path)
    finally:
        await thread.aclose()


def _summary(given: str | os.PathLike[str]) -> JournalSummary:
    path = files.real(given)
    if not files.exists(path):
        raise JournalError("does not exist, or is empty", path=str(path))
    meta, rows = _read(path)
    entries = tuple(_entry(row) for row in rows)
    return JournalSummary(
        path=str(path),
        project_id=meta.project_id,
        base_url=meta.base_url,
        created_at=meta.created_at,
        package_version=meta.package_version,
        size=meta.size,
        counts=dict(Counter(entry.state for entry in entries)),
        entries=entries,
    )


def _read(path: Path) -> tuple[Meta, tuple[Row, ...]]:
    """All of it, from one moment: a file that nobody writes is read without locks, so look afterwards whether somebody began to."""
    while True:
        before = files.stamp(path)
        try:
            with files.reading(path) as database:
                found = load(database, str(path))
        except JournalCorrupt:
            if files.stamp(path) == before:
                raise
            continue
        if before.has_log or files.stamp(path) == before:
            return found


def _entry(row: Row) -> JournalEntry:
    request, outcome = row.request, row.outcome
    tag = request.execution_tag
    return JournalEntry(
        index=row.index,
        state=row.stage.value if outcome is None else outcome.state.value,
        pipeline_name=str(request.pipeline_name),
        environment_name=str(request.environment_name),
        execution_tag=tag if isinstance(tag, str) else None,
        execution_id=row.execution_id,
        candidates=() if outcome is None else outcome.candidates,
        sent_at=row.sent_at,
        finished_at=None if outcome is None else outcome.finished_at,
        error=None if outcome is None or outcome.error is None else str(outcome.error),
    )
