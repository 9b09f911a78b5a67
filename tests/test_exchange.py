"""One request of ours until its answer: what is sent again, when, with which token, and what it is accounted as."""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

import anyio
import pytest
from attrs import define, field
from scripted import Scripted, Seen, Step, answer, close, garbage, gzip_bomb, html, redirect, reset, stall, truncated

from maia_async import ClientCredentials, Maia, StaticToken, errors
from maia_async.breaker import Breaker
from maia_async.emulator import Emulator, Scenario
from maia_async.events import Event, RateLimitPaused, RequestFinished, TokenRefreshed
from maia_async.exchange import Exchange
from maia_async.governor import Governor, Lane
from maia_async.observers import Observers
from maia_async.policies import RateLimit, RetryPolicy, Timeouts
from maia_async.session import Session
from maia_async.wire import operations
from maia_async.wire.requests import RequestSpec

Now = Callable[[], float]
GET = operations.list_projects()
POST = operations.execute_pipeline("p", {"pipelineName": "n", "environmentName": "e"})
PATCH = operations.cancel_execution("p", "x", force=False)
THE_DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
LATER = {30: "Thu, 01 Jan 2026 00:00:30 GMT", 121: "Thu, 01 Jan 2026 00:02:01 GMT"}


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are their upper bounds, and pauses are stretched by nothing: times become exact."""
    monkeypatch.setattr("backoff.full_jitter", lambda wait: wait)


@asynccontextmanager
async def exchange_with(
    url: str,
    *,
    auth: Any = None,
    retry: RetryPolicy | None = None,
    limit: RateLimit | None = RateLimit(),
    timeout: Timeouts | None = None,
    observers: tuple[Callable[[Event], Any], ...] = (),
    stretch: float = 0.0,
) -> AsyncIterator[Exchange]:
    """The real thing without a client around it; pauses are stretched by `stretch` of the most that they may be."""
    session = Session(timeout=timeout or Timeouts(), max_body=1000)
    governor = Governor(limit, random=lambda: stretch)
    exchange = Exchange(
        session=session,
        governor=governor,
        auth=auth or StaticToken("t"),
        base_url=url,
        token_url=None,
        retry=retry or RetryPolicy(),
        max_pause=None if limit is None else limit.max_pause,
        observers=Observers(observers),
    )
    try:
        yield exchange
        assert governor.in_flight == 0
    finally:
        governor.close()
        await session.aclose()


@define
class Doubt:
    """Remembers what a trigger is told about itself."""

    told: list[bool] = field(factory=list)

    def __call__(self, sent: bool) -> None:
        self.told.append(sent)

    @property
    def holds(self) -> bool:
        """The last word."""
        return bool(self.told) and self.told[-1]


# What is sent again.

TIMES = [0, 0.5, 1.5, 3.5, 7.5]
STALLED = [0, 60.5, 121.5, 183.5, 247.5]
SAID: list[tuple[Step, type[errors.MaiaError], bool]] = [
    # the answer, the error that it is, whether it may mean something else the next time
    (answer(400), errors.BadRequest, False),
    (answer(403), errors.Forbidden, False),
    (answer(404), errors.NotFound, False),
    (answer(408), errors.ResponseError, True),
    (answer(409), errors.Conflict, False),
    (answer(410), errors.PipelineDisabled, False),
    (answer(418), errors.ResponseError, False),
    (answer(422), errors.BadRequest, False),
    (answer(425), errors.ResponseError, True),
    (answer(500), errors.ServerError, True),
    (html(500), errors.ServerError, True),
    (answer(501), errors.ServerError, False),
    (answer(502, b""), errors.ServerError, True),
    (answer(503), errors.ServerError, True),
    (answer(504), errors.GatewayTimeout, True),
    (answer(505), errors.ServerError, False),
    (answer(529), errors.ServerError, True),
    (answer(101, b""), errors.ResponseError, False),
    (redirect("/elsewhere", 301), errors.ResponseError, False),
    (answer(304, b""), errors.ResponseError, False),
    (redirect("/elsewhere", 307), errors.ResponseError, False),
    (stall(), errors.RequestTimedOut, True),
    (truncated(answer(body=b"12345"), end="stall"), errors.RequestTimedOut, True),
    (close(), errors.Disconnected, True),
    (reset(), errors.Disconnected, True),
    (garbage(), errors.Disconnected, True),
    (truncated(answer(body=b"12345")), errors.Disconnected, True),
    (gzip_bomb(2000), errors.DecodeError, False),
]


def name_of(value: Any) -> str | None:
    if isinstance(value, Step):
        return f"{value.data[9:12].decode()}-{value.end}"
    return value.__name__ if isinstance(value, type) else None


@pytest.mark.parametrize(("step", "kind", "passing"), SAID, ids=name_of)
@pytest.mark.parametrize("spec", [GET, PATCH], ids=["GET", "PATCH"])
async def test_a_repeatable_request_is_tried_until_the_tries_are_used_up(
    step: Step, kind: type[errors.MaiaError], passing: bool, spec: RequestSpec
) -> None:
    async with Scripted(then=step) as server, exchange_with(server.url) as exchange:
        with pytest.raises(errors.MaiaError) as caught:
            await exchange.call(spec, Lane.READ)
        assert type(caught.value) is kind
        expected = (STALLED if step.end == "stall" else TIMES) if passing else [0]
        assert server.times == pytest.approx(expected, abs=1e-3)
        assert exchange.sent == len(server.requests)
    assert (getattr(caught.value, "method", None), getattr(caught.value, "path", None)) == (spec.method, spec.path)


@pytest.mark.parametrize(("step", "kind", "passing"), [row for row in SAID if row[2]], ids=name_of)
async def test_it_succeeds_at_the_second_try(step: Step, kind: type[errors.MaiaError], passing: bool) -> None:
    async with Scripted(step, answer(body={"results": [1]})) as server, exchange_with(server.url) as exchange:
        assert await exchange.read(GET, Lane.READ, lambda data: data["results"]) == [1]
        assert len(server.requests) == 2
        assert sum(exchange.outcomes.values()) == 2
        assert exchange.outcomes["200"] == 1


@pytest.mark.parametrize(("step", "kind", "passing"), SAID, ids=name_of)
async def test_a_post_is_never_sent_again_when_it_may_have_landed(step: Step, kind: type[errors.MaiaError], passing: bool) -> None:
    doubt = Doubt()
    async with Scripted(step, then=answer(201)) as server, exchange_with(server.url) as exchange:
        with pytest.raises(kind):
            await exchange.call(POST, Lane.TRIGGER, in_doubt=doubt)
        assert len(server.requests) == 1
    # An answer is no "not carried out" unless it is one of those that say so: what it means is landing.py's to judge.
    assert doubt.told == [True]


@pytest.mark.parametrize("end", [reset(unread=True)])
async def test_a_post_whose_connection_broke_unread_is_in_doubt_all_the_same(end: Step) -> None:
    """From here it cannot be told from a reset after reading."""
    doubt = Doubt()
    async with Scripted(end, then=answer(201)) as server, exchange_with(server.url) as exchange:
        with pytest.raises(errors.Disconnected):
            await exchange.call(POST, Lane.TRIGGER, in_doubt=doubt)
        assert server.requests == []
    assert doubt.told == [True]


async def test_a_post_is_sent_again_when_no_connection_was_made() -> None:
    doubt = Doubt()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with exchange_with(url) as exchange, anyio.create_task_group() as group:

        async def call() -> None:
            assert (await exchange.call(POST, Lane.TRIGGER, in_doubt=doubt)).status == 201

        group.start_soon(call)
        await anyio.sleep(1)
        assert doubt.told == [True, False, True, False]
        async with Scripted(answer(201), listener=listener) as server:
            await anyio.sleep(10)
            assert len(server.requests) == 1
        assert exchange.outcomes == {"ConnectFailed": 2, "201": 1}
    assert doubt.told == [True, False, True, False, True]


@pytest.mark.parametrize("spec", [GET, POST], ids=["GET", "POST"])
async def test_connections_that_are_never_made_use_up_the_tries(spec: RequestSpec, now: Now) -> None:
    doubt = Doubt()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with exchange_with(f"http://127.0.0.1:{taken.getsockname()[1]}") as exchange:
            start = now()
            with pytest.raises(errors.ConnectFailed):
                await exchange.call(spec, Lane.TRIGGER, in_doubt=doubt)
            assert now() - start == pytest.approx(7.5, abs=1e-3)
            assert exchange.outcomes == {"ConnectFailed": 5}
    assert doubt.told == [True, False] * 5


async def test_a_refused_certificate_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with exchange_with("https://127.0.0.1:1") as exchange:
        failure = errors.ConnectFailed("the server's certificate was refused", final=True)

        async def send(*args: Any, **options: Any) -> Any:
            raise failure

        monkeypatch.setattr(exchange.session, "send", send)
        with pytest.raises(errors.ConnectFailed):
            await exchange.call(GET, Lane.READ)
        assert exchange.sent == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206])
async def test_any_2xx_is_a_success(status: int) -> None:
    async with Scripted(answer(status)) as server, exchange_with(server.url) as exchange:
        assert (await exchange.call(POST, Lane.TRIGGER)).status == status


async def test_a_success_that_cannot_be_read_says_of_what_and_is_not_fetched_again() -> None:
    async with Scripted(html()) as server, exchange_with(server.url) as exchange:
        with pytest.raises(errors.DecodeError, match=r"GET /v1/projects: .* HTML: Proxy sign-in") as caught:
            await exchange.read(GET, Lane.READ, lambda data: data)
        assert caught.value.status == 200
        assert len(server.requests) == 1


# When.


@pytest.mark.parametrize(
    ("policy", "times"),
    [
        (RetryPolicy(max_tries=1), [0]),
        (RetryPolicy(max_tries=2, base=4), [0, 4]),
        (RetryPolicy(max_tries=6, base=1, cap=3), [0, 1, 3, 6, 9, 12]),
    ],
)
async def test_the_policy_decides_how_often_and_how_far_apart(policy: RetryPolicy, times: list[float]) -> None:
    async with Scripted(then=answer(503)) as server, exchange_with(server.url, retry=policy) as exchange:
        with pytest.raises(errors.ServerError):
            await exchange.call(GET, Lane.READ)
        assert server.times == pytest.approx(times, abs=1e-3)


async def test_a_call_may_ask_for_fewer_tries() -> None:
    async with Scripted(then=answer(503)) as server, exchange_with(server.url) as exchange:
        with pytest.raises(errors.ServerError):
            await exchange.call(GET, Lane.POLL, tries=1)
        assert len(server.requests) == 1


async def test_jitter_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    script = [answer(503)] * 5 + [answer()]  # a sign of life between the calls: in an outage most of them would be held back
    async with Scripted(*script * 20) as server, exchange_with(server.url) as exchange:
        for _ in range(20):
            with pytest.raises(errors.ServerError):
                await exchange.call(GET, Lane.READ)
            await exchange.call(GET, Lane.READ)
        gaps = [b - a for a, b in pairwise(server.times)]
        waits = [gaps[6 * call : 6 * call + 4] for call in range(20)]
    for number, bound in enumerate([0.5, 1, 2, 4]):
        column = [row[number] for row in waits]
        assert all(0 <= wait <= bound + 1e-3 for wait in column)
        assert max(column) - min(column) > bound / 2


@pytest.mark.parametrize("status", [503, 500, 408, 504])
@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "30"}, 30),
        ({"retry_after": LATER[30], "date": THE_DATE}, 30),
        ({"retry_after": "0"}, 0.5),
        ({"retry_after": "0.1"}, 0.5),
        ({"retry_after": LATER[30]}, 0.5),
        ({"retry_after": "soon"}, 0.5),
        ({"retry_after": "120"}, 120),
        ({}, 0.5),
    ],
)
async def test_a_retry_after_lengthens_the_wait_and_never_shortens_it(status: int, headers: dict[str, str], wait: float) -> None:
    async with Scripted(answer(status, **headers), answer()) as server, exchange_with(server.url) as exchange:
        await exchange.call(GET, Lane.READ)
        assert server.times == pytest.approx([0, wait], abs=1e-3)


@pytest.mark.parametrize("headers", [{"retry_after": "121"}, {"retry_after": LATER[121], "date": THE_DATE}])
async def test_one_over_max_pause_is_raised_at_once_and_waits_ride_it_out(headers: dict[str, str]) -> None:
    async with Scripted(answer(503, **headers), answer(503, **headers), answer()) as server, exchange_with(server.url) as exchange:
        with pytest.raises(errors.ServerError) as caught:
            await exchange.call(GET, Lane.READ)
        assert caught.value.retry_after == 121
        assert len(server.requests) == 1
        await exchange.call(GET, Lane.POLL, ride_out=True)
        assert server.times[2] - server.times[1] == pytest.approx(121, abs=1e-3)


# 429.


@pytest.mark.parametrize("spec", [GET, POST], ids=["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "30"}, 30),
        ({"retry_after": LATER[30], "date": THE_DATE}, 30),
        ({"retry_after": "0.5"}, 1),  # a sixtieth of the window is the least
        ({"retry_after": "120"}, 120),
    ],
)
async def test_a_429_is_paused_for_and_sent_again(spec: RequestSpec, headers: dict[str, str], wait: float) -> None:
    doubt = Doubt()
    async with Scripted(answer(429, **headers), answer()) as server, exchange_with(server.url) as exchange:
        await exchange.call(spec, Lane.TRIGGER, in_doubt=doubt)
        assert server.times == pytest.approx([0, wait], abs=1e-3)
        assert exchange.governor.refused == 1
        assert exchange.governor.paused_seconds == pytest.approx(wait, abs=1e-3)
    assert doubt.told == [True, False, True]


async def test_each_attempt_is_announced_after_its_pause_and_before_it_is_in_doubt(now: Now) -> None:
    doubt, announced = Doubt(), list[tuple[float, list[bool]]]()

    async def announce() -> None:
        await anyio.sleep(1)
        announced.append((now(), list(doubt.told)))

    async with Scripted(answer(429, retry_after="30"), answer()) as server, exchange_with(server.url) as exchange:
        begun = now()
        await exchange.call(POST, Lane.TRIGGER, in_doubt=doubt, announce=announce)
    assert [at - begun for at, _ in announced] == pytest.approx([1, 32], abs=1e-3)
    assert [told for _, told in announced] == [[], [True, False]]
    assert server.times == pytest.approx([0, 31], abs=1e-3)


async def test_what_cannot_be_announced_does_not_go_out_and_gives_its_slot_back() -> None:
    doubt = Doubt()

    async def announce() -> None:
        raise errors.JournalWriteFailed("full", path="j")

    async with Scripted(answer()) as server, exchange_with(server.url) as exchange:
        with pytest.raises(errors.JournalWriteFailed):
            await exchange.call(POST, Lane.TRIGGER, in_doubt=doubt, announce=announce)
        assert exchange.governor.in_flight == 0
        assert server.requests == []
    assert doubt.told == []


async def test_without_a_retry_after_the_pauses_grow_and_stay_within_the_window() -> None:
    async with Scripted(then=answer(429)) as server, exchange_with(server.url) as exchange:
        with pytest.raises(errors.RateLimited):
            await exchange.call(GET, Lane.READ)
        gaps = [b - a for a, b in pairwise(server.times)]
    assert len(gaps) == 4
    assert all(1 <= a <= b <= 60.01 for a, b in pairwise(gaps))


@pytest.mark.parametrize("stretch", [0.0, 0.5, 0.999])
async def test_jitter_on_a_pause_goes_upwards_only(stretch: float) -> None:
    async with Scripted(answer(429, retry_after="30"), answer()) as server, exchange_with(server.url, stretch=stretch) as exchange:
        await exchange.call(GET, Lane.READ)
        assert 30 <= server.times[1] <= 60
        assert (server.times[1] > 30.001) == (stretch > 0)


async def test_a_pause_over_max_pause_is_raised_to_everybody_but_those_who_ride_it_out() -> None:
    async with Scripted(answer(429, retry_after="121"), then=answer()) as server, exchange_with(server.url) as exchange:
        with pytest.raises(errors.RateLimited) as caught:
            await exchange.call(GET, Lane.READ)
        assert caught.value.retry_after == 121
        await anyio.sleep(0.5)
        doubt = Doubt()
        with pytest.raises(errors.RateLimited) as other:
            await exchange.call(POST, Lane.TRIGGER, in_doubt=doubt)
        assert (other.value.method, other.value.path) == (POST.method, POST.path)
        assert other.value.retry_after == pytest.approx(120.5)
        assert doubt.told == []
        assert len(server.requests) == 1
        await exchange.call(GET, Lane.POLL, ride_out=True)
        assert server.times == pytest.approx([0, 121], abs=1e-3)


async def test_one_pause_holds_every_call_and_each_is_answered_in_the_end() -> None:
    async with Scripted(answer(429, retry_after="20", delay=0.1), then=answer(delay=0.1)) as server, exchange_with(server.url) as exchange:
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(exchange.call, GET if number % 2 else POST, Lane.READ)
                await anyio.sleep(0.02)
        between = [moment for moment in server.times if 0.11 < moment < 20]
        assert between == []
        assert exchange.outcomes == {"429": 1, "200": 40}
        assert exchange.governor.episodes == 1


async def test_many_refusals_in_flight_are_one_pause() -> None:
    refuse = answer(429, retry_after="10", delay=0.2)
    async with Scripted(*[refuse] * 30, then=answer()) as server, exchange_with(server.url, limit=None) as exchange:
        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(exchange.call, GET, Lane.READ)
        assert exchange.outcomes == {"429": 30, "200": 30}
        assert (exchange.governor.episodes, exchange.governor.paused_seconds) == (1, pytest.approx(10, abs=0.01))
        assert min(server.times[30:]) >= 10


async def test_a_server_that_always_says_429_ends_a_call_by_its_tries() -> None:
    async with Scripted(then=answer(429, retry_after="2")) as server, exchange_with(server.url) as exchange:
        with pytest.raises(errors.RateLimited):
            await exchange.call(GET, Lane.READ)
        assert len(server.requests) == 5
        assert exchange._budget.left == 200


# 401 and tokens.


@define
class TokenDesk:
    """A token endpoint: T1, T2 … each for `life` seconds."""

    life: Any = 1800
    issued: int = 0

    def __call__(self, seen: Seen) -> Step:
        self.issued += 1
        return answer(200, {"access_token": f"T{self.issued}", "expires_in": self.life, "token_type": "Bearer"})


def credentials(desk: Scripted, **fields: Any) -> ClientCredentials:
    return ClientCredentials("the id", "the-secret", token_url=f"{desk.url}/oauth/token", **fields)


async def test_the_time_of_the_api_is_told_by_its_own_answers_alone() -> None:
    told = answer(body={"access_token": "T", "expires_in": 1800}, date=LATER[121])
    async with Scripted(told) as desk, Scripted(answer(503), answer(date=THE_DATE), answer(date="soon")) as server:
        async with exchange_with(server.url, auth=credentials(desk), retry=RetryPolicy(max_tries=1)) as exchange:
            with pytest.raises(errors.ServerError):
                await exchange.call(GET, Lane.READ)
            assert exchange.server_date() is None  # the token's answer had one
            await exchange.call(GET, Lane.READ)
            assert exchange.server_date() == pytest.approx(datetime(2026, 1, 1, tzinfo=UTC).timestamp(), abs=0.1)
            await exchange.call(GET, Lane.READ)
            assert exchange.server_date() is None


async def test_the_token_request_is_the_one_that_callers_send() -> None:
    async with Scripted(TokenDesk()) as desk, Scripted(answer()) as server, exchange_with(server.url, auth=credentials(desk)) as exchange:
        await exchange.call(GET, Lane.READ)
        [asked] = desk.requests
        assert (asked.method, asked.target) == ("POST", "/oauth/token")
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
        assert "authorization" not in asked.headers
        assert parse_qs(asked.body.decode()) == {
            "grant_type": ["client_credentials"],
            "client_id": ["the id"],
            "client_secret": ["the-secret"],
            "audience": ["https://api.matillion.com"],
        }
        assert server.sent("authorization") == ["Bearer T1"]


async def test_without_an_audience_none_is_sent() -> None:
    auth: Any = None
    async with Scripted(TokenDesk()) as desk, Scripted(answer()) as server:
        auth = credentials(desk, audience=None)
        async with exchange_with(server.url, auth=auth) as exchange:
            await exchange.call(GET, Lane.READ)
        assert b"audience" not in desk.requests[0].body


@pytest.mark.parametrize("spec", [GET, POST], ids=["GET", "POST"])
async def test_a_401_is_replayed_once_with_another_token_and_is_no_try(spec: RequestSpec) -> None:
    doubt = Doubt()
    async with Scripted(then=TokenDesk()) as desk, Scripted(answer(401), answer()) as server:
        once = RetryPolicy(max_tries=1)
        async with exchange_with(server.url, auth=credentials(desk), retry=once) as exchange:
            await exchange.call(spec, Lane.TRIGGER, in_doubt=doubt)
        assert server.sent("authorization") == ["Bearer T1", "Bearer T2"]
        assert server.times == pytest.approx([0, 0], abs=1e-3)
    assert doubt.told == [True, False, True]


async def test_a_401_with_a_fresh_token_is_final() -> None:
    async with Scripted(then=TokenDesk()) as desk, Scripted(then=answer(401, {"detail": "no such account"})) as server:
        async with exchange_with(server.url, auth=credentials(desk)) as exchange:
            with pytest.raises(errors.Unauthorized, match="no such account"):
                await exchange.call(GET, Lane.READ)
        assert server.sent("authorization") == ["Bearer T1", "Bearer T2"]


async def test_a_401_after_a_replay_and_a_retry_is_final_too() -> None:
    """One replay for each call, however often it is tried."""
    async with Scripted(then=TokenDesk()) as desk, Scripted(answer(401), answer(503), answer(401), then=answer()) as server:
        async with exchange_with(server.url, auth=credentials(desk)) as exchange:
            with pytest.raises(errors.Unauthorized):
                await exchange.call(GET, Lane.READ)
        assert server.sent("authorization") == ["Bearer T1", "Bearer T2", "Bearer T2"]


async def test_a_static_token_has_no_other_to_give() -> None:
    async with Scripted(then=answer(401)) as server, exchange_with(server.url) as exchange:
        with pytest.raises(errors.Unauthorized):
            await exchange.call(GET, Lane.READ)
        assert len(server.requests) == 1


async def test_fifty_401s_at_once_are_one_new_token() -> None:
    desk = TokenDesk()

    def refuse_the_first(seen: Seen) -> Step:
        return answer(401 if seen.headers["authorization"] == "Bearer T1" else 200, delay=0.1)

    async with Scripted(then=desk) as tokens, Scripted(then=refuse_the_first) as server:
        # Without a limit all fifty leave at once.
        async with exchange_with(server.url, auth=credentials(tokens), limit=None) as exchange, anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(exchange.call, GET, Lane.READ)
        assert desk.issued == 2
        assert Counter(server.sent("authorization")) == {"Bearer T1": 50, "Bearer T2": 50}


async def test_a_token_revoked_in_mid_flight_costs_one_refresh_in_a_whole_client(emulator: Emulator) -> None:
    async with emulator.client() as maia:
        await maia.projects.list()
        emulator.control.revoke_tokens()
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(maia.projects.list().collect)
        statistics = emulator.control.statistics()
        assert statistics["tokens_issued"] == 2
        assert statistics["answers"]["401"] <= 50


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_refused_credentials_are_one_error_and_asked_for_once(status: int) -> None:
    said = answer(status, {"error": "invalid_client", "error_description": "Client authentication failed"})
    doubt = Doubt()
    async with Scripted(then=said) as desk, Scripted() as server, exchange_with(server.url, auth=credentials(desk)) as exchange:
        with pytest.raises(errors.Unauthorized, match=f"POST /oauth/token: {status} Client authentication failed") as caught:
            await exchange.call(POST, Lane.TRIGGER, in_doubt=doubt)
        assert caught.value.status == status
        assert len(desk.requests) == 1
        assert server.connections == 0
    assert doubt.told == []


@pytest.mark.parametrize("step", [answer(500), answer(503), close(), reset()], ids=name_of)
async def test_a_token_endpoint_that_fails_is_tried_again(step: Step) -> None:
    async with (
        Scripted(step, TokenDesk()) as desk,
        Scripted(answer()) as server,
        exchange_with(server.url, auth=credentials(desk)) as exchange,
    ):
        await exchange.call(GET, Lane.READ)
        assert len(desk.requests) == 2
    async with Scripted(then=step) as desk, Scripted() as server, exchange_with(server.url, auth=credentials(desk)) as exchange:
        with pytest.raises(errors.MaiaError):
            await exchange.call(GET, Lane.READ)
        assert desk.times == pytest.approx(TIMES, abs=1e-3)
        assert server.connections == 0


@pytest.mark.parametrize("status", [404, 501, 302, 418])
async def test_any_other_refusal_of_the_endpoint_is_itself(status: int) -> None:
    async with Scripted(then=answer(status)) as desk, Scripted() as server, exchange_with(server.url, auth=credentials(desk)) as exchange:
        with pytest.raises(errors.ResponseError) as caught:
            await exchange.call(GET, Lane.READ)
        assert (caught.value.status, caught.value.path) == (status, "/oauth/token")
        assert not isinstance(caught.value, errors.Unauthorized)
        assert len(desk.requests) == 1


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (answer(body=b""), "empty where JSON was promised"),
        (answer(body=b'{"access_token": "tok-123"'), "the answer is not JSON$"),
        (answer(body=b"tok-123"), "the answer is not JSON$"),
        (html(), "HTML: Proxy sign-in"),
        (answer(body=["tok-123"]), "expected an object with access_token"),
        (answer(body={}), "access_token: missing; fields present: $"),
        (answer(body={"token": "tok-123", "expires_in": 5}), "access_token: missing; fields present: expires_in, token$"),
        (answer(body={"access_token": None}), "access_token: missing"),
        (answer(body={"access_token": ["tok-123"]}), "access_token: missing"),
        (answer(body={"access_token": " "}), "access_token: missing"),
        (answer(body={"access_token": "tok-123 tok-123"}), r"access_token: .* without spaces or control characters"),
        (answer(body={"access_token": "tok-123", "token_type": "mac"}), "token_type: expected Bearer"),
    ],
)
async def test_a_token_answer_of_the_wrong_shape_is_told_without_its_values(step: Step, words: str) -> None:
    async with Scripted(then=step) as desk, Scripted() as server, exchange_with(server.url, auth=credentials(desk)) as exchange:
        with pytest.raises(errors.DecodeError, match=f"POST /oauth/token: .*{words}") as caught:
            await exchange.call(GET, Lane.READ)
        assert "tok-123" not in repr(caught.value)
        assert len(desk.requests) == 1
        assert server.connections == 0


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("life", [1800, 1800.5, "1800", None, "soon", -1])
async def test_what_a_token_answer_may_say_of_itself(kind: str, life: Any) -> None:
    said = answer(body={"access_token": "T", "token_type": kind, "expires_in": life, "scope": "x", "more": [1]})
    async with Scripted(said) as desk, Scripted(then=answer()) as server, exchange_with(server.url, auth=credentials(desk)) as exchange:
        for _ in range(3):
            await exchange.call(GET, Lane.READ)
        assert server.sent("authorization") == ["Bearer T"] * 3


async def test_a_slow_token_endpoint_is_waited_for_by_everybody_once() -> None:
    late = answer(body={"access_token": "T", "expires_in": 1800}, delay=50)
    async with Scripted(late) as desk, Scripted(then=answer()) as server, exchange_with(server.url, auth=credentials(desk)) as exchange:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(exchange.call, GET, Lane.READ)
        assert len(desk.requests) == 1
        assert server.requests[0].at - desk.requests[0].at == pytest.approx(50, abs=1e-3)
        assert len(server.requests) == 20


async def test_the_caller_that_fetches_may_go_and_another_takes_over() -> None:
    late = answer(body={"access_token": "T", "expires_in": 1800}, delay=50)
    async with (
        Scripted(late, late) as desk,
        Scripted(then=answer()) as server,
        exchange_with(server.url, auth=credentials(desk)) as exchange,
    ):
        async with anyio.create_task_group() as group:

            async def impatient() -> None:
                with anyio.move_on_after(10):
                    await exchange.call(GET, Lane.READ)

            group.start_soon(impatient)
            await anyio.sleep(1)
            group.start_soon(exchange.call, GET, Lane.READ)
        assert len(desk.requests) == 2
        assert len(server.requests) == 1


async def test_a_token_that_ends_during_a_pause_is_not_the_one_that_is_sent_after_it() -> None:
    async with Scripted(then=TokenDesk(life=100)) as desk, Scripted(answer(429, retry_after="110"), answer()) as server:
        async with exchange_with(server.url, auth=credentials(desk)) as exchange:
            await exchange.call(GET, Lane.READ)
        assert server.sent("authorization") == ["Bearer T1", "Bearer T2"]
        assert server.times == pytest.approx([0, 110], abs=0.1)


@pytest.mark.parametrize("answers", [[answer()], [answer(401), answer()]], ids=["answered", "401 first"])
async def test_a_token_that_is_over_at_once_is_fetched_once_more_and_sent(answers: list[Step]) -> None:
    async with Scripted(then=TokenDesk(life=1e-300)) as desk, Scripted(*answers) as server:
        async with exchange_with(server.url, auth=credentials(desk)) as exchange:
            await exchange.call(GET, Lane.READ)
        assert len(server.requests) == len(answers)
        assert 1 <= len(desk.requests) <= 5


async def test_a_token_that_is_over_when_its_turn_comes_is_fetched_once_more_and_sent() -> None:
    class Over:
        """Never says that it is ready."""

        ready = False
        asked = 0

        async def authorization(self) -> str:
            self.asked += 1
            return f"Bearer T{self.asked}"

        def forget(self, authorization: str) -> None:
            raise AssertionError(authorization)

    auth = Over()
    async with Scripted(then=answer()) as server, exchange_with(server.url, auth=auth) as exchange:
        await exchange.call(GET, Lane.READ)
        assert server.sent("authorization") == ["Bearer T2"]
    assert auth.asked == 2


async def test_tokens_are_renewed_before_their_end_for_days() -> None:
    """A client against the emulator, one call every 7 minutes for a day: no call ever meets an ended token."""
    async with Emulator(Scenario(token_lifetime=1800)) as emulator, emulator.client() as maia:
        for _ in range(205):
            await maia.projects.list()
            await anyio.sleep(420)
        statistics = emulator.control.statistics()
        assert "401" not in statistics["answers"]
        assert 48 <= statistics["tokens_issued"] <= 60


# An outage.


async def test_in_an_outage_retries_share_a_budget_and_first_attempts_do_not_need_it() -> None:
    async with Scripted(then=answer(503)) as server, exchange_with(server.url, limit=None) as exchange:
        exchange.breaker = Breaker(0.5, -1.0)  # never opens: the budget alone

        async def call() -> None:
            with pytest.raises(errors.ServerError):
                await exchange.call(GET, Lane.READ)

        async with anyio.create_task_group() as group:
            for _ in range(150):
                group.start_soon(call)
        assert len(server.requests) == 150 + 200
        await call()
        assert len(server.requests) == 351
        server._then = answer()
        for _ in range(11):  # each puts back a tenth of a retry
            await exchange.call(GET, Lane.READ)
        server._then = answer(503)
        await call()
        assert len(server.requests) == 351 + 11 + 2


# What is told.


async def test_observers_hear_of_every_attempt() -> None:
    heard: list[Event] = []
    script = [answer(503, delay=0.25), answer(429, retry_after="7"), answer()]
    async with (
        Scripted(then=TokenDesk()) as desk,
        Scripted(*script, close()) as server,
        exchange_with(server.url, auth=credentials(desk), observers=(heard.append,), retry=RetryPolicy(max_tries=3)) as exchange,
    ):
        await exchange.call(GET, Lane.READ)
        with pytest.raises(errors.Disconnected):
            await exchange.call(POST, Lane.TRIGGER)
    finished = [event for event in heard if isinstance(event, RequestFinished)]
    assert [(event.method, event.path, event.lane, event.status, event.error) for event in finished] == [
        ("POST", "/oauth/token", "TOKEN", 200, None),
        ("GET", "/v1/projects", "READ", 503, "ServerError"),
        ("GET", "/v1/projects", "READ", 429, "RateLimited"),
        ("GET", "/v1/projects", "READ", 200, None),
        ("POST", POST.path, "TRIGGER", None, "Disconnected"),
    ]
    assert finished[1].duration == pytest.approx(0.25, abs=1e-3)
    assert [event.seconds for event in heard if isinstance(event, RateLimitPaused)] == [pytest.approx(7)]
    assert [event.expires_in for event in heard if isinstance(event, TokenRefreshed)] == [1800]
    assert all(event.at.tzinfo is not None for event in heard)
    assert "T1" not in repr(heard)


async def test_what_an_observer_raises_is_logged_and_goes_no_further(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def broken(event: Event) -> None:
        raise ValueError("a bug of the observer")

    async with Scripted(answer()) as server, exchange_with(server.url, observers=(broken, lambda event: heard.append("told"))) as exchange:
        assert (await exchange.call(GET, Lane.READ)).status == 200
    assert heard == ["told"]
    [record] = caplog.records
    assert (record.levelno, record.name) == (logging.ERROR, "maia_async")
    assert "a bug of the observer" in str(record.exc_info)


async def test_statistics_add_up() -> None:
    script = [answer(), answer(503), answer(429, retry_after="3"), answer(404), close(), answer(201)]
    async with Scripted(then=TokenDesk()) as desk, Scripted(*script, then=answer()) as server:
        async with Maia(auth=credentials(desk), base_url=server.url) as maia:
            empty = maia.statistics()
            assert (empty.requests, dict(empty.outcomes), empty.budget, empty.waits) == (0, {}, 1000, 0)
            await maia.request("GET", "/v1/a")
            with pytest.raises(errors.NotFound):
                await maia.request("GET", "/v1/a")
            with pytest.raises(errors.Disconnected):
                await maia.request("POST", "/v1/a")
            await maia.request("POST", "/v1/a")
            told = maia.statistics()
        assert told.outcomes == {"200": 2, "503": 1, "429": 1, "404": 1, "Disconnected": 1, "201": 1}
        assert told.requests == sum(told.outcomes.values()) == len(server.requests) + len(desk.requests)
        assert told.rate_limited == 1
        assert 3 <= told.paused_seconds <= 6
        assert told.throttled_seconds >= told.paused_seconds
        assert (told.in_flight, told.waits, told.looks, told.sweeps) == (0, 0, 0, 0)
        assert 0 < told.budget_in_use <= told.requests
        assert told.budget is not None
        assert told.budget < 1000


async def test_without_a_limit_there_is_no_budget_to_tell() -> None:
    async with Scripted(answer()) as server, Maia(auth=StaticToken("t"), base_url=server.url, rate_limit=None) as maia:
        await maia.request("GET", "/v1/a")
        assert maia.statistics().budget is None
