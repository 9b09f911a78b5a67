"""Each status that the API's pages name, and what they do not name but a client meets: one row, one rule."""

from __future__ import annotations

import io
from typing import Any

import pytest

from maia_async.emulator import Credential, Outcome, Pipeline, Scenario, Step

NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_a_trigger_answers_201_with_an_id_and_keeps_what_was_sent(api: Any) -> None:
    answer = await api.trigger(
        scalarVariables={"day": "monday"},
        gridVariables={"g": [["a", "b"]]},
        executionTag="t",
        versionName="1.1.0",
        agentId="agent",
        unknown=1,
    )

    assert (answer.status, answer.body) == (201, {"pipelineExecutionId": "1398aa31-af57-4a6a-9752-27c2e8556c3f"})
    (run,) = api.emulator.control.executions()
    assert (run.scalar_variables, run.grid_variables) == ({"day": "monday"}, {"g": [["a", "b"]]})
    assert (run.execution_tag, run.version_name, run.agent_id) == ("t", "1.1.0", "agent")


async def test_without_agent_and_version_the_environments_agent_and_the_latest_version_run(api: Any) -> None:
    await api.started()

    (run,) = api.emulator.control.executions()
    assert (run.agent_id, run.version_name) == ("3fa85f64-5717-4562-b3fc-2c963f66afaf", "1.1.1")


@pytest.mark.parametrize(
    ("body", "violations"),
    [
        ({}, ["pipelineName", "environmentName"]),
        ({"pipelineName": "", "environmentName": "x" * 256}, ["pipelineName", "environmentName"]),
        ({"pipelineName": 1, "environmentName": None}, ["pipelineName", "environmentName"]),
        (
            {"pipelineName": "p", "environmentName": "e", "agentId": 1, "executionTag": [], "versionName": {}},
            ["agentId", "versionName", "executionTag"],
        ),
        ({"pipelineName": "p", "environmentName": "e", "scalarVariables": {"a": 1, "b": "x"}}, ["scalarVariables.a"]),
        ({"pipelineName": "p", "environmentName": "e", "scalarVariables": []}, ["scalarVariables"]),
        (
            {"pipelineName": "p", "environmentName": "e", "gridVariables": {"a": ["x"], "b": [[1]], "c": [["x"]]}},
            ["gridVariables.a", "gridVariables.b"],
        ),
        ({"pipelineName": "p", "environmentName": "e", "gridVariables": "x"}, ["gridVariables"]),
    ],
)
async def test_a_body_that_does_not_fit_is_400_with_every_violation(api: Any, body: Any, violations: list[str]) -> None:
    answer = await api.call("POST", api.runs, json=body)

    assert answer.status == 400
    assert [text.partition(":")[0] for text in answer.body["violations"]] == violations
    assert api.emulator.control.executions() == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"pipelineName=x&environmentName=y"])
async def test_a_body_that_is_no_json_object_is_400(api: Any, content: bytes) -> None:
    answer = await api.call("POST", api.runs, data=content, headers={"Content-Type": "application/json"})

    assert (answer.status, answer.body["title"]) == (400, "Bad Request")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"environment": "nowhere"}, "environment"),
        ({"environment": ""}, "environment"),
        ({"pipeline": "nothing"}, "published pipeline"),
        ({"versionName": "0.0.1"}, "artifact version"),
    ],
)
async def test_what_is_not_there_is_404(api: Any, fields: dict[str, str], said: str) -> None:
    answer = await api.trigger(**fields)

    assert answer.status == 404
    assert answer.body["detail"].startswith(said)
    assert answer.body["instance"] == f"/dpc{api.runs}"


@pytest.mark.parametrize("project", [NOBODY, "not-a-uuid", "%2e%2e", "a%2Fb", "%00%0a", "x" * 10_000, "%F0%9F%92%A9"])
@pytest.mark.parametrize("path", ["environments", "published-pipelines", "pipeline-executions/1/status", "pipeline-executions/1"])
async def test_hostile_and_unknown_projects_are_404(api: Any, project: str, path: str) -> None:
    answer = await api.get(f"/v1/projects/{project}/{path}")

    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("run", [NOBODY, "..", "%2e%2e", "a%2Fb", "%00", "x" * 10_000, "%ff", "%zz"])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_hostile_and_unknown_executions_are_404(api: Any, method: str, run: str) -> None:
    body = {"json": {"forceUpdate": True, "status": "CANCELLED"}} if method == "PATCH" else {}
    answer = await api.call(method, f"{api.runs}/{run}", **body)

    assert (answer.status, answer.body["title"]) == (404, "Not Found")


async def test_an_execution_belongs_to_its_project(api: Any) -> None:
    run = await api.started()
    other = "3dda0acf-e646-4f4b-b4f6-e00449b69427"

    assert (await api.get(f"/v1/projects/{other}/pipeline-executions/{run}")).status == 404


async def test_a_pipeline_that_is_not_published_to_the_environment_is_404(serve: Any) -> None:
    async with serve(Scenario.of(Pipeline(name="p", environments=["Dev Env"]))) as api:
        assert (await api.trigger("p", "Dev Environment")).status == 404
        assert (await api.trigger("p", "Dev Env")).status == 201
        listed = [
            len((await api.get(f"/v1/projects/{api.project}/published-pipelines?environmentName={name}")).body["results"])
            for name in ("Dev%20Env", "Environment-1")
        ]
        assert listed == [1, 0]


async def test_a_disabled_pipeline_is_410_until_it_is_enabled(serve: Any) -> None:
    async with serve(Scenario.of(Pipeline(name="p", enabled=False))) as api:
        assert (await api.trigger("p")).status == 410
        api.emulator.control.enable("p")
        assert (await api.trigger("p")).status == 201
        api.emulator.control.disable("p")
        assert (await api.trigger("p")).status == 410


async def test_a_tag_is_taken_in_its_environment_until_the_run_has_ended(api: Any) -> None:
    run = await api.started(executionTag="t")
    assert (await api.trigger(executionTag="t")).status == 409
    assert (await api.trigger(environment="Dev Env", executionTag="t")).status == 201
    assert (await api.trigger(executionTag="other")).status == 201

    await api.cancel(run)
    assert (await api.trigger(executionTag="t")).status == 409, "CANCELLING holds the tag too"
    api.emulator.control.advance(2)

    assert (await api.trigger(executionTag="t")).status == 201


async def test_a_run_goes_from_running_to_its_outcome_after_its_duration(serve: Any) -> None:
    ends = [Outcome(status=end, message=f"it {end}") for end in ("SUCCESS", "FAILED", "SKIPPED", "FORBIDDEN")]
    async with serve(Scenario.of(Pipeline(name="p", duration=7, outcomes=ends))) as api:
        runs = [await api.started("p") for _ in ends]
        assert [await api.status(run) for run in runs] == ["RUNNING"] * 4
        api.emulator.control.advance(7)
        assert [await api.status(run) for run in runs] == ["SUCCESS", "FAILED", "SKIPPED", "FORBIDDEN"]
        details = (await api.get(f"{api.runs}/{runs[1]}")).body["result"]
        assert (details["message"], details["startedAt"], details["finishedAt"]) == (
            "it FAILED",
            "2026-01-01T00:00:00.000Z",
            "2026-01-01T00:00:07.000Z",
        )


async def test_a_cancel_takes_its_time_and_a_forced_one_takes_none(api: Any) -> None:
    slow, fast = await api.started(), await api.started()

    assert (await api.cancel(slow)).body == {"pipelineExecutionId": slow}
    assert (await api.cancel(fast, force=True)).status == 200

    assert [await api.status(run) for run in (slow, fast)] == ["CANCELLING", "CANCELLED"]
    api.emulator.control.advance(2)
    assert await api.status(slow) == "CANCELLED"
    assert (await api.cancel(slow)).status == 409


async def test_a_pipeline_may_ignore_a_graceful_cancel(serve: Any) -> None:
    async with serve(Scenario.of(Pipeline(name="p", duration=60, ignores_graceful_cancel=True))) as api:
        run = await api.started("p")
        assert (await api.cancel(run)).status == 200
        assert await api.status(run) == "RUNNING"
        await api.cancel(run, force=True)
        assert await api.status(run) == "CANCELLED"


@pytest.mark.parametrize(
    ("body", "violations"),
    [
        ({}, 2),
        ({"forceUpdate": True}, 1),
        ({"status": "CANCELLED"}, 1),
        ({"forceUpdate": "true", "status": "CANCELLED"}, 1),
        ({"forceUpdate": True, "status": "My pipeline"}, 1),
    ],
)
async def test_a_termination_needs_both_fields(api: Any, body: Any, violations: int) -> None:
    run = await api.started()
    answer = await api.call("PATCH", f"{api.runs}/{run}", json=body)

    assert (answer.status, len(answer.body["violations"])) == (400, violations)
    assert await api.status(run) == "RUNNING"


async def test_steps_appear_as_they_begin_and_the_last_one_has_no_times(api: Any) -> None:
    run = await api.started()
    api.emulator.control.advance(2)
    begun = (await api.get(f"{api.runs}/{run}/steps")).body["results"]
    assert [(step["name"], step["result"]["status"]) for step in begun] == [("Start", "SUCCESS"), ("Rewrite Table", "RUNNING")]
    api.emulator.control.advance(3)

    ended = (await api.get(f"{api.runs}/{run}/steps")).body["results"]

    assert [step["result"]["status"] for step in ended] == ["SUCCESS"] * 3
    assert ["startedAt" in step["result"] for step in ended] == [True, True, False]
    assert len({step["id"] for step in ended}) == 3


async def test_a_failed_run_fails_in_its_last_step_and_a_forbidden_one_has_none(serve: Any) -> None:
    failed, forbidden = (Pipeline(name=end, duration=1, outcomes=[Outcome(status=end)]) for end in ("FAILED", "FORBIDDEN"))
    async with serve(Scenario.of(failed, forbidden)) as api:
        runs = [await api.started(name) for name in ("FAILED", "FORBIDDEN")]
        api.emulator.control.advance(1)
        steps = [(await api.get(f"{api.runs}/{run}/steps")).body["results"] for run in runs]
        assert [step["result"]["status"] for step in steps[0]] == ["SUCCESS", "SUCCESS", "FAILED"]
        assert steps[1] == []


async def test_a_step_links_to_the_execution_that_it_started(serve: Any) -> None:
    async with serve(Scenario.of(Pipeline(name="p", steps=[Step(name="call", child="c")]), Pipeline(name="c", duration=1))) as api:
        run = await api.started("p")
        (step,) = (await api.get(f"{api.runs}/{run}/steps")).body["results"]
        child = step["childPipeline"]
        assert child["name"] == "c"
        assert (await api.get(f"{api.runs}/{child['id']}")).body["result"]["pipelineName"] == "c"


async def test_credentials_see_their_projects_only(serve: Any) -> None:
    own = "3dda0acf-e646-4f4b-b4f6-e00449b69427"
    scenario = Scenario(
        credentials=[
            Credential(client_id="emulator", client_secret="emulator"),
            Credential(client_id="one", client_secret="s", projects=[own]),
            Credential(client_id="none", client_secret="s", projects=[]),
        ],
        tokens={"token-of-one": "one", "token-of-none": "none"},
    )
    async with serve(scenario) as api:
        run = await api.started()
        ids = [[item["id"] for item in (await api.get("/v1/projects", token=f"token-of-{who}")).body["results"]] for who in ("one", "none")]
        assert ids == [[own], []]
        assert (await api.get(f"{api.runs}/{run}", token="token-of-one")).status == 403
        assert (await api.get("/v1/pipeline-executions", token="token-of-one")).body["results"] == []


async def test_an_unknown_path_is_404_and_a_wrong_method_405_with_allow(api: Any) -> None:
    unknown = await api.get("/v1/nothing")
    wrong = await api.call("DELETE", f"{api.runs}/{NOBODY}")
    outside = await api.get(f"{api.emulator.url}/elsewhere")

    assert (unknown.status, outside.status, wrong.status, wrong.headers["Allow"]) == (404, 404, 405, "GET, PATCH")
    assert (await api.get(f"/v1/projects/{api.project}/pipeline-executions/")).status == 404


async def test_a_body_over_1_mib_is_413(api: Any) -> None:
    answer = await api.call("POST", api.runs, data=io.BytesIO(b'{"pipelineName": "' + b"x" * 1024 * 1024 + b'"}'))

    assert (answer.status, answer.headers["Content-Type"]) == (413, "application/problem+json")


async def test_page_numbered_lists_count_from_zero_hold_25_and_end_with_an_empty_page(serve: Any) -> None:
    async with serve(Scenario.of(*(Pipeline(name=f"p{number}") for number in range(130)))) as api:
        path = f"/v1/projects/{api.project}/published-pipelines"
        pages = [(await api.get(f"{path}{query}")).body for query in ("", "?page=5", "?page=6", "?size=100&page=1", "?size=1000")]
        assert [(page["page"], page["size"], page["total"], len(page["results"])) for page in pages] == [
            (0, 25, 130, 25),
            (5, 25, 130, 5),
            (6, 25, 130, 0),
            (1, 100, 130, 30),
            (0, 100, 130, 100),
        ]


@pytest.mark.parametrize("query", ["page=-1", "page=x", "size=0", "size=-5", "size=x", "page=99999999999"])
async def test_page_parameters_that_do_not_fit_are_400(api: Any, query: str) -> None:
    answer = await api.get(f"/v1/projects?{query}")

    assert (answer.status, len(answer.body["violations"])) == (400, 1)
