"""Runs `maia` in process: arguments and an environment in, exit code, stdout and stderr out."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
from attrs import define, evolve, field, frozen

from maia_async.cli.app import async_main
from maia_async.cli.environment import Environment
from maia_async.cli.exits import ExitStatus
from maia_async.cli.program import Program
from maia_async.emulator import Clock, Emulator, Pipeline, Scenario

DEV = "Dev Environment"
PROJECT = "3fa85f64-5717-4562-b3fc-2c963f66afa6"


@frozen
class Ended:
    """How a run of the program ended, and what it wrote."""

    status: ExitStatus
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@define
class Maia:
    """The program in one environment."""

    environ: Mapping[str, str] = field(factory=dict)
    tty: bool = False
    width: int = 80
    stdin: bytes = b""

    async def __call__(self, *argv: str, stop_when: Callable[[], bool] | None = None, stop_as: ExitStatus | None = None) -> Ended:
        """Run it; once `stop_when` holds, cancel it as a signal would."""
        out, err = io.StringIO(), io.StringIO()
        surroundings = Environment(
            stdout=out,
            stderr=err,
            stdout_tty=self.tty,
            stderr_tty=self.tty,
            width=self.width,
            stdin=io.BytesIO(self.stdin),
            environ={"TERM": "xterm", **self.environ},
        )
        program = Program.of(surroundings)
        ended: list[ExitStatus] = []
        tasks: list[Any] = []

        async def run() -> None:
            tasks.append(asyncio.current_task())
            ended.append(await async_main(argv, surroundings, program=program))

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            if stop_when is not None:
                await anyio.lowlevel.checkpoint()  # it has begun then
                while not stop_when():  # noqa: ASYNC110 - what is waited for happens on the server
                    await anyio.sleep(0.05)
                if stop_as is not None:
                    program.stopped_as = stop_as
                tasks[0].cancel()
        return Ended(ended[0], out.getvalue(), err.getvalue())

    def with_environ(self, **changes: str) -> Maia:
        """The same program with other variables; an empty value unsets one."""
        return evolve(self, environ={**self.environ, **changes})


def after(seconds: float) -> Callable[[], bool]:
    """Holds from so many virtual seconds on."""
    end: list[float] = []

    def passed() -> bool:
        now = asyncio.get_running_loop().time()
        if not end:
            end.append(now + seconds)
        return now >= end[0]

    return passed


def environ_of(emulator: Emulator) -> dict[str, str]:
    return {
        "MAIA_BASE_URL": emulator.base_url,
        "MAIA_TOKEN_URL": emulator.token_url,
        "MAIA_CLIENT_ID": "emulator",
        "MAIA_CLIENT_SECRET": "emulator",
        "MAIA_PROJECT_ID": PROJECT,
    }


@frozen
class Account:
    """An emulator, and the program pointed at it."""

    emulator: Emulator
    maia: Maia


@asynccontextmanager
async def serving(*pipelines: Pipeline, **settings: Any) -> AsyncIterator[Account]:
    async with Emulator(Scenario.of(*pipelines, **settings), clock=Clock()) as emulator:
        yield Account(emulator, Maia(environ_of(emulator)))
