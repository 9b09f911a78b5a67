"""Every request about streaming pipelines that the client sends, against the OpenAPI file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from openapi_core.exceptions import OpenAPIError
from test_openapi_requests import distinct, judged

from maia_async import Conflict, Maia, StreamingPipelineDefinition
from maia_async.emulator import Emulator, Readings
from maia_async.emulator.requestlog import LoggedRequest

GUIDE: Final[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "samples" / "streaming-pipeline.json").read_text(encoding="utf-8"))
PROJECT: Final = "3dda0acf-e646-4f4b-b4f6-e00449b69427"
ROOT: Final = f"/dpc/v1/projects/{PROJECT}/streaming-pipelines"
SECRET: Final = {"secretType": "AWS_SECRETS_MANAGER", "secretName": "n", "secretKey": "k"}
CONNECTION: Final = {"host": "h", "port": 1, "username": "u", "password": SECRET}
TABLES: Final = [{"schema": "s", "table": "t"}]
DEFINITIONS: Final = [
    GUIDE,
    *(
        {**GUIDE, "streamingSource": {"type": kind, "connection": {**CONNECTION, "database": "d"}, "tables": TABLES}}
        for kind in ("postgres", "mysql", "oracle", "db2ibmi")
    ),
    {**GUIDE, "streamingTarget": {"type": "s3", "bucket": "b", "decimalMapping": "LOGICAL"}},
    {**GUIDE, "streamingTarget": {"type": "abs", "container": "c", "accountName": "a", "accountKey": SECRET}},
]


async def conversation(maia: Maia) -> None:
    """Every operation with everything that it can send."""
    pipelines = maia.project().streaming_pipelines
    for body in DEFINITIONS:
        pipeline = await pipelines.create(StreamingPipelineDefinition.from_dict(body))
        await pipeline.replace(await pipeline.definition())
    assert len(await pipelines.list(page_size=2).collect()) == len(DEFINITIONS)
    await pipeline.ensure_streaming()
    with pytest.raises(Conflict):
        await pipeline.start()
    await pipeline.ensure_stopped()
    await pipeline.delete()


def as_sent(seen: LoggedRequest) -> tuple[str, str]:
    return seen.method, seen.path.removeprefix(ROOT).replace(seen.path.removeprefix(ROOT + "/")[:36], "ID")


@pytest.mark.parametrize("readings", [Readings.every()[0], Readings.every()[-1]], ids=["default", "guide"])
async def test_every_request_is_one_that_the_file_describes(readings: Readings) -> None:
    async with Emulator(readings=readings) as emulator:
        async with emulator.client(project_id=PROJECT) as maia:
            await conversation(maia)
        seen = distinct(emulator.control.requests(path_contains="streaming-pipelines"))

    # The file names the DELETE as known to callers only, and describes none.
    described = [request for request in seen if request.method != "DELETE"]
    assert {judged(request) for request in described} == {"operation"}
    assert {as_sent(request) for request in seen} == {
        ("GET", ""),
        ("POST", ""),
        ("GET", "/ID"),
        ("PUT", "/ID"),
        ("DELETE", "/ID"),
        ("GET", "/ID/status"),
        ("POST", "/ID/commands"),
    }
    bodies = [request.body for request in seen if as_sent(request) == ("POST", "/ID/commands")]
    assert sorted(body["command"] for body in bodies) == ["START", "STOP"]
    sent = [request.body for request in seen if as_sent(request) in {("POST", ""), ("PUT", "/ID")}]
    assert all("streamingPipelineId" not in body and "projectId" not in body for body in sent)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{ROOT}/{PROJECT}/commands", {"command": "RESTART"}),
        ("POST", f"{ROOT}/{PROJECT}/commands", {}),
        ("POST", ROOT, {**GUIDE, "agentId": 5}),
        ("PATCH", f"{ROOT}/{PROJECT}", GUIDE),
        ("GET", f"{ROOT}/{PROJECT}/state", None),
    ],
)
def test_the_check_itself_refuses_what_is_wrong(method: str, path: str, body: Any) -> None:
    with pytest.raises(OpenAPIError):
        judged(LoggedRequest(sequence=1, at=0.0, method=method, path=path, query="", client_id="emulator", body=body))
