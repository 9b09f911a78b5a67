"""Creating a streaming pipeline: one POST whatever happens, an id that is never lost, and a lost answer that is looked up by name."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
import scripted
from hypothesis import given
from hypothesis import strategies as st
from orchestration.stepping import SteppingLoop
from scripted import Scripted, Seen, Step, answer

from maia_async import (
    BadRequest,
    Conflict,
    ConnectFailed,
    CreateOutcomeUnknown,
    InvalidRequest,
    Maia,
    NotFound,
    RateLimit,
    ServerError,
    SessionClosed,
    StaticToken,
    StreamingPipelineCreated,
    StreamingPipelineDefinition,
    Timeouts,
    TriggerPolicy,
)
from maia_async.emulator import Emulator, Readings, Scenario
from maia_async.resources.streaming_list import same

GUIDE: Final[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "samples" / "streaming-pipeline.json").read_text(encoding="utf-8"))
DEFINITION: Final = StreamingPipelineDefinition.from_dict(GUIDE)
NAME: Final = GUIDE["name"]
PROJECT: Final = "3dda0acf-e646-4f4b-b4f6-e00449b69427"


def ours() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("maia_async")]


def row(stream: str, **changes: Any) -> dict[str, Any]:
    return {"streamingPipelineId": stream, "projectId": PROJECT, **copy.deepcopy(GUIDE), **changes}


def page(*rows: dict[str, Any]) -> Step:
    return answer(200, {"page": 0, "size": 100, "total": len(rows), "results": list(rows)})


def client(server: Scripted, **options: Any) -> Maia:
    settings = {"timeout": Timeouts(connect=5, total=20), **options}
    return Maia(auth=StaticToken("t"), base_url=server.url, project_id=PROJECT, **settings)


def posts(server: Scripted) -> list[Seen]:
    return [seen for seen in server.requests if seen.method == "POST"]


UPPER: Final = row("s-1", name=NAME, streamingSource={**GUIDE["streamingSource"], "type": "SQLSERVER"}, status="NOT_RUNNING", future=None)
OTHER: Final = row("s-2", advancedProperties={"max.batch.size": "1"})
THIN: Final = {"streamingPipelineId": "s-6", "name": NAME, "streamingSource": {"type": GUIDE["streamingSource"]["type"]}}
MASKED: Final = row("s-3", streamingSource={**GUIDE["streamingSource"], "connection": {"password": "*****"}})
NAMESAKE: Final = row("s-4", name="another")
# How a POST may end without anybody knowing whether it was carried out.
LOST: Final = {
    "500": answer(500, {"detail": "oops"}),
    "502 page": scripted.html(502),
    "503": answer(503, b"", retry_after="1"),
    "504": answer(504, b""),
    "408": answer(408, b""),
    "reset": scripted.reset(),
    "closed": scripted.close(),
    "no answer": scripted.stall(),
    "garbage": scripted.garbage(),
    "truncated": scripted.truncated(answer(201, row("s-1"))),
    "page": scripted.html(201),
    "empty": answer(201, b""),
    "no id": answer(201, GUIDE),
    "null id": answer(201, row("s-1", streamingPipelineId=None)),
    "no object": answer(201, [1]),
    "redirect": scripted.redirect("/elsewhere"),
}


@pytest.mark.parametrize("lost", LOST)
async def test_a_lost_answer_is_found_again_by_name_and_not_sent_again(lost: str) -> None:
    events: list[Any] = []
    async with Scripted(LOST[lost], page(NAMESAKE, row("s-1"))) as server, client(server, observers=[events.append]) as maia:
        pipeline = await maia.project().streaming_pipelines.create(DEFINITION)

    assert pipeline.id == "s-1"
    assert len(posts(server)) == 1
    assert json.loads(posts(server)[0].body) == GUIDE
    assert [(event.pipeline_id, event.name) for event in events if isinstance(event, StreamingPipelineCreated)] == [("s-1", NAME)]


@pytest.mark.parametrize(
    ("lists", "expected", "candidates", "reads"),
    [
        ([page(), page(NAMESAKE), page(row("s-1"))], "s-1", None, 3),  # it appears with a delay
        ([page(UPPER)], "s-1", None, 1),  # words in other letters and more keys are no difference
        (
            [answer(200, {"page": 0, "size": 0, "total": 0, "results": [row("s-1")]})],
            "s-1",
            None,
            3,
        ),  # the guide's zeros, and a server that gives the same page again
        ([page(OTHER, row("s-1"))], "s-1", None, 1),  # one of the name with another definition is not ours
        ([page(OTHER, THIN), answer(200, row("s-6"))], "s-6", None, 2),  # a row that shows less is read by its id
        ([page(THIN), answer(404, b""), page(THIN), answer(200, {**row("s-6"), "agentId": "another"}), page(row("s-1"))], "s-1", None, 5),
        ([page(row("s-1", streamingPipelineId=None))], None, [], 9),
        ([page()], None, [], 9),
        ([page(OTHER)], None, ["s-2"], 9),
        ([page(MASKED)], None, ["s-3"], 9),
        ([page(row("s-1"), row("s-5"))], None, ["s-1", "s-5"], 1),
        ([answer(404, b""), answer(401, b""), scripted.html(200), page(row("s-1"))], "s-1", None, 4),  # failures of the list are no answer
        ([answer(404, b"")], None, [], 9),
    ],
)
async def test_what_the_list_shows_decides(lists: list[Step], expected: str | None, candidates: list[str] | None, reads: int) -> None:
    """Read every 2 s, until 15 s have passed."""
    server = Scripted(answer(500), *lists[:-1], then=lists[-1])
    async with server, client(server) as maia:
        if expected is not None:
            assert (await maia.project().streaming_pipelines.create(DEFINITION)).id == expected
        else:
            with pytest.raises(CreateOutcomeUnknown) as caught:
                await maia.project().streaming_pipelines.create(DEFINITION)
            assert list(caught.value.candidates) == candidates
            assert caught.value.name == NAME
            assert isinstance(caught.value.__cause__, ServerError)
            assert "was not sent again" in str(caught.value)

    assert len(posts(server)) == 1
    assert len(server.requests) - 1 == reads


async def test_a_list_that_hangs_does_not_hold_up_the_answer(now: Callable[[], float]) -> None:
    server = Scripted(answer(500), then=scripted.stall())
    async with server, client(server, timeout=Timeouts(connect=5, total=60)) as maia:
        with pytest.raises(CreateOutcomeUnknown):
            await maia.project().streaming_pipelines.create(DEFINITION)
    assert now() == 20
    assert len(posts(server)) == 1


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([answer(400, {"validation-errors": [{"field": "agentId", "message": "no"}]})], BadRequest),
        ([answer(404, b"")], NotFound),
        ([answer(409, {"error": "exists", "status": 409})], Conflict),
    ],
)
async def test_a_refusal_is_told_and_nothing_is_looked_for(steps: list[Step], error: type[Exception]) -> None:
    async with Scripted(*steps) as server, client(server) as maia:
        with pytest.raises(error):
            await maia.project().streaming_pipelines.create(DEFINITION)
    assert len(server.requests) == len(steps)


async def test_what_is_known_not_to_have_landed_is_sent_again() -> None:
    async with Scripted(answer(429, b"", retry_after="2"), answer(201, row("s-1"))) as server, client(server) as maia:
        assert (await maia.project().streaming_pipelines.create(DEFINITION)).id == "s-1"
    assert len(posts(server)) == 2


async def test_nothing_that_was_never_sent_is_in_doubt() -> None:
    async with Scripted() as server:
        pass
    async with client(server) as maia:
        with pytest.raises(ConnectFailed):
            await maia.project().streaming_pipelines.create(DEFINITION)
        with pytest.raises(InvalidRequest):
            await maia.project().streaming_pipelines.create(StreamingPipelineDefinition(name="n"))


async def test_a_pipeline_of_that_name_that_was_there_before_is_not_taken_for_ours() -> None:
    """Where names are unique, a second create is a conflict and no doubt; where they are not, it is another pipeline."""
    for readings, expected in ((Readings(streaming_duplicate_name=409), Conflict), (Readings(), None)):
        async with Emulator(readings=readings) as emulator, emulator.client(project_id=PROJECT) as maia:
            first = await maia.project().streaming_pipelines.create(DEFINITION)
            if expected is not None:
                with pytest.raises(expected):
                    await maia.project().streaming_pipelines.create(DEFINITION)
            else:
                assert (await maia.project().streaming_pipelines.create(DEFINITION)).id != first.id


async def test_a_created_pipeline_that_is_not_visible_yet_can_be_waited_for() -> None:
    steps = [
        answer(201, row("s-1")),
        *[answer(404, b"")] * 3,
        answer(200, {"status": "NOT_RUNNING"}),
        answer(202, b""),
        answer(200, {"status": "streaming"}),
    ]
    async with Scripted(*steps) as server, client(server) as maia:
        pipeline = await maia.project().streaming_pipelines.create(DEFINITION)
        await pipeline.ensure_streaming()
    assert [seen.method for seen in server.requests] == ["POST", "GET", "GET", "GET", "GET", "POST", "GET"]


async def test_a_404_long_after_our_create_is_an_end() -> None:
    async with Scripted(answer(201, row("s-1")), then=answer(404, b"")) as server, client(server) as maia:
        pipeline = await maia.project().streaming_pipelines.create(DEFINITION)
        with pytest.raises(NotFound):
            await pipeline
    assert 60 <= server.times[-1] <= 95


async def cancelled_after(seconds: float, maia: Maia) -> None:
    with anyio.move_on_after(seconds) as scope:
        await maia.project().streaming_pipelines.create(DEFINITION)
    assert scope.cancelled_caught


async def test_a_cancelled_create_tells_its_id(caplog: pytest.LogCaptureFixture, now: Callable[[], float]) -> None:
    events: list[Any] = []
    async with Scripted(answer(201, row("s-1"), delay=5)) as server, client(server, observers=[events.append]) as maia:
        await cancelled_after(1, maia)
        assert now() == 1
        await anyio.sleep(5)
        assert ours() == []

    assert [event.pipeline_id for event in events if isinstance(event, StreamingPipelineCreated)] == ["s-1"]
    assert "create() was cancelled after its POST had gone out: streaming pipeline s-1 was created" in caplog.text


async def test_a_cancelled_create_whose_answer_does_not_come_says_so_after_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    async with Scripted(scripted.stall()) as server, client(server) as maia:
        await cancelled_after(1, maia)
        await anyio.sleep(9.9)
        assert len(ours()) == 1
        await anyio.sleep(0.2)
        assert ours() == []
    assert f"streaming pipeline {NAME!r} may have been created" in caplog.text
    assert len(posts(server)) == 1


async def test_a_cancelled_create_that_nothing_settles_does_not_claim_to_have_waited_longer(caplog: pytest.LogCaptureFixture) -> None:
    lost = Scripted(scripted.close(), then=page())
    async with lost as server, client(server, trigger=TriggerPolicy(settle=3)) as maia:
        await cancelled_after(1, maia)
        await anyio.sleep(4)
        assert ours() == []
    assert "no answer settled what became of it" in caplog.text
    assert "within" not in caplog.text


async def test_a_cancelled_create_that_has_not_gone_out_is_withdrawn(caplog: pytest.LogCaptureFixture) -> None:
    full = RateLimit(requests=1, per=60)
    async with Scripted(page(), then=answer(201, row("s-1"))) as server, client(server, rate_limit=full) as maia:
        await maia.project().streaming_pipelines.list()
        await cancelled_after(5, maia)
        await anyio.lowlevel.checkpoint()
        assert ours() == []
        await anyio.sleep(200)
    assert posts(server) == []
    assert "create()" not in caplog.text


async def test_a_cancelled_create_that_is_refused_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with Scripted(answer(400, b"{}", delay=2)) as server, client(server) as maia:
        await cancelled_after(1, maia)
        await anyio.sleep(5)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def closed_after(seconds: float, maia: Maia, caught: list[BaseException]) -> None:
    async def create() -> None:
        try:
            await maia.project().streaming_pipelines.create(DEFINITION)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is asked
            caught.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(create)
        await anyio.sleep(seconds)
        await maia.aclose()
    assert ours() == []


async def test_closing_waits_for_a_create_that_is_in_doubt_and_not_for_ever(now: Callable[[], float]) -> None:
    caught: list[BaseException] = []
    async with Scripted(scripted.stall()) as server:
        await closed_after(1, client(server, timeout=Timeouts(connect=5, total=60)), caught)
    assert [type(error) for error in caught] == [CreateOutcomeUnknown]
    assert 11 <= now() <= 13

    caught.clear()
    async with Scripted(answer(201, row("s-1"), delay=5)) as server:
        await closed_after(1, client(server), caught)
    assert caught == []


async def test_closing_withdraws_a_create_that_has_not_gone_out(now: Callable[[], float]) -> None:
    caught: list[BaseException] = []
    async with Scripted(page(), then=answer(201, row("s-1"))) as server:
        maia = client(server, rate_limit=RateLimit(requests=1, per=60))
        await maia.project().streaming_pipelines.list()
        await closed_after(5, maia, caught)
    assert [type(error) for error in caught] == [SessionClosed]
    assert now() < 6
    assert posts(server) == []


def played(step: int | None) -> tuple[int, list[str], list[str], list[Any]]:
    """Create, cancelled at one step of the loop: the steps that it took, who exists, who was told of, the events."""

    async def main() -> tuple[int, list[str], list[str], list[Any]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppingLoop)
        events: list[Any] = []
        told: list[str] = []
        async with Emulator(Scenario(latency_in=0.2, latency_out=0.2)) as emulator:
            async with emulator.client(observers=[events.append], project_id=PROJECT) as maia:

                async def create() -> None:
                    told.append((await maia.project().streaming_pipelines.create(DEFINITION)).id)

                task = loop.create_task(create(), name="under test")
                loop.begin({} if step is None else {step: task.cancel})
                await asyncio.wait([task])
                steps = loop.steps
                loop.begin({})
                await asyncio.sleep(20)
                assert ours() == []
            assert len(emulator.control.requests(method="POST", path_contains="streaming-pipelines")) == len(emulator.control.streams())
            return steps, [stream.id for stream in emulator.control.streams()], told, events

    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        return runner.run(main())


def test_a_cancellation_at_any_step_loses_no_id() -> None:
    """Whatever exists in the end was returned or told to the observers, and was POSTed once."""
    steps, exist, told, _ = played(None)
    assert exist == told
    created, withdrawn = 0, 0
    for step in range(1, steps + 1):
        _, exist, told, events = played(step)
        heard = [event.pipeline_id for event in events if isinstance(event, StreamingPipelineCreated)]
        assert exist == heard
        assert set(told) <= set(heard)
        created, withdrawn = created + bool(exist), withdrawn + (not exist)
    assert created > 2
    assert withdrawn > 2


async def test_a_delete_whose_answer_was_lost_is_done_when_the_next_try_finds_nothing() -> None:
    async with Scripted(scripted.reset(), answer(404, b"")) as server, client(server) as maia:
        await maia.project().streaming_pipeline("s-1").delete()
        assert len(server.requests) == 2
    for first in (answer(404, b""), answer(429, b"", retry_after="1")):
        async with Scripted(first, answer(404, b"")) as server, client(server) as maia:
            with pytest.raises(NotFound):
                await maia.project().streaming_pipeline("s-1").delete()


async def test_a_command_whose_answer_was_lost_is_not_sent_again() -> None:
    async with Scripted(scripted.reset()) as server, client(server) as maia:
        with pytest.raises(Exception, match="POST"):
            await maia.project().streaming_pipeline("s-1").start()
    assert len(server.requests) == 1


SCALARS: Final = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
JSON: Final = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3))


@given(JSON)
def test_everything_is_the_same_as_itself_with_more_keys(value: Any) -> None:
    def fuller(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {**{key: fuller(item) for key, item in inner.items()}, "a key more": 1}
        return [fuller(item) for item in inner] if isinstance(inner, list) else inner

    assert same(value, fuller(value))


@pytest.mark.parametrize(
    ("mine", "theirs", "alike"),
    [
        ({"a": "change_log"}, {"a": "CHANGE_LOG"}, True),
        ({"port": 1433}, {"port": "1433"}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {}, False),
        ({"a": {}}, {"a": []}, False),
        ([1, 2], [1], False),
        ([1], [1, 2], False),
        ([1, 2], [2, 1], False),
        ([], {}, False),
        ({}, {"a": 1}, True),
    ],
)
def test_when_two_definitions_are_the_same(mine: Any, theirs: Any, alike: bool) -> None:
    assert same(mine, theirs) is alike
