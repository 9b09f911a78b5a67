"""Ctrl-C and SIGTERM at any moment: the exit code is right, and every run that was started has been named."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from cli.harness import DEV, PROJECT, Account, after

from maia_async.cli.exits import ExitStatus
from maia_async.emulator import Pipeline


def batch_file(tmp_path: Path, count: int) -> str:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([{"pipelineName": "slow", "environmentName": DEV}] * count))
    return str(file)


@pytest.mark.parametrize("moment", [step / 20 for step in range(32)])
@pytest.mark.parametrize("command", ["run", "batch"])
async def test_no_run_is_lost_at_any_moment(serve: Any, tmp_path: Path, command: str, moment: float) -> None:
    """Latency makes the token take 0 to 0.4 s, and the triggers 0.4 to 0.8 s: the moments fall before, into and after each."""
    argv = ["run", "slow", "--environment", DEV] if command == "run" else ["batch", batch_file(tmp_path, 5), "--max-running", "3"]
    async with serve(Pipeline(name="slow", duration=1000), latency_in=0.2, latency_out=0.2) as account:
        ended = await account.maia(*argv, stop_when=after(moment))

        started = [run.id for run in account.emulator.control.executions()]
    assert ended.status == ExitStatus.INTERRUPTED
    assert "interrupted" in ended.err
    for run in started:
        assert f"maia watch {run} --project {PROJECT}" in ended.err
        assert command == "run" or run in ended.out
    assert ended.err.count("maia watch") == len(started)


async def test_the_words_say_how_to_cancel_all(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", batch_file(tmp_path, 3), stop_when=after(3))

    runs = [run.id for run in account.emulator.control.executions()]
    assert "3 runs are still going in Maia:" in ended.err
    assert f"maia cancel {' '.join(runs)} --project {PROJECT}" in ended.err
    assert all(run.status == "RUNNING" for run in account.emulator.control.executions())


async def test_many_runs_are_all_on_stdout_and_one_command_cancels_them_really(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", batch_file(tmp_path, 30), stop_when=after(3))

    assert all(run.id in ended.out for run in account.emulator.control.executions())
    assert ended.err.count("maia watch") == 3
    (command,) = [line for line in ended.err.splitlines() if "maia cancel" in line]
    assert (await account.maia(*shlex.split(command)[1:])).status == 0
    assert {run.status for run in account.emulator.control.executions()} <= {"CANCELLING", "CANCELLED"}


async def test_cancel_on_interrupt_cancels_and_confirms(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", batch_file(tmp_path, 3), "--cancel-on-interrupt", "--output", "json", stop_when=after(3))

    assert ended.status == ExitStatus.INTERRUPTED
    assert "cancelling 3 runs, and waiting at most 60 s for the end; Ctrl-C again ends at once" in ended.err
    assert "3 ended: 3 CANCELLED" in ended.err
    assert "maia watch" not in ended.err
    assert [run.status for run in account.emulator.control.executions()] == ["CANCELLED"] * 3
    assert [line["state"] for line in ended.json_lines[:-1]] == ["CANCELLED"] * 3
    assert ended.json_lines[-1]["report"]["counts"]["CANCELLED"] == 3


async def test_a_run_that_does_not_stop_is_named_when_time_is_up(serve: Any, tmp_path: Path) -> None:
    start = asyncio.get_running_loop().time()
    async with serve(Pipeline(name="slow", duration=1000, ignores_graceful_cancel=True)) as account:
        ended = await account.maia("batch", batch_file(tmp_path, 2), "--cancel-on-interrupt", "--output", "json", stop_when=after(3))

    assert asyncio.get_running_loop().time() - start == pytest.approx(63, abs=3)
    assert ended.status == ExitStatus.INTERRUPTED
    assert "2 runs are being cancelled; to see the end:" in ended.err
    assert ended.err.count("maia watch") == 2
    assert [line["state"] for line in ended.json_lines[:-1]] == ["LEFT_RUNNING"] * 2


async def test_a_refused_cancel_leaves_the_run_in_the_words(account: Account, tmp_path: Path) -> None:
    account.emulator.control.add_token("a-token-to-be-revoked")
    seen = after(3)

    def ready() -> bool:
        if seen():
            account.emulator.control.revoke_tokens()
        return seen()

    maia = account.maia.with_environ(MAIA_TOKEN="a-token-to-be-revoked", MAIA_CLIENT_ID="", MAIA_CLIENT_SECRET="")
    ended = await maia("batch", batch_file(tmp_path, 2), "--cancel-on-interrupt", stop_when=ready)

    first, second = (run.id for run in account.emulator.control.executions())
    assert "could not cancel" in ended.err
    assert "2 runs are still going in Maia" in ended.err
    assert f"maia watch {first}" in ended.err
    assert f"maia watch {second}" in ended.err


@pytest.mark.parametrize("refusal", [409, 400, 404])
async def test_a_run_that_ended_just_before_its_cancel_is_no_failure(account: Account, tmp_path: Path, refusal: int) -> None:
    control = account.emulator.control
    control.set_readings(patch_finished=refusal)
    ends = {0: "SUCCESS", 1: "FAILED"}

    def ready() -> bool:
        if not seen():
            return False
        for place, word in ends.items():
            control.finish(control.executions()[place].id, word)
        return True

    seen = after(3)  # by then all four were started and seen going
    argv = ["batch", batch_file(tmp_path, 4), "--max-running", "4", "--cancel-on-interrupt"]

    ended = await account.maia(*argv, "--output", "json", stop_when=ready)

    ids = [run.id for run in control.executions()]
    assert ended.status == ExitStatus.INTERRUPTED
    assert "4 ended: 1 SUCCESS, 1 FAILED, 2 CANCELLED; 2 of them before the cancel" in ended.err
    assert "could not cancel" not in ended.err
    assert not any(run in ended.err for run in ids)
    states = {line["executionId"]: line["state"] for line in ended.json_lines[:-1]}
    assert [states[run] for run in ids] == ["SUCCESS", "FAILED", "CANCELLED", "CANCELLED"]
    counts = ended.json_lines[-1]["report"]["counts"]
    assert (counts["SUCCESS"], counts["FAILED"], counts["CANCELLED"]) == (1, 1, 2)


async def test_sigterm_never_cancels(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", batch_file(tmp_path, 2), "--cancel-on-interrupt", stop_when=after(3), stop_as=ExitStatus.TERMINATED)

    assert ended.status == ExitStatus.TERMINATED
    assert "terminated" in ended.err
    assert "2 runs are still going" in ended.err
    assert all(run.status == "RUNNING" for run in account.emulator.control.executions())


async def test_a_single_run_is_cancelled_and_confirmed_too(account: Account) -> None:
    argv = ["run", "slow", "--environment", DEV, "--output", "json", "--cancel-on-interrupt"]

    ended = await account.maia(*argv, stop_when=after(3))

    assert ended.status == ExitStatus.INTERRUPTED
    assert ended.json["status"] == "CANCELLED"
    assert "interrupted" in ended.err
    assert "maia watch" not in ended.err
    assert [run.status for run in account.emulator.control.executions()] == ["CANCELLED"]


async def test_a_single_run_is_never_cancelled_by_sigterm(account: Account) -> None:
    argv = ["run", "slow", "--environment", DEV, "--cancel-on-interrupt"]

    ended = await account.maia(*argv, stop_when=after(3), stop_as=ExitStatus.TERMINATED)

    (run,) = account.emulator.control.executions()
    assert ended.status == ExitStatus.TERMINATED
    assert run.status == "RUNNING"
    assert f"maia watch {run.id}" in ended.err


async def test_cancelling_on_interrupt_needs_a_run_that_is_waited_for(account: Account) -> None:
    ended = await account.maia("run", "slow", "--environment", DEV, "--no-wait", "--cancel-on-interrupt")

    assert ended.status == ExitStatus.USAGE
    assert account.emulator.control.executions() == []


async def test_watching_can_be_left(account: Account) -> None:
    run = (await account.maia("run", "slow", "--environment", DEV, "--no-wait")).out.strip()

    ended = await account.maia("watch", run, stop_when=after(5))

    assert ended.status == ExitStatus.INTERRUPTED
    assert f"maia watch {run}" in ended.err


async def test_connection_options_are_repeated_in_the_words(account: Account) -> None:
    url = account.emulator.base_url

    ended = await account.maia.with_environ(MAIA_BASE_URL="")("run", "slow", "--environment", DEV, "--base-url", url, stop_when=after(5))

    assert f"--project {PROJECT} --base-url {url}" in ended.err


async def test_runs_of_an_embedded_emulator_end_with_it(bare: Any) -> None:
    ended = await bare("run", "Pipeline 1", "--environment", DEV, "--emulator", stop_when=after(2))

    assert ended.status == ExitStatus.INTERRUPTED
    assert "the embedded emulator has ended, and with it 1 of its runs" in ended.err
    assert "maia watch" not in ended.err


async def test_ids_of_an_embedded_emulator_that_has_ended_are_not_listed(bare: Any) -> None:
    ended = await bare("demo", "--executions", "60", stop_when=after(1))

    assert "LEFT_RUNNING" in ended.out.split("runs in all")[0]
    assert "LEFT_RUNNING" not in ended.out.split("runs in all")[1]
    assert "maia cancel" not in ended.err
