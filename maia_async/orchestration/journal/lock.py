"""One holder for each journal: an OS lock on a sibling file, `<journal>.lock`, that ends with its process however that ends.

Why a sibling, and not one of these:

    a lock of ours on the database itself     on the BSDs and macOS it would keep SQLite's own locks out
    fcntl locks                               do not exclude a second open in the same process, and closing any descriptor drops them
    SQLite's locking_mode=EXCLUSIVE           `maia journal show` could not look while the batch runs; and a copy of the database that the
                                              process itself makes would drop the lock unseen
    a file that exists, or a pid in it        stays behind after kill -9

The sibling is removed when the lock is given back. That is safe: whoever gets a lock looks whether its
file is still the one at that path.

    at the sibling's path                                        then
    nothing                                                      it is made
    a file with one name, empty or with a process id in it       it is ours, perhaps left by a kill: locked, and signed anew
    anything else: a link, a folder, a file with other content   JournalError; it is neither written nor removed
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from pathlib import Path
from stat import S_ISREG
from typing import Final

from maia_async.errors import JournalError, JournalInUse

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_held: Final[set[int]] = set()
_REFUSED: Final = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})
_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_SIGNED: Final = re.compile(rb"[0-9]{0,20}\r?\n?")
_OFFSET: Final = 1 << 30  # Windows keeps others from reading what is locked, and the pid should be readable


class Lock:
    """The lock of one journal. Raises JournalInUse when another one holds it, and JournalError; it waits for nobody."""

    def __init__(self, path: str) -> None:
        self._journal = path
        self._path = Path(f"{path}.lock")
        try:
            self._file = self._acquire()
        except OSError as error:
            raise JournalError(
                f"cannot be locked ({error.strerror}): it must be on a local disk, in a folder that can be written", path=path
            ) from None
        _held.add(self._file)

    def release(self) -> None:
        """Give it back; once."""
        with contextlib.suppress(OSError):  # Windows refuses while the file is open; then it stays, and harms nobody
            if _is_at(self._file, self._path):  # else it is somebody else's by now
                self._path.unlink()
        _held.discard(self._file)
        os.close(self._file)

    def _acquire(self) -> int:
        while True:
            if self._path.is_symlink():  # asked also where there is O_NOFOLLOW, for a refusal that says what it is
                raise self._foreign("a symbolic link")
            file = os.open(self._path, _FLAGS, 0o600)
            try:
                _lock(file)
                if _is_at(file, self._path):
                    if not _is_ours(file):
                        raise self._foreign("no lock of a journal")
                    _sign(file)
                    return file
            except JournalError:
                os.close(file)
                raise
            except OSError as error:
                holder = os.pread(file, 20, 0).strip() if hasattr(os, "pread") else b""
                os.close(file)
                if error.errno not in _REFUSED:
                    raise
                who = f"process {holder.decode()}" if holder.isdigit() else "another process"
                reason = f"is in use by {who}: wait for its end, or give another journal"
                raise JournalInUse(reason, path=self._journal) from None
            os.close(file)  # its holder removed it between our two steps

    def _foreign(self, what: str) -> JournalError:
        reason = f"cannot be locked: {str(self._path)!r} is {what}, and was left as it is: move it, or give another journal"
        return JournalError(reason, path=self._journal)


def _lock(file: int) -> None:
    if sys.platform == "win32":
        os.lseek(file, _OFFSET, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_ours(file: int) -> bool:
    found = os.fstat(file)
    if not S_ISREG(found.st_mode) or found.st_nlink > 1:
        return False
    os.lseek(file, 0, os.SEEK_SET)
    return _SIGNED.fullmatch(os.read(file, 32)) is not None


def _sign(file: int) -> None:
    with contextlib.suppress(OSError):  # a full disk: who holds it is only told in a message
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, b"%d\n" % os.getpid())


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False


def _let_go_in_child() -> None:
    """A forked child shares our locks: it would hold them after we are gone."""
    for file in _held:
        os.close(file)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
