"""Everything that one running emulator holds, in one value that routes and control share; it does nothing by itself."""

from __future__ import annotations

from attrs import define, field

from maia_async.emulator.checks import Span, span
from maia_async.emulator.clock import ClockLike
from maia_async.emulator.dice import Dice, dice
from maia_async.emulator.faultrules import Faults
from maia_async.emulator.gate import Gate
from maia_async.emulator.listfaults import ListFaults
from maia_async.emulator.ratelimit import SlidingWindow
from maia_async.emulator.readings import Readings
from maia_async.emulator.requestlog import RequestLog
from maia_async.emulator.scenario import Scenario
from maia_async.emulator.skew import Skew
from maia_async.emulator.state import Account
from maia_async.emulator.tokens import Tokens


@define(kw_only=True)
class Service:
    """The parts. Readings, latency, lags, skew and faults of lists may be replaced while it runs. `gate` is there while it listens.

    windows: the budget of each account, the first being that of requests without a good token. calls: for each client id, how many
    requests with a good token were answered, and how many of them with 429.
    """

    clock: ClockLike
    speed: float
    readings: Readings
    account: Account
    tokens: Tokens
    windows: dict[str, SlidingWindow]
    log: RequestLog
    faults: Faults
    chance: Dice
    latency_in: Span = field(default=(0.0, 0.0), converter=span)
    latency_out: Span = field(default=(0.0, 0.0), converter=span)
    list_lag: float = 0.0
    list_status_lag: float = 0.0
    list_faults: ListFaults = field(factory=ListFaults)
    skew: Skew = field(factory=Skew)
    gate: Gate | None = None
    answers: dict[int, int] = field(factory=dict)
    calls: dict[str, list[int]] = field(factory=dict)

    @classmethod
    def of(cls, scenario: Scenario, *, clock: ClockLike, speed: float) -> Service:
        """A fresh service with what the scenario says."""
        faults = Faults(seed=scenario.seed)
        for fault in scenario.faults:
            faults.add(fault)
        return cls(
            clock=clock,
            speed=speed,
            readings=scenario.readings,
            account=Account(scenario),
            tokens=Tokens(scenario),
            windows={item.account: SlidingWindow(scenario.rate_limit) for item in scenario.credentials},
            log=RequestLog(),
            faults=faults,
            chance=dice(scenario.seed, "latency"),
            latency_in=scenario.latency_in,
            latency_out=scenario.latency_out,
            list_lag=scenario.list_lag,
            list_status_lag=scenario.list_status_lag,
            list_faults=scenario.list_faults,
            skew=scenario.skew,
        )
