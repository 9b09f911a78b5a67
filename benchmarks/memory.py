"""Memory per awaited execution: growth of a fresh process from before the handles are made until every run was seen once.

    way      who waits for each run
    tasks    a task of the user's that awaits the handle: what a service pays
    joins    nobody's task, a callback of the watcher: what a batch pays
    bare     a task that awaits a future, no client at all: the control

The resident set is what the operating system charges, arenas half full included; tracemalloc would miss what C code and the allocator
hold. Runs never end, and are looked at once: what the first look showed is kept, as it is in any long wait.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

from server import TOKEN, Server
from table import Row, Target

_FOREVER: Final = 1e6
_WARM: Final = 200  # waits before the baseline, so that connections and caches stand


def measure(counts: tuple[int, ...], children: int, *, orjson: bool) -> list[Row]:
    """Rows for each count, with and without the user's task; the target is for the largest."""
    rows = []
    for count in sorted(counts, reverse=True):
        with Server() as server:  # for each count its own: runs that nobody awaits would stand in the lists
            ids = server.add_executions(_WARM + count, seconds=_FOREVER)
            found = {way: median(_child(server, way, ids, orjson=orjson) for _ in range(children)) for way in ("tasks", "joins", "bare")}
        found["beyond"] = found["tasks"] - found["bare"]
        for way, what, most in (
            ("tasks", "the user's task included", 4),
            ("beyond", "beyond the user's task", 1),
            ("joins", "without a task", None),
        ):
            rows.append(
                Row(
                    part="memory",
                    what=f"each of {count:,} waits, {what}",
                    control_is="a task awaiting a future",
                    unit="KiB",
                    ours=found[way],
                    control=found["bare"],
                    ratio=found[way] / found["bare"],
                    target=None if most is None or count < max(counts) else Target("ours", "<=", most),
                )
            )
    return rows


def _child(server: Server, way: str, ids: list[str], *, orjson: bool) -> float:
    given = json.dumps({"base_url": server.base_url, "project_id": server.project_id, "ids": ids, "orjson": orjson})
    done = subprocess.run(
        [sys.executable, __file__, way], input=given, stdout=subprocess.PIPE, text=True, check=True, start_new_session=True
    )
    return float(done.stdout)


def _resident() -> float:
    """KiB of this process in memory now."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # no Linux: the most so far, which is the same while memory only grows
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1024 if sys.platform == "darwin" else float(most)
    import resource

    return pages * resource.getpagesize() / 1024


async def _bare(ids: list[str]) -> float:
    async def wait(future: asyncio.Future[None]) -> None:
        await future

    loop = asyncio.get_running_loop()
    before = _resident()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(wait(loop.create_future())) for _ in ids]
        await asyncio.sleep(0)
        grown = _resident() - before
        for task in tasks:
            task.cancel()
    return grown / len(ids)


async def _client(given: dict[str, Any], *, with_tasks: bool) -> float:
    from maia_async import Maia, PollPolicy, StaticToken
    from maia_async.watching.watched import Watched

    async with Maia(
        auth=StaticToken(TOKEN),
        base_url=given["base_url"],
        project_id=given["project_id"],
        rate_limit=None,
        poll=PollPolicy(min_interval=1, max_interval=30),
    ) as maia:
        project = maia.project()

        async def wait(handle: Any) -> None:
            await handle

        def ended(_: object) -> None:
            raise AssertionError("these runs never end")

        def start(execution_id: str) -> tuple[Any, Any]:
            handle = project.execution(execution_id)
            if with_tasks:
                return handle, group.create_task(wait(handle))
            return handle, project.runtime.watcher.join(handle.watched, Watched.ended, ended)

        async with asyncio.TaskGroup() as group:
            kept = [start(one) for one in given["ids"][:_WARM]]
            await _seen(kept)
            measured = given["ids"][_WARM:]
            before = _resident()
            kept += [start(one) for one in measured]
            await _seen(kept)
            grown = _resident() - before
            for _, one in kept:
                if with_tasks:
                    one.cancel()
                else:
                    project.runtime.watcher.leave(one)
    return grown / len(measured)


async def _seen(kept: list[tuple[Any, Any]]) -> None:
    """Until a read or a list has shown every run once."""
    while any(handle.watched.last is None for handle, _ in kept):  # noqa: ASYNC110 - nothing tells of a look that changes no wait
        await asyncio.sleep(0.05)


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=("tasks", "joins", "bare"))
    way = parser.parse_args().way
    given = json.load(sys.stdin)
    if not given["orjson"]:
        sys.modules["orjson"] = None  # type: ignore[assignment]  # the documented way to make an import fail
    print(asyncio.run(_bare(given["ids"][_WARM:]) if way == "bare" else _client(given, with_tasks=way == "tasks")))


if __name__ == "__main__":
    _main()
