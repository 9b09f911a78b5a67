"""`maia streaming start|stop|status|wait`: states."""

from __future__ import annotations

import pytest
from cli.harness import PROJECT, Account, Maia
from cli.streamkit import NOBODY, stream

from maia_async.emulator import StreamScript


async def test_start_wait_status_and_stop(account: Account) -> None:
    pipeline = stream(account)

    started = await account.maia("streaming", "start", "orders")
    waited = await account.maia("streaming", "wait", "orders", "--state", "snapshotting")
    status = await account.maia("streaming", "status", pipeline, "--output", "json")
    arrived = await account.maia("streaming", "wait", pipeline, "--output", "json")
    stopped = await account.maia("streaming", "stop", pipeline, "--wait", "--output", "json")

    assert started.out.splitlines()[1].split() == [pipeline, "ACCEPTED"]
    assert waited.out == "SNAPSHOTTING\n"
    assert status.json == arrived.json | {"status": "SNAPSHOTTING"}
    assert arrived.json == {"streamingPipelineId": pipeline, "projectId": PROJECT, "status": "STREAMING"}
    assert stopped.json == [{"streamingPipelineId": pipeline, "command": "STOP", "result": "NOT_RUNNING"}]


async def test_status_as_a_table(account: Account) -> None:
    pipeline = stream(account, started_ago=3600)

    ended = await account.maia("streaming", "status", "orders")

    assert ended.status == 0
    assert ended.out.splitlines()[0].split() == ["status", "STREAMING"]
    assert pipeline in ended.out


@pytest.mark.parametrize(
    ("command", "started_ago", "result"),
    [("start", 3600, "STREAMING"), ("start", 10, "SNAPSHOTTING"), ("stop", None, "NOT_RUNNING")],
)
async def test_what_is_so_already_is_no_error(account: Account, command: str, started_ago: float | None, result: str) -> None:
    pipeline = stream(account, started_ago=started_ago)

    ended = await account.maia("streaming", command, pipeline)

    assert ended.status == 0
    assert ended.out.splitlines()[1].split() == [pipeline, result]


async def test_a_conflict_that_is_none_of_these_is_told(account: Account) -> None:
    pipeline = stream(account, started_ago=3600, script=StreamScript(stop_seconds=600))
    await account.maia("streaming", "stop", pipeline)

    ended = await account.maia("streaming", "start", pipeline)

    assert ended.status == 1
    assert "409" in ended.err
    assert ended.out.splitlines()[1].split() == [pipeline, "refused"]


async def test_one_refusal_does_not_keep_the_others(account: Account) -> None:
    pipeline = stream(account)

    ended = await account.maia("streaming", "start", NOBODY, pipeline, "--wait", "--output", "json")

    assert ended.status == 1
    assert "404" in ended.err
    assert [(row["streamingPipelineId"], row["result"]) for row in ended.json] == [(NOBODY, None), (pipeline, "STREAMING")]


async def test_refused_credentials_are_said_once(account: Account) -> None:
    ended = await account.maia.with_environ(MAIA_CLIENT_SECRET="wrong")("streaming", "start", NOBODY, PROJECT)

    assert ended.status == 3
    assert ended.err.count("maia: ") == 1


async def test_a_name_that_nobody_has_is_exit_code_1_and_one_of_several_2(account: Account) -> None:
    stream(account, "twin")
    stream(account, "twin")

    for command in ("show", "status", "delete", "start", "stop", "wait"):
        nobody = await account.maia("streaming", command, "nobody")
        several = await account.maia("streaming", command, "twin")

        assert (nobody.status, several.status) == (1, 2)
        assert "'nobody'" in nobody.err
        assert "2 streaming pipelines are called 'twin'" in several.err
    assert len(account.emulator.control.streams()) == 2
    assert "POST" not in [request.method for request in account.emulator.control.requests(path_contains="commands")]


async def test_a_wait_that_runs_out_shows_the_states_seen(account: Account) -> None:
    stream(account, started_ago=0)

    ended = await account.maia("streaming", "wait", "orders", "--timeout", "10")

    assert ended.status == 1
    assert "STARTING -> SNAPSHOTTING" in ended.err
    assert ended.out == ""


async def test_the_embedded_emulator_has_two_to_play_with(bare: Maia, file: str) -> None:
    listed = await bare("streaming", "list", "--emulator", "--output", "json")
    created = await bare("streaming", "create", file, "--emulator", "--start")
    waited = await bare("streaming", "start", "customers", "--wait", "--emulator")

    assert [item["name"] for item in listed.json] == ["orders", "customers"]
    assert len(created.out.split()) == 1
    assert waited.out.split()[-1] == "STREAMING"
    assert created.status == waited.status == 0


async def test_a_terminal_shows_a_wait_as_it_goes(account: Account) -> None:
    stream(account, started_ago=0)
    terminal = Maia(account.maia.environ, tty=True)

    ended = await terminal("streaming", "wait", "orders")

    assert "SNAPSHOTTING" in ended.err
    assert "STREAMING" in ended.out
