"""Every code block of the README is run: Python against the emulator in virtual time, commands in process, the set-up by `.ci/run`.

A Python block whose first line is the name of a test file, such as `# test_nightly.py`, is that file: pytest runs it, with our plugin.
"""

from __future__ import annotations

import ast
import asyncio
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from other_suites import suite

import maia_async
from maia_async import errors
from maia_async.emulator import Emulator, Outcome, Pipeline, Project, Scenario
from maia_async.emulator.scenario import STREAMING_PROJECT

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
TEST_FILE = re.compile(r"# (test_\w+\.py)\n")
PYTHON = [text for kind, text in BLOCKS if kind == "python" and not TEST_FILE.match(text)]
TEST_FILES = [text for kind, text in BLOCKS if kind == "python" and TEST_FILE.match(text)]
SHELL = [line for kind, text in BLOCKS if kind == "sh" for line in text.strip().splitlines()]


def account() -> Scenario:
    return Scenario.of(
        Pipeline(name="Pipeline 1", duration=(5, 60), outcomes=["SUCCESS"] * 9 + [Outcome(status="FAILED", message="no such table")]),
        Pipeline(name="Dev Pipeline", duration=600),
    )


def environment_of(emulator: Emulator) -> dict[str, str]:
    return {
        "MAIA_BASE_URL": emulator.base_url,
        "MAIA_TOKEN_URL": emulator.token_url,
        "MAIA_CLIENT_ID": "emulator",
        "MAIA_CLIENT_SECRET": "emulator",
        "MAIA_PROJECT_ID": emulator.scenario.projects[0].id,
    }


def test_every_kind_of_block_is_known_to_these_tests() -> None:
    assert {kind for kind, _ in BLOCKS} <= {"python", "sh", "csv", "json", "yaml"}
    assert len(PYTHON) >= 3


@pytest.mark.parametrize("number", range(len(PYTHON)))
async def test_the_python_blocks_run(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tree = ast.parse(PYTHON[number])
    assert ast.unparse(tree.body.pop()) == "asyncio.run(main())"  # the loop is ours, the rest is the reader's
    namespace: dict[str, Any] = {"__name__": "readme"}
    async with Emulator(evolve(account(), projects=(*account().projects, Project(id=STREAMING_PROJECT)))) as emulator:
        for name, value in environment_of(emulator).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        shutil.copy(ROOT / "tests" / "samples" / "streaming-pipeline.json", tmp_path)
        exec(compile(tree, f"README python block {number}", "exec"), namespace)
        await namespace["main"]()
        assert emulator.control.requests(method="POST", path_contains="/v1/")
    assert capsys.readouterr().out.strip()
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("maia_async")] == []


@pytest.mark.realtime
@pytest.mark.parametrize("text", TEST_FILES, ids=lambda text: text.partition("\n")[0])
def test_the_test_files_pass_as_they_are_pasted(text: str, tmp_path: Path) -> None:
    name = TEST_FILE.match(text)
    assert name is not None
    said = suite(tmp_path, text, "anyio", name=name.group(1))
    assert f"{text.count('async def test_')} passed" in said, said
    assert said.endswith("exit 0"), said


def test_the_python_blocks_use_the_project_that_the_commands_use() -> None:
    assert [block for block in PYTHON if 'project("' in block] == []  # `maia streaming list` shows what the block has created


def test_the_set_up_commands_are_the_ones_that_ci_runs() -> None:
    setup = [line for line in SHELL if line.startswith("python3 -m venv")]
    assert len(setup) == 2
    assert "maia demo" in setup[0]
    assert "pytest" in setup[1]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "readme_command pytest" in ci
    assert 'readme_command "maia demo"' in ci


def test_the_variables_of_the_account_example_are_read() -> None:
    exports = [line for line in SHELL if line.startswith("export ")]
    words = [word.split("=", 1) for line in exports for word in shlex.split(line)[1:]]
    maia = maia_async.Maia.from_env(dict(words))
    assert maia.base_url == "https://eu1.api.matillion.com/dpc"
    assert maia.project_id == dict(words)["MAIA_PROJECT_ID"]


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("maia ")])
async def test_the_commands_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from maia_async.cli.app import async_main
    from maia_async.cli.environment import Environment

    for kind, text in BLOCKS:
        if kind == "csv":
            (tmp_path / "runs.csv").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    async with Emulator(Scenario.of(Pipeline(name="Pipeline 1", duration=5))) as emulator:
        environment = Environment(stdout=io.StringIO(), stderr=io.StringIO(), environ=environment_of(emulator))
        status = await async_main(shlex.split(line)[1:], environment)
    assert status == 0, environment.stderr.getvalue()
    assert environment.stdout.getvalue().strip()


def test_the_table_of_errors_names_every_error_that_reaches_a_caller() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    every = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.MaiaError)}
    umbrellas = {"MaiaError", "TransportError", "ResponseError"}
    assert every - umbrellas <= named
