"""`maia batch` with a journal: what goes on after any end, what is said of it, and what is refused before anything is sent."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from attrs import evolve
from cli.harness import DEV, PROJECT, Account, after
from cli.test_process import maia, sent, wait_until

from maia_async import BatchReport, JournalEntry, JournalSummary, Outcome, OutcomeState
from maia_async.cli.exits import ExitStatus
from maia_async.cli.journals import command_line, described, may_go_on
from maia_async.orchestration.journal import Journal


def rows(tmp_path: Path, *pipelines: str, **fields: Any) -> str:
    file = tmp_path / "rows.jsonl"
    lines = [
        json.dumps({"pipelineName": name, "environmentName": DEV, "scalarVariables": {"row": str(number)}, **fields})
        for number, name in enumerate(pipelines)
    ]
    file.write_text("\n".join(lines))
    return str(file)


def mode(path: str) -> int | None:
    return stat.S_IMODE(Path(path).stat().st_mode) if Path(path).exists() else None


@pytest.fixture
def book(tmp_path: Path) -> str:
    return str(tmp_path / "nightly.db")


async def test_a_batch_writes_its_journal_and_says_where(account: Account, tmp_path: Path, book: str) -> None:
    ended = await account.maia("batch", rows(tmp_path, "good", "good"), "--journal", book)

    assert ended.status == 0
    assert f"2 runs from {tmp_path / 'rows.jsonl'}, at most 50 at once; the journal is {book}" in ended.err
    assert "resum" not in ended.err + ended.out
    assert "replayed" not in ended.out.lower()
    assert mode(book) == 0o600
    assert (await account.maia("journal", "show", book, "--output", "json")).json["counts"] == {"SUCCESS": 2}


@pytest.mark.parametrize(
    "again", [["batch", "FILE", "--journal", "BOOK"], ["batch", "--resume", "BOOK"], ["batch", "--resume", "BOOK", "FILE"]]
)
async def test_the_same_call_and_resume_run_nothing_twice_and_mark_what_comes_again(
    account: Account, tmp_path: Path, book: str, again: list[str]
) -> None:
    file = rows(tmp_path, "good", "bad", "off")
    await account.maia("batch", file, "--journal", book)

    ended = await account.maia(*(word.replace("BOOK", book).replace("FILE", file) for word in again), "--output", "json")

    assert ended.status == 1
    assert f"resuming {book}, at most 50 at once: of 3 rows 3 ended before (1 FAILED, 1 REJECTED, 1 SUCCESS)" in ended.err
    assert "row 2" not in ended.err  # it was said by the first one
    assert [(line["row"], line["state"], line["replayed"]) for line in ended.json_lines[:-1]] == [
        (1, "SUCCESS", True),
        (2, "FAILED", True),
        (3, "REJECTED", True),
    ]
    assert len(account.emulator.control.executions()) == 2


@pytest.mark.parametrize("tty", [True, False])
async def test_people_see_which_rows_come_from_the_journal(account: Account, tmp_path: Path, book: str, tty: bool) -> None:
    await account.maia("batch", rows(tmp_path, "good", "bad"), "--journal", book)

    ended = await evolve(account.maia, tty=tty, width=120)("batch", "--resume", book)

    plain = ended.out.replace("\x1b[0m", "")
    assert "runs in all   2, 2 of them replayed" in plain
    assert "replayed from the journal" in plain if tty else "2    FAILED  yes       bad" in plain
    assert "no such table" in plain


async def test_an_interrupt_says_how_to_go_on_and_that_command_finishes_the_batch(account: Account, tmp_path: Path, book: str) -> None:
    options = ["--max-running", "2", "--on-conflict", "wait"]
    ended = await account.maia("batch", rows(tmp_path, *["slow"] * 4), "--journal", book, *options, stop_when=after(3))

    assert ended.status == ExitStatus.INTERRUPTED
    assert "2 runs are still going in Maia:" in ended.err
    command = ended.err.splitlines()[-1].strip()
    assert command == f"maia batch --resume {book} --max-running 2 --on-conflict wait"

    for run in account.emulator.control.executions():
        account.emulator.control.finish(run.id)
    account.emulator.control.advance(10_000)
    again = await account.maia(*shlex.split(command)[1:], "--output", "json")

    assert again.status == 0
    assert "of 4 rows 2 were started, 2 are to be started" in again.err
    assert "--resume" not in again.err
    assert [line["state"] for line in again.json_lines[:-1]] == ["SUCCESS"] * 4
    variables = {run.id: dict(run.scalar_variables or {})["row"] for run in account.emulator.control.executions()}
    assert {line["executionId"]: str(line["index"]) for line in again.json_lines[:-1]} == variables


async def test_runs_of_an_earlier_process_are_named_though_none_was_looked_at(account: Account, tmp_path: Path, book: str) -> None:
    await account.maia("batch", rows(tmp_path, "slow", "slow"), "--journal", book, stop_when=after(3))
    account.emulator.control.set_network(latency_in=5.0)

    ended = await account.maia("batch", "--resume", book, stop_when=after(1))

    for run in account.emulator.control.executions():
        assert f"maia watch {run.id} --project {PROJECT}" in ended.err
    assert f"  maia batch --resume {book}" in ended.err


async def test_what_ended_needs_no_words(account: Account, tmp_path: Path, book: str) -> None:
    ended = await account.maia("batch", rows(tmp_path, "good", "bad"), "--journal", book)

    assert "--resume" not in ended.err


async def test_a_timeout_says_how_to_go_on(account: Account, tmp_path: Path, book: str) -> None:
    ended = await account.maia("batch", rows(tmp_path, "slow", "good"), "--journal", book, "--timeout", "60")

    assert (ended.status, f"  maia batch --resume {book}" in ended.err) == (1, True)


async def test_the_journal_knows_its_project(account: Account, tmp_path: Path, book: str) -> None:
    await account.maia("batch", rows(tmp_path, "good"), "--journal", book)

    without = await account.maia.with_environ(MAIA_PROJECT_ID="")("batch", "--resume", book)
    elsewhere = await account.maia.with_environ(MAIA_PROJECT_ID="other")("batch", "--resume", book)
    wrong = await account.maia("batch", "--resume", book, "--project", "other")

    assert (without.status, elsewhere.status, wrong.status) == (0, 0, 2)
    assert f"{book}: is of project {PROJECT}, and --project is other: leave --project out" in wrong.err


async def test_another_host_is_refused_with_what_to_do(account: Account, tmp_path: Path, book: str) -> None:
    await account.maia("batch", rows(tmp_path, "good"), "--journal", book)

    ended = await account.maia.with_environ(MAIA_BASE_URL="http://127.0.0.1:9/dpc")("batch", "--resume", book)

    assert ended.status == 2
    assert "is about another base URL" in ended.err
    assert "--base-url" in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["batch"], "give FILE, which has the rows"),
        (["batch", "--journal", "BOOK"], "maia batch --resume BOOK"),
        (["batch", "ROWS", "--journal", "BOOK", "--resume", "BOOK"], "not both"),
        (["batch", "--resume", "BOOK", "--format", "csv"], "--format is about FILE"),
        (["batch", "--resume", "BOOK"], "does not exist"),
        (["batch", "--resume", "BOOK", "ROWS"], "does not exist"),
        (["batch", "ROWS", "--max-unacknowledged", "2"], "give --journal or --resume"),
        (["batch", "ROWS", "--journal", "BOOK", "--max-unacknowledged", "0"], "--max-unacknowledged must be at least 1"),
        (["batch", "ROWS", "--journal", "BOOK", "--emulator"], "a journal does not go with --emulator"),
        (["batch", "--resume", "BOOK", "--emulator"], "a journal does not go with --emulator"),
        (["batch", "ROWS", "--journal", "FOLDER"], "is not a file"),
        (["batch", "ROWS", "--journal", "NOTES"], "is damaged or is no journal"),
        (["batch", "--resume", "NOTES"], "is damaged or is no journal"),
        (["batch", "ROWS", "--journal", "FOLDER/none/j.db"], "cannot be locked"),
    ],
)
async def test_refusals(account: Account, tmp_path: Path, book: str, argv: list[str], said: str) -> None:
    (tmp_path / "notes").write_text("mine" * 1000)
    words = {"BOOK": book, "ROWS": rows(tmp_path, "good"), "NOTES": str(tmp_path / "notes"), "FOLDER": str(tmp_path)}

    def filled(word: str) -> str:
        for name, value in words.items():
            word = word.replace(name, value)
        return word

    ended = await account.maia(*map(filled, argv))

    assert ended.status == 2
    assert filled(said) in ended.err
    assert "at once" not in ended.err
    assert "bug" not in ended.err
    assert ended.out == ""
    assert mode(book) is None
    assert (tmp_path / "notes").read_text() == "mine" * 1000
    assert account.emulator.control.requests() == []


async def test_a_changed_file_is_refused_by_row(account: Account, tmp_path: Path, book: str) -> None:
    await account.maia("batch", rows(tmp_path, "good", "good"), "--journal", book)

    ended = await account.maia("batch", rows(tmp_path, "good", "bad"), "--journal", book)
    more = await account.maia("batch", rows(tmp_path, "good", "good", "good"), "--journal", book)

    assert (ended.status, more.status) == (2, 2)
    assert "has another request in row 2 (differing: pipelineName)" in ended.err
    assert "is about an input of 2 requests, and this one has 3" in more.err
    assert len(account.emulator.control.executions()) == 2


async def test_a_journal_in_use_is_refused(account: Account, tmp_path: Path, book: str) -> None:
    async with await Journal.open(book, project_id=PROJECT, base_url=account.emulator.base_url):
        ended = await account.maia("batch", rows(tmp_path, "good"), "--journal", book)

    assert ended.status == 2
    assert f"is in use by process {os.getpid()}" in ended.err


async def test_a_full_disk_is_exit_code_1_and_nothing_was_sent(
    account: Account, tmp_path: Path, book: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("maia_async.orchestration.journal.files._sync_folder", full)
    ended = await account.maia("batch", rows(tmp_path, "good"), "--journal", book)

    assert ended.status == 1
    assert "cannot be made: [Errno 28] No space left on device" in ended.err
    assert account.emulator.control.requests() == []


async def test_an_input_that_was_not_read_to_its_end_is_asked_for(account: Account, tmp_path: Path, book: str) -> None:
    async with await Journal.open(book, project_id=PROJECT, base_url=account.emulator.base_url):
        pass  # killed before it had written its rows down

    without = await account.maia("batch", "--resume", book)
    given = await account.maia("batch", "--resume", book, rows(tmp_path, "good", "good"))

    assert without.status == 2
    assert f"go on with the input that it was made from: maia batch --resume {book} FILE" in without.err
    assert (given.status, len(account.emulator.control.executions())) == (0, 2)
    assert (await account.maia("batch", "--resume", book)).status == 0


def summary(**counts: int) -> JournalSummary:
    entries = [
        JournalEntry(index=0, state=state, pipeline_name="p", environment_name="e") for state, count in counts.items() for _ in range(count)
    ]
    return JournalSummary(
        path="j", project_id="P", base_url="u", created_at="", package_version="", size=None, counts=counts, entries=tuple(entries)
    )


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"PLANNED": 1}, "of 1 rows 1 is to be started"),
        ({"PLANNED": 1, "NOT_STARTED": 2}, "of 3 rows 3 are to be started"),
        ({"INTENT": 2}, "of 2 rows 2 may have been started"),
        ({"STARTED": 1}, "of 1 rows 1 was started"),
        ({"STARTED": 1, "LEFT_RUNNING": 1}, "of 2 rows 2 were started"),
        ({"UNKNOWN": 1, "FAILED": 2}, "of 3 rows 3 ended before (2 FAILED, 1 UNKNOWN)"),
        ({"SUCCESS": 1, "STARTED": 1, "INTENT": 1, "PLANNED": 1}, "1 SUCCESS), 1 was started, 1 may have been started, 1 is to be started"),
    ],
)
def test_how_far_a_journal_has_come(counts: dict[str, int], said: str) -> None:
    assert described(summary(**counts)).endswith(said)


def report(state: OutcomeState, *, replayed: bool = False, not_read: int = 0) -> BatchReport:
    outcome = Outcome(index=0, request=None, state=state, replayed=replayed)  # type: ignore[arg-type]  # not looked at
    counts = {each: int(each is state) for each in OutcomeState}
    return BatchReport(counts=counts, total=1, not_read=not_read, durations=None, requests_used=0, seconds=0.0, outcomes=(outcome,))  # type: ignore[arg-type]  # neither


@pytest.mark.parametrize(
    ("found", "cut_short", "makes_sense"),
    [
        (report(OutcomeState.NOT_STARTED), False, True),
        (report(OutcomeState.LEFT_RUNNING), False, True),
        (report(OutcomeState.SUCCESS, not_read=1), False, True),
        (report(OutcomeState.UNKNOWN), True, True),
        (report(OutcomeState.UNKNOWN), False, False),
        (report(OutcomeState.UNKNOWN, replayed=True), True, False),
        (report(OutcomeState.SUCCESS), True, False),
        (report(OutcomeState.FAILED), False, False),
    ],
)
def test_when_going_on_makes_sense(found: BatchReport, cut_short: bool, makes_sense: bool) -> None:
    assert may_go_on(found, cut_short=cut_short) is makes_sense


def test_the_command_is_one_for_a_shell() -> None:
    assert command_line(Path("my nights.db"), ("--region", "us1")) == "maia batch --resume 'my nights.db' --region us1"
    assert command_line(Path("-j.db"), ()) == "maia batch --resume ./-j.db"


SCENARIO = """
pipelines: [{name: a, duration: 2}, {name: b, duration: 2}, {name: c, duration: 2}]
latency_in: 0.05
"""


@pytest.mark.realtime
def test_a_killed_batch_is_resumed_with_one_run_for_each_row(tmp_path: Path, book: str) -> None:
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    lines = [
        {"pipelineName": "abc"[number % 3], "environmentName": "Dev Env", "scalarVariables": {"row": str(number)}} for number in range(30)
    ]
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(lines))
    with maia("emulator", "--port", "0", "--scenario", str(tmp_path / "scenario.yaml")) as server:
        assert server.stdout is not None
        words = (server.stdout.readline() + server.stdout.readline()).split()
        environ = dict(word.split("=", 1) for word in words if "=" in word)
        with maia("batch", str(file), "--journal", book, "--max-running", "12", **environ) as process:
            wait_until(lambda: sent(environ["MAIA_BASE_URL"], "POST") >= 8)
            process.kill()
            process.communicate(timeout=5)
        assert process.returncode == -signal.SIGKILL
        with maia("batch", "--resume", book, "--output", "json", **environ) as process:
            out, err = process.communicate(timeout=60)
        with urlopen(environ["MAIA_BASE_URL"].removesuffix("/dpc") + "/_emulator/executions") as answer:
            started = json.loads(answer.read())
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=5)

    assert process.returncode == 0, err
    assert f"resuming {book}, at most 50 at once: of 30 rows" in err
    outcomes = [json.loads(line) for line in out.splitlines()][:-1]
    assert Counter(outcome["state"] for outcome in outcomes) == {"SUCCESS": 30}
    runs = {run["id"]: run["scalar_variables"]["row"] for run in started}
    assert {outcome["executionId"]: str(outcome["index"]) for outcome in outcomes} == runs
