"""The budget: exact in virtual time, and waiting for what was told suffices."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.emulator import Credential, Readings, Scenario
from maia_async.emulator.ratelimit import SlidingWindow, retry_after, scaled
from maia_async.policies import RateLimit


async def test_the_limit_is_1000_in_any_60_seconds_and_the_refused_do_not_count(api: Any) -> None:
    for _ in range(1000):
        assert (await api.get("/v1/projects")).status == 200

    refused = await api.get("/v1/projects")
    assert (refused.status, refused.headers["Retry-After"], refused.body["title"]) == (429, "60", "Too Many Requests")
    assert (await api.sign_in()).status == 429, "token calls draw from the same budget"
    await anyio.sleep(59.5)
    assert (await api.get("/v1/projects")).headers["Retry-After"] == "1"
    await anyio.sleep(0.5)
    assert (await api.get("/v1/projects")).status == 200
    statistics = api.emulator.control.statistics()
    assert (statistics["refused_429"], statistics["answers"]) == (3, {"200": 1001, "429": 3})


async def test_the_window_slides(serve: Any) -> None:
    async with serve(rate_limit=RateLimit(requests=2, per=10)) as api:
        assert (await api.get("/v1/projects")).status == 200
        await anyio.sleep(4)
        assert (await api.get("/v1/projects")).status == 200
        assert (await api.get("/v1/projects")).headers["Retry-After"] == "6"
        await anyio.sleep(6)
        assert (await api.get("/v1/projects")).status == 200
        assert (await api.get("/v1/projects")).headers["Retry-After"] == "4"
        assert api.emulator.control.statistics()["peak_in_window"] == 4, "refused ones arrived too"


async def test_requests_that_are_answered_with_errors_count_and_the_control_door_does_not(serve: Any) -> None:
    async with serve(rate_limit=RateLimit(requests=3, per=60)) as api:
        for _ in range(10):
            await api.door("GET", "/state")
        answers = [(await api.get("/v1/nothing")).status, (await api.get("/v1/projects", token="bad")).status, (await api.sign_in()).status]
        assert answers == [404, 401, 200]
        assert (await api.get("/v1/projects")).status == 429


async def test_without_a_limit_nothing_is_refused(serve: Any) -> None:
    async with serve(rate_limit=None) as api:
        for _ in range(1100):
            assert (await api.get("/v1/projects")).status == 200
        assert api.emulator.control.statistics()["peak_in_window"] == 1100


@pytest.mark.parametrize(
    ("seconds", "speed", "sent"),
    [(60.0, 1, "60"), (59.0000001, 1, "59"), (59.1, 1, "60"), (0.2, 1, "1"), (60.0, 10, "6"), (3.0, 10, "0.3"), (1.0, 7, "0.143")],
)
def test_retry_after_is_rounded_up_and_decimal_only_away_from_real_time(seconds: float, speed: float, sent: str) -> None:
    assert scaled(seconds, speed) == sent


def test_retry_after_as_a_date_is_the_first_second_at_which_a_slot_is_free() -> None:
    assert retry_after(30.2, now=1700822866.944, speed=1, reading="date") == "Fri, 24 Nov 2023 10:48:18 GMT"


@pytest.mark.parametrize("speed", [1, 10])
async def test_a_date_is_enough_when_counted_from_the_replys_own_date(serve: Any, speed: int) -> None:
    async with serve(rate_limit=RateLimit(requests=1, per=60), readings=Readings(retry_after="date"), speed=speed) as api:
        await anyio.sleep(0.123)
        await api.get("/v1/projects")
        headers = (await api.get("/v1/projects")).headers
        wait = (parsedate_to_datetime(headers["Retry-After"]) - parsedate_to_datetime(headers["Date"])).total_seconds()
        assert 60 / speed <= wait <= 60 / speed + 2
        await anyio.sleep(wait)
        assert (await api.get("/v1/projects")).status == 200


async def token_of(api: Any, client_id: str) -> str:
    return str((await api.sign_in(client_id, "s")).body["access_token"])


ACCOUNTS = Scenario(
    credentials=[
        Credential(client_id="a", client_secret="s", account="one"),
        Credential(client_id="b", client_secret="s", account="one"),
        Credential(client_id="c", client_secret="s", account="two"),
    ],
    rate_limit=RateLimit(requests=5, per=60),
)


async def test_credentials_and_tokens_of_one_account_share_its_budget_and_another_account_has_its_own(serve: Any) -> None:
    async with serve(ACCOUNTS) as api:
        tokens = [await token_of(api, client) for client in ("a", "a", "b", "c")]
        assert len(set(tokens)) == 4
        # Three of the five on account "one" are gone for tokens, one on "two".
        seen = [(await api.get("/v1/projects", token=token)).status for _ in range(2) for token in tokens]
        assert seen == [200, 200, 429, 200, 429, 429, 429, 200]
        assert (await api.sign_in("b", "s")).status == 429
        assert (await api.sign_in("c", "wrong")).status == 429, "whoever does not sign in counts on the first account"
        assert (await api.sign_in("c", "s")).status == 200
        assert (await api.get("/v1/projects", token="bad")).status == 429
        statistics = api.emulator.control.statistics()

    assert statistics["clients"] == {
        "a": {"requests": 4, "refused_429": 2},
        "b": {"requests": 2, "refused_429": 2},
        "c": {"requests": 2, "refused_429": 0},
    }
    assert {name: (one["requests"], one["refused_429"]) for name, one in statistics["accounts"].items()} == {"one": (12, 7), "two": (4, 0)}
    assert (statistics["requests"], statistics["refused_429"], statistics["peak_in_window"]) == (16, 7, 12)
    assert [entry.client_id for entry in api.emulator.control.requests() if entry.status == 429][:4] == ["b", "a", "a", "b"]


async def test_others_eat_the_budget_evenly_and_without_requests(serve: Any) -> None:
    async with serve(Scenario(rate_limit=RateLimit(requests=100, per=60), others_per_minute=40)) as api:
        await anyio.sleep(120)
        answers = [(await api.get("/v1/projects")) for _ in range(70)]
        assert [answer.status for answer in answers].count(200) == 60
        # Theirs go away one by one, every 1.5 s, and others take each place at once: ours come back a minute later.
        await anyio.sleep(50)
        assert (await api.get("/v1/projects")).status == 429
        await anyio.sleep(10)
        assert [(await api.get("/v1/projects")).status for _ in range(61)].count(200) == 60
        account = api.emulator.control.statistics()["accounts"]["account"]
        assert (account["others_accepted"], account["others_refused"], account["requests"]) == (120, 0, 132)
        assert len(api.emulator.control.requests()) == 132


async def test_others_may_take_everything_and_stop(api: Any) -> None:
    assert (await api.door("PUT", "/others", json={"requests_per_minute": 3000})).body == {"account": 3000}
    await anyio.sleep(100)
    refused = await api.get("/v1/projects")
    assert (refused.status, int(refused.headers["Retry-After"]) <= 60) == (429, True)
    assert api.emulator.control.state()["others"] == {"account": 3000}
    api.emulator.control.set_others(0, account="account")
    await anyio.sleep(60)
    assert (await api.get("/v1/projects")).status == 200


@pytest.mark.parametrize(
    "wrong", [{"requests_per_minute": -1}, {"requests_per_minute": "many"}, {"requests_per_minute": 1, "account": "x"}, {}]
)
async def test_others_that_make_no_sense_are_refused(api: Any, wrong: dict[str, Any]) -> None:
    assert (await api.door("PUT", "/others", json=wrong)).status == 400


@pytest.mark.parametrize("rate", [30, 59, 60])
def test_a_long_silence_leaves_the_window_as_others_would_have_filled_it(rate: float) -> None:
    patient, hasty = (SlidingWindow(RateLimit(requests=60, per=60)) for _ in range(2))
    start = 1_767_225_600.0
    for window in (patient, hasty):
        window.set_others(rate, start)
    for second in range(1, 3000):
        patient._let_others_in(start + second, 60)
    hasty._let_others_in(start + 2999, 60)

    assert len(hasty._accepted) == len(patient._accepted)
    free = [window.arrive(start + 2999.5) is None for window in (patient, hasty)]
    assert free[0] == free[1]


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5))
def test_no_window_ever_holds_more_accepted_arrivals_than_the_limit(gaps: list[float], requests: int) -> None:
    window = SlidingWindow(RateLimit(requests=requests, per=5))
    now = 1_767_225_600.0
    accepted: list[float] = []
    for gap in gaps:
        now += gap
        wait = window.arrive(now)
        if wait is None:
            accepted.append(now)
        else:
            assert 0 < wait <= 5
            assert sum(1 for at in accepted if at > now - 5) == requests, "refused only when the window is full"
        assert sum(1 for at in accepted if at > now - 5 + 1e-5) <= requests
