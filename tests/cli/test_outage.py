"""What is said while the API does not answer, and how often."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from cli.harness import DEV, Account

from maia_async import RateLimitPaused, RequestFinished
from maia_async.cli.environment import Environment
from maia_async.cli.outage import Outage, failure, is_sent_again
from maia_async.cli.talk import Talk
from maia_async.emulator import Emulator

AT = datetime(2026, 1, 1, tzinfo=UTC)


def finished(status: int | None = None, error: str | None = None, *, lane: str = "POLL", method: str = "GET") -> RequestFinished:
    return RequestFinished(at=AT, method=method, path="/x", lane=lane, status=status, error=error, duration=0.1)


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def outage(said: io.StringIO) -> Outage:
    return Outage(Talk(Environment(stdout=io.StringIO(), stderr=said)))


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (finished(200), None),
        (finished(404, "NotFound"), None),
        (finished(429, "RateLimited"), None),
        (finished(503, "ServerError"), "answered with 503"),
        (finished(None, "ConnectFailed"), "no connection"),
        (finished(None, "RequestTimedOut"), "no answer in time"),
        (finished(None, "Disconnected"), "the connection broke"),
        (finished(None, "DecodeError"), "an answer that cannot be read"),
        (finished(None, "Other"), "Other"),
    ],
)
def test_what_is_a_failure(event: RequestFinished, why: str | None) -> None:
    assert failure(event) == why


@pytest.mark.parametrize(
    ("event", "again"),
    [
        (finished(503, "ServerError"), True),
        (finished(503, "ServerError", lane="TOKEN", method="POST"), True),
        (finished(503, "ServerError", lane="TRIGGER", method="POST"), False),
        (finished(None, "ConnectFailed", lane="TRIGGER", method="POST"), True),
        (finished(None, "RequestTimedOut", lane="CANCEL", method="PATCH"), False),
    ],
)
def test_what_is_sent_again(event: RequestFinished, again: bool) -> None:
    assert is_sent_again(event) is again


async def test_an_outage_of_the_status_is_said_once_a_minute_and_its_end_once(outage: Outage, said: io.StringIO) -> None:
    for _ in range(13):
        outage(finished(None, "ConnectFailed"))
        await anyio.sleep(10)
    outage(finished(200))
    outage(finished(200))

    assert said.getvalue().splitlines() == [
        "cannot read the status (no connection): trying for 10 min more",
        "cannot read the status (no connection): trying for 9 min more",
        "cannot read the status (no connection): trying for 8 min more",
        "the status can be read again",
    ]


async def test_an_api_that_comes_and_goes_is_not_talked_about_at_every_turn(outage: Outage, said: io.StringIO) -> None:
    for _ in range(20):
        outage(finished(500, "ServerError"))
        await anyio.sleep(1)
        outage(finished(200))
        await anyio.sleep(1)

    assert len(said.getvalue().splitlines()) == 2


async def test_a_refusal_and_a_supervision_are_no_outage(outage: Outage, said: io.StringIO) -> None:
    outage(finished(404, "NotFound"))
    outage.watches = False
    outage(finished(None, "ConnectFailed"))

    assert said.getvalue() == ""


async def test_a_retry_is_said_when_it_takes_longer_than_a_second(outage: Outage, said: io.StringIO) -> None:
    outage(finished(503, "ServerError", lane="READ"))
    await anyio.sleep(0.9)
    outage(finished(200, lane="READ"))
    await anyio.sleep(5)
    assert said.getvalue() == ""

    for _ in range(5):
        outage(finished(503, "ServerError", lane="READ"))
        await anyio.sleep(2)
    assert said.getvalue() == "retrying: GET /x: answered with 503\n"


async def test_a_pause_that_the_api_orders_is_said(outage: Outage, said: io.StringIO) -> None:
    outage(RateLimitPaused(at=AT, seconds=0.5))
    outage(RateLimitPaused(at=AT, seconds=30))
    outage(RateLimitPaused(at=AT, seconds=30))

    assert said.getvalue() == "retrying: 429, the API asks to wait for 30 s\n"


async def test_nothing_is_said_after_the_end(outage: Outage, said: io.StringIO) -> None:
    outage(finished(503, "ServerError", lane="READ"))
    outage.close()
    await anyio.sleep(5)

    assert said.getvalue() == ""


@pytest.mark.parametrize("command", ["watch", "run", "batch"])
async def test_a_server_that_goes_away_is_said_and_the_wait_goes_on(account: Account, tmp_path: Path, command: str) -> None:
    """The emulator's port is closed after a moment; the command must not be silent until it gives up after ten minutes."""
    file = tmp_path / "rows.csv"
    file.write_text(f"pipelineName,environmentName\nslow,{DEV}\n")
    run = (await account.maia("run", "slow", "--environment", DEV, "--no-wait")).out.strip()
    argv = {"watch": ["watch", run], "run": ["run", "slow", "--environment", DEV], "batch": ["batch", str(file)]}[command]
    began = asyncio.get_running_loop().time()
    gone: list[Emulator] = []

    async def vanish() -> None:
        await anyio.sleep(20)
        gone.append(account.emulator)
        await account.emulator.__aexit__(None, None, None)

    async with anyio.create_task_group() as group:
        group.start_soon(vanish)
        ended = await account.maia(*argv)

    assert gone
    assert asyncio.get_running_loop().time() - began > 600
    assert ended.status == (1 if command == "batch" else 4)
    lines = [line for line in ended.err.splitlines() if "cannot read the status" in line]
    assert lines[0] == "cannot read the status (no connection): trying for 10 min more"
    assert 5 <= len(lines) <= 10


async def test_an_unreachable_api_is_said_while_it_is_tried(account: Account) -> None:
    ended = await account.maia.with_environ(MAIA_CLIENT_ID="", MAIA_CLIENT_SECRET="", MAIA_TOKEN="t" * 20)(
        "projects", "list", "--base-url", "http://127.0.0.1:9/dpc"
    )

    assert ended.status == 4
    assert ended.err.count("retrying: GET /v1/projects: no connection") == 1
