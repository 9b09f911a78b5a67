"""Every public call with its types: checked by mypy --strict, never executed. A change here is a change that callers see."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import assert_type

import aiohttp

from maia_async import (
    AUTO,
    Auth,
    Batch,
    BatchReport,
    ClientCredentials,
    Environment,
    Event,
    ExecutionDetails,
    ExecutionRequest,
    ExecutionStatus,
    ExecutionStep,
    Maia,
    Outcome,
    OutcomeState,
    Page,
    Pager,
    PipelineExecution,
    PollPolicy,
    Project,
    ProjectSummary,
    PublishedPipeline,
    RateLimit,
    Region,
    Response,
    RestartPolicy,
    RetryPolicy,
    StaticToken,
    Statistics,
    StreamingPipeline,
    StreamingPipelineDefinition,
    StreamingState,
    SupervisedState,
    SupervisorEvent,
    Timeouts,
    TriggerPolicy,
    WaitTimeout,
    run_batch,
    supervise,
)
from maia_async.emulator import Emulator


class OwnAuth:
    async def authorization(self) -> str:
        return "Bearer x"

    def forget(self, authorization: str) -> None: ...


def observer(event: Event) -> None: ...


async def root(http: aiohttp.ClientSession) -> None:
    auth: Auth = OwnAuth()
    Maia(auth=StaticToken("t"))
    Maia(auth=auth, region=Region.US1)
    maia = Maia(
        auth=ClientCredentials("id", "secret", token_url="https://x/token", audience=None),
        region="eu1",
        base_url=None,
        token_url=None,
        project_id="p",
        retry=RetryPolicy(max_tries=3),
        rate_limit=None,
        poll=PollPolicy(min_interval=2.0),
        trigger=TriggerPolicy(settle=5.0),
        timeout=Timeouts(connect=5.0),
        http=http,
        observers=[observer],
    )
    assert_type(Maia.from_env(), Maia)
    assert_type(Maia.from_env({"MAIA_TOKEN": "t"}, rate_limit=RateLimit(requests=100)), Maia)
    assert_type(await maia.request("GET", "/v1/agents", params={"page": 0}), Response)
    assert_type(maia.statistics(), Statistics)
    _ = assert_type(maia.projects.list(), Pager[ProjectSummary])
    assert_type(await maia.projects.get("n"), ProjectSummary)
    assert_type(maia.project(), Project)
    await maia.aclose()


async def project(project: Project) -> None:
    assert_type(await project.environments.list(), Page[Environment])
    assert_type(await project.environments.get("e"), Environment)
    assert_type([item async for item in project.pipelines.list("e")], list[PublishedPipeline])
    assert_type([page async for page in project.executions.list(status=ExecutionStatus.RUNNING).pages()], list[Page[ExecutionDetails]])
    execution = await project.execute(
        "p", "e", agent_id="a", version_name="1", execution_tag=None, scalar_variables={"a": "b"}, grid_variables={"g": [["c"]]}
    )
    _ = assert_type(execution, PipelineExecution)
    _ = assert_type(project.execution("id"), PipelineExecution)


async def hand_over(maia: Maia) -> None:
    _ = assert_type(maia.execution_from("{}"), PipelineExecution)


async def execution(execution: PipelineExecution) -> None:
    assert_type(await execution, ExecutionDetails)
    assert_type(await execution.wait(5, check=False, on_cancel="cancel", on_timeout="leave"), ExecutionDetails)
    assert_type(await execution.wait(5, on_cancel="confirm", on_timeout="confirm"), ExecutionDetails)
    assert_type(execution.reference, str)
    assert_type(WaitTimeout("text", execution=execution).reference, str | None)
    assert_type(await execution.details(), ExecutionDetails)
    assert_type(await execution.status(), ExecutionStatus)
    _ = assert_type(execution.steps(), Pager[ExecutionStep])
    assert_type([details async for details in execution.watch()], list[ExecutionDetails])
    await execution.cancel(force=True)
    assert_type(await execution.cancel_and_confirm(timeout=60), ExecutionDetails)
    assert_type(execution.last_details, ExecutionDetails | None)


async def batch(project: Project) -> None:
    request = ExecutionRequest(pipeline_name="p", environment_name="e", execution_tag=AUTO)
    async with Batch(project, [request], max_running=5, on_failure="stop", on_cancel="confirm", stop_signal=asyncio.Event()) as running:
        async for outcome in running:
            assert_type(outcome, Outcome)
            assert_type(outcome.state, OutcomeState)
    assert_type(running.report(), BatchReport)
    assert_type(running.outstanding, tuple[PipelineExecution, ...])

    async def told(outcome: Outcome) -> None: ...

    assert_type(await run_batch(project, [request], on_outcome=told, on_cancel="cancel"), BatchReport)


async def emulator() -> None:
    async with Emulator(speed=10) as emulator, emulator.client() as maia:
        assert_type(emulator.url, str)
        assert_type(maia, Maia)


async def streaming(project: Project) -> None:
    definition = StreamingPipelineDefinition.from_file("f.json")
    pipeline = await project.streaming_pipelines.create(definition)
    _ = assert_type(pipeline, StreamingPipeline)
    assert_type(await pipeline, StreamingState)
    assert_type(await pipeline.wait_for("STREAMING", "SNAPSHOTTING", timeout=5), StreamingState)
    assert_type(await pipeline.definition(), StreamingPipelineDefinition)
    await pipeline.ensure_streaming(timeout=60, start_grace=30)
    await pipeline.ensure_stopped()
    assert_type([item async for item in project.streaming_pipelines.list()], list[StreamingPipelineDefinition])
    async with supervise([pipeline], restart=RestartPolicy(max_restarts=5), on_exit="stop") as supervisor:
        async for event in supervisor:
            assert_type(event, SupervisorEvent)
        assert_type(supervisor.states, Mapping[str, SupervisedState])
