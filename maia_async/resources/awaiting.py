"""The end of a wait for a run: what `await execution` iterates over, and what an end returns or raises. It starts nothing.

Of a hundred thousand waits the suspended generators would be the largest part. Here one begins to live only when the wait is over.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Final, Protocol

from maia_async import errors
from maia_async.models import ExecutionDetails, ExecutionStatus
from maia_async.resources.handover import about
from maia_async.watching.watched import Waiter, Watched
from maia_async.watching.watcher import Watcher

_UNSUCCESSFUL: Final[dict[ExecutionStatus, type[errors.ExecutionUnsuccessful]]] = {
    ExecutionStatus.FAILED: errors.ExecutionFailed,
    ExecutionStatus.CANCELLED: errors.ExecutionCancelled,
    ExecutionStatus.SKIPPED: errors.ExecutionSkipped,
    ExecutionStatus.FORBIDDEN: errors.ExecutionForbidden,
}


class Handle(Protocol):
    """The run that is awaited."""

    @property
    def watched(self) -> Watched:
        """What is known of it."""

    @property
    def last_details(self) -> ExecutionDetails | None:
        """The last details that were seen."""


def result_of(handle: Handle, *, check: bool = True) -> ExecutionDetails:
    """What a wait that is over returns. Raises the error that an end other than SUCCESS is, if `check`."""
    details = handle.last_details
    if details is None:
        raise AssertionError("the watcher ended a wait that saw nothing")
    kind = _UNSUCCESSFUL.get(details.status) if check else None
    if kind is not None:
        raise kind(execution=handle, details=details)
    return details


class Awaiting(Generator[Any, Any, ExecutionDetails]):
    """One wait for the end of a run: first for its future, then until the watcher has put everything away."""

    __slots__ = ("_handle", "_inner", "_waiter", "_watcher")

    def __init__(self, watcher: Watcher, handle: Handle) -> None:
        waiter, future = watcher.enter(handle.watched, Watched.ended)
        self._watcher = watcher
        self._handle = handle
        self._waiter: Waiter | None = waiter
        self._inner: Generator[Any, Any, Any] = future.__await__()

    def send(self, value: Any) -> Any:
        """Go on."""
        return self._step(lambda: self._inner.send(value))

    def throw(self, kind: Any, value: Any = None, traceback: TracebackType | None = None) -> Any:
        """Go on with an exception, which is a cancellation."""
        error = kind if value is None and traceback is None else value if isinstance(value, BaseException) else kind()
        return self._step(lambda: self._inner.throw(error))

    def close(self) -> None:
        """Wait no more; nothing is awaited for that."""
        self._inner.close()
        if self._waiter is not None:
            self._watcher.leave(self._waiter)

    def _step(self, step: Callable[[], Any]) -> Any:
        waiter = self._waiter
        if waiter is None:
            return step()  # `_over` is under way, and ends this with what it returns or raises
        error: BaseException | None = None
        try:
            return step()
        except StopIteration:
            pass
        except BaseException as raised:  # noqa: BLE001 - it is raised again once the watcher has rested
            error = raised
        self._waiter = None
        self._inner = self._over(waiter, error)
        return next(self._inner)

    def _over(self, waiter: Waiter, error: BaseException | None) -> Generator[Any, Any, ExecutionDetails]:
        try:
            if error is not None:
                raise error
        finally:
            self._watcher.leave(waiter)
            yield from self._watcher.rest().__await__()
        try:
            waiter.check()
        except errors.MaiaError as failure:
            raise about(failure, self._handle) from failure.__cause__
        return result_of(self._handle)
