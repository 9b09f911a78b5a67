"""When an error is the last word about a pipeline: each line of the table, and rows of refusals. What a read after a STOP calls for."""

from __future__ import annotations

from typing import Any

import pytest

from maia_async import StreamingState
from maia_async.errors import (
    BadRequest,
    ConfigurationError,
    Conflict,
    Disconnected,
    Forbidden,
    InvalidRequest,
    NotFound,
    PipelineDisabled,
    ServerError,
    Unauthorized,
)
from maia_async.orchestration.supervision.refusals import Refusals, Weight, weight_of
from maia_async.orchestration.supervision.stopping import Step, step
from maia_async.watching.failures import ends_wait

PASSING, DOUBTED, FINAL = Weight


def answer(kind: Any, status: int) -> Any:
    return kind(status, method="GET", path="/v1")


@pytest.mark.parametrize(
    ("error", "since_created", "of_read", "of_start"),
    [
        (answer(Unauthorized, 401), None, DOUBTED, DOUBTED),
        (answer(Forbidden, 403), None, DOUBTED, DOUBTED),
        (answer(NotFound, 404), None, DOUBTED, DOUBTED),
        (answer(NotFound, 404), 61.0, DOUBTED, DOUBTED),
        (answer(NotFound, 404), 59.0, PASSING, PASSING),
        (answer(BadRequest, 400), None, PASSING, FINAL),
        (answer(BadRequest, 422), None, PASSING, FINAL),
        (answer(PipelineDisabled, 410), None, PASSING, FINAL),
        (InvalidRequest([]), None, FINAL, FINAL),
        (ConfigurationError("no"), None, FINAL, FINAL),
        (answer(Conflict, 409), None, PASSING, PASSING),
        (answer(ServerError, 500), None, PASSING, PASSING),
        (Disconnected("broke"), None, PASSING, PASSING),
        (OSError("of a user's own Auth"), None, PASSING, PASSING),
    ],
)
def test_what_an_error_says(error: Exception, since_created: float | None, of_read: Weight, of_start: Weight) -> None:
    ends = ends_wait(error, since_trigger=since_created, grace=60.0)
    assert weight_of(error, ends_wait=ends, of_start=False) is of_read
    assert weight_of(error, ends_wait=ends, of_start=True) is of_start


@pytest.mark.parametrize(
    ("answers", "gives_up"),
    [
        ([(0, FINAL)], True),
        ([(0, DOUBTED)], False),
        ([(0, DOUBTED), (30, DOUBTED), (59, DOUBTED), (59.9, DOUBTED)], False),  # often, and not for long
        ([(0, DOUBTED), (100, DOUBTED)], False),  # for long, and not often
        ([(0, DOUBTED), (30, DOUBTED), (60, DOUBTED)], True),
        ([(0, DOUBTED), (30, PASSING), (40, DOUBTED), (60, PASSING), (61, DOUBTED)], True),
        ([(0, DOUBTED), (30, DOUBTED), (40, None), (60, DOUBTED)], False),
        ([(0, PASSING)] * 100 + [(500, PASSING)], False),
    ],
)
def test_a_row_of_refusals(answers: list[tuple[float, Weight | None]], gives_up: bool) -> None:
    row, found = Refusals(), [False]
    for at, weight in answers:
        if weight is None:
            row.over()
        else:
            found.append(row.met(weight, at))
    assert not any(found[:-1])
    assert found[-1] is gives_up


STARTING, SNAPSHOTTING, STREAMING, STOPPING, NOT_RUNNING, UNKNOWN = StreamingState
RUNNING, OTHER = (STARTING, SNAPSHOTTING, STREAMING), (STOPPING, UNKNOWN, StreamingState("PAUSED"))


@pytest.mark.parametrize(
    ("states", "after", "refused", "pends", "expected"),
    [
        (StreamingState, -0.1, (True, False), (True, False), Step.WAIT),  # it went out before the answer came
        ([NOT_RUNNING], 0.0, (True, False), (False,), Step.STOPPED),
        ([NOT_RUNNING], 0.0, (True, False), (True,), Step.AGAIN),
        (RUNNING, 0.0, (True,), (True, False), Step.AGAIN),
        (RUNNING, 2.9, (False,), (True, False), Step.WAIT),
        (RUNNING, 3.0, (False,), (True, False), Step.AGAIN),
        (OTHER, 100.0, (True, False), (True, False), Step.WAIT),
    ],
)
def test_what_a_read_after_a_stop_calls_for(states: Any, after: float, refused: Any, pends: Any, expected: Step) -> None:
    for state in states:
        for was_refused in refused:
            for start_pends in pends:
                assert step(state, after=after, refused=was_refused, start_pends=start_pends) is expected
