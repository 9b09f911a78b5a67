"""Turns rows into requests, or into every problem of every row at once; pure.

in the row                         in the request
a key of the API                   the field; its value is checked as the API's schema says
`executionTag` absent              a unique tag for each run
`executionTag` null                no tag
another key                        a problem that names it

CSV column                         holds
the name of a text field           the text; an empty cell is an absent field
scalarVariables.NAME               the variable's value; an empty cell is an absent variable
gridVariables.NAME                 rows as JSON, such as [["a", "1"], ["b", "2"]]
anything else                      a problem that names the column
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from maia_async import ExecutionRequest
from maia_async.cli.batchfile import CsvRow, Format, Row, csv_rows, format_of, json_reason, object_rows, read_text, text_of
from maia_async.cli.data import camel
from maia_async.cli.exits import UsageProblem

MOST_PROBLEMS: Final = 100
_NAMES: Final = {camel(item.name): item.name for item in attrs.fields(ExecutionRequest)}
_MAPS: Final = ("scalarVariables", "gridVariables")
_REQUIRED: Final = ("pipelineName", "environmentName")
_TEXTS: Final = tuple(name for name in _NAMES if name not in _MAPS)


def read_requests(path: Path, chosen: Format | None = None) -> list[ExecutionRequest]:
    """The requests of a batch file. Raises UsageProblem with everything that is wrong with it."""
    form = format_of(path, chosen)
    return _requests(read_text(path), form, str(path))


def requests_in(raw: bytes, form: Format) -> list[ExecutionRequest]:
    """The requests in what was read from stdin. Raises UsageProblem with everything that is wrong with it."""
    return _requests(text_of(raw, "stdin"), form, "stdin")


def _requests(text: str, form: Format, path: str) -> list[ExecutionRequest]:
    try:
        return requests_of(text, form)
    except UsageProblem as error:
        first, *others = error.lines
        raise UsageProblem(f"{path}: {first}", *others) from error


def requests_of(text: str, form: Format) -> list[ExecutionRequest]:
    """The requests in a text. Raises UsageProblem with every problem of every row."""
    problems: list[str] = []
    requests: list[ExecutionRequest] = []
    rows = list(_rows_of_csv(text, problems)) if form == "csv" else object_rows(text, form)
    for row in rows:
        found, wrong = request_of(row.value, from_yaml=form == "yaml")
        problems += [f"{row.place}: {problem}" for problem in wrong]
        if found is not None:
            requests.append(found)
    if problems:
        more = len(problems) - MOST_PROBLEMS
        count = f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}, and nothing was sent:"
        raise UsageProblem(count, *problems[:MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else []))
    if not requests:
        raise UsageProblem("has no rows: there is nothing to run")
    return requests


def request_of(value: Any, *, from_yaml: bool = False) -> tuple[ExecutionRequest | None, list[str]]:
    """One row's request, and what is wrong with it; None when it cannot even be built."""
    if not isinstance(value, Mapping):
        return None, [f"must be an object with {', '.join(_REQUIRED)} and so on, is {type(value).__name__}"]
    problems = [f"{key}: is not a field of a request; known are {', '.join(_NAMES)}" for key in value if key not in _NAMES]
    problems += [f"{key}: is missing" for key in _REQUIRED if key not in value]
    fields: dict[str, Any] = {_NAMES[key]: found for key, found in value.items() if key in _NAMES}
    request = ExecutionRequest(**{"pipeline_name": "-", "environment_name": "-", **fields})
    unquoted = set(_unquoted(value)) if from_yaml else set()
    problems += [f"{problem}{'; in YAML, put it in quotes' if problem.field in unquoted else ''}" for problem in request.problems()]
    return request, problems


def _unquoted(row: Mapping[Any, Any]) -> Iterator[str]:
    """The field paths of values that YAML read as something else than text: numbers, truth values, dates."""
    for key, value in row.items():
        if isinstance(value, Mapping):
            for name, inner in value.items():
                yield from _leaves(f"{key}.{name}", inner)
        else:
            yield from _leaves(str(key), value)


def _leaves(path: str, value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, list):
        if depth < 2:  # a grid has no more levels, and YAML anchors can nest without end
            for number, inner in enumerate(value):
                yield from _leaves(f"{path}[{number}]", inner, depth + 1)
    elif value is not None and not isinstance(value, str | Mapping):
        yield path


def _rows_of_csv(text: str, problems: list[str]) -> Iterable[Row]:
    header, rows = csv_rows(text)
    wrong_header = list(_header_problems(header))
    problems += wrong_header
    for row in () if wrong_header else rows:  # under a wrong header, every row would repeat the same problem
        if row.problem is not None:
            problems.append(f"{row.place}: {row.problem}")
            continue
        value, wrong = _value_of_cells(row, header)
        problems += [f"{row.place}: {problem}" for problem in wrong]
        yield Row(row.place, value)


def _header_problems(header: Sequence[str]) -> Iterator[str]:
    known = f"known are {', '.join(_TEXTS)}, scalarVariables.NAME, gridVariables.NAME"
    for number, column in enumerate(header, 1):
        kind, dot, name = column.partition(".")
        if column not in _TEXTS and not (kind in _MAPS and dot and name):
            hint = "; columns are separated by commas" if ";" in column or "\t" in column else ""
            yield f"column {number} {column!r}: is not a field of a request; {known}{hint}"
    for column in dict.fromkeys(header):
        if header.count(column) > 1:
            yield f"column {column!r}: is given {header.count(column)} times"
    for column in _REQUIRED:
        if column not in header:
            yield f"column {column!r}: is missing"


def _value_of_cells(row: CsvRow, header: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    value: dict[str, Any] = {column: "" for column in _REQUIRED if column in header}
    problems: list[str] = []
    for column, cell in row.cells.items():
        kind, _, name = column.partition(".")
        if not cell:
            continue
        if kind not in _MAPS:
            if column in _TEXTS:
                value[column] = cell
        elif kind == "scalarVariables":
            value.setdefault(kind, {})[name] = cell
        else:
            try:
                value.setdefault(kind, {})[name] = json.loads(cell)
            except (ValueError, RecursionError) as error:
                problems.append(f"{column}: is not JSON: {json_reason(error)}")
    return value, problems
