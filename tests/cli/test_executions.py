"""`maia status`, `watch` and `cancel`."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve
from cli.harness import DEV, PROJECT, Account

NOBODY = "00000000-0000-4000-8000-000000000000"


async def started(account: Account, pipeline: str = "slow") -> str:
    ended = await account.maia("run", pipeline, "--environment", DEV, "--no-wait")
    return ended.out.strip()


async def test_status_shows_and_does_not_judge(account: Account) -> None:
    run = await started(account)
    account.emulator.control.finish(run, "FAILED", "broken")

    table = await account.maia("status", run)
    json = await account.maia("status", run, "--output", "json")

    assert table.status == json.status == 0
    assert "FAILED" in table.out
    assert json.json["pipelineExecutionId"] == run
    assert json.json["message"] == "broken"


async def test_an_unknown_id_is_exit_code_1_and_a_path_is_2(account: Account) -> None:
    assert (await account.maia("status", NOBODY)).status == 1
    assert (await account.maia("watch", NOBODY)).status == 1
    assert (await account.maia("cancel", NOBODY)).status == 1
    assert (await account.maia("status", "..")).status == 2


async def test_watch_prints_each_change_and_ends_with_the_run(account: Account) -> None:
    run = await started(account, "good")

    ended = await account.maia("watch", run, "--output", "json")

    assert ended.status == 0
    assert [line["status"] for line in ended.json_lines] == ["RUNNING", "SUCCESS"]
    assert all(line["pipelineExecutionId"] == run for line in ended.json_lines)


async def test_watching_a_failure_is_exit_code_1(account: Account) -> None:
    run = await started(account, "bad")

    ended = await account.maia("watch", run)

    assert ended.status == 1
    assert ended.out.splitlines()[-1].startswith("FAILED")
    assert ended.out.splitlines()[-1].endswith("no such table")


async def test_cancel_returns_when_it_is_accepted(account: Account) -> None:
    runs = [await started(account), await started(account)]

    ended = await account.maia("cancel", *runs, "--output", "json")

    assert ended.status == 0
    assert ended.json == [{"pipelineExecutionId": run, "status": "CANCELLING"} for run in runs]
    assert {run.status for run in account.emulator.control.executions()} <= {"CANCELLING", "CANCELLED"}


async def test_cancel_and_wait_sees_the_end(account: Account) -> None:
    run = await started(account)

    ended = await account.maia("cancel", run, "--wait", "--force")

    assert ended.status == 0
    assert ended.out.splitlines()[1].split() == [run, "CANCELLED"]


async def test_cancelling_what_has_ended_says_how_it_ended(account: Account) -> None:
    run = await started(account)
    account.emulator.control.finish(run, "SUCCESS")

    for option in ([], ["--wait"]):
        ended = await account.maia("cancel", run, *option)

        assert ended.status == 1
        assert "had ended before: SUCCESS" in ended.err
        assert ended.out.splitlines()[1].split() == [run, "SUCCESS"]


async def test_an_unknown_id_alone_leaves_no_empty_table(account: Account) -> None:
    ended = await account.maia("cancel", NOBODY)

    assert (ended.status, ended.out) == (1, "")
    assert NOBODY in ended.err


async def test_ids_come_from_stdin_one_a_line(account: Account) -> None:
    runs = [await started(account), await started(account)]
    typed = "".join(f"{run}\n\n" for run in [*runs, runs[0]])

    cancelled = await evolve(account.maia, stdin=typed.encode())("cancel", "-", "--wait", "--output", "json")
    watched = await evolve(account.maia, stdin=typed.encode())("watch", "-")

    assert [row["pipelineExecutionId"] for row in cancelled.json] == runs
    assert watched.status == 1
    assert [line.split()[:2] for line in sorted(watched.out.splitlines())] == [[run, "CANCELLED"] for run in sorted(runs)]


@pytest.mark.parametrize(("tty", "shown"), [(False, False), (True, True)])
async def test_several_are_watched_at_once(account: Account, tty: bool, shown: bool) -> None:
    runs = [await started(account, "good"), await started(account, "good")]
    before = asyncio.get_running_loop().time()

    ended = await evolve(account.maia, tty=tty, width=120)("watch", *runs, NOBODY)

    assert ended.status == 1
    assert asyncio.get_running_loop().time() - before < 20
    assert all(f"{run}  SUCCESS" in ended.out for run in runs)
    assert "404" in ended.err
    assert ("\x1b" in ended.out + ended.err) is shown


async def test_watching_several_successes_is_exit_code_0(account: Account) -> None:
    assert (await account.maia("watch", await started(account, "good"), await started(account, "good"))).status == 0


async def test_refused_credentials_end_all(account: Account) -> None:
    ended = await account.maia.with_environ(MAIA_CLIENT_SECRET="wrong")("watch", NOBODY, PROJECT)

    assert ended.status == 3
    assert ended.err.count("401") == 1
    assert "check MAIA_CLIENT_ID and MAIA_CLIENT_SECRET, and the region" in ended.err


async def test_one_refusal_does_not_keep_the_others(account: Account) -> None:
    run = await started(account)

    ended = await account.maia("cancel", NOBODY, run)

    assert ended.status == 1
    assert NOBODY in ended.err
    assert account.emulator.control.execution(run).status in {"CANCELLING", "CANCELLED"}
    assert PROJECT in ended.err


async def reference_of(account: Account, run: str) -> str:
    async with account.emulator.client() as maia:
        return maia.project(PROJECT).execution(run).reference


async def test_a_reference_does_where_an_id_does_and_says_the_project_itself(account: Account) -> None:
    first, second = await started(account), await started(account)
    references = [await reference_of(account, run) for run in (first, second)]
    elsewhere = account.maia.with_environ(MAIA_PROJECT_ID="00000000-0000-4000-8000-000000000000")

    shown = await elsewhere("status", references[0], "--output", "json")
    cancelled = await elsewhere("cancel", *references, references[0], "--wait", "--output", "json")
    watched = await elsewhere("watch", references[1], "--output", "json")

    assert shown.json["pipelineExecutionId"] == first
    assert cancelled.json == [{"pipelineExecutionId": run, "status": "CANCELLED"} for run in (first, second)]
    assert watched.json_lines[-1]["status"] == "CANCELLED"


async def test_references_and_ids_come_from_stdin_side_by_side(account: Account) -> None:
    first, second = await started(account), await started(account)
    lines = "\n".join([await reference_of(account, first), first, second]).encode()

    ended = await evolve(account.maia, stdin=lines)("cancel", "-", "--output", "json")

    assert [row["pipelineExecutionId"] for row in ended.json] == [first, second]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("{", "reference: is no JSON object"),
        ('{"maia": 2}', "reference: maia: is version 2, and this maia_async reads 1"),
        ('{"maia": 1, "region": "us1", "project": "p", "execution": "e"}', "hand it to a client of that region"),
    ],
)
@pytest.mark.parametrize("command", ["status", "watch", "cancel"])
async def test_what_is_no_reference_of_this_account_is_a_usage_problem(account: Account, command: str, word: str, said: str) -> None:
    ended = await account.maia(command, word)

    assert ended.status == 2
    assert said in ended.err
    assert account.emulator.control.requests(path_contains="/v1/") == []


async def test_a_reference_and_another_project_contradict_each_other(account: Account) -> None:
    run = await started(account)

    ended = await account.maia("status", await reference_of(account, run), "--project", NOBODY)

    assert ended.status == 2
    assert "leave --project out" in ended.err
