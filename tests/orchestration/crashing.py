"""A process that is killed, in virtual time: its journal is copied at an instant, and nothing that its client does after that arrives.

What had been delivered to the server by then is handled there, as after a real kill. Real kills are in `journal/killing.py`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from attrs import define, field
from orchestration.account import ENVIRONMENT, TRIGGERS
from orchestration.journal.kit import copied

from maia_async import Batch, ExecutionRequest, Maia, Outcome, exchange
from maia_async.clock import utc_now
from maia_async.emulator import Emulator, Fault, Pipeline, Scenario
from maia_async.offload import Thread
from maia_async.orchestration.batch import book as batch_book
from maia_async.orchestration.trigger import desk, resolver, siblings

RUNS = 3.0


def scenario(**settings: Any) -> Scenario:
    pipelines = (*(Pipeline(name=name, duration=RUNS) for name in "abcd"), Pipeline(name="long", duration=600))
    return Scenario.of(*pipelines, Pipeline(name="fails", duration=RUNS, outcomes=["FAILED"]), **settings)


def rows(count: int, names: Sequence[str] = "abcd", **fields: Any) -> list[ExecutionRequest]:
    return [
        ExecutionRequest(
            pipeline_name=names[number % len(names)], environment_name=ENVIRONMENT, scalar_variables={"row": str(number)}, **fields
        )
        for number in range(count)
    ]


def lost(row: int, **fields: Any) -> Fault:
    """A fault of the POST that starts the run of this row; it happens once."""
    return Fault(method="POST", path=TRIGGERS, request={"scalarVariables": {"row": str(row)}}, **{"times": 1, **fields})


def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a journal's thread work in the loop itself: its steps are then the same in each run, and a copy is never half of a write."""

    def submit(self: Thread, function: Callable[[], object], done: Callable[[Any, Any], None]) -> None:
        self.check()
        value, error = None, None
        try:
            value = function()
        except Exception as raised:  # noqa: BLE001 - it belongs to who waits for it
            error = raised
        asyncio.get_running_loop().call_soon(done, value, error)

    monkeypatch.setattr(Thread, "submit", submit)


def one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the wall clock go as fast as the loop's: before the API has told the time, a journal has ours."""
    begun = utc_now()

    def now() -> datetime:
        return begun + timedelta(seconds=asyncio.get_running_loop().time())

    for module in (batch_book, desk, resolver, exchange):
        monkeypatch.setattr(module, "utc_now", now)


@define(eq=False)
class Process:
    """A batch with a journal and a client of its own, that `kill` ends. Leave the block late: it ends what is left in memory."""

    emulator: Emulator
    requests: Any
    journal: Path
    options: dict[str, Any] = field(factory=dict)
    policies: dict[str, Any] = field(factory=dict)
    seen: list[Outcome] = field(factory=list)
    batch: Batch | None = None
    _maia: Maia | None = None
    _dead: bool = False
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="process")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        async with self.emulator.client(**self.policies) as maia:
            self._maia = maia
            if self._dead:
                self.cut()
            self.batch = Batch(maia.project(), self.requests, journal=self.journal, **self.options)
            async with self.batch:
                async for outcome in self.batch:
                    self.seen.append(outcome)

    @property
    def lives(self) -> bool:
        """Whether it has not come to its end. Raises what it ended with."""
        assert self._task is not None
        if self._task.done():
            self._task.result()
        return not self._task.done()

    def cut(self) -> None:
        """Nothing that it sends arrives any more."""

        async def never(*_: Any, **__: Any) -> Any:
            await asyncio.Event().wait()

        self._dead = True
        siblings.forget()  # what comes after it is another process
        if self._maia is not None:
            self._maia.project().runtime.exchange.session.send = never  # type: ignore[method-assign]  # that is the cut

    async def kill_with(self, runs: int, into: Path) -> Path:
        """`kill`, a second after the server has so many runs."""
        await until(lambda: len(self.emulator.control.executions()) == runs)
        await asyncio.sleep(1)
        return self.kill(into)

    def kill(self, into: Path) -> Path:
        """The journal as it is now; the process is dead to the world."""
        self.cut()
        return copied(self.journal, into)


async def until(condition: Callable[[], object]) -> None:
    """Wait in virtual time, which costs nothing."""
    while not condition():  # noqa: ASYNC110 - what the server holds sets no event
        await asyncio.sleep(0.25)


async def resumed(emulator: Emulator, journal: Path, requests: Any = None, policies: Any = None, **options: Any) -> list[Outcome]:
    """What another process makes of it."""
    async with emulator.client(**(policies or {})) as maia, Batch(maia.project(), requests, journal=journal, **options) as batch:
        return [outcome async for outcome in batch]


def runs_of(emulator: Emulator) -> Counter[str]:
    """How many runs the server has for each row; a row that is missing has none."""
    return Counter((run.scalar_variables or {})["row"] for run in emulator.control.executions() if run.scalar_variables)


def wrongly_attributed(emulator: Emulator, outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Outcomes that name the run of another request."""
    held = {run.id: run.scalar_variables for run in emulator.control.executions()}
    return [
        outcome
        for outcome in outcomes
        if outcome.execution_id is not None and held[outcome.execution_id] != outcome.request.scalar_variables
    ]
