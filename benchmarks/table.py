"""Rows of results, as a table for readers and as JSON for programs. It measures nothing, and a missed target is shown, not raised."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import zip_longest
from typing import Any, Final, Literal

from attrs import asdict, frozen
from rich.console import Console
from rich.table import Table

_PACKAGES: Final = ("maia-async", "aiohttp", "anyio", "attrs", "cattrs", "yarl", "orjson", "rich")
_PIPE_WIDTH: Final = 140
_SAYS: Final = {True: "yes", False: "NO", None: ""}


@frozen
class Target:
    """What issue and README promise: `ours` or the `ratio`, at most or at least `bound`."""

    of: Literal["ours", "ratio"]
    relation: Literal["<=", ">="]
    bound: float

    def met_by(self, value: float) -> bool:
        """Whether `value` keeps the promise."""
        return value <= self.bound if self.relation == "<=" else value >= self.bound


@frozen(kw_only=True)
class Row:
    """One line: ours beside the control, if there is one, in `unit`. `spread`: of the ratio over the rounds. `requests`: of both."""

    part: str
    what: str
    control_is: str
    unit: str
    ours: float
    control: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    requests: tuple[int, int] | None = None
    target: Target | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        judged = None if self.target is None else self.ours if self.target.of == "ours" else self.ratio
        return None if self.target is None or judged is None else self.target.met_by(judged)


def show(rows: Sequence[Row], *, title: str) -> None:
    """Print the table."""
    controls = "; ".join(f"{part}: {control}" for part, control in {row.part: row.control_is for row in rows}.items())
    table = Table(title=title, title_justify="left", caption=f"Controls: {controls}.", caption_justify="left")
    table.add_column("part", no_wrap=True)
    table.add_column("measured")
    for name in ("maia_async", "control", "ratio", "over rounds", "requests", "target", "met"):
        table.add_column(name, justify="right", no_wrap=True)
    for row, following in zip_longest(rows, rows[1:]):
        last_of_part = following is None or following.part != row.part
        table.add_row(*_cells(row), end_section=last_of_part, style="bold red" if row.met is False else None)
    # In a pipe rich assumes 80 columns, which cuts the numbers off.
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def to_json(rows: Sequence[Row], settings: dict[str, Any]) -> str:
    """Rows, settings and versions."""
    document = {
        "settings": settings,
        "machine": machine(),
        "rows": [{**asdict(row), "met": row.met} for row in rows],
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


def _cells(row: Row) -> tuple[str, ...]:
    target = ""
    if row.target is not None:
        target = f"{row.target.relation} {row.target.bound:g} {row.unit if row.target.of == 'ours' else 'x'}"
    return (
        row.part,
        row.what,
        f"{row.ours:,.2f} {row.unit}",
        "" if row.control is None else f"{row.control:,.2f} {row.unit}",
        "" if row.ratio is None else f"{row.ratio:.2f} x",
        "" if row.spread is None else f"{row.spread[0]:.2f} .. {row.spread[1]:.2f}",
        "" if row.requests is None else f"{row.requests[0]:,} / {row.requests[1]:,}",
        target,
        _SAYS[row.met],
    )
