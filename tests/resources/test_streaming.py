"""A streaming pipeline as a handle, against the emulator's timelines in exact virtual time and under every reading."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from orchestration.stepping import SteppingLoop
from scripted import Scripted, Step, answer, garbage, html, stall

from maia_async import (
    BadRequest,
    ConfigurationError,
    Conflict,
    Forbidden,
    InvalidRequest,
    Maia,
    MisuseError,
    NotFound,
    RequestFinished,
    ServerError,
    SessionClosed,
    StaticToken,
    StatusUnavailable,
    StreamingChanged,
    StreamingPipeline,
    StreamingPipelineDefinition,
    StreamingState,
    StreamingStopped,
    UnknownValueSeen,
    WaitTimeout,
)
from maia_async.emulator import Credential, Emulator, Readings, Scenario, StreamScript

GUIDE: Final[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "samples" / "streaming-pipeline.json").read_text(encoding="utf-8"))
PROJECT: Final = "3dda0acf-e646-4f4b-b4f6-e00449b69427"
NOBODY: Final = "00000000-0000-4000-8000-000000000000"
PATH: Final = f"/v1/projects/{PROJECT}/streaming-pipelines"


class Stage:
    """One pipeline on an emulator with a client of it; what happens is counted from now."""

    def __init__(self, emulator: Emulator, maia: Maia, script: dict[str, Any], *, started_ago: float | None = None) -> None:
        self.emulator = emulator
        self.control = emulator.control
        self.id = self.control.create_stream("s", script=StreamScript(**script), started_ago=started_ago)[0]
        self.pipeline = maia.project(PROJECT).streaming_pipeline(self.id)
        self.began = self.now()

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()

    @property
    def elapsed(self) -> float:
        return round(self.now() - self.began, 3)

    def commands(self) -> list[str]:
        return [seen.body["command"] for seen in self.control.requests(method="POST", path_contains=self.id)]

    def reads(self) -> list[float]:
        """When the state was read."""
        begin = self.control.now - self.elapsed
        return [round(seen.at - begin, 3) for seen in self.control.requests(method="GET", path_contains=f"{self.id}/status")]

    def later(self, seconds: float, action: Callable[[str], object]) -> None:
        """Somebody else does something to the pipeline."""
        asyncio.get_running_loop().call_later(seconds, action, self.id)


@pytest.fixture
async def stage(emulator: Emulator, maia: Maia) -> AsyncIterator[Callable[..., Stage]]:
    yield lambda script=None, **options: Stage(emulator, maia, script or {}, **options)
    assert ours() == []


def ours() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("maia_async")]


def words(error: Any) -> list[str]:
    return [word.value for word, _ in error.timeline]


# What a wait for STREAMING right after a START sees, when it ends, and how. Reads at 0, 3, 6 … 60, then 75, 90 …
@pytest.mark.parametrize(
    ("script", "ends", "timeline"),
    [
        ({}, 33, "STARTING SNAPSHOTTING STREAMING"),
        ({"snapshot": "never"}, 3, "STARTING STREAMING"),
        ({"starting": 0, "snapshotting": 0}, 0, "STREAMING"),
        ({"start_lag": 1.5}, 33, "NOT_RUNNING SNAPSHOTTING STREAMING"),
        ({"start_lag": 50, "starting": 55}, 90, "NOT_RUNNING STARTING SNAPSHOTTING STREAMING"),
        ({"starting": 10, "snapshotting": 10_792}, 10_815, "STARTING SNAPSHOTTING STREAMING"),
        ({"unreachable": [[5, 20]]}, 33, "STARTING SNAPSHOTTING UNKNOWN SNAPSHOTTING STREAMING"),
        ({"unreachable": [[0, 500]]}, 510, "UNKNOWN STREAMING"),
    ],
)
async def test_a_start_is_awaited_until_it_streams(stage: Any, script: Any, ends: float, timeline: str) -> None:
    on = stage(script)
    await on.pipeline.start()

    assert await on.pipeline is StreamingState.STREAMING

    assert on.elapsed == ends
    assert [sight.word.value for _, sight in on.pipeline.watched.changes()] == timeline.split()
    assert on.pipeline.last_state is StreamingState.STREAMING
    assert repr(on.pipeline) == f"<StreamingPipeline {on.id} STREAMING>"


@pytest.mark.parametrize(
    ("script", "action", "ends", "timeline"),
    [
        ({"refuses_to_start": "stays"}, None, 75, "NOT_RUNNING"),  # the first read later than start_grace
        ({"refuses_to_start": "returns"}, None, 3, "STARTING NOT_RUNNING"),
        ({"refuses_to_start": "returns", "start_lag": 2}, None, 75, "NOT_RUNNING"),
        ({"flaps_every": 20}, None, 21, "STARTING SNAPSHOTTING NOT_RUNNING"),
        ({"flaps_every": 20, "unreachable": [[5, 25]]}, None, 30, "STARTING SNAPSHOTTING UNKNOWN NOT_RUNNING"),
        ({"flaps_every": 20, "unreachable": [[0, 25]]}, None, 75, "UNKNOWN NOT_RUNNING"),
        ({"snapshotting": 10_800}, (7000, "drop_stream"), 7005, "STARTING SNAPSHOTTING NOT_RUNNING"),
        ({"stop_seconds": 9}, (10, "stop_stream"), 12, "STARTING SNAPSHOTTING STOPPING"),
        ({"stop_seconds": 1}, (10, "stop_stream"), 12, "STARTING SNAPSHOTTING NOT_RUNNING"),
    ],
)
async def test_a_pipeline_that_stops_on_its_way_is_told_with_its_timeline(
    stage: Any, script: Any, action: Any, ends: float, timeline: str
) -> None:
    on = stage(script)
    await on.pipeline.start()
    if action is not None:
        on.later(action[0], getattr(on.control, action[1]))

    with pytest.raises(StreamingStopped) as caught:
        await on.pipeline

    assert on.elapsed == ends
    assert words(caught.value) == timeline.split()
    assert caught.value.pipeline.id == on.id
    assert str(caught.value) == f"streaming pipeline {on.id} stopped on its way to STREAMING: {' -> '.join(timeline.split())}"
    assert on.commands() == ["START"]


async def test_without_a_start_of_ours_the_grace_counts_from_the_wait(stage: Any) -> None:
    on = stage()
    with pytest.raises(StreamingStopped):
        await on.pipeline.wait_for("STREAMING", start_grace=10)
    assert on.elapsed == 12

    on.later(20, on.control.start_stream)
    assert await on.pipeline is StreamingState.STREAMING


async def test_one_of_several_states_is_enough_and_their_case_does_not_matter(stage: Any) -> None:
    on = stage({"flaps_every": 20})
    await on.pipeline.start()

    assert await on.pipeline.wait_for("snapshotting", "Streaming") is StreamingState.SNAPSHOTTING
    assert on.elapsed == 3
    assert await on.pipeline.wait_for("NOT_RUNNING", StreamingState.STREAMING) is StreamingState.NOT_RUNNING
    assert on.elapsed == 22  # a new wait looks a second after the last look, at 4, and then every 3 s


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((), {}, "name at least one state"),
        (("RUNNING",), {}, "'RUNNING' is not a state of a streaming pipeline; known are STARTING"),
        ((5,), {}, "a state must be text, is 5"),
        ((None,), {}, "a state must be text"),
        (("STREAMING",), {"timeout": -1}, "timeout must be"),
        (("STREAMING",), {"timeout": float("nan")}, "timeout must be"),
        (("STREAMING",), {"start_grace": "60"}, "start_grace must be"),
    ],
)
async def test_nonsense_is_refused_before_anything_is_sent(stage: Any, arguments: Any, options: Any, said: str) -> None:
    on = stage()
    with pytest.raises(ConfigurationError, match=said):
        await on.pipeline.wait_for(*arguments, **options)
    assert on.control.requests() == []


@pytest.mark.parametrize("timeout", [-1, float("nan"), "5", True])
async def test_nonsense_timeouts_of_ensure_are_refused(stage: Any, timeout: Any) -> None:
    on = stage()
    for ensure in (on.pipeline.ensure_streaming, on.pipeline.ensure_stopped):
        with pytest.raises(ConfigurationError, match="timeout"):
            await ensure(timeout)
    assert on.control.requests() == []


async def test_a_second_wait_is_answered_at_once_and_within_a_second_without_another_read(stage: Any) -> None:
    on = stage(started_ago=1000)
    await on.pipeline
    await on.pipeline
    assert (on.elapsed, on.reads()) == (0, [0])

    # Long after the minute of frequent reads: a new wait does not have to sit through the calm interval.
    await anyio.sleep(500)
    await on.pipeline
    await anyio.sleep(5)
    await on.pipeline
    assert (on.elapsed, on.reads()) == (505, [0, 500, 505])


async def test_what_was_seen_before_a_command_is_not_its_effect(stage: Any) -> None:
    on = stage({"stop_seconds": 0.1}, started_ago=1000)
    await on.pipeline
    await anyio.sleep(0.2)
    await on.pipeline.stop()
    await anyio.sleep(0.2)
    assert await on.pipeline.wait_for("NOT_RUNNING", "STREAMING") is StreamingState.NOT_RUNNING


async def test_a_state_that_nobody_knows_is_ridden_out_and_told_once(emulator: Emulator) -> None:
    events: list[Any] = []
    async with emulator.client(observers=[events.append]) as maia:
        on = Stage(emulator, maia, {}, started_ago=1000)
        on.control.set_stream_state(on.id, "PAUSED")
        on.later(20, lambda stream: on.control.set_stream_state(stream, None))
        await on.pipeline
        await on.pipeline.ensure_streaming()

    assert [event.value for event in events if isinstance(event, UnknownValueSeen)] == ["PAUSED"]
    changes = [(event.previous, event.current, event.pipeline_id) for event in events if isinstance(event, StreamingChanged)]
    assert changes == [(None, "PAUSED", on.id), ("PAUSED", "STREAMING", on.id)]


async def test_after_a_command_reads_come_every_few_seconds_for_a_minute_and_then_settle(stage: Any) -> None:
    on = stage({"stuck_starting": True})
    await on.pipeline.start()
    on.later(200, lambda _: None)
    with pytest.raises(WaitTimeout):
        await on.pipeline.wait_for("STREAMING", timeout=200)

    assert on.reads() == [*range(0, 61, 3), *range(75, 200, 15), 200]

    before = len(on.reads())
    await on.pipeline.stop()
    with pytest.raises(WaitTimeout):
        await on.pipeline.wait_for("SNAPSHOTTING", timeout=100)
    assert on.reads()[before:] == [*range(201, 262, 3), 276, 291, 300]


async def test_a_command_hastens_a_wait_that_is_under_way(stage: Any) -> None:
    on = stage(started_ago=1000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(on.pipeline.wait_for, "NOT_RUNNING")
        await anyio.sleep(481)
        await on.pipeline.stop()
    assert on.reads()[-3:] == [480, 482, 485]


async def test_wait_timeout_has_the_handle_and_the_states_seen(stage: Any) -> None:
    on = stage({"starting": 5, "snapshotting": 1000})
    await on.pipeline.start()

    with pytest.raises(WaitTimeout) as caught:
        await on.pipeline.wait_for("STREAMING", timeout=10)

    assert on.elapsed == 10
    assert words(caught.value) == ["STARTING", "SNAPSHOTTING"]
    assert [(at - caught.value.timeline[0][1]).total_seconds() >= 0 for _, at in caught.value.timeline] == [True, True]
    assert isinstance(caught.value.execution, StreamingPipeline)
    assert caught.value.last_details is StreamingState.SNAPSHOTTING
    assert str(caught.value) == f"streaming pipeline {on.id} has not got there after 10 s: STARTING -> SNAPSHOTTING"
    assert await caught.value.execution is StreamingState.STREAMING


# What ensure_* does from each state. `prepare` happens before it, `meanwhile` so many seconds after its beginning.
@pytest.mark.parametrize(
    ("verb", "script", "started_ago", "prepare", "commands", "ends"),
    [
        ("ensure_streaming", {}, None, None, ["START"], 34),  # reads at 0, 1, 4 … 31, 34
        ("ensure_streaming", {"snapshot": "never"}, None, None, ["START"], 4),
        ("ensure_streaming", {}, 1, None, [], 31),  # STARTING: joined
        ("ensure_streaming", {}, 20, None, [], 13),  # SNAPSHOTTING: joined; it streams at 12
        ("ensure_streaming", {}, 100, None, [], 0),
        ("ensure_streaming", {"stop_seconds": 9, "snapshot": "never"}, 100, "stop_stream", ["START"], 14),  # STOPPING: its end, then START
        ("ensure_streaming", {"unreachable": [[99, 20]]}, 100, None, [], 19),  # UNKNOWN: until it is told
        ("ensure_streaming", {"start_lag": 2}, None, None, ["START"], 34),
        ("ensure_stopped", {}, 100, None, ["STOP"], 4),
        ("ensure_stopped", {}, 1, None, ["STOP"], 4),
        ("ensure_stopped", {}, 20, None, ["STOP"], 4),
        ("ensure_stopped", {}, None, None, [], 0),
        ("ensure_stopped", {"stop_seconds": 9}, 100, "stop_stream", [], 10),
        ("ensure_stopped", {"unreachable": [[99, 20]]}, 100, None, ["STOP"], 23),
    ],
)
async def test_ensure_does_what_is_needed_and_again_does_nothing(
    stage: Any, verb: str, script: Any, started_ago: float | None, prepare: str | None, commands: list[str], ends: float
) -> None:
    on = stage(script, started_ago=started_ago)
    if prepare is not None:
        getattr(on.control, prepare)(on.id)

    assert await getattr(on.pipeline, verb)() is None

    assert (on.commands(), on.elapsed) == (commands, ends)
    assert on.control.stream(on.id).status == ("STREAMING" if verb == "ensure_streaming" else "NOT_RUNNING")
    await getattr(on.pipeline, verb)()
    await getattr(on.pipeline, verb)(timeout=0)
    assert (on.commands(), on.elapsed) == (commands, ends)


async def test_ensure_of_many_at_once_sends_what_one_sends(stage: Any) -> None:
    on = stage()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(on.pipeline.ensure_streaming)
    assert on.control.stream(on.id).starts == 1
    assert on.elapsed <= 40


class Meddler:
    """Somebody else who acts between our read of the state and our command: an observer hears of the read just then."""

    def __init__(self) -> None:
        self.actions: list[Callable[[], object]] = []

    def __call__(self, event: Any) -> None:
        if isinstance(event, RequestFinished) and event.path.endswith("/status") and self.actions:
            self.actions.pop(0)()


@pytest.mark.parametrize(
    ("verb", "script", "started_ago", "action", "answers", "ends"),
    [
        ("ensure_streaming", {}, None, "start_stream", [409], 32),  # read again after 1 s: STARTING, so wait
        ("ensure_streaming", {"starting": 0, "snapshotting": 0}, None, "start_stream", [409], 1),
        ("ensure_stopped", {}, 100, "stop_stream", [202], 4),  # a second STOP is accepted
        ("ensure_stopped", {"stop_seconds": 0}, 100, "stop_stream", [409], 1),
        ("ensure_stopped", {}, 100, "drop_stream", [409], 1),
        # Somebody's START shows NOT_RUNNING for 20 s: refused at 0, 1, 3, 6, 10, 15; seen at 20.
        ("ensure_streaming", {"start_lag": 19, "starting": 30}, None, "start_stream", [409] * 6, 60),
    ],
)
async def test_a_race_with_somebody_else_is_looked_at_and_decided_again(
    emulator: Emulator, verb: str, script: Any, started_ago: float | None, action: str, answers: list[int], ends: float
) -> None:
    meddler = Meddler()
    async with emulator.client(observers=[meddler]) as maia:
        on = Stage(emulator, maia, script, started_ago=started_ago)
        meddler.actions.append(lambda: getattr(on.control, action)(on.id))
        await getattr(on.pipeline, verb)()

        assert [seen.status for seen in on.control.requests(method="POST", path_contains=on.id)] == answers
        assert on.elapsed == ends
        assert on.control.stream(on.id).starts == (0 if started_ago is None and verb == "ensure_stopped" else 1)


async def test_a_refusal_that_contradicts_the_state_for_a_minute_is_raised(stage: Any) -> None:
    on = stage({"refuses_to_start": 409})
    with pytest.raises(Conflict):
        await on.pipeline.ensure_streaming()
    assert 60 <= on.elapsed <= 65
    assert len(on.commands()) <= 16


async def test_a_refusal_that_ends_within_the_minute_does_no_harm(stage: Any) -> None:
    on = stage({"refuses_to_start": 409, "refusals": 3, "snapshot": "never"})
    await on.pipeline.ensure_streaming()
    assert on.commands() == ["START"] * 4
    assert on.elapsed == 10  # refused at 0, 1, 3; accepted at 6, read at 7 and 10


async def test_other_refusals_of_a_command_are_raised_at_once_and_not_repeated(stage: Any) -> None:
    on = stage({"refuses_to_start": 500})
    with pytest.raises(ServerError):
        await on.pipeline.ensure_streaming()
    assert (on.commands(), on.elapsed) == (["START"], 0)


async def test_start_and_stop_themselves_tell_a_conflict(stage: Any) -> None:
    on = stage()
    with pytest.raises(Conflict):
        await on.pipeline.stop()
    await on.pipeline.start()
    with pytest.raises(Conflict):
        await on.pipeline.start()
    assert on.commands() == ["STOP", "START", "START"]


@pytest.mark.parametrize(
    ("script", "timeline"),
    [
        ({"refuses_to_start": "returns"}, "NOT_RUNNING STARTING NOT_RUNNING"),
        ({"flaps_every": 9}, "NOT_RUNNING STARTING SNAPSHOTTING NOT_RUNNING"),
    ],
)
async def test_ensure_streaming_does_not_restart_what_stops_on_its_way(stage: Any, script: Any, timeline: str) -> None:
    on = stage(script)
    with pytest.raises(StreamingStopped) as caught:
        await on.pipeline.ensure_streaming()
    assert words(caught.value) == timeline.split()
    assert on.commands() == ["START"]


async def test_ensure_streaming_joins_what_runs_and_tells_when_it_drops(stage: Any) -> None:
    on = stage(started_ago=20)
    on.later(5, on.control.drop_stream)
    with pytest.raises(StreamingStopped):
        await on.pipeline.ensure_streaming()
    assert (on.commands(), on.elapsed) == ([], 7)


@pytest.mark.parametrize(
    ("verb", "script", "started_ago", "timeout", "commands", "timeline"),
    [
        ("ensure_streaming", {"snapshotting": 1000}, None, 10, ["START"], "NOT_RUNNING STARTING SNAPSHOTTING"),
        ("ensure_streaming", {}, None, 0, [], "NOT_RUNNING"),  # a look, and no command after the deadline
        ("ensure_streaming", {"refuses_to_start": 409}, None, 2, ["START"] * 2, "NOT_RUNNING"),
        ("ensure_streaming", {"unreachable": [[90, 90]]}, 100, 30, [], "UNKNOWN"),
        ("ensure_stopped", {"stop_seconds": 100}, 100, 30.5, ["STOP"], "STREAMING STOPPING"),
        ("ensure_stopped", {"stop_seconds": 100}, 100, 0, [], "STREAMING"),
    ],
)
async def test_ensure_runs_out_with_the_timeline_and_leaves_the_pipeline_alone(
    stage: Any, verb: str, script: Any, started_ago: float | None, timeout: float, commands: list[str], timeline: str
) -> None:
    on = stage(script, started_ago=started_ago)
    with pytest.raises(WaitTimeout) as caught:
        await getattr(on.pipeline, verb)(timeout=timeout)

    assert on.elapsed == timeout
    assert words(caught.value) == timeline.split()
    assert f"has not got there after {timeout:g} s" in str(caught.value)
    assert on.commands() == commands


def client(server: Scripted) -> Maia:
    return Maia(auth=StaticToken("t"), base_url=server.url, project_id=PROJECT)


def status(word: str) -> Step:
    return answer(200, {"status": word})


async def test_a_command_that_gets_no_answer_does_not_outlast_the_timeout(now: Callable[[], float]) -> None:
    async with Scripted(status("not_running"), stall()) as server, client(server) as maia:
        with pytest.raises(WaitTimeout) as caught:
            await maia.project().streaming_pipeline("s").ensure_streaming(timeout=10)
    assert now() == 10
    assert words(caught.value) == ["NOT_RUNNING"]
    assert [seen.method for seen in server.requests] == ["GET", "POST"]


async def test_reads_that_fail_are_ridden_out_by_ensure_as_well() -> None:
    steps = [answer(503, b""), html(), garbage(), status("NOT_RUNNING"), answer(200, b""), answer(500), status("Streaming")]
    async with Scripted(*steps) as server, client(server) as maia:
        await maia.project().streaming_pipeline("s").ensure_streaming()
    assert [seen.method for seen in server.requests] == ["GET"] * 4 + ["POST"] + ["GET"] * 2


async def test_an_api_that_stays_away_is_status_unavailable() -> None:
    emulator = Emulator()
    async with emulator:
        maia = emulator.client()
        on = Stage(emulator, maia, {}, started_ago=1000)
        await on.pipeline
        await anyio.sleep(5)
    with pytest.raises(StatusUnavailable) as caught:
        await on.pipeline.ensure_streaming()
    assert 600 <= on.elapsed <= 650
    assert caught.value.last_details is StreamingState.STREAMING
    assert caught.value.execution.id == on.id
    await maia.aclose()


@pytest.mark.parametrize("verb", ["status", "definition", "start", "stop", "delete", "ensure_streaming", "ensure_stopped", "__await__"])
async def test_an_unknown_id_is_not_found_at_once(emulator: Emulator, maia: Maia, now: Any, verb: str) -> None:
    pipeline = maia.project(PROJECT).streaming_pipeline(NOBODY)
    with pytest.raises(NotFound):
        await (pipeline if verb == "__await__" else getattr(pipeline, verb)())
    assert now() == 0


@pytest.mark.parametrize("stream", ["..", ".", ""])
async def test_an_id_that_is_no_path_segment_is_refused_unsent(emulator: Emulator, maia: Maia, stream: str) -> None:
    pipeline = maia.project(PROJECT).streaming_pipeline(stream)
    for verb in ("status", "definition", "start", "stop", "delete", "ensure_streaming", "ensure_stopped"):
        with pytest.raises(InvalidRequest, match="streaming_pipeline_id"):
            await getattr(pipeline, verb)()
    assert emulator.control.requests(path_contains="streaming-pipelines") == []


async def test_credentials_without_a_role_are_refused() -> None:
    scenario = Scenario(credentials=[Credential(client_id="none", client_secret="s", projects=[])])
    async with Emulator(scenario) as emulator, emulator.client() as maia:
        on = Stage(emulator, maia, {})
        with pytest.raises(Forbidden):
            await on.pipeline
        with pytest.raises(Forbidden):
            await on.pipeline.ensure_streaming()


async def test_a_wrong_agent_is_the_apis_refusal_with_its_path(emulator: Emulator, maia: Maia) -> None:
    definition = StreamingPipelineDefinition.from_dict({**GUIDE, "agentId": NOBODY})
    with pytest.raises(BadRequest) as caught:
        await maia.project(PROJECT).streaming_pipelines.create(definition)
    assert [problem.field for problem in caught.value.problems] == ["agentId"]
    assert emulator.control.streams() == []


def broken() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(GUIDE))
    del body["streamingSource"]["connection"]["username"], body["streamingTarget"]["connection"]["authentication"]
    body["streamingSource"]["connection"]["password"]["secretName"] = ""
    body["streamingSource"]["tables"] = []
    return body


@pytest.mark.parametrize("readings", [Readings(), Readings(definition_errors="violations")], ids=lambda one: one.definition_errors)
async def test_the_client_and_the_api_name_the_same_fields(readings: Readings) -> None:
    definition = StreamingPipelineDefinition.from_dict(broken())
    async with Emulator(readings=readings) as emulator, emulator.client() as maia:
        pipelines = maia.project(PROJECT).streaming_pipelines
        existing = maia.project(PROJECT).streaming_pipeline(emulator.control.create_stream()[0])
        for refuse in (pipelines.create(definition), existing.replace(definition)):
            with pytest.raises(InvalidRequest) as ours:
                await refuse
            assert not isinstance(ours.value, BadRequest)
        assert emulator.control.requests() == []

        with pytest.raises(BadRequest) as theirs:
            await maia.request("POST", PATH, json=definition.to_dict())

    assert isinstance(theirs.value, InvalidRequest)
    ours_said = {(problem.field, problem.message.partition(":")[0]) for problem in ours.value.problems}
    if readings.definition_errors == "validation-errors":
        assert {(problem.field, problem.message) for problem in theirs.value.problems} == ours_said
    else:
        assert {str(problem) for problem in theirs.value.problems} == {f"{field}: {message}" for field, message in ours_said}


async def test_the_guides_two_problems_are_told_in_the_guides_words(maia: Maia) -> None:
    body = json.loads(json.dumps(GUIDE))
    del body["streamingSource"]["connection"]["username"]
    with pytest.raises(InvalidRequest) as caught:
        await maia.project(PROJECT).streaming_pipelines.create(StreamingPipelineDefinition.from_dict(body))
    assert str(caught.value) == ("invalid streaming pipeline definition: 1 problem: streamingSource.connection.username: must not be empty")


async def test_a_plain_password_is_refused_before_anything_is_sent(emulator: Emulator, maia: Maia) -> None:
    body = json.loads(json.dumps(GUIDE))
    body["streamingSource"]["connection"]["password"] = "hunter2"
    with pytest.raises(InvalidRequest) as caught:
        await maia.project(PROJECT).streaming_pipelines.create(StreamingPipelineDefinition.from_dict(body))
    assert "streamingSource.connection.password: must be a reference to a secret" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert emulator.control.requests() == []


@pytest.mark.parametrize("readings", Readings.every(), ids=lambda one: str(one.differences() or "default"))
async def test_a_whole_life_under_every_reading(readings: Readings) -> None:
    definition = StreamingPipelineDefinition.from_dict(GUIDE)
    async with Emulator(readings=readings) as emulator, emulator.client(project_id=PROJECT) as maia:
        pipelines = maia.project().streaming_pipelines
        pipeline = await pipelines.create(definition)
        assert pipeline.id == "50ead6b2-5d1a-40c7-bb50-0d17c8fb23c3"
        assert emulator.control.stream(pipeline.id).definition == GUIDE

        told = await pipeline.definition()
        assert (told.name, told.streaming_pipeline_id) == ("my-streaming-pipeline", pipeline.id)
        if not readings.extra_fields:
            assert told == definition
            assert told.to_dict() == GUIDE
        listed = readings.page_size_over != "refuse" or readings.max_page_size >= 100  # the size that the client asks for
        if listed:
            assert (await pipelines.get("my-streaming-pipeline")).id == pipeline.id
            assert [one.streaming_pipeline_id async for one in pipelines.list()] == [pipeline.id]

        assert await pipeline.status() is StreamingState.NOT_RUNNING
        await pipeline.start()
        assert await pipeline is StreamingState.STREAMING
        await pipeline.ensure_streaming()
        await pipeline.ensure_stopped()
        await pipeline.ensure_streaming()
        assert emulator.control.stream(pipeline.id).starts == 2

        other = StreamingPipelineDefinition.from_dict({**GUIDE, "name": "renamed"})
        replaced = await pipeline.replace(other)
        assert (replaced.name, replaced.streaming_pipeline_id) == ("renamed", pipeline.id)
        assert emulator.control.stream(pipeline.id).definition == {**GUIDE, "name": "renamed"}

        if readings.streaming_delete_running == 409:
            with pytest.raises(Conflict):
                await pipeline.delete()
        await pipeline.ensure_stopped()
        await pipeline.delete()
        with pytest.raises(NotFound):
            await pipeline.status()
        if listed:
            with pytest.raises(NotFound):
                await pipelines.get("renamed")


async def test_a_name_is_not_found_or_stands_for_several(emulator: Emulator, maia: Maia) -> None:
    pipelines = maia.project(PROJECT).streaming_pipelines
    emulator.control.create_stream("one")
    for _ in range(2):
        emulator.control.create_stream("two")
    with pytest.raises(NotFound, match="no streaming pipeline called 'three' among 3"):
        await pipelines.get("three")
    with pytest.raises(MisuseError, match="2 streaming pipelines are called 'two': use the id"):
        await pipelines.get("two")
    assert (await (await pipelines.get("one")).definition()).name == "one"


async def test_a_long_list_is_paged_and_each_has_its_id(emulator: Emulator, maia: Maia) -> None:
    ids = emulator.control.create_stream("crowd", count=230)
    listed = [one.streaming_pipeline_id async for one in maia.project(PROJECT).streaming_pipelines.list()]
    assert listed == ids


async def test_a_wait_ends_when_the_pipeline_is_deleted(stage: Any, emulator: Emulator) -> None:
    on = stage({"snapshotting": 1000}, started_ago=10)

    async def delete() -> None:
        await anyio.sleep(10)
        await on.pipeline.delete()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(delete)
        with pytest.raises(NotFound):
            await on.pipeline
    assert on.elapsed == 12


async def test_closing_ends_a_wait_with_the_id_and_leaves_the_pipeline_alone(emulator: Emulator) -> None:
    maia = emulator.client()
    on = Stage(emulator, maia, {"snapshotting": 1000}, started_ago=10)
    caught: list[SessionClosed] = []

    async def waiter(wait: Callable[[], Any]) -> None:
        try:
            await wait()
        except SessionClosed as error:
            caught.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waiter, lambda: on.pipeline.wait_for("STREAMING"))
        tasks.start_soon(waiter, on.pipeline.ensure_streaming)
        await anyio.sleep(5)
        await maia.aclose()

    assert [on.id in str(error) for error in caught] == [True, True]
    assert on.control.stream(on.id).status == "SNAPSHOTTING"
    assert ours() == []


async def test_one_waiters_cancellation_disturbs_no_other(stage: Any) -> None:
    on = stage()
    await on.pipeline.start()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(on.pipeline.wait_for, "STREAMING")
        with anyio.move_on_after(10):
            await on.pipeline
        assert on.elapsed == 10
    assert on.elapsed == 33


@pytest.mark.long
async def test_500_waits_share_the_budget_and_are_calm_after_two_minutes() -> None:
    async with Emulator() as emulator, emulator.client() as maia:
        control = emulator.control
        ids = control.create_stream("crowd", count=500, started_ago=10, script={"snapshotting": 500})
        project = maia.project(PROJECT)
        async with anyio.create_task_group() as tasks:
            for stream in ids:
                tasks.start_soon(project.streaming_pipeline(stream).wait_for, "STREAMING")
        begin = control.now - asyncio.get_running_loop().time()
        times = [seen.at - begin for seen in control.requests(path_contains="/status")]
        statistics = control.statistics()

    assert statistics["refused_429"] == 0
    assert statistics["peak_in_window"] <= 1000
    assert 492 <= times[-1] <= 492 + 130
    calm = [at for at in times if 120 <= at < 480]
    assert len(calm) / 6 <= 300  # a minute
    assert ours() == []


def disturbed(
    use: Callable[[Emulator, Maia, str, list[Any]], Awaitable[Any]], step: int | None, **options: Any
) -> tuple[int, Emulator, list[Any], Any]:
    """Run `use` in a task and cancel it at one step of the loop."""

    async def main() -> tuple[int, Emulator, list[Any], Any]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppingLoop)
        events: list[Any] = []
        async with Emulator(Scenario(latency_in=0.2, latency_out=0.2)) as emulator:
            stream = emulator.control.create_stream("s", script={"snapshot": "never"}, **options)[0]
            async with emulator.client(observers=[events.append], project_id=PROJECT) as maia:
                task = loop.create_task(use(emulator, maia, stream, events), name="under test")  # type: ignore[arg-type]  # a coroutine
                loop.begin({} if step is None else {step: task.cancel})
                await asyncio.wait([task])
                steps = loop.steps
                loop.begin({})
                assert step is None or step > steps or task.cancelled() or task.exception() is None
                await asyncio.sleep(20)  # what is on its way arrives
                assert ours() == []
                # What was cancelled hinders nobody.
                await maia.project().streaming_pipeline(stream).ensure_streaming()
        return steps, emulator, events, None if task.cancelled() else task.result()

    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        return runner.run(main())


async def ensure(emulator: Emulator, maia: Maia, stream: str, events: list[Any]) -> None:
    await maia.project().streaming_pipeline(stream).ensure_streaming()


async def wait(emulator: Emulator, maia: Maia, stream: str, events: list[Any]) -> None:
    await maia.project().streaming_pipeline(stream).wait_for("STREAMING")


async def unensure(emulator: Emulator, maia: Maia, stream: str, events: list[Any]) -> None:
    await maia.project().streaming_pipeline(stream).ensure_stopped()


@pytest.mark.parametrize(("use", "started_ago", "most"), [(ensure, None, 1), (wait, 0.5, 1), (unensure, 100, 2)])
def test_a_cancellation_at_any_step_leaves_nothing_behind(use: Any, started_ago: float | None, most: int) -> None:
    """Neither a task nor a broken wait, and never a second START of a pipeline that runs."""
    options = {} if started_ago is None else {"started_ago": started_ago}
    steps, *_ = disturbed(use, None, **options)
    for step in range(1, steps + 1):
        _, emulator, _, _ = disturbed(use, step, **options)
        [stream] = emulator.control.streams()
        assert stream.status == "STREAMING"
        assert stream.starts <= most
