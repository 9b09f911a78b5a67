"""The account's request budget as plain state: every decision takes `now` as an argument; it reads no clock and wakes nobody.

Why arrivals at the server never exceed `requests` in any `per` seconds: a slot is held from its grant until more than `per` after its
answer. Take any window of `per` seconds at the server, closed at both ends, and of the requests that arrive in it the one granted last,
at g; it arrives after g, so the window began no earlier than g - per. Every other one was granted before g and answered after it arrived,
hence after g - per: its slot is still held at g. All of them hold slots at once, and there are only `requests` slots. Latency does not
enter, neither of the way there nor of the way back. (A slot that is freed `per` after *sending* lets 1,049 requests into a minute when
latency varies.) The general lanes' fifth in any sixth of `per` is held by the same argument.

A 429 says that somebody else draws from the account too, which no counting of ours can see. Then all lanes pause, and the general lanes'
rate halves and regains a part of what is missing in each window. The client that has less regains more, and the one that has more is
refused more often: that is what makes two such clients converge to equal parts.
"""

from __future__ import annotations

import math
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

from attrs import define, field

from maia_async.lanes import GENERAL_PART, GUARANTEED, Lane
from maia_async.policies import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable


class Ending(Enum):
    """How an attempt ended, as far as its slot is concerned."""

    ANSWERED = "answered"  # the request had arrived before `now`
    REFUSED = "refused"  # answered 429
    UNANSWERED = "unanswered"  # it may still be on its way to the server
    UNUSED = "unused"  # it was never sent


RESERVED = 0.05  # of the window, for tokens and cancels: 50 of 1000
BURST = 0.2  # of the window, for the general lanes in any sixth of `per`: 200 in 10 s
BURST_SPAN = 1 / 6

# Slots are held this much of the window longer than the proof asks for (6 ms of a minute): it covers rounding of the clock's floats and
# a server whose clock runs up to 100 ppm slower than ours.
EDGE = 1e-4
# A request that we gave up on may still lie in a socket buffer or a proxy and arrive after we stopped waiting: 5 s of a minute more.
# A closed connection rarely delivers later than one network trip; a whole window more would let a burst of timeouts halve the budget.
LATE = 1 / 12
URGENT_CONNECTIONS = 20  # tokens and cancels may have this many requests in flight beyond `max_in_flight`
# General requests in flight after an idle window, and what each answer adds. Another client may have filled the account meanwhile: with no
# ramp, all of `max_in_flight` would be refused before the first 429 is seen. A lone client still has its first 200 answers in 2 s.
RAMP = 20
RAMP_STEP = 0.25

HALVED_FLOOR = 0.1  # the rate is never halved below this part of `requests`
# Of the missing rate, regained per `per` (exponentially). Two saturated clients for 15 minutes, 12 runs, latency 50 to 300 ms: the poorer
# got at least 31 % of the account after the fifth minute with 0.1, 36 % with 0.2, 40 % with 0.3, 39 % with 0.4; at most 0.6 % was refused.
# Equal steps of 10 % of the full rate gave it 35 %, of 5 % 26 %. tests/test_governor_shared.py is the scene.
RECOVERY = 0.3
RESUMED_LEAST = 0.05  # of `requests`: what the first window after an outage allows at least, however little was normal before
SHORTEST_PAUSE = 1 / 60  # of `per`: Retry-After may be 0 or rounded down
UNHINTED_PAUSE = 1 / 12  # of `per`: a 429 without Retry-After; doubles with each episode in a row, up to `per`
JITTER = 0.1  # a pause is lengthened by up to this part, so that clients refused together do not return together; never shortened


@define(eq=False)
class Held:
    """Slots that count in one sliding window: those in flight, and those freed `span` after their end."""

    span: float
    used: int = 0
    _prompt: deque[float] = field(init=False, factory=deque)  # times of release, ascending because ends are reported as they happen
    _late: deque[float] = field(init=False, factory=deque)  # the same for unanswered ones: two queues instead of one heap

    def end(self, ending: Ending, now: float, late: float) -> None:
        """One in flight has ended: set when its slot is free again."""
        if ending is Ending.UNUSED:
            self.used -= 1
        elif ending is Ending.UNANSWERED:
            self._late.append(now + self.span + late)
        else:
            self._prompt.append(now + self.span)

    def advance(self, now: float) -> None:
        """Free what is due, strictly: at the very instant of release a slot is still held."""
        for queue in (self._prompt, self._late):
            while queue and queue[0] < now:
                queue.popleft()
                self.used -= 1

    def next_release(self) -> float:
        """When the next slot is freed if no answer comes; inf when all of them are in flight."""
        return min(self._prompt[0] if self._prompt else math.inf, self._late[0] if self._late else math.inf)


@define(eq=False)
class Budget:
    """Room for requests under a `RateLimit`, or under a bound of requests in flight alone when the limit is None.

    Call `advance(now)` before asking anything else at `now`; `now` must not go back.

    `opens_at` is the latest of the bounds that apply:

        lane     bound          in force when                                          opens
        all      pause          a 429 ordered it                                       at its end
        all      connections    max_in_flight + 20 requests in flight                  with an answer
        urgent   window         all slots held; or the reserve and the limit used up   with the next release
        urgent   contest        a general lane waits; urgent ones hold their part      with their next release, or answer
        general  connections    max_in_flight (or the ramp) of them in flight          with an answer
        general  window         all slots but the reserve held                         with the next release
        general  burst          a fifth held in a sixth of the window                  with the next release there
        general  pace           no credit                                              when one request's worth has grown

    The pace is a purse that fills at the general rate and holds one burst; when the window or the burst bound opens again, and after a
    pause, it holds one request at most. It turns bursts into an even flow (without it a saturated client repeats its first minute for
    ever: 40 s of sending, 20 s of silence), and it is where the rate halves. A halved *window* was rejected: after a 429 it stays silent
    until half of the old requests have expired, and so once in each window from then on.

    The contest: nothing paces urgent lanes, so by taking turns alone a flood of cancels would leave a tenth of the window to the paced
    lanes. While one of those waits, urgent lanes hold no more of the window and of the connections than what turns would give them.
    """

    limit: RateLimit | None
    max_in_flight: int = 100
    random: Callable[[], float] = field(kw_only=True)

    refusals: int = field(init=False, default=0)  # answers 429
    episodes: int = field(init=False, default=0)  # pauses that they began
    in_flight: int = field(init=False, default=0)
    paused_from: float = field(init=False, default=-math.inf)
    paused_until: float = field(init=False, default=-math.inf)
    requests: int = field(init=False)
    reserved: int = field(init=False)
    general: int = field(init=False)  # the general lanes' part of the window
    burst: int = field(init=False)
    per: float = field(init=False)
    max_pause: float = field(init=False)

    _urgent: Held = field(init=False)
    _work: Held = field(init=False)  # TRIGGER and READ
    _polls: Held = field(init=False)
    _bursts: Held = field(init=False)
    _urgent_in_flight: int = field(init=False, default=0)
    _ramp: float = field(init=False, default=RAMP)
    _purse: float = field(init=False)
    _purse_at: float = field(init=False, default=-math.inf)
    _cut: float | None = field(init=False, default=None)  # the general rate after the last halving, per `per`; None: full
    _grows_from: float = field(init=False, default=-math.inf)  # what is missing of the rate grows back from here on
    _stretch: float = field(init=False, default=1.0)  # this episode's jitter
    _strikes: int = field(init=False, default=0)  # episodes since the last good answer
    _paused_before: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        limit = self.limit if self.limit is not None else RateLimit()
        self.requests, self.per, self.max_pause = limit.requests, limit.per, limit.max_pause
        self.reserved = min(max(1, int(RESERVED * self.requests)), self.requests - 1)
        self.general = self.requests - self.reserved
        self.burst = max(1, int(BURST * self.requests))
        self._purse = self.burst
        span = self.per * (1 + EDGE)
        self._urgent, self._work, self._polls, self._bursts = Held(span), Held(span), Held(span), Held(span * BURST_SPAN)

    def _held(self, lane: Lane) -> Held:
        return self._urgent if lane.urgent else self._polls if lane is Lane.POLL else self._work

    @property
    def used(self) -> int:
        """Slots held now; without a limit, requests in flight."""
        return self.in_flight if self.limit is None else self._urgent.used + self._work.used + self._polls.used

    @property
    def reserve_left(self) -> bool:
        """Whether an urgent request would come out of the reserve."""
        return self._urgent.used < self.reserved

    def advance(self, now: float) -> None:
        """Free the slots that are due at `now`."""
        if self.limit is None:
            return  # no slot outlasts its request
        for held in (self._urgent, self._work, self._polls, self._bursts):
            held.advance(now)

    def rate(self, now: float) -> float:
        """General requests per `per` at `now`: all of them, or what a halving or an outage has left plus what has grown back since."""
        if self._cut is None:
            return self.general
        missing = (self.general - self._cut) * math.exp(-RECOVERY * max(0.0, now - max(self.paused_until, self._grows_from)) / self.per)
        return self.general - missing if missing >= 1 else self.general

    def limit_now(self, now: float) -> float:
        """Requests per `per` at `now`, the reserve included; inf without a limit."""
        return math.inf if self.limit is None else self.reserved + self.rate(now)

    def spare_rate(self, now: float) -> float:
        """Requests per second that polls can count on: what the others left of the last window, at least their guarantee."""
        if self.limit is None:
            return math.inf
        others = self._work.used + max(0, self._urgent.used - self.reserved)
        return max(self.sure_rate(now), (self.rate(now) - others) / self.per)

    def sure_rate(self, now: float) -> float:
        """Requests per second that polls are guaranteed."""
        return math.inf if self.limit is None else self.rate(now) * GUARANTEED[Lane.POLL] / 100 / self.per

    def _burst_now(self, now: float) -> int:
        return max(1, int(self.burst * self.rate(now) / self.general))

    def _purse_now(self, now: float) -> float:
        return min(self._burst_now(now), self._purse + max(0.0, now - self._purse_at) * self.rate(now) / self.per)

    def opens_at(self, lane: Lane, now: float, *, contested: bool = False) -> float:
        """When `lane` has room: `now` if it has, a later time if time alone helps, inf if an answer must come first. See the class.

        `contested`: a general lane waits.
        """
        if now < self.paused_until:
            return self.paused_until
        if self.in_flight >= self.max_in_flight + URGENT_CONNECTIONS:
            return math.inf
        return self._urgent_opens_at(now, contested) if lane.urgent else self._general_opens_at(now)

    def _urgent_opens_at(self, now: float, contested: bool) -> float:
        part = 1 - GENERAL_PART / 100
        if contested and self._urgent_in_flight >= URGENT_CONNECTIONS + int(self.max_in_flight * part):
            return math.inf
        if self.limit is None:
            return now
        # Within the reserve only the window itself counts: a halved rate must not hold up a cancel.
        ceiling = self.requests if self.reserve_left else int(self.limit_now(now))
        if contested and self._urgent.used >= max(1, self.reserved + int(self.rate(now) * part)):
            return self._urgent.next_release()
        return now if self.used < ceiling else self._next_release()

    def _general_opens_at(self, now: float) -> float:
        general_in_flight = self.in_flight - self._urgent_in_flight
        if self.limit is None:
            return now if general_in_flight < self.max_in_flight else math.inf
        if general_in_flight >= min(self.max_in_flight, self._ramp):
            return math.inf
        opens = self._blocked_until(now)
        purse = self._purse_now(now)
        if purse < 1 - 1e-9:
            opens = max(opens, now + (1 - purse) * self.per / self.rate(now))
        return opens

    def _blocked_until(self, now: float) -> float:
        """The bounds by held slots alone, for the general lanes."""
        opens = now
        if self._work.used + self._polls.used >= self.general or self.used >= self.requests:
            opens = self._next_release()
        if self._bursts.used >= self._burst_now(now):
            opens = max(opens, self._bursts.next_release())
        return opens

    def _next_release(self) -> float:
        return min(self._urgent.next_release(), self._work.next_release(), self._polls.next_release())

    def queue_at(self, lane: Lane, now: float, *, contested: bool = False) -> float:
        """`opens_at` for a lane whose request now has to wait; gives up what would be saved until held slots are freed."""
        if self.limit is not None and not lane.urgent and (until := self._blocked_until(now)) > now:
            at = max(until if until < math.inf else now, self._purse_at)  # never back before the end of a pause
            self._purse, self._purse_at = min(1.0, self._purse_now(at)), at
        return self.opens_at(lane, now, contested=contested)

    def take(self, lane: Lane, now: float) -> None:
        """Occupy a slot. The caller has found `opens_at(lane, now) <= now`."""
        self.in_flight += 1
        if lane.urgent:
            self._urgent_in_flight += 1
        if self.limit is None:
            return
        if not lane.urgent:
            if not self._work.used + self._polls.used:
                self._ramp = RAMP
            self._bursts.used += 1
            self._purse, self._purse_at = max(0.0, self._purse_now(now) - 1), now
        self._held(lane).used += 1

    def end(self, lane: Lane, ending: Ending, granted_at: float, now: float) -> None:
        """The attempt that was granted at `granted_at` has ended; its slot is freed now or later."""
        self.in_flight -= 1
        if lane.urgent:
            self._urgent_in_flight -= 1
        if ending is Ending.ANSWERED and granted_at > self.paused_from:
            self._strikes = 0
        if self.limit is None:
            return
        self._held(lane).end(ending, now, self.per * LATE)
        if lane.urgent:
            return
        self._bursts.end(ending, now, self.per * LATE)
        if ending is Ending.ANSWERED:
            self._ramp += RAMP_STEP
        elif ending is Ending.UNUSED:
            self._purse += 1

    def refused(self, lane: Lane, granted_at: float, retry_after: float | None, now: float) -> float:
        """A 429: free the slot as an answer does and pause; returns the seconds until the pause ends.

        the request was granted …          the pause                               the rate
        before the last pause began        joins: lasts at least its retry_after   as it is
        after it                           begins: a new episode, new jitter       halves, at its end begins to grow
        """
        self.end(lane, Ending.REFUSED, granted_at, now)
        self.refusals += 1
        if granted_at > self.paused_from:
            self.episodes += 1
            self._stretch = 1 + JITTER * self.random()
            halved = max(self.rate(now) / 2, min(self.general, max(2.0, HALVED_FLOOR * self.requests)))
            self._extend(self._pause(retry_after), now)
            self._cut = halved
            self._strikes += 1
        elif retry_after is not None:
            self._extend(self._pause(retry_after), now)
        return max(0.0, self.paused_until - now)

    def _pause(self, retry_after: float | None) -> float:
        """Seconds of pause for this hint: at least a sixtieth of `per`, and jitter never lifts one above `max_pause`."""
        if retry_after is None or not retry_after >= 0:
            retry_after = min(self.per, self.per * UNHINTED_PAUSE * 2 ** min(self._strikes, 10))
        pause = max(retry_after, self.per * SHORTEST_PAUSE)
        return min(pause * self._stretch, max(pause, self.max_pause))

    def _extend(self, pause: float, now: float) -> None:
        if self._cut is not None:
            self._cut = self.rate(now)  # growth counts from the end of the pause, so keep what has grown
        if now >= self.paused_until:
            self._paused_before = self.paused_seconds(now)
            self.paused_from, self.paused_until = now, now
        self.paused_until = max(self.paused_until, now + pause)
        # One request at the resume, then the pace: no stampede of those who waited.
        self._purse, self._purse_at = 1.0, self.paused_until

    def resume(self, normal: float, now: float) -> None:
        """An outage is over. `normal` requests per `per` are the general rate for one `per`; then it grows back as after a halving.

        An even flow and no burst: what has piled up comes back no faster than it would have come. Without a limit there is no rate.
        """
        least = max(1.0, RESUMED_LEAST * self.requests)
        self._cut = min(self.rate(now), max(normal, least))
        self._grows_from = now + self.per
        self._purse, self._purse_at = 1.0, max(now, self.paused_until)

    def pause_too_long(self, now: float) -> bool:
        """Whether the pause in force has more than `max_pause` left (the billionth is for the rounding of `now + pause - now`)."""
        return self.paused_until - now > self.max_pause * (1 + 1e-9)

    def paused_seconds(self, now: float) -> float:
        """Seconds of pause so far, the running one included; overlapping pauses count once."""
        if self.paused_from == -math.inf:
            return 0.0
        return self._paused_before + min(now, self.paused_until) - self.paused_from
