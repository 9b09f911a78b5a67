"""The pytest plugin in somebody else's test suite: under each runner of async tests, with each way to say what is emulated.

Each test writes a suite and runs pytest on it in a process of its own, as its users do; nothing of this suite's configuration is in it.
"""

from __future__ import annotations

import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from other_suites import PLUGIN, ROOT, suite

ANYIO, ASYNCIO = ("anyio",), ("pytest_asyncio.plugin",)
BOTH = (*ANYIO, *ASYNCIO)

# The same suite for every runner: MARK is its marker, or nothing.
SUITE = """
import pytest
from maia_async import ExecutionFailed, Maia
from maia_async.emulator import Emulator, Outcome, Pipeline

MARK
async def test_the_data_of_the_guides(maia, maia_emulator):
    details = await (await maia.project().execute("Pipeline 1", "Dev Environment"))
    assert details.status == "SUCCESS"
    assert [run.pipeline_name for run in maia_emulator.control.executions()] == ["Pipeline 1"]

MARK
@pytest.mark.maia_scenario(Pipeline(name="load", duration=30, outcomes=[Outcome(status="FAILED", message="no disk")]), speed=600)
async def test_a_scenario_of_its_own(maia):
    with pytest.raises(ExecutionFailed, match="no disk"):
        await (await maia.project().execute("load", "Dev Environment"))

MARK
async def test_faults(maia, maia_emulator, maia_faults):
    fault = maia_faults(method="GET", path="**/projects", status=503, times=2)
    assert len((await maia.projects.list()).items) == 2
    assert maia_emulator.control.fault(fault).hits == 2

MARK
async def test_a_client_from_the_environment(maia_environ):
    async with Maia.from_env() as maia:
        assert len((await maia.projects.list()).items) == 2

@pytest.fixture
def own():
    return "another"

class TestOverridden:
    @pytest.fixture
    def maia_scenario(self, own):
        return Emulator(speed=1000)

    MARK
    async def test_it(self, maia_emulator, maia):
        assert maia_emulator.speed == 1000
        assert (await maia.projects.list()).items
"""


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("mark", "plugins", "ini"),
    [
        ("@pytest.mark.anyio", ANYIO, ""),
        ("@pytest.mark.anyio", BOTH, "asyncio_mode = strict"),
        ("", ANYIO, "anyio_mode = auto"),
        ("@pytest.mark.asyncio", ASYNCIO, "asyncio_mode = strict"),
        ("", ASYNCIO, "asyncio_mode = auto"),
        ("@pytest.mark.asyncio", BOTH, "asyncio_mode = strict"),
        ("", BOTH, "asyncio_mode = auto"),
        ('@pytest.mark.asyncio(loop_scope="module")', ASYNCIO, "asyncio_mode = strict"),
        ("", ASYNCIO, "asyncio_mode = auto\nasyncio_default_test_loop_scope = session"),
        ("", ASYNCIO, "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = session"),
    ],
    ids=lambda value: str(value) or "none",
)
def test_the_fixtures_work_under_every_runner(mark: str, plugins: tuple[str, ...], ini: str, tmp_path: Path) -> None:
    if "asyncio_mode" in ini and "fixture_loop_scope" not in ini:
        ini += "\nasyncio_default_fixture_loop_scope = function"  # pytest-asyncio warns when nobody says it
    said = suite(tmp_path, SUITE.replace("MARK", mark or "# not marked"), *plugins, ini=ini)
    assert "5 passed" in said, said
    assert said.endswith("exit 0"), said


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("given", "pipelines"),
    [
        ("", ["My pipeline", "Pipeline 1", "Dev Pipeline"]),
        ("list_lag=3", ["My pipeline", "Pipeline 1", "Dev Pipeline"]),
        ('Pipeline(name="a"), Pipeline(name="b"), list_lag=3', ["a", "b"]),
        ('Scenario.of(Pipeline(name="a"), list_lag=1), list_lag=3', ["a"]),
        ('{"pipelines": ["a"], "list_lag": 3}', ["a"]),
        ('"account.json"', ["a"]),
        ('Path("account.json"), list_lag=3, speed=7', ["a"]),
        ('Emulator(Scenario.of(Pipeline(name="a"), list_lag=3), speed=7)', ["a"]),
    ],
)
def test_what_is_emulated_can_be_said_in_every_form(given: str, pipelines: list[str], tmp_path: Path) -> None:
    (tmp_path / "account.json").write_text('{"pipelines": ["a"], "list_lag": 3}', encoding="utf-8")
    text = f"""
    from pathlib import Path
    import pytest
    from maia_async.emulator import Emulator, Pipeline, Scenario

    @pytest.mark.anyio
    @pytest.mark.maia_scenario({given})
    async def test_it(maia_emulator):
        assert [one.name for one in maia_emulator.scenario.projects[0].pipelines] == {pipelines}
        assert maia_emulator.scenario.list_lag == {3 if given else 0}
        assert maia_emulator.speed == {7 if "speed=7" in given else 60}
    """
    said = suite(tmp_path, text, *ANYIO)
    assert "1 passed" in said, said


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("def test_it(maia): pass", "need an async test that a plugin runs"),
        (
            "@pytest.mark.anyio\n@pytest.mark.maia_scenario(5)\nasync def test_it(maia): pass",
            "maia_scenario takes pipelines, or one scenario",
        ),
        ("@pytest.mark.anyio\n@pytest.mark.maia_scenario(lag=5)\nasync def test_it(maia): pass", "unexpected keyword argument 'lag'"),
        (
            "@pytest.fixture\ndef anyio_backend(): return 'trio'\n@pytest.mark.anyio\nasync def test_it(maia_emulator): pass",
            "trio",  # without trio installed anyio says it first
        ),
    ],
)
def test_what_cannot_work_is_refused_with_words(test: str, words: str, tmp_path: Path) -> None:
    said = suite(tmp_path, f"import pytest\n{test}\n", *ANYIO)
    assert words in said, said
    assert "1 error" in said, said


@pytest.mark.realtime
def test_a_suite_may_have_fixtures_of_these_names_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import pytest\n@pytest.fixture\ndef maia():\n    return 'theirs'\n", encoding="utf-8")
    said = suite(tmp_path, "def test_it(maia):\n    assert maia == 'theirs'\n", *ANYIO)
    assert "1 passed" in said, said


@pytest.mark.realtime
def test_until_a_fixture_is_asked_for_nothing_is_loaded(tmp_path: Path) -> None:
    text = """
    import sys

    def test_it():
        assert "maia_async.integrations.pytest_plugin" in sys.modules
        theirs = ("maia_async.integrations", "maia_async.loading")  # the latter is what loads the others
        loaded = [name for name in sys.modules if name.startswith("maia_async.") and not name.startswith(theirs)]
        assert loaded == []
        assert {"aiohttp", "cattrs", "attrs", "attr", "asyncio", "backoff", "anyio"} & set(sys.modules) == set()
    """
    said = suite(tmp_path, text)
    assert "1 passed" in said, said


def test_the_entry_point_names_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"maia_async": PLUGIN}
    assert find_spec(PLUGIN) is not None
