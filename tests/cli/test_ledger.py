"""What the closing words say, and which events lead to them."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime

import pytest

from maia_async import (
    Event,
    ExecutionChanged,
    ExecutionRequest,
    ExecutionStatus,
    ExecutionTriggered,
    StreamingPipelineCreated,
    TriggerAbandoned,
)
from maia_async.cli.ledger import MOST_IN_ONE, MOST_WATCHED, Doubt, Ledger, closing_words

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


def runs(count: int) -> dict[str, str]:
    return {f"run-{number}": "P" for number in range(count)}


@pytest.mark.parametrize("all_on_stdout", [False, True])
def test_a_few_are_watched_and_one_command_cancels_all(all_on_stdout: bool) -> None:
    words = closing_words(Ledger(going=runs(MOST_IN_ONE)), all_on_stdout=all_on_stdout)

    assert sum("maia watch" in line for line in words) == MOST_WATCHED
    assert "  and 197 more" in words
    assert shlex.split(words[-1]) == ["maia", "cancel", *runs(MOST_IN_ONE), "--project", "P"]


def test_more_than_fit_into_one_command_are_left_to_stdin_when_they_are_on_stdout() -> None:
    going = runs(MOST_IN_ONE + 1)

    *_, first, second = closing_words(Ledger(going=going))
    assert [*shlex.split(first)[2:-2], *shlex.split(second)[2:-2]] == list(going)
    *_, command, said = closing_words(Ledger(going=going), all_on_stdout=True, options=("--region", "us1"))
    assert shlex.split(command) == ["maia", "cancel", "-", "--project", "P", "--region", "us1"]
    assert "the 201 are on stdout above, in the rows with LEFT_RUNNING" in said


@pytest.mark.parametrize(("count", "lines"), [(3, 3), (4, 1), (MOST_IN_ONE + 1, 2)])
def test_runs_that_are_being_cancelled_are_only_watched(count: int, lines: int) -> None:
    words = closing_words(Ledger(going=runs(count), cancelling=set(runs(count))))

    assert words[0] == f"{count} runs are being cancelled; to see the end:"
    assert sum("maia watch" in line for line in words) == lines
    assert not any("maia cancel" in line for line in words)
    assert {word for line in words[1:] for word in shlex.split(line)} >= set(runs(count))


def test_a_hostile_id_stays_an_argument() -> None:
    words = closing_words(Ledger(going={"--force; rm -rf /": "P Q"}))

    assert "--" in shlex.split(words[-1])
    parts = shlex.split(words[1])
    assert parts[parts.index("--") + 1 :] == ["--force; rm -rf /"]
    assert "P Q" in parts


def test_candidates_of_a_doubt_are_named() -> None:
    assert str(Doubt(REQUEST, ("c-1", "c-2"))).endswith("it may be one of c-1, c-2")


def test_a_forgotten_run_is_in_other_hands() -> None:
    ledger = Ledger(going={"a": "P"})

    ledger.forget("a")

    assert closing_words(ledger) == []


def test_a_created_pipeline_is_named_until_its_id_was_printed() -> None:
    ledger = Ledger()
    for pipeline in ("p-1", "-p"):
        ledger(StreamingPipelineCreated(at=AT, project_id="P", pipeline_id=pipeline, name="orders"))
    ledger.forget_created("p-1")

    said, command = closing_words(ledger, options=("--region", "eu1"))

    assert said == "streaming pipeline -p was created; to see it:"
    assert shlex.split(command) == ["maia", "streaming", "show", "--project", "P", "--region", "eu1", "--", "-p"]
