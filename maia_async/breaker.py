"""When requests are held back because nothing answers: opens in an outage, lets one look now and then; pure state, it sends nothing.

A sign of life is any answer but a 5xx that may pass (429 and 404 are signs of life). A failure is such a 5xx, or no answer.

    state     what happens                                                         then
    closed    a sign of life                                                       the count of failures begins anew
    closed    the 10th failure in a row, the first at most `window` ago,           open, for a pause
              of requests to two paths at least
    closed    a failure of what was sent before it last closed                     nothing
    open      a request wants to leave before the pause is over                    refused
    open      the same after it, and it may be sent again                          it is the probe
    open      the same after it, and it may not                                    it is the probe a little later
    open      a failure of what was sent before                                    nothing
    probing   a request wants to leave                                             refused
    probing   the probe fails                                                      open, for the next pause
    probing   the probe is cancelled, or not sent after all                        open: the next one may be the probe at once
    any       a sign of life                                                       closed

Pauses are base, 2 base, 4 base … up to half of `window`, each shortened by up to half at random, so that clients do not probe together;
they go on growing where they were when it opens again within `window` of its closing. A little: as long as the pause, at most 10 base.

A refused request is not sent and costs nothing. A call with tries left waits for the end of the pause, once; who looks again and again in
a rhythm of its own hears at once. Letting all wait in line was rejected: waits and batches count how long nothing could be read, and would
hear of the outage only when it is over; and the line would be the stampede. Ten failures *soon after one another*: a single run that is
looked at every 30 s multiplies nothing and needs no help. *Two paths*: one resource that is broken, and asked for in a loop, must not keep
the client from all others. A request that may not be sent again leaves a little later because its failed probe would leave somebody in
doubt.

What has piled up must not come back at once, so it tells how much was normal: a mean over the last signs of life, in which older ones
weigh less (by a factor e in 6 `window`). Whoever hears that an outage has ended uses it; see `Budget.resume`.
"""

from __future__ import annotations

import math
import random as _random
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define, field

from maia_async.errors import ConnectFailed
from maia_async.wire.requests import RequestSpec

TRIP: Final = 10
MEMORY: Final = 6  # of `window`
LONGEST: Final = 0.5  # of `window`
LATER: Final = 10  # of `base`


class HeldBack(ConnectFailed):
    """Not sent, because nothing answers. That says nothing about the request. It may be tried again after `wait` seconds."""

    def __init__(self, reason: str, *, method: str, path: str, wait: float) -> None:
        super().__init__(reason, method=method, path=path)
        self.wait = wait


@define(eq=False)
class Breaker:
    """One for each server that can fail on its own: the API, and the token endpoint. `now` must not go back."""

    base: float
    window: float
    paths: int = 2  # 1 for a server that has one
    random: Callable[[], float] = _random.random

    trips: int = field(init=False, default=0)  # how often it opened, and not only again
    held: int = field(init=False, default=0)  # requests that it refused
    _failures: deque[tuple[float, str]] = field(init=False, factory=lambda: deque(maxlen=TRIP))
    _until: float | None = field(init=False, default=None)  # the end of the pause; None: closed
    _pause: float = field(init=False, default=0.0)
    _probing: bool = field(init=False, default=False)
    _strikes: int = field(init=False, default=0)
    _closed_at: float = field(init=False, default=-math.inf)
    _lived_at: float = field(init=False, default=math.inf)  # before the first sign of life: when the first request went out
    _first_at: float = field(init=False, default=math.inf)  # what the meter counts from; outages are left out
    _count: float = field(init=False, default=0.0)

    @property
    def is_open(self) -> bool:
        """Whether requests are held back."""
        return self._until is not None

    def holds_back(self, spec: RequestSpec, now: float) -> HeldBack | None:
        """The error of a request that must not go out now; None when it may."""
        wait = self.wait(now, repeatable=spec.repeatable)
        if self._until is None or (not self._probing and wait <= 0):
            return None
        self.held += 1
        said = f"not sent: nothing has answered for {self.silence(now):.0f} s, and one request at a time looks whether that is over"
        return HeldBack(said, method=spec.method, path=spec.path, wait=wait)

    def wait(self, now: float, *, repeatable: bool) -> float:
        """Seconds until a request may be the probe, if no other one is then."""
        if self._until is None:
            return 0.0
        later = 0.0 if repeatable else min(self._pause, LATER * self.base)
        return max(0.0, self._until + later - now)

    def leave(self, now: float) -> bool:
        """A request goes out that `holds_back` has just let pass. Whether it is the probe, which `alive`, `failed` or `unused` must end."""
        if self._lived_at == math.inf:
            self._lived_at = now
        self._probing = self._until is not None
        return self._probing

    def unused(self) -> None:
        """The probe tells nothing: it was cancelled, or did not go out."""
        self._probing = False

    def silence(self, now: float) -> float:
        """Seconds since the last sign of life, or since the first request."""
        return max(0.0, now - self._lived_at)

    @property
    def troubled(self) -> bool:
        """Whether the next sign of life ends trouble: it is open, or more than one request in a row has failed."""
        return self._until is not None or len(self._failures) > 1

    def alive(self, now: float) -> None:
        """Something answered."""
        if self.troubled:  # the meter stood still meanwhile
            self._first_at += now - self._lived_at
            self._lived_at = now
        if self._until is not None:
            self._until, self._probing, self._closed_at = None, False, now
        self._failures.clear()
        self._meter(now)

    def failed(self, path: str, now: float, *, sent_at: float, probe: bool) -> bool:
        """A request failed; whether that opens it, and not only again."""
        if probe:
            self._probing = False
            if self._until is not None:
                self._open(now)
            return False
        if self._until is not None or sent_at < self._closed_at:
            return False
        self._failures.append((now, path))
        if len(self._failures) < TRIP or now - self._failures[0][0] > self.window:
            return False
        if len({each for _, each in self._failures}) < self.paths:
            return False
        if now - self._closed_at > self.window:
            self._strikes = 0
        self._open(now)
        self.trips += 1
        return True

    @property
    def normal(self) -> float:
        """Signs of life a second, up to the last of them."""
        memory = MEMORY * self.window
        age = self._lived_at - self._first_at
        # Young: the weights sum to less than `memory`. One second is the least that says anything about a rate.
        return self._count / (memory * -math.expm1(-max(age, 1.0) / memory)) if self._count else 0.0

    def _open(self, now: float) -> None:
        self._pause = min(LONGEST * self.window, self.base * 2.0 ** min(self._strikes, 30)) * (1 - self.random() / 2)
        self._until = now + self._pause
        self._strikes += 1
        self._failures.clear()

    def _meter(self, now: float) -> None:
        if self._first_at == math.inf:
            self._first_at = self._lived_at = now
        self._count = self._count * math.exp((self._lived_at - now) / (MEMORY * self.window)) + 1
        self._lived_at = now
