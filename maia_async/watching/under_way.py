"""The reads that a watcher has under way, each in a task of the client's; it begins what it is given, and decides nothing.

Not in a task group: a group's bookkeeping costs as much as the rest of a read's start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from maia_async.tasks import TaskOwner, end

MOST: Final = 100  # what the connection pool holds


class UnderWay:
    """Own reads and chains of list pages. `bug` is what one of them raised, which none should; `wake` is called then."""

    def __init__(self, owner: TaskOwner, wake: Callable[[], None]) -> None:
        self.bug: BaseException | None = None
        self._owner = owner
        self._wake = wake
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        """Whether no other read may begin now."""
        return len(self._tasks) >= MOST

    def begin(self, read: Coroutine[Any, Any, None], ended: Callable[[], None], *, name: str) -> None:
        """Begin it; `ended` is called when it is over, also when it was cancelled before its first step."""
        self._tasks.add(self._owner.start(read, name=name, ended=partial(self._over, ended)))

    async def end(self) -> None:
        """Cancel all, and return when they are over."""
        await end(*self._tasks)

    def raise_bug(self) -> None:
        """Raise what one of them raised, once."""
        bug, self.bug = self.bug, None
        if bug is not None:
            raise bug

    def _over(self, ended: Callable[[], None], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.bug = task.exception()
            self._wake()
        ended()
