"""One holder for each journal: of another process, of this one, after a kill, and with a fork between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from maia_async.errors import JournalError, JournalInUse
from maia_async.orchestration.journal.lock import Lock

HOLDER = """
import sys, time
from maia_async.orchestration.journal.lock import Lock
lock = Lock(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""
FORKING = """
import os, sys, time
from maia_async.orchestration.journal.lock import Lock
lock = Lock(sys.argv[1])
if not os.fork():
    print(os.getpid(), flush=True)  # by now it has let go of the lock
    os.close(1)
    time.sleep(60)
    os._exit(0)
time.sleep(60)
"""


def test_a_second_open_in_this_process_is_refused_and_the_sibling_goes_with_the_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "j.db")
    lock = Lock(path)
    with pytest.raises(JournalInUse, match=f"in use by process {os.getpid()}: wait for its end"):
        Lock(path)
    lock.release()
    assert list(tmp_path.iterdir()) == []
    Lock(path).release()


def test_a_lock_file_that_stayed_behind_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "j.db.lock").write_text("123\n")
    Lock(str(tmp_path / "j.db")).release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"123", b"123\r\n"])
def test_a_lock_is_empty_or_holds_a_process_id(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "j.db.lock").write_bytes(content)
    lock = Lock(str(tmp_path / "j.db"))
    assert (tmp_path / "j.db.lock").read_text() == f"{os.getpid()}\n"
    lock.release()


@pytest.mark.parametrize("content", [b"my notes\n", b"12 34\n", b"\n123", b"1\n2\n", b"1" * 30])
def test_a_file_with_other_content_is_refused_and_left(tmp_path: Path, content: bytes) -> None:
    theirs = tmp_path / "j.db.lock"
    theirs.write_bytes(content)
    with pytest.raises(JournalError, match=r"j\.db\.lock' is no lock of a journal, and was left as it is: move it"):
        Lock(str(tmp_path / "j.db"))
    assert theirs.read_bytes() == content


@pytest.mark.parametrize(
    ("link", "content"),
    [
        (os.symlink, "123\n"),
        (os.symlink, "ssh-ed25519 AAAA\n"),
        (os.symlink, None),  # leads nowhere: nothing is made there
        (os.link, "123\n"),
        (os.link, "ssh-ed25519 AAAA\n"),
    ],
)
def test_a_link_is_no_lock_whatever_it_leads_to(tmp_path: Path, link: Callable[[Path, Path], None], content: str | None) -> None:
    victim = tmp_path / "authorized_keys"
    if content is not None:
        victim.write_text(content)
    link(victim, tmp_path / "j.db.lock")
    with pytest.raises(JournalError, match=r"a symbolic link|no lock of a journal"):
        Lock(str(tmp_path / "j.db"))
    assert (victim.read_text() if victim.exists() else None) == content
    assert os.path.lexists(tmp_path / "j.db.lock")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_no_lock_either_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "j.db.lock")
    with pytest.raises(JournalError, match="no lock of a journal"):
        Lock(str(tmp_path / "j.db"))
    assert (tmp_path / "j.db.lock").exists()


def test_what_took_the_place_of_a_lock_is_not_removed_with_it(tmp_path: Path) -> None:
    lock = Lock(str(tmp_path / "j.db"))
    (tmp_path / "j.db.lock").unlink()
    (tmp_path / "j.db.lock").write_text("my notes\n")
    lock.release()
    assert (tmp_path / "j.db.lock").read_text() == "my notes\n"


def test_another_process_holds_it_until_it_is_killed(tmp_path: Path) -> None:
    path = str(tmp_path / "j.db")
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(JournalInUse, match=f"in use by process {other.pid}"):
            Lock(path)
        other.kill()
    Lock(path).release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_go_on_holding_it(tmp_path: Path) -> None:
    path = str(tmp_path / "j.db")
    with subprocess.Popen([sys.executable, "-c", FORKING, path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        child = int(other.stdout.readline())
        with pytest.raises(JournalInUse):
            Lock(path)
        other.kill()
        other.wait()
        try:
            Lock(path).release()
        finally:
            os.kill(child, 9)


def test_a_lock_that_is_removed_while_another_one_takes_it_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from maia_async.orchestration.journal import lock as module

    path, real, removed = str(tmp_path / "j.db"), module._lock, []

    def late(file: int) -> None:
        if not removed:
            removed.append((tmp_path / "j.db.lock").unlink())  # its holder gives it back between our open and our lock
        real(file)

    monkeypatch.setattr(module, "_lock", late)
    lock = Lock(path)
    assert (tmp_path / "j.db.lock").exists()
    with pytest.raises(JournalInUse):
        Lock(path)
    lock.release()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be locked") as caught:
        Lock(str(tmp_path / "none" / "j.db"))
    assert caught.value.path == str(tmp_path / "none" / "j.db")
