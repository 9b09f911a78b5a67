"""The journal's file: made whole or not at all, readable by its owner only, and looked at before anything is written to it.

    the file                                            opening it
    missing, and it may be made; or empty               it is made
    missing otherwise                                   JournalError
    no file, or one with several names (hard links)     JournalError: SQLite's log would be another one under each name
    none, or an empty one, beside a log that is not     JournalError: SQLite would read the rows of a removed journal from it
    a path that no file can have                        JournalError
    no SQLite file, or damaged                          JournalCorrupt
    of another program; of a newer version of ours      JournalCorrupt
    ours                                                it is used

What is refused is left byte for byte as it is: it is only ever opened read-only. A new one is built under a name of its own that nobody
else has, so that no file beside it is touched; a kill in the middle of that leaves its `maia-journal-*.new`, which nothing reads again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from stat import S_ISREG
from typing import Final

from attrs import frozen

from maia_async.errors import JournalCorrupt, JournalError, JournalWriteFailed
from maia_async.orchestration.journal.schema import APPLICATION_ID, TABLES, VERSION, Meta

_NOT_OURS = "give another path; this file was left as it is"
# How the index of a log begins: with SQLite's version of it, in this machine's order of bytes, or with zeros before that is written.
_INDEX: Final = frozenset({bytes(4), (3007000).to_bytes(4, "little"), (3007000).to_bytes(4, "big")})


def real(path: str | os.PathLike[str]) -> Path:
    """The path itself, absolute: under a symbolic link's name there would be another lock, and another log. Raises JournalError."""
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # a NUL in it, or what the file system's encoding does not have
        raise JournalError(f"cannot be opened: no file can have this name ({error})", path=str(path)) from None


def exists(path: Path) -> bool:
    """Whether there is a journal to be read; False for no file and for an empty one. Raises JournalError for what is no file of its own."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise JournalError(f"cannot be opened: {error.strerror}", path=str(path)) from None
    if not S_ISREG(found.st_mode):
        raise JournalError("is not a file", path=str(path))
    if found.st_nlink > 1:
        raise JournalError(f"has {found.st_nlink} names (hard links): keep one of them", path=str(path))
    return found.st_size > 0


@frozen
class Stamp:
    """What a file looks like from outside. `has_log`: somebody has it open, or was killed."""

    changed: int
    size: int
    has_log: bool


def stamp(path: Path) -> Stamp:
    """The file as it is now."""
    found = path.stat()
    return Stamp(found.st_mtime_ns, found.st_size, _log_size(path) > 0)


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection without transactions of its own. `mode`: "rw", "ro", or "immutable": read it as if nobody wrote, and make no file."""
    how = "immutable=1" if mode == "immutable" else f"mode={mode}"
    return sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, isolation_level=None)


def make(path: Path, meta: Meta) -> None:
    """A new journal at `path`. It is built beside it and moved there when it is whole, so that a kill leaves none or all of it.

    Raises JournalError beside the log of another one, and JournalWriteFailed.
    """
    fresh = path.with_name(f"maia-journal-{token_hex(8)}.new")  # not of the path's name: that may be as long as a name can be
    try:
        _clear(path)
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise JournalWriteFailed(f"cannot be made: {error}", path=str(path)) from None
    try:
        fresh.chmod(0o600)  # a umask may have taken our own rights; SQLite gives its other files the rights of this one
        with closing(connect(fresh, "rw")) as database:
            for statement in (
                "PRAGMA journal_mode=WAL",
                "PRAGMA synchronous=FULL",
                f"PRAGMA application_id={APPLICATION_ID}",
                f"PRAGMA user_version={VERSION}",
                "BEGIN",
                *TABLES,
            ):
                database.execute(statement)
            database.executemany("INSERT INTO meta VALUES (?, ?)", meta.rows())
            database.execute("COMMIT")
        fresh.replace(path)
        _sync_folder(path.parent)
    except (OSError, sqlite3.Error) as error:
        _remove(fresh)
        raise JournalWriteFailed(f"cannot be made: {error}", path=str(path)) from None


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to what has been found to be a journal. Raises JournalCorrupt, and JournalError for what cannot be read."""
    text = str(path)
    # A database that was closed in order has no log. Opened as "ro" it would get an empty one, and keep it.
    quiet = _log_size(path) == 0
    try:
        with closing(connect(path, "immutable" if quiet else "ro")) as database:
            _check(database, text)
            yield database
    except sqlite3.OperationalError as error:
        raise JournalError(f"cannot be read: {error}", path=text) from None
    except sqlite3.DatabaseError as error:
        raise damaged(error, text) from None


def damaged(reason: object, path: str) -> JournalCorrupt:
    """The refusal of a file that SQLite, or we, cannot make sense of."""
    return JournalCorrupt(f"is damaged or is no journal ({reason}): {_NOT_OURS}", path=path)


def _check(database: sqlite3.Connection, path: str) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise JournalCorrupt(f"is a database of another program, or damaged: {_NOT_OURS}", path=path)
    if version > VERSION:
        raise JournalCorrupt(
            f"was written by a newer version of maia-async (format {version}): use that one; the file was left as it is", path=path
        )
    (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    tables = tuple(text for (text,) in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"))
    if found != "ok" or tables != TABLES or version != VERSION:
        raise damaged("its tables are not ours" if found == "ok" else found, path)


def _log_size(path: Path) -> int:
    try:
        return Path(f"{path}-wal").stat().st_size
    except OSError:
        return 0


def _clear(path: Path) -> None:
    """Make sure that SQLite finds nothing of another database beside a new one.

    beside it                                  then
    -wal or -journal that is not empty         JournalError: they are rows that SQLite would put into the new database
    -shm that is not the index of a log        JournalError: SQLite would overwrite it
    -shm that is, -wal that is empty           removed: they hold nothing
    """
    for suffix in ("-wal", "-journal"):
        log = Path(f"{path}{suffix}")
        if os.path.lexists(log) and (log.is_symlink() or not log.is_file() or log.stat().st_size > 0):
            reason = f"is missing or empty, but {str(log)!r} is there, which may hold what a killed process wrote last"
            raise JournalError(f"{reason}: put the journal back beside it, or remove or rename that file to begin anew", path=str(path))
    index, log = Path(f"{path}-shm"), Path(f"{path}-wal")
    if os.path.lexists(index) and (index.is_symlink() or not index.is_file() or not _is_index(index)):
        raise JournalError(f"cannot be made: {str(index)!r} is in its way, and not ours: move it, or give another path", path=str(path))
    for nothing in (log, index):
        with suppress(OSError):
            nothing.unlink()


def _is_index(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(4).ljust(4, b"\0") in _INDEX
    except OSError:
        return False


def _remove(fresh: Path) -> None:
    for name in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            Path(f"{fresh}{name}").unlink()


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not everywhere can a folder be opened
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
