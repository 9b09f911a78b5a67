"""Every switch does what its line says, and the covering list covers."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from maia_async.emulator import Pipeline, Readings, Scenario, StreamScript
from maia_async.emulator.definitions import example
from maia_async.errors import ConfigurationError
from maia_async.policies import RateLimit


def test_the_covering_lists_hold_each_value_of_each_field_and_the_default_first() -> None:
    for every, of_list in ((Readings.every(), False), (Readings.every_list(), True)):
        assert every[0] == Readings()
        for item in attrs.fields(Readings):
            values = set(item.metadata["values"]) if ("list" in item.metadata) is of_list else {item.default}
            assert {getattr(reading, item.name) for reading in every} == values
        assert len(every) == len(set(every))


@pytest.mark.parametrize(
    "change",
    [
        {"details": "deep"},
        {"trigger_status": 200},
        {"details_project_id": 1},
        {"streaming_duplicate_name": "409"},
        {"max_page_size": 0},
        {"list_ignores": ["limit"]},
    ],
)
def test_a_reading_that_does_not_exist_is_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        Readings(**change)


async def details(api: Any, **readings: Any) -> Any:
    api.emulator.control.set_readings(Readings(**readings))
    return (await api.get(f"{api.runs}/{api.emulator.control.executions()[0].id}")).body


async def test_details(api: Any) -> None:
    await api.started()
    nested = await details(api)
    assert set(nested) == {"result"}
    assert "projectId" not in nested["result"]
    assert await details(api, details="flat", details_project_id=True) == {**nested["result"], "projectId": api.project}
    guide = await details(api, details="guide")
    assert set(guide["result"]) == {"finishedAt", "message", "startedAt", "status"}
    assert guide["result"]["status"] == "RUNNING"


async def test_fields_that_are_null_or_unknown_and_lower_case_words(api: Any) -> None:
    await api.started()
    body = (await details(api, null_fields="null", extra_fields=True, status_case="lower"))["result"]

    assert (body["finishedAt"], body["user"], body["status"]) == (None, None, "running")
    assert "futureField" in body


async def test_page_envelopes(serve: Any) -> None:
    async with serve(Scenario.of(*(Pipeline(name=f"p{number}") for number in range(12)))) as api:
        path = f"/v1/projects/{api.project}/published-pipelines"

        async def envelope(query: str, **readings: Any) -> Any:
            api.emulator.control.set_readings(Readings(**readings))
            answer = await api.get(f"{path}{query}")
            body = answer.body
            return (body["page"], len(body["results"]), body["size"], body["total"]) if answer.status == 200 else answer.status

        assert await envelope("?size=5", page_numbers="zero") == (0, 5, 0, 0)
        assert await envelope("?size=5&page=2", page_index_base=0) == (2, 2, 5, 12)
        assert await envelope("?size=5&page=2", page_index_base=1) == (2, 5, 5, 12)
        assert await envelope("?size=5&page=0", page_index_base=1) == (1, 5, 5, 12)
        assert await envelope("?size=5", page_index_base=1) == (1, 5, 5, 12)
        assert await envelope("?size=100", max_page_size=10) == (0, 10, 10, 12)
        assert await envelope("", max_page_size=10) == (0, 10, 10, 12)
        assert await envelope("?size=100", max_page_size=10, page_size_over="refuse") == 400
        assert await envelope("", published_pipelines_environment="required") == 400
        assert await envelope("?environmentName=Dev%20Env", published_pipelines_environment="required") == (0, 12, 25, 12)


async def test_trigger_and_tag_conflict(api: Any) -> None:
    api.emulator.control.set_readings(trigger_status=202, trigger_body="id", conflict_body="error")
    first, second = await api.trigger(executionTag="t"), await api.trigger(executionTag="t")

    assert (first.status, set(first.body)) == (202, {"id"})
    assert (second.status, second.body) == (409, {"error": "A pipeline execution with this tag is already running.", "status": 409})


async def test_status_and_steps(api: Any) -> None:
    run = await api.started()
    answers = []
    for reading in ("flat", "nested", "missing"):
        api.emulator.control.set_readings(status_endpoint=reading, steps_shape="steps")
        answers.append(await api.get(f"{api.runs}/{run}/status"))

    assert [answer.status for answer in answers] == [200, 200, 404]
    assert [answer.body for answer in answers[:2]] == [{"status": "RUNNING"}, {"result": {"status": "RUNNING"}}]
    assert set((await api.get(f"{api.runs}/{run}/steps")).body) == {"steps"}


@pytest.mark.parametrize(("patch_status", "has_body"), [(200, True), (202, True), (204, False)])
async def test_cancel(api: Any, patch_status: int, has_body: bool) -> None:
    api.emulator.control.set_readings(patch_status=patch_status)
    answer = await api.cancel(await api.started())

    assert (answer.status, answer.body is not None) == (patch_status, has_body)


@pytest.mark.parametrize("status", [409, 400, 200, 404])
async def test_cancel_of_an_ended_run(api: Any, status: int) -> None:
    api.emulator.control.set_readings(patch_finished=status)
    run = await api.started()
    api.emulator.control.finish(run)

    assert (await api.cancel(run, force=True)).status == status
    assert await api.status(run) == "SUCCESS"


STREAMS = "/v1/projects/3dda0acf-e646-4f4b-b4f6-e00449b69427/streaming-pipelines"


async def created(api: Any, **changes: Any) -> Any:
    return await api.call("POST", STREAMS, json={**example("n", "2734aa6f-0c64-4d2b-9406-f44dc8f1f3b6"), **changes})


async def commanded(api: Any, word: str) -> int:
    stream = api.emulator.control.streams()[0].id
    return int((await api.call("POST", f"{STREAMS}/{stream}/commands", json={"command": word})).status)


@pytest.mark.parametrize("status", [202, 200])
async def test_a_command_has_its_success_status_and_no_body(api: Any, status: int) -> None:
    api.emulator.control.set_readings(streaming_command_status=status)
    stream = (await created(api)).body["streamingPipelineId"]

    answer = await api.call("POST", f"{STREAMS}/{stream}/commands", json={"command": "START"})

    assert (answer.status, answer.raw) == (status, b"")


@pytest.mark.parametrize(("case", "word"), [("upper", "NOT_RUNNING"), ("lower", "not_running")])
async def test_the_states_of_streams_have_the_case_of_the_reading(api: Any, case: str, word: str) -> None:
    api.emulator.control.set_readings(status_case=case)
    stream = (await created(api)).body["streamingPipelineId"]

    assert (await api.get(f"{STREAMS}/{stream}/status")).body == {"status": word}


async def test_definitions_with_the_project_with_nulls_and_with_words_in_upper_case(api: Any) -> None:
    target = {"type": "s3", "bucket": "b", "decimalMapping": "legacy"}
    plain = (await created(api, streamingTarget=target)).body
    assert plain["streamingTarget"] == target
    assert "projectId" not in plain
    api.emulator.control.set_readings(definition_project_id=True, definition_words="upper", extra_fields=True)

    full = (await api.get(f"{STREAMS}/{plain['streamingPipelineId']}")).body

    assert full["projectId"] == "3dda0acf-e646-4f4b-b4f6-e00449b69427"
    assert full["streamingTarget"] == {**target, "decimalMapping": "LEGACY"}
    assert "futureField" in full
    api.emulator.control.set_readings(Readings(null_fields="null"))
    nulls = (await api.get(STREAMS)).body["results"][0]
    assert (nulls["projectId"], nulls["advancedProperties"]) == (None, None)


async def test_the_problems_of_a_definition_may_be_violations(api: Any) -> None:
    api.emulator.control.set_readings(definition_errors="violations")
    answer = await created(api, name="", streamingSource=None)

    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert answer.body["violations"] == ["name: must not be empty", "streamingSource: must not be null"]


@pytest.mark.parametrize(("reading", "status"), [("allow", 200), (409, 409)])
async def test_a_second_pipeline_of_the_same_name(api: Any, reading: str | int, status: int) -> None:
    api.emulator.control.set_readings(streaming_duplicate_name=reading)
    assert (await created(api)).status == 201
    assert (await created(api)).status == (201 if status == 200 else 409)
    other = (await created(api, name="other")).body

    assert (await api.call("PUT", f"{STREAMS}/{other['streamingPipelineId']}", json={**other, "name": "n"})).status == status
    assert (await api.call("PUT", f"{STREAMS}/{other['streamingPipelineId']}", json=other)).status == 200, "its own name is free"


@pytest.mark.parametrize("status", [204, 409])
async def test_delete_of_a_running_pipeline(api: Any, status: int) -> None:
    api.emulator.control.set_readings(streaming_delete_running=status)
    stream = (await created(api)).body["streamingPipelineId"]
    await commanded(api, "START")

    assert (await api.call("DELETE", f"{STREAMS}/{stream}")).status == status
    if status == 409:
        await commanded(api, "STOP")
        api.emulator.control.advance(2)
        assert (await api.call("DELETE", f"{STREAMS}/{stream}")).status == 204
    assert api.emulator.control.streams() == []


@pytest.mark.parametrize(("reading", "status"), [("refused", 500), ("accepted", 202)])
async def test_a_command_while_the_agent_is_out_of_reach(serve: Any, reading: str, status: int) -> None:
    async with serve(Scenario(streams=[StreamScript(unreachable=[[0, 60]])]), readings=Readings(streaming_unreachable=reading)) as api:
        await created(api)
        assert await commanded(api, "START") == 202
        assert await commanded(api, "STOP") == status


@pytest.mark.parametrize(("reading", "sent"), [("seconds", "60"), ("date", "Thu, 01 Jan 2026 00:01:00 GMT"), ("absent", None)])
async def test_retry_after(serve: Any, reading: str, sent: str | None) -> None:
    async with serve(readings=Readings(retry_after=reading), rate_limit=RateLimit(requests=1)) as api:
        await api.get("/v1/projects")
        assert (await api.get("/v1/projects")).headers.get("Retry-After") == sent
