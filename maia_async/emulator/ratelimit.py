"""An account's budget as a sliding window over arrivals, and what a refused client is told; pure, `now` is handed in.

A request is accepted when fewer than `requests` were accepted in the last `per` seconds, the instant `per` ago excluded. Refused ones
do not count. Scope: one window for each account, whatever the token, the client id or the address: the vendor says "per account".
Others, who make no requests here, can be given a share: so many arrivals in each minute, evenly spaced, judged as everybody's are.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from maia_async.emulator.times import http_date
from maia_async.errors import ConfigurationError
from maia_async.policies import RateLimit

# Differences of instants around 1.7e9 are off by some 1e-7; without this a client that waits exactly as told could be refused again.
_TOLERANCE: Final = 1e-6
_MOST_OF_OTHERS: Final = 1_000_000


class SlidingWindow:
    """Accepts or refuses arrivals. `peak` is the most arrivals (refused ones included) that any window of `per` seconds has seen.

    Those of others are counted in `others_accepted` and `others_refused` only.
    """

    def __init__(self, limit: RateLimit | None) -> None:
        self.limit = limit
        self.per = limit.per if limit is not None else 60.0
        self.peak = 0
        self.refused = 0
        self.accepted = 0
        self.others_per_minute = 0.0
        self.others_accepted = 0
        self.others_refused = 0
        self._others_next = math.inf
        self._accepted: deque[float] = deque()
        self._arrived: deque[float] = deque()

    def arrive(self, now: float) -> float | None:
        """None when accepted, else the seconds until a slot is free."""
        horizon = now - self.per + _TOLERANCE
        self._arrived.append(now)
        _expire(self._arrived, horizon)
        self.peak = max(self.peak, len(self._arrived))
        if self.limit is not None:
            self._let_others_in(now, self.limit.requests)
            _expire(self._accepted, horizon)
            if len(self._accepted) >= self.limit.requests:
                self.refused += 1
                return self._accepted[0] + self.per - now
            self._accepted.append(now)
        self.accepted += 1
        return None

    def set_others(self, per_minute: float, now: float) -> None:
        """Others make so many requests in each minute from now on; 0 ends it."""
        if isinstance(per_minute, bool) or not isinstance(per_minute, int | float) or not 0 <= per_minute <= _MOST_OF_OTHERS:
            raise ConfigurationError(f"requests_per_minute must be a number from 0 to {_MOST_OF_OTHERS}, is {per_minute!r}")
        if self.limit is not None:
            self._let_others_in(now, self.limit.requests)
        self.others_per_minute = per_minute
        self._others_next = now + 60 / per_minute if per_minute else math.inf

    def _let_others_in(self, now: float, limit: int) -> None:
        if self._others_next > now:
            return
        step = 60 / self.others_per_minute
        # Two windows are enough to be as full as after a year. Others who ask for more than the limit are accepted in bursts, as anybody
        # is who asks again at once; after a silence only the phase of the bursts is another one.
        missed = math.floor((now - 2 * self.per - self._others_next) / step)
        if missed > 0:
            self._others_next += missed * step
        while self._others_next <= now:
            _expire(self._accepted, self._others_next - self.per + _TOLERANCE)
            if len(self._accepted) < limit:
                self._accepted.append(self._others_next)
                self.others_accepted += 1
            else:
                self.others_refused += 1
            self._others_next += step


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
