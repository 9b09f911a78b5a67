"""A thing to watch with scripted reads: each look takes `latency` seconds and shows (or raises) the next entry; the last repeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio

from maia_async.errors import Forbidden, MaiaError, SessionClosed, StatusUnavailable, WaitTimeout
from maia_async.models import ExecutionStatus
from maia_async.policies import PollPolicy
from maia_async.watching.pace import run_interval
from maia_async.watching.watched import Watched


class FakeSighting:
    def __init__(self, word: str) -> None:
        self.word = ExecutionStatus(word)

    @property
    def ends(self) -> bool:
        return self.word.is_terminal

    def value(self, _: Watched) -> str:
        return self.word.value

    def place(self) -> tuple[int | None, tuple[str, str] | None]:
        return None, None

    def differs(self, other: Any) -> bool:
        return bool(self.word != other.word)


class FakeSubject:
    def __init__(self, name: str, script: list[Any], latency: float = 0.1, granted_after: float = 0.0) -> None:
        self.name = name
        self.script = script
        self.latency = latency
        self.granted_after = granted_after
        self.looks: list[float] = []
        self.changes: list[tuple[Any, Any]] = []
        self.cancelled = 0

    @property
    def key(self) -> tuple[str, ...]:
        return ("fake", self.name)

    @property
    def listed_in(self) -> None:
        return None

    def listed(self, row: object) -> None:
        raise AssertionError("no list has it")

    async def look(self, in_doubt: Callable[[bool], None]) -> FakeSighting:
        self.looks.append(asyncio.get_running_loop().time())
        entry = self.script[min(len(self.looks), len(self.script)) - 1]
        try:
            await anyio.sleep(self.granted_after)
            in_doubt(True)
            await anyio.sleep(self.latency)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(entry, BaseException):
            raise entry
        return FakeSighting(entry)

    def interval(self, policy: PollPolicy, *, age: float, load: float, alike: int) -> float:
        return run_interval(policy, age=age, load=load)

    def ended_by(self, error: Exception, *, since_trigger: float | None) -> bool:
        return isinstance(error, Forbidden)

    def unavailable(self, watched: Watched, seconds: float) -> MaiaError:
        return StatusUnavailable(f"{seconds:.1f}", execution=self, last_details=watched.last)

    def timed_out(self, watched: Watched, timeout: float) -> MaiaError:
        return WaitTimeout(f"{timeout:g}", execution=self, last_details=watched.last)

    def closed(self) -> MaiaError:
        return SessionClosed(execution_id=self.name)

    def tell_change(self, watched: Watched, before: Any) -> None:
        self.changes.append((None if before is None else before.value(watched), watched.value))
