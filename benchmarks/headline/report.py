"""Results as tables for readers and as JSON for programs. A promise that is missed is shown, not raised."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import zip_longest
from typing import Any, Final

from attrs import asdict
from figures import Result
from rich.console import Console
from rich.table import Table
from targets import LABELS, OURS, Verdict, cpu_ms, memory_kib

_PACKAGES: Final = ("maia-async", "aiohttp", "httpx", "requests")
_PIPE_WIDTH: Final = 170
_SAYS: Final = {True: "yes", False: "NO", None: "not measured"}
_COLUMNS: Final = (
    "requests", "429s", "lag p50", "p99", "never", "makespan", "of bound", "CPU s", "MiB", "stall ms", "its CPU", "watching", "server",
)  # fmt: skip


def show(results: Sequence[Result], *, title: str) -> None:
    """The table of contenders."""
    table = Table(
        title=title,
        title_justify="left",
        caption="Lag and makespan in API seconds. never: not resumed when the contender gave up; > marks lags cut off there. "
        "MiB: peak over the start. stall: longest turn of the loop, collections excluded. watching: requests but for accepted triggers, as "
        "a share of what per-run polling at that p99 would take. server: busy share of its core.",
        caption_justify="left",
    )
    for name in ("runs", "scene", "contender"):
        table.add_column(name, no_wrap=True, justify="right" if name == "runs" else "left")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for line, following in zip_longest(results, results[1:]):
        last = following is None or (following.size, following.scene) != (line.size, line.scene)
        table.add_row(*_cells(line), end_section=last, style="bold" if line.contender == OURS else None)
    _print(table)
    for line in results:
        if line.errors:
            print(f"{line.size:,} {LABELS[line.scene]}, {line.contender}: {line.errors} tasks failed, the first with {line.first_error}")


def show_scaling(lines: Sequence[Result], *, title: str) -> None:
    """The table of sizes."""
    table = Table(title=title, title_justify="left")
    for name in (
        "waits",
        "CPU s",
        "CPU ms/run",
        "MiB",
        "KiB/run",
        "stall ms",
        "its CPU",
        "over 20 ms",
        "requests",
        "429s",
        "noticed",
        "of",
        "p99",
        "server",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(
            f"{line.size:,}",
            f"{line.cpu:.2f}",
            f"{cpu_ms(line):.3f}",
            f"{line.memory_mib:.1f}",
            f"{memory_kib(line):.2f}",
            _number(line.stall_ms),
            _number(line.stall_cpu_ms),
            str(line.stalls_over_20ms),
            f"{line.requests:,}",
            f"{line.refused:,}",
            f"{line.size - line.never:,}",
            f"{line.due:,}",
            _number(line.lag_p99),
            f"{line.server_busy:.0%}",
        )
    _print(table)


def show_targets(found: Sequence[Verdict]) -> None:
    """The promises."""
    table = Table(title="To reach", title_justify="left")
    table.add_column("promise")
    table.add_column("found", justify="right", no_wrap=True)
    table.add_column("met", justify="right", no_wrap=True)
    for each in found:
        table.add_row(each.promise, each.found, _SAYS[each.met], style="bold red" if each.met is False else None)
    _print(table)


def to_json(results: Sequence[Result], scaling: Sequence[Result], found: Sequence[Verdict], settings: dict[str, Any]) -> str:
    """Everything, with settings and versions."""
    document = {
        "settings": settings,
        "machine": machine(),
        "results": [asdict(each) for each in results],
        "scaling": [asdict(each) for each in scaling],
        "targets": [asdict(each) for each in found],
    }
    return json.dumps(document, indent=2)


def machine() -> dict[str, str]:
    """Versions that the numbers depend on."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _print(table: Table) -> None:
    # In a pipe rich assumes 80 columns, which cuts the numbers off.
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def _cells(line: Result) -> tuple[str, ...]:
    cut = ">" if line.never else ""
    return (
        f"{line.size:,}",
        LABELS[line.scene],
        line.contender,
        f"{line.requests:,}",
        f"{line.refused:,}",
        _number(line.lag_p50),
        cut + _number(line.lag_p99),
        f"{line.never:,}",
        _number(line.makespan, 0),
        _number(line.over_bound, 3),
        f"{line.cpu:.1f}",
        f"{line.memory_mib:.1f}",
        _number(line.stall_ms),
        _number(line.stall_cpu_ms),
        "" if line.watching_share is None else f"{line.watching_share:.1%}",
        f"{line.server_busy:.0%}",
    )


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
