"""A page of the list: the query for each dialect, what is left out after a refusal, and which rows are none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.errors import DecodeError
from maia_async.watching.census import Row
from maia_async.watching.listing import Dialect, query, read_page
from maia_async.watching.planner import Ask
from maia_async.watching.windows import Window

NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())
NAMES = ("load / all", "production")
COMMON = [("projectId", "p"), ("limit", "100")]


@pytest.mark.parametrize(
    ("ask", "token", "dialect", "pairs"),
    [
        pytest.param(Ask(Window(None, None, 0)), None, Dialect(), [], id="everything"),
        pytest.param(
            Ask(Window(NOON, NOON + 5, 0)),
            None,
            Dialect(),
            [("startedAfter", "2026-03-01T11:59:59.999Z"), ("startedBefore", "2026-03-01T12:00:05.999Z")],
            id="bounds that are right whether they are inclusive or not",
        ),
        pytest.param(
            Ask(Window(NOON, NOON + 5, 0)),
            None,
            Dialect(fractions=False),
            [("startedAfter", "2026-03-01T11:59:59Z"), ("startedBefore", "2026-03-01T12:00:06Z")],
            id="whole seconds: one more on either side",
        ),
        pytest.param(Ask(Window(NOON, None, 0)), None, Dialect(), [("startedAfter", "2026-03-01T11:59:59.999Z")], id="open above"),
        pytest.param(Ask(Window(None, NOON, 0)), None, Dialect(), [("startedBefore", "2026-03-01T12:00:00.999Z")], id="open below"),
        pytest.param(Ask(Window(None, None, 0), "RUNNING"), None, Dialect(), [("status", "RUNNING")], id="one status"),
        pytest.param(
            Ask(Window(None, None, 0), None, NAMES),
            None,
            Dialect(),
            [("pipelineName", "load / all"), ("environmentName", "production")],
            id="narrowed",
        ),
        pytest.param(Ask(Window(None, None, 0)), "t=1&x", Dialect(), [("paginationToken", "t=1&x")], id="a later page"),
        pytest.param(
            Ask(Window(NOON, None, 0), "FAILED", NAMES),
            "t",
            Dialect(fractions=False),
            [
                ("pipelineName", "load / all"),
                ("environmentName", "production"),
                ("status", "FAILED"),
                ("startedAfter", "2026-03-01T11:59:59Z"),
                ("paginationToken", "t"),
            ],
            id="all of it",
        ),
    ],
)
def test_the_query(ask: Ask, token: str | None, dialect: Dialect, pairs: list[tuple[str, str]]) -> None:
    assert list(query("p", ask, token, dialect)) == COMMON + pairs


@given(st.integers(0, 4_000_000_000), st.integers(0, 100_000), st.booleans())
def test_the_bounds_hold_the_window_and_not_a_second_more_than_the_dialect_needs(first: int, length: int, fractions: bool) -> None:
    pairs = dict(query("p", Ask(Window(first, first + length, 0)), None, Dialect(fractions=fractions)))
    after, before = (datetime.fromisoformat(pairs[key]).timestamp() for key in ("startedAfter", "startedBefore"))
    assert after < first, "a start at the full second, where the bound is exclusive"
    assert before >= first + length + (0.999 if fractions else 1.0) - 1e-6
    assert after >= first - (0.001 if fractions else 1.0) - 1e-6
    assert before <= first + length + 1


def test_what_a_server_refuses_is_left_out_one_thing_at_a_time() -> None:
    worded, narrowed = Ask(Window(1, 2, 0), "SKIPPED", NAMES), Ask(Window(1, 2, 0), None, NAMES)
    first = Dialect().without(worded)
    assert first == Dialect(fractions=False)
    second = first.without(worded)
    assert second == Dialect(fractions=False, refused=frozenset({"SKIPPED"}))
    third = second.without(narrowed)
    assert third == Dialect(fractions=False, narrows=False, refused=frozenset({"SKIPPED"}))
    assert third.without(Ask(Window(1, 2, 0))) == Dialect(fractions=False, narrows=False, listed=False, refused=frozenset({"SKIPPED"}))
    assert second.without(Ask(Window(1, 2, 0), "FAILED")).refused == {"SKIPPED", "FAILED"}


def execution(**fields: Any) -> dict[str, Any]:
    whole = {
        "pipelineExecutionId": "e1",
        "status": "RUNNING",
        "startedAt": "2026-03-01T12:00:00.750Z",
        "pipelineName": NAMES[0],
        "environmentName": NAMES[1],
    }
    return {key: value for key, value in {**whole, **fields}.items() if value is not ...}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param({}, ("e1", "RUNNING", NOON, NAMES), id="whole"),
        pytest.param({"status": "success"}, ("e1", "SUCCESS", NOON, NAMES), id="a word in other letters"),
        pytest.param({"status": "PAUSED"}, ("e1", "PAUSED", NOON, NAMES), id="a word that we have never seen"),
        pytest.param({"startedAt": "2026-03-01T13:00:00+01:00"}, ("e1", "RUNNING", NOON, NAMES), id="another zone"),
        pytest.param({"startedAt": "2026-03-01T12:00:00"}, ("e1", "RUNNING", NOON, NAMES), id="no zone is UTC"),
        pytest.param({"startedAt": NOON * 1000 + 5}, ("e1", "RUNNING", NOON, NAMES), id="milliseconds"),
        pytest.param({"startedAt": ...}, ("e1", "RUNNING", None, NAMES), id="no start"),
        pytest.param({"startedAt": None}, ("e1", "RUNNING", None, NAMES), id="a start of null"),
        pytest.param({"startedAt": "soon"}, ("e1", "RUNNING", None, NAMES), id="a start that is no time"),
        pytest.param({"startedAt": True}, ("e1", "RUNNING", None, NAMES), id="a start of another type"),
        pytest.param({"startedAt": 10**400}, ("e1", "RUNNING", None, NAMES), id="a start beyond time"),
        pytest.param({"pipelineName": ...}, ("e1", "RUNNING", NOON, None), id="no pipeline"),
        pytest.param({"environmentName": 5}, ("e1", "RUNNING", NOON, None), id="an environment of another type"),
    ],
)
def test_a_row(fields: dict[str, Any], found: tuple[Any, ...]) -> None:
    raw = execution(**fields)
    page = read_page({"results": [raw]})
    assert [(row.execution_id, row.word.value, row.started, row.names) for row, _ in page.rows] == [found]
    assert page.rows[0][1] is raw


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "e1",
        5,
        [],
        {},
        execution(pipelineExecutionId=...),
        execution(pipelineExecutionId=7),
        execution(status=...),
        execution(status=None),
    ],
    ids=str,
)
def test_what_is_no_row_is_left_out_and_the_others_stay(raw: Any) -> None:
    page = read_page({"results": [execution(), raw, execution(pipelineExecutionId="e2")]})
    assert [row.execution_id for row, _ in page.rows] == ["e1", "e2"]
    assert all(isinstance(row, Row) for row, _ in page.rows)


@pytest.mark.parametrize(
    ("data", "more"),
    [
        ({"results": [], "more": "t"}, "t"),
        ({"results": []}, None),
        ({"results": [], "more": None}, None),
        ({"results": [], "more": ""}, None),
        ({"results": [], "more": 5}, None),
        ([], None),
    ],
)
def test_the_token_of_the_next_page(data: Any, more: str | None) -> None:
    assert read_page(data).more == more


@pytest.mark.parametrize("data", [None, "text", 5, {}, {"results": None}, {"results": {}}, {"error": "x"}])
def test_an_answer_that_is_no_list_is_no_empty_list(data: Any) -> None:
    with pytest.raises(DecodeError, match=r"\$\.results: expected an array"):
        read_page(data)
