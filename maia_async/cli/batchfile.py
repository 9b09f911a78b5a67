"""Reads a batch file: bytes to text to rows, each row knowing where it stands. What a row means is `batchrows`; nothing is sent.

    format   by extension       rows                                                          a row is called
    yaml     .yaml .yml         a list, or an object with `requests`                          row 3
    json     .json              a list, or an object with `requests`                          row 3
    jsonl    .jsonl .ndjson     one object on each line; empty lines are skipped              line 3
    csv      .csv               one on each line below the header; empty lines are skipped    row 3 (line 4)

A key that is given twice in one object is refused: readers differ in which one they keep. A UTF-8 byte order mark is skipped.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from attrs import frozen
from yaml.reader import ReaderError

from maia_async.cli.exits import UsageProblem

Format = Literal["yaml", "json", "jsonl", "csv"]
_EXTENSIONS: Final[dict[str, Format]] = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
}


@frozen
class Row:
    """One row as it was written: `place` is what to call it, `value` what it holds."""

    place: str
    value: Any


@frozen
class CsvRow:
    """One row of a CSV file: its cells by column; or `problem`, when there are more or fewer of them than columns."""

    place: str
    cells: dict[str, str]
    problem: str | None = None


def format_of(path: Path, chosen: Format | None) -> Format:
    """The format of a file. Raises UsageProblem when its name does not say it."""
    found = chosen if chosen is not None else _EXTENSIONS.get(path.suffix.lower())
    if found is None:
        raise UsageProblem(f"{path}: cannot tell the format from the name", "give --format yaml, json, jsonl or csv")
    return found


def read_text(path: Path) -> str:
    """The text of a file. Raises UsageProblem when there is none."""
    try:
        return text_of(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageProblem(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # a NUL in the name
        raise UsageProblem(f"{path}: {error}") from error


def text_of(raw: bytes, path: str) -> str:
    """The text in these bytes; `path` is what to call them. Raises UsageProblem when there is none."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{path}: is not UTF-8 text (byte 0x{raw[error.start]:02x} at position {error.start})") from error
    if "\0" in text:
        raise UsageProblem(f"{path}: is not text: it contains NUL characters")
    if not text.strip():
        raise UsageProblem(f"{path}: is empty: there is nothing to run")
    return text


def object_rows(text: str, form: Literal["yaml", "json", "jsonl"]) -> list[Row]:
    """The rows of a YAML, JSON or JSON lines text. Raises UsageProblem."""
    if form == "jsonl":
        return list(_json_lines(text))
    found = _parsed(text, _read_json if form == "json" else _read_yaml)
    if isinstance(found, dict):
        unknown = [repr(key) for key in found if key != "requests"]
        if unknown or "requests" not in found:
            said = f"unknown key {', '.join(unknown)}" if unknown else "the key `requests` is missing"
            raise UsageProblem(f"{said}: the file must be a list of requests, or an object with `requests` alone")
        found = found["requests"]
    if not isinstance(found, list):
        raise UsageProblem("the file must be a list of requests, or an object with `requests`")
    return [Row(f"row {number}", value) for number, value in enumerate(found, 1)]


def csv_rows(text: str) -> tuple[list[str], list[CsvRow]]:
    """The header of a CSV text, and its rows. Raises UsageProblem for what cannot be read at all."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    rows: list[CsvRow] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                continue
            place = f"row {len(rows) + 1} (line {reader.line_num})"
            wrong = None if len(cells) == len(header) else f"has {len(cells)} cells where the header has {len(header)}"
            rows.append(CsvRow(place, dict(zip(header, cells, strict=False)), wrong))
    except csv.Error as error:
        raise UsageProblem(f"line {reader.line_num}: is not CSV: {error}") from error
    return header, rows


def _json_lines(text: str) -> Iterable[Row]:
    problems = []
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append(Row(f"line {number}", _parsed(line, _read_json, one_line=True)))
        except UsageProblem as error:
            problems.append(f"line {number}: {error.lines[0]}")
    if problems:
        raise UsageProblem(*problems)
    return rows


def json_reason(error: ValueError | RecursionError, *, one_line: bool = True) -> str:
    """Why something is no JSON, with the place said once: a single line needs only the column."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    return f"{error.msg} ({'' if one_line else f'line {error.lineno}, '}column {error.colno})"


def _yaml_reason(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        said = ", ".join(part for part in (error.context, error.problem) if part)
        mark = error.problem_mark or error.context_mark
        return said if mark is None else f"{said} (line {mark.line + 1}, column {mark.column + 1})"
    if isinstance(error, ReaderError):
        return f"{error.reason} (line {text.count(chr(10), 0, error.position) + 1})"
    return " ".join(str(error).split())


def _parsed(text: str, read: Callable[[str], Any], *, one_line: bool = False) -> Any:
    try:
        return read(text)
    except UsageProblem:
        raise
    except yaml.YAMLError as error:
        raise UsageProblem(f"is not YAML: {_yaml_reason(error, text)}") from error
    except RecursionError as error:
        raise UsageProblem("is nested too deeply") from error
    except ValueError as error:
        raise UsageProblem(f"is not {'JSON' if read is _read_json else 'YAML'}: {json_reason(error, one_line=one_line)}") from error


def _read_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_without_repetition)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UsageProblem(f"the key {key!r} is given twice in one object")
        found[key] = value
    return found


class _Loader(yaml.SafeLoader):
    """The safe loader, with keys that are given twice refused. Merge keys (`<<`) may still be overridden: that is their purpose."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise UsageProblem(f"line {key.start_mark.line + 1}: the key {key.value!r} is given twice in one object")
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)


def _read_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
