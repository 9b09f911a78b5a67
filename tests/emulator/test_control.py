"""The control object and its HTTP door."""

from __future__ import annotations

from typing import Any

import pytest

from maia_async.emulator import Pipeline, Readings, Scenario, StreamScript
from maia_async.emulator.problems import Refused
from maia_async.emulator.requestlog import RequestLog
from maia_async.errors import ConfigurationError


async def test_the_log_holds_every_request_and_no_secret(api: Any) -> None:
    await api.sign_in()
    run = await api.started(scalarVariables={"a": "b"})
    await api.get("/v1/projects?page=0&size=5")
    await api.get("/v1/projects", token="stolen-token")
    await api.door("GET", "/state")

    log = api.emulator.control.requests()

    assert [(entry.sequence, entry.method, entry.path, entry.query, entry.status, entry.client_id) for entry in log] == [
        (1, "POST", "/oauth/dpc/token", "", 200, None),
        (2, "POST", f"/dpc{api.runs}", "", 201, "emulator"),
        (3, "GET", "/dpc/v1/projects", "page=0&size=5", 200, "emulator"),
        (4, "GET", "/dpc/v1/projects", "", 401, None),
    ]
    assert log[0].body == {"grant_type": "client_credentials", "client_id": "emulator"}
    assert log[1].body["scalarVariables"] == {"a": "b"}
    assert api.token not in repr(log)
    assert "stolen-token" not in repr(log)
    assert [entry.sequence for entry in api.emulator.control.requests(method="post", path_contains="executions")] == [2]
    api.emulator.control.clear_requests()
    assert api.emulator.control.requests() == []
    assert run


def test_the_log_is_bounded() -> None:
    log = RequestLog(bound=3)
    for number in range(5):
        log.add(at=0.0, method="GET", path=str(number), query="")

    assert [entry.path for entry in log] == ["2", "3", "4"]


async def test_a_run_can_be_ended_held_and_released(api: Any) -> None:
    control = api.emulator.control
    run = await api.started()
    for word in ("QUEUED", "UNKNOWN", "CANCELLING"):
        control.set_status(run, word)
        control.advance(100)
        assert await api.status(run) == word
    control.set_status(run, None)
    assert await api.status(run) == "SUCCESS"
    other = await api.started()
    control.finish(other, "FAILED", "no such table")
    assert (await api.get(f"{api.runs}/{other}")).body["result"]["message"] == "no such table"


@pytest.mark.parametrize("word", ["RUNNING", "SUCCESS", None])
async def test_an_end_cannot_be_undone(api: Any, word: str | None) -> None:
    run = await api.started()
    api.emulator.control.set_status(run, "FAILED")

    with pytest.raises(Refused, match="an end never changes"):
        api.emulator.control.set_status(run, word)
    with pytest.raises(Refused, match="not found"):
        api.emulator.control.set_status("nobody", word)


async def test_a_foreign_crowd_of_100000_is_listed_quickly(api: Any) -> None:
    control = api.emulator.control
    ids = control.add_execution("crowd", count=100_000, started_ago=[10, 10_000], duration=[1, 8])
    run = await api.started()

    page = (await api.get("/v1/pipeline-executions?limit=100")).body
    running = (await api.get("/v1/pipeline-executions?status=RUNNING")).body

    assert len(set(ids)) == 100_000
    assert [item["pipelineExecutionId"] for item in page["results"][:2]] == [run, ids[-1]]
    assert [item["pipelineExecutionId"] for item in running["results"]] == [run]
    assert control.statistics()["executions"] == 100_001


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"status": "DONE"}, {"trigger": "ME"}, {"started_ago": -1}, {"started_ago": 1e11}, {"duration": "long"}]
)
async def test_a_crowd_that_makes_no_sense_is_refused(api: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        api.emulator.control.add_execution("crowd", **wrong)


async def test_time_only_goes_forward(api: Any) -> None:
    before = api.emulator.control.now
    api.emulator.control.advance(3600)
    assert api.emulator.control.now == before + 3600

    for wrong in (-1, float("inf"), float("nan"), 1e12, "soon"):
        with pytest.raises(ConfigurationError):
            api.emulator.control.advance(wrong)


async def test_readings_change_from_the_next_request_on(api: Any) -> None:
    assert api.emulator.control.set_readings(details="flat") == Readings(details="flat")
    assert api.emulator.control.readings == Readings(details="flat")
    with pytest.raises(ConfigurationError, match="detail"):
        api.emulator.control.set_readings(detail="flat")


def seen(stream: Any) -> list[tuple[str, str]]:
    return [(change.status, change.by) for change in stream.history]


async def test_a_stream_can_be_preloaded_held_dropped_and_commanded_by_somebody_else(api: Any) -> None:
    control = api.emulator.control
    (stream,) = control.create_stream("mine", started_ago=100)
    begun = [("NOT_RUNNING", "external"), ("STARTING", "external"), ("SNAPSHOTTING", "script"), ("STREAMING", "script")]
    # At the moment of its creation it was started: it was never seen at rest.
    assert seen(control.stream(stream)) == begun[1:]
    assert [round(control.now - change.at) for change in control.stream(stream).history] == [100, 98, 68]

    control.advance(1)
    control.drop_stream(stream)
    control.advance(1)
    control.start_stream(stream)
    control.advance(1)
    control.stop_stream(stream, external=False)
    control.advance(5)
    control.set_stream_state(stream, "PAUSED")
    now = control.stream(stream)

    assert seen(now)[3:] == [
        ("NOT_RUNNING", "drop"),
        ("STARTING", "external"),
        ("STOPPING", "api"),
        ("NOT_RUNNING", "script"),
        ("PAUSED", "control"),
    ]
    assert (now.name, now.status, now.state, now.since, now.starts) == ("mine", "PAUSED", "NOT_RUNNING", control.now, 2)
    control.set_stream_state(stream, None)
    assert control.stream(stream).status == "NOT_RUNNING"
    assert control.statistics()["streams"] == 1


async def test_a_stream_can_be_given_another_script(api: Any) -> None:
    control = api.emulator.control
    (stream,) = control.create_stream(script={"starting": 9})
    assert control.script_stream(stream, snapshot="never") == StreamScript(starting=9, snapshot="never")
    control.start_stream(stream)
    control.advance(9)
    assert control.stream(stream).status == "STREAMING"
    control.script_stream(stream, unreachable=[[0, 60]])
    assert control.stream(stream).status == "UNKNOWN"


async def test_where_the_guides_project_is_missing_streams_go_to_the_first(serve: Any) -> None:
    async with serve(Scenario.of(Pipeline(name="p"))) as api:
        api.emulator.control.create_stream("s", count=2)
        found = [(stream.name, stream.project_id) for stream in api.emulator.control.streams()]
        assert found == [("s-1", api.project), ("s-2", api.project)]


@pytest.mark.parametrize(
    "wrong",
    [{"count": 0}, {"count": True}, {"name": ""}, {"started_ago": -1}, {"started_ago": 1e11}, {"script": {"droop": 1}}, {"script": 3}],
)
async def test_streams_that_make_no_sense_are_refused(api: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        api.emulator.control.create_stream(**wrong)
    with pytest.raises(Refused, match="validation errors"):
        api.emulator.control.create_stream(definition={"agentId": "me"})
    assert api.emulator.control.streams() == []


async def test_what_is_wrongly_asked_of_a_stream_is_refused(api: Any) -> None:
    control = api.emulator.control
    (stream,) = control.create_stream()

    with pytest.raises(Refused, match="not running"):
        control.drop_stream(stream)
    with pytest.raises(Refused, match="cannot be stopped"):
        control.stop_stream(stream)
    with pytest.raises(Refused, match="not found"):
        control.start_stream("nobody")
    with pytest.raises(ConfigurationError, match="droop_after"):
        control.script_stream(stream, droop_after=3)
    with pytest.raises(ConfigurationError, match="snapshot"):
        control.script_stream(stream, snapshot="always")
    with pytest.raises(ConfigurationError, match="status"):
        control.set_stream_state(stream, "")


async def test_every_power_over_streams_by_http(api: Any) -> None:
    made = await api.door("POST", "/streams", json={"name": "s", "count": 2, "started_ago": 1, "script": {"starting": 3}})
    assert (made.status, len(made.body["ids"])) == (201, 2)
    stream, other = made.body["ids"]
    listed = (await api.door("GET", "/streams")).body
    assert [item["id"] for item in listed] == [stream, other]
    assert [change["status"] for change in listed[0]["history"]] == ["STARTING"]
    assert (await api.door("POST", f"/streams/{stream}/drop")).body["status"] == "NOT_RUNNING"
    assert (await api.door("POST", f"/streams/{stream}/start")).body["history"][-1]["by"] == "external"
    assert (await api.door("POST", f"/streams/{stream}/stop", json={"external": False})).body["history"][-1]["by"] == "api"
    held = await api.door("PATCH", f"/streams/{stream}", json={"status": "UNKNOWN", "script": {"snapshot": "never"}})
    assert held.body["status"] == "UNKNOWN"
    assert (await api.door("PATCH", f"/streams/{stream}", json={"status": None})).body["status"] == "STOPPING"
    assert (await api.door("GET", f"/streams/{other}")).body["name"] == "s-2"
    assert (await api.door("GET", "/state")).body["streams"] == {"STOPPING": 1, "STARTING": 1}


async def test_every_power_by_http(api: Any) -> None:
    run = await api.started()
    state = (await api.door("GET", "/state")).body
    assert (state["executions"], state["projects"][0]["name"]) == ({"RUNNING": 1}, "Test-project")
    assert (await api.door("PATCH", f"/executions/{run}", json={"status": "FAILED", "message": "because"})).body["message"] == "because"
    assert (await api.door("GET", f"/executions/{run}")).body["status"] == "FAILED"
    added = await api.door("POST", "/executions", json={"pipeline_name": "x", "count": 2})
    assert (added.status, len(added.body["ids"])) == (201, 2)
    assert len((await api.door("GET", "/executions")).body) == 3
    assert (await api.door("PUT", "/readings", json={"details": "flat"})).body["details"] == "flat"
    assert (await api.door("GET", "/readings")).body["details"] == "flat"
    assert (await api.door("PUT", "/network", json={"list_lag": 3, "latency_in": [0, 1]})).body["latency_in"] == [0, 1]
    assert (await api.door("POST", "/clock", json={"advance": 60})).body["now"] >= state["now"] + 60
    assert (await api.door("PATCH", "/pipelines", json={"name": "Pipeline 1", "enabled": False})).status == 204
    assert (await api.trigger()).status == 410
    assert [entry["status"] for entry in (await api.door("GET", "/requests?method=POST")).body] == [201, 410]
    assert (await api.door("GET", "/statistics")).body["answers"] == {"201": 1, "410": 1}
    assert (await api.door("DELETE", "/requests")).status == 204
    assert (await api.door("GET", "/requests")).body == []
    assert (await api.door("POST", "/tokens/revoke")).body == {"revoked": 1}
    assert (await api.get("/v1/projects")).status == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("GET", "/executions/nobody", None, 404),
        ("PATCH", "/executions/nobody", {"status": "FAILED"}, 404),
        ("DELETE", "/state", None, 405),
        ("PUT", "/readings", {"details": "deep"}, 400),
        ("PUT", "/readings", {"detail": "flat"}, 400),
        ("POST", "/clock", {"advance": "soon"}, 400),
        ("POST", "/clock", {}, 400),
        ("POST", "/executions", {"count": 3}, 400),
        ("POST", "/executions", {"pipeline_name": "x", "colour": "red"}, 400),
        ("POST", "/executions", {"pipeline_name": "x", "count": "many"}, 400),
        ("PATCH", "/pipelines", {"name": "nothing", "enabled": True}, 404),
        ("PUT", "/network", [], 400),
        ("GET", "/streams/nobody", None, 404),
        ("GET", "/streams/nobody/history", None, 404),
        ("POST", "/streams/nobody/drop", None, 404),
        ("DELETE", "/streams", None, 405),
        ("PATCH", "/streams/nobody", {}, 400),
        ("PATCH", "/streams/nobody", {"state": "STREAMING"}, 400),
        ("PATCH", "/streams/nobody", {"script": "flaps"}, 400),
        ("POST", "/streams/nobody/stop", {"force": True}, 400),
        ("POST", "/streams", {"script": {"droop": 1}}, 400),
        ("POST", "/streams", {"definition": {}}, 400),
    ],
)
async def test_the_door_refuses_what_it_does_not_understand(api: Any, method: str, path: str, body: Any, status: int) -> None:
    answer = await api.door(method, path, json=body) if body is not None else await api.door(method, path)

    assert (answer.status, answer.body["status"]) == (status, status)


async def test_the_door_refuses_to_undo_an_end(api: Any) -> None:
    run = await api.started()
    await api.door("PATCH", f"/executions/{run}", json={"status": "CANCELLED"})

    assert (await api.door("PATCH", f"/executions/{run}", json={"status": "RUNNING"})).status == 409
