"""Many executions at once, when they end, and how API time maps to the clocks of other processes."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from typing import Any

import pytest

from maia_async.clock import utc_now
from maia_async.emulator import Crowd, Emulator, Outcome, Pipeline, Project, Scenario
from maia_async.emulator.problems import Refused
from maia_async.errors import ConfigurationError


async def test_a_crowd_takes_names_and_outcomes_in_turn_and_spreads_its_starts_and_lengths(api: Any) -> None:
    control = api.emulator.control
    now = control.now
    ids = control.add_crowd(
        101,
        pipelines=["a", "b"],
        environments=["x", "y"],
        started_over=1000,
        duration=[10, 20],
        outcomes=["SUCCESS", Outcome(status="FAILED")],
    )
    runs = control.executions()

    assert [run.id for run in runs] == ids
    assert [(run.pipeline_name, run.environment_name) for run in runs[:5]] == [("a", "x"), ("b", "x"), ("a", "y"), ("b", "y"), ("a", "x")]
    assert [now - run.started_at for run in runs[:3]] == [1000, 990, 980]
    assert (runs[-1].started_at, {run.trigger for run in runs}) == (now, {"DESIGNER"})
    assert Counter(run.status for run in runs[:90]) == {"SUCCESS": 45, "FAILED": 45}
    lengths = [end - run.started_at for run, end in zip(runs, control.ends().values(), strict=True)]
    assert 10 <= min(lengths) < 11
    assert 19 < max(lengths) <= 20


async def test_the_same_seed_gives_the_same_lengths_and_a_crowd_changes_nothing_else() -> None:
    seen = []
    for seed in (1, 1, 2):
        async with Emulator() as emulator:
            emulator.control.add_crowd(50, duration=[1, 100], seed=seed)
            starts = [run.started_at for run in emulator.control.executions()]
            seen.append([round(end - start, 3) for start, end in zip(starts, emulator.control.ends().values(), strict=True)])
    assert seen[0] == seen[1] != seen[2]


async def test_a_crowd_does_not_change_how_long_the_runs_under_test_take(serve: Any) -> None:
    lengths = []
    for crowds in ((), (Crowd(count=50, duration=(1, 100)),)):
        async with serve(Scenario.of(Pipeline(name="p", duration=(1, 100)), crowds=crowds)) as api:
            run = await api.started("p")
            control = api.emulator.control
            lengths.append(round(control.ends([run])[run] - control.execution(run).started_at, 3))

    assert lengths[0] == lengths[1]


async def test_executions_with_lengths_of_their_own(api: Any) -> None:
    control = api.emulator.control
    now = control.now
    ids = control.add_executions(pipelines=["p"], durations=[30, 0, 12.345], started_over=10)

    assert control.ends(ids) == {ids[0]: now + 20, ids[1]: now - 5, ids[2]: now + 12.345}
    assert [(run.status, run.trigger) for run in control.executions()] == [("RUNNING", "API"), ("SUCCESS", "API"), ("RUNNING", "API")]


async def test_ends_follow_what_happens_to_the_runs(api: Any) -> None:
    control = api.emulator.control
    now = control.now
    held, finished, cancelled = control.add_executions(count=3, pipelines=["Pipeline 1"], duration=100)
    control.set_status(held, "UNKNOWN")
    control.advance(10)
    control.finish(finished, "FAILED")
    await api.cancel(cancelled)

    assert control.ends() == {held: None, finished: now + 10, cancelled: now + 12}
    assert (await api.door("GET", "/ends")).body == {"ends": control.ends()}
    assert (await api.door("POST", "/ends", json={"ids": [finished]})).body == {"ends": {finished: now + 10}}
    assert (await api.door("POST", "/ends", json={"ids": ["nobody"]})).status == 404
    for wrong in ({"ids": "all"}, {"ids": 3}, {"who": []}):
        assert (await api.door("POST", "/ends", json=wrong)).status == 400
    with pytest.raises(Refused, match="not found"):
        control.ends(["nobody"])


async def test_a_crowd_may_go_on_starting(api: Any) -> None:
    control = api.emulator.control
    ids = control.add_crowd(5, started_over=20, starting_over=20, duration=100)
    path = "/v1/pipeline-executions?status=RUNNING"

    async def listed() -> list[str]:
        return [item["pipelineExecutionId"] for item in (await api.get(path)).body["results"]]

    assert await listed() == ids[2::-1]
    assert (await api.get(f"{api.runs}/{ids[3]}")).status == 404
    control.advance(10)
    assert await listed() == ids[3::-1]
    assert await api.status(ids[3]) == "RUNNING"
    control.set_network(list_lag=5)
    control.advance(10)
    assert await listed() == ids[3::-1]


async def test_crowds_of_a_scenario_are_there_from_the_start_and_go_to_its_first_project(serve: Any) -> None:
    project = Project(id="11111111-2222-4333-8444-555555555555")
    async with serve(Scenario(projects=[project], crowds=[Crowd(count=3), Crowd(durations=[1, 2])])) as api:
        assert [run.project_id for run in api.emulator.control.executions()] == [project.id] * 5


async def test_crowds_and_executions_by_http(api: Any) -> None:
    crowd = await api.door("POST", "/crowds", json={"count": 10, "pipelines": ["x"], "started_over": 100, "duration": [1, 2]})
    assert (crowd.status, crowd.body) == (201, {"added": 10})
    added = await api.door("POST", "/bulk", json={"durations": [5, 6], "pipelines": ["p"]})
    assert (added.status, len(added.body["ids"])) == (201, 2)
    assert (await api.door("GET", f"/executions/{added.body['ids'][0]}")).body["trigger"] == "API"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({}, 400),
        ({"count": 0}, 400),
        ({"count": 1_000_001}, 400),
        ({"count": 1, "colour": "red"}, 400),
        ({"count": 1, "started_over": 1e11}, 400),
        ({"count": 1, "project_id": 5}, 400),
        ({"count": 1, "project_id": "11111111-2222-4333-8444-555555555555"}, 404),
        ({"count": 2, "durations": [1]}, 400),
    ],
)
async def test_crowds_that_make_no_sense_are_refused(api: Any, wrong: dict[str, Any], status: int) -> None:
    assert (await api.door("POST", "/crowds", json=wrong)).status == status
    assert (await api.door("POST", "/bulk", json=wrong)).status == status
    assert api.emulator.control.executions() == []


@pytest.mark.long
async def test_lists_of_a_hundred_thousand_go_through_the_door(api: Any) -> None:
    async def told(path: str, body: bytes) -> Any:
        return await api.door("POST", path, data=io.BytesIO(body))

    added = await told("/bulk", json.dumps({"durations": [number / 7 for number in range(100_000)]}).encode())
    assert added.status == 201
    ids = added.body["ids"]
    assert list((await told("/ends", json.dumps({"ids": ids}).encode())).body["ends"]) == ids
    assert (await told("/bulk", bytes(34_000_000))).status == 413
    assert (await api.call("POST", api.runs, data=io.BytesIO(bytes(2_000_000)))).status == 413


async def test_the_clock_places_what_others_saw_in_api_time() -> None:
    async with Emulator(speed=10) as emulator:
        told = emulator.control.clock()
        loop = asyncio.get_running_loop()
        wall = utc_now().timestamp()
        assert told.speed == 10
        assert abs(told.wall - wall) < 5
        await asyncio.sleep(3)
        now = emulator.control.now
        assert now == pytest.approx(told.now + (loop.time() - told.monotonic) * told.speed, abs=1e-5)
        assert now == pytest.approx((loop.time() - told.monotonic_origin) * told.speed, abs=1e-5)
        assert told.now == pytest.approx((told.wall - told.wall_origin) * told.speed, abs=1e-5)
        emulator.control.advance(60)
        assert emulator.control.clock().now == pytest.approx(now + 60)


async def test_the_clock_by_http(api: Any) -> None:
    told = (await api.door("GET", "/clock")).body
    assert told["now"] == api.emulator.control.now
    assert set(told) == {"now", "speed", "wall", "monotonic", "wall_origin", "monotonic_origin"}


async def test_a_text_of_ids_is_refused(api: Any) -> None:
    with pytest.raises(ConfigurationError, match="list of ids"):
        api.emulator.control.ends("all")


async def test_ended_runs_can_be_forgotten_and_others_stay(api: Any) -> None:
    control = api.emulator.control
    ended = control.add_crowd(3, started_over=100.0, duration=10)
    going = control.add_crowd(2, duration=1000)
    tagged = await api.started(executionTag="nightly")
    await asyncio.sleep(10)
    assert control.forget_executions() == 4

    assert [run.id for run in control.executions()] == going
    assert (await api.get(f"{api.runs}/{ended[0]}")).status == 404
    rows = (await api.get("/v1/pipeline-executions")).body["results"]
    assert {row["pipelineExecutionId"] for row in rows} == set(going)
    assert (await api.started(executionTag="nightly")) != tagged
    assert (await api.cancel(going[0])).status == 200
    control.finish(going[1])
    assert (await api.status(going[1])) == "SUCCESS"


async def test_a_tag_of_a_run_that_goes_on_is_not_forgotten(api: Any) -> None:
    api.emulator.control.add_execution("Pipeline 1", "Dev Environment", duration=1000, execution_tag="nightly")
    assert api.emulator.control.forget_executions() == 0
    assert (await api.trigger(executionTag="nightly")).status == 409
