"""What a run's numbers mean: pure functions from what the server knows and what a contender saw to one line of the table; no I/O.

| figure     | from                                                                                                              |
| ---------- | ----------------------------------------------------------------------------------------------------------------- |
| lag        | awaiting task resumed, less the later of: the run's end on the server, the beginning of the contender             |
| (never)    | a run whose task had not resumed when the contender gave up counts with the lag it had reached by then            |
| bound      | trigger: the latest of (place in the order of triggers * a slot of the rate limit + length); waits: the last end  |
| makespan   | last task resumed, less the beginning, over the bound; None when a run was not started or not noticed             |
| watching   | requests less the triggers that were accepted; refused requests are in it                                         |
| per-run    | what one poller for each run would ask with an interval of the p99 lag: its lag is spread evenly over its interval |
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import frozen

Scene = Literal["trigger", "waits"]


@frozen(kw_only=True)
class ServerRun:
    """One run on the server: instants in API seconds, `ends` known even when it lies ahead; in the order in which they were started."""

    id: str
    started: float
    ends: float


@frozen(kw_only=True)
class Truth:
    """What the server counted while one contender ran. `zero` + monotonic seconds * `speed` is API time."""

    runs: tuple[ServerRun, ...]
    requests: int
    refused: int
    zero: float
    speed: float
    busy: float  # share of one core
    slot: float  # API seconds for each request that the rate limit allows


@frozen(kw_only=True)
class Witness:
    """What a contender saw: monotonic seconds, and costs between its beginning and its end."""

    begun: float
    ended: float
    resumed: Mapping[str, float]
    cpu: float
    peak_kib: float
    stall_ms: float | None = None  # wall time of the longest turn of the loop, garbage collection excluded; None for threads
    stall_cpu_ms: float | None = None  # CPU time of the longest turn: what is left when the machine takes the core away
    stalls_over_20ms: int | None = None
    errors: int = 0
    first_error: str | None = None


@frozen(kw_only=True)
class Result:
    """One line of the table."""

    size: int
    scene: Scene
    contender: str
    requests: int
    refused: int
    lag_p50: float | None
    lag_p99: float | None
    lag_max: float | None
    due: int  # runs that had ended on the server before the contender ended
    never: int
    not_started: int
    makespan: float | None
    bound: float
    over_bound: float | None
    cpu: float
    memory_mib: float
    stall_ms: float | None
    stall_cpu_ms: float | None
    stalls_over_20ms: int | None
    watching: int
    watching_share: float | None
    server_busy: float
    real_seconds: float
    errors: int
    first_error: str | None


def result(size: int, scene: Scene, contender: str, truth: Truth, seen: Witness) -> Result:
    """Join both sides by execution id."""
    begun, ended = (truth.zero + moment * truth.speed for moment in (seen.begun, seen.ended))
    resumed = {run_id: truth.zero + moment * truth.speed for run_id, moment in seen.resumed.items()}
    waited = [run for run in truth.runs if run.id in resumed or run.ends <= ended]
    lags = sorted(resumed.get(run.id, ended) - max(run.ends, begun) for run in waited)
    never = size - len(resumed)
    p99 = quantile(lags, 0.99)
    watching = truth.requests - (len(truth.runs) if scene == "trigger" else 0)
    instead = per_run_requests(truth.runs, begun, p99) if p99 is not None and not never else None
    bound = lower_bound(scene, truth, begun)
    makespan = None if never or not resumed else max(resumed.values()) - begun
    return Result(
        size=size,
        scene=scene,
        contender=contender,
        requests=truth.requests,
        refused=truth.refused,
        lag_p50=quantile(lags, 0.5),
        lag_p99=p99,
        lag_max=lags[-1] if lags else None,
        due=sum(run.ends <= ended for run in truth.runs),
        never=never,
        not_started=size - len(truth.runs),
        makespan=makespan,
        bound=bound,
        over_bound=None if makespan is None or bound <= 0 else makespan / bound,
        cpu=seen.cpu,
        memory_mib=seen.peak_kib / 1024,
        stall_ms=seen.stall_ms,
        stall_cpu_ms=seen.stall_cpu_ms,
        stalls_over_20ms=seen.stalls_over_20ms,
        watching=watching,
        watching_share=None if instead is None else watching / instead,
        server_busy=truth.busy,
        real_seconds=seen.ended - seen.begun,
        errors=seen.errors,
        first_error=seen.first_error,
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The least value that `share` of them do not exceed; None of nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def lower_bound(scene: Scene, truth: Truth, begun: float) -> float:
    """API seconds that nobody who keeps to the steady rate limit can beat.

    A burst can: the first thousand triggers may leave at once, so a makespan may lie below by up to a minute. The steady rate is the
    definition that the project's targets use.
    """
    if scene == "waits":
        return max((run.ends for run in truth.runs), default=begun) - begun
    return max((place * truth.slot + run.ends - run.started for place, run in enumerate(truth.runs)), default=0.0)


def per_run_requests(runs: Sequence[ServerRun], begun: float, lag: float) -> int:
    """Requests of one poller for each run whose interval is `lag`: at least one for each."""
    interval = max(lag, 1e-3)
    return sum(max(1, math.ceil((run.ends - max(run.started, begun)) / interval)) for run in runs)


def truth_of(told: Mapping[str, Any]) -> Truth:
    """From the server's report."""
    runs = tuple(ServerRun(id=run_id, started=started, ends=ends) for run_id, started, ends in told["runs"])
    return Truth(**{**told, "runs": runs})
