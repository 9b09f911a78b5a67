"""`maia status`, `watch` and `cancel`."""

from __future__ import annotations

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


async def test_an_unknown_id_is_exit_code_4_and_a_path_is_2(account: Account) -> None:
    assert (await account.maia("status", NOBODY)).status == 4
    assert (await account.maia("watch", NOBODY)).status == 4
    assert (await account.maia("cancel", NOBODY)).status == 4
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


async def test_one_refusal_does_not_keep_the_others(account: Account) -> None:
    run = await started(account)

    ended = await account.maia("cancel", NOBODY, run)

    assert ended.status == 4
    assert NOBODY in ended.err
    assert account.emulator.control.execution(run).status in {"CANCELLING", "CANCELLED"}
    assert PROJECT in ended.err
