"""The streaming endpoints over HTTP: each operation, each status, and the guide's own bodies."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from maia_async.emulator import Credential, Readings, Scenario, StreamScript

GUIDE: Final = json.loads((Path(__file__).parents[1] / "samples" / "streaming-pipeline.json").read_text(encoding="utf-8"))
FIRST: Final = "50ead6b2-5d1a-40c7-bb50-0d17c8fb23c3"
NOBODY: Final = "00000000-0000-4000-8000-000000000000"
STREAMS: Final = "/v1/projects/3dda0acf-e646-4f4b-b4f6-e00449b69427/streaming-pipelines"


async def create(api: Any, **changes: Any) -> str:
    answer = await api.call("POST", STREAMS, json={**GUIDE, **changes})
    assert answer.status == 201, answer
    return str(answer.body["streamingPipelineId"])


async def order(api: Any, stream: str, word: str) -> int:
    return int((await api.call("POST", f"{STREAMS}/{stream}/commands", json={"command": word})).status)


async def status(api: Any, stream: str) -> str:
    return str((await api.get(f"{STREAMS}/{stream}/status")).body["status"])


@pytest.fixture
async def stream(api: Any) -> str:
    return await create(api)


async def test_the_guides_request_is_answered_as_the_guide_prints_it(api: Any) -> None:
    answer = await api.call("POST", STREAMS, json=GUIDE)

    assert answer.status == 201
    assert list(answer.body.items()) == [("streamingPipelineId", FIRST), *GUIDE.items()]
    assert (await api.get(f"{STREAMS}/{FIRST}")).body == answer.body
    assert await status(api, FIRST) == "NOT_RUNNING"
    assert await create(api, name="another") != FIRST


async def test_the_guides_invalid_request_is_answered_as_the_guide_prints_it(api: Any) -> None:
    body = copy.deepcopy(GUIDE)
    del body["streamingSource"]["connection"]["username"], body["streamingTarget"]["connection"]["authentication"]

    answer = await api.call("POST", STREAMS, json=body)

    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json")
    assert answer.body == {
        "title": "Bad Request",
        "status": 400,
        "detail": "There are validation errors with the streaming pipeline definition",
        "instance": STREAMS,
        "validation-errors": [
            {"field": "streamingTarget.connection.authentication", "message": "must not be null"},
            {"field": "streamingSource.connection.username", "message": "must not be empty"},
        ],
    }
    assert api.emulator.control.streams() == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_400(api: Any, stream: str, content: bytes) -> None:
    for method, path in (("POST", STREAMS), ("PUT", f"{STREAMS}/{stream}"), ("POST", f"{STREAMS}/{stream}/commands")):
        answer = await api.call(method, path, data=content)
        assert (answer.status, answer.body["title"]) == (400, "Bad Request")


async def test_keys_and_values_that_nobody_knows_come_back_as_they_were_sent(api: Any) -> None:
    body = {**GUIDE, "future": {"a": [1, None, {"b": "c"}]}, "nothing": None, "streamingSource": {"type": "Mongo", "x": 1.5}}

    created = (await api.call("POST", STREAMS, json=body)).body
    listed = (await api.get(STREAMS)).body["results"]

    assert created == {**body, "streamingPipelineId": FIRST}
    assert listed == [created]


async def test_a_replacement_is_whole_and_leaves_the_state_alone(api: Any, stream: str) -> None:
    await order(api, stream, "START")
    new = {**GUIDE, "name": "renamed", "advancedProperties": {"a": 1}}

    # A definition that was read holds the id; one in the body does not move the pipeline.
    answer = await api.call("PUT", f"{STREAMS}/{stream}", json={**new, "streamingPipelineId": NOBODY, "projectId": NOBODY})

    assert (answer.status, answer.body) == (200, {**new, "streamingPipelineId": stream})
    assert (await api.get(f"{STREAMS}/{stream}")).body == answer.body
    assert await status(api, stream) == "STARTING"
    refused = await api.call("PUT", f"{STREAMS}/{stream}", json={**new, "name": ""})
    assert (refused.status, refused.body["instance"]) == (400, f"{STREAMS}/{stream}")
    assert (await api.get(f"{STREAMS}/{stream}")).body == answer.body


async def test_what_was_deleted_is_gone(api: Any, stream: str) -> None:
    answer = await api.call("DELETE", f"{STREAMS}/{stream}")

    assert (answer.status, answer.raw) == (204, b"")
    assert (await api.call("DELETE", f"{STREAMS}/{stream}")).status == 404
    assert (await api.get(STREAMS)).body["results"] == []


async def test_the_list_has_pages_in_the_order_of_creation(api: Any) -> None:
    ids = api.emulator.control.create_stream("crowd", count=130)
    pages = [(await api.get(f"{STREAMS}{query}")).body for query in ("", "?page=5", "?page=6", "?size=100&page=1", "?size=1000")]

    assert [(page["page"], page["size"], page["total"], len(page["results"])) for page in pages] == [
        (0, 25, 130, 25),
        (5, 25, 130, 5),
        (6, 25, 130, 0),
        (1, 100, 130, 30),
        (0, 100, 130, 100),
    ]
    assert [item["streamingPipelineId"] for page in (pages[4], pages[3]) for item in page["results"]] == ids
    assert (await api.get(f"{STREAMS}?size=0")).status == 400


async def test_a_started_pipeline_goes_through_its_states_in_time(api: Any, stream: str) -> None:
    accepted = await api.call("POST", f"{STREAMS}/{stream}/commands", json={"command": "START"})
    assert (accepted.status, accepted.raw) == (202, b"")

    seen = [await status(api, stream)]
    for seconds in (1.9, 0.1, 29.9, 0.1):
        await anyio.sleep(seconds)
        seen.append(await status(api, stream))

    assert seen == ["STARTING", "STARTING", "SNAPSHOTTING", "SNAPSHOTTING", "STREAMING"]
    assert await order(api, stream, "STOP") == 202
    assert await status(api, stream) == "STOPPING"
    await anyio.sleep(2)
    assert await status(api, stream) == "NOT_RUNNING"


@pytest.mark.parametrize(("start", "stop"), [("START", "STOP"), ("start", "stop"), ("Start", "sToP")])
async def test_commands_are_taken_in_any_case_and_conflict_with_what_is_so_already(api: Any, stream: str, start: str, stop: str) -> None:
    assert [await order(api, stream, word) for word in (stop, start, start, stop)] == [409, 202, 409, 202]


@pytest.mark.parametrize("body", [{}, {"command": None}, {"command": "RESTART"}, {"command": 1}, {"command": ["START"]}])
async def test_an_unknown_command_is_400(api: Any, stream: str, body: Any) -> None:
    answer = await api.call("POST", f"{STREAMS}/{stream}/commands", json=body)

    assert (answer.status, len(answer.body["violations"])) == (400, 1)
    assert await status(api, stream) == "NOT_RUNNING"


@pytest.mark.parametrize("name", [NOBODY, "..", "%2e%2e", "a%2Fb", "%00", "x" * 10_000, "%ff", "%zz"])
@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("GET", "", None),
        ("PUT", "", GUIDE),
        ("DELETE", "", None),
        ("GET", "/status", None),
        ("POST", "/commands", {"command": "START"}),
    ],
)
async def test_hostile_and_unknown_ids_are_404(api: Any, name: str, method: str, suffix: str, body: Any) -> None:
    answer = await api.call(method, f"{STREAMS}/{name}{suffix}", **({} if body is None else {"json": body}))

    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")


async def test_a_pipeline_belongs_to_its_project_and_a_project_to_those_with_a_role(serve: Any) -> None:
    scenario = Scenario(
        credentials=[Credential(client_id="emulator", client_secret="e"), Credential(client_id="none", client_secret="s", projects=[])],
        tokens={"token-of-none": "none"},
    )
    async with serve(scenario) as api:
        stream = await create(api)
        elsewhere = STREAMS.replace("3dda0acf-e646-4f4b-b4f6-e00449b69427", api.project)
        assert (await api.get(f"{elsewhere}/{stream}")).status == 404
        assert (await api.get(STREAMS.replace("3dda0acf", "00000000"))).status == 404
        for method, path, body in (
            ("GET", STREAMS, None),
            ("POST", STREAMS, GUIDE),
            ("GET", f"{STREAMS}/{stream}/status", None),
            ("POST", f"{STREAMS}/{stream}/commands", {"command": "START"}),
            ("DELETE", f"{STREAMS}/{stream}", None),
        ):
            options = {} if body is None else {"json": body}
            assert (await api.call(method, path, token="token-of-none", **options)).status == 403
        assert await status(api, stream) == "NOT_RUNNING"


async def test_wrong_methods_are_405(api: Any, stream: str) -> None:
    answers = [
        await api.call(method, path)
        for method, path in (
            ("DELETE", STREAMS),
            ("PATCH", f"{STREAMS}/{stream}"),
            ("PUT", f"{STREAMS}/{stream}/status"),
            ("GET", f"{STREAMS}/{stream}/commands"),
        )
    ]

    assert [(answer.status, answer.headers["Allow"]) for answer in answers] == [
        (405, "GET, POST"),
        (405, "GET, PUT, DELETE"),
        (405, "GET"),
        (405, "POST"),
    ]


async def test_an_unknown_agent_is_400_and_any_agent_fits_where_none_are_listed(serve: Any) -> None:
    other = {**GUIDE, "agentId": NOBODY}
    async with serve() as api:
        answer = await api.call("POST", STREAMS, json=other)
        assert (answer.status, [entry["field"] for entry in answer.body["validation-errors"]]) == (400, ["agentId"])
    for agents in (None, [NOBODY.upper()]):
        async with serve(Scenario(streaming_agents=agents)) as api:
            assert (await api.call("POST", STREAMS, json=other)).status == 201


async def test_the_first_script_whose_name_fits_is_followed_also_after_a_rename(serve: Any) -> None:
    scripts = [
        StreamScript(name="orders-*", refuses_to_start=500),
        StreamScript(name="*-lab", refuses_to_start=409),
        StreamScript(name="orders-?", stuck_starting=True),
    ]
    async with serve(Scenario(streams=scripts)) as api:
        ids = [await create(api, name=name) for name in ("orders-1", "my-lab", "other")]
        assert [await order(api, stream, "START") for stream in ids] == [500, 409, 202]
        await api.call("PUT", f"{STREAMS}/{ids[0]}", json={**GUIDE, "name": "other"})
        assert await order(api, ids[0], "START") == 500


async def test_a_plain_secret_is_refused_without_repeating_it_and_does_not_enter_the_log(api: Any) -> None:
    body = copy.deepcopy(GUIDE)
    body["streamingSource"]["connection"]["password"] = "hunter2"

    answer = await api.call("POST", STREAMS, json=body)

    assert answer.status == 400
    assert b"hunter2" not in answer.raw
    (entry,) = api.emulator.control.requests()
    assert entry.body["streamingSource"]["connection"]["password"] == "***"
    assert entry.body["name"] == GUIDE["name"]


async def test_500_preloaded_pipelines_are_there_at_once_and_are_read_one_by_one(api: Any) -> None:
    control = api.emulator.control
    ids = control.create_stream("crowd", count=500, started_ago=60)

    assert control.state()["streams"] == {"STREAMING": 500}
    assert {await status(api, stream) for stream in ids[::50]} == {"STREAMING"}
    assert await order(api, ids[0], "START") == 409


@pytest.mark.parametrize("reading", Readings.every(), ids=lambda reading: str(reading.differences() or "default"))
async def test_under_every_reading_a_pipeline_can_be_created_started_and_stopped(serve: Any, reading: Readings) -> None:
    async with serve(readings=reading) as api:
        stream = await create(api)
        assert await order(api, stream, "START") == reading.streaming_command_status
        api.emulator.control.advance(100)
        assert (await status(api, stream)).upper() == "STREAMING"
        assert await order(api, stream, "STOP") == reading.streaming_command_status
