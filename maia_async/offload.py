"""One thread of ours for blocking functions, run one after another; the loop goes on meanwhile. It cuts nothing off half-way.

A loop that has a clock of its own must know that a thread works, or its clock would run away: `_tell` is the one hook for that.

The thread is a daemon: a thread that is not keeps the interpreter from ending when a close was forgotten. What runs on it may therefore be
cut off when the process ends, and must bear that as it bears a kill.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, Literal, TypeVar

from maia_async.errors import MisuseError
from maia_async.logs import logger
from maia_async.tasks import settle

T = TypeVar("T")
Told = Callable[[Any, BaseException | None], None]
CLOSE_BOUND: Final = 10.0


def _tell(loop: asyncio.AbstractEventLoop, what: Literal["thread_started", "thread_ended"]) -> None:
    """Tell a loop that has methods of these names that a thread works for it, and that it has stopped. Other loops have none."""
    heard = getattr(loop, what, None)
    if heard is not None:
        heard()


class Thread:
    """A thread of one event loop. Make it in that loop; `aclose()` ends it.

    Every method raises MisuseError in another loop and in a forked child, where the thread does not exist.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Told] | None] = SimpleQueue()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        self._kept: list[object] = []
        self._thread = threading.Thread(target=self._work, name=f"maia_async {name}", daemon=True)
        self._thread.start()

    def keep(self, thing: object) -> None:
        """Hold `thing` until the thread ends. In a forked child no thread ends, so that there it is never let go, and never closed."""
        self._kept.append(thing)

    def check(self) -> None:
        """Raises MisuseError where the thread cannot be used."""
        if os.getpid() != self._pid:
            raise MisuseError(f"{self._thread.name}: its thread does not exist in a forked process; open it there")
        if asyncio.get_running_loop() is not self._loop:
            raise MisuseError(f"{self._thread.name}: it was opened in another event loop")

    def submit(self, function: Callable[[], object], done: Told) -> None:
        """Have `function` run after what was submitted before; `done(value, error)` is called in the loop."""
        self.check()
        if self._closing:
            raise MisuseError(f"{self._thread.name}: it is closed")
        _tell(self._loop, "thread_started")
        self._jobs.put((function, done))

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """What `function` returns or raises. A cancelled caller is held until it is done: else nobody would know whether it was."""
        ended: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def done(value: Any, error: BaseException | None) -> None:
            if error is None:
                ended.set_result(value)
            else:
                ended.set_exception(error)

        self.submit(partial(function, *args), done)
        await settle(ended)
        return ended.result()

    async def aclose(self) -> None:
        """Let it finish what was submitted, and end it. A job that does not end keeps us for 10 s at most; the thread is left then."""
        self.check()
        if not self._closing:
            self._closing = True
            _tell(self._loop, "thread_started")
            self._jobs.put(None)
        timer = self._loop.call_later(CLOSE_BOUND, self._end, True)
        try:
            await settle(self._ended)
        finally:
            timer.cancel()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._do(*job)
            del job  # the next may be long in coming
        self._kept.clear()
        self._report(self._end)

    def _do(self, function: Callable[[], Any], done: Told) -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = function()
        except StopIteration as stop:  # a future cannot carry it
            error = RuntimeError(f"a function on a thread raised {stop!r}")
        except BaseException as raised:  # noqa: BLE001 - whatever it raises belongs to who waits for it; the thread goes on
            error = raised
        self._report(partial(self._finish, done, value, error))
        error = None  # its traceback knows this frame

    def _report(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(callback)

    def _finish(self, done: Told, value: Any, error: BaseException | None) -> None:
        _tell(self._loop, "thread_ended")
        done(value, error)

    def _end(self, given_up: bool = False) -> None:
        if self._ended.done():
            return
        _tell(self._loop, "thread_ended")
        self._ended.set_result(None)
        if given_up:
            logger.warning("the thread %r is still at work after %g s: it is left alone", self._thread.name, CLOSE_BOUND)
        else:
            self._thread.join(1.0)  # it has nothing left to do but to return
