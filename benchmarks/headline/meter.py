"""What a contender costs its process: CPU time, resident memory over the start, and the longest turn of its event loop.

A turn is measured where the loop goes to its selector and comes back from it, not by a task that sleeps and looks how late it is: that
would miss up to its own sleep, and waking it hundreds of times a second would be charged to every contender. Garbage collection within a
turn is subtracted. The wall time of a turn includes moments in which the machine gave the core to somebody else; its CPU time does not.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import selectors
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

OVER = 0.020


class Turns:
    """The longest turn since `restart`."""

    def __init__(self) -> None:
        self._gc_began = (0.0, 0.0)
        gc.callbacks.append(self._collected)
        self.restart()

    def restart(self) -> None:
        self.wall = self.cpu = 0.0
        self.over = 0
        self._leave()

    def enter(self) -> None:
        """The loop has run what was ready and goes to sleep."""
        wall = time.perf_counter() - self._left[0] - self._gc[0]
        cpu = time.thread_time() - self._left[1] - self._gc[1]
        self.wall = max(self.wall, wall)
        self.cpu = max(self.cpu, cpu)
        self.over += wall > OVER

    def _leave(self) -> None:
        self._gc = (0.0, 0.0)
        self._left = (time.perf_counter(), time.thread_time())

    leave = _leave

    def _collected(self, phase: str, _: dict[str, Any]) -> None:
        now = (time.perf_counter(), time.thread_time())
        if phase == "start":
            self._gc_began = now
        else:
            self._gc = (self._gc[0] + now[0] - self._gc_began[0], self._gc[1] + now[1] - self._gc_began[1])


class _Selector(selectors.DefaultSelector):
    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns

    def select(self, timeout: float | None = None) -> Any:
        self._turns.enter()
        try:
            return super().select(timeout)
        finally:
            self._turns.leave()


def metered_loop(turns: Turns) -> asyncio.AbstractEventLoop:
    """An event loop whose turns are measured."""
    return asyncio.SelectorEventLoop(_Selector(turns))


class Costs:
    """CPU and memory from now on."""

    def __init__(self) -> None:
        gc.collect()
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak of the imports is not the contender's
        self._resident = _resident("VmRSS")
        self._cpu = time.process_time()

    def so_far(self) -> dict[str, float]:
        return {"cpu": time.process_time() - self._cpu, "peak_kib": max(0.0, _resident("VmHWM") - self._resident)}


def _resident(name: str) -> float:
    """KiB. Not `ru_maxrss` where it can be helped: a child inherits its parent's peak in it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1024 if sys.platform == "darwin" else float(most)
    return next(float(line.split()[1]) for line in lines if line.startswith(name + ":"))
