"""Open enums: every letter case, every unknown word, and which words are an end."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.models import ExecutionStatus, ExecutionTrigger, OpenEnum, OutcomeState

TERMINAL = {"SUCCESS", "FAILED", "CANCELLED", "SKIPPED", "FORBIDDEN"}
OPEN: list[type[OpenEnum]] = [ExecutionStatus, ExecutionTrigger]


@pytest.mark.parametrize("word", ["RUNNING", "SUCCESS", "FAILED", "CANCELLING", "CANCELLED", "SKIPPED", "FORBIDDEN", "UNKNOWN"])
def test_the_terminal_statuses_are_exactly_the_five_of_the_design(word: str) -> None:
    assert ExecutionStatus(word).is_terminal == (word in TERMINAL)


def test_the_words_of_both_enums_are_those_of_the_api() -> None:
    assert {word.value for word in ExecutionStatus} == TERMINAL | {"RUNNING", "CANCELLING", "UNKNOWN"}
    assert {word.value for word in ExecutionTrigger} == {"DESIGNER", "API", "SCHEDULE", "SCHEDULE_RUN_NOW", "UNKNOWN"}


@pytest.mark.parametrize("member", [member for kind in OPEN for member in kind])
def test_a_known_word_is_its_member_in_any_letter_case(member: OpenEnum) -> None:
    kind = type(member)
    assert kind(member.value.lower()) is member
    assert kind(member.value.title()) is member
    assert member.is_known


def test_hyphens_are_read_as_underscores() -> None:
    assert ExecutionTrigger("schedule-run-now") is ExecutionTrigger.SCHEDULE_RUN_NOW


@pytest.mark.parametrize("kind", OPEN)
@given(word=st.text())
def test_any_text_becomes_a_member_that_keeps_it(kind: type[OpenEnum], word: str) -> None:
    member = kind(word)
    assert isinstance(member, kind)
    if member.is_known:
        assert member is kind[word.upper().replace("-", "_")]
    else:
        assert member == word
        assert member.value == word
        assert str(member) == word
        assert hash(member) == hash(word)


@given(word=st.text())
def test_an_unknown_status_is_never_an_end(word: str) -> None:
    status = ExecutionStatus(word)
    assert status.is_known or not status.is_terminal


def test_unknown_words_do_not_make_the_enum_grow() -> None:
    before = list(ExecutionStatus)
    assert ExecutionStatus("PAUSED") == ExecutionStatus("PAUSED")
    assert ExecutionStatus("PAUSED") is not ExecutionStatus("PAUSED")
    assert list(ExecutionStatus) == before
    assert "PAUSED" not in ExecutionStatus.__members__


def test_an_unknown_word_survives_copies_and_pickles() -> None:
    word = ExecutionStatus("PAUSED")
    assert copy.deepcopy(word) == word
    again = pickle.loads(pickle.dumps(word))
    assert again == word
    assert isinstance(again, ExecutionStatus)


@pytest.mark.parametrize("value", [None, 3, True, ["RUNNING"], b"RUNNING"])
def test_what_is_no_text_is_no_status(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid ExecutionStatus"):
        ExecutionStatus(value)


def test_outcome_states_are_ours_and_closed() -> None:
    assert {state.value for state in OutcomeState} == TERMINAL | {"REJECTED", "LEFT_RUNNING", "UNKNOWN", "NOT_STARTED"}
    with pytest.raises(ValueError, match="PAUSED"):
        OutcomeState("PAUSED")
