"""Every answer against the OpenAPI file, with openapi-core: under each reading, or with the reason why that reading leaves the file."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
import yaml
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.exceptions import OperationNotFound, PathNotFound
from openapi_core.templating.responses.exceptions import ResponseNotFound
from openapi_core.testing import MockRequest, MockResponse
from openapi_file import SPEC, openapi
from openapi_schema_validator import OAS31Validator

from maia_async.emulator import Outcome, Pipeline, Readings, Scenario, Step
from maia_async.policies import RateLimit

GUIDE: Final = json.loads((SPEC.parent / "samples" / "streaming-pipeline.json").read_text(encoding="utf-8"))
SCHEMAS: Final = yaml.safe_load(SPEC.read_text(encoding="utf-8"))["components"]["schemas"]

# What the file does not allow, by the sources that it was not made from.
OUTSIDE: Final = {
    ("trigger_status", 202): "the complete operation lists 201 only",
    ("conflict_body", "error"): "the guide's own shape, kept in the file as Tag409Error and not attached to the operation",
    ("patch_status", 204): "the file gives the cancel a body",
    ("null_fields", "null"): "the file has no nullable fields",
}
# The same for streaming pipelines, whose operations stand beside others in the file.
STREAMS_OUTSIDE: Final = {
    ("streaming_command_status", 200): "the complete operation lists 202, the guide 200",
    ("status_case", "lower"): "the reference has the states in upper case, the guide in lower",
    ("definition_errors", "violations"): "the file has the guide's body at this operation",
    ("null_fields", "null"): "the file has no nullable fields",
}
STREAMS_READINGS: Final = [
    reading for reading in (*Readings.every(), *Readings.every_list()[1:]) if not STREAMS_OUTSIDE.keys() & reading.differences().items()
]
READINGS: Final = [
    reading for reading in (*Readings.every(), *Readings.every_list()[1:]) if not OUTSIDE.keys() & reading.differences().items()
]


def conforms(method: str, path: str, answer: Any) -> str:
    """Validate one answer; the word says by what: its operation, or the common error body where the operation lists no such status."""
    base = path.partition("?")[0]
    request = MockRequest("https://eu1.api.matillion.com", method.lower(), f"/dpc{base}")
    response = MockResponse(answer.raw, answer.status, dict(answer.headers), answer.headers.get("Content-Type", ""))
    try:
        openapi().validate_response(request, response)
    except (ResponseNotFound, PathNotFound, OperationNotFound):
        if answer.status < 400:
            # The schemas of /status and /steps were not found by those who wrote the file, and of the delete only a caller tells.
            if (method, answer.status) == ("DELETE", 204):
                assert answer.raw == b""
                return "nothing"
            assert base.rsplit("/", 1)[1] in {"status", "steps"}, f"{method} {path}: {answer.status} is not in the file"
            return "nothing"
        guides = "validation-errors" in answer.body
        assert answer.headers["Content-Type"] == ("application/json" if guides else "application/problem+json")
        schema = SCHEMAS["StreamingValidationProblem" if guides else "ProblemDetail"]
        OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER).validate(answer.body)
        assert answer.body["status"] == answer.status
        return "problem"
    return "operation"


def refusals(said: list[tuple[str, str, Any]]) -> int:
    """How many answers the file does not allow."""
    refused = 0
    for method, path, answer in said:
        try:
            conforms(method, path, answer)
        except (OpenAPIError, AssertionError):
            refused += 1
    return refused


def account() -> Scenario:
    ends = [Outcome(status=end) for end in ("SUCCESS", "FAILED", "SKIPPED", "FORBIDDEN", "CANCELLED")]
    return Scenario.of(
        Pipeline(name="p", duration=5, outcomes=ends, steps=[Step(name="a", child="c"), Step(name="b", timed=False)]),
        Pipeline(name="c"),
        Pipeline(name="off", enabled=False),
    )


async def conversation(api: Any) -> list[tuple[str, str, Any]]:
    """One call of each kind, good and bad."""
    said: list[tuple[str, str, Any]] = []
    control = api.emulator.control
    project = f"/v1/projects/{api.project}"
    place = "environmentName=Dev%20Env"

    async def call(method: str, path: str, **options: Any) -> Any:
        answer = await api.call(method, path, **options)
        said.append((method, path, answer))
        return answer

    body = {"pipelineName": "p", "environmentName": "Dev Env"}
    stop = {"forceUpdate": False, "status": "CANCELLED"}
    for path in ("/v1/projects", f"{project}/environments", f"{project}/published-pipelines?{place}", "/v1/projects?page=-1"):
        await call("GET", path)
    for _ in range(5):
        await call("POST", api.runs, json=body)
    await call("POST", api.runs, json={**body, "executionTag": "t"})
    await call("POST", api.runs, json={**body, "executionTag": "t"})
    await call("POST", api.runs, json={**body, "pipelineName": "off"})
    await call("POST", api.runs, json={**body, "pipelineName": "nothing"})
    await call("POST", api.runs, json={"environmentName": "x" * 256})
    await call("POST", api.runs, data=b"{")
    await call("POST", api.runs, json=body, token=None)
    control.add_execution("planned", "Dev Env", trigger="SCHEDULE", schedule_id="s", count=30, started_ago=[1, 90])
    ids = [run.id for run in control.executions() if run.pipeline_name == "p"]
    for cancelled in ids[:1]:
        await call("PATCH", f"{api.runs}/{cancelled}", json=stop)
    for moment in (0, 1, 10):
        control.advance(moment)
        for run in ids:
            for suffix in ("", "/status", "/steps"):
                await call("GET", f"{api.runs}/{run}{suffix}")
    await call("PATCH", f"{api.runs}/{ids[0]}", json=stop)
    await call("PATCH", f"{api.runs}/{ids[0]}", json={})
    await call("GET", f"{api.runs}/00000000-0000-4000-8000-000000000000")
    for query in ("", "?limit=7", "?status=FORBIDDEN", "?status=nonsense"):
        await call("GET", f"/v1/pipeline-executions{query}")
    await call("DELETE", f"{api.runs}/{ids[0]}")
    return said


async def streaming(api: Any) -> list[tuple[str, str, Any]]:
    """One call of each kind to streaming pipelines, good and bad, and each state."""
    said: list[tuple[str, str, Any]] = []
    control = api.emulator.control
    streams = "/v1/projects/3dda0acf-e646-4f4b-b4f6-e00449b69427/streaming-pipelines"

    async def call(method: str, path: str, **options: Any) -> Any:
        answer = await api.call(method, streams + path, **options)
        said.append((method, streams + path, answer))
        return answer

    await call("POST", "", json=GUIDE)
    await call("POST", "", json={**GUIDE, "streamingSource": {}})
    await call("POST", "", json={**GUIDE, "name": "silent", "streamingSource": {"type": "mongodb"}})
    running, silent = [stream.id for stream in control.streams()]
    control.script_stream(silent, unreachable=[[0, 60]])
    for query in ("", "?page=1", "?page=-1"):
        await call("GET", query)
    for stream in (running, silent):
        for word in ("stop", "START", "START", "RESTART"):
            await call("POST", f"/{stream}/commands", json={"command": word})
        for _ in range(3):
            await call("GET", f"/{stream}/status")
            control.advance(20)
        await call("POST", f"/{stream}/commands", json={"command": "STOP"})
        await call("GET", f"/{stream}/status")
        await call("GET", f"/{stream}")
        await call("PUT", f"/{stream}", json=GUIDE)
        await call("PUT", f"/{stream}", json={})
    control.advance(100)
    for suffix in ("", "/status"):
        await call("GET", f"/00000000-0000-4000-8000-000000000000{suffix}")
    await call("POST", f"/{running}/commands", data=b"{")
    await call("GET", f"/{running}", token=None)
    await call("PATCH", f"/{running}")
    await call("DELETE", f"/{running}")
    await call("DELETE", f"/{running}")
    return said


@pytest.mark.parametrize("readings", STREAMS_READINGS, ids=lambda readings: str(readings.differences() or "default"))
async def test_every_answer_about_streaming_pipelines_is_what_the_file_promises(serve: Any, readings: Readings) -> None:
    async with serve(readings=readings) as api:
        said = await streaming(api)

    by = [conforms(method, path, answer) for method, path, answer in said]

    assert by.count("operation") > 25
    statuses = {answer.status for _, _, answer in said}
    assert statuses >= {200, 201, 202, 204, 400, 401, 404, 405, 409}
    words = {answer.body["status"] for _, path, answer in said if path.endswith("/status") and answer.status == 200}
    assert words == {"STARTING", "SNAPSHOTTING", "STREAMING", "STOPPING", "UNKNOWN"}


@pytest.mark.parametrize(("switch", "reason"), STREAMS_OUTSIDE.items(), ids=str)
async def test_a_reading_of_streaming_pipelines_outside_the_file_really_is(serve: Any, switch: tuple[str, Any], reason: str) -> None:
    name, value = switch
    async with serve(readings=Readings(**{name: value})) as api:
        said = await streaming(api)

    assert refusals(said), f"{reason}, and yet nothing was refused"


@pytest.mark.parametrize("readings", READINGS, ids=lambda readings: str(readings.differences() or "default"))
async def test_every_answer_is_what_the_file_promises(serve: Any, readings: Readings) -> None:
    async with serve(account(), readings=readings) as api:
        said = await conversation(api)

    by = [conforms(method, path, answer) for method, path, answer in said]

    assert len(said) > 70
    assert by.count("operation") > 30
    statuses = {answer.status for _, _, answer in said}
    assert statuses >= {200, 201, 400, 401, 404, 405, 409, 410}


@pytest.mark.parametrize(("switch", "reason"), OUTSIDE.items(), ids=str)
async def test_a_reading_outside_the_file_really_is(serve: Any, switch: tuple[str, Any], reason: str) -> None:
    name, value = switch
    async with serve(account(), readings=Readings(**{name: value})) as api:
        said = await conversation(api)

    assert refusals(said), f"{reason}, and yet nothing was refused"


async def test_a_rate_limited_answer_has_the_common_error_body(serve: Any) -> None:
    async with serve(rate_limit=RateLimit(requests=1)) as api:
        await api.get("/v1/projects")
        assert conforms("GET", "/v1/projects", await api.get("/v1/projects")) == "problem"


async def test_a_token_answer_has_the_shape_that_callers_read(api: Any) -> None:
    OAS31Validator(SCHEMAS["TokenResponse"]).validate((await api.sign_in()).body)
