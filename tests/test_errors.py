"""The error tree: one root, the classes and attributes that the design names, and texts that say what happened."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import maia_async
from maia_async import errors
from maia_async.models import ExecutionDetails, ExecutionRequest, ExecutionStatus
from maia_async.problems import FieldProblem, ProblemDetail

TREE: dict[str, tuple[type[BaseException], ...]] = {
    "MaiaError": (Exception,),
    "ConfigurationError": (errors.MaiaError,),
    "MisuseError": (errors.MaiaError,),
    "SessionClosed": (errors.MisuseError,),
    "InvalidRequest": (errors.MaiaError, ValueError),
    "TransportError": (errors.MaiaError,),
    "ConnectFailed": (errors.TransportError,),
    "RequestTimedOut": (errors.TransportError, TimeoutError),
    "Disconnected": (errors.TransportError,),
    "ResponseError": (errors.MaiaError,),
    "BadRequest": (errors.ResponseError, errors.InvalidRequest),
    "Unauthorized": (errors.ResponseError,),
    "Forbidden": (errors.ResponseError,),
    "NotFound": (errors.ResponseError,),
    "Conflict": (errors.ResponseError,),
    "PipelineDisabled": (errors.ResponseError,),
    "RateLimited": (errors.ResponseError,),
    "ServerError": (errors.ResponseError,),
    "GatewayTimeout": (errors.ServerError,),
    "DecodeError": (errors.MaiaError,),
    "TriggerOutcomeUnknown": (errors.MaiaError,),
    "CreateOutcomeUnknown": (errors.MaiaError,),
    "StatusUnavailable": (errors.MaiaError,),
    "StreamingStopped": (errors.MaiaError,),
    "WaitTimeout": (errors.MaiaError, TimeoutError),
    "JournalError": (errors.MaiaError,),
    "JournalInUse": (errors.JournalError,),
    "JournalMismatch": (errors.JournalError,),
    "JournalCorrupt": (errors.JournalError,),
    "JournalWriteFailed": (errors.JournalError,),
    "ReplayedError": (errors.MaiaError,),
    "ExecutionUnsuccessful": (errors.MaiaError,),
    "ExecutionFailed": (errors.ExecutionUnsuccessful,),
    "ExecutionCancelled": (errors.ExecutionUnsuccessful,),
    "ExecutionSkipped": (errors.ExecutionUnsuccessful,),
    "ExecutionForbidden": (errors.ExecutionUnsuccessful,),
}
NEVER_RAISED_TO_A_CALLER = {
    "Held",  # the trigger's own: the POST waits
    "_Broken",  # carries an error of ours through the HTTP library
    "Refused",  # the emulator's own: becomes an HTTP answer
    "UsageProblem",  # the command line's own: becomes an exit code
    "Withdrawn",  # the supervisor's own: ends a start that nobody wants any more
}
RESPONSES = [kind for name in TREE if issubclass(kind := getattr(errors, name), errors.ResponseError)]
JOURNAL = [kind for name in TREE if issubclass(kind := getattr(errors, name), errors.JournalError)]
ENDS = [kind for name in TREE if issubclass(kind := getattr(errors, name), errors.ExecutionUnsuccessful)]


class Handle:
    """Stands for an execution in errors that carry one."""

    id = "e-1"


NOT_SENT_AGAIN = "look at the list of executions before you start it once more"
REQUEST = ExecutionRequest(pipeline_name="Load", environment_name="Prod")
FAILED = ExecutionDetails(status=ExecutionStatus.FAILED, pipeline_name="Load", environment_name="Prod", message="no such table")
PROBLEM = ProblemDetail(title="Bad Request", detail="it is wrong", problems=(FieldProblem("pipelineName", "must not be empty"),))


def response_error(kind: type[errors.ResponseError]) -> errors.ResponseError:
    return kind(400, method="POST", path="/v1/x", problem=PROBLEM, request_id="r-9", retry_after=2.5)


SAMPLES: dict[str, Callable[[], errors.MaiaError]] = {
    "MaiaError": lambda: errors.MaiaError("said"),
    "ConfigurationError": lambda: errors.ConfigurationError("said"),
    "MisuseError": lambda: errors.MisuseError("said"),
    "SessionClosed": lambda: errors.SessionClosed(execution_id="e-1"),
    "InvalidRequest": lambda: errors.InvalidRequest([FieldProblem("a", "b")]),
    "TransportError": lambda: errors.TransportError("broken"),
    "ConnectFailed": lambda: errors.ConnectFailed("refused", final=True),
    "RequestTimedOut": lambda: errors.RequestTimedOut("slow"),
    "Disconnected": lambda: errors.Disconnected("reset"),
    **{kind.__name__: lambda kind=kind: response_error(kind) for kind in RESPONSES},  # type: ignore[misc]  # a default binds the loop's value
    "DecodeError": lambda: errors.DecodeError(["$.a: missing"]),
    "TriggerOutcomeUnknown": lambda: errors.TriggerOutcomeUnknown(request=REQUEST, project_id="p", candidates=["e-1", "e-2"]),
    "CreateOutcomeUnknown": lambda: errors.CreateOutcomeUnknown("stream", candidates=["s-1"]),
    "StatusUnavailable": lambda: errors.StatusUnavailable("said", execution=Handle(), last_details=FAILED),
    "StreamingStopped": lambda: errors.StreamingStopped("said", pipeline=Handle(), timeline=["STARTING", "NOT_RUNNING"]),
    "WaitTimeout": lambda: errors.WaitTimeout("said", execution=Handle(), last_details=FAILED),
    **{kind.__name__: lambda kind=kind: kind("is damaged", path="j.db") for kind in JOURNAL},  # type: ignore[misc]  # the same
    "ReplayedError": lambda: errors.ReplayedError("Conflict", "said"),
    **{kind.__name__: lambda kind=kind: kind(execution=Handle(), details=FAILED) for kind in ENDS},  # type: ignore[misc]  # the same
}


def test_the_tree_is_the_one_that_the_design_draws() -> None:
    found = {name: kind.__bases__ for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BaseException)}
    assert found == TREE


def test_every_error_is_in_the_drawing_at_the_top_of_the_module() -> None:
    assert all(re.search(rf"\b{name}\b", errors.__doc__ or "") for name in TREE)


def test_every_error_that_a_module_defines_has_the_one_root() -> None:
    builtin = {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)}
    roots = {
        node.name
        for path in Path(maia_async.__file__).parent.rglob("*.py")
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and builtin & {ast.unparse(base) for base in node.bases}
    }
    assert roots == NEVER_RAISED_TO_A_CALLER


@pytest.mark.parametrize("name", TREE)
def test_every_error_can_be_caught_by_the_root_and_has_a_text(name: str) -> None:
    error = SAMPLES[name]()
    with pytest.raises(errors.MaiaError) as caught:
        raise error
    assert type(caught.value).__name__ == name
    text = str(caught.value)
    assert text
    assert not text.startswith("(")  # a text that became a tuple
    assert "; ;" not in text


@pytest.mark.parametrize("name", TREE)
def test_no_error_has_an_attribute_that_could_bear_a_secret(name: str) -> None:
    def names(value: Any, depth: int = 0) -> list[str]:
        held = dict(getattr(value, "__dict__", {}))
        held.update({slot: getattr(value, slot, None) for slot in getattr(value, "__slots__", ()) if not slot.startswith("__")})
        return [*held, *(inner for item in held.values() if depth < 3 for inner in names(item, depth + 1))]

    bearing = re.compile("token|secret|authori|header|password|cookie", re.IGNORECASE)
    assert [found for found in names(SAMPLES[name]()) if bearing.search(found)] == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.SessionClosed(), "this Maia client is closed"),
        (errors.SessionClosed(execution_id="e-1"), "this Maia client is closed; execution e-1 was left running"),
        (errors.InvalidRequest([FieldProblem("a", "b")]), "invalid request: 1 problem: a: b"),
        (errors.InvalidRequest([FieldProblem("a", "b"), FieldProblem("", "c")], what="row 3"), "invalid row 3: 2 problems: a: b; c"),
        (errors.TransportError("broken"), "broken"),
        (errors.ConnectFailed("refused", method="GET", path="/v1/x"), "GET /v1/x: refused"),
        (errors.RequestTimedOut("slow", method="GET", path="/v1/x"), "GET /v1/x: slow"),
        (errors.NotFound(404, method="GET", path="/v1/x"), "GET /v1/x: 404"),
        (errors.RateLimited(429, method="GET", path="/v1/x", retry_after=30.0), "GET /v1/x: 429 (retry after 30 s)"),
        (
            response_error(errors.BadRequest),
            "POST /v1/x: 400 it is wrong (pipelineName: must not be empty) (retry after 2.5 s) [request r-9]",
        ),
        (errors.DecodeError(["$.a: missing", "$.b: missing"]), "cannot read the answer: $.a: missing; $.b: missing"),
        (
            errors.TriggerOutcomeUnknown(request=REQUEST, project_id="p"),
            f"pipeline 'Load' in 'Prod' may have started: no usable answer; {NOT_SENT_AGAIN}",
        ),
        (
            errors.TriggerOutcomeUnknown(request=REQUEST, project_id="p", candidates=["e-1", "e-2"], reason="502"),
            f"pipeline 'Load' in 'Prod' may have started: 502; it may be one of e-1, e-2; {NOT_SENT_AGAIN}",
        ),
        (errors.JournalCorrupt("is damaged", path="j\n.db"), "journal 'j\\n.db' is damaged"),
        (errors.ReplayedError("Conflict", "it runs"), "it runs"),
        (errors.ReplayedError("Conflict", ""), "Conflict"),
        (errors.WaitTimeout("waited 5 s", execution=Handle()), "waited 5 s"),
        (errors.ExecutionFailed(execution=Handle(), details=FAILED), "'Load' in 'Prod', execution e-1, ended FAILED: no such table"),
        (
            errors.ExecutionSkipped(execution=Handle(), details=ExecutionDetails(status=ExecutionStatus.SKIPPED)),
            "'pipeline', execution e-1, ended SKIPPED",
        ),
    ],
)
def test_the_text_says_what_happened_and_where(error: errors.MaiaError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize("kind", RESPONSES)
def test_a_response_error_has_the_six_attributes(kind: type[errors.ResponseError]) -> None:
    error = response_error(kind)
    found = (error.status, error.method, error.path, error.problem, error.request_id, error.retry_after)
    assert found == (400, "POST", "/v1/x", PROBLEM, "r-9", 2.5)
    assert kind(500, method="GET", path="/").problem == ProblemDetail()


def test_a_bad_request_names_the_fields_like_a_request_that_we_refused() -> None:
    error = response_error(errors.BadRequest)
    assert isinstance(error, errors.InvalidRequest)
    assert error.problems == (FieldProblem("pipelineName", "must not be empty"),)


def test_the_errors_about_a_run_hold_its_handle_and_what_was_seen() -> None:
    handle = Handle()
    failed = errors.ExecutionFailed(execution=handle, details=FAILED)
    assert (failed.execution, failed.details) == (handle, FAILED)
    late = errors.WaitTimeout("said", execution=handle, last_details=FAILED)
    assert (late.execution, late.last_details, late.details) == (handle, FAILED, FAILED)
    gone = errors.StatusUnavailable("said", execution=handle, last_details=FAILED)
    assert (gone.execution, gone.last_details) == (handle, FAILED)
    stopped = errors.StreamingStopped("said", pipeline=handle, timeline=iter("ab"))
    assert (stopped.pipeline, stopped.timeline) == (handle, ("a", "b"))
    unknown = errors.TriggerOutcomeUnknown(request=REQUEST, project_id="p", execution_tag="t", candidates=iter(["e-1"]))
    assert (unknown.request, unknown.project_id, unknown.execution_tag, unknown.candidates) == (REQUEST, "p", "t", ("e-1",))
    assert errors.SessionClosed(execution_id="e-1").execution_id == "e-1"


def test_deadlines_are_timeout_errors_and_refused_requests_value_errors() -> None:
    assert issubclass(errors.WaitTimeout, TimeoutError)
    assert issubclass(errors.RequestTimedOut, TimeoutError)
    assert issubclass(errors.InvalidRequest, ValueError)
    assert not issubclass(errors.GatewayTimeout, TimeoutError)  # the API's own word, not a deadline of ours


def test_at_says_which_request_and_returns_the_same_error() -> None:
    broken = errors.Disconnected("reset")
    assert broken.at("GET", "/v1/x") is broken
    assert (broken.method, broken.path, str(broken)) == ("GET", "/v1/x", "GET /v1/x: reset")

    garbled = errors.DecodeError(["$: nothing"])
    assert garbled.at("GET", "/v1/x", 200) is garbled
    assert (garbled.status, str(garbled)) == (200, "GET /v1/x: cannot read the answer: $: nothing")


def test_at_keeps_a_status_that_the_error_knows_already() -> None:
    assert errors.DecodeError(["$: too large"], status=206).at("GET", "/", None).status == 206
    assert errors.DecodeError(["$: too large"], status=206).at("GET", "/", 200).status == 206


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (ProblemDetail(), ""),
        (ProblemDetail(title="t"), "t"),
        (ProblemDetail(title="t", detail="d"), "d"),
        (ProblemDetail(problems=(FieldProblem("a", "b"), FieldProblem("", "c"))), "a: b; c"),
        (ProblemDetail(title="t", problems=(FieldProblem("a", "b"),)), "t (a: b)"),
    ],
)
def test_a_problem_shows_its_detail_else_its_title_then_its_fields(problem: ProblemDetail, text: str) -> None:
    assert str(problem) == text
