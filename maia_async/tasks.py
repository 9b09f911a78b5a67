"""The one owner of background tasks: it starts them in an empty context, knows them all, and leaves none behind when it is closed.

It needs no surrounding scope, because a client may be opened in one task and closed in another (web lifespans do), and an anyio or asyncio
task group that is closed from another task breaks. What it does not do: restart anything, or swallow an error that nobody looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final, TypeVar

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from maia_async.errors import MisuseError, SessionClosed
from maia_async.home import Home
from maia_async.logs import logger

T = TypeVar("T")
FINISH_BOUND: Final = 10.0
CLOSE_BOUND: Final = FINISH_BOUND + 1.0  # tasks that bound themselves end by themselves


class TaskOwner:
    """Starts, remembers and ends tasks. Lives where its `home` is."""

    def __init__(self, home: Home | None = None) -> None:
        self.home = home or Home()
        self._tasks: dict[asyncio.Task[Any], Callable[[asyncio.Task[Any]], None] | None] = {}
        self._finishing: dict[asyncio.Task[Any], Callable[[], bool]] = {}
        self._closed = False

    @property
    def running(self) -> int:
        """How many tasks live now."""
        return len(self._tasks)

    def start(
        self,
        coroutine: Coroutine[Any, Any, T],
        *,
        name: str,
        finishes: bool | Callable[[], bool] = False,
        ended: Callable[[asyncio.Task[T]], None] | None = None,
    ) -> asyncio.Task[T]:
        """Run `coroutine` as a task of ours, in an empty context: it must not inherit a caller's variables or scopes.

        finishes: `aclose()` gives it `CLOSE_BOUND` seconds to come to its end instead of cancelling it at once; a callable is asked then.
        ended: called when the task is done; cheaper than a done callback beside ours. It must not raise.
        Raises SessionClosed after `aclose()`, and MisuseError anywhere but at home.
        """
        try:
            if self._closed:
                raise SessionClosed
            self.home.check()
        except MisuseError:  # both are
            coroutine.close()
            raise
        task = asyncio.get_running_loop().create_task(coroutine, name=f"maia_async {name}", context=Context())
        self._tasks[task] = ended
        if finishes:
            self._finishing[task] = finishes if callable(finishes) else lambda: True
        task.add_done_callback(self._forget)
        return task

    async def aclose(self) -> None:
        """Let finish what must, cancel the rest, and return when nothing runs."""
        self._closed = True
        finishing = [task for task, must in self._finishing.items() if must() or not task.cancel()]
        timer = asyncio.get_running_loop().call_later(CLOSE_BOUND, lambda: [task.cancel() for task in finishing])
        try:
            await settle(*finishing)
        finally:
            timer.cancel()
            await end(*self._tasks)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        ended = self._tasks.pop(task, None)
        self._finishing.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            # Whoever awaits the task gets the error too; when nobody does, this line is all there is.
            logger.debug("background task %s failed", task.get_name(), exc_info=task.exception())
        if ended is not None:
            ended(task)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel `tasks` and return when they are done, even if we are cancelled meanwhile; their results are not looked at.

    The wait is bounded by the tasks: ours end within a few loop steps of a cancellation. A cancellation of the caller is
    passed on after that, because returning earlier would leave a task behind.
    """
    for task in tasks:
        task.cancel()
    await settle(*tasks)


async def done(task: asyncio.Task[Any]) -> None:
    """Return when `task` is done; being cancelled does not cancel it. `asyncio.wait` for one task, at a third of its cost."""
    if task.done():
        return
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(_: object) -> None:
        if not waiter.done():
            waiter.set_result(None)

    task.add_done_callback(wake)
    try:
        await waiter
    finally:
        task.remove_done_callback(wake)


async def settle(*tasks: asyncio.Future[Any]) -> None:
    """Wait until `tasks` (or futures) are done, even if we are cancelled meanwhile; then pass the cancellation on."""
    cancelled: asyncio.CancelledError | None = None
    # Shielded, because a cancelled anyio scope cancels us again in every step of the loop, which would spin until the tasks are done. The
    # shield alone is not enough: it does not stop a native Task.cancel().
    with anyio.CancelScope(shield=True):
        while pending := [task for task in tasks if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as error:
                cancelled = error
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            task.exception()
    if cancelled is not None:
        raise cancelled
    await checkpoint_if_cancelled()  # a scope that was cancelled behind the shield has not told us yet


async def sheltered(
    owner: TaskOwner,
    coroutine: Coroutine[Any, Any, T],
    *,
    name: str,
    sent: Callable[[], bool],
    orphan: Callable[[asyncio.Task[T]], None],
) -> T:
    """The result of `coroutine`, run by a task of `owner`, that a cancelled caller does not tear off half-way.

    when the caller is cancelled        then
    `sent()` is false                   the task is cancelled
    it is true                          it goes on for at most FINISH_BOUND seconds

    The cancellation of the caller is passed on at once, and `orphan` is told of the task's end. Closing does the same to the task;
    to a caller who still waits then, a cancelled task is SessionClosed.
    """
    task = owner.start(coroutine, name=name, finishes=sent)
    try:
        await done(task)
    except asyncio.CancelledError:
        if sent():
            timer = asyncio.get_running_loop().call_later(FINISH_BOUND, task.cancel)
            task.add_done_callback(lambda _: timer.cancel())
        else:
            task.cancel()
        task.add_done_callback(orphan)
        raise
    if task.cancelled():
        raise SessionClosed
    return task.result()


def is_being_cancelled() -> bool:
    """Whether a cancellation of the current task is under way (and a CancelledError is not somebody else's, passed on to us)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def bare(error: BaseException) -> BaseException:
    """The first error in a group, however deep: exceptions leave our blocks without one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
