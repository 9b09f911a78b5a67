"""What becomes of a run when a wait for it ends early: it is left, told to stop, or told to stop and awaited. It starts nothing.

    the wait is ended by   option     the PATCH            then awaited          the wait ends with
    its timeout            leave      -                    -                     WaitTimeout
    its timeout            cancel     sent, within 10 s    -                     WaitTimeout
    its timeout            confirm    sent, within 10 s    until 60 s are over   the run's end, as if it had come in time; else WaitTimeout
    a cancellation         leave      -                    -                     the cancellation
    a cancellation         cancel     sent, within 10 s    -                     the cancellation
    a cancellation         confirm    sent, within 10 s    until 60 s are over   the cancellation

A run whose end crosses the PATCH is what it is: SUCCESS is a success. A cancellation while a timeout is dealt with follows its own rows,
and a PATCH that was accepted is not sent again. The PATCH, and what follows a cancellation, are in a task of the client, which no further
cancellation of the caller tears off: it comes when that has ended.

    the PATCH ends with                             cancel    confirm
    accepted                                        -         the run is awaited
    400, 404, 409, other 4xx; one read shows that
      the run has ended, or is CANCELLING           logged    the run is awaited
      it goes on                                    logged    logged; nothing is awaited
    401, 403, an id that no path can hold           logged    logged; nothing is awaited
    429, 5xx, no answer, not sent: after the tries
      that every request has                        logged    sent again after a pause, within the 10 s; then the run is awaited
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Literal

import anyio
from attrs import define

from maia_async import errors
from maia_async.backoffs import jittered
from maia_async.logs import logger
from maia_async.resources.runtime import Runtime
from maia_async.tasks import settle
from maia_async.watching.watched import Watched

OnEnd = Literal["leave", "cancel", "confirm"]
ON_END: Final = ("leave", "cancel", "confirm")
CANCEL_BOUND: Final = 10.0
CONFIRM_BOUND: Final = 60.0
LEAST_PAUSE: Final = 0.5


def check_options(*, timeout: float | None, **choices: str) -> None:
    """Raises ConfigurationError that names the option."""
    for name, value in choices.items():
        if value not in ON_END:
            raise errors.ConfigurationError(f"{name} must be 'leave', 'cancel' or 'confirm', is {value!r}")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0):
        raise errors.ConfigurationError(f"timeout must be None or a number of seconds, at least 0, is {timeout!r}")


@define(eq=False, slots=True)
class Ending:
    """One wait. `cancel` sends the PATCH; `cancel_or_look` looks at a refused one's run, too, and raises the refusal when it goes on."""

    runtime: Runtime
    watched: Watched
    execution_id: str
    cancel: Callable[[], Awaitable[object]]
    cancel_or_look: Callable[[], Awaitable[object]]
    _accepted: bool = False

    async def wait(self, timeout: float | None, *, on_cancel: OnEnd, on_timeout: OnEnd) -> None:
        """Return when the run has ended; what happens before that is in the tables of this module."""
        try:
            try:
                await self.runtime.watcher.wait(self.watched, Watched.ended, timeout=timeout)
            except errors.WaitTimeout:
                if on_timeout == "leave":
                    raise
                deadline = _now() + CONFIRM_BOUND
                failure = await self._owned(self._ask(confirm=on_timeout == "confirm"))
                if on_timeout == "cancel":
                    raise
                if not await self._ended(failure, deadline):
                    # Made anew: the first one's words are of a time before the cancel.
                    raise self.watched.subject.timed_out(self.watched, timeout or 0.0) from failure
        except asyncio.CancelledError:
            if on_cancel == "confirm":
                await self._owned(self._stop())
            elif on_cancel == "cancel" and not self._accepted:
                await self._owned(self._ask(confirm=False))
            raise

    async def _stop(self) -> None:
        """Cancel it and await its end; nobody is told but the log."""
        deadline = _now() + CONFIRM_BOUND
        failure = None if self._accepted else await self._ask(confirm=True)
        try:
            ended = await self._ended(failure, deadline)
        except errors.MaiaError as error:
            logger.warning("execution %s was told to stop, and its end was not seen: %s", self.execution_id, error)
        else:
            if not ended and failure is None:
                logger.warning("execution %s was told to stop, and has not ended within %.0f s", self.execution_id, CONFIRM_BOUND)

    async def _ask(self, *, confirm: bool) -> Exception | None:
        """Send the PATCH, within its bound; returns why it is not known to have been accepted, or None."""
        pauses = jittered(1.0, 5.0)
        failure: Exception = TimeoutError(f"no answer within {CANCEL_BOUND:.0f} s")
        with anyio.move_on_after(CANCEL_BOUND):
            while True:
                try:
                    await (self.cancel_or_look() if confirm else self.cancel())
                except Exception as error:  # noqa: BLE001 - a user's own Auth may raise anything: the caller's own error is passed on all the same
                    failure = error
                    if not confirm or not in_doubt(error):
                        break
                else:
                    self._accepted = True
                    return None
                await anyio.sleep(LEAST_PAUSE + next(pauses))
        logger.warning("could not cancel execution %s: %s", self.execution_id, failure)
        return failure

    async def _ended(self, failure: Exception | None, deadline: float) -> bool:
        """Whether the run ends before `deadline`. Raises what else ends a wait."""
        if failure is not None and not in_doubt(failure):
            return False
        self.runtime.watcher.hasten(self.watched)  # after a refused PATCH too: the end that it tells of was not seen by the watcher
        try:
            await self.runtime.watcher.wait(self.watched, Watched.ended, timeout=max(0.0, deadline - _now()))
        except errors.WaitTimeout:
            return False
        return True

    async def _owned(self, coroutine: Coroutine[Any, Any, Exception | None]) -> Exception | None:
        """Run it in a task of the client; it goes on to its end even if this task is cancelled again."""
        try:
            task = self.runtime.owner.start(coroutine, name=f"cancel of {self.execution_id}", finishes=True)
        except errors.SessionClosed as closed:  # then nothing can go out any more, and the caller's own error says why
            return closed
        # Not asyncio.wait: in a cancelled anyio scope it would end at once, and the cancellation has to come after the PATCH.
        await settle(task)
        return errors.SessionClosed() if task.cancelled() else task.result()


def in_doubt(error: Exception) -> bool:
    """Whether a PATCH that ended so may be sent again, and may have been carried out."""
    if isinstance(error, errors.ConnectFailed):
        return not error.final
    if isinstance(error, errors.ResponseError):
        return error.status in {408, 425, 429} or error.status >= 500
    return isinstance(error, errors.TransportError | errors.DecodeError | TimeoutError)


def _now() -> float:
    return asyncio.get_running_loop().time()
