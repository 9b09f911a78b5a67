"""Everything written to stdout: what was asked for, and nothing else. One form for people, one for programs.

    form     a list                                        one thing              a stream
    table    columns; on a terminal fitted to its width    one line for a field   one line for each
    json     one document                                  one document           JSON lines

The keys of JSON are the API's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import attrs
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from maia_async.cli.environment import Environment
from maia_async.cli.escapes import json_text, shown
from maia_async.cli.talk import console_for

Form = Literal["table", "json"]
_LONGEST_CELL: Final = 300
STYLES: Final = {
    "SUCCESS": "green",
    "FAILED": "red",
    "REJECTED": "red",
    "FORBIDDEN": "red",
    "UNKNOWN": "yellow",
    "CANCELLED": "yellow",
    "CANCELLING": "yellow",
    "SKIPPED": "yellow",
    "LEFT_RUNNING": "yellow",
    "NOT_STARTED": "yellow",
    "RUNNING": "cyan",
    "STREAMING": "green",
    "SNAPSHOTTING": "cyan",
    "STARTING": "cyan",
    "STOPPING": "yellow",
    "NOT_RUNNING": "yellow",
}


class Data:
    """Writes to stdout, and lets what stdout raises pass: data that cannot be delivered must not look delivered."""

    def __init__(self, environment: Environment) -> None:
        self._console = console_for(environment, error=False)
        self._stream = environment.stdout
        self.is_terminal = environment.stdout_tty

    def line(self, text: str) -> None:
        """One line for people or for `$(...)`."""
        self._write(shown(text))

    def document(self, value: Any) -> None:
        """One JSON document."""
        self._write(json_text(value, indent=2))

    def json_line(self, value: Any) -> None:
        """One line of a stream of JSON."""
        self._write(json_text(value))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
        """Rows under headings. Cells are data: None is empty, nothing in them is interpreted."""
        if not self.is_terminal:
            self._plain_table(columns, rows)
            return
        table = Table(*columns, title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="bold")
        for column in table.columns:
            column.overflow = "fold"  # an id is never cut
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self._console.print(table)
        self._stream.flush()

    def fields(self, pairs: Iterable[tuple[str, object]]) -> None:
        """One thing, a line for each field that is not None."""
        known = [(name, value) for name, value in pairs if value is not None]
        width = max((len(name) for name, _ in known), default=0)
        for name, value in known:
            label = Text(f"{name.ljust(width)}  ")
            self._console.print(label + _cell(value, longest=None), soft_wrap=True)
        self._stream.flush()

    def _plain_table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        cells = [[shown(_plain(value)) for value in row] for row in rows]
        widths = [max([len(name), *(cell_len(row[place]) for row in cells)]) for place, name in enumerate(columns)]
        for row in (columns, *cells):
            padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
            self._write("  ".join(padded).rstrip(), flush=False)
        self._stream.flush()

    def _write(self, text: str, *, flush: bool = True) -> None:
        self._stream.write(text + "\n")
        if flush:
            self._stream.flush()


def as_json(value: Any) -> Any:
    """A frozen value of the package as JSON values under the API's keys; fields that are None are left out."""
    if attrs.has(type(value)):
        named = ((item.name, getattr(value, item.name)) for item in attrs.fields(type(value)))
        return {camel(name): as_json(found) for name, found in named if found is not None}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): as_json(found) for key, found in value.items()}
    if isinstance(value, Sequence):
        return [as_json(found) for found in value]
    return value


def camel(name: str) -> str:
    """`started_at` as the API writes it: `startedAt`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _plain(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else str(value)


def _cell(value: object, longest: int | None = _LONGEST_CELL) -> Text:
    plain = _plain(value)
    return Text(shown(plain, longest=longest), style=STYLES.get(plain, ""))
