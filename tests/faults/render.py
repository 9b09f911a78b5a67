"""The table as a page of Markdown; it plays no fault.

From `tests/`, with the package on the path, `python -m faults.render` writes it to TABLE.md beside this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
from faults.catalogue import CATALOGUE, ELSEWHERE
from faults.operations import OPERATIONS
from faults.shapes import Act, Expect, Row
from faults.table import FAMILIES, ROWS

PAGE: Final = Path(__file__).with_name("TABLE.md")
_LONGEST: Final = 60
_SETTINGS: Final = ("readings", "list_faults", "network", "skew", "scenario", "pipeline", "client")

_HEAD: Final = """# What can go wrong, and what comes out

Made from the rows beside this page by `render.py`; a test compares them. Each row is tried on each operation that it names, against the
emulator and in virtual time. "≤ 2 requests" are those that reach the server, "≤ 0.5 s" are virtual seconds from the call to its end; a
list takes a request for each of its pages, of which only the first is counted. A fault without a path is aimed at the request of the
operation.

After every case, too: each request that the server saw was counted by the client, the account's budget was kept, no run was started twice,
nothing of the client still runs, and no secret or token is in any log line, error, or local variable of a traceback.

Numbers are those of the catalogue at the end; C6 to C20 are complaints of the users of other clients."""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, f"{len(ROWS)} faults, {sum(len(row.cases) for row in ROWS)} cases.", "## Operations", *_operations()]
    for title, rows in FAMILIES.items():
        lines = ["| no. | fault | how | tried on: what comes out |", "| --- | --- | --- | --- |"]
        lines += [f"| {', '.join(map(str, row.numbers))} | {_cell(row.what)} | {how(row)} | {outcomes(row)} |" for row in rows]
        parts += [f"## {title}", "\n".join(lines)]
    return "\n\n".join([*parts, "## The catalogue", "\n".join(_catalogue())]) + "\n"


def _operations() -> Iterator[str]:
    used = {name for row in ROWS for name in row.cases}
    lines = ["| name | what is called | faults are aimed at |", "| --- | --- | --- |"]
    lines += [f"| {one.name} | {_cell(one.does)} | `{one.method} {one.path}` |" for one in OPERATIONS.values() if one.name in used]
    yield "\n".join(lines)


def _catalogue() -> Iterator[str]:
    yield "| no. | fault | rows |"
    yield "| --- | --- | --- |"
    for number, name in CATALOGUE.items():
        rows = ", ".join(row.name for row in ROWS if number in row.numbers)
        yield f"| {number} | {name} | {rows or 'none: ' + ELSEWHERE[number]} |"


def how(row: Row) -> str:
    """How the emulator, or what is around the client, is made to do it."""
    parts = [f"Fault({_given(fault)})" for fault in row.faults]
    parts += [_act(act) for act in row.acts]
    parts += [f"{name}: {_short(dict(value))}" for name in _SETTINGS if (value := getattr(row, name))]
    parts += [f"StreamScript({_given(row.script)})"] if row.script is not None else []
    parts += [f"around the client: {row.around}"] if row.around is not None else []
    parts += ["without a token at first"] if row.cold else []
    return "<br>".join(f"`{_cell(part)}`" for part in parts) or "as it is"


def outcomes(row: Row) -> str:
    """Operations with the same end together."""
    told: dict[str, list[str]] = {}
    for name, expect in row.cases.items():
        told.setdefault(outcome(expect), []).append(name)
    return "<br>".join(f"**{', '.join(names)}**: {_cell(text)}" for text, names in told.items())


def outcome(expect: Expect) -> str:
    """One expectation in words."""
    fields = ", ".join(f"{name}={_short(value)}" for name, value in expect.fields.items())
    said = ([fields] if fields else []) + ([f"says {expect.says!r}"] if expect.says else [])
    end = "success" if expect.error is None else expect.error
    words = [end + (f" ({'; '.join(said)})" if said else "")]
    words += [f"from {expect.cause}"] if expect.cause else []
    words += [f"{expect.runs} started on the server"] if expect.runs is not None else []
    words.append("no request" if expect.requests == 0 else f"≤ {expect.requests} request{'s' if expect.requests > 1 else ''}")
    least = f"{expect.least:g} to " if expect.least else "≤ "
    words.append(f"{least}{expect.seconds:g} s" if expect.seconds else "at once")
    return ", ".join(words)


def _act(act: Act) -> str:
    given = [_short(one) for one in act.given] + [f"{name}={_short(value)}" for name, value in act.options.items()]
    return f"{act.call}({', '.join(given)})" + (f" after {act.at:g} s" if act.at else "")


def _given(value: Any) -> str:
    fields = ((field, getattr(value, field.name)) for field in attrs.fields(type(value)))
    return ", ".join(f"{field.name}={_short(one)}" for field, one in fields if one != field.default and one is not None)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_short(one)}" for name, one in value.items()) + "}"
    text = _given(value) if attrs.has(type(value)) else repr(value)
    if attrs.has(type(value)):
        text = f"{type(value).__name__}({text})"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]} …"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
