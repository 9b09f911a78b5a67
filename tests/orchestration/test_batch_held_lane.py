"""A lane that is held keeps no place in a batch that another pipeline can use."""

from __future__ import annotations

import asyncio

import pytest

from maia_async import Batch, ExecutionRequest, OutcomeState, RetryPolicy
from maia_async.emulator import Emulator, Fault, Pipeline, Scenario

TRIGGERS = "**/pipeline-executions"


@pytest.mark.parametrize("lost", [False, True])
async def test_other_pipelines_are_not_slowed_by_a_held_lane(lost: bool) -> None:
    rows = [
        ExecutionRequest(pipeline_name=name, environment_name="Environment-1", scalar_variables={"row": str(number)})
        for name in "ab"
        for number in range(200)
    ]
    world = Scenario.of(Pipeline(name="a", duration=5), Pipeline(name="b", duration=5), latency_in=0.1, latency_out=0.1)
    async with Emulator(world) as emulator, emulator.client() as maia:
        await maia.projects.list()
        if lost:
            emulator.control.add_fault(Fault(method="POST", path=TRIGGERS, status=504, landed=True, skip=20, times=1))
        began, last = asyncio.get_running_loop().time(), 0.0
        async with Batch(maia.project(), rows, max_running=100) as batch:
            async for outcome in batch:
                if outcome.request.pipeline_name == "b":
                    last = asyncio.get_running_loop().time() - began
        assert batch.report().counts[OutcomeState.SUCCESS] == len(emulator.control.executions()) == 400
    assert last < 33  # as without a lost answer: 400 runs of 5 s at the rate of the API


@pytest.mark.parametrize(("count", "max_running"), [(8, 2), (2, 3)])
async def test_a_batch_in_a_pause_whose_requests_all_wait_for_their_lane_goes_on(count: int, max_running: int) -> None:
    """Only the answer to one of them can end the pause; and where there is room for all, the input was read before they had to wait."""
    rows = [
        ExecutionRequest(pipeline_name="a", environment_name="Environment-1", scalar_variables={"row": str(number)})
        for number in range(count)
    ]
    async with Emulator(Scenario.of(Pipeline(name="a", duration=5))) as emulator, emulator.client(retry=RetryPolicy(max_tries=1)) as maia:
        await maia.projects.list()
        control = emulator.control
        control.add_fault(Fault(method="POST", path=TRIGGERS, request={"scalarVariables": {"row": "0"}}, status=504, landed=True, times=1))
        control.add_fault(
            Fault(method="POST", path=TRIGGERS, request={"scalarVariables": {"row": "1"}}, status=429, retry_after=5, times=1)
        )
        async with asyncio.timeout(1000):
            async with Batch(maia.project(), rows, max_running=max_running) as batch:
                outcomes = [outcome async for outcome in batch]
        assert [outcome.state for outcome in outcomes] == [OutcomeState.SUCCESS] * count
        assert len(control.executions()) == count
