"""Values as JSON and back: hostile texts, invalid requests, digests, and what differs."""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from orchestration.journal.kit import CONFLICT, REQUESTS, TEXT, request

from maia_async.errors import DecodeError, ReplayedError
from maia_async.models import AUTO, ExecutionDetails, ExecutionRequest, ExecutionStatus, ExecutionTrigger
from maia_async.orchestration.journal.values import (
    details_form,
    details_of,
    differing,
    digest_of,
    error_form,
    error_of,
    escaped,
    form_of,
    request_of,
    to_json,
    unescaped,
)

MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=30))]))
DETAILS = st.builds(
    ExecutionDetails,
    status=st.sampled_from(list(ExecutionStatus)) | TEXT.map(ExecutionStatus),
    pipeline_execution_id=st.none() | TEXT,
    message=st.none() | TEXT,
    started_at=st.none() | MOMENTS,
    finished_at=st.none() | MOMENTS,
    trigger=st.none() | st.sampled_from(list(ExecutionTrigger)),
    user=st.none() | TEXT,
)


def on_the_wire(value: Any) -> Any:
    """A value as JSON makes it: a pair of lone surrogates is one character there."""
    return json.loads(json.dumps(value))


@given(REQUESTS)
def test_a_request_comes_back_as_it_was_whatever_its_texts_are(asked: ExecutionRequest) -> None:
    text = to_json(form_of(asked))
    back = request_of(json.loads(text))

    assert text.isascii()
    assert form_of(back) == on_the_wire(form_of(asked))
    assert digest_of(to_json(form_of(back))) == digest_of(to_json(form_of(asked)))
    assert (back.execution_tag is AUTO) == (asked.execution_tag is AUTO)
    assert back == asked or "\\ud" in text


@given(DETAILS)
def test_details_come_back_as_they_were(details: ExecutionDetails) -> None:
    text = to_json(details_form(details))
    back = details_of(json.loads(text))

    assert text.isascii()
    assert back == details or "\\ud" in text


@given(TEXT)
def test_an_id_comes_back_and_a_plain_one_is_kept_as_it_is(text: str) -> None:
    assert escaped(text).isascii()
    assert unescaped(escaped(text)) == on_the_wire(text)
    assert escaped("0a1-b2") == "0a1-b2"


def test_a_word_that_is_no_status_is_kept() -> None:
    details = ExecutionDetails(status=ExecutionStatus("PAUSED"))
    assert details_of(details_form(details)) == details
    assert details_of(None) is None
    with pytest.raises(DecodeError):
        details_of({"status": 7})


@pytest.mark.parametrize(
    "change",
    [
        {"pipeline_name": 7},
        {"pipeline_name": None},
        {"pipeline_name": ""},
        {"environment_name": b"Prod"},
        {"agent_id": object()},
        {"execution_tag": 1.5},
        {"scalar_variables": 7},
        {"scalar_variables": ["a"]},
        {"scalar_variables": {3: "x"}},
        {"scalar_variables": {"": "x"}},
        {"scalar_variables": {"day": None}},
        {"scalar_variables": {"day": {"a": {"b": {"c": {"d": {}}}}}}},
        {"grid_variables": 7},
        {"grid_variables": {"g": "rows"}},
        {"grid_variables": {"g": [b"row"]}},
        {"grid_variables": {"g": [["a"], ["b", "c"]]}},
        {"grid_variables": {"g": [[float("nan")]]}},
    ],
)
def test_an_invalid_request_can_be_written_and_is_still_invalid_when_it_comes_back(change: dict[str, Any]) -> None:
    asked = request(**change)
    assert asked.problems() != ()

    form = form_of(asked)
    back = request_of(json.loads(to_json(form)))

    assert back.problems() != ()
    assert digest_of(to_json(form_of(back))) == digest_of(to_json(form))


def test_a_list_that_holds_itself_ends() -> None:
    row: list[Any] = []
    row.append(row)
    assert request_of(form_of(request(grid_variables={"g": row}))).problems() != ()


def test_the_same_request_in_other_containers_is_the_same() -> None:
    one = request(scalar_variables={"a": "1", "b": "2"}, grid_variables={"g": [["x"]]})
    other = request(scalar_variables=MappingProxyType({"b": "2", "a": "1"}), grid_variables={"g": (("x",),)})
    assert digest_of(to_json(form_of(one))) == digest_of(to_json(form_of(other)))


def test_the_tag_that_is_ours_is_no_part_of_the_request_and_others_are() -> None:
    forms = [form_of(request(execution_tag=tag)) for tag in (AUTO, None, "a", "b")]
    assert len({digest_of(to_json(form)) for form in forms}) == 4
    assert "executionTag" not in forms[0]
    assert request_of(forms[1]).execution_tag is None


BEFORE = request(scalar_variables={"a": "secret", "b": "2"}, agent_id="x")


@pytest.mark.parametrize(
    ("now", "fields"),
    [
        (BEFORE, ()),
        (evolve(BEFORE, pipeline_name="Other", agent_id=None), ("agentId", "pipelineName")),
        (evolve(BEFORE, scalar_variables={"a": "hidden", "b": "2", "c": "3"}), ("scalarVariables.a", "scalarVariables.c")),
        (evolve(BEFORE, scalar_variables=None), ("scalarVariables",)),
        (evolve(BEFORE, execution_tag=None), ("executionTag",)),
        (evolve(BEFORE, execution_tag="mine"), ("executionTag",)),
        (evolve(BEFORE, grid_variables={"g": [["1"]]}), ("gridVariables",)),
    ],
)
def test_the_fields_that_differ_are_named_and_no_values(now: ExecutionRequest, fields: tuple[str, ...]) -> None:
    assert differing(form_of(BEFORE), form_of(now)) == fields


def test_an_error_keeps_its_kind_and_its_text() -> None:
    back = error_of(error_form(CONFLICT))
    assert isinstance(back, ReplayedError)
    assert (back.kind, str(back)) == ("Conflict", "POST /v1/x: 409")
    assert error_form(back) == error_form(CONFLICT)
    assert error_of(error_form(None)) is None


def test_the_text_of_an_error_that_is_not_ours_is_not_kept() -> None:
    back = error_of(error_form(RuntimeError("Bearer abcdef")))
    assert str(back) == "RuntimeError"
