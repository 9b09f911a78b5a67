"""What is not opened and what is not written: foreign and damaged files, full disks, modes; nothing is ever overwritten."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from orchestration.journal.kit import copied, files_of, opened, request, success

from maia_async.errors import JournalCorrupt, JournalError, JournalInUse, JournalMismatch, JournalWriteFailed
from maia_async.orchestration.journal import Intent, journal_summary


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j.db"


async def filled(path: Path, rows: int = 40) -> None:
    async with await opened(path) as journal:
        await journal.plan([request(index) for index in range(rows)])


def entries(path: Path) -> list[Path]:
    return sorted(path.parent.iterdir())


def foreign_database(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE mine (x)")
    database.execute("INSERT INTO mine VALUES ('precious')")
    database.commit()
    database.close()


def changed(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute(statement)
        database.close()

    return change


def spoiled(offset: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(b"\xff" * 1000)

    return spoil


@pytest.mark.parametrize(
    ("prepare", "ours", "said"),
    [
        (lambda path: path.write_text("my notes, much longer than the header of a database\n" * 100), False, "damaged or is no journal"),
        (lambda path: path.write_bytes(b"SQLite format 3\x00" + bytes(84)), False, "another program|damaged"),
        (foreign_database, False, "a database of another program, or damaged: give another path; this file was left as it is"),
        (changed("PRAGMA user_version=2"), True, r"written by a newer version of maia-async \(format 2\)"),
        (changed("PRAGMA user_version=0"), True, "its tables are not ours"),
        (changed("CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END"), True, "its tables are not ours"),
        (changed("UPDATE meta SET value='{' WHERE name='size'"), True, "what it says about itself"),
        (changed("DELETE FROM meta WHERE name='project_id'"), True, "what it says about itself"),
        (changed("UPDATE run SET request='{}' WHERE idx=3"), True, "row 3 cannot be read"),
        (changed("UPDATE run SET stage='ODD' WHERE idx=3"), True, "row 3 cannot be read"),
        (changed("UPDATE run SET request=replace(request, 'Load', 'Drop') WHERE idx=3"), True, "row 3 cannot be read: ValueError"),
        (changed("UPDATE run SET state='SUCCESS', outcome='[]' WHERE idx=3"), True, "row 3 cannot be read"),
        (spoiled(0), True, "damaged or is no journal"),
        (spoiled(8200), True, "damaged or is no journal|cannot be read"),
        (lambda path: os.truncate(path, path.stat().st_size - 4096), True, "damaged"),
        (lambda path: os.truncate(path, 50), True, "damaged"),
    ],
)
async def test_what_is_no_sound_journal_is_refused_and_left_byte_for_byte(
    path: Path, prepare: Callable[[Path], None], ours: bool, said: str
) -> None:
    if ours:
        await filled(path)
    prepare(path)
    before, folder = files_of(path), entries(path)

    with pytest.raises(JournalCorrupt, match=said) as caught:
        await opened(path)
    with pytest.raises(JournalCorrupt, match=said):
        await journal_summary(path)

    assert caught.value.path == str(path)
    assert files_of(path) == before
    assert entries(path) == folder


async def test_a_refused_journal_whose_process_was_killed_keeps_its_log_too(path: Path, tmp_path: Path) -> None:
    async with await opened(path) as journal:
        await journal.intent(0, request(0), tag="t")
        killed = copied(path, tmp_path / "killed")
    before = files_of(killed)
    assert len(before) == 2
    with pytest.raises(JournalMismatch):
        await opened(killed, project_id="Q")
    assert files_of(killed) == before


async def test_paths_that_no_journal_can_be_at(path: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="is not a file"):
        await opened(tmp_path)
    with pytest.raises(JournalError, match="cannot be locked"):
        await opened(tmp_path / "none" / "j.db")
    with pytest.raises(JournalError, match="does not exist: there is nothing to resume"):
        await opened(path, create=False)
    with pytest.raises(JournalError, match="does not exist, or is empty"):
        await journal_summary(path)
    with pytest.raises(JournalError, match="no file can have this name"):
        await journal_summary("a\0b")
    await filled(path)
    os.link(path, tmp_path / "other.db")
    with pytest.raises(JournalError, match="2 names"):
        await opened(path)
    assert {entry.name for entry in entries(path)} == {"j.db", "other.db"}


async def test_a_symbolic_link_is_the_file_that_it_leads_to(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    async with await opened(link) as journal:
        assert journal.path == str(path)
        with pytest.raises(JournalInUse):
            await opened(path)
        await journal.intent(0, request(0), tag="t")
    assert [entry.is_symlink() for entry in entries(path)] == [False, True]


async def test_an_empty_file_becomes_a_journal_and_odd_names_are_names(tmp_path: Path) -> None:
    for name in ("empty.db", "a?mode=memory&x#y%20.db", ":memory:"):
        path = tmp_path / name
        path.touch()
        async with await opened(path) as journal:
            await journal.intent(0, request(0), tag="t")
        assert path.stat().st_size > 0
        assert (await journal_summary(path)).counts == {"INTENT": 1}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
async def test_only_its_owner_may_read_it_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        async with await opened(path) as journal:
            await journal.intent(0, request(0), tag="t")
            modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    finally:
        os.umask(before)
    modes.pop("j.db.lock")  # holds a process id
    assert modes == {"j.db": 0o600, "j.db-wal": 0o600, "j.db-shm": 0o600}


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
async def test_a_path_that_no_file_can_have_is_refused_and_leaves_no_thread(name: str) -> None:
    before = threading.enumerate()
    with pytest.raises(JournalError, match="no file can have this name"):
        await opened(Path(name))
    assert threading.enumerate() == before


THEIRS = "the only copy of something\n"


@pytest.mark.parametrize("suffix", [".new", ".new-journal", ".new-wal", ".db", "-old"])
async def test_a_file_with_a_similar_name_is_left_alone(tmp_path: Path, suffix: str) -> None:
    """Also what a creation that was killed, of an older version too, has left: it is in nobody's way."""
    theirs = tmp_path / f"report{suffix}"
    theirs.write_text(THEIRS)
    await filled(tmp_path / "report")
    assert theirs.read_text() == THEIRS
    assert entries(theirs) == sorted([tmp_path / "report", theirs])


@pytest.mark.parametrize("suffix", [".lock", "-wal", "-journal", "-shm"])
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
async def test_a_file_that_is_in_the_way_of_a_new_journal_is_named_and_left(tmp_path: Path, suffix: str, kind: str) -> None:
    path, theirs, victim = tmp_path / "report", tmp_path / f"report{suffix}", tmp_path / "notes"
    victim.write_text(THEIRS)
    if kind == "file":
        theirs.write_text(THEIRS)
    elif kind == "link":
        theirs.symlink_to(victim)
    else:
        theirs.mkdir()
    before = entries(path)
    with pytest.raises(JournalError) as caught:
        await opened(path)
    assert (str(theirs) in str(caught.value)) or kind == "folder"
    assert entries(path) == before
    assert victim.read_text() == THEIRS
    assert kind != "file" or theirs.read_text() == THEIRS


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
async def test_the_log_of_a_removed_journal_does_not_come_back(path: Path, tmp_path: Path, left: str) -> None:
    """Killed, then the journal is removed and its log is not: SQLite would read the old rows into the new one."""
    async with await opened(path) as journal:
        await journal.intent(0, request(0), tag="t")
        killed = copied(path, tmp_path / "killed")
        (killed.parent / "j.db-shm").write_bytes((tmp_path / "j.db-shm").read_bytes())
    kept = killed.read_bytes()
    if left == "nothing":
        killed.unlink()
    else:
        killed.write_bytes(b"")
    before = files_of(killed)

    with pytest.raises(JournalError, match=r"is missing or empty, but .*j\.db-wal' is there.*put the journal back.*or remove or rename"):
        await opened(killed)
    assert files_of(killed) == before

    log = before["j.db-wal"]
    (killed.parent / "j.db-wal").unlink()
    async with await opened(killed) as journal:  # and what it left beside its log, an index, is in nobody's way
        assert journal.rows == ()
    killed.write_bytes(kept)
    (killed.parent / "j.db-wal").write_bytes(log)
    async with await opened(killed) as journal:
        assert [row.stage.value for row in journal.rows] == ["INTENT"]


@pytest.mark.parametrize("index", [b"", bytes(3), bytes(32768), (3007000).to_bytes(4, "little") + bytes(32764)])
async def test_an_empty_log_and_the_index_of_none_are_removed(path: Path, index: bytes) -> None:
    path.with_name("j.db-wal").touch()
    path.with_name("j.db-shm").write_bytes(index)
    await filled(path)
    assert entries(path) == [path]


async def test_a_full_disk_reaches_every_writer_and_nothing_is_half_written(path: Path) -> None:
    told: list[BaseException | None] = []
    journal = await opened(path)
    await journal.intent(0, request(0), tag="t")
    await journal._thread.run(lambda: journal._store._opened().execute("PRAGMA max_page_count=5"))
    for index in range(1, 60):
        journal.submit(Intent.of(index, request(index, scalar_variables={"day": "x" * 500}), at="2026-01-01", tag="t"), told.append)
    with pytest.raises(JournalWriteFailed, match=r"full.*make room or repair the disk, and resume") as caught:
        await journal.started(0, "e-0")
    with pytest.raises(JournalWriteFailed):  # also what would have fitted: after a failure nothing is written
        await journal.started(0, "e-0")
    await journal.close()

    assert len(told) == 59
    assert all(isinstance(error, JournalWriteFailed) for error in told)
    assert len({id(error) for error in told} | {id(caught.value)}) == 60
    assert caught.value.path == str(path)
    async with await opened(path) as again:
        assert [row.stage.value for row in again.rows] == ["INTENT"]
        await again.started(0, "e-0")


LIMITED = """
import asyncio, resource, signal, sys
from maia_async.errors import JournalWriteFailed
from maia_async.models import ExecutionRequest
from maia_async.orchestration.journal import Journal
async def main():
    async with await Journal.open(sys.argv[1], project_id="P", base_url="https://eu1.api.matillion.com/dpc") as journal:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        for index in range(1000):
            try:
                await journal.intent(index, ExecutionRequest(pipeline_name="Load", environment_name="Prod"), tag="t")
            except JournalWriteFailed as error:
                print(index, error)
                return
asyncio.run(main())
"""


async def test_a_disk_that_really_takes_no_more_keeps_what_was_acknowledged(path: Path) -> None:
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-W", "error", "-c", LIMITED, path], capture_output=True, text=True, timeout=50, check=False
        )
    )
    assert done.stderr == ""
    count, _, said = done.stdout.partition(" ")
    assert "cannot be written" in said
    async with await opened(path) as journal:
        indices = [row.index for row in journal.rows]
    assert len(indices) >= int(count) > 5
    assert indices == list(range(len(indices)))


async def test_no_file_can_be_made_on_a_full_disk_and_none_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from maia_async.orchestration.journal import files

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "connect", full)
    with pytest.raises(JournalWriteFailed, match="No space left"):
        await opened(path)
    assert entries(path) == []


async def test_no_text_of_a_foreign_error_reaches_the_file(path: Path) -> None:
    from attrs import evolve

    async with await opened(path) as journal:
        await journal.intent(0, request(0), tag="t")
        await journal.outcome(evolve(success(0, "e"), error=RuntimeError("Bearer marked-secret")))
    assert b"marked-secret" not in files_of(path)["j.db"]


FORKING = """
import asyncio, gc, os, sys
from maia_async.models import ExecutionRequest
from maia_async.orchestration.journal import Journal
R = ExecutionRequest(pipeline_name="Load", environment_name="Prod")
async def main():
    journal = await Journal.open(sys.argv[1], project_id="P", base_url="u")
    await journal.intent(0, R, tag="t")
    child = os.fork()
    if not child:
        del journal
        gc.collect()
        os._exit(0)  # not through the loop: it shares its selector with the parent's
    os.waitpid(child, 0)
    print(os.path.getsize(sys.argv[1] + "-wal") > 0)
    await journal.intent(1, R, tag="t")
    await journal.close()
    journal = await Journal.open(sys.argv[1], project_id="P", base_url="u")
    print(len(journal.rows))
    await journal.close()
asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_that_ends_does_not_close_its_parents_database(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FORKING, path], capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout == "True\n2\n", done.stderr


FORGOTTEN = """
import asyncio, sys
from maia_async.models import ExecutionRequest
from maia_async.orchestration.journal import Journal
async def main():
    journal = await Journal.open(sys.argv[1], project_id="P", base_url="https://eu1.api.matillion.com/dpc")
    await journal.intent(0, ExecutionRequest(pipeline_name="Load", environment_name="Prod"), tag="t")
asyncio.run(main())
"""


async def test_a_journal_that_nobody_closed_lets_the_process_end_and_is_whole(path: Path) -> None:
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", FORGOTTEN, path], capture_output=True, text=True, timeout=50, check=False
        )
    )
    assert (done.returncode, done.stderr) == (0, "")
    async with await opened(path) as journal:
        assert len(journal.rows) == 1
