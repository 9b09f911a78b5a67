"""The account's budget as a sliding window over arrivals, and what a refused client is told; pure, `now` is handed in.

A request is accepted when fewer than `requests` were accepted in the last `per` seconds, the instant `per` ago excluded. Refused ones
do not count. Scope: one window for everybody, since no source says whether it is the account, the credential or the address.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from maia_async.emulator.times import http_date
from maia_async.policies import RateLimit

# Differences of instants around 1.7e9 are off by some 1e-7; without this a client that waits exactly as told could be refused again.
_TOLERANCE: Final = 1e-6


class SlidingWindow:
    """Accepts or refuses arrivals. `peak` is the most arrivals (refused ones included) that any window of `per` seconds has seen."""

    def __init__(self, limit: RateLimit | None) -> None:
        self.limit = limit
        self.per = limit.per if limit is not None else 60.0
        self.peak = 0
        self.refused = 0
        self.accepted = 0
        self._accepted: deque[float] = deque()
        self._arrived: deque[float] = deque()

    def arrive(self, now: float) -> float | None:
        """None when accepted, else the seconds until a slot is free."""
        horizon = now - self.per + _TOLERANCE
        self._arrived.append(now)
        _expire(self._arrived, horizon)
        self.peak = max(self.peak, len(self._arrived))
        if self.limit is not None:
            _expire(self._accepted, horizon)
            if len(self._accepted) >= self.limit.requests:
                self.refused += 1
                return self._accepted[0] + self.per - now
            self._accepted.append(now)
        self.accepted += 1
        return None


def _expire(arrivals: deque[float], horizon: float) -> None:
    while arrivals and arrivals[0] <= horizon:
        arrivals.popleft()


def scaled(seconds: float, speed: float) -> str:
    """API seconds as real ones, rounded up so that waiting for them suffices.

    Whole seconds, at least 1, at speed 1, as RFC 9110 has it. At another speed decimals such as "0.5": rounding up to a whole second
    there would make a minute of API time out of it.
    """
    if speed == 1:
        return str(max(1, math.ceil(seconds - _TOLERANCE)))
    return f"{max(1, math.ceil((seconds - _TOLERANCE) / speed * 1000)) / 1000:g}"


def retry_after(seconds: float, *, now: float, speed: float, reading: str) -> str | None:
    """The header's value, or None when it is left out.

    | reading   | value                                                                  |
    | --------- | ---------------------------------------------------------------------- |
    | "seconds" | `scaled`                                                               |
    | "date"    | the first whole second at which the slot is free, real seconds from now |
    | "absent"  | None                                                                   |
    """
    if reading == "absent":
        return None
    if reading == "date":
        return http_date(math.ceil(now + max(seconds - _TOLERANCE, 0) / speed))
    return scaled(seconds, speed)
