"""What a batch does when its triggers cannot land: the table, the shared pause as a value, and batches against a server that is gone."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from orchestration.account import ours, request
from scripted import Scripted, Seen, answer
from scripted import Step as Play

from maia_async import (
    Batch,
    ClientCredentials,
    ExecutionRequest,
    FieldProblem,
    Maia,
    OutcomeState,
    PollPolicy,
    RetryPolicy,
    StaticToken,
    TriggerOutcomeUnknown,
    errors,
    run_batch,
)
from maia_async.orchestration.batch.hold import CAP, LEAST, Hold, Step, step_after
from maia_async.orchestration.batch.starts import MAX_TRIGGERS
from maia_async.orchestration.trigger import Withdrawn

Now = Callable[[], float]
QUICK = RetryPolicy(max_tries=2, base=0.1, cap=0.1)
ROW = request("a")


def said(kind: type[errors.ResponseError], status: int) -> errors.ResponseError:
    return kind(status, method="POST", path="/v1")


@pytest.mark.parametrize(
    ("failure", "out", "step"),
    [
        (said(errors.RateLimited, 429), False, Step.PAUSE),
        (said(errors.RateLimited, 429), True, Step.PAUSE),
        (errors.ConnectFailed("refused"), False, Step.UNREACHABLE),
        (errors.ConnectFailed("refused"), True, Step.UNREACHABLE),
        (errors.ConnectFailed("certificate", final=True), False, Step.END),
        (said(errors.Unauthorized, 401), False, Step.END),
        (said(errors.Unauthorized, 401), True, Step.END),
        (errors.SessionClosed(), False, Step.END),
        (errors.TransportError("vault"), False, Step.UNREACHABLE),
        (errors.Disconnected("reset"), False, Step.UNREACHABLE),
        (errors.RequestTimedOut("late"), False, Step.UNREACHABLE),
        (said(errors.ServerError, 503), False, Step.UNREACHABLE),
        (said(errors.GatewayTimeout, 504), False, Step.UNREACHABLE),
        (said(errors.ResponseError, 408), False, Step.UNREACHABLE),
        (said(errors.ResponseError, 425), False, Step.UNREACHABLE),
        (errors.DecodeError(["$: not JSON"]), False, Step.UNREACHABLE),
        (errors.InvalidRequest([FieldProblem("pipelineName", "too long")]), False, Step.RECORD),
        (Withdrawn("stopped"), False, Step.RECORD),
        (said(errors.ResponseError, 404), False, Step.END),
        (said(errors.BadRequest, 422), False, Step.END),
        (said(errors.Conflict, 409), False, Step.END),
        (errors.ConfigurationError("no header"), False, Step.END),
        (LookupError("the vault is sealed"), False, Step.END),
        (said(errors.Conflict, 409), True, Step.CONFLICT),
        (said(errors.BadRequest, 400), True, Step.RECORD),
        (said(errors.NotFound, 404), True, Step.RECORD),
        (TriggerOutcomeUnknown(request=ROW, project_id="p"), True, Step.RECORD),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_a_failed_post_is_a_step(failure: Exception, out: bool, step: Step) -> None:
    assert step_after(failure, out=out) is step


# The shared pause


def test_failures_of_the_same_moment_share_one_pause_and_each_after_it_makes_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backoff.full_jitter", lambda wait: wait)
    hold = Hold(600.0)
    assert hold.unreachable(0, 10.0)
    first = hold.until
    assert hold.unreachable(0, 10.2)
    assert (first, hold.until, hold.on) == (11.5, 11.5, True)

    lengths = []
    for _ in range(6):
        now = hold.until
        assert hold.unreachable(hold.number, now)
        lengths.append(hold.until - now)
    assert lengths == [2.5, 4.5, 8.5, 16.5, 30.5, 30.5]


def test_an_answer_ends_the_hold_but_not_one_to_a_post_from_before_it() -> None:
    hold = Hold(600.0)
    hold.unreachable(0, 0.0)
    hold.answered(0)
    assert hold.on
    hold.answered(1)
    assert not hold.on
    assert hold.unreachable(1, 10_000.0)  # not the same row of failures any more


def test_a_pause_is_as_long_as_the_longest_that_was_ordered() -> None:
    hold = Hold(600.0)
    hold.paused(0, 130.0, 0.0)
    hold.paused(0, 20.0, 5.0)
    assert hold.until == 130.0
    hold.paused(0, 140.0, 5.0)
    assert hold.until == 145.0
    assert hold.number == 1


@given(st.floats(1, 2000), st.floats(0, 5))
def test_patience_ends_after_its_time_and_never_before_nor_much_later(patience: float, took: float) -> None:
    hold, now, tries = Hold(patience), 100.0, 1
    while hold.unreachable(hold.number, now):
        assert LEAST <= hold.until - now <= LEAST + CAP
        now, tries = hold.until + took, tries + 1

    assert patience - 1e-6 <= now - 100.0 <= patience + LEAST + took + 1e-6
    assert tries > patience / (LEAST + CAP + took)


# Whole batches


@define
class Place:
    """An address where a server may be or not; it starts runs that succeed at once, and notes when they were asked for."""

    port: int = field(init=False)
    posts: list[float] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def play(self, seen: Seen) -> Play:
        if seen.method != "POST":
            return answer(200, {"status": "SUCCESS"})
        self.posts.append(seen.at)
        return answer(201, {"pipelineExecutionId": f"run-{len(self.posts)}"})

    def server(self) -> Scripted:
        return Scripted(then=self.play, listener=socket.create_server(("127.0.0.1", self.port)))


@define
class Rows:
    """An input that notes when each row was read."""

    count: int
    read: list[float] = field(factory=list)

    def __iter__(self) -> Iterator[ExecutionRequest]:
        for _ in range(self.count):
            self.read.append(asyncio.get_running_loop().time())
            yield ROW


async def to_the_end(batch: Batch) -> None:
    async with batch:
        async for _ in batch:
            pass


def counts(batch: Batch) -> dict[str, int]:
    return {state.value: count for state, count in batch.report().counts.items() if count}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def test_a_pause_beyond_max_pause_holds_the_batch_for_as_long_as_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    place, rows = Place(), Rows(300)
    refused_at: list[float] = []

    def play(seen: Seen) -> Play:
        if seen.method == "POST" and len(place.posts) == 40 and not refused_at:
            refused_at.append(seen.at)
            return answer(429, {}, retry_after="130")
        return place.play(seen)

    async with Scripted(then=play) as server, Maia(auth=StaticToken("token"), base_url=server.url) as maia:
        report = await run_batch(maia.project("p"), iter(rows), max_running=300)

    assert report.counts[OutcomeState.SUCCESS] == report.total == len(place.posts) == 300
    (start,) = refused_at
    assert not [at for at in place.posts if start + 1 < at < start + 130]
    assert len([at for at in rows.read if at < start + 130]) <= 40 + MAX_TRIGGERS  # no more than had been read before
    assert warnings(caplog) == [
        "a batch holds its triggers for 130.0 s: POST /v1/projects/p/pipeline-executions: 429 (retry after 130 s)",
    ]


@pytest.mark.parametrize("way", ["timeout", "signal", "break"])
async def test_a_hold_ends_when_the_batch_does(way: str) -> None:
    rows, signal = Rows(300), asyncio.Event()
    server = Scripted(answer(201, {"pipelineExecutionId": "run"}), then=answer(429, {}, retry_after="3600"))
    async with server, Maia(auth=StaticToken("token"), base_url=server.url) as maia:
        batch = Batch(maia.project("p"), iter(rows), max_running=5, timeout=50 if way == "timeout" else None, stop_signal=signal)
        async with batch:
            await anyio.sleep(50)
            signal.set() if way == "signal" else None
            if way != "break":
                await anyio.sleep(5)
                assert [outcome.state.value async for outcome in batch].count("NOT_STARTED") == 4
        assert ours() == []

    assert counts(batch) == {"LEFT_RUNNING": 1, "NOT_STARTED": 4}
    assert len(rows.read) == 5
    assert all(isinstance(outcome.error, errors.RateLimited) for outcome in batch.report().outcomes if outcome.execution_id is None)
    assert batch.report().seconds == pytest.approx(50, abs=0.5)


async def test_a_minute_of_refused_connections_costs_no_row(caplog: pytest.LogCaptureFixture) -> None:
    place, rows = Place(), Rows(200)
    async with Maia(auth=StaticToken("token"), base_url=place.url) as maia, anyio.create_task_group() as around:
        batch = Batch(maia.project("p"), iter(rows), max_running=20)
        around.start_soon(to_the_end, batch)
        await anyio.sleep(60)
        assert len(rows.read) == 20
        async with place.server():
            await anyio.sleep(600)

    assert counts(batch) == {"SUCCESS": 200}
    assert len(place.posts) == 200
    assert place.posts[0] < 60 + 20 + LEAST + CAP + 1  # for 20 s nothing may be a probe that cannot be sent again
    assert len([text for text in warnings(caplog) if text.startswith("a batch holds")]) == 1


async def test_the_batch_ends_when_the_api_was_unreachable_for_max_unreachable() -> None:
    place, rows = Place(), Rows(200)
    poll = PollPolicy(max_unreachable=90.0)

    def play(seen: Seen) -> Play:
        return place.play(seen) if seen.method == "POST" else answer(200, {"status": "RUNNING"})

    server = Scripted(then=play, listener=socket.create_server(("127.0.0.1", place.port)))
    await server.__aenter__()

    async def some() -> AsyncIterator[ExecutionRequest]:
        yield ROW
        await anyio.sleep(5)
        await server.__aexit__(None, None, None)
        for row in rows:
            yield row

    async with Maia(auth=StaticToken("token"), base_url=place.url, retry=QUICK, poll=poll) as maia:
        batch = Batch(maia.project("p"), some(), max_running=20)
        with pytest.raises(errors.ConnectFailed):
            await to_the_end(batch)
        assert ours() == []

    assert len(rows.read) == 19
    assert counts(batch) == {"LEFT_RUNNING": 1, "NOT_STARTED": 19}
    assert all(isinstance(outcome.error, errors.ConnectFailed) for outcome in batch.report().outcomes if outcome.execution_id is None)
    assert batch.report().seconds == pytest.approx(95, abs=2)
    assert [execution.id for execution in batch.outstanding] == ["run-1"]


async def test_a_certificate_that_is_refused_ends_the_batch_at_once() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Path(__file__).parents[1] / "self_signed.pem")
    rows = Rows(200)
    async with Scripted(tls=tls) as server, Maia(auth=StaticToken("token"), base_url=server.url) as maia:
        batch = Batch(maia.project("p"), iter(rows), max_running=5)
        with pytest.raises(errors.ConnectFailed, match="certificate was refused"):
            await to_the_end(batch)

    assert len(rows.read) <= 5
    assert counts(batch) == {"NOT_STARTED": len(rows.read)}
    assert batch.report().seconds < 1


# The token endpoint


@define
class Tokens:
    """A token endpoint: `play` answers after `good_for` tokens, each of which lasts 20 s."""

    play: Callable[[float], Play | None]
    good_for: int = 0
    given: int = 0

    def __call__(self, seen: Seen) -> Play:
        self.given += 1
        broken = self.play(seen.at) if self.given > self.good_for else None
        return broken or answer(200, {"access_token": f"token-{self.given}", "expires_in": 20})


async def with_tokens(tokens: Tokens, use: Callable[[Maia, Place], Any]) -> None:
    place = Place()
    async with Scripted(then=tokens) as desk, place.server() as server:
        auth = ClientCredentials("id", "the-secret", token_url=f"{desk.url}/token")
        async with Maia(auth=auth, base_url=server.url, retry=QUICK, poll=PollPolicy(max_unreachable=300.0)) as maia:
            await use(maia, place)


@pytest.mark.parametrize(
    "broken",
    [answer(503), answer(502, b"<html>"), answer(200, b"<html>sign in</html>"), Play(end="close"), Play(end="reset"), answer(408)],
    ids=["503", "502", "a page", "closed", "reset", "408"],
)
@pytest.mark.parametrize("good_for", [0, 1])
async def test_a_token_endpoint_that_is_down_for_a_while_costs_no_row(broken: Play, good_for: int) -> None:
    rows = Rows(40)

    async def use(maia: Maia, place: Place) -> None:
        async def slowly() -> AsyncIterator[ExecutionRequest]:
            for row in rows:
                await anyio.sleep(1)
                yield row

        report = await run_batch(maia.project("p"), slowly(), max_running=10)
        assert report.counts[OutcomeState.SUCCESS] == report.total == len(place.posts) == 40
        assert not [at for at in place.posts if 25 < at < 60]

    await with_tokens(Tokens(lambda at: broken if at < 60 else None, good_for), use)


@pytest.mark.parametrize(
    ("broken", "kind", "seconds"),
    [
        (answer(404), errors.ResponseError, 0),
        (answer(410), errors.ResponseError, 0),
        (answer(422), errors.ResponseError, 0),
        (answer(401), errors.Unauthorized, 0),
        (answer(503), errors.ServerError, 300),
    ],
    ids=["404", "410", "422", "401", "503"],
)
async def test_a_token_endpoint_that_gives_none_ends_the_batch_and_nothing_was_rejected(
    broken: Play, kind: type[errors.ResponseError], seconds: float
) -> None:
    rows = Rows(200)

    async def use(maia: Maia, place: Place) -> None:
        batch = Batch(maia.project("p"), iter(rows), max_running=10)
        with pytest.raises(kind):
            await to_the_end(batch)
        assert counts(batch) == {"NOT_STARTED": len(rows.read)}
        assert len(rows.read) <= 10
        assert batch.report().seconds == pytest.approx(seconds, abs=2)
        assert place.posts == []

    await with_tokens(Tokens(lambda _: broken), use)


async def test_a_post_that_was_answered_401_and_then_got_no_token_is_tried_again_when_there_is_one() -> None:
    refused: list[float] = []

    def play(seen: Seen) -> Play:
        if seen.headers["authorization"] == "Bearer token-1":
            refused.append(seen.at)
            return answer(401)
        return answer(201, {"pipelineExecutionId": "run"}) if seen.method == "POST" else answer(200, {"status": "SUCCESS"})

    tokens = Tokens(lambda at: answer(503) if at < 30 else None, good_for=1)
    async with Scripted(then=tokens) as desk, Scripted(then=play) as server:
        auth = ClientCredentials("id", "the-secret", token_url=f"{desk.url}/token")
        async with Maia(auth=auth, base_url=server.url, retry=QUICK) as maia:
            report = await run_batch(maia.project("p"), [ROW])

    assert report.succeeded
    assert len(refused) == 1
    assert 30 <= report.seconds < 30 + LEAST + CAP + 1
