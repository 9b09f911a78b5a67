"""The program in an empty environment, and pointed at emulators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from cli.harness import Account, Maia, serving
from cli.streamkit import definition, written

from maia_async.emulator import Outcome, Pipeline


@pytest.fixture
def bare() -> Maia:
    """The program in an empty environment."""
    return Maia()


@pytest.fixture
def serve() -> Callable[..., AbstractAsyncContextManager[Account]]:
    """An emulator with these pipelines."""
    return serving


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """An emulator whose pipelines end in every way."""
    async with serving(
        Pipeline(name="good"),
        Pipeline(name="bad", outcomes=(Outcome(status="FAILED", message="no such table"),)),
        Pipeline(name="slow", duration=10_000),
        Pipeline(name="off", enabled=False),
    ) as served:
        yield served


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file with a valid definition of a streaming pipeline."""
    return written(tmp_path, definition())
