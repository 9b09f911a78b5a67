"""Every shape of error body that the API prints, and every other: read, never refused, and safe to print."""

from __future__ import annotations

import json
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.problems import FieldProblem, ProblemDetail
from maia_async.wire.problem import first_line, plain, read_problem

VIOLATIONS = {
    "type": "about:blank",
    "title": "Bad Request",
    "status": 400,
    "detail": "Invalid request",
    "instance": "/v1/projects",
    "violations": ["pipelineName: must not be empty", "size must be between 0 and 255"],
}
VALIDATION_ERRORS = {
    "title": "Bad Request",
    "status": 400,
    "validation-errors": [{"field": "details.pipelineName", "message": "must not be blank"}, {"field": "", "message": "whole"}],
}

SHAPES: list[tuple[bytes, ProblemDetail]] = [
    (
        json.dumps(VIOLATIONS).encode(),
        ProblemDetail(
            title="Bad Request",
            detail="Invalid request",
            status=400,
            type="about:blank",
            instance="/v1/projects",
            problems=(FieldProblem("", "pipelineName: must not be empty"), FieldProblem("", "size must be between 0 and 255")),
        ),
    ),
    (
        json.dumps(VALIDATION_ERRORS).encode(),
        ProblemDetail(
            title="Bad Request",
            status=400,
            problems=(FieldProblem("details.pipelineName", "must not be blank"), FieldProblem("", "whole")),
        ),
    ),
    (b'{"error": "Pipeline is already running", "status": 409}', ProblemDetail(detail="Pipeline is already running", status=409)),
    (
        b'{"error": "invalid_client", "error_description": "No such client"}',
        ProblemDetail(title="invalid_client", detail="No such client"),
    ),
    (b'{"message": "Too Many Requests"}', ProblemDetail(detail="Too Many Requests")),
    (b'{"error": {"code": 7, "message": "quota"}}', ProblemDetail(detail="quota")),
    (b'{"title": "t", "detail": "d", "message": "m", "error": "e"}', ProblemDetail(title="t", detail="d")),
    (b'"only text"', ProblemDetail(detail="only text")),
    (b"<!doctype html><html><head><TITLE lang=en>\n 502 Bad\n Gateway </TITLE></head>", ProblemDetail(title="502 Bad  Gateway")),
    (b"<html>\n<body>\n<h1>Service</h1> down\n", ProblemDetail(title="Service  down")),
    (b"\n\n  upstream connect error \nmore", ProblemDetail(title="upstream connect error")),
    (b'{"detail": "cut o', ProblemDetail(title='{"detail": "cut o')),
    (b"", ProblemDetail()),
    (b" \n", ProblemDetail()),
    (b"<html></html>", ProblemDetail()),
    (b"null", ProblemDetail()),
    (b"[]", ProblemDetail()),
    (b"42", ProblemDetail()),
    (
        b'{"title": 3, "detail": null, "status": "400", "violations": "x", "validation-errors": [3, null, {}]}',
        ProblemDetail(problems=(FieldProblem("", "is not valid"),)),
    ),
    (b'{"status": true}', ProblemDetail()),
]


@pytest.mark.parametrize(("body", "expected"), SHAPES)
def test_each_shape_is_read(body: bytes, expected: ProblemDetail) -> None:
    assert read_problem(body) == expected


def test_bytes_that_are_no_text_are_shown_as_what_can_be_read_of_them() -> None:
    assert read_problem(b"\xff\xfe\x00bad") == ProblemDetail(title="\ufffd\ufffd bad")


def test_deep_nesting_is_no_crash() -> None:
    assert read_problem(b"[" * 200_000).title is not None


def test_text_from_outside_is_cut_and_lists_of_problems_too() -> None:
    found = read_problem(json.dumps({"detail": "x" * 10**6, "violations": ["y" * 10**4] * 5000}).encode())
    assert len(found.detail or "") == 1000
    assert len(found.problems) == 100
    assert all(len(problem.message) == 1000 for problem in found.problems)
    assert len(first_line(b"z" * 10**6)) == 200


def test_no_body_within_the_bound_keeps_the_loop_busy() -> None:
    for piece in (b"<", b"<title", b"<title>", b"<a>", b"\n", b" "):
        started = time.process_time()
        read_problem(piece * (10**6 // len(piece)))
        assert time.process_time() - started < 1.0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["title", "detail", "status", "error", "error_description", "message", "violations", "validation-errors", "errors", "field"]
            ),
            inner,
        )
    ),
)


def shown(problem: ProblemDetail) -> str:
    parts: list[Any] = [str(problem), problem.title, problem.detail, problem.type, problem.instance]
    parts += [str(field) for field in problem.problems]
    return "".join(part for part in parts if part)


def is_printable(text: str) -> bool:
    overrides = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    return not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or char in overrides for char in text)


@given(st.binary() | st.text(st.characters(exclude_categories=["Cs"])).map(str.encode))
def test_no_bytes_raise_and_no_control_character_comes_out(body: bytes) -> None:
    assert is_printable(shown(read_problem(body)))
    assert is_printable(first_line(body))


@given(JSON)
def test_no_json_raises_and_no_control_character_comes_out(data: Any) -> None:
    # ensure_ascii writes halves of surrogate pairs as escapes, which json reads back as they are.
    assert is_printable(shown(read_problem(json.dumps(data).encode())))


@given(st.text(st.characters()))
def test_plain_text_is_one_short_line(text: str) -> None:
    line = plain(text)
    assert is_printable(line)
    assert len(line) <= 1000
    assert line == line.strip()
