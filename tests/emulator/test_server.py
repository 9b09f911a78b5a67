"""The life of an emulator: addresses, time, speed, latency, and that nothing survives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import anyio
import pytest

from maia_async.clock import utc_now
from maia_async.emulator import Emulator, Pipeline, Scenario
from maia_async.emulator.exchange import Reply
from maia_async.errors import ConfigurationError, MisuseError
from maia_async.policies import RateLimit


async def test_nothing_survives_the_block_not_even_an_answer_in_the_making(serve: Any) -> None:
    before = asyncio.all_tasks()
    async with serve(Scenario(latency_in=100)) as api:
        url = api.emulator.url
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                with pytest.raises(aiohttp.ClientError):
                    await api.get("/v1/projects")

            group.start_soon(ask)
            await anyio.sleep(1)
            await api.emulator.__aexit__(None, None, None)

    assert asyncio.all_tasks() == before
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_it_can_be_entered_once() -> None:
    async with Emulator() as emulator:
        with pytest.raises(MisuseError, match="once"):
            await emulator.__aenter__()
    with pytest.raises(MisuseError, match="once"):
        await emulator.__aenter__()


async def test_outside_the_block_it_has_no_address_and_no_time() -> None:
    emulator = Emulator()
    with pytest.raises(MisuseError):
        _ = emulator.url
    with pytest.raises(MisuseError):
        _ = emulator.control.now


async def test_a_port_in_use_is_a_clear_refusal() -> None:
    async with Emulator() as first:
        port = int(first.url.rsplit(":", 1)[1])
        with pytest.raises(ConfigurationError, match=f"port {port}.*port 0"):
            await Emulator(port=port).__aenter__()


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan"), True, "2"])
def test_a_speed_that_is_none_is_refused(speed: Any) -> None:
    with pytest.raises(ConfigurationError, match="speed"):
        Emulator(speed=speed)


async def test_off_loopback_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "maia_async.emulator"):
        async with Emulator(host="0.0.0.0") as emulator:
            assert emulator.url.startswith("http://127.0.0.1:")
    assert ["0.0.0.0" in record.message for record in caplog.records] == [True]
    caplog.clear()
    async with Emulator():
        assert caplog.records == []


async def test_the_date_header_of_every_answer_runs_on_the_emulators_clock(serve: Any) -> None:
    async with serve(speed=60) as api:
        first = (await api.get("/v1/projects")).headers["Date"]
        await anyio.sleep(10)
        answers = [await api.get("/v1/projects"), await api.get("/v1/nothing"), await api.sign_in(), await api.door("GET", "/state")]
        assert first == "Thu, 01 Jan 2026 00:00:00 GMT"
        assert {answer.headers["Date"] for answer in answers} == {"Thu, 01 Jan 2026 00:10:00 GMT"}


async def test_without_a_base_date_the_wall_clock_is_the_start() -> None:
    async with Emulator() as emulator, aiohttp.ClientSession() as session, session.get(emulator.url) as response:
        assert abs((parsedate_to_datetime(response.headers["Date"]) - utc_now()).total_seconds()) < 30


async def test_speed_shrinks_durations_and_what_clients_are_told(serve: Any) -> None:
    async with serve(Scenario.of(Pipeline(name="p", duration=120)), speed=60, rate_limit=RateLimit(requests=5, per=90)) as api:
        assert (await api.sign_in()).body["expires_in"] == 30
        run = await api.started("p")
        await anyio.sleep(1.99)
        assert await api.status(run) == "RUNNING"
        await anyio.sleep(0.01)
        assert await api.status(run) == "SUCCESS"
        for _ in range(3):
            await api.get("/v1/projects")
        refused = await api.get("/v1/projects")
        assert refused.status == 429
        await anyio.sleep(float(refused.headers["Retry-After"]))
        assert (await api.get("/v1/projects")).status == 200


@pytest.mark.parametrize(("lifetime", "speed", "sent"), [(1800, 1, 1800), (1800, 7, 257), (100, 1000, 0.1)])
async def test_expires_in_never_promises_more_than_there_is(serve: Any, lifetime: float, speed: float, sent: float) -> None:
    async with serve(Scenario(token_lifetime=lifetime), speed=speed) as api:
        assert (await api.sign_in()).body["expires_in"] == sent


async def test_latency_is_spent_before_arrival_and_after_the_decision(serve: Any, now: Callable[[], float]) -> None:
    async with serve(Scenario(latency_in=0.3, latency_out=0.2), speed=2) as api:
        start = now()
        await api.get("/v1/projects")
        assert now() - start == pytest.approx(0.25)
        (entry,) = api.emulator.control.requests()
        assert entry.at == pytest.approx(1767225600.3)


async def test_two_runs_of_one_scenario_are_the_same(serve: Any) -> None:
    seen = []
    for _ in range(2):
        async with serve(Scenario.of(Pipeline(name="p", duration=(1, 100)), seed=5)) as api:
            runs = [await api.started("p") for _ in range(3)]
            api.emulator.control.advance(100)
            seen.append([(await api.get(f"{api.runs}/{run}")).body for run in runs])

    assert seen[0] == seen[1]


async def test_a_mistake_in_a_route_is_500_and_the_emulator_lives_on(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    run = await api.started()
    api.emulator.control._service.account.runs[run].started = None
    answer = await api.get(f"{api.runs}/{run}")

    assert (answer.status, answer.body["title"]) == (500, "Internal Server Error")
    assert "failed to answer" in caplog.text
    assert (await api.get("/v1/projects")).status == 200


async def test_a_fault_may_answer_before_or_after_the_request_landed(api: Any) -> None:
    class Lose:
        def __init__(self, *, landed: bool) -> None:
            self.landed = landed

        async def before(self, request: Any) -> Reply | None:
            return None if self.landed else Reply(503, {"lost": True})

        async def after(self, request: Any, reply: Reply) -> Reply | None:
            return Reply(504, {"lost": True}) if self.landed else None

    rules = api.emulator.control._service.faults.rules
    counts = []
    for landed in (False, True):
        rules[:] = [Lose(landed=landed)]
        counts.append(((await api.trigger()).status, len(api.emulator.control.executions())))
    rules.clear()

    assert counts == [(503, 0), (504, 1)]
    assert [entry.status for entry in api.emulator.control.requests()] == [503, 504]


async def test_a_client_of_its_own_works_at_any_speed() -> None:
    async with Emulator(speed=10) as emulator, emulator.client() as maia:
        page = await maia.projects.list()
        assert [item.name for item in page] == ["Test-project", "Test-project"]


async def test_many_requests_at_once_are_all_answered(api: Any) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(200):
            group.start_soon(api.started)

    assert len({run.id for run in api.emulator.control.executions()}) == 200


async def test_a_client_that_leaves_while_its_body_is_read_is_no_mistake_of_ours(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", int(api.emulator.url.rpartition(":")[2]))
    writer.write(b"POST /oauth/dpc/token HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\ngrant_type=")
    await asyncio.sleep(1)
    writer.transport.abort()
    await asyncio.sleep(1)
    assert [record.message for record in caplog.records] == []
    assert (await api.get("/v1/projects")).status == 200
