"""The list of executions as servers may read its query: one row for each reading and query."""

from __future__ import annotations

from typing import Any

import pytest

from maia_async.emulator import Credential, Pipeline, Readings, Scenario
from maia_async.emulator.readings import FILTERS
from maia_async.emulator.times import timestamp

# Runs at 10, 20, 30 and 40 s of the hour: what is listed is told by these seconds.
ENDS = {10: "SUCCESS", 20: "FAILED", 30: "FORBIDDEN", 40: "SUCCESS"}
AT = "2026-01-01T00:00:"
FAILED_OR_FORBIDDEN = "status=FAILED&status=FORBIDDEN"


async def seconds(api: Any, query: str) -> list[int] | int:
    """The seconds of the runs that are listed, or the status of the refusal."""
    answer = await api.get(f"/v1/pipeline-executions?{query}")
    return [int(item["startedAt"][17:19]) for item in answer.body["results"]] if answer.status == 200 else int(answer.status)


@pytest.mark.parametrize(
    ("readings", "query", "found"),
    [
        ({}, "status=failed", [20]),
        ({}, FAILED_OR_FORBIDDEN, [30, 20]),
        ({}, "status=", [40, 30, 20, 10]),
        ({}, "status=FAILED,FORBIDDEN", 400),
        ({"list_statuses": "any"}, "status=FAILED,FORBIDDEN&status=SUCCESS", [40, 30, 20, 10]),
        ({"list_statuses": "single"}, "status=FAILED", [20]),
        ({"list_statuses": "single"}, FAILED_OR_FORBIDDEN, 400),
        ({"list_statuses": "single"}, "status=FAILED,FORBIDDEN", 400),
        ({"list_statuses": "first"}, FAILED_OR_FORBIDDEN, [20]),
        ({"list_statuses": "first"}, "status=FAILED,FORBIDDEN", 400),
        ({"list_forbidden": "refused"}, "status=FORBIDDEN", 400),
        ({"list_forbidden": "refused"}, FAILED_OR_FORBIDDEN, 400),
        ({"list_forbidden": "refused"}, "status=FAILED", [20]),
        ({"list_forbidden": "refused"}, "", [40, 30, 20, 10]),
        ({"list_times": "whole"}, f"startedAfter={AT}30Z", [40, 30]),
        ({"list_times": "whole"}, f"startedAfter={AT}30.000Z", 400),
        ({"list_times": "whole"}, f"startedBefore={AT}30.5Z", 400),
        ({}, f"startedAfter={AT}20Z&startedBefore={AT}30.000Z", [30, 20]),
        ({"list_bounds": "exclusive"}, f"startedAfter={AT}20Z", [40, 30]),
        ({"list_bounds": "exclusive"}, f"startedBefore={AT}20Z", [10]),
        ({"list_bounds": "exclusive"}, f"startedAfter={AT}20Z&startedBefore={AT}30Z", []),
        ({"list_bounds": "exclusive"}, f"startedAfter={AT}19.999Z&startedBefore={AT}30.001Z", [30, 20]),
        ({"list_ignores": ["status"]}, f"status=nonsense&startedAfter={AT}30Z", [40, 30]),
        ({"list_ignores": ["startedAfter", "startedBefore"]}, f"startedAfter={AT}30Z&startedBefore=noon&status=FAILED", [20]),
        ({"list_ignores": "all"}, "&".join(f"{name}=nothing" for name in FILTERS) + "&limit=3", [40, 30, 20]),
        ({}, "colour=red", [40, 30, 20, 10]),
        ({"list_unknown": "refused"}, "colour=red", 400),
        ({"list_unknown": "refused"}, "limit=1&status=FAILED", [20]),
        ({"list_access": "project"}, "status=FAILED", 400),
        ({"list_access": "project"}, "status=FAILED&projectId=3fa85f64-5717-4562-b3fc-2c963f66afa6", [20]),
        ({"list_access": "forbidden"}, "", 403),
        ({"list_access": "forbidden"}, "limit=none", 403),
    ],
)
async def test_each_reading_of_the_query(api: Any, readings: dict[str, Any], query: str, found: list[int] | int) -> None:
    control = api.emulator.control
    control.advance(60)
    for second, status in ENDS.items():
        control.add_execution("p", started_ago=60 - second, duration=0, status=status)
    assert timestamp(control.executions()[0].started_at) == f"{AT}10.000Z"

    control.set_readings(**readings)

    assert await seconds(api, query) == found


async def test_a_role_that_may_not_list_may_still_read_its_own_runs(api: Any) -> None:
    run = await api.started()
    api.emulator.control.set_readings(list_access="forbidden")

    answer = await api.get("/v1/pipeline-executions")
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/problem+json")
    assert await api.status(run) == "RUNNING"


async def test_filters_that_are_ignored_do_not_open_projects_without_a_role(serve: Any) -> None:
    scenario = Scenario.of(Pipeline(name="p"), credentials=[Credential(client_id="c", client_secret="s", projects=[])])
    async with serve(scenario, readings=Readings(list_ignores="all")) as api:
        api.emulator.control.add_execution("p")
        assert await seconds(api, f"projectId={api.project}") == []
