"""When a batch holds its triggers: what one failed POST means for the others, and the one pause that they share. It waits for nothing.

    a POST ended with                                              it went out   then
    RateLimited, however long the pause                            -             PAUSE: `retry_after` for all, the same row again
    ConnectFailed                                                  -             UNREACHABLE: growing pauses for all, the same row again
    ConnectFailed, `final` (a certificate was refused)             -             END: it would be the same for every row
    Unauthorized, SessionClosed                                    -             END
    TransportError, 5xx, 408, 425, DecodeError                     no            UNREACHABLE: it is the token endpoint that failed
    InvalidRequest of ours, Withdrawn                              no            RECORD
    whatever else getting a token raises                           no            END
    Conflict                                                       yes           CONFLICT: as `on_conflict` says
    anything else                                                  yes           RECORD

Both held kinds are known not to have landed. Recorded as outcomes, one 429 or one minute of refused connections would spend the rest of
the input on NOT_STARTED, as fast as it can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

from attrs import define, field

from maia_async.backoffs import jittered
from maia_async.errors import (
    Conflict,
    ConnectFailed,
    DecodeError,
    InvalidRequest,
    RateLimited,
    ResponseError,
    ServerError,
    SessionClosed,
    TransportError,
    Unauthorized,
)
from maia_async.orchestration.trigger import Withdrawn

BASE: Final = 1.0
CAP: Final = 30.0
LEAST: Final = 0.5  # full jitter alone may wait for nothing


class Step(Enum):
    """What follows from a failed POST."""

    RECORD = "it is this row's outcome"
    CONFLICT = "the tag is running"
    PAUSE = "hold all triggers for as long as the API says"
    UNREACHABLE = "hold all triggers, until patience ends"
    END = "the batch ends with it"


def step_after(failure: Exception, *, out: bool) -> Step:
    """The step that follows; see the table of this module. `out`: the POST was sent, and `failure` is about its answer."""
    if isinstance(failure, RateLimited):
        return Step.PAUSE
    if isinstance(failure, ConnectFailed):
        return Step.END if failure.final else Step.UNREACHABLE
    if isinstance(failure, Unauthorized | SessionClosed):
        return Step.END
    if out:
        return Step.CONFLICT if isinstance(failure, Conflict) else Step.RECORD
    if isinstance(failure, ResponseError):
        passing = isinstance(failure, ServerError) or failure.status in {408, 425}
        return Step.UNREACHABLE if passing else Step.END
    if isinstance(failure, InvalidRequest | Withdrawn):
        return Step.RECORD
    return Step.UNREACHABLE if isinstance(failure, TransportError | DecodeError) else Step.END


@define(eq=False)
class Hold:
    """The shared pause. A POST carries the `number` that it found when it was sent: one sent before a pause says nothing about its end.

    on: nothing new is read from the input. until: no trigger is sent before that time of the loop. patience: how many seconds failures in
    a row may go on.
    """

    patience: float
    number: int = 0
    until: float = float("-inf")
    on: bool = False
    _since: float | None = None
    _waits: Iterator[float] = field(factory=lambda: jittered(BASE, CAP))

    def paused(self, number: int, seconds: float, now: float) -> None:
        """The API ordered a pause, so it answers. Its length is its business: nothing here bounds it."""
        self.until = max(self.until, now + seconds)
        self._since = None
        self._begin(number)

    def unreachable(self, number: int, now: float) -> bool:
        """A POST could not be brought to the API; False when that has been so for too long."""
        self._since = now if self._since is None else self._since
        left = self._since + self.patience - now
        if left <= 0:
            return False
        if number == self.number:
            # The last try is made at the end of patience, and not long before it.
            self.until = max(self.until, now + max(LEAST, min(LEAST + next(self._waits), left)))
        self._begin(number)
        return True

    def answered(self, number: int) -> None:
        """A POST that carries `number` got an answer."""
        if number == self.number:
            self.on, self._since, self._waits = False, None, jittered(BASE, CAP)

    def _begin(self, number: int) -> None:
        self.on = True
        if number == self.number:
            self.number += 1
