"""`maia streaming list|create|show|replace|delete`: definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli.harness import PROJECT, Account, after
from cli.streamkit import NOBODY, definition, sent, stream, written

from maia_async.cli.exits import ExitStatus
from maia_async.emulator import Fault, StreamScript


async def test_create_prints_the_id_alone(account: Account, file: str) -> None:
    ended = await account.maia("streaming", "create", file)

    (created,) = account.emulator.control.streams()
    assert (ended.status, ended.out) == (0, f"{created.id}\n")
    assert (created.name, created.status) == ("orders", "NOT_RUNNING")
    assert ended.err == ""


async def test_create_as_json_names_the_project(account: Account, file: str) -> None:
    ended = await account.maia("streaming", "create", file, "--output", "json")

    assert ended.json == {"streamingPipelineId": account.emulator.control.streams()[0].id, "projectId": PROJECT, "name": "orders"}


async def test_create_and_start_arrives_at_streaming(account: Account, file: str) -> None:
    ended = await account.maia("streaming", "create", file, "--start")

    (created,) = account.emulator.control.streams()
    assert (ended.status, ended.out) == (0, f"{created.id}\n")
    assert created.status == "STREAMING"


@pytest.mark.parametrize(
    ("script", "argv", "said"),
    [
        (StreamScript(refuses_to_start="returns"), [], "stopped on its way to STREAMING"),
        (StreamScript(stuck_starting=True), ["--timeout", "30"], "after 30 s: "),
    ],
)
async def test_an_id_is_printed_even_when_the_start_fails(serve: Any, file: str, script: StreamScript, argv: list[str], said: str) -> None:
    async with serve(streams=(script,)) as account:
        ended = await account.maia("streaming", "create", file, "--start", *argv)

        assert ended.out == f"{account.emulator.control.streams()[0].id}\n"
    assert ended.status == 1
    assert said in ended.err
    assert "STARTING" in ended.err


async def test_every_problem_has_its_line_and_nothing_is_sent(account: Account, tmp_path: Path) -> None:
    wrong = written(tmp_path, {**definition(without="username", port=70000), "agentId": "x"})

    ended = await account.maia("streaming", "create", wrong)

    assert ended.status == 2
    lines = [line.strip() for line in ended.err.splitlines()]
    assert lines[0] == f"maia: {wrong}: nothing was sent, the definition has 3 problems:"
    assert any(line.startswith("agentId: ") for line in lines)
    assert "streamingSource.connection.username: must not be empty" in lines
    assert any(line.startswith("streamingSource.connection.port: ") for line in lines)
    assert ended.out == ""
    assert sent(account) == []


async def test_a_password_as_text_is_refused_and_not_repeated(account: Account, tmp_path: Path) -> None:
    for name, document in (("a.json", definition(password="hunter2")), ("b.yaml", definition(password="hunter2", username=""))):
        for command in (["create"], ["replace", NOBODY]):
            ended = await account.maia.with_environ(MAIA_DEBUG="1")("streaming", *command, written(tmp_path, document, name))

            assert ended.status == 2
            assert "streamingSource.connection.password: must be a reference to a secret" in ended.err
            assert "AZURE_KEY_VAULT" in ended.err
            assert "hunter2" not in ended.err + ended.out
    assert sent(account) == []


async def test_what_the_api_refuses_looks_the_same(account: Account, tmp_path: Path) -> None:
    other = written(tmp_path, {**definition(), "agentId": NOBODY})

    ended = await account.maia("streaming", "create", other)

    assert ended.status == 1
    first, *lines = ended.err.splitlines()
    assert ": 400 " in first
    assert [line.strip() for line in lines] == ["agentId: is no streaming agent of the account"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.json", None),
        ("bad.json", b"{"),
        ("bad.yaml", b"a: ["),
        ("bytes.json", b"\xff\xfe"),
        ("list.yaml", b"- 1"),
        ("empty.json", b""),
    ],
)
async def test_a_file_that_cannot_be_read_is_exit_code_2(account: Account, tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    for command in (["create"], ["replace", "orders"]):
        ended = await account.maia("streaming", *command, str(path))

        assert ended.status == 2
        assert name in ended.err
        assert "Traceback" not in ended.err
    assert sent(account) == []


@pytest.mark.parametrize("moment", [step / 20 for step in range(20)])
async def test_no_created_id_is_lost_at_any_moment(serve: Any, file: str, moment: float) -> None:
    """Latency makes the token take 0 to 0.4 s, and the create 0.4 to 0.8 s: the moments fall before, into and after each."""
    async with serve(latency_in=0.2, latency_out=0.2) as account:
        ended = await account.maia("streaming", "create", file, "--start", stop_when=after(moment))

        created = [each.id for each in account.emulator.control.streams()]
    assert ended.status == ExitStatus.INTERRUPTED
    for pipeline in created:
        assert pipeline in ended.out or f"maia streaming show {pipeline} --project {PROJECT}" in ended.err
    assert ended.err.count("maia streaming show") <= len(created)


async def test_a_lost_answer_creates_one_pipeline(account: Account, file: str) -> None:
    account.emulator.control.add_fault(Fault(method="POST", path="**/streaming-pipelines", status=502, landed=True, times=1))

    ended = await account.maia("streaming", "create", file)

    (created,) = account.emulator.control.streams()
    assert (ended.status, ended.out) == (0, f"{created.id}\n")


async def test_list_shows_ids_and_names(account: Account) -> None:
    one, two = stream(account), stream(account, "a\x1b[2Jb")

    table = await account.maia("streaming", "list")
    listed = await account.maia("streaming", "list", "--output", "json")

    assert table.out.splitlines()[0].split() == ["ID", "NAME", "SOURCE", "TARGET", "TABLES"]
    assert table.out.splitlines()[1].split() == [one, "orders", "sqlserver", "snowflake", "1"]
    assert "a\\x1b[2Jb" in table.out
    assert "\x1b" not in table.out + listed.out
    assert [item["streamingPipelineId"] for item in listed.json] == [one, two]


async def test_an_empty_list_is_no_error(account: Account) -> None:
    ended = await account.maia("streaming", "list", "--output", "json")

    assert (ended.status, ended.json) == (0, [])


async def test_show_by_id_and_by_name_is_the_same(account: Account) -> None:
    pipeline = stream(account, "daily orders")

    by_id = await account.maia("streaming", "show", pipeline, "--output", "json")
    by_name = await account.maia("streaming", "show", "daily orders", "--output", "json")
    table = await account.maia("streaming", "show", pipeline)

    assert by_id.json == by_name.json
    assert by_id.json["streamingPipelineId"] == pipeline
    assert by_id.json["streamingSource"]["connection"]["password"]["secretName"] == "sqlserver-password"
    assert "daily orders" in table.out


async def test_what_show_prints_replace_takes(account: Account, tmp_path: Path) -> None:
    pipeline = stream(account)
    shown = (await account.maia("streaming", "show", pipeline, "--output", "json")).json

    file = written(tmp_path, {**shown, "name": "renamed"})
    ended = await account.maia("streaming", "replace", "orders", file, "--output", "json")

    assert ended.status == 0
    assert ended.json == {**shown, "name": "renamed"}
    assert account.emulator.control.stream(pipeline).name == "renamed"


async def test_a_replace_that_is_not_valid_changes_nothing(account: Account, tmp_path: Path) -> None:
    pipeline = stream(account)

    for word in (pipeline, "orders"):
        ended = await account.maia("streaming", "replace", word, written(tmp_path, definition(without="host")))

        assert ended.status == 2
        assert "streamingSource.connection.host: must not be empty" in ended.err
    assert "PUT" not in sent(account)


async def test_delete_says_what_it_deleted(account: Account) -> None:
    one, two = stream(account), stream(account, "other")

    table = await account.maia("streaming", "delete", "orders")
    document = await account.maia("streaming", "delete", two, "--output", "json")

    assert (table.status, table.out) == (0, f"deleted {one}\n")
    assert document.json == {"streamingPipelineId": two, "projectId": PROJECT, "deleted": True}
    assert account.emulator.control.streams() == []
