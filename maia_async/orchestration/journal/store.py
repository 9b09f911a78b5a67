"""The journal's database, as one thread uses it: many writes in one transaction, and all rows. It knows no event loop.

A commit returns when its writes are on the disk (WAL with `synchronous=FULL`: one fsync). One that fails is rolled back as a whole; what
the table in `steps.py` refuses is refused to its writer alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from attrs import define, evolve, field

from maia_async.clock import utc_now
from maia_async.errors import JournalError, JournalMismatch, JournalWriteFailed, MaiaError, MisuseError
from maia_async.models import OutcomeState
from maia_async.orchestration.journal import files, schema
from maia_async.orchestration.journal.lock import Lock
from maia_async.orchestration.journal.rows import Row, again_text, mismatch, row_of
from maia_async.orchestration.journal.schema import Meta
from maia_async.orchestration.journal.steps import Stage, Standing, may_end, may_intend, may_start
from maia_async.orchestration.journal.values import differing, escaped
from maia_async.orchestration.journal.writes import Asked, Ended, InputEnded, Intent, Plan, Started, Write
from maia_async.wire.reference import same_place

_PUT = "INSERT INTO run (idx, request, auto, digest, stage) VALUES (?, ?, ?, ?, ?)"
_FIND = "SELECT stage, state, execution_id, request, digest, auto, outcome FROM run WHERE idx=?"
_NO_OUTCOME = "state=NULL, outcome=NULL, triggered_at=NULL, finished_at=NULL"
_INTEND = (
    "UPDATE run SET request=?, stage='INTENT', server_time=?, sent_at=?, state=NULL, outcome=?, triggered_at=NULL, finished_at=NULL "
    "WHERE idx=?"
)
_START = f"UPDATE run SET stage='STARTED', execution_id=?, started_at=?, {_NO_OUTCOME} WHERE idx=?"  # noqa: S608 - constants
_END = "UPDATE run SET stage='DONE', execution_id=?, state=?, outcome=?, triggered_at=?, finished_at=? WHERE idx=?"
_SIZE = "UPDATE meta SET value=? WHERE name='size'"


def load(database: sqlite3.Connection, path: str) -> tuple[Meta, tuple[Row, ...]]:
    """All that a journal holds. Raises JournalCorrupt, naming the row."""
    try:
        meta = Meta.of(dict(database.execute("SELECT name, value FROM meta")))
    except (ValueError, KeyError, TypeError) as error:
        raise files.damaged(f"what it says about itself cannot be read: {error!r}", path) from None
    rows = []
    for cells in database.execute(f"SELECT {schema.COLUMNS} FROM run ORDER BY idx"):  # noqa: S608 - the names are ours
        try:
            rows.append(row_of(cells))
        except (ValueError, KeyError, TypeError, AttributeError, MaiaError) as error:
            raise files.damaged(f"row {cells[0]} cannot be read: {type(error).__name__}", path) from None
    return meta, tuple(rows)


@define(eq=False)
class Store:
    """One open journal. `open` and everything after it belong to one thread, as SQLite's connection does."""

    path: Path = field(converter=files.real)
    meta: Meta = field(factory=lambda: Meta(project_id="", base_url=""))
    rows: tuple[Row, ...] = ()
    _lock: Lock | None = None
    _database: sqlite3.Connection | None = None

    def open(self, wanted: Meta, *, create: bool = True) -> None:
        """Lock it, make it or look at it, and read what it holds. Raises a JournalError; whatever it raises, `close()` comes after."""
        path = str(self.path)
        self._lock = Lock(path)
        if not files.exists(self.path):
            if not create:
                raise JournalError("does not exist: there is nothing to resume", path=path)
            files.make(self.path, evolve(wanted, created_at=utc_now().isoformat(), package_version=schema.package_version()))
        with files.reading(self.path) as database:
            self.meta, self.rows = load(database, path)
        self._check(wanted)
        try:
            self._database = database = files.connect(self.path, "rw")
            (mode,) = database.execute("PRAGMA journal_mode=WAL").fetchone()
            for name, value in _SETTINGS:
                database.execute(f"PRAGMA {name}={value}")
            database.execute(f"PRAGMA wal_autocheckpoint={schema.PAGES_TO_CHECKPOINT}")
            # What a crash left half-written at the end of the log would stay there: one more torn write could make it whole again.
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise JournalError(f"cannot be opened: {error}", path=path) from None
        if mode != "wal":
            raise JournalError("is on a file system that SQLite's log cannot use: it must be on a local disk", path=path)

    def close(self) -> None:
        """Close it and give the lock back; also after an `open` that failed half-way. Twice is once."""
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):  # everything acknowledged is in the log; tidying it away may fail
                database.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def commit(self, writes: Sequence[Write]) -> list[MaiaError | None]:
        """Write them in one transaction: for each, None or its refusal. Raises JournalWriteFailed: then nothing of them was written."""
        database = self._opened()
        try:
            database.execute("BEGIN IMMEDIATE")
            refusals = [self._apply(write) for write in writes]
            database.execute("COMMIT")
        except BaseException as error:
            if database.in_transaction:
                with suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                reason = f"cannot be written ({error}): make room or repair the disk, and resume; what was acknowledged is kept"
                raise JournalWriteFailed(reason, path=str(self.path)) from None
            raise
        return refusals

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise MisuseError(f"journal {str(self.path)!r} is closed")
        return self._database

    def _check(self, wanted: Meta) -> None:
        for name, ours, theirs, same in (
            ("project", wanted.project_id, self.meta.project_id, _same_project),
            ("base URL", wanted.base_url, self.meta.base_url, same_place),
        ):
            if ours != theirs and not _is(same, ours, theirs):
                reason = f"is about another {name}: {theirs!r}, not {ours!r}; give another journal"
                raise JournalMismatch(reason, path=str(self.path), fields=[name])

    def _apply(self, write: Write) -> MaiaError | None:
        """Put one write into the transaction, whole or not at all."""
        try:
            match write:
                case Plan(asked):
                    self._plan(asked)
                case Intent():
                    self._intend(write)
                case Started():
                    self._start(write)
                case Ended():
                    self._end(write)
                case InputEnded(size):
                    self._resize(size)
        except MaiaError as refusal:
            return refusal
        return None

    def _plan(self, asked: Sequence[Asked]) -> None:
        new = [one for one in asked if self._find(one.index, one) is None]  # all are compared before any is written
        self._resize(len(asked))
        self._opened().executemany(_PUT, [(one.index, one.text, one.auto, one.digest, Stage.PLANNED.value) for one in new])

    def _intend(self, write: Intent) -> None:
        found = self._find(write.asked.index, write.asked)
        if not may_intend(found, write.asked.text):
            raise self._refused(write.asked.index, found, "be sent")
        self._put_if_missing(found, write.asked)
        again = None if write.last is None else again_text(write.last)
        self._opened().execute(_INTEND, (write.asked.text, write.server_time, write.at, again, write.asked.index))

    def _start(self, write: Started) -> None:
        found = self._find(write.index)
        if not may_start(found, escaped(write.execution_id)):
            raise self._refused(write.index, found, "get a run")
        self._opened().execute(_START, (escaped(write.execution_id), write.at, write.index))

    def _end(self, write: Ended) -> None:
        asked, execution_id = write.asked, None if write.execution_id is None else escaped(write.execution_id)
        found = self._find(asked.index)
        if not may_end(found, execution_id, OutcomeState(write.state)):
            raise self._refused(asked.index, found, "get this outcome")
        self._put_if_missing(found, asked)
        values = (execution_id, write.state, write.text, write.triggered_at, write.finished_at, asked.index)
        self._opened().execute(_END, values)

    def _resize(self, size: int) -> None:
        database, path = self._opened(), str(self.path)
        (known,) = database.execute("SELECT value FROM meta WHERE name='size'").fetchone()
        (last,) = database.execute("SELECT max(idx) FROM run").fetchone()
        if known != "null" and json.loads(known) != size:
            raise JournalMismatch(f"is about an input of {known} requests, and this one has {size}: give a new journal", path=path)
        if last is not None and last >= size:
            raise JournalMismatch(f"has a request at index {last}, and the input has {size} only: give a new journal", path=path)
        database.execute(_SIZE, (str(size),))

    def _put_if_missing(self, found: Standing | None, asked: Asked) -> None:
        if found is None:
            self._opened().execute(_PUT, (asked.index, asked.text, asked.auto, asked.digest, Stage.PLANNED.value))

    def _find(self, index: int, asked: Asked | None = None) -> Standing | None:
        """The row of a request. Raises JournalMismatch when it is another one's than `asked`."""
        cells = self._opened().execute(_FIND, (index,)).fetchone()
        if cells is None:
            return None
        stage, state, execution_id, text, digest, auto, told = cells
        if asked is not None and digest != asked.digest:
            before = json.loads(text)
            if auto:
                before.pop("executionTag", None)
            raise mismatch(index, differing(before, asked.form), path=str(self.path))
        again = stage == Stage.INTENT and told is not None
        return Standing(Stage(stage), None if state is None else OutcomeState(state), execution_id, text, again)

    def _refused(self, index: int, found: Standing | None, what: str) -> MisuseError:
        is_now = "is not in it" if found is None else f"is {found.stage if found.state is None else found.state} in it"
        return MisuseError(f"journal {str(self.path)!r}: request {index} cannot {what}, it {is_now}")


def _same_project(one: str, other: str) -> bool:
    """Whether two ids are one UUID in two spellings. Raises ValueError for what is none: such ids have one spelling."""
    return UUID(one) == UUID(other)


def _is(same: Callable[[str, str], bool], one: str, other: str) -> bool:
    try:
        return same(one, other)
    except ValueError:
        return False


_SETTINGS = (
    ("synchronous", "FULL"),
    ("fullfsync", "ON"),  # on macOS alone is an fsync not the end of it
    ("checkpoint_fullfsync", "ON"),
    ("trusted_schema", "OFF"),
)
