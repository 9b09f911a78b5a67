"""`maia demo` and `maia emulator`."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path

import anyio
import pytest
from cli.harness import Maia

from maia_async.cli.demo_plan import demo_requests


async def test_the_demo_says_what_it_is_and_shows_every_kind_of_end(bare: Maia) -> None:
    ended = await bare("demo", "--executions", "120", "--output", "json")

    assert ended.status == 0
    assert "embedded emulator" in ended.err.splitlines()[0]
    *outcomes, last, _ = ended.json_lines
    assert len(outcomes) == 120
    counts = last["report"]["counts"]
    assert counts["SUCCESS"] > 90
    assert counts["FAILED"] > 0
    errors = " ".join(line["error"] or "" for line in outcomes if line["state"] == "REJECTED")
    assert all(status in errors for status in (" 404 ", " 409 ", " 410 "))
    assert sum(counts.values()) == 120
    assert len({line["pipelineName"] for line in outcomes}) == 7


async def test_the_demo_ends_with_a_summary(bare: Maia) -> None:
    ended = await bare("demo", "--executions", "25", "--seed", "3")

    assert ended.status == 0
    assert all(word in ended.out for word in ("STATE", "SUCCESS", "run time p50", "run time p95", "API calls", "429 answers"))


@pytest.mark.parametrize("argv", [["--executions", "5", "--seed", "3"], ["--executions", "25", "--speed", "100"]], ids=" ".join)
async def test_the_demo_restarts_the_pipeline_that_drops(bare: Maia, argv: list[str]) -> None:
    ended = await bare("demo", "--output", "json", *argv)

    assert ended.status == 0
    steady, dropping = ended.json_lines[-1]["streaming"]
    assert steady["name"] == "orders changes"
    assert (steady["status"], steady["restarts"]) == ("STREAMING", 0)
    assert steady["states"] == ["NOT_RUNNING", "STARTING", "SNAPSHOTTING", "STREAMING"]
    assert (dropping["status"], dropping["restarts"]) == ("STREAMING", 1)
    assert dropping["states"] == [*steady["states"], "NOT_RUNNING", "STARTING", "STREAMING"]
    assert "customers changes: NOT_RUNNING after" in ended.err
    assert "restart 1 accepted" in ended.err


@pytest.mark.parametrize("width", [80, 120])
async def test_on_a_terminal_the_pipelines_are_shown_beside_the_batch(width: int) -> None:
    ended = await Maia(tty=True, width=width)("demo", "--executions", "25", "--seed", "3")

    frames = [unstyled(line) for line in ended.err.splitlines()]
    assert ended.status == 0
    assert any(re.match(r"orders changes +SNAPSHOTTING +\d", line) for line in frames)
    assert any(re.match(r"customers changes +STREAMING +\d+ s +1  ", line) for line in frames)
    assert max(map(len, frames)) <= width
    assert "STATES SEEN" in ended.out


def unstyled(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip("\r")


async def test_two_hundred_take_about_fifteen_seconds(bare: Maia) -> None:
    began = asyncio.get_running_loop().time()

    ended = await bare("demo")

    assert ended.status == 0
    assert "supervise() started it again" in ended.err
    assert 8 < asyncio.get_running_loop().time() - began < 20


async def test_the_seed_decides_what_becomes_of_every_row_whatever_the_speed(bare: Maia) -> None:
    tables = []
    for speed in ("20", "60"):
        ended = await bare("demo", "--executions", "120", "--seed", "5", "--speed", speed, "--output", "json")
        outcomes = [line for line in ended.json_lines if "row" in line]
        tables.append({line["row"]: (line["pipelineName"], line["state"], line["message"]) for line in outcomes})

    assert len(tables[0]) == 120
    assert len({state for _, state, _ in tables[0].values()}) >= 4
    assert tables[0] == tables[1]


def test_the_seed_decides_the_requests() -> None:
    assert demo_requests(50, 1) == demo_requests(50, 1)
    assert demo_requests(50, 1) != demo_requests(50, 2)


async def test_the_demo_can_be_interrupted(bare: Maia) -> None:
    began = asyncio.get_running_loop().time()

    ended = await bare("demo", stop_when=lambda: asyncio.get_running_loop().time() > began + 3)

    assert ended.status == 130
    assert "the embedded emulator has ended, and with it" in ended.err


async def test_the_emulator_prints_two_lines_that_a_shell_understands(bare: Maia) -> None:
    began = asyncio.get_running_loop().time()

    ended = await bare("emulator", "--port", "0", stop_when=lambda: asyncio.get_running_loop().time() > began + 1)

    assert ended.status == 0
    first, second = ended.out.splitlines()
    words = [*first.split(), *second.split()]
    assert words.count("export") == 2
    variables = dict(word.split("=", 1) for word in words if "=" in word)
    assert variables["MAIA_BASE_URL"].endswith("/dpc")
    assert variables["MAIA_TOKEN_URL"].endswith("/oauth/dpc/token")
    assert variables["MAIA_CLIENT_ID"] == variables["MAIA_CLIENT_SECRET"] == "emulator"
    assert "Ctrl-C" in ended.err


async def test_what_the_emulator_prints_is_enough_for_a_client(bare: Maia) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers = []

    async def ask() -> None:
        environ = {
            "MAIA_BASE_URL": f"http://127.0.0.1:{port}/dpc",
            "MAIA_TOKEN_URL": f"http://127.0.0.1:{port}/oauth/dpc/token",
            "MAIA_CLIENT_ID": "emulator",
            "MAIA_CLIENT_SECRET": "emulator",
        }
        answers.append(await Maia(environ)("projects", "list"))

    async with anyio.create_task_group() as group:
        group.start_soon(ask_later, ask)
        ended = await bare("emulator", "--port", str(port), stop_when=lambda: bool(answers))

    assert ended.status == 0
    assert answers[0].status == 0
    assert "Test-project" in answers[0].out


async def ask_later(ask: object) -> None:
    assert callable(ask)
    await anyio.sleep(0.5)
    await ask()


async def test_a_port_in_use_is_exit_code_2(bare: Maia) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        ended = await bare("emulator", "--port", str(taken.getsockname()[1]))

    assert ended.status == 2
    assert "in use" in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [("pipelines: [{name: x, colour: red}]", "colour"), ("a: [", "YAML"), (None, "cannot read the scenario")],
)
async def test_a_bad_scenario_is_exit_code_2(bare: Maia, tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "scenario.yaml"
    if content is not None:
        file.write_text(content)

    ended = await bare("emulator", "--scenario", str(file))

    assert ended.status == 2
    assert said in ended.err
