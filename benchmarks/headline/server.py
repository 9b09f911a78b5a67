"""The emulator in a process of its own, and the parent's hold on it: one fresh account for each contender. It judges nothing.

The child answers one line of JSON to each line of its standard input, and ends when that ends: after the block, after Ctrl-C, and when the
parent is killed.

| line              | answer                                                                                             |
| ----------------- | -------------------------------------------------------------------------------------------------- |
| {"start": [N, S]} | ids of N runs that began, one after the other, over the last S API seconds                         |
| {"mark": true}    | null; CPU time counts from here                                                                    |
| {"report": true}  | the counts and every run with its end, those ahead included: the last thing that can be asked      |
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from figures import Truth, truth_of
from jobs import ENVIRONMENTS, LATENCY, LONGEST, PIPELINES, SEED, SHORTEST, SLOT, TOKEN, lengths, place_of

if TYPE_CHECKING:
    from maia_async.emulator import Emulator

_PATIENCE = 30.0


class Server:
    """`with Server(speed) as server`."""

    base_url: str
    project_id: str

    def __init__(self, speed: float) -> None:
        self._speed = speed

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            [sys.executable, __file__, str(self._speed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the parent, which then ends the child in order
        )
        try:
            told = self._read()
        except BaseException:
            self._end()
            raise
        self.base_url, self.project_id = told["base_url"], told["project_id"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def start(self, count: int, *, over: float) -> tuple[str, ...]:
        """Ids of `count` runs that began over the last `over` API seconds."""
        return tuple(self._ask({"start": [count, over]}))

    def mark(self) -> None:
        """A contender begins."""
        self._ask({"mark": True})

    def report(self) -> Truth:
        """What happened since the mark."""
        return truth_of(self._ask({"report": True}))

    def _ask(self, line: dict[str, Any]) -> Any:
        assert self._child.stdin is not None  # for the type checker: it is a pipe
        self._child.stdin.write(json.dumps(line) + "\n")
        self._child.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError("the server process has ended; its error is above")
        return json.loads(line)

    def _end(self) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        try:
            self._child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()


class _Answers:
    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._cpu = self._marked = 0.0

    def to(self, line: dict[str, Any]) -> Any:
        if "start" in line:
            return self._start(*line["start"])
        if "mark" in line:
            self._cpu, self._marked = time.process_time(), time.monotonic()
            return None
        return self._report()

    def _start(self, count: int, over: float) -> list[str]:
        control = self._emulator.control
        begin = control.now
        ids = []
        for number, length in enumerate(lengths(count)):
            pipeline, environment = place_of(number)
            ago = control.now - begin + over * (1 - number / count)
            ids += control.add_execution(pipeline, environment, started_ago=ago, duration=length, trigger="API")
        gc.freeze()
        return ids

    def _report(self) -> dict[str, Any]:
        control, speed = self._emulator.control, self._emulator.speed
        busy = (time.process_time() - self._cpu) / (time.monotonic() - self._marked)
        # The emulator's clock is the event loop's, which is the system's monotonic clock: the same in every process.
        zero = control.now - time.monotonic() * speed
        counts = control.statistics()
        control.advance(LONGEST + 1)  # everything has ended then, so that the length of each run is known
        runs = [(run.id, run.started_at, run.finished_at) for run in control.executions()]
        return {
            "runs": runs,
            "requests": counts["requests"],
            "refused": counts["refused_429"],
            "zero": zero,
            "speed": speed,
            "busy": busy,
            "slot": SLOT,
        }


async def _serve(speed: float) -> None:
    from maia_async.emulator import Emulator, Pipeline, Project, Scenario
    from maia_async.emulator.scenario import DEFAULT_PROJECT

    pipelines = tuple(Pipeline(name=name, duration=(SHORTEST, LONGEST)) for name in PIPELINES)
    scenario = Scenario(
        projects=(Project(id=DEFAULT_PROJECT, environments=ENVIRONMENTS, pipelines=pipelines),),
        tokens={TOKEN: "emulator"},
        latency_in=LATENCY / 2,
        latency_out=LATENCY / 2,
        seed=SEED,
    )
    # It is the instrument: a full collection over all its runs would be seen as lag of the contender's.
    gc.set_threshold(50_000, 50, 1000)
    async with Emulator(scenario, speed=speed) as emulator:
        answers = _Answers(emulator)
        _tell({"base_url": emulator.base_url, "project_id": DEFAULT_PROJECT})
        while line := await asyncio.to_thread(sys.stdin.readline):
            _tell(answers.to(json.loads(line)))


def _tell(value: Any) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
