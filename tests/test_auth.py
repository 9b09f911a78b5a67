"""Credentials and tokens: each row of the module's table, driven by a fake token endpoint in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from maia_async.auth import ASSUMED_LIFE, ClientCredentials, StaticToken, Token, TokenSource, read_token
from maia_async.errors import ConfigurationError, DecodeError, MaiaError, ServerError
from maia_async.secrets import Secret

Now = Callable[[], float]


def server_error() -> ServerError:
    return ServerError(503, method="POST", path="/token")


@define
class Endpoint:
    """A token endpoint: gives `Bearer 1`, `Bearer 2` …, each after `takes` seconds; `failing` makes it fail after the same time."""

    expires_in: float | None = 1800.0
    takes: float = 1.0
    failing: MaiaError | None = None
    fetches: list[float] = field(factory=list)

    async def fetch(self) -> Token:
        self.fetches.append(asyncio.get_running_loop().time())
        number = len(self.fetches)
        await anyio.sleep(self.takes)
        if self.failing is not None:
            raise self.failing
        return Token(Secret(f"Bearer {number}"), self.expires_in)

    def source(self) -> TokenSource:
        return TokenSource(self.fetch, asyncio.get_running_loop().time)


async def ask(source: TokenSource, answers: list[str]) -> None:
    answers.append(await source.authorization())


# The table: none, rejected or expired.


async def test_without_a_token_one_is_fetched_and_kept(now: Now) -> None:
    endpoint = Endpoint()
    source = endpoint.source()
    assert [await source.authorization() for _ in range(3)] == ["Bearer 1"] * 3
    assert endpoint.fetches == [0.0]
    assert now() == 1.0


async def test_fifty_askers_wait_for_one_fetch() -> None:
    endpoint = Endpoint()
    source = endpoint.source()
    answers: list[str] = []
    async with anyio.create_task_group() as askers:
        for _ in range(50):
            askers.start_soon(ask, source, answers)
    assert answers == ["Bearer 1"] * 50
    assert endpoint.fetches == [0.0]


async def test_an_expired_token_is_renewed_once_for_everybody() -> None:
    endpoint = Endpoint(expires_in=100.0)
    source = endpoint.source()
    await source.authorization()
    await anyio.sleep(100.0)
    answers: list[str] = []
    async with anyio.create_task_group() as askers:
        for _ in range(50):
            askers.start_soon(ask, source, answers)
    assert answers == ["Bearer 2"] * 50
    assert endpoint.fetches == [0.0, 101.0]


async def test_without_a_token_the_failure_reaches_the_asker_and_the_next_one_tries_again() -> None:
    endpoint = Endpoint(failing=server_error())
    source = endpoint.source()
    with pytest.raises(ServerError) as caught:
        await source.authorization()
    assert caught.value is endpoint.failing
    endpoint.failing = None
    assert await source.authorization() == "Bearer 2"


async def test_those_who_wait_for_a_fetch_share_its_failure() -> None:
    endpoint = Endpoint(failing=server_error())
    source = endpoint.source()
    failures: list[Exception] = []

    async def one() -> None:
        with pytest.raises(ServerError) as caught:
            await source.authorization()
        failures.append(caught.value)

    async with anyio.create_task_group() as askers:
        for _ in range(50):
            askers.start_soon(one)
    assert failures == [endpoint.failing] * 50
    assert len(endpoint.fetches) == 1


async def test_of_several_askers_each_gets_a_failure_or_a_token_and_nobody_hangs() -> None:
    endpoint = Endpoint(failing=server_error())
    source = endpoint.source()
    answers: list[str] = []

    async def one() -> None:
        try:
            await ask(source, answers)
        except ServerError:
            answers.append("failed")

    async with anyio.create_task_group() as askers:
        for _ in range(3):
            askers.start_soon(one)
        await anyio.sleep(0.5)
        endpoint.failing = None
    assert answers == ["Bearer 1"] * 3


# The table: near its end.


async def test_a_token_is_used_until_a_tenth_of_its_life_is_left() -> None:
    endpoint = Endpoint(expires_in=100.0)
    source = endpoint.source()
    await source.authorization()
    await anyio.sleep(89.9)
    assert await source.authorization() == "Bearer 1"
    assert len(endpoint.fetches) == 1
    await anyio.sleep(0.2)
    assert await source.authorization() == "Bearer 2"


async def test_the_margin_is_at_most_five_minutes() -> None:
    endpoint = Endpoint(expires_in=7200.0)
    source = endpoint.source()
    await source.authorization()
    await anyio.sleep(7200.0 - 301.0)
    assert await source.authorization() == "Bearer 1"
    await anyio.sleep(2.0)
    assert await source.authorization() == "Bearer 2"


async def test_while_one_renews_early_the_others_use_the_old_token_at_once(now: Now) -> None:
    endpoint = Endpoint(expires_in=100.0)
    source = endpoint.source()
    await source.authorization()
    await anyio.sleep(95.0)
    answers: list[str] = []
    async with anyio.create_task_group() as askers:
        askers.start_soon(ask, source, answers)
        await anyio.sleep(0.5)
        started = now()
        others = [await source.authorization() for _ in range(49)]
        assert now() == started
    assert others == ["Bearer 1"] * 49
    assert answers == ["Bearer 2"]
    assert len(endpoint.fetches) == 2


async def test_an_early_renewal_that_fails_keeps_the_old_token_and_looks_again_a_little_later() -> None:
    endpoint = Endpoint(expires_in=1000.0)
    source = endpoint.source()
    await source.authorization()
    await anyio.sleep(940.0)
    endpoint.failing = server_error()
    assert await source.authorization() == "Bearer 1"
    assert [await source.authorization() for _ in range(20)] == ["Bearer 1"] * 20
    assert len(endpoint.fetches) == 2
    endpoint.failing = None
    await anyio.sleep(20.0)
    assert await source.authorization() == "Bearer 3"


async def test_an_early_renewal_that_fails_does_not_outlive_the_old_token() -> None:
    endpoint = Endpoint(expires_in=100.0)
    source = endpoint.source()
    await source.authorization()
    await anyio.sleep(95.0)
    endpoint.failing = server_error()
    assert await source.authorization() == "Bearer 1"
    await anyio.sleep(10.0)
    with pytest.raises(ServerError):
        await source.authorization()


async def test_a_bug_in_fetching_is_not_taken_for_a_failed_renewal() -> None:
    endpoint = Endpoint(expires_in=100.0)
    source = endpoint.source()
    await source.authorization()
    await anyio.sleep(95.0)
    endpoint.failing = RuntimeError("a bug")  # type: ignore[assignment]  # the material of this test
    with pytest.raises(RuntimeError, match="a bug"):
        await source.authorization()


# Rejected tokens.


async def test_a_rejected_token_is_replaced() -> None:
    endpoint = Endpoint()
    source = endpoint.source()
    source.forget(await source.authorization())
    assert await source.authorization() == "Bearer 2"


async def test_only_the_token_that_was_rejected_is_forgotten() -> None:
    endpoint = Endpoint()
    source = endpoint.source()
    first = await source.authorization()
    source.forget(first)
    second = await source.authorization()
    source.forget(first)  # fifty requests with the first token come back with 401 after it was replaced
    source.forget("Bearer nobody's")
    assert await source.authorization() == second
    assert len(endpoint.fetches) == 2


async def test_fifty_rejections_of_one_token_cost_one_fetch() -> None:
    endpoint = Endpoint()
    source = endpoint.source()
    first = await source.authorization()
    answers: list[str] = []

    async def rejected() -> None:
        source.forget(first)
        answers.append(await source.authorization())

    async with anyio.create_task_group() as askers:
        for number in range(50):
            askers.start_soon(rejected, name=str(number))
    assert answers == ["Bearer 2"] * 50
    assert len(endpoint.fetches) == 2


async def test_a_token_that_is_rejected_while_its_early_renewal_fails_is_not_given_again() -> None:
    endpoint = Endpoint(expires_in=100.0)
    source = endpoint.source()
    first = await source.authorization()
    await anyio.sleep(95.0)
    endpoint.failing = server_error()
    answers: list[str] = []
    async with anyio.create_task_group() as askers:
        askers.start_soon(ask, source, answers)
        await anyio.sleep(0.5)
        source.forget(first)
        await anyio.sleep(0.6)
        endpoint.failing = None
    assert answers == ["Bearer 3"]


# How long it lives.


async def test_without_expires_in_half_an_hour_is_assumed() -> None:
    endpoint = Endpoint(expires_in=None)
    source = endpoint.source()
    await source.authorization()
    await anyio.sleep(ASSUMED_LIFE * 0.9 - 1)
    assert await source.authorization() == "Bearer 1"
    await anyio.sleep(2.0)
    assert await source.authorization() == "Bearer 2"


async def test_a_token_that_expires_at_once_is_used_until_it_is_rejected() -> None:
    endpoint = Endpoint(expires_in=0.0)
    source = endpoint.source()
    assert [await source.authorization() for _ in range(100)] == ["Bearer 1"] * 100
    await anyio.sleep(86_400.0)
    assert await source.authorization() == "Bearer 1"
    source.forget("Bearer 1")
    assert await source.authorization() == "Bearer 2"


async def test_a_token_that_dies_before_it_can_be_used_gives_an_answer_and_no_endless_loop() -> None:
    endpoint = Endpoint(expires_in=0.001)
    source = endpoint.source()
    with anyio.fail_after(60):
        assert await source.authorization() == "Bearer 1"
        assert await source.authorization() in {"Bearer 1", "Bearer 2"}


# Cancellation.


async def test_when_the_one_who_fetches_is_cancelled_the_next_one_fetches() -> None:
    endpoint = Endpoint(takes=10.0)
    source = endpoint.source()
    answers: list[str] = []
    async with anyio.create_task_group() as askers:
        with anyio.move_on_after(1.0):
            async with anyio.create_task_group() as first:
                first.start_soon(ask, source, answers)
                await anyio.sleep(0.5)
                for _ in range(49):
                    askers.start_soon(ask, source, answers)
        assert answers == []
    assert answers == ["Bearer 2"] * 49
    assert endpoint.fetches == [0.0, 1.0]


async def test_a_cancelled_waiter_disturbs_nobody() -> None:
    endpoint = Endpoint(takes=10.0)
    source = endpoint.source()
    answers: list[str] = []
    async with anyio.create_task_group() as askers:
        askers.start_soon(ask, source, answers)
        await anyio.sleep(0.5)
        with anyio.move_on_after(1.0) as scope:
            await source.authorization()
        assert scope.cancelled_caught
    assert answers == ["Bearer 1"]
    assert endpoint.fetches == [0.0]


async def test_a_cancelled_early_renewal_leaves_the_old_token_in_use() -> None:
    endpoint = Endpoint(expires_in=100.0, takes=2.0)
    source = endpoint.source()
    await source.authorization()
    await anyio.sleep(95.0)
    with anyio.move_on_after(1.0) as scope:
        await source.authorization()
    assert scope.cancelled_caught
    assert await source.authorization() == "Bearer 3"


# The endpoint's answer.


@pytest.mark.parametrize(
    ("data", "expires_in"),
    [
        ({"access_token": "t"}, None),
        ({"access_token": "t", "expires_in": 1800}, 1800.0),
        ({"access_token": "t", "expires_in": "1800"}, 1800.0),
        ({"access_token": "t", "expires_in": 0.5}, 0.5),
        ({"access_token": "t", "expires_in": 0}, 0.0),
        ({"access_token": "t", "expires_in": None}, None),
        ({"access_token": "t", "expires_in": True}, None),
        ({"access_token": "t", "expires_in": -1}, None),
        ({"access_token": "t", "expires_in": "soon"}, None),
        ({"access_token": "t", "expires_in": "nan"}, None),
        ({"access_token": "t", "expires_in": float("nan")}, None),
        ({"access_token": "t", "expires_in": "inf"}, None),
        ({"access_token": "t", "expires_in": 1e12}, None),
        ({"access_token": "t", "expires_in": 10**400}, None),
        ({"access_token": "t", "expires_in": [1800]}, None),
        ({"access_token": " t\n", "token_type": "Bearer"}, None),
        ({"access_token": "t", "token_type": "bearer", "scope": "x", "id_token": 5}, None),
    ],
)
def test_a_token_is_read_with_its_life_or_without(data: dict[str, Any], expires_in: float | None) -> None:
    assert read_token(data) == Token(Secret("Bearer t"), expires_in)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "$: expected an object with access_token"),
        (["t"], "$: expected an object with access_token"),
        ("hush-hush", "$: expected an object with access_token"),
        ({}, "$.access_token: missing; fields present: "),
        ({"token": "hush-hush", "expires_in": 5}, "$.access_token: missing; fields present: expires_in, token"),
        ({"access_token": ""}, "$.access_token: missing; fields present: access_token"),
        ({"access_token": 5}, "$.access_token: missing; fields present: access_token"),
        ({"access_token": "hush-hush", "token_type": "MAC"}, "$.token_type: expected Bearer"),
        (
            {"access_token": "hush hush\nX-Evil: 1"},
            "$.access_token: access_token must be text without spaces or control characters (its value is not shown)",
        ),
    ],
)
def test_an_answer_without_a_usable_token_is_an_error_that_shows_no_value(data: Any, problem: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_token(data)
    assert caught.value.problems == (problem,)
    assert "hush" not in repr(caught.value)


SOME_JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(
    SOME_JSON | st.lists(SOME_JSON) | st.dictionaries(st.sampled_from(["access_token", "expires_in", "token_type"]) | st.text(), SOME_JSON)
)
def test_any_answer_is_a_token_fit_for_a_header_or_a_decode_error(data: Any) -> None:
    try:
        token = read_token(data)
    except DecodeError:
        return
    text = token.secret.reveal()
    assert text.startswith("Bearer ")
    assert text.isascii()
    assert text.isprintable()


# What the caller gives.


async def test_a_static_token_is_given_as_it_is_and_a_rejection_changes_nothing() -> None:
    token = StaticToken("  abc\n")
    token.forget("Bearer abc")
    assert await token.authorization() == "Bearer abc"


@pytest.mark.parametrize("bad", ["", "  ", "a b", "a\nb", "a\x00b", "é", None, 5, b"abc"])
@pytest.mark.parametrize(("make", "name"), [(StaticToken, "token"), (lambda bad: ClientCredentials("id", bad), "client_secret")])
def test_a_secret_that_no_header_can_carry_is_refused_and_not_shown(make: Callable[[Any], object], name: str, bad: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(bad)
    assert str(caught.value) == f"{name} must be text without spaces or control characters (its value is not shown)"


@pytest.mark.parametrize("bad", ["", " ", None, 5])
def test_an_empty_client_id_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError, match="client_id must be text and not empty"):
        ClientCredentials(bad, "hush")


def test_the_token_request_has_the_fields_of_the_survey() -> None:
    credentials = ClientCredentials(" id ", "hush")
    assert credentials.form() == {
        "grant_type": "client_credentials",
        "client_id": "id",
        "client_secret": "hush",
        "audience": "https://api.matillion.com",
    }
    assert "audience" not in ClientCredentials("id", "hush", audience=None).form()


def test_a_token_url_that_is_not_https_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="token_url must be https"):
        ClientCredentials("id", "hush", token_url="http://maia.example/token")
