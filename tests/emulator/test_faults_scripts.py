"""Faults in force: scripted in three ways, hitting chosen requests, before or after they landed; the limit, the log, speed and the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import attrs
import pytest

from maia_async.emulator import Credential, Fault, FaultInForce, Outage, Pipeline, Scenario, Skew
from maia_async.emulator.problems import Refused
from maia_async.errors import ConfigurationError
from maia_async.policies import RateLimit

TRIGGER = "/dpc/v1/projects/*/pipeline-executions"
WORDS: dict[str, Any] = {
    "name": "gateway",
    "method": "POST",
    "path": TRIGGER,
    "request": {"pipelineName": "Pipeline ?", "scalarVariables": {"region": "eu"}},
    "status": 504,
    "landed": True,
    "times": 1,
    "delay": [1, 2],
}


async def scripted_in_python(serve: Any, tmp_path: Path, words: dict[str, Any]) -> Any:
    return serve(), lambda api: api.emulator.control.add_fault(Fault(**words))


async def scripted_in_json(serve: Any, tmp_path: Path, words: dict[str, Any]) -> Any:
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps({"faults": [words]}))
    return serve(Scenario.from_file(file)), lambda api: "fault-1"


async def scripted_in_yaml(serve: Any, tmp_path: Path, words: dict[str, Any]) -> Any:
    file = tmp_path / "scenario.yaml"
    file.write_text(f"faults:\n  - {json.dumps(words)}\n")
    return serve(Scenario.from_file(file)), lambda api: "fault-1"


async def scripted_at_the_door(serve: Any, tmp_path: Path, words: dict[str, Any]) -> Any:
    async def add(api: Any) -> str:
        answer = await api.door("POST", "/faults", json=words)
        assert answer.status == 201
        return str(answer.body["id"])

    return serve(), add


@pytest.mark.parametrize("way", [scripted_in_python, scripted_in_json, scripted_in_yaml, scripted_at_the_door])
async def test_the_same_words_do_the_same_in_all_ways(serve: Any, tmp_path: Path, way: Any) -> None:
    server, add = await way(serve, tmp_path, WORDS)
    async with server as api:
        added = add(api)
        fault_id = added if isinstance(added, str) else await added
        answers = [
            (await api.trigger("Pipeline 1", **fields)).status
            for fields in (
                {},
                {"scalarVariables": {"region": "us"}},
                {"scalarVariables": {"region": "eu"}},
                {"scalarVariables": {"region": "eu"}},
            )
        ]
        await api.get("/v1/projects")
        (fault,) = api.emulator.control.faults()

        assert answers == [201, 201, 504, 201]
        assert fault == FaultInForce(id=fault_id, fault=Fault(**WORDS), matched=2, hits=1)
        assert [run.scalar_variables for run in api.emulator.control.executions()][2] == {"region": "eu"}
        assert [entry.fault for entry in api.emulator.control.requests()] == [None, None, "gateway", None, None]


async def test_the_door_lists_shows_and_ends_faults(api: Any) -> None:
    ids = [(await api.door("POST", "/faults", json={"status": status})).body["id"] for status in (500, 502)]
    await api.get("/v1/projects")

    listed = (await api.door("GET", "/faults")).body
    assert [(item["id"], item["fault"]["status"], item["matched"], item["hits"]) for item in listed] == [
        (ids[0], 500, 1, 1),
        (ids[1], 502, 0, 0),
    ]
    assert (await api.door("GET", f"/faults/{ids[0]}")).body == listed[0]
    assert (await api.door("GET", "/state")).body["faults"] == {ids[0]: 1, ids[1]: 0}
    assert (await api.door("POST", "/faults", json=listed[1]["fault"])).body == {"id": "fault-3"}
    assert (await api.door("DELETE", f"/faults/{ids[0]}")).status == 204
    assert (await api.get("/v1/projects")).status == 502
    for method in ("GET", "DELETE"):
        assert (await api.door(method, f"/faults/{ids[0]}")).status == 404
    assert (await api.door("DELETE", "/faults")).status == 204
    assert (await api.get("/v1/projects")).status == 200
    logged = (await api.door("GET", "/requests")).body
    assert [(entry["fault"], entry["status"], entry["handled"]) for entry in logged] == [
        ("answer 500", 500, None),
        ("answer 502", 502, None),
        (None, 200, None),
    ]


@pytest.mark.parametrize(
    ("body", "field"), [({"kind": "boom"}, "kind"), ({"status": "x"}, "status"), ({"colour": 1}, "colour"), ({"remove": "a"}, "remove")]
)
async def test_the_door_names_the_field_that_is_wrong(api: Any, body: Any, field: str) -> None:
    answer = await api.door("POST", "/faults", json=body)
    assert answer.status == 400
    assert field in answer.body["detail"]
    with pytest.raises(ConfigurationError, match=field):
        api.emulator.control.add_fault(body)
    assert api.emulator.control.faults() == []


async def test_faults_are_removed_by_id(api: Any) -> None:
    control = api.emulator.control
    fault_id = control.add_fault(Fault(status=500))
    control.remove_fault(fault_id)
    assert (await api.get("/v1/projects")).status == 200
    for power in (control.remove_fault, control.fault):
        with pytest.raises(Refused, match="not found"):
            power(fault_id)
    assert control.add_fault(Fault(status=500)) != fault_id
    control.clear_faults()
    assert control.faults() == []


@pytest.mark.parametrize("request_", [{"executionTag": "t-7"}, {"pipelineName": "My *"}, {"scalarVariables": {"day": "7"}}], ids=str)
async def test_one_chosen_trigger_is_hit(api: Any, request_: dict[str, Any]) -> None:
    api.emulator.control.add_fault(Fault(kind="reset", landed=True, path=TRIGGER, request=request_))
    await api.started("Pipeline 1", executionTag="t-1", scalarVariables={"day": "1"})
    with pytest.raises(aiohttp.ClientError):
        await api.trigger("My pipeline", executionTag="t-7", scalarVariables={"day": "7"})

    first, second = api.emulator.control.executions()
    assert (first.execution_tag, second.execution_tag, second.scalar_variables) == ("t-1", "t-7", {"day": "7"})
    assert (await api.trigger("Pipeline 1", executionTag="t-1")).status == 409


@pytest.mark.parametrize("kind", ["reset", "silence", "garbage", "truncated", "answer"])
async def test_a_run_that_landed_is_there_and_one_that_did_not_is_not(api: Any, kind: str) -> None:
    control, given = api.emulator.control, {"status": 504} if kind in {"answer", "truncated"} else {}
    for landed in (False, True):
        control.clear_faults()
        control.add_fault(Fault(kind=kind, landed=landed, **given))
        try:
            async with asyncio.timeout(3):
                await api.trigger("Pipeline 1", executionTag=f"landed {landed}", scalarVariables={"a": "b"})
        except (aiohttp.ClientError, TimeoutError):
            pass
    (run,) = control.executions()
    assert (run.execution_tag, run.scalar_variables, run.status) == ("landed True", {"a": "b"}, "RUNNING")


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "CANCELLED", "SKIPPED", "FORBIDDEN"])
@pytest.mark.parametrize("duration", [0, 300])
async def test_a_run_may_be_over_before_its_answer_is_lost(serve: Any, status: str, duration: float) -> None:
    async with serve(Scenario.of(Pipeline(name="p", duration=duration))) as api:
        api.emulator.control.add_fault(Fault(kind="closed", ends=status, times=1))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await api.trigger("p", executionTag="t")

        (run,) = api.emulator.control.executions()
        (row,) = (await api.get(f"/v1/pipeline-executions?status={status}")).body["results"]
        assert (run.status, run.finished_at, row["pipelineExecutionId"]) == (status, run.started_at, run.id)
        assert (await api.get("/v1/pipeline-executions?status=RUNNING")).body["results"] == []
        # Its tag is free again: a second trigger is a second run.
        assert (await api.trigger("p", executionTag="t")).status == 201


async def test_an_end_means_nothing_to_requests_that_start_no_run(api: Any) -> None:
    api.emulator.control.add_fault(Fault(ends="SUCCESS"))
    assert (await api.get("/v1/projects")).status == 200
    assert (await api.trigger("nobody")).status == 404
    run = await api.started()
    assert await api.status(run) == "SUCCESS"


async def test_a_request_may_land_long_after_its_client_has_left(api: Any) -> None:
    api.emulator.control.add_fault(Fault(lands_after=90, path=TRIGGER))
    start = api.emulator.control.now
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await api.trigger()
    assert api.emulator.control.executions() == []
    await anyio.sleep(31)

    (run,) = api.emulator.control.executions()
    assert run.started_at - start == pytest.approx(90, abs=0.01)
    assert [(entry.fault, entry.handled) for entry in api.emulator.control.requests()] == [("answer", 201)]


async def test_a_stale_cache_repeats_its_first_answer(api: Any) -> None:
    first, second = await api.started(), await api.started()
    api.emulator.control.add_fault(Fault(path=f"**/{first}/status", replay=True, times=2))
    seen = []
    for _ in range(3):
        seen.append((await api.status(first), await api.status(second)))
        await anyio.sleep(10)
    assert seen == [("RUNNING", "RUNNING"), ("RUNNING", "SUCCESS"), ("SUCCESS", "SUCCESS")]


async def test_answers_are_bent(api: Any) -> None:
    run = await api.started()
    control = api.emulator.control
    control.add_fault(
        Fault(path="**/pipeline-executions/*", put={"result.status": "PAUSED"}, merge={"x": [None]}, remove=["result.message"])
    )
    control.add_fault(Fault(path="/dpc/v1/pipeline-executions", put={"results.*.pipelineName": None, "more": "same"}))

    details = (await api.get(f"{api.runs}/{run}")).body
    page = (await api.get("/v1/pipeline-executions")).body

    assert (details["result"]["status"], details["x"]) == ("PAUSED", [None])
    assert (page["more"], [item["pipelineName"] for item in page["results"]]) == ("same", [None])


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ({"status": 503}, 503, None),
        ({"status": 500, "body": "oops"}, 500, None),
        ({"merge": {"expires_in": 5}}, 200, {"expires_in": 5, "token_type": "Bearer"}),
        ({"put": {"access_token": None}}, 200, {"access_token": None}),
        ({"remove": ["expires_in"]}, 200, {"token_type": "Bearer"}),
        ({"body": ["not", "an", "object"], "status": 200}, 200, ["not", "an", "object"]),
    ],
    ids=str,
)
async def test_the_token_endpoint_has_faults_of_the_same_kind(api: Any, fault: dict[str, Any], status: int, body: Any) -> None:
    api.emulator.control.add_fault({"path": "/oauth/dpc/token", "request": {"client_id": "emulator"}, **fault})
    answer = await api.sign_in()
    assert answer.status == status
    if isinstance(body, dict):
        assert body.items() <= answer.body.items()
    elif body is not None:
        assert answer.body == body
    if "remove" in fault:
        assert "expires_in" not in answer.body
    assert "client_secret" not in repr(api.emulator.control.requests())


async def test_a_slow_token_endpoint(api: Any, now: Callable[[], float]) -> None:
    api.emulator.control.add_fault(Fault(path="/oauth/dpc/token", delay=40))
    start = now()
    assert (await api.sign_in()).status == 200
    assert now() - start == 40


async def test_the_limit_counts_what_a_gateway_saw_and_not_what_never_was_read(serve: Any) -> None:
    async with serve(rate_limit=RateLimit(requests=2, per=60)) as api:
        control = api.emulator.control
        control.add_fault(Fault(kind="closed", times=3))
        for _ in range(3):
            # A POST: the library sends a GET again by itself.
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await api.trigger()
        gateway = control.add_fault(Fault(status=504))
        assert [(await api.get("/v1/projects")).status for _ in range(4)] == [504, 504, 429, 429]
        # The limit comes first: what it refuses meets no fault.
        assert control.fault(gateway).matched == 2
        assert control.statistics()["clients"] == {"emulator": {"requests": 4, "refused_429": 2}}
        assert control.statistics()["answers"] == {"429": 2, "504": 2}


async def test_a_fault_that_lands_is_not_spent_on_a_request_that_cannot(api: Any) -> None:
    fault_id = api.emulator.control.add_fault(Fault(status=504, landed=True, times=1))
    assert (await api.get("/v1/projects", token="bad")).status == 401
    assert (await api.get("/v1/nothing")).status == 404
    assert (await api.call("DELETE", "/v1/projects")).status == 405
    assert api.emulator.control.fault(fault_id).matched == 0
    assert (await api.trigger("nobody")).status == 504
    assert [(entry.status, entry.handled) for entry in api.emulator.control.requests()][3:] == [(504, 404)]


async def test_in_an_outage_even_a_bad_token_gets_503(api: Any) -> None:
    api.emulator.control.add_fault(Fault(status=503))
    assert (await api.get("/v1/projects", token="bad")).status == 503
    assert (await api.door("GET", "/state")).status == 200


async def test_a_body_that_is_matched_on_arrival_is_read_and_still_not_counted(api: Any) -> None:
    api.emulator.control.add_fault(Fault(kind="reset", request={"pipelineName": "Pipeline 1"}))
    with pytest.raises(aiohttp.ClientOSError):
        await api.trigger("Pipeline 1")
    assert (await api.trigger("My pipeline")).status == 201
    assert (await api.get("/v1/projects")).status == 200
    assert api.emulator.control.statistics()["requests"] == 2


async def test_the_log_of_a_faulty_request_holds_its_body_and_no_secret(api: Any) -> None:
    api.emulator.control.add_fault(Fault(status=500))
    await api.trigger("Pipeline 1", executionTag="t")
    secret = {"name": "s", "streamingSource": {"connection": {"password": "hunter2-not-a-reference"}}}
    for path in ("streaming-pipelines", "streaming%2Dpipelines"):
        await api.call("POST", f"/v1/projects/{api.project}/{path}", json=secret)
    log = api.emulator.control.requests()
    assert log[0].body["executionTag"] == "t"
    assert "hunter2" not in repr(log)


async def test_chance_is_that_of_the_seed(serve: Any) -> None:
    seen = []
    for seed in (1, 1, 2):
        async with serve(Scenario(seed=seed, faults=[Fault(status=503, probability=0.5)])) as api:
            seen.append([(await api.get("/v1/projects")).status for _ in range(20)])
    assert seen[0] == seen[1] != seen[2]
    assert set(seen[0]) == {200, 503}


async def test_delays_are_api_seconds(serve: Any, now: Callable[[], float]) -> None:
    async with serve(speed=10) as api:
        control = api.emulator.control
        slow = Fault(kind="trickled", landed=True, status=200, body="abcd", times=1)
        for fault in (Fault(delay=30, times=1), Fault(delay=(10, 20), times=1), Fault(lands_after=50, times=1), slow):
            control.add_fault(fault)
        took = []
        # The pipeline is not known: each request lands, and starts nothing.
        for answered in (404, 404, 404, 200):
            start = now()
            assert (await api.trigger("nobody")).status == answered
            took.append(now() - start)
        assert took[0] == pytest.approx(3)
        assert 1 <= took[1] <= 2
        assert took[2:] == pytest.approx([5, 0.4])
        control.refuse_connections(100)
        with pytest.raises(aiohttp.ClientConnectorError):
            await api.get("/v1/projects")
        await anyio.sleep(10.01)
        assert (await api.get("/v1/projects")).status == 200


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "silence"},
        {"kind": "stalled"},
        {"delay": 1e6},
        {"lands_after": 1e6},
        {"kind": "trickled", "delay": 1e6},
        {"kind": "silence", "landed": True},
    ],
    ids=str,
)
async def test_the_end_of_the_emulator_ends_what_is_held(serve: Any, now: Callable[[], float], fault: dict[str, Any]) -> None:
    before = asyncio.all_tasks()
    async with serve(Scenario(faults=[Fault(**fault)])) as api:
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                with pytest.raises(aiohttp.ClientError):
                    await api.trigger()

            for _ in range(5):
                group.start_soon(ask)
            await anyio.sleep(1)
            assert api.emulator._app.in_flight == 5
            start = now()
            await api.emulator.__aexit__(None, None, None)
            assert now() - start < 0.2
        assert api.emulator._app.in_flight == 0
        assert len(api.emulator.control.executions()) == (5 if Fault(**fault).lands and "lands_after" not in fault else 0)
    assert asyncio.all_tasks() == before


async def test_connections_are_refused_until_told(api: Any) -> None:
    control = api.emulator.control
    await api.get("/v1/projects")
    assert control.listens
    control.refuse_connections()
    assert not control.listens
    for _ in range(3):
        with pytest.raises(aiohttp.ClientConnectorError):
            await api.get("/v1/projects")
    control.refuse_connections()
    url = api.emulator.url
    control.accept_connections()
    control.accept_connections()
    assert control.listens
    assert (await api.get("/v1/projects")).status == 200
    assert api.emulator.url == url
    assert len(control.requests()) == 2
    with pytest.raises(ConfigurationError, match="seconds"):
        control.refuse_connections(-1)


async def test_a_scenario_says_when_no_connection_is_accepted(serve: Any) -> None:
    outages = [{"after": 100, "seconds": 50}, {"after": 20, "seconds": 30}]
    async with serve(Scenario.from_mapping({"outages": outages}), speed=10) as api:
        listens = []
        for _ in range(16):
            await anyio.sleep(1)
            listens.append(api.emulator.control.listens)
            with contextlib.nullcontext() if listens[-1] else pytest.raises(aiohttp.ClientConnectorError):
                await api.get("/v1/projects")
        assert "".join("_#"[each] for each in listens) == "#___#####_____##"
    async with serve(Scenario(outages=[Outage(after=1000, seconds=1)])):
        pass  # and leaves no timer behind


@pytest.mark.parametrize(
    ("outages", "said"),
    [
        ([{"after": 10, "seconds": 20}, {"after": 20, "seconds": 1}], "must not overlap: one begins after 20 s"),
        ([{"after": 10}], "seconds"),
        ([{"after": -1, "seconds": 20}], "after"),
        ([{"seconds": 0}], "seconds"),
        ([{"second": 1}], "second"),
    ],
)
def test_an_outage_that_cannot_be_is_refused(outages: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Scenario.from_mapping({"outages": outages})


async def test_open_connections_are_reset_and_requests_in_flight_are_lost(api: Any) -> None:
    api.emulator.control.add_fault(Fault(delay=100, path=TRIGGER))
    async with anyio.create_task_group() as group:

        async def ask() -> None:
            with pytest.raises(aiohttp.ClientOSError):
                await api.trigger()

        group.start_soon(ask)
        await anyio.sleep(1)
        api.emulator.control.refuse_connections(5)
    await anyio.sleep(5.01)
    assert (await api.get("/v1/projects")).status == 200
    assert api.emulator._app.in_flight == 0


async def test_connections_are_refused_for_a_while_and_again(api: Any, now: Callable[[], float]) -> None:
    control = api.emulator.control
    control.refuse_connections(10)
    await anyio.sleep(5)
    control.refuse_connections(10)
    await anyio.sleep(9)
    assert not control.listens
    await anyio.sleep(1.01)
    assert control.listens
    assert (await api.get("/v1/projects")).status == 200


async def test_clients_that_connect_in_that_moment_are_reset_or_refused(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    async def ask(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        async with aiohttp.ClientSession() as session:
            try:
                await session.post(f"{api.emulator.url}/elsewhere")
                seen.append("answered")
            except aiohttp.ClientError as error:
                seen.append(type(error).__name__)

    for turns in range(12):
        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(ask, number)
            for _ in range(turns):
                await asyncio.sleep(0)
            api.emulator.control.refuse_connections()
        api.emulator.control.accept_connections()

    assert set(seen) <= {"ClientConnectorError", "ClientOSError", "ServerDisconnectedError", "answered"}
    assert len(seen) == 144
    assert caplog.messages == []
    assert (await api.get("/v1/projects")).status == 200


async def test_the_door_hears_that_it_was_closed(api: Any) -> None:
    for wrong in ({}, {"refused_for": None}, {"refused_for": "x"}, {"refused_for": 1, "x": 1}):
        assert (await api.door("PUT", "/connections", json=wrong)).status == 400
    async with aiohttp.ClientSession() as other:
        (await other.get(f"{api.emulator.url}/elsewhere")).close()
        assert (await api.door("PUT", "/connections", json={"refused_for": 60})).status == 204
        with pytest.raises(aiohttp.ClientConnectorError):
            await other.get(api.emulator.url)
    # The connection that told it is still there.
    assert (await api.door("PUT", "/connections", json={"refused_for": 0})).status == 204
    assert (await api.get("/v1/projects")).status == 200


async def test_an_emulator_that_refuses_connections_ends_as_any_other(serve: Any) -> None:
    before = asyncio.all_tasks()
    async with serve() as api:
        api.emulator.control.refuse_connections(100)
    assert asyncio.all_tasks() == before


async def test_the_clock_of_the_gateway_may_be_ahead_or_behind(serve: Any) -> None:
    limit = RateLimit(requests=1, per=60)
    async with serve(Scenario(skew=Skew(date=90)), rate_limit=limit) as api:
        api.emulator.control.set_readings(retry_after="date")
        first, refused = await api.trigger(), await api.get("/v1/projects")
        (run,) = api.emulator.control.executions()
        assert first.headers["Date"] == "Thu, 01 Jan 2026 00:01:30 GMT"
        assert run.started_at == 1767225600
        assert refused.headers["Retry-After"] == "Thu, 01 Jan 2026 00:02:30 GMT"
        assert api.emulator.control.set_skew(-90) == Skew(date=-90)
        assert (await api.get("/v1/projects")).headers["Date"] == "Wed, 31 Dec 2025 23:58:30 GMT"
        assert (await api.door("PUT", "/skew", json={"expiry": 5})).body == {"date": -90, "expiry": 5}
        assert (await api.door("PUT", "/skew", json={"date": "x"})).status == 400


@pytest.mark.parametrize(("expiry", "good_until"), [(0, 100), (30, 70), (-30, 130)])
async def test_tokens_end_by_the_clock_that_checks_them(serve: Any, expiry: float, good_until: float) -> None:
    async with serve(Scenario(token_lifetime=100, skew=Skew(expiry=expiry))) as api:
        token = (await api.sign_in()).body
        assert token["expires_in"] == 100
        api.emulator.control.advance(good_until - 1)
        await api.sign_in()
        assert (await api.get("/v1/projects", token=token["access_token"])).status == 200
        api.emulator.control.advance(1)
        assert (await api.get("/v1/projects", token=token["access_token"])).status == 401


async def test_faults_of_two_accounts_are_met_after_the_right_limit(serve: Any) -> None:
    people = [Credential(client_id=name, client_secret="s", account=name) for name in ("a", "b")]
    async with serve(Scenario(credentials=people)) as api:
        api.emulator.control.add_fault(Fault(path="/oauth/**", request={"client_id": "b"}, status=503))
        assert [(await api.sign_in(name, "s")).status for name in ("a", "b")] == [200, 503]
        accounts = api.emulator.control.statistics()["accounts"]
        assert [accounts[name]["requests"] for name in ("a", "b")] == [1, 1]


async def test_names_in_lists_may_be_paths(serve: Any) -> None:
    async with serve(Scenario.of(Pipeline(name="load"), Pipeline(name="a/b.orch.yaml"))) as api:
        api.emulator.control.set_readings(list_names="path")
        runs = [await api.started(name) for name in ("load", "a/b.orch.yaml")]

        async def listed(query: str) -> list[str]:
            return [item["pipelineName"] for item in (await api.get(f"/v1/pipeline-executions?{query}")).body["results"]]

        assert await listed("") == ["a/b.orch.yaml", "folder/load.orch.yaml"]
        assert await listed("pipelineName=load") == await listed("pipelineName=Folder/load.orch.yaml") == ["folder/load.orch.yaml"]
        assert (await api.get(f"{api.runs}/{runs[0]}")).body["result"]["pipelineName"] == "folder/load.orch.yaml"
        assert [run.pipeline_name for run in api.emulator.control.executions()] == ["load", "a/b.orch.yaml"]
        api.emulator.control.set_readings(list_names="sent")
        assert await listed("pipelineName=folder") == []


def test_a_fault_in_force_is_plain_data() -> None:
    item = FaultInForce(id="fault-1", fault=Fault(status=504), matched=1, hits=0)
    assert json.loads(json.dumps(attrs.asdict(item)))["fault"]["status"] == 504
