"""What `maia demo` runs: an account of its own, and requests that end in every way a batch can. Pure; the seed and the row decide all.

    pipeline                    how its runs end
    ingest/orders.orch          succeeds
    ingest/customers.orch       succeeds, fails now and then
    transform/daily sales       succeeds, fails now and then, is skipped now and then
    publish/dashboards          quick
    finance/month end           slow; forbidden now and then
    retired/old import          disabled: 410
    drafts/not published        not published: 404

    streaming pipeline          behaviour
    orders changes              takes its snapshot and streams
    customers changes           takes its snapshot, streams, drops once after a minute

One row of every 50 has the execution tag of a run that somebody else has started and that goes on: it is refused with 409.

How a run ends belongs to its row, and not to the order in which the server hears of them: that depends on the network, and the same
seed is to give the same table.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from attrs import evolve

from maia_async import ExecutionRequest
from maia_async.emulator import Outcome, Pipeline, Scenario, StreamScript

ENVIRONMENT: Final = "Dev Environment"
TAKEN_TAG: Final = "month-end"
_MONTH_END: Final = "finance/month end"
_SUCCESS: Final = Outcome(weight=12)
# Least and most seconds of a run, and how it may end.
_ENDS: Final = {
    "ingest/orders.orch": ((20, 60), (_SUCCESS,)),
    "ingest/customers.orch": (
        (20, 80),
        (_SUCCESS, Outcome(status="FAILED", message='"Load Customers": column EMAIL does not exist')),
    ),
    "transform/daily sales": (
        (30, 120),
        (_SUCCESS, Outcome(status="FAILED", message='"Join Orders": out of warehouse credits'), Outcome(status="SKIPPED")),
    ),
    "publish/dashboards": ((5, 20), (_SUCCESS,)),
    _MONTH_END: ((90, 180), (_SUCCESS, Outcome(status="FORBIDDEN"))),
}
_LONG: Final = 3e8  # longer than the demo at any speed: its runs end when their row says so
# Both are there, and nobody has started them. The times fit beside 200 executions: the restarted one streams again before they end.
STREAMS: Final = (
    StreamScript(name="orders changes", starting=(15, 15), snapshotting=(75, 75)),
    StreamScript(name="customers changes", starting=(20, 20), snapshotting=(45, 45), drop_after=(60, 60)),
)
DROPS: Final = "customers changes"
_ROW: Final = "row"
_WEIGHTS: Final = (60, 50, 40, 30, 10)


def demo_scenario(seed: int) -> Scenario:
    """The account, with some network latency. Its runs go on until they are ended."""
    pipelines = [*(Pipeline(name=name, duration=_LONG) for name in _ENDS), Pipeline(name="retired/old import", enabled=False)]
    return evolve(Scenario.of(*pipelines, seed=seed, streams=STREAMS), latency_in=(0.05, 0.3), latency_out=(0.05, 0.3))


def planned_end(request: ExecutionRequest, seed: int) -> tuple[float, Outcome]:
    """After how many API seconds the run of this row ends, and how."""
    (least, most), outcomes = _ENDS[request.pipeline_name]
    row = (request.scalar_variables or {})[_ROW]
    chance = random.Random(f"{seed}/{row}")  # noqa: S311 - a reproducible show; nothing secret is drawn
    outcome = chance.choices(outcomes, [one.weight for one in outcomes])[0]
    # What Maia refuses to run is refused at once.
    return (0.0 if outcome.status in {"SKIPPED", "FORBIDDEN"} else chance.uniform(least, most)), outcome


def demo_requests(count: int, seed: int) -> list[ExecutionRequest]:
    """`count` requests."""
    return list(_requests(count, random.Random(seed)))  # noqa: S311 - a reproducible show; nothing secret is drawn


def _requests(count: int, chance: random.Random) -> Iterator[ExecutionRequest]:
    for number in range(count):
        name = chance.choices(list(_ENDS), _WEIGHTS)[0]
        request = ExecutionRequest(pipeline_name=name, environment_name=ENVIRONMENT, scalar_variables={_ROW: str(number + 1)})
        place = number % 50
        if place == 20:
            yield evolve(request, pipeline_name=_MONTH_END, execution_tag=TAKEN_TAG)
        elif place == 30:
            yield evolve(request, pipeline_name="retired/old import")
        elif place == 40:
            yield evolve(request, pipeline_name="drafts/not published")
        else:
            yield request
