"""What `maia demo` runs: an account of its own, and requests that end in every way a batch can. Pure; the seed decides all chance.

    pipeline                    behaviour
    ingest/orders.orch          succeeds
    ingest/customers.orch       succeeds, fails now and then
    transform/daily sales       succeeds, fails now and then, is skipped now and then
    publish/dashboards          quick
    finance/month end           slow; forbidden now and then
    retired/old import          disabled: 410
    drafts/not published        not published: 404

Every 50th pair of rows shares an execution tag, so that the second one is refused with 409.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from attrs import evolve

from maia_async import ExecutionRequest
from maia_async.emulator import Outcome, Pipeline, Scenario

ENVIRONMENT: Final = "Dev Environment"
_SUCCESS: Final = Outcome(weight=12)
_PIPELINES: Final = (
    Pipeline(name="ingest/orders.orch", duration=(20, 60)),
    Pipeline(
        name="ingest/customers.orch",
        duration=(20, 80),
        outcomes=(_SUCCESS, Outcome(status="FAILED", message='"Load Customers": column EMAIL does not exist')),
        choose="random",
    ),
    Pipeline(
        name="transform/daily sales",
        duration=(30, 120),
        outcomes=(_SUCCESS, Outcome(status="FAILED", message='"Join Orders": out of warehouse credits'), Outcome(status="SKIPPED")),
        choose="random",
    ),
    Pipeline(name="publish/dashboards", duration=(5, 20)),
    Pipeline(name="finance/month end", duration=(90, 180), outcomes=(_SUCCESS, Outcome(status="FORBIDDEN")), choose="random"),
    Pipeline(name="retired/old import", enabled=False),
)
_WEIGHTS: Final = (60, 50, 40, 30, 10)


def demo_scenario(seed: int) -> Scenario:
    """The account, with some network latency."""
    return evolve(Scenario.of(*_PIPELINES, seed=seed), latency_in=(0.05, 0.3), latency_out=(0.05, 0.3))


def demo_requests(count: int, seed: int) -> list[ExecutionRequest]:
    """`count` requests."""
    return list(_requests(count, random.Random(seed)))  # noqa: S311 - a reproducible show; nothing secret is drawn


def _requests(count: int, chance: random.Random) -> Iterator[ExecutionRequest]:
    ordinary = [pipeline.name for pipeline in _PIPELINES if pipeline.enabled]
    for number in range(count):
        name = chance.choices(ordinary, _WEIGHTS)[0]
        request = ExecutionRequest(pipeline_name=name, environment_name=ENVIRONMENT, scalar_variables={"batch": str(number)})
        place = number % 50
        if place in {20, 21}:
            # A slow pipeline for both: the first must still be running when the second is refused.
            yield evolve(request, pipeline_name="finance/month end", execution_tag=f"month-end-{number // 50}")
        elif place == 30:
            yield evolve(request, pipeline_name="retired/old import")
        elif place == 40:
            yield evolve(request, pipeline_name="drafts/not published")
        else:
            yield request
