"""Batch files as bytes: what can be read, and what each unreadable one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from maia_async.cli.batchfile import Row, csv_rows, format_of, object_rows, read_text
from maia_async.cli.exits import UsageProblem


def refusal(call: object, *args: object) -> str:
    assert callable(call)
    with pytest.raises(UsageProblem) as caught:
        call(*args)
    return "\n".join(caught.value.lines)


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.yaml", "yaml"), ("a.YML", "yaml"), ("a.json", "json"), ("a.jsonl", "jsonl"), ("a.ndjson", "jsonl"), ("a.csv", "csv")],
)
def test_the_extension_says_the_format(name: str, form: str) -> None:
    assert format_of(Path(name), None) == form


def test_an_option_says_it_better() -> None:
    assert format_of(Path("a.txt"), "csv") == "csv"
    assert format_of(Path("a.csv"), "jsonl") == "jsonl"


def test_another_extension_asks_for_the_option() -> None:
    assert "--format" in refusal(format_of, Path("a.txt"), None)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"\xef\xbb\xbfpipelineName\n")

    assert read_text(file) == "pipelineName\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"\xff\xfea\x00", "is not UTF-8 text (byte 0xff at position 0)"),
        (b"a\x00b", "NUL"),
        (b"\x89PNG\r\n\x1a\n", "is not UTF-8 text (byte 0x89"),
    ],
)
def test_what_is_no_text_says_why(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)

    assert said in refusal(read_text, file)


def test_a_missing_file_and_a_directory_say_so(tmp_path: Path) -> None:
    assert "no such file" in refusal(read_text, tmp_path / "gone.yaml")
    assert "is a directory" in refusal(read_text, tmp_path)
    assert "null" in refusal(read_text, Path("a\0b"))


ROWS = [Row("row 1", {"pipelineName": "a"}), Row("row 2", {"pipelineName": "b"})]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("json", '[{"pipelineName": "a"}, {"pipelineName": "b"}]'),
        ("json", '{"requests": [{"pipelineName": "a"}, {"pipelineName": "b"}]}'),
        ("yaml", "- pipelineName: a\n- pipelineName: b\n"),
        ("yaml", "requests:\n- {pipelineName: a}\n- {pipelineName: b}\n"),
    ],
)
def test_a_list_of_rows_may_be_under_requests(form: str, text: str) -> None:
    assert object_rows(text, form) == ROWS  # type: ignore[arg-type]  # parametrised


def test_json_lines_are_called_by_their_line() -> None:
    assert object_rows('{"a": 1}\n\n{"b": 2}\r\n', "jsonl") == [Row("line 1", {"a": 1}), Row("line 3", {"b": 2})]


def test_yaml_merge_keys_may_be_overridden() -> None:
    rows = object_rows("- &d {a: 1, b: 2}\n- {<<: *d, b: 3}\n", "yaml")

    assert rows[1].value == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("json", "{", "is not JSON"),
        ("json", "3", "must be a list"),
        ("json", '{"rows": []}', "unknown key 'rows'"),
        ("json", "{}", "`requests` is missing"),
        ("json", '{"requests": 3}', "must be a list"),
        ("json", '[{"a": 1, "a": 2}]', "'a' is given twice"),
        ("json", "[" * 100_000, "nested too deeply"),
        ("yaml", "a: [", "is not YAML"),
        ("yaml", "- {a: 1, a: 2}", "line 1: the key 'a' is given twice"),
        ("yaml", "- !!python/object:os.system {}", "is not YAML"),
        ("yaml", "just text", "must be a list"),
        ("yaml", "[" * 1_000, "nested too deeply"),
        ("jsonl", '{"a": 1}\n{\n[', "line 2: is not JSON: Expecting property name enclosed in double quotes (column 2)"),
        ("json", '[\n{"a" 1}]', "is not JSON: Expecting ':' delimiter (line 2, column 6)"),
        (
            "yaml",
            "- a: 1\n- b: [1\n",
            "is not YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>' (line 3, column 1)",
        ),
        ("yaml", "a: 1\nb: \x01", "is not YAML: special characters are not allowed (line 2)"),
    ],
)
def test_a_broken_file_says_where(form: str, text: str, said: str) -> None:
    found = refusal(object_rows, text, form)

    assert said in found
    assert "<unicode string>" not in found
    assert all(line.count("line ") <= 1 for line in found.splitlines())


def test_every_broken_json_line_is_named() -> None:
    assert "line 3" in refusal(object_rows, '{"a": 1}\n{\n[', "jsonl")


def test_csv_rows_know_their_line_and_width() -> None:
    header, rows = csv_rows('a, b\n\n1,2\n"x\ny",4\n5\n')

    assert header == ["a", "b"]
    assert [(row.place, row.cells) for row in rows[:2]] == [
        ("row 1 (line 3)", {"a": "1", "b": "2"}),
        ("row 2 (line 5)", {"a": "x\ny", "b": "4"}),
    ]
    assert rows[2].problem == "has 1 cells where the header has 2"


def test_a_broken_csv_says_where() -> None:
    assert "is not CSV" in refusal(csv_rows, 'a,b\n"1,2\n')
