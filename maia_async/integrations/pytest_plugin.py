"""Fixtures for tests of programs that use Maia: an emulated Maia, a client of it, faults. Nothing is loaded until one is asked for.

    fixture          is
    maia_scenario    what is emulated: an `Emulator` that is not entered yet, or a `Scenario`; override it, or mark the test
    maia_emulator    the `Emulator`, entered for the length of the test, in the test's own event loop
    maia             a `Maia` client of it, closed after the test
    maia_faults      `maia_faults(method="POST", kind="reset", ...)` puts a `Fault` in force and gives its id
    maia_environ     `MAIA_*` variables that point at the emulator, set for the length of the test: for `Maia.from_env()`

`@pytest.mark.maia_scenario(...)` takes pipelines and the fields of a scenario, or a whole scenario (a value, a mapping, a path), and
`speed`, `readings` and `rate_limit` as `Emulator` does. Unless told otherwise the emulator's time runs 60 times as fast as a clock.

Async tests only, run by anyio's pytest plugin or by pytest-asyncio: the emulator lives in the test's loop, so that its control can be used
without locks. A test that is not async, or that runs on trio, is refused with words.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from maia_async import Maia
    from maia_async.emulator import Emulator, Scenario

SPEED: Final = 60.0
_MARKER: Final = "maia_scenario(*pipelines, speed=60, **fields): what the fixture maia_emulator emulates; or one scenario, or its file"
_OF_EMULATOR: Final = frozenset({"speed", "readings", "rate_limit"})
_LOOP_SCOPES: Final = ("function", "class", "module", "package", "session")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; give pytest-asyncio fixtures of its own kind where it is loaded."""
    config.addinivalue_line("markers", _MARKER)
    if "pytest_asyncio" in sys.modules:
        config.pluginmanager.register(_fixtures_for(sys.modules["pytest_asyncio"]), "maia_async for pytest-asyncio")


@pytest.fixture
def maia_scenario(request: pytest.FixtureRequest) -> Emulator | Scenario:
    """What is emulated: as the marker of this name says, else the data of Maia's guides."""
    marker = request.node.get_closest_marker("maia_scenario")
    return _emulator() if marker is None else _emulator(*marker.args, **marker.kwargs)


@pytest.fixture
def maia_emulator(request: pytest.FixtureRequest) -> Emulator:
    """An emulated Maia on loopback, for the length of the test."""
    emulator: Emulator = request.getfixturevalue(f"_maia_emulator_{_runner_of(request)}")
    return emulator


@pytest.fixture
def maia(request: pytest.FixtureRequest) -> Maia:
    """A client of `maia_emulator`, with credentials, a project, and policies that fit the speed."""
    client: Maia = request.getfixturevalue(f"_maia_client_{_runner_of(request)}")
    return client


@pytest.fixture
def maia_faults(maia_emulator: Emulator) -> Callable[..., str]:
    """Puts a `Fault`, given by its fields, in force; returns its id, for `maia_emulator.control.fault(id)` and `remove_fault(id)`."""

    def add(**fields: Any) -> str:
        return maia_emulator.control.add_fault(fields)

    return add


@pytest.fixture
def maia_environ(maia_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """The variables that point `Maia.from_env()`, or a process, at `maia_emulator`. They are set, and those of the machine are not."""
    first = maia_emulator.scenario.credentials[0]
    variables = {
        "MAIA_BASE_URL": maia_emulator.base_url,
        "MAIA_TOKEN_URL": maia_emulator.token_url,
        "MAIA_CLIENT_ID": first.client_id,
        "MAIA_CLIENT_SECRET": first.client_secret,
        "MAIA_PROJECT_ID": maia_emulator.scenario.projects[0].id,
    }
    for name in ("MAIA_TOKEN", "MAIA_TOKEN_FILE", "MAIA_CLIENT_SECRET_FILE", "MAIA_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
async def _maia_emulator_anyio(anyio_backend_name: str, maia_scenario: Emulator | Scenario) -> AsyncIterator[Emulator]:
    if anyio_backend_name != "asyncio":
        pytest.fail(f"maia_async runs on asyncio, not on {anyio_backend_name}: give a fixture anyio_backend that returns 'asyncio'", False)
    async with _emulator(maia_scenario) as emulator:
        yield emulator


@pytest.fixture
async def _maia_client_anyio(maia_emulator: Emulator) -> AsyncIterator[Maia]:
    async with maia_emulator.client() as client:
        yield client


def _fixtures_for(pytest_asyncio: ModuleType) -> ModuleType:
    """The same two for every scope that a loop of pytest-asyncio has: a fixture must live in the loop of its test."""
    module = ModuleType("maia_async.integrations for pytest-asyncio")
    for loop_scope in _LOOP_SCOPES:
        # Made anew for each: pytest-asyncio writes the scope on the function.
        async def emulator(maia_scenario: Any) -> AsyncIterator[Emulator]:
            async with _emulator(maia_scenario) as running:
                yield running

        async def client(maia_emulator: Emulator) -> AsyncIterator[Maia]:
            async with maia_emulator.client() as running:
                yield running

        for name, function in (("emulator", emulator), ("client", client)):
            fixture = f"_maia_{name}_asyncio_{loop_scope}"
            setattr(module, fixture, pytest_asyncio.fixture(loop_scope=loop_scope, name=fixture)(function))
    return module


def _runner_of(request: pytest.FixtureRequest) -> str:
    """Whose loop the test runs in.

    the test                                            its loop is that of
    uses `anyio_backend` (marked anyio, or auto mode)   anyio's plugin
    is marked asyncio (auto mode does that)             pytest-asyncio, of the scope that the marker or the ini-file says
    anything else                                       nobody: refused
    """
    if "anyio_backend" in request.fixturenames:
        return "anyio"
    marker = request.node.get_closest_marker("asyncio")
    if marker is not None and "pytest_asyncio" in sys.modules:
        scope = marker.kwargs.get("loop_scope") or request.config.getini("asyncio_default_test_loop_scope") or "function"
        return f"asyncio_{scope}"
    pytest.fail(
        "the fixtures of maia_async need an async test that a plugin runs: mark it `@pytest.mark.anyio` (that plugin comes with anyio, "
        "which is installed) or, with pytest-asyncio, `@pytest.mark.asyncio`",
        pytrace=False,
    )


def _emulator(*what: Any, **settings: Any) -> Emulator:
    """An emulator that is not entered, of pipelines or of one whole scenario, some fields of which may be replaced."""
    from attrs import evolve  # noqa: PLC0415 - nothing is loaded before a fixture is asked for

    from maia_async import ConfigurationError  # noqa: PLC0415 - the same
    from maia_async.emulator import Emulator, Pipeline, Scenario  # noqa: PLC0415 - the same

    if len(what) == 1 and isinstance(what[0], Emulator):
        return what[0]
    own = {"speed": SPEED, **{name: settings.pop(name) for name in _OF_EMULATOR & settings.keys()}}
    if len(what) == 1 and isinstance(what[0], str | Path):
        scenario = Scenario.from_file(what[0])
    elif len(what) == 1 and isinstance(what[0], Mapping):
        scenario = Scenario.from_mapping(what[0])
    elif len(what) == 1 and isinstance(what[0], Scenario):
        scenario = what[0]
    elif all(isinstance(one, Pipeline) for one in what):
        return Emulator(Scenario.of(*what, **settings) if what else Scenario(**settings), **own)
    else:
        raise ConfigurationError("maia_scenario takes pipelines, or one scenario: a Scenario, a mapping, the path of a file, an Emulator")
    return Emulator(evolve(scenario, **settings), **own)
