"""`maia streaming supervise`: what it tells where, how it ends, and what is left behind."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from cli.harness import PROJECT, Account, Maia, after
from cli.streamkit import NOBODY, stream

from maia_async.cli.exits import ExitStatus
from maia_async.emulator import StreamScript

FLAPS = StreamScript(starting=1, snapshot="never", flaps_every=5)


def events(ended: Any, pipeline: str) -> list[str]:
    return [line["event"] for line in ended.json_lines if line["streamingPipelineId"] == pipeline]


async def test_events_are_json_lines_and_an_interrupt_leaves_them_streaming(account: Account) -> None:
    resting, running = stream(account), stream(account, "customers", started_ago=3600)

    ended = await account.maia("streaming", "supervise", "--all", stop_when=after(120))

    assert ended.status == ExitStatus.INTERRUPTED
    assert events(ended, running) == ["StreamingTransition"]
    assert events(ended, resting)[:3] == ["StreamingTransition", "StartAttempted", "StreamingTransition"]
    states = [line["current"] for line in ended.json_lines if line["event"] == "StreamingTransition" and line["name"] == "orders"]
    assert states == ["NOT_RUNNING", "STARTING", "SNAPSHOTTING", "STREAMING"]
    assert "supervising 2 streaming pipelines; Ctrl-C leaves them as they are" in ended.err
    assert "2 streaming pipelines run on in Maia without supervision; to stop them:" in ended.err
    assert f"maia streaming stop {resting} {running} --project {PROJECT}" in ended.err
    assert {each.status for each in account.emulator.control.streams()} == {"STREAMING"}


async def test_what_it_says_to_stop_them_with_stops_them(account: Account) -> None:
    stream(account, started_ago=3600)
    stream(account, "customers", started_ago=3600)
    ended = await account.maia("streaming", "supervise", "--all", stop_when=after(5))
    _, *command = ended.err.splitlines()[-1].split()

    stopped = await account.maia(*command, "--wait")

    assert stopped.status == 0
    assert {each.status for each in account.emulator.control.streams()} == {"NOT_RUNNING"}


async def test_stop_on_exit_stops_those_that_it_kept_and_no_other(account: Account) -> None:
    kept, other = stream(account, started_ago=3600), stream(account, "other", started_ago=3600)

    ended = await account.maia("streaming", "supervise", "orders", "--stop-on-exit", stop_when=after(5))

    assert ended.status == ExitStatus.INTERRUPTED
    assert "Ctrl-C stops them" in ended.err
    assert "none of the streaming pipelines runs" in ended.err
    assert account.emulator.control.stream(kept).status == "NOT_RUNNING"
    assert account.emulator.control.stream(other).status == "STREAMING"
    assert [line["current"] for line in ended.json_lines] == ["STREAMING", "STOPPING", "NOT_RUNNING"]


@pytest.mark.parametrize(("word", "status"), [("interrupted", ExitStatus.INTERRUPTED), ("terminated", ExitStatus.TERMINATED)])
async def test_a_signal_says_which(account: Account, word: str, status: ExitStatus) -> None:
    stream(account, started_ago=3600)

    ended = await account.maia("streaming", "supervise", "--all", stop_when=after(5), stop_as=status)

    assert ended.status == status
    assert word in ended.err


async def test_a_drop_is_restarted(account: Account) -> None:
    pipeline = stream(account, started_ago=3600)

    def restarted() -> bool:
        found = account.emulator.control.stream(pipeline)
        if found.starts == 1 and found.status == "STREAMING" and drops():
            account.emulator.control.drop_stream(pipeline)
        return found.starts == 2 and found.status == "STREAMING" and settled()

    drops, settled = after(30), after(200)
    ended = await account.maia("streaming", "supervise", pipeline, stop_when=restarted)

    assert ended.status == ExitStatus.INTERRUPTED
    (attempt,) = [line for line in ended.json_lines if line["event"] == "RestartAttempted"]
    assert attempt["accepted"] is True
    assert attempt["attempt"] == 1
    assert attempt["name"] == "orders"


async def test_one_given_up_is_exit_code_1_even_after_an_interrupt(account: Account) -> None:
    stream(account, "flapping", script=FLAPS)
    steady = stream(account, "steady", started_ago=3600)

    ended = await account.maia("streaming", "supervise", "--all", "--max-restarts", "1", stop_when=after(300))

    assert ended.status == ExitStatus.UNSUCCESSFUL
    assert "interrupted" in ended.err
    assert "given up: flapping" in ended.err
    assert f"maia streaming stop {steady} --project" in ended.err
    gave_up = next(line for line in ended.json_lines if line["event"] == "GaveUp")
    assert (gave_up["restarts"], gave_up["within"]) == (1, 600.0)


async def test_it_ends_when_nothing_is_left(account: Account) -> None:
    stream(account, "flapping", script=FLAPS)

    ended = await account.maia("streaming", "supervise", "--all", "--max-restarts", "2", "--within", "1000")

    assert ended.status == ExitStatus.UNSUCCESSFUL
    assert "interrupted" not in ended.err
    assert account.emulator.control.streams()[0].starts == 3
    assert ended.json_lines[-1]["event"] == "GaveUp"


@pytest.mark.parametrize(
    ("how", "status", "last"), [("respect", ExitStatus.OK, "ExternallyStopped"), ("restart", ExitStatus.INTERRUPTED, "StreamingTransition")]
)
async def test_a_stop_by_somebody_else(account: Account, how: str, status: ExitStatus, last: str) -> None:
    """Respected, it leaves nothing to supervise, which is no failure: the command ends by itself."""
    pipeline = stream(account, started_ago=3600, script=StreamScript(stop_seconds=30))

    async def stop() -> None:
        await anyio.sleep(20)
        account.emulator.control.stop_stream(pipeline)

    async with anyio.create_task_group() as group:
        group.start_soon(stop)
        bounds = {} if how == "respect" else {"stop_when": after(150)}
        ended = await account.maia("streaming", "supervise", "--all", "--on-external-stop", how, **bounds)

    assert ended.status == status
    assert ended.json_lines[-1]["event"] == last
    assert ("RestartAttempted" in events(ended, pipeline)) is (how == "restart")
    assert account.emulator.control.stream(pipeline).status == ("STREAMING" if how == "restart" else "STOPPING")


async def test_on_a_terminal_there_is_a_live_table(account: Account) -> None:
    stream(account, "or\x1b[31mders", script=StreamScript(starting=2, snapshotting=5, drop_after=10))

    ended = await Maia(account.maia.environ, tty=True)("streaming", "supervise", "--all", stop_when=after(45))

    assert ended.status == ExitStatus.INTERRUPTED
    for word in ("NAME", "STATE", "SINCE", "RESTARTS", "LAST EVENT", "SNAPSHOTTING", "restart 1 accepted", "or\\x1b[31mders"):
        assert word in ended.err
    assert "or\x1b[31m" not in ended.err + ended.out
    assert "or\\x1b[31mders" in ended.out  # the table at the end
    assert "StreamingTransition" not in ended.out + ended.err


async def test_json_on_a_terminal_is_not_written_into_a_display(account: Account) -> None:
    stream(account, started_ago=3600)

    ended = await Maia(account.maia.environ, tty=True)("streaming", "supervise", "--all", "--output", "json", stop_when=after(5))

    assert [line["event"] for line in ended.json_lines] == ["StreamingTransition"]
    assert "LAST EVENT" not in ended.err


async def test_what_is_not_there_is_told_before_anything_is_started(account: Account) -> None:
    pipeline = stream(account)

    ended = await account.maia("streaming", "supervise", pipeline, NOBODY, "nobody")

    assert ended.status == 1
    assert NOBODY in ended.err
    assert "'nobody'" in ended.err
    assert account.emulator.control.stream(pipeline).starts == 0


async def test_an_empty_project_is_nothing_to_supervise(account: Account) -> None:
    ended = await account.maia("streaming", "supervise", "--all")

    assert ended.status == 2
    assert "no streaming pipelines" in ended.err


async def test_refused_credentials_are_exit_code_3(account: Account) -> None:
    ended = await account.maia.with_environ(MAIA_CLIENT_SECRET="wrong")("streaming", "supervise", "--all")

    assert ended.status == 3


async def test_the_embedded_emulator_ends_with_its_pipelines(bare: Maia) -> None:
    ended = await bare("streaming", "supervise", "orders", "customers", "--emulator", stop_when=after(60))

    assert ended.status == ExitStatus.INTERRUPTED
    assert "the embedded emulator has ended, and its streaming pipelines with it" in ended.err
    assert "maia streaming stop" not in ended.err
    assert ended.json_lines[-1]["current"] == "STREAMING"
