"""Every error that this package raises, split by who must act; it decides nothing and imports no other layer.

    MaiaError
    ├─ ConfigurationError              set something up: the message says which variable or argument
    ├─ MisuseError                     change the program
    │  └─ SessionClosed                .execution_id .execution when a wait was cut off by it
    ├─ InvalidRequest (ValueError)     .problems: field path and message; nothing was sent
    ├─ TransportError                  no answer
    │  ├─ ConnectFailed                the connection was never made: nothing was sent
    │  ├─ RequestTimedOut (TimeoutError)
    │  └─ Disconnected
    ├─ ResponseError                   .status .method .path .problem .request_id .retry_after
    │  ├─ BadRequest (400, 422; also InvalidRequest)
    │  ├─ Unauthorized (401)   Forbidden (403)   NotFound (404)   Conflict (409)   PipelineDisabled (410)
    │  ├─ RateLimited (429)
    │  └─ ServerError (5xx)
    │     └─ GatewayTimeout (504)
    ├─ DecodeError                     an answer that is not what was promised: .problems are `$.path` lines
    ├─ TriggerOutcomeUnknown           a run may have started: .candidates .request .execution_tag
    ├─ CreateOutcomeUnknown            a streaming pipeline may have been created: .candidates .name
    ├─ StatusUnavailable               the run goes on, we cannot see it: .execution .last_details
    ├─ StreamingStopped                a streaming pipeline ended
    ├─ WaitTimeout (TimeoutError)      our own deadline passed: .execution .last_details
    ├─ JournalError                    .path: a batch's journal cannot be used; nothing in it was overwritten
    │  ├─ JournalInUse                 wait for the other one to end
    │  ├─ JournalMismatch              it is another batch's: .index .fields
    │  ├─ JournalCorrupt               it is damaged, no journal, or a newer version's
    │  └─ JournalWriteFailed           make room; what was acknowledged before is safe
    ├─ ReplayedError                   .kind: an error of an earlier process, from its journal
    └─ ExecutionUnsuccessful           .execution .details
       ├─ ExecutionFailed   ExecutionCancelled   ExecutionSkipped   ExecutionForbidden

Whatever ended a wait for a run has `.reference`, from which another process goes on: see `Maia.execution_from`.
No error holds a token, a secret or a request header, and the text of each is one printable line, since it ends up in logs and on terminals.
`maia_async` never wraps its errors in an exception group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from maia_async.problems import FieldProblem, ProblemDetail

if TYPE_CHECKING:
    from collections.abc import Iterable


class MaiaError(Exception):
    """The root: `except MaiaError` catches everything that this package raises on purpose.

    `execution`: the handle that was awaited, when the error ended a wait for a run; else None.
    """

    execution: Any = None

    def __str__(self) -> str:
        return printable(super().__str__())

    @property
    def reference(self) -> str | None:
        """For an error that ended a wait for a run: `execution.reference`, to await it elsewhere. None for any other."""
        try:
            found: str | None = getattr(self.execution, "reference", None)
        except InvalidRequest:  # an id that no path can hold: whoever looks at an error must not get another one
            return None
        return found


class ConfigurationError(MaiaError):
    """Settings are missing, contradictory or out of range; the message names the variable or the field."""


class MisuseError(MaiaError):
    """The program uses the package in a way that cannot work; the message says what to do instead."""


class SessionClosed(MisuseError):
    """The client was closed. A wait that was cut off by it has the run's id in `execution_id`, and its `execution` and `reference`."""

    def __init__(self, message: str = "this Maia client is closed", *, execution_id: str | None = None) -> None:
        super().__init__(message if execution_id is None else f"{message}; execution {execution_id} was left running")
        self.execution_id = execution_id


class InvalidRequest(MaiaError, ValueError):
    """A request that must not be sent: every problem at once, each with its dotted field path."""

    def __init__(self, problems: Iterable[FieldProblem], *, what: str = "request") -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = "; ".join(str(problem) for problem in self.problems)
        super().__init__(f"invalid {what}: {count} {'problem' if count == 1 else 'problems'}: {lines}")


class TransportError(MaiaError):
    """No answer came: `method` and `path` say to what, `reason` how the connection failed."""

    def __init__(self, reason: str, *, method: str = "", path: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.method = method
        self.path = path

    def at(self, method: str, path: str) -> Self:
        """The same error, saying which request it ended."""
        self.method, self.path = method, path
        return self

    def __str__(self) -> str:
        return printable(f"{self.method} {self.path}: {self.reason}" if self.method else self.reason)


class ConnectFailed(TransportError):
    """The connection was never made, so nothing was sent (refused, DNS, TLS, no route, connect timeout).

    `final`: trying again cannot help (a certificate was refused).
    """

    def __init__(self, reason: str, *, method: str = "", path: str = "", final: bool = False) -> None:
        super().__init__(reason, method=method, path=path)
        self.final = final


class RequestTimedOut(TransportError, TimeoutError):
    """The request was (or may have been) sent and no whole answer came within `Timeouts.total`."""


class Disconnected(TransportError):
    """The connection broke after the request was (or may have been) sent."""


class ResponseError(MaiaError):
    """The API answered, and the answer is a refusal or a failure.

    Attributes: `status` (int), `method`, `path`, `problem` (ProblemDetail), `request_id` (str or None, from the reply's headers),
    `retry_after` (seconds, or None when the reply did not say).
    """

    def __init__(
        self,
        status: int,
        *,
        method: str,
        path: str,
        problem: ProblemDetail | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.method = method
        self.path = path
        self.problem = problem if problem is not None else ProblemDetail()
        self.request_id = request_id
        self.retry_after = retry_after
        said = str(self.problem)
        text = f"{method} {path}: {status}" + (f" {said}" if said else "")
        if retry_after is not None:
            text += f" (retry after {retry_after:g} s)"
        # Not super(): behind BadRequest the next in line is InvalidRequest, which would take the text for a list of problems.
        MaiaError.__init__(self, text + (f" [request {request_id}]" if request_id else ""))


class BadRequest(ResponseError, InvalidRequest):
    """400 or 422: the API found the request invalid; `problems` are the fields that it names."""

    def __init__(self, status: int, **context: Any) -> None:
        ResponseError.__init__(self, status, **context)
        self.problems = self.problem.problems


class Unauthorized(ResponseError):
    """401 with a fresh token, or credentials that the token endpoint refused."""


class Forbidden(ResponseError):
    """403: these credentials lack a role for it, or an IP allow-list stands in front of the API."""


class NotFound(ResponseError):
    """404: no such project, environment, pipeline or execution, or none that these credentials may see."""


class Conflict(ResponseError):
    """409: an execution with this tag is running, or a streaming pipeline is already in the wanted state."""


class PipelineDisabled(ResponseError):
    """410: the pipeline has been disabled."""


class RateLimited(ResponseError):
    """429, or a pause that the API ordered and that is longer than `RateLimit.max_pause`."""


class ServerError(ResponseError):
    """5xx: the API failed; whether a POST was carried out cannot be told from it."""


class GatewayTimeout(ServerError):
    """504."""


class DecodeError(MaiaError):
    """An answer that is not what the API promises: `problems` are lines such as `$.results[3].status: expected text`."""

    def __init__(self, problems: Iterable[str], *, method: str = "", path: str = "", status: int | None = None) -> None:
        self.problems = tuple(problems)
        self.method = method
        self.path = path
        self.status = status
        super().__init__(*self.problems)

    def at(self, method: str, path: str, status: int | None = None) -> Self:
        """The same error, saying which request's answer it was."""
        self.method, self.path, self.status = method, path, self.status or status
        return self

    def __str__(self) -> str:
        where = f"{self.method} {self.path}: " if self.method else ""
        return printable(f"{where}cannot read the answer: {'; '.join(self.problems)}")


class TriggerOutcomeUnknown(MaiaError):
    """A POST that starts a run got no usable answer, and the list of executions does not settle whether it started one.

    Attributes: `request` (the ExecutionRequest), `execution_tag` (what was sent, or None), `candidates` (ids of executions that may
    be ours, possibly none), `project_id`. The cause is in `__cause__`.
    """

    def __init__(
        self,
        *,
        request: Any,
        project_id: str,
        execution_tag: str | None = None,
        candidates: Iterable[str] = (),
        reason: str = "",
    ) -> None:
        self.request = request
        self.project_id = project_id
        self.execution_tag = execution_tag
        self.candidates = tuple(candidates)
        text = f"pipeline {request.pipeline_name!r} in {request.environment_name!r} may have started: {reason or 'no usable answer'}"
        if self.candidates:
            text += f"; it may be one of {', '.join(self.candidates)}"
        super().__init__(text + "; look at the list of executions before you start it once more")


class CreateOutcomeUnknown(MaiaError):
    """A POST that creates a streaming pipeline got no usable answer, and the list does not settle it. It was not sent again.

    Attributes: `name`, `candidates` (ids of the pipelines of that name, possibly none). The cause is in `__cause__`.
    """

    def __init__(self, name: str, *, candidates: Iterable[str] = ()) -> None:
        self.name = name
        self.candidates = tuple(candidates)
        known = f"it may be one of {', '.join(self.candidates)}" if self.candidates else "the list does not show it yet"
        super().__init__(f"streaming pipeline {name!r} may have been created: {known}; it was not sent again")


class StatusUnavailable(MaiaError):
    """The state of a run could not be read for `PollPolicy.max_unreachable` seconds; the run itself may well go on.

    Attributes: `execution` (the handle that was awaited), `last_details` (the last that was seen, or None).
    The last failure is in `__cause__`.
    """

    def __init__(self, message: str, *, execution: Any, last_details: Any = None) -> None:
        super().__init__(message)
        self.execution = execution
        self.last_details = last_details


class StreamingStopped(MaiaError):
    """A streaming pipeline that was on its way to STREAMING, or there, shows NOT_RUNNING: `pipeline`, `timeline` of states seen."""

    def __init__(self, message: str, *, pipeline: Any, timeline: Iterable[Any] = ()) -> None:
        super().__init__(message)
        self.pipeline = pipeline
        self.timeline = tuple(timeline)


class WaitTimeout(MaiaError, TimeoutError):
    """The `timeout` of a wait of ours passed. The run goes on unless `on_timeout` asked for its cancellation.

    With "confirm" it has not ended in spite of that, and a cancel that failed is in `__cause__`.
    Attributes: `execution` (the handle that was awaited; await it again to go on), `last_details` (or None), `details` (the same),
    `timeline` (streaming pipelines: the states seen, each with its time).
    """

    def __init__(self, message: str, *, execution: Any, last_details: Any = None, timeline: Iterable[Any] = ()) -> None:
        super().__init__(message)
        self.execution = execution
        self.last_details = last_details
        self.timeline = tuple(timeline)

    @property
    def details(self) -> Any:
        """The last details seen, under the name that the other execution errors use."""
        return self.last_details


class JournalError(MaiaError):
    """A journal cannot be used: `path` says which. What is in the file was not changed."""

    def __init__(self, reason: str, *, path: str) -> None:
        super().__init__(f"journal {path!r} {reason}")
        self.reason = reason
        self.path = path


class JournalInUse(JournalError):
    """Another batch, of this process or of another one, holds the journal."""


class JournalMismatch(JournalError):
    """The journal is about another batch: another project, or a row that was another request.

    Attributes: `index` of the row (None when the whole is meant), `fields` that differ, by the API's names. Values are not shown.
    """

    def __init__(self, reason: str, *, path: str, index: int | None = None, fields: Iterable[str] = ()) -> None:
        super().__init__(reason, path=path)
        self.index = index
        self.fields = tuple(fields)


class JournalCorrupt(JournalError):
    """The file is damaged, is no journal, or was written by a newer version of this package."""


class JournalWriteFailed(JournalError):
    """A write did not become durable (disk full, I/O error). Nothing is half-written; reopen the journal to go on."""


class ReplayedError(MaiaError):
    """The error of an outcome that comes from a journal: its text, and in `kind` the name of its class."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind

    def __str__(self) -> str:
        return printable(str(self.args[0]) or self.kind)


class ExecutionUnsuccessful(MaiaError):
    """A run ended and not with SUCCESS: `execution` is its handle, `details` its last ExecutionDetails."""

    def __init__(self, *, execution: Any, details: Any) -> None:
        self.execution = execution
        self.details = details
        said = f": {_printable(details.message)}" if details.message else ""
        name = details.pipeline_name or "pipeline"
        place = f" in {details.environment_name!r}" if details.environment_name else ""
        super().__init__(f"{name!r}{place}, execution {execution.id}, ended {details.status.value}{said}")


class ExecutionFailed(ExecutionUnsuccessful):
    """FAILED."""


class ExecutionCancelled(ExecutionUnsuccessful):
    """CANCELLED: by us, by somebody else, or by the platform."""


class ExecutionSkipped(ExecutionUnsuccessful):
    """SKIPPED: Maia did not run it."""


class ExecutionForbidden(ExecutionUnsuccessful):
    """FORBIDDEN: a restricted runner's allow list no longer permits this project and environment."""


def printable(text: str) -> str:
    r"""`text` on one line, with an escape such as `\x1b` for what cannot be printed: names, ids and messages may hold what they like."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _printable(text: str) -> str:
    """A message of a pipeline, which may have lines of its own, on one line."""
    return "".join(char if char.isprintable() else " " for char in text)
