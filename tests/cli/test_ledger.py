"""What the closing words say, and which events lead to them."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime

import pytest

from maia_async import Event, ExecutionChanged, ExecutionRequest, ExecutionStatus, ExecutionTriggered, TriggerAbandoned
from maia_async.cli.ledger import MOST_NAMED, Doubt, Ledger, closing_words

AT = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = ExecutionRequest(pipeline_name="load", environment_name="Dev", execution_tag="tag-1")


def triggered(run: str) -> ExecutionTriggered:
    return ExecutionTriggered(at=AT, project_id="P", execution_id=run, request=REQUEST)


def changed(run: str, status: str) -> ExecutionChanged:
    return ExecutionChanged(at=AT, project_id="P", execution_id=run, previous=None, current=ExecutionStatus(status))


def abandoned(run: str | None) -> TriggerAbandoned:
    return TriggerAbandoned(at=AT, project_id="P", request=REQUEST, execution_id=run)


@pytest.mark.parametrize(
    ("events", "going"),
    [
        ([triggered("a")], ["a"]),
        ([changed("a", "RUNNING")], ["a"]),
        ([changed("a", "QUEUED")], ["a"]),
        ([triggered("a"), changed("a", "SUCCESS")], []),
        ([changed("a", "FAILED")], []),
        ([abandoned("a")], ["a"]),
        ([abandoned(None)], []),
        ([triggered("b"), triggered("a"), changed("b", "RUNNING")], ["b", "a"]),
    ],
)
def test_each_event_has_its_effect(events: list[Event], going: list[str]) -> None:
    ledger = Ledger()

    for event in events:
        ledger(event)

    assert list(ledger.going) == going


def test_a_trigger_that_may_have_landed_is_kept_with_its_tag() -> None:
    ledger = Ledger()

    ledger(abandoned(None))

    words = closing_words(ledger)
    assert words[0].startswith("1 more may have started")
    assert "'load' in 'Dev', execution tag tag-1" in words[1]


def test_nothing_going_needs_no_words() -> None:
    assert closing_words(Ledger()) == []


def test_one_run_has_its_two_commands() -> None:
    words = closing_words(Ledger(going={"a": "P"}), options=("--region", "us1"))

    assert words == [
        "1 run is still going in Maia:",
        "  maia watch a --project P --region us1",
        "to cancel:",
        "  maia cancel a --project P --region us1",
    ]


def test_one_command_cancels_all_of_a_project() -> None:
    words = closing_words(Ledger(going={"a": "P", "b": "Q", "c": "P"}))

    assert words[-2:] == ["  maia cancel a c --project P", "  maia cancel b --project Q"]


def test_all_are_named_unless_stdout_has_them() -> None:
    going = {f"run-{number}": "P" for number in range(MOST_NAMED + 5)}

    assert "maia watch run-24 --project P" in "\n".join(closing_words(Ledger(going=going)))
    short = "\n".join(closing_words(Ledger(going=going), all_on_stdout=True))
    assert "run-20" not in short
    assert "and 5 more: their ids are on stdout" in short


def test_runs_that_are_being_cancelled_are_only_watched() -> None:
    words = closing_words(Ledger(going={"a": "P", "b": "P"}, cancelling={"a", "b"}))

    assert words[0] == "2 runs are being cancelled; to see the end:"
    assert not any("maia cancel" in line for line in words)


def test_a_hostile_id_stays_an_argument() -> None:
    words = closing_words(Ledger(going={"--force; rm -rf /": "P Q"}))

    parts = shlex.split(words[1])
    assert parts[parts.index("--") + 1 :] == ["--force; rm -rf /"]
    assert "P Q" in parts


def test_candidates_of_a_doubt_are_named() -> None:
    assert str(Doubt(REQUEST, ("c-1", "c-2"))).endswith("it may be one of c-1, c-2")


def test_a_forgotten_run_is_in_other_hands() -> None:
    ledger = Ledger(going={"a": "P"})

    ledger.forget("a")

    assert closing_words(ledger) == []
