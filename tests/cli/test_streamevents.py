"""The words, styles and JSON of a supervisor's events, a row for each line of the table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from maia_async import (
    ExternallyStopped,
    Flapping,
    Forbidden,
    GaveUp,
    NotFound,
    ProblemDetail,
    ReachableAgain,
    RestartAttempted,
    ServerError,
    StartAttempted,
    StreamingState,
    StreamingTransition,
    SupervisorEvent,
    Unreachable,
)
from maia_async.cli.streamevents import brief_of, document_of_event, duration, is_notable, style_of, words_of

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
WHICH: dict[str, Any] = {"at": AT, "pipeline_id": "p-1"}
STREAMING, NOT_RUNNING = StreamingState.STREAMING, StreamingState.NOT_RUNNING
LOST = ServerError(500, method="POST", path="/c", problem=ProblemDetail(detail="no agent"))
GONE = NotFound(404, method="GET", path="/s", problem=ProblemDetail(detail="no such pipeline"))
ROWS = [
    (StreamingTransition(previous=None, current=STREAMING, duration=None, **WHICH), "STREAMING", "", False),
    (StreamingTransition(previous=STREAMING, current=NOT_RUNNING, duration=300, **WHICH), "NOT_RUNNING after 5 min STREAMING", "", True),
    (
        StreamingTransition(previous=StreamingState.STARTING, current=STREAMING, duration=2.25, **WHICH),
        "STREAMING after 2.2 s STARTING",
        "",
        False,
    ),
    (StartAttempted(accepted=True, error=None, **WHICH), "started", "", False),
    (
        StartAttempted(accepted=False, error=Forbidden(403, method="POST", path="/c"), **WHICH),
        "start refused: 403",
        "",
        True,
    ),
    (StartAttempted(accepted=None, error=LOST, **WHICH), "start sent, outcome unknown: 500 no agent", "", True),
    (RestartAttempted(attempt=2, accepted=True, error=None, delay=0.81, **WHICH), "after 0.8 s: restart 2 accepted", "yellow", True),
    (RestartAttempted(attempt=1, accepted=True, error=None, delay=0.01, **WHICH), "restart 1 accepted", "yellow", True),
    (RestartAttempted(attempt=1, accepted=False, error=None, delay=0, **WHICH), "restart 1 refused: no reason was given", "yellow", True),
    (GaveUp(restarts=3, within=600, **WHICH), "given up: dropped after 3 restarts in 10 min", "red", True),
    (GaveUp(restarts=1, within=60, **WHICH), "given up: dropped after 1 restart in 1 min", "red", True),
    (GaveUp(restarts=0, within=600, error=GONE, **WHICH), "given up: 404 no such pipeline", "red", True),
    (ExternallyStopped(respected=True, **WHICH), "stopped by somebody else, left so", "yellow", True),
    (ExternallyStopped(respected=False, **WHICH), "stopped by somebody else: restarting", "yellow", True),
    (Flapping(drops=4, within=600, **WHICH), "flapping: 4 drops in 10 min", "yellow", True),
    (Unreachable(seconds=300, **WHICH), "unreachable for 5 min", "yellow", True),
    (Unreachable(seconds=600, error=ValueError("no route"), **WHICH), "unreachable for 10 min: no route", "yellow", True),
    (Unreachable(seconds=0.0, error=ValueError("no route"), **WHICH), "unreachable: no route", "yellow", True),
    (ReachableAgain(current=STREAMING, **WHICH), "reachable again: STREAMING", "", True),
    (SupervisorEvent(**WHICH), "SupervisorEvent", "", True),
]


@pytest.mark.parametrize(("event", "words", "style", "notable"), ROWS, ids=[row[1] for row in ROWS])
def test_each_event_has_its_words(event: SupervisorEvent, words: str, style: str, notable: bool) -> None:
    assert words_of(event) == words
    assert style_of(event) == style
    assert is_notable(event) is notable


def test_beside_its_state_a_transition_does_not_repeat_it() -> None:
    first, drop, _, started = (row[0] for row in ROWS[:4])

    assert brief_of(first) == ""
    assert brief_of(drop) == "after 5 min STREAMING"
    assert brief_of(started) == words_of(started)


def test_the_json_has_every_field_under_the_keys_of_the_api() -> None:
    document = document_of_event(RestartAttempted(attempt=1, accepted=None, error=LOST, delay=0.5, **WHICH), "orders")

    assert document == {
        "event": "RestartAttempted",
        "at": "2026-01-01T12:00:00+00:00",
        "streamingPipelineId": "p-1",
        "name": "orders",
        "attempt": 1,
        "error": "POST /c: 500 no agent",
        "delay": 0.5,
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (0.84, "0.8 s"),
        (2, "2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (192, "3 min 12 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (3 * 86400 + 7300, "3 d 2 h"),
    ],
)
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text
