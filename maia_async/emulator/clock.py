"""The emulator's one clock: API seconds, that is, the event loop's clock times the speed on top of a fixed date; it never sleeps.

The wall clock is read at the start, when no base date is given, and for those who ask how it maps to API time. With a base date a run
is reproducible, and on a virtual-time loop it is exact.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from attrs import frozen

from maia_async.clock import utc_now
from maia_async.errors import ConfigurationError, MisuseError

# Beyond the year 9999 an instant has no text.
_CENTURY: Final = 100 * 366 * 86400


class ClockLike(Protocol):
    """What an injected clock must do. `now` must never go back."""

    def start(self, speed: float) -> None:
        """Begin to count; called once, inside the running loop."""

    def now(self) -> float:
        """API seconds since 1970."""

    def advance(self, seconds: float) -> None:
        """Jump ahead by so many API seconds."""


@frozen(kw_only=True)
class ClockReading:
    """One instant on three clocks, so that what another process on this machine saw can be placed in API time, until the next advance.

        api = now + (time.time() - wall) * speed        api = now + (time.monotonic() - monotonic) * speed

    wall_origin, monotonic_origin: the readings of those clocks at which API time was 0. `monotonic` is the event loop's clock, which is
    `time.monotonic()` unless a test brings a loop or a clock of its own.
    """

    now: float
    speed: float
    wall: float
    monotonic: float
    wall_origin: float
    monotonic_origin: float


def read_clock(clock: ClockLike, speed: float) -> ClockReading:
    """The three clocks, read one right after the other inside the running loop."""
    now, monotonic, wall = clock.now(), asyncio.get_running_loop().time(), utc_now().timestamp()
    return ClockReading(
        now=now, speed=speed, wall=wall, monotonic=monotonic, wall_origin=wall - now / speed, monotonic_origin=monotonic - now / speed
    )


class Clock:
    """API time. `base` is the date of the start (aware; the wall clock when None); `read` replaces the loop's clock as the source."""

    def __init__(self, *, base: datetime | None = None, read: Callable[[], float] | None = None) -> None:
        if base is not None and base.tzinfo is None:
            raise ConfigurationError("Clock.base must be an aware datetime")
        self._base = base
        self._read = read
        self._speed = 1.0
        self._origin = 0.0
        self._started_at: float | None = None

    def start(self, speed: float) -> None:
        """Begin to count at the base date."""
        self._read = self._read or asyncio.get_running_loop().time
        self._speed = speed
        self._started_at = self._read()
        # Whole seconds, so that printed times of a run with round durations are round too.
        self._origin = float(math.floor((self._base or utc_now()).timestamp()))

    def now(self) -> float:
        """API seconds since 1970."""
        if self._started_at is None or self._read is None:
            raise MisuseError("the emulator's clock runs from `async with Emulator()` on")
        return self._origin + (self._read() - self._started_at) * self._speed

    def advance(self, seconds: float) -> None:
        """Jump ahead; the past cannot be had again, since ended runs never run again."""
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _CENTURY:
            raise ConfigurationError(f"advance must be a number of seconds from 0 to a hundred years, is {seconds!r}")
        self._origin += seconds
