"""The emulator in a process of its own, without a rate limit unless asked for, for as long as a block lasts. It measures nothing.

The child ends when its standard input does: after the block, after Ctrl-C, and when this process is killed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import Request, urlopen

PIPELINE: Final = "Instant"
ENVIRONMENT: Final = "Environment-1"
TOKEN: Final = "benchmark"
_PATIENCE: Final = 10.0


class Server:
    """`with Server() as server`: a fresh account; triggers of its pipelines end at once.

    lists: whether the list of executions may be read. pipelines: how many there are; one is PIPELINE. latency: API seconds of an answer.
    """

    base_url: str
    project_id: str
    _door: str

    def __init__(self, *, lists: bool = True, pipelines: int = 1, limited: bool = False, latency: float = 0.0, speed: float = 1.0) -> None:
        access = "open" if lists else "forbidden"
        self._settings = {"access": access, "pipelines": pipelines, "limited": limited, "latency": latency, "speed": speed}

    @staticmethod
    def pipeline(number: int) -> str:
        """The name of the pipeline with this number."""
        return f"{PIPELINE} {number}" if number else PIPELINE

    def __enter__(self) -> Self:
        # A session of its own: Ctrl-C is for the parent, which then ends the child in order.
        self._child = subprocess.Popen(
            [sys.executable, __file__, json.dumps(self._settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            line = self._pipe(self._child.stdout).readline()
        except BaseException:
            self._end()
            raise
        if not line:
            self._end()
            raise RuntimeError("the server process did not start; its error is above")
        told = json.loads(line)
        self.base_url, self.project_id, self._door = told["base_url"], told["project_id"], told["door"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def add_executions(self, count: int, *, seconds: float) -> list[str]:
        """Ids of `count` runs that last `seconds`."""
        body = {"pipeline_name": PIPELINE, "environment_name": ENVIRONMENT, "count": count, "duration": seconds}
        found: list[str] = self._ask("/executions", body)["ids"]
        return found

    def requests(self) -> int:
        """How many requests have arrived at the API so far."""
        return int(self._ask("/statistics")["requests"])

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self._door + path, data=data), timeout=_PATIENCE) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _end(self) -> None:
        self._pipe(self._child.stdin).close()
        try:
            self._child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._pipe(self._child.stdout).close()

    @staticmethod
    def _pipe(pipe: Any) -> Any:
        assert pipe is not None  # for the type checker: both are pipes
        return pipe


async def _serve() -> None:
    from maia_async import RateLimit
    from maia_async.emulator import Emulator, Pipeline, Project, Readings, Scenario
    from maia_async.emulator.scenario import DEFAULT_PROJECT

    asked = json.loads(sys.argv[1])
    names = tuple(Pipeline(name=Server.pipeline(number), duration=0) for number in range(asked["pipelines"]))
    scenario = Scenario(
        projects=(Project(id=DEFAULT_PROJECT, pipelines=names),),
        tokens={TOKEN: "emulator"},
        rate_limit=RateLimit() if asked["limited"] else None,
        latency_in=asked["latency"] / 2,
        latency_out=asked["latency"] / 2,
    )
    async with Emulator(scenario, readings=Readings(list_access=asked["access"]), speed=asked["speed"]) as emulator:
        told = {"base_url": emulator.base_url, "door": f"{emulator.url}/_emulator", "project_id": DEFAULT_PROJECT}
        print(json.dumps(told), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
