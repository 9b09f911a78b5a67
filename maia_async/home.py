"""Where a client lives: the event loop and the process of its first use. Any other one is refused with words; a client never moves.

used in                                       then
another process, that is after a fork         MisuseError: sockets and the loop's selector are shared with the parent
no asyncio loop (trio, or no loop at all)     MisuseError
the loop of the first use                     fine
another loop                                  MisuseError
"""

from __future__ import annotations

import asyncio
import os

from maia_async.errors import MisuseError

_forks = 0


def _forked() -> None:
    global _forks  # noqa: PLW0603 - of the process, as its id is; asking for that is a system call, and this is asked at every request
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class Home:
    """One per client; everything of it that runs asks here first."""

    __slots__ = ("_forks", "_loop")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forks = 0

    def check(self) -> None:
        """Raises MisuseError; see the table. The first call says where home is."""
        if self.is_forked:  # first: a loop that ran at the fork does not count as running in the child
            raise MisuseError("this Maia client was opened before a fork, in another process: make one in this process")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise MisuseError("maia_async runs in an asyncio event loop, and none runs here; trio's is none") from None
        if self._loop is None:
            self._loop, self._forks = loop, _forks
        elif self._loop is not loop:
            raise MisuseError("this Maia client was opened in another event loop: make one client for each loop")

    @property
    def is_forked(self) -> bool:
        """Whether this process is a fork of the one where the client lives."""
        return self._forks != _forks and self._loop is not None

    @property
    def is_over(self) -> bool:
        """Whether its loop was closed under it: what belonged to that loop has ended, or can end no more."""
        return self._loop is not None and self._loop.is_closed()
