"""Every request that the client sends, against the OpenAPI file, with openapi-core; the token request against what callers send."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.exceptions import PathNotFound
from openapi_core.testing import MockRequest
from openapi_file import openapi
from werkzeug.datastructures import ImmutableMultiDict

from maia_async import ExecutionRequest, Maia, errors, run_batch
from maia_async.clock import utc_now
from maia_async.emulator import Emulator, Outcome, Pipeline, Readings, Scenario, Step
from maia_async.emulator.requestlog import LoggedRequest

HOST: Final = "https://eu1.api.matillion.com"
TOKEN: Final = "/oauth/dpc/token"
# The file lists these two as known operations without a schema: nothing about them can be checked.
UNDESCRIBED: Final = frozenset({"status", "steps"})
UUID: Final = "00000000-0000-4000-8000-000000000000"


def as_request(seen: LoggedRequest) -> MockRequest:
    """A logged request as openapi-core takes it. That it was authorized is what the emulator found."""
    return MockRequest(
        HOST,
        seen.method.lower(),
        seen.path,
        args=ImmutableMultiDict(parse_qsl(seen.query, keep_blank_values=True)),  # type: ignore[arg-type]  # repeated names: a dict loses them
        headers={"Authorization": "Bearer x"} if seen.client_id is not None else {},
        data=None if seen.body is None else json.dumps(seen.body).encode(),
    )


def judged(seen: LoggedRequest) -> str:
    """What the request was checked against: "operation", or "undescribed"; raises OpenAPIError when it fits nothing."""
    try:
        openapi().validate_request(as_request(seen))
    except PathNotFound:
        if seen.path.rsplit("/", 1)[1] not in UNDESCRIBED:
            raise
        return "undescribed"
    return "operation"


def distinct(seen: Iterable[LoggedRequest]) -> list[LoggedRequest]:
    """One of each: a run is polled many times with the same request."""
    return list({(one.method, one.path, one.query, json.dumps(one.body), one.client_id): one for one in seen}.values())


def account() -> Scenario:
    ends = [Outcome(status=end) for end in ("SUCCESS", "FAILED", "SKIPPED", "FORBIDDEN", "CANCELLED")]
    return Scenario.of(
        Pipeline(name="p", duration=5, outcomes=ends, steps=[Step(name="a", child="c"), Step(name="b")]),
        Pipeline(name="c", duration=60),
        Pipeline(name="off", enabled=False),
    )


async def conversation(maia: Maia) -> None:
    """Every operation of the package, with every field that it can send."""
    project = maia.project()
    for items in (maia.projects.list(page_size=1), project.environments.list(page_size=2), project.pipelines.list("Dev Env", page_size=1)):
        assert await items.collect()
    assert await project.pipelines.list().collect()
    assert (await project.environments.get("Dev Env")).name == "Dev Env"

    full = await project.execute(
        "p",
        "Dev Env",
        agent_id=UUID,
        version_name="1.1.0",
        execution_tag="nightly",
        scalar_variables={"day": "2026-01-01", "empty": "", "é": "ü\n"},
        grid_variables={"grid": [["a", "1"], ["b", "2"]], "none": []},
    )
    bare = await project.execute("p", "Dev Env", execution_tag=None)
    long = await project.execute("c", "Dev Env")
    with pytest.raises(errors.Conflict):
        await project.execute("p", "Dev Env", execution_tag="nightly")
    with pytest.raises(errors.PipelineDisabled):
        await project.execute("off", "Dev Env")

    assert (await full.status()).value
    assert (await full.details()).status.value
    assert await full.steps(page_size=1).collect()
    await long.cancel()
    await long.cancel_and_confirm(force=True)
    await full.wait(check=False)
    await bare.wait(check=False)
    assert [seen async for seen in project.execution(bare.id).watch()]

    now = utc_now()  # near enough to the emulator's clock, which starts there
    for executions in (maia.executions, project.executions):
        rows = executions.list(
            environment_name="Dev Env",
            pipeline_name="P",
            status="FAILED",
            started_after=now - timedelta(hours=1),
            started_before=(now + timedelta(hours=1)).isoformat(),
            time_frame="LAST_HOUR",
            page_size=1,
        )
        assert await rows.collect()
    assert await maia.executions.list(schedule_id="s").collect() == []

    report = await run_batch(project, [ExecutionRequest(pipeline_name="p", environment_name="Dev Env")] * 3, max_running=2)
    assert report.total == 3


# The default, and the mixtures at the end, which between them change nearly every answer. One of them refuses pages of 100.
READINGS: Final = [reading for reading in (Readings.every()[0], *Readings.every()[-3:]) if reading.page_size_over != "refuse"]


@pytest.mark.parametrize("readings", READINGS, ids=lambda readings: str(readings.differences() or "default"))
async def test_every_request_is_one_that_the_file_describes(readings: Readings) -> None:
    async with Emulator(account(), readings=readings, rate_limit=None) as emulator:
        async with emulator.client(rate_limit=None) as maia:
            await conversation(maia)
        seen = distinct(request for request in emulator.control.requests() if request.path != TOKEN)

    fits = {request.sequence: judged(request) for request in seen}

    assert list(fits.values()).count("operation") >= 25
    assert {request.method for request in seen} == {"GET", "POST", "PATCH"}
    assert {request.path.rsplit("/", 1)[1] for request in seen if fits[request.sequence] == "undescribed"} == UNDESCRIBED
    assert all(request.client_id == "emulator" for request in seen)


async def test_the_token_request_is_the_one_of_the_survey() -> None:
    async with Emulator() as emulator, emulator.client() as maia:
        await maia.projects.list()
        [token] = emulator.control.requests(path_contains=TOKEN)
    assert (token.method, token.query, token.status) == ("POST", "", 200)
    assert token.body == {"grant_type": "client_credentials", "client_id": "emulator", "audience": "https://api.matillion.com"}


async def test_nothing_is_sent_beside_the_parameters_that_the_operation_has() -> None:
    """openapi-core lets unknown parameters pass."""
    allowed = {
        "projects": {"page", "size"},
        "environments": {"page", "size"},
        "published-pipelines": {"page", "size", "environmentName"},
        "steps": {"page", "size"},
        "pipeline-executions": {
            *("projectId", "paginationToken", "limit", "pipelineName", "environmentName"),
            *("startedAfter", "startedBefore", "timeFrame", "status", "scheduleId"),
        },
    }
    async with Emulator(account(), rate_limit=None) as emulator:
        async with emulator.client(rate_limit=None) as maia:
            await conversation(maia)
        for seen in emulator.control.requests():
            names = {name for name, _ in parse_qsl(seen.query)}
            last = seen.path.rsplit("/", 1)[1]
            assert names <= allowed.get(last, set()), f"{seen.method} {seen.path}?{seen.query}"


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", f"/dpc/v1/projects/{UUID}/pipeline-executions", "", {"environmentName": "e"}),
        ("POST", f"/dpc/v1/projects/{UUID}/pipeline-executions", "", {"pipelineName": "", "environmentName": "e"}),
        ("POST", f"/dpc/v1/projects/{UUID}/pipeline-executions", "", {"pipelineName": "p", "environmentName": "e" * 256}),
        (
            "POST",
            f"/dpc/v1/projects/{UUID}/pipeline-executions",
            "",
            {"pipelineName": "p", "environmentName": "e", "scalarVariables": {"a": 1}},
        ),
        ("PATCH", f"/dpc/v1/projects/{UUID}/pipeline-executions/{UUID}", "", {"status": "My pipeline", "forceUpdate": False}),
        ("GET", "/dpc/v1/pipeline-executions", "startedAfter=yesterday", None),
        ("GET", "/dpc/v1/pipeline-executions", "status=FINISHED", None),
        ("GET", "/dpc/v1/pipeline-executions", "limit=many", None),
        ("GET", "/dpc/v1/nothing", "", None),
        ("DELETE", "/dpc/v1/projects", "", None),
    ],
)
def test_the_check_itself_refuses_what_is_wrong(method: str, path: str, query: str, body: Any) -> None:
    wrong = LoggedRequest(sequence=1, at=0.0, method=method, path=path, query=query, client_id="emulator", body=body)
    with pytest.raises(OpenAPIError):
        judged(wrong)
    with pytest.raises(OpenAPIError):
        judged(LoggedRequest(sequence=1, at=0.0, method="GET", path="/dpc/v1/projects", query="", client_id=None))
