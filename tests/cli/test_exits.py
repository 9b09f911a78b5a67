"""The table of `exits`, a row each."""

from __future__ import annotations

import pytest

from maia_async import (
    BadRequest,
    ConfigurationError,
    Conflict,
    ConnectFailed,
    CreateOutcomeUnknown,
    DecodeError,
    ExecutionDetails,
    ExecutionFailed,
    ExecutionRequest,
    ExecutionSkipped,
    ExecutionStatus,
    FieldProblem,
    Forbidden,
    InvalidRequest,
    JournalInUse,
    JournalWriteFailed,
    MaiaError,
    MisuseError,
    NotFound,
    PipelineDisabled,
    ProblemDetail,
    RateLimited,
    RequestTimedOut,
    ResponseError,
    ServerError,
    SessionClosed,
    StatusUnavailable,
    StreamingStopped,
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
    (StreamingStopped("dropped", pipeline=Handle()), 1),
    (WaitTimeout("late", execution=Handle()), 1),
    (BadRequest(400, method="POST", path="/"), 1),
    (Forbidden(403, method="GET", path="/"), 1),
    (NotFound(404, method="GET", path="/"), 1),
    (JournalInUse("is in use", path="j"), 2),
    (JournalWriteFailed("cannot be written", path="j"), 1),
    (Conflict(409, method="POST", path="/"), 1),
    (PipelineDisabled(410, method="POST", path="/"), 1),
    (RateLimited(429, method="GET", path="/"), 4),
    (ResponseError(302, method="GET", path="/"), 4),
    (ServerError(500, method="GET", path="/"), 4),
    (ConnectFailed("refused"), 4),
    (RequestTimedOut("late"), 4),
    (DecodeError(["$: no"]), 4),
    (StatusUnavailable("gone", execution=Handle()), 4),
    (UNKNOWN, 4),
    (CreateOutcomeUnknown("orders", candidates=["c-1"]), 4),
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


def test_what_the_api_finds_wrong_has_its_lines_too() -> None:
    problem = ProblemDetail(title="Bad Request", detail="There are errors", problems=(FieldProblem("a.b", "is wrong"),))

    assert explain(BadRequest(400, method="POST", path="/x", problem=problem, request_id="r-1")) == [
        "POST /x: 400 There are errors [request r-1]",
        "a.b: is wrong",
    ]


def test_an_unknown_create_names_what_it_may_be() -> None:
    assert "c-1" in " ".join(explain(CreateOutcomeUnknown("orders", candidates=["c-1"])))


def test_an_unknown_trigger_names_what_can_be_looked_for() -> None:
    said = " ".join(explain(UNKNOWN))

    assert "c-1" in said
    assert "t-1" in said


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MAIA_TOKEN": "t"}, "check MAIA_TOKEN, and the region"),
        (
            {"MAIA_CLIENT_ID": "c", "MAIA_CLIENT_SECRET": "s", "MAIA_TOKEN": " "},
            "check MAIA_CLIENT_ID and MAIA_CLIENT_SECRET, and the region",
        ),
        ({}, "check MAIA_CLIENT_ID and MAIA_CLIENT_SECRET, or MAIA_TOKEN, and the region"),
    ],
)
def test_refused_credentials_name_the_variables_in_use(environ: dict[str, str], said: str) -> None:
    assert explain(Unauthorized(401, method="POST", path="/token"), environ)[1].startswith(said)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Skipped: it runs already", "ended SKIPPED: it runs already"),
        ("Skipped", "ended SKIPPED"),
        ("it is late", "ended SKIPPED: it is late"),
    ],
)
def test_a_message_does_not_repeat_the_status(message: str, said: str) -> None:
    details = ExecutionDetails(status=ExecutionStatus.SKIPPED, pipeline_name="p", message=message)

    (line,) = explain(ExecutionSkipped(execution=Handle(), details=details))

    assert line.endswith(said)
