"""`maia run`: what is sent, what is printed where, and each exit code."""

from __future__ import annotations

import pytest
from attrs import evolve
from cli.harness import DEV, PROJECT, Account


async def test_a_success_prints_the_details(account: Account) -> None:
    ended = await account.maia("run", "good", "--environment", DEV)

    (run,) = account.emulator.control.executions()
    assert ended.status == 0
    fields = {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in ended.out.splitlines()}
    assert fields["status"] == "SUCCESS"
    assert fields["execution"] == run.id
    assert fields["duration"] == "5.0 s"
    assert f"started execution {run.id}" in ended.err


async def test_json_is_one_document(account: Account) -> None:
    ended = await account.maia("run", "good", "--environment", DEV, "--output", "json")

    assert ended.json["status"] == "SUCCESS"
    assert ended.json["projectId"] == PROJECT
    assert ended.json["pipelineName"] == "good"


async def test_a_failure_is_exit_code_1_with_the_words_of_maia(account: Account) -> None:
    ended = await account.maia("run", "bad", "--environment", DEV)

    assert ended.status == 1
    assert "FAILED" in ended.out
    assert "no such table" in ended.err
    assert "still going" not in ended.err


async def test_without_waiting_the_id_stands_alone(account: Account) -> None:
    ended = await account.maia("run", "slow", "--environment", DEV, "--no-wait")

    (run,) = account.emulator.control.executions()
    assert ended.status == 0
    assert ended.out == run.id + "\n"
    assert ended.err == ""


async def test_every_field_reaches_maia(account: Account) -> None:
    options = [
        "--var",
        "day=1=2",
        "--var",
        "empty=",
        "--grid",
        'g=[["a","1"]]',
        "--tag",
        "nightly",
        "--agent",
        "A",
        "--version-name",
        "1.1.0",
    ]

    ended = await account.maia("run", "good", "--environment", DEV, "--no-wait", *options)

    (run,) = account.emulator.control.executions()
    assert ended.status == 0
    assert run.scalar_variables == {"day": "1=2", "empty": ""}
    assert run.grid_variables == {"g": [["a", "1"]]}
    assert (run.execution_tag, run.agent_id, run.version_name) == ("nightly", "A", "1.1.0")


@pytest.mark.parametrize(("option", "tagged"), [([], True), (["--no-tag"], False)])
async def test_a_run_has_a_tag_of_its_own_unless_told_otherwise(account: Account, option: list[str], tagged: bool) -> None:
    await account.maia("run", "good", "--environment", DEV, "--no-wait", *option)

    assert (account.emulator.control.executions()[0].execution_tag is not None) is tagged


@pytest.mark.parametrize(("pipeline", "status"), [("gone", "404"), ("off", "410")])
async def test_a_refused_trigger_is_exit_code_1(account: Account, pipeline: str, status: str) -> None:
    ended = await account.maia("run", pipeline, "--environment", DEV)

    assert ended.status == 1
    assert status in ended.err


async def test_a_conflict_is_exit_code_1(account: Account) -> None:
    await account.maia("run", "slow", "--environment", DEV, "--tag", "t", "--no-wait")

    ended = await account.maia("run", "slow", "--environment", DEV, "--tag", "t", "--no-wait")

    assert ended.status == 1
    assert "409" in ended.err


@pytest.mark.parametrize(
    ("argv", "field"),
    [
        (["good", "--environment", ""], "maia: --environment: must not be empty"),
        (["good", "--environment", "e" * 256], "maia: --environment: must have at most 255 characters, has 256"),
        (["", "--environment", DEV], "maia: PIPELINE: must not be empty"),
        (["good", "--environment", DEV, "--grid", 'g=[["a"],["b","c"]]'], "--grid g[1]: has 2 columns"),
        (["good", "--environment", DEV, "--grid", "g=[[1]]"], "--grid g[0][0]: must be text"),
        (["good", "--environment", DEV, "--tag", ""], "--tag: must not be empty"),
    ],
)
async def test_bad_input_is_refused_before_any_request(account: Account, argv: list[str], field: str) -> None:
    ended = await account.maia("run", *argv)

    assert ended.status == 2
    assert field in ended.err
    assert account.emulator.control.requests() == []


async def test_a_timeout_leaves_the_run_and_says_so(account: Account) -> None:
    ended = await account.maia("run", "slow", "--environment", DEV, "--timeout", "30")

    (run,) = account.emulator.control.executions()
    assert ended.status == 1
    assert "has not ended after 30 s" in ended.err
    assert f"maia watch {run.id} --project {PROJECT}" in ended.err
    assert f"maia cancel {run.id} --project {PROJECT}" in ended.err
    assert ended.out == ""


async def test_on_a_terminal_there_is_a_live_line_that_goes_away(account: Account) -> None:
    ended = await evolve(account.maia, tty=True)("run", "good", "--environment", DEV)

    assert ended.status == 0
    assert "RUNNING" in ended.err
    assert ended.err.count("\x1b[?25l") == ended.err.count("\x1b[?25h") == 1  # the cursor is hidden once and comes back
    assert "RUNNING" not in ended.out
