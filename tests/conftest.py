"""Fixtures of every test: virtual time, a clean environment, and an embedded Maia with a client."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from virtual_time import VirtualLoop

settings.register_profile(
    "suite", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)
settings.load_profile("suite")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Every async test runs in virtual time."""
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """No MAIA_ variable of the machine reaches a test."""
    for name in [name for name in os.environ if name.startswith("MAIA_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def now() -> Callable[[], float]:
    """The loop's clock, to measure virtual seconds."""
    return lambda: asyncio.get_running_loop().time()


@pytest.fixture
async def emulator() -> AsyncIterator[Any]:
    """A Maia on loopback with the default data."""
    from maia_async.emulator import Emulator

    async with Emulator() as running:
        yield running


@pytest.fixture
async def maia(emulator: Any) -> AsyncIterator[Any]:
    """A client of it."""
    async with emulator.client() as client:
        yield client


def pytest_collection_finish() -> None:
    """What was collected lives as long as the run: a tenth of its time went into looking at it for garbage."""
    gc.collect()
    gc.freeze()
