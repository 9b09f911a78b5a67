"""One measurement: a fresh server, a fresh process for the contender, and both sides joined. It prints nothing and retries nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from figures import Result, Scene, Witness, result
from jobs import SLOT, Job, give_up_after
from server import Server

_CHILD: Final = Path(__file__).with_name("contender.py")
_SLACK: Final = 120.0  # real seconds that a contender may take to start, to clean up and to tell


def measure(contender: str, scene: Scene, size: int, *, speed: float) -> Result:
    """One line of the table. In the scene "waits" the runs were started as a batch at the rate limit would have: over N slots of it."""
    return _measure(contender, scene, size, speed=speed, over=size * SLOT, give_up=give_up_after(size, scene))


def measure_scaling(size: int, *, speed: float, seconds: float) -> Result:
    """The library alone for `seconds` of API time. The runs began in the minute before, whatever the size: an equal share of them ends."""
    return _measure("maia_async", "waits", size, speed=speed, over=60.0, give_up=seconds)


def _measure(contender: str, scene: Scene, size: int, *, speed: float, over: float, give_up: float) -> Result:
    with Server(speed) as server:
        child = subprocess.Popen(
            [sys.executable, str(_CHILD), contender], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            assert child.stdout is not None  # for the type checker: it is a pipe
            if child.stdout.readline() != "ready\n":
                raise RuntimeError(f"{contender} did not start; its error is above")
            job = Job(
                contender=contender,
                scene=scene,
                size=size,
                base_url=server.base_url,
                project_id=server.project_id,
                speed=speed,
                give_up=give_up,
                ids=server.start(size, over=over) if scene == "waits" else (),
            )
            server.mark()
            told, _ = child.communicate(json.dumps(job.plain()) + "\n", timeout=give_up / speed + _SLACK)
        finally:
            child.kill()
            child.wait()
        if child.returncode or not told:
            raise RuntimeError(f"{contender} ended with {child.returncode}; its error is above")
        return result(size, scene, contender, server.report(), Witness(**json.loads(told)))
