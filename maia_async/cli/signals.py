"""Signals as cancellations of the running program; the program itself never meets a KeyboardInterrupt in the middle of a step.

    signal            effect                                                                            exit
    the first SIGINT  the main task is cancelled: it ends in order, requests in doubt get their time    130
    the second        every task is cancelled: what is still waited for is given up, and named          130
    the third         KeyboardInterrupt wherever the program is: for a loop that is stuck               130
    SIGTERM           the main task is cancelled; runs in Maia are never cancelled by it                143

What is still going is said at the end, whatever it was; `--cancel-on-interrupt` cancels it after the first SIGINT, and awaits its end.
143 is 128 and the signal's number, as for a shell that reports it: a supervisor of processes then tells a stop from a failure (1).

While stdin is read the loop stands still: the first of any of them is then a KeyboardInterrupt, which `Program.read_stdin` turns into
the same cancellation.

asyncio's own handling raises KeyboardInterrupt at the second SIGINT: when that meets our cleanup half-way, the rest of the cleanup
waits on as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from types import FrameType
from typing import Any

from attrs import define

from maia_async.cli.exits import ExitStatus
from maia_async.cli.program import Program


@define
class Signals:
    """Runs one program and hears the signals meanwhile."""

    program: Program
    _loop: asyncio.AbstractEventLoop | None = None
    _task: asyncio.Task[Any] | None = None
    _interrupts: int = 0

    def run(self, main: Coroutine[Any, Any, ExitStatus]) -> ExitStatus:
        """Run `main` in a loop of its own. Raises KeyboardInterrupt at the third SIGINT."""

        async def joined() -> ExitStatus:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            return await main

        with self._heard():
            try:
                return asyncio.run(joined())
            except asyncio.CancelledError:
                # Cancelled once more on its last steps, when everything had been said.
                return self.program.stopped_as
            finally:
                self._loop = None

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        before = {}
        for number, ours in ((signal.SIGINT, self._interrupt), (signal.SIGTERM, self._terminate)):
            # A signal that the shell told us to ignore, as for background jobs, stays ignored.
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, ours)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupts += 1
        if self._loop is None or self._interrupts > 2 or self.program.reading:
            raise KeyboardInterrupt
        self._loop.call_soon_threadsafe(self._cancel, self._interrupts == 2)

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        if self._loop is None:
            raise SystemExit(ExitStatus.TERMINATED)
        self.program.stopped_as = ExitStatus.TERMINATED
        if self.program.reading:
            raise KeyboardInterrupt
        self._loop.call_soon_threadsafe(self._cancel, False)

    def _cancel(self, everything: bool) -> None:
        for task in asyncio.all_tasks(self._loop) if everything else [self._task]:
            if task is not None:
                task.cancel()
