"""The breaker's table, row by row, with the clock as an argument; and what the exchange makes of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import cycle

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Scripted, Seen, Step, answer, reset, stall

from maia_async import ConnectFailed, Maia, RetryPolicy, StaticToken, Timeouts
from maia_async.breaker import TRIP, Breaker, HeldBack
from maia_async.errors import MaiaError, RequestTimedOut, ServerError
from maia_async.orchestration.outcomes import state_of_trigger
from maia_async.wire.landing import Landing, landing_of
from maia_async.wire.requests import RequestSpec

GET = RequestSpec(method="GET", path="/v1/projects", repeatable=True)
POST = RequestSpec(method="POST", path="/v1/projects")


PATHS = cycle(["/a", "/b"])


def breaker(*, jitter: float = 0.0) -> Breaker:
    return Breaker(0.5, 30.0, random=lambda: jitter)


def fail(it: Breaker, now: float, count: int = 1, *, sent_at: float | None = None) -> bool:
    at = now if sent_at is None else sent_at
    return sum(it.failed(next(PATHS), now, sent_at=at, probe=False) for _ in range(count)) > 0


def opened(now: float = 100.0) -> Breaker:
    it = breaker()
    it.alive(now)
    assert fail(it, now, TRIP)
    return it


def probe(it: Breaker, now: float, spec: RequestSpec = GET) -> None:
    assert it.holds_back(spec, now) is None
    assert it.leave(now)


def test_ten_failures_in_a_row_open_it_and_nine_do_not() -> None:
    it = breaker()
    assert not fail(it, 1.0, TRIP - 1)
    assert not it.is_open
    assert fail(it, 1.0)
    assert it.is_open
    assert it.holds_back(GET, 1.0) is not None


def test_a_sign_of_life_begins_the_count_anew() -> None:
    it = breaker()
    fail(it, 1.0, TRIP - 1)
    it.alive(1.5)
    assert not fail(it, 2.0, TRIP - 1)


def test_failures_far_apart_do_not_open_it() -> None:
    it = breaker()
    assert not any(fail(it, 4.0 * number) for number in range(100))
    assert fail(it, 397.0, TRIP - 1)


@pytest.mark.parametrize(("paths", "opens"), [(2, False), (1, True)])
def test_failures_of_one_path_do_not_open_it_unless_there_is_only_one(paths: int, opens: bool) -> None:
    it = Breaker(0.5, 30.0, paths=paths)
    assert sum(it.failed("/a", 1.0, sent_at=1.0, probe=False) for _ in range(50)) == opens
    assert it.is_open is opens
    assert it.failed("/b", 1.0, sent_at=1.0, probe=False) is not opens


def test_what_was_sent_before_it_closed_does_not_open_it_again() -> None:
    it = opened(100.0)
    probe(it, 101.0)
    it.alive(102.0)
    assert not fail(it, 110.0, 50, sent_at=101.9)
    assert fail(it, 110.0, TRIP, sent_at=102.0)


def test_late_failures_neither_lengthen_the_pause_nor_count() -> None:
    it = opened(100.0)
    assert not fail(it, 100.4, 50)
    probe(it, 100.5)


def test_one_probe_at_a_time() -> None:
    it = opened(100.0)
    assert it.holds_back(GET, 100.49) is not None
    probe(it, 100.5)
    assert it.holds_back(GET, 100.5) is not None
    assert it.holds_back(GET, 999.0) is not None


def test_asking_changes_nothing() -> None:
    it = opened(100.0)
    assert [it.holds_back(GET, 100.5) for _ in range(5)] == [None] * 5


@pytest.mark.parametrize(("failed", "due", "later"), [(0, 100.5, 0.5), (1, 101.5, 1.0), (4, 115.5, 5.0)])
def test_what_may_not_be_sent_again_is_a_probe_only_a_little_later(failed: int, due: float, later: float) -> None:
    it = opened(100.0)
    for number in range(failed):
        at = 100.0 + 0.5 * (2 ** (number + 1) - 1)
        probe(it, at)
        it.failed("/a", at, sent_at=at, probe=True)
    assert it.holds_back(POST, due + later - 0.01) is not None
    probe(it, due + later, POST)


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 1.0), (0.5, 0.75), (1.0, 0.5)])
def test_each_failed_probe_doubles_the_pause_up_to_the_longest(jitter: float, share: float) -> None:
    it = breaker(jitter=jitter)
    fail(it, 0.0, TRIP)
    now, pauses = 0.0, []
    for _ in range(9):
        pauses.append(it._until - now if it._until is not None else 0.0)
        now += pauses[-1]
        probe(it, now)
        assert not it.failed("/a", now, sent_at=now, probe=True)
    assert pauses == pytest.approx([share * each for each in (0.5, 1, 2, 4, 8, 15, 15, 15, 15)])
    assert it.trips == 1


def test_a_probe_that_was_cancelled_frees_its_place() -> None:
    it = opened(100.0)
    probe(it, 100.5)
    it.unused()
    probe(it, 100.5)


def test_a_sign_of_life_closes_it_whoever_brought_it() -> None:
    it = opened(100.0)
    it.alive(100.1)  # of a request that was out already
    assert it.holds_back(POST, 100.1) is None
    assert not it.leave(100.1)


def test_a_probe_that_fails_after_somebody_else_was_answered_opens_nothing() -> None:
    it = opened(100.0)
    probe(it, 100.5)
    it.alive(100.6)
    assert not it.failed("/a", 100.7, sent_at=100.5, probe=True)
    assert not it.is_open


@pytest.mark.parametrize(("later", "pause"), [(10.0, 1.0), (31.0, 0.5)])
def test_pauses_go_on_growing_when_it_opens_again_soon(later: float, pause: float) -> None:
    it = opened(100.0)
    probe(it, 100.5)
    it.alive(100.5)
    now = 100.5 + later
    assert fail(it, now, TRIP)
    assert it.holds_back(GET, now + pause - 0.01) is not None
    probe(it, now + pause)


@pytest.mark.parametrize("a_second", [0.5, 5.0, 15.0])
@pytest.mark.parametrize("seconds", [20, 600])
def test_it_knows_how_much_was_normal_also_when_young_and_after_an_outage(a_second: float, seconds: int) -> None:
    it = breaker()
    for number in range(int(seconds * a_second)):
        it.alive(number / a_second)
    assert it.normal == pytest.approx(a_second, rel=0.15)
    fail(it, seconds, TRIP)
    probe(it, seconds + 3600.0)
    it.alive(seconds + 3600.0)
    assert it.normal == pytest.approx(a_second, rel=0.25)


def test_nothing_was_normal_before_the_first_sign_of_life() -> None:
    it = breaker()
    assert (it.normal, it.troubled) == (0.0, False)
    fail(it, 0.0, 2)
    assert it.troubled


@given(st.lists(st.tuples(st.floats(0, 40), st.sampled_from(["alive", "failed", "ask", "unused"]), st.booleans()), max_size=200))
def test_whatever_happens_one_probe_is_out_at_most_and_it_can_always_open_again(steps: list[tuple[float, str, bool]]) -> None:
    it, now, probes = breaker(), 0.0, 0
    for wait, what, repeatable in steps:
        now += wait
        if what == "alive":
            it.alive(now)
            probes = 0
        elif what == "failed":
            it.failed("/a", now, sent_at=now, probe=probes > 0)
            probes = 0
        elif what == "unused" and probes:
            it.unused()
            probes = 0
        elif it.holds_back(GET if repeatable else POST, now) is None:
            probes += it.leave(now)
        assert probes <= 1
    if not probes:
        assert it.holds_back(POST, now + 20.0) is None


# In the exchange.


def client(url: str, **settings: object) -> Maia:
    return Maia(auth=StaticToken("token"), base_url=url, **settings)  # type: ignore[arg-type]


async def many(maia: Maia, count: int, method: str = "GET") -> list[Exception]:
    found: list[Exception] = []

    async def one(number: int) -> None:
        try:
            await maia.request(method, f"/v1/projects/{number}")
        except MaiaError as error:
            found.append(error)

    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(one, number)
    return found


async def test_a_held_back_request_is_not_sent_says_so_and_counts_as_not_landed() -> None:
    async with Scripted(then=answer(503, delay=3.0)) as server, client(server.url, retry=RetryPolicy(max_tries=1)) as maia:
        await many(maia, 50)
        [error] = await many(maia, 1, "POST")
        assert isinstance(error, HeldBack)
        said = "POST /v1/projects/0: not sent: nothing has answered for 3 s, and one request at a time looks whether that is over"
        assert str(error) == said
        assert {seen.method for seen in server.requests} == {"GET"}
        assert maia.statistics().held_back > 0
        assert maia.statistics().requests == len(server.requests)
    assert isinstance(error, ConnectFailed)
    assert landing_of(error) is Landing.NOT_LANDED
    assert state_of_trigger(error, out=False).value == "NOT_STARTED"


@pytest.mark.parametrize(("script", "error"), [(answer(503), ServerError), (reset(), MaiaError), (stall(), RequestTimedOut)])
async def test_in_an_outage_a_crowd_that_never_gives_up_sends_a_trickle(script: object, error: type[Exception]) -> None:
    async with Scripted(then=script) as server, client(server.url, timeout=Timeouts(connect=5.0, total=5.0)) as maia:  # type: ignore[arg-type]
        with anyio.move_on_after(600):
            while True:
                await many(maia, 20)
                await anyio.sleep(1)
        first = [at for at in server.times if at < 60]
        later = [at for at in server.times if at >= 60]
    assert len(first) <= 100 + 12  # in flight when it began, and the first probes
    assert len(later) <= 9 * 8 + 1


async def test_one_broken_resource_does_not_keep_the_client_from_others() -> None:
    def play(seen: Seen) -> Step:
        return answer(500) if seen.target == "/v1/broken" else answer()

    async with Scripted(then=play) as server, client(server.url) as maia, anyio.create_task_group() as around:

        async def insist() -> None:
            while True:
                with suppress(MaiaError):
                    await maia.request("GET", "/v1/broken")
                await anyio.sleep(1)

        for _ in range(5):
            around.start_soon(insist)
        await anyio.sleep(60)
        begun = asyncio.get_running_loop().time()
        assert await many(maia, 5) == []
        assert asyncio.get_running_loop().time() - begun < 5
        assert maia.statistics().held_back == 0
        around.cancel_scope.cancel()


async def test_a_call_waits_for_the_end_of_the_pause_once() -> None:
    async with Scripted(then=answer(503)) as server, client(server.url) as maia:
        with anyio.move_on_after(60):
            while True:
                await many(maia, 20)
        server._then = answer()
        begun = asyncio.get_running_loop().time()
        assert await many(maia, 1) == []
        assert asyncio.get_running_loop().time() - begun < 15 + 7.5
        assert await many(maia, 20) == []


async def test_when_it_answers_again_everybody_is_let_through() -> None:
    async with Scripted(then=answer(503)) as server, client(server.url) as maia:
        await many(maia, 50)
        await anyio.sleep(60)
        server._then = answer()
        await maia.request("GET", "/v1/projects")
        assert await many(maia, 20) == []


async def test_what_gets_its_slot_after_it_opened_is_not_sent() -> None:
    """Two hundred in line behind a hundred that all fail: the line is not sent into the outage."""
    async with Scripted(then=answer(503, delay=1.0)) as server, client(server.url) as maia:
        await many(maia, 300)
        assert len(server.requests) <= 100 + 10


async def test_a_probe_whose_caller_is_cancelled_leaves_its_place_to_the_next() -> None:
    async with Scripted(then=answer(503)) as server, client(server.url) as maia:
        await many(maia, 50)
        await anyio.sleep(30)
        server._then = stall()
        with anyio.move_on_after(1):
            await maia.request("GET", "/v1/projects")
        server._then = answer()
        assert (await maia.request("GET", "/v1/projects")).status == 200


async def test_a_long_outage_is_followed_by_the_rate_that_was_normal() -> None:
    loop = asyncio.get_running_loop()
    async with Scripted(then=answer()) as server, client(server.url) as maia:
        for _ in range(300):  # four minutes of two requests a second
            await maia.request("GET", "/v1/projects")
            await anyio.sleep(0.5)
        server._then = answer(503)
        await many(maia, 50)
        await anyio.sleep(60)
        server._then = answer()
        begun = loop.time()
        await many(maia, 500)
        sent = sorted(at for at in server.times if at >= begun)
    assert len([at for at in sent if at < begun + 60]) == pytest.approx(120, abs=12)


async def test_a_short_one_is_not() -> None:
    async with Scripted(then=answer()) as server, client(server.url) as maia:
        await maia.request("GET", "/v1/projects")
        server._then = answer(503)
        await many(maia, 50)
        server._then = answer()
        await maia.request("GET", "/v1/projects")
        budget = maia.statistics().budget
    assert budget == 1000
