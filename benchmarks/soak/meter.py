"""What a process holds while nothing is going on, and what nobody was meant to see: measured between shifts, in the client's own process.

Client and server share the process, because they must share a clock that jumps. So memory is told apart by who allocated it: `client` is
what `tracemalloc` ascribes to the package's own modules without the emulator, and to aiohttp's client. The resident set is that of both.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

_PACKAGE: Final = f"{os.sep}maia_async{os.sep}"
_EMULATOR: Final = f"{_PACKAGE}emulator{os.sep}"
_THEIRS: Final = tuple(f"{os.sep}aiohttp{os.sep}{name}" for name in ("client", "connector", "cookiejar", "resolver"))
_LOOKS: Final = 20
_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@frozen(kw_only=True)
class Holding:
    """One moment. `client` is None without tracing, `rss` and `descriptors` are None where there is no /proc. Bytes."""

    hour: float
    rss: int | None
    client: int | None
    traced: int | None
    objects: int
    tasks: int
    connections: int
    descriptors: int | None


@define
class Trouble:
    """What should have reached somebody, or nobody should have had to see."""

    unretrieved: list[str] = field(factory=list)  # told to the loop's exception handler, or to nobody at all
    warned: list[str] = field(factory=list)  # warnings, and errors in the log
    said: dict[str, int] = field(factory=dict)  # the package's own warnings in the log, by their first words: that is how it speaks


async def holding(hour: float, connections: Callable[[], int]) -> Holding:
    """What is held now: counts are the least in a minute, since something lives as long as the soak, and has its reads."""
    for _ in range(3):
        gc.collect()
    counts = []
    for _ in range(_LOOKS):
        counts.append((sum(not _serves(task) for task in asyncio.all_tasks()), connections(), _descriptors()))
        await asyncio.sleep(60 / _LOOKS)
    tasks, lines, files = zip(*counts, strict=True)
    client, traced = _traced() if tracemalloc.is_tracing() else (None, None)
    return Holding(
        hour=hour,
        rss=_resident(),
        client=client,
        traced=traced,
        objects=len(gc.get_objects()),
        tasks=min(tasks),
        connections=min(lines),
        descriptors=None if None in files else min(files),
    )


@contextmanager
def listening(loop: asyncio.AbstractEventLoop) -> Iterator[Trouble]:
    """Take note of all trouble for as long as the block lasts. Warnings are errors meanwhile."""
    trouble = Trouble()
    listener = _Listener(trouble)
    root, hook = logging.getLogger(), sys.unraisablehook
    handlers, root.handlers = root.handlers, [listener]

    def unraisable(arguments: Any) -> None:
        trouble.unretrieved.append(f"{arguments.err_msg or 'unraisable'}: {arguments.exc_value!r}")

    def unhandled(_: Any, context: dict[str, Any]) -> None:
        trouble.unretrieved.append(f"{context.get('message')}: {context.get('exception')!r}")

    sys.unraisablehook = unraisable
    loop.set_exception_handler(unhandled)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield trouble
            gc.collect()
    finally:
        sys.unraisablehook = hook
        loop.set_exception_handler(None)
        root.handlers = handlers


class _Listener(logging.Handler):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(logging.WARNING)
        self._trouble = trouble

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.ERROR or record.name != "maia_async":
            reason = f": {record.exc_info[1]!r}" if record.exc_info else ""
            self._trouble.warned.append(f"{record.name}: {text}{reason}")
        else:
            words = str(record.msg)[:40]
            self._trouble.said[words] = self._trouble.said.get(words, 0) + 1


def _serves(task: asyncio.Task[Any]) -> bool:
    """Whether it is the server's: aiohttp has one for each connection."""
    return getattr(task.get_coro(), "__qualname__", "") == "RequestHandler.start"


def _traced() -> tuple[int, int]:
    client = total = 0
    # Only the sizes: grouped statistics of a million blocks would need more memory than what they are about.
    for trace in tracemalloc.take_snapshot().traces:
        total += trace.size
        name = trace.traceback[0].filename
        ours = _PACKAGE in name and _EMULATOR not in name
        client += trace.size if ours or any(part in name for part in _THEIRS) else 0
    return client, total


def _resident() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except OSError:
        return None


def _descriptors() -> int | None:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - one list, and the directory is gone from it when it is counted
    except OSError:
        return None
