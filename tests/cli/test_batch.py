"""`maia batch`: from a file to outcomes, in both forms, with each exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cli.harness import DEV, Account

from maia_async import BatchReport, ConnectFailed, ExecutionRequest, Outcome, OutcomeState
from maia_async.cli.batching import batch_status
from maia_async.cli.exits import ExitStatus
from maia_async.emulator import Pipeline


def rows(tmp_path: Path, *pipelines: str, **fields: Any) -> str:
    file = tmp_path / "rows.jsonl"
    lines = [json.dumps({"pipelineName": name, "environmentName": DEV, **fields}) for name in pipelines]
    file.write_text("\n".join(lines))
    return str(file)


async def test_a_batch_that_succeeds(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", rows(tmp_path, "good", "good", "good"))

    assert ended.status == 0
    assert ended.out.splitlines()[:2] == ["STATE    COUNT", "SUCCESS  3"]
    assert "ROW" not in ended.out
    assert "3 runs from" in ended.err
    assert "runs in all" in ended.out


async def test_each_row_that_does_not_succeed_is_listed_with_its_reason(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", rows(tmp_path, "good", "bad", "off", "gone"))

    assert ended.status == 1
    listed = [line for line in ended.out.splitlines() if line[:1].isdigit() and line.split()[1].isupper()]
    assert [line.split()[:2] for line in listed] == [["2", "FAILED"], ["3", "REJECTED"], ["4", "REJECTED"]]
    assert listed[0].endswith("no such table")
    assert "410" in listed[1]
    assert "404" in listed[2]
    assert "row 2: FAILED  bad: no such table" in ended.err


async def test_json_lines_are_one_for_each_outcome_and_a_report(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", rows(tmp_path, "good", "bad", "off"), "--output", "json")

    *outcomes, last = ended.json_lines
    assert sorted((line["index"], line["row"], line["state"]) for line in outcomes) == [
        (0, 1, "SUCCESS"),
        (1, 2, "FAILED"),
        (2, 3, "REJECTED"),
    ]
    assert last["report"]["total"] == 3
    assert last["report"]["counts"]["SUCCESS"] == 1


async def test_a_conflict_can_be_waited_out(account: Account, tmp_path: Path) -> None:
    file = rows(tmp_path, "good", "good", executionTag="one")

    assert (await account.maia("batch", file)).status == 1
    assert (await account.maia("batch", file, "--on-conflict", "wait")).status == 0


async def test_a_failure_can_stop_the_batch(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", rows(tmp_path, "bad", *["good"] * 20), "--on-failure", "stop", "--max-running", "1")

    assert ended.status == 1
    assert "1, and 20 not read" in ended.out
    assert len(account.emulator.control.executions()) == 1


async def test_a_timeout_leaves_the_rest_and_names_it(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", rows(tmp_path, "slow", "good"), "--timeout", "60")

    left = next(run for run in account.emulator.control.executions() if run.pipeline_name == "slow")
    assert ended.status == 1
    assert "LEFT_RUNNING" in ended.out
    assert f"maia watch {left.id}" in ended.err


async def test_a_bad_file_is_refused_whole_before_any_request(account: Account, tmp_path: Path) -> None:
    file = tmp_path / "rows.yaml"
    file.write_text(
        f"- {{pipelineName: good, environmentName: {DEV}}}\n- {{pipelineName: p, environmentName: '', scalarVariables: {{day: 1}}}}\n"
    )

    ended = await account.maia("batch", str(file))

    assert ended.status == 2
    assert "rows.yaml: 2 problems, and nothing was sent:" in ended.err
    assert "row 2: environmentName: must not be empty" in ended.err
    assert "row 2: scalarVariables.day: must be text, is int" in ended.err
    assert account.emulator.control.requests() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--max-running", "0"], "--max-running must be"),
        (["--timeout", "0"], "--timeout must be"),
        (["--timeout", "nan"], "--timeout must be"),
        (["--format", "csv"], "column"),
    ],
)
async def test_bad_options_are_exit_code_2(account: Account, tmp_path: Path, options: list[str], said: str) -> None:
    ended = await account.maia("batch", rows(tmp_path, "good"), *options)

    assert ended.status == 2
    assert said in ended.err
    assert "at once" not in ended.err  # nothing is announced that does not happen
    assert ended.out == ""
    assert account.emulator.control.requests() == []


@pytest.mark.parametrize(
    ("form", "text"),
    [("csv", f"pipelineName,environmentName\ngood,{DEV}\n"), ("yaml", f"- {{pipelineName: good, environmentName: {DEV}}}\n")],
)
async def test_rows_come_from_stdin_too(account: Account, form: str, text: str) -> None:
    ended = await evolve(account.maia, stdin=text.encode())("batch", "-", "--format", form)

    assert ended.status == 0
    assert "1 run from stdin" in ended.err


async def test_what_is_wrong_with_stdin_is_told_as_of_a_file(account: Account) -> None:
    ended = await evolve(account.maia, stdin=b'{"a": 1}\n{"b" 2}\n')("batch", "-", "--format", "jsonl")

    assert ended.status == 2
    assert "maia: stdin: line 2: is not JSON: Expecting ':' delimiter (column 6)" in ended.err


async def test_a_state_is_not_said_twice(serve: Any, tmp_path: Path) -> None:
    async with serve(Pipeline(name="late", outcomes=("SKIPPED",))) as account:
        ended = await account.maia("batch", rows(tmp_path, "late"))

    assert "row 1: SKIPPED  late: the pipeline is already running" in ended.err
    assert "Skipped" not in ended.err + ended.out


async def test_a_missing_file_is_exit_code_2_even_without_credentials(bare: Any) -> None:
    ended = await bare("batch", "gone.yaml")

    assert ended.status == 2
    assert "gone.yaml: no such file" in ended.err


async def test_refused_credentials_abort_the_batch_and_still_tell_every_row(account: Account, tmp_path: Path) -> None:
    ended = await account.maia.with_environ(MAIA_CLIENT_SECRET="wrong")("batch", rows(tmp_path, "good", "good"), "--output", "json")

    assert ended.status == 3
    assert all(line["state"] == "NOT_STARTED" for line in ended.json_lines[:-1])
    assert ended.json_lines[-1]["report"]["counts"]["NOT_STARTED"] == ended.json_lines[-1]["report"]["total"] > 0


@pytest.mark.parametrize("width", [80, 120])
async def test_the_live_display_keeps_to_the_terminal_and_leaves_it_clean(account: Account, tmp_path: Path, width: int) -> None:
    ended = await evolve(account.maia, tty=True, width=width)("batch", rows(tmp_path, "good", "bad"))

    assert "running" in ended.err
    assert "API calls 1" in ended.err
    assert "429 answers 0" in ended.err
    assert ended.err.count("\x1b[?25l") == ended.err.count("\x1b[?25h") == 1
    assert "running" not in ended.out
    assert "no such table" in ended.out


async def test_without_a_terminal_there_are_no_escapes_at_all(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", rows(tmp_path, "good", "bad"))

    assert "\x1b" not in ended.out + ended.err
    assert "\r" not in ended.out + ended.err


async def test_counts_are_said_now_and_then(account: Account, tmp_path: Path) -> None:
    ended = await account.maia("batch", rows(tmp_path, *["good"] * 6), "--max-running", "1")

    assert "of 6 done after" in ended.err


def report(*outcomes: Outcome, not_read: int = 0) -> BatchReport:
    counts = {state: sum(outcome.state is state for outcome in outcomes) for state in OutcomeState}
    return BatchReport(
        counts=counts,
        total=len(outcomes),
        not_read=not_read,
        durations=None,  # type: ignore[arg-type]  # not looked at
        requests_used=0,
        seconds=0.0,
        outcomes=outcomes,
    )


def outcome(state: OutcomeState, error: Exception | None = None) -> Outcome:
    return Outcome(index=0, request=ExecutionRequest(pipeline_name="p", environment_name="e"), state=state, error=error)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (report(outcome(OutcomeState.SUCCESS)), ExitStatus.OK),
        (report(outcome(OutcomeState.SUCCESS), not_read=1), ExitStatus.UNSUCCESSFUL),
        (report(outcome(OutcomeState.SUCCESS), outcome(OutcomeState.FAILED)), ExitStatus.UNSUCCESSFUL),
        (report(outcome(OutcomeState.NOT_STARTED, ConnectFailed("refused"))), ExitStatus.API_FAILED),
        (report(outcome(OutcomeState.NOT_STARTED, ConnectFailed("x")), outcome(OutcomeState.SUCCESS)), ExitStatus.UNSUCCESSFUL),
        (report(outcome(OutcomeState.NOT_STARTED)), ExitStatus.UNSUCCESSFUL),
        (report(outcome(OutcomeState.REJECTED, ConnectFailed("x"))), ExitStatus.UNSUCCESSFUL),
    ],
)
def test_the_exit_code_of_a_report(found: BatchReport, status: ExitStatus) -> None:
    assert batch_status(found) is status
