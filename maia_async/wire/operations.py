"""Every operation of the API that this package uses, as a function from arguments to a RequestSpec; no I/O, no decoding.

Paths and fields: API survey, sections 2 to 4 (operations `executePipeline`, pipeline execution details, status, steps, termination and
list; projects, environments, published pipelines).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from maia_async.errors import InvalidRequest
from maia_async.problems import FieldProblem
from maia_async.wire.requests import RequestSpec
from maia_async.wire.segments import segment

Query = tuple[tuple[str, str], ...]


def list_projects(query: Query = ()) -> RequestSpec:
    """GET /v1/projects."""
    return _get("/v1/projects", query)


def list_environments(project_id: str, query: Query = ()) -> RequestSpec:
    """GET /v1/projects/{projectId}/environments."""
    return _get(f"{_project(project_id)}/environments", query)


def list_published_pipelines(project_id: str, environment_name: str | None = None, query: Query = ()) -> RequestSpec:
    """GET /v1/projects/{projectId}/published-pipelines; whether `environmentName` is required is not documented."""
    own: Query = () if environment_name is None else (("environmentName", environment_name),)
    return _get(f"{_project(project_id)}/published-pipelines", own + query)


def execute_pipeline(project_id: str, body: Mapping[str, Any]) -> RequestSpec:
    """POST /v1/projects/{projectId}/pipeline-executions: it starts a run, so it is not repeatable."""
    return RequestSpec(method="POST", path=f"{_project(project_id)}/pipeline-executions", json=body)


def execution_details(project_id: str, execution_id: str) -> RequestSpec:
    """GET /v1/projects/{projectId}/pipeline-executions/{pipelineExecutionId}."""
    return _get(_execution(project_id, execution_id))


def execution_status(project_id: str, execution_id: str) -> RequestSpec:
    """GET …/{pipelineExecutionId}/status; its answer is not documented."""
    return _get(f"{_execution(project_id, execution_id)}/status")


def execution_steps(project_id: str, execution_id: str, query: Query = ()) -> RequestSpec:
    """GET …/{pipelineExecutionId}/steps."""
    return _get(f"{_execution(project_id, execution_id)}/steps", query)


def cancel_execution(project_id: str, execution_id: str, *, force: bool) -> RequestSpec:
    """PATCH …/{pipelineExecutionId}: both fields are required, `status` takes CANCELLED only. Asking twice asks for the same."""
    body = {"forceUpdate": force, "status": "CANCELLED"}
    return RequestSpec(method="PATCH", path=_execution(project_id, execution_id), json=body, repeatable=True)


def list_executions(query: Query = ()) -> RequestSpec:
    """GET /v1/pipeline-executions, account-wide."""
    return _get("/v1/pipeline-executions", query)


def execution_filters(
    *,
    project_id: str | None = None,
    environment_name: str | None = None,
    pipeline_name: str | None = None,
    status: str | Iterable[str] | None = None,
    started_after: datetime | str | None = None,
    started_before: datetime | str | None = None,
    time_frame: str | None = None,
    schedule_id: str | None = None,
) -> Query:
    """The filters of the execution list as query parameters.

    `status`: how to send several is not documented; each becomes a parameter of its own. Raises InvalidRequest for a naive datetime.
    """
    pairs: list[tuple[str, str | None]] = [
        ("projectId", project_id),
        ("environmentName", environment_name),
        ("pipelineName", pipeline_name),
        *(("status", word) for word in _words(status)),
        ("startedAfter", _moment("started_after", started_after)),
        ("startedBefore", _moment("started_before", started_before)),
        ("timeFrame", time_frame),
        ("scheduleId", schedule_id),
    ]
    wrong = [FieldProblem(name, f"must be text, is {type(value).__name__}") for name, value in pairs if not isinstance(value, str | None)]
    if wrong:
        raise InvalidRequest(wrong, what="filter")
    return tuple((name, str(value)) for name, value in pairs if value is not None)


def _words(status: str | Iterable[str] | None) -> Iterator[str]:
    if status is None:
        return
    for word in [status] if isinstance(status, str) else status:
        yield str(word)


def _moment(name: str, value: datetime | str | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidRequest([FieldProblem(name, "must be a datetime with a time zone, or text in ISO 8601")], what="filter")
    return written(value)


def written(moment: datetime) -> str:
    """A time as the API's filters take it: in UTC, with milliseconds only where there are some."""
    utc = moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds").replace("+00:00", "Z")


def _get(path: str, query: Query = ()) -> RequestSpec:
    return RequestSpec(method="GET", path=path, query=query, repeatable=True)


def _project(project_id: str) -> str:
    return f"/v1/projects/{segment(project_id, name='project_id')}"


def _execution(project_id: str, execution_id: str) -> str:
    return f"{_project(project_id)}/pipeline-executions/{segment(execution_id, name='execution_id')}"
