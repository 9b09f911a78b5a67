"""The argument parser: help, version, and what it refuses."""

from __future__ import annotations

import pytest
from cli.harness import Maia

COMMANDS = [
    ("demo",),
    ("run",),
    ("batch",),
    ("status",),
    ("watch",),
    ("cancel",),
    ("projects", "list"),
    ("environments", "list"),
    ("pipelines", "list"),
    *(("streaming", verb) for verb in ("list", "create", "show", "replace", "delete", "start", "stop", "status", "wait", "supervise")),
    ("journal", "show"),
    ("emulator",),
]
WITHOUT_API = {("demo",), ("emulator",), ("journal", "show")}


async def test_help_names_every_command_and_the_exit_codes(bare: Maia) -> None:
    ended = await bare("--help")

    assert ended.status == 0
    assert ended.err == ""
    assert all(command[0] in ended.out for command in COMMANDS)
    assert "130 interrupted" in ended.out
    assert "\x1b" not in ended.out


async def test_no_command_is_a_question_for_help(bare: Maia) -> None:
    assert (await bare()).out == (await bare("--help")).out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("tty", [False, True])
async def test_every_command_has_help(command: tuple[str, ...], tty: bool) -> None:
    ended = await Maia(tty=tty)(*command, "--help")

    assert ended.status == 0
    assert f"maia {' '.join(command)}" in ended.out
    assert ("\x1b" in ended.out) is tty
    assert ended.err == ""


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in WITHOUT_API], ids=" ".join)
async def test_every_api_command_takes_the_connection_options_and_no_secret(bare: Maia, command: tuple[str, ...]) -> None:
    text = (await bare(*command, "--help")).out

    assert all(option in text for option in ("--project", "--region", "--base-url", "--emulator", "--output"))
    assert not any(word in text for word in ("--token", "--client-secret", "--client-id"))


@pytest.mark.parametrize(("command", "of"), [("batch", "outcome"), ("demo", "outcome"), ("watch", "change of the status")])
async def test_help_says_where_json_is_lines(bare: Maia, command: str, of: str) -> None:
    words = " ".join((await bare(command, "--help")).out.split())

    assert f"json prints JSON lines, one for each {of}" in words


async def test_version(bare: Maia) -> None:
    assert (await bare("--version")).out.startswith("maia 0.")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["bogus"], 'Unknown command "bogus"'),
        (["run"], "requires an argument"),
        (["run", "p"], "--environment requires an argument"),
        (["run", "p", "--environment", "e", "--bogus"], "Unknown option: --bogus"),
        (["run", "p", "q", "--environment", "e"], "Unused Tokens"),
        (["run", "p", "--environment", "e", "--timeout", "soon"], "--timeout"),
        (["run", "p", "--environment", "e", "--timeout", "0"], "--timeout must be a number of seconds above 0"),
        (["run", "p", "--environment", "e", "--no-wait", "--timeout", "3"], "does not go with --no-wait"),
        (["run", "p", "--environment", "e", "--tag", "t", "--no-tag"], "--tag or --no-tag"),
        (["run", "p", "--environment", "e", "--var", "day"], "--var day: must be NAME=VALUE"),
        (["run", "p", "--environment", "e", "--var", "=1"], "--var =1: must be NAME=VALUE"),
        (["run", "p", "--environment", "e", "--var", "a=1", "--var", "a=2"], "--var a: is given twice"),
        (["run", "p", "--environment", "e", "--grid", "g=[["], "--grid g: is not JSON"),
        (["batch", "f.yaml", "--on-failure", "panic"], "--on-failure"),
        (["batch", "f.yaml", "--format", "xml"], "--format"),
        (["status"], "requires an argument"),
        (["cancel"], "requires an argument"),
        (["streaming", "bogus"], 'Unknown command "bogus"'),
        (["streaming", "show"], "requires an argument"),
        (["streaming", "create"], "requires an argument"),
        (["streaming", "replace", "x"], "requires an argument"),
        (["streaming", "start"], "requires an argument"),
        (["streaming", "start", "x", "--timeout", "3"], "it goes with --wait"),
        (["streaming", "stop", "x", "--wait", "--timeout", "-1"], "--timeout must be a number of seconds above 0"),
        (["streaming", "wait", "x", "--timeout", "nan"], "--timeout must be a number of seconds above 0"),
        (["streaming", "wait", "x", "--state", "RUNNING"], "--state RUNNING: is no state of a streaming pipeline; known are STARTING"),
        (["streaming", "supervise"], "give the ids or names of streaming pipelines, or --all"),
        (["streaming", "supervise", "x", "--all"], "or --all, not both"),
        (["streaming", "supervise", "x", "--max-restarts", "0"], "maia: --max-restarts must be at least 1"),
        (["streaming", "supervise", "x", "--within", "0"], "maia: --within must be above 0"),
        (["streaming", "supervise", "x", "--on-external-stop", "panic"], "--on-external-stop"),
        (["projects", "list", "--output", "xml"], "--output"),
        (["demo", "--executions", "0"], "--executions must be at least 1"),
        (["demo", "--speed", "0"], "maia: --speed must be a number above 0"),
        (["emulator", "--port", "80800"], "maia: --port must be a whole number from 0 to 65535, is 80800"),
        (["emulator", "--port", "-1"], "maia: --port must be a whole number from 0 to 65535, is -1"),
        (["emulator", "--speed", "nan"], "maia: --speed must be a number above 0"),
        (["batch", "f.yaml", "--max-running", "0"], "maia: --max-running must be at least 1, is 0"),
        (["batch", "-"], "stdin has no name that says its format: give --format"),
        (["batch", "-", "--format", "csv"], "stdin: is empty"),
        (["cancel", "-"], "stdin: has no ids"),
        (["watch", "-", "x"], "give it alone"),
        (["status", "x", "--emulator", "--project", ""], "--project: must not be empty"),
    ],
)
async def test_a_wrong_command_line_is_exit_code_2(bare: Maia, argv: list[str], said: str) -> None:
    ended = await bare(*argv)

    assert ended.status == 2
    assert said in ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err
