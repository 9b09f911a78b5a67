"""An event loop whose clock jumps to the next timer whenever nothing else is ready; it never sleeps, and real sockets work in it.

Loopback I/O is ready at once, so the clock only moves when every task waits for a timer. A thread is invisible to it: code under test
that uses one must tell the loop (`thread_started`, `thread_ended`), and the clock stands still meanwhile.
"""

from __future__ import annotations

import asyncio
import selectors


class VirtualSelector(selectors.DefaultSelector):
    """Polls with a timeout of zero and counts the time that it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self.threads:
            # Nothing is timed, or a thread works: only an event can wake us, so wait for it really (a hung test is ended by its timeout).
            return super().select(0.05)
        self.now += max(timeout, 0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop that reads the virtual clock."""

    def __init__(self) -> None:
        self._virtual = VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def thread_started(self) -> None:
        self._virtual.threads += 1

    def thread_ended(self) -> None:
        self._virtual.threads -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait really for the threads of `run_in_executor`: Python 3.12 has a timeout for them, which virtual time reaches at once."""
        self.thread_started()
        try:
            await super().shutdown_default_executor()
        finally:
            self.thread_ended()
