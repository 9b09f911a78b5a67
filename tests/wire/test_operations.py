"""Every operation: its method, path, query and body as the API survey has them, and what may be sent twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from maia_async.errors import InvalidRequest
from maia_async.models import ExecutionStatus
from maia_async.wire import operations
from maia_async.wire.operations import execution_filters
from maia_async.wire.requests import RequestSpec

QUERY = (("page", "1"), ("size", "10"))
CANCEL = {"forceUpdate": False, "status": "CANCELLED"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (operations.list_projects(), RequestSpec(method="GET", path="/v1/projects", repeatable=True)),
        (operations.list_projects(QUERY), RequestSpec(method="GET", path="/v1/projects", query=QUERY, repeatable=True)),
        (
            operations.list_environments("p/1", QUERY),
            RequestSpec(method="GET", path="/v1/projects/p%2F1/environments", query=QUERY, repeatable=True),
        ),
        (
            operations.list_published_pipelines("p"),
            RequestSpec(method="GET", path="/v1/projects/p/published-pipelines", repeatable=True),
        ),
        (
            operations.list_published_pipelines("p", "Prod & Co", QUERY),
            RequestSpec(
                method="GET", path="/v1/projects/p/published-pipelines", query=(("environmentName", "Prod & Co"), *QUERY), repeatable=True
            ),
        ),
        (
            operations.execute_pipeline("p", {"pipelineName": "Load"}),
            RequestSpec(method="POST", path="/v1/projects/p/pipeline-executions", json={"pipelineName": "Load"}, repeatable=False),
        ),
        (
            operations.execution_details("p", "e#1"),
            RequestSpec(method="GET", path="/v1/projects/p/pipeline-executions/e%231", repeatable=True),
        ),
        (
            operations.execution_status("p", "e"),
            RequestSpec(method="GET", path="/v1/projects/p/pipeline-executions/e/status", repeatable=True),
        ),
        (
            operations.execution_steps("p", "e", QUERY),
            RequestSpec(method="GET", path="/v1/projects/p/pipeline-executions/e/steps", query=QUERY, repeatable=True),
        ),
        (
            operations.cancel_execution("p", "e", force=False),
            RequestSpec(method="PATCH", path="/v1/projects/p/pipeline-executions/e", json=CANCEL, repeatable=True),
        ),
        (
            operations.cancel_execution("p", "e", force=True),
            RequestSpec(method="PATCH", path="/v1/projects/p/pipeline-executions/e", json=CANCEL | {"forceUpdate": True}, repeatable=True),
        ),
        (operations.list_executions(QUERY), RequestSpec(method="GET", path="/v1/pipeline-executions", query=QUERY, repeatable=True)),
    ],
    ids=lambda value: f"{value.method} {value.path}" if isinstance(value, RequestSpec) else None,
)
def test_each_operation_is_sent_as_the_survey_says(spec: RequestSpec, expected: RequestSpec) -> None:
    assert spec == expected


def test_only_the_operation_that_starts_a_run_must_not_be_repeated() -> None:
    assert not operations.execute_pipeline("p", {}).repeatable


@pytest.mark.parametrize("bad", ["", ".", "..", None, 5])
@pytest.mark.parametrize(
    ("build", "field"),
    [
        (operations.list_environments, "project_id"),
        (operations.list_published_pipelines, "project_id"),
        (lambda bad: operations.execute_pipeline(bad, {}), "project_id"),
        (lambda bad: operations.execution_details(bad, "e"), "project_id"),
        (lambda bad: operations.execution_details("p", bad), "execution_id"),
        (lambda bad: operations.execution_status("p", bad), "execution_id"),
        (lambda bad: operations.execution_steps("p", bad), "execution_id"),
        (lambda bad: operations.cancel_execution("p", bad, force=False), "execution_id"),
    ],
)
def test_an_id_that_is_no_segment_is_refused_by_its_name(build: Callable[[Any], RequestSpec], field: str, bad: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        build(bad)
    assert [problem.field for problem in caught.value.problems] == [field]


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({}, ()),
        ({"project_id": "p"}, (("projectId", "p"),)),
        ({"environment_name": "Prod"}, (("environmentName", "Prod"),)),
        ({"pipeline_name": "Load"}, (("pipelineName", "Load"),)),
        ({"status": "RUNNING"}, (("status", "RUNNING"),)),
        ({"status": ExecutionStatus.RUNNING}, (("status", "RUNNING"),)),
        ({"status": ["RUNNING", ExecutionStatus.FAILED]}, (("status", "RUNNING"), ("status", "FAILED"))),
        ({"status": []}, ()),
        ({"started_after": "2026-01-01T00:00:00Z"}, (("startedAfter", "2026-01-01T00:00:00Z"),)),
        ({"started_after": datetime(2026, 1, 1, tzinfo=UTC)}, (("startedAfter", "2026-01-01T00:00:00Z"),)),
        ({"started_before": datetime(2026, 1, 1, 0, 0, 0, 250_000, UTC)}, (("startedBefore", "2026-01-01T00:00:00.250Z"),)),
        (
            {"started_before": datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))},
            (("startedBefore", "2026-01-01T00:00:00Z"),),
        ),
        ({"time_frame": "LAST_24_HOURS"}, (("timeFrame", "LAST_24_HOURS"),)),
        ({"schedule_id": "s"}, (("scheduleId", "s"),)),
        ({"pipeline_name": ""}, (("pipelineName", ""),)),
    ],
)
def test_each_filter_is_its_query_parameter(filters: dict[str, Any], query: tuple[tuple[str, str], ...]) -> None:
    assert execution_filters(**filters) == query


@pytest.mark.parametrize(
    ("filters", "fields"),
    [
        ({"started_after": datetime(2026, 1, 1)}, ["started_after"]),  # noqa: DTZ001 - a naive datetime is the material
        ({"started_before": 1_700_000_000}, ["started_before"]),
        ({"project_id": 5, "schedule_id": ["s"]}, ["projectId", "scheduleId"]),
        ({"pipeline_name": b"Load"}, ["pipelineName"]),
    ],
)
def test_a_filter_that_is_no_text_or_has_no_zone_is_refused_by_name(filters: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(InvalidRequest, match=r"^invalid filter: ") as caught:
        execution_filters(**filters)
    assert [problem.field for problem in caught.value.problems] == fields
