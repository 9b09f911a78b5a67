"""The table of `exits`, a row each."""

from __future__ import annotations

import pytest

from maia_async import (
    BadRequest,
    ConfigurationError,
    Conflict,
    ConnectFailed,
    DecodeError,
    ExecutionDetails,
    ExecutionFailed,
    ExecutionRequest,
    ExecutionStatus,
    FieldProblem,
    Forbidden,
    InvalidRequest,
    MaiaError,
    MisuseError,
    NotFound,
    PipelineDisabled,
    RateLimited,
    RequestTimedOut,
    ServerError,
    SessionClosed,
    StatusUnavailable,
    TriggerOutcomeUnknown,
    Unauthorized,
    WaitTimeout,
)
from maia_async.cli.exits import UsageProblem, exit_status_of, explain

REQUEST = ExecutionRequest(pipeline_name="p", environment_name="e", execution_tag="t-1")


class Handle:
    id = "x"


FAILED = ExecutionDetails(status=ExecutionStatus.FAILED, pipeline_name="p", message="no table")
UNKNOWN = TriggerOutcomeUnknown(request=REQUEST, project_id="P", execution_tag="t-1", candidates=["c-1"])
ROWS = [
    (BrokenPipeError(), 141),
    (UsageProblem("x"), 2),
    (Unauthorized(401, method="GET", path="/"), 3),
    (ExecutionFailed(execution=Handle(), details=FAILED), 1),
    (WaitTimeout("late", execution=Handle()), 1),
    (BadRequest(400, method="POST", path="/"), 4),
    (Forbidden(403, method="GET", path="/"), 4),
    (NotFound(404, method="GET", path="/"), 4),
    (Conflict(409, method="POST", path="/"), 4),
    (PipelineDisabled(410, method="POST", path="/"), 4),
    (RateLimited(429, method="GET", path="/"), 4),
    (ServerError(500, method="GET", path="/"), 4),
    (ConnectFailed("refused"), 4),
    (RequestTimedOut("late"), 4),
    (DecodeError(["$: no"]), 4),
    (StatusUnavailable("gone", execution=Handle()), 4),
    (UNKNOWN, 4),
    (InvalidRequest([FieldProblem("environmentName", "must not be empty")]), 2),
    (ConfigurationError("no credentials"), 2),
    (MisuseError("two of that name"), 2),
    (SessionClosed(), 2),
    (MaiaError("other"), 1),
    (OSError(28, "No space left on device"), 1),
    (ZeroDivisionError(), 70),
]


@pytest.mark.parametrize(("error", "status"), ROWS, ids=lambda value: type(value).__name__)
def test_each_error_has_its_exit_code(error: Exception, status: int) -> None:
    assert exit_status_of(error) == status


@pytest.mark.parametrize("error", [error for error, _ in ROWS if not isinstance(error, BrokenPipeError)], ids=lambda e: type(e).__name__)
def test_each_error_is_explained(error: Exception) -> None:
    assert all(explain(error))


def test_a_broken_pipe_is_not_talked_about() -> None:
    assert explain(BrokenPipeError()) == []


def test_every_problem_of_a_request_has_its_line() -> None:
    error = InvalidRequest([FieldProblem("a", "is wrong"), FieldProblem("b", "is missing")])

    assert explain(error) == ["a: is wrong", "b: is missing"]


def test_an_unknown_trigger_names_what_can_be_looked_for() -> None:
    said = " ".join(explain(UNKNOWN))

    assert "c-1" in said
    assert "t-1" in said


def test_refused_credentials_name_the_variables() -> None:
    assert "MAIA_CLIENT_SECRET" in " ".join(explain(Unauthorized(401, method="POST", path="/token")))
