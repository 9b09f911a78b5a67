"""The one owner of background tasks: it starts them in an empty context, knows them all, and leaves none behind when it is closed.

It needs no surrounding scope, because a client may be opened in one task and closed in another (web lifespans do), and an anyio or asyncio
task group that is closed from another task breaks. What it does not do: restart anything, or swallow an error that nobody looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from maia_async.errors import SessionClosed

T = TypeVar("T")
logger = logging.getLogger("maia_async")


class TaskOwner:
    """Starts, remembers and ends tasks. Lives in one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._finishing: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def running(self) -> int:
        """How many tasks live now."""
        return len(self._tasks)

    def start(self, coroutine: Coroutine[Any, Any, T], *, name: str, finishes: bool = False) -> asyncio.Task[T]:
        """Run `coroutine` as a task of ours, in an empty context: it must not inherit a caller's variables or scopes.

        finishes: `aclose()` lets it come to its end instead of cancelling it; it must be bounded by itself. Raises SessionClosed
        after `aclose()`.
        """
        if self._closed:
            coroutine.close()
            raise SessionClosed
        task = asyncio.get_running_loop().create_task(coroutine, name=f"maia_async {name}", context=Context())
        self._tasks.add(task)
        if finishes:
            self._finishing.add(task)
        task.add_done_callback(self._forget)
        return task

    async def aclose(self) -> None:
        """Let finish what must, cancel the rest, and return when nothing runs."""
        self._closed = True
        try:
            await settle(*self._finishing)
        finally:
            await end(*self._tasks)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._finishing.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Whoever awaits the task gets the error too; when nobody does, this line is all there is.
            logger.debug("background task %s failed", task.get_name(), exc_info=task.exception())


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel `tasks` and return when they are done, even if we are cancelled meanwhile; their results are not looked at.

    The wait is bounded by the tasks: ours end within a few loop steps of a cancellation. A cancellation of the caller is
    passed on after that, because returning earlier would leave a task behind.
    """
    for task in tasks:
        task.cancel()
    await settle(*tasks)


async def settle(*tasks: asyncio.Task[Any]) -> None:
    """Wait until `tasks` are done, even if we are cancelled meanwhile; then pass the cancellation on."""
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
    owner: TaskOwner, coroutine: Coroutine[Any, Any, T], *, name: str, bound: float, orphan: Callable[[asyncio.Task[T]], None]
) -> T:
    """The result of `coroutine`, run by a task of `owner`. If the caller is cancelled, that task goes on for at most `bound` seconds and
    `orphan` is told of its end; the cancellation is passed on at once.
    """  # noqa: D205 - one rule, in two halves
    task = owner.start(coroutine, name=name, finishes=True)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        timer = asyncio.get_running_loop().call_later(bound, task.cancel)
        task.add_done_callback(lambda _: timer.cancel())
        task.add_done_callback(orphan)
        raise
    return task.result()
