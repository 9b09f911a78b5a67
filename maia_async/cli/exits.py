"""How the program ends: exit codes, and the one place that turns an exception into one. It prints nothing.

    exception, the first line that fits                                     exit
    BrokenPipeError                                                         141   nobody reads stdout any more
    UsageProblem, and what the argument parser refuses                      2
    Unauthorized: 401 with a fresh token, or the token endpoint refused     3
    ExecutionUnsuccessful, StreamingStopped, WaitTimeout                    1
    BadRequest, Forbidden, NotFound, Conflict, PipelineDisabled             1     the API works, and refused this
    any other ResponseError, TransportError, DecodeError                    4     5xx, 429, no answer, one that nobody documents
    StatusUnavailable, TriggerOutcomeUnknown, CreateOutcomeUnknown          4
    InvalidRequest, ConfigurationError, MisuseError                         2     nothing was sent
    JournalWriteFailed                                                      1     runs may go on
    any other JournalError                                                  2     the journal was refused, and nothing was sent
    any other MaiaError                                                     1
    OSError                                                                 1     stdout cannot be written
    anything else                                                           70    a bug of ours; its traceback only with MAIA_DEBUG

In `maia batch`, what became of each row is an outcome and no exception: 0 when all succeeded, else 1, and 4 when no run was started
because the API or the network failed. `maia streaming supervise` is in `supervising`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from maia_async import (
    BadRequest,
    ConfigurationError,
    Conflict,
    CreateOutcomeUnknown,
    DecodeError,
    ExecutionUnsuccessful,
    Forbidden,
    InvalidRequest,
    JournalError,
    JournalMismatch,
    JournalWriteFailed,
    MaiaError,
    MisuseError,
    NotFound,
    PipelineDisabled,
    ResponseError,
    StatusUnavailable,
    StreamingStopped,
    TransportError,
    TriggerOutcomeUnknown,
    Unauthorized,
    WaitTimeout,
)


class ExitStatus(IntEnum):
    """Exit codes of `maia`."""

    OK = 0
    UNSUCCESSFUL = 1
    USAGE = 2
    REFUSED = 3
    API_FAILED = 4
    BUG = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


class UsageProblem(Exception):
    """The command line, or a file named on it, asks for something that cannot be done: `lines` say what and what to do."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines: Sequence[str] = lines


# Looked up by isinstance, the most specific first: BadRequest is an InvalidRequest too, and was sent all the same.
_TABLE: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], ExitStatus], ...]] = (
    (BrokenPipeError, ExitStatus.BROKEN_PIPE),
    (UsageProblem, ExitStatus.USAGE),
    (Unauthorized, ExitStatus.REFUSED),
    ((ExecutionUnsuccessful, StreamingStopped, WaitTimeout), ExitStatus.UNSUCCESSFUL),
    ((BadRequest, Forbidden, NotFound, Conflict, PipelineDisabled), ExitStatus.UNSUCCESSFUL),
    ((ResponseError, TransportError, DecodeError), ExitStatus.API_FAILED),
    ((StatusUnavailable, TriggerOutcomeUnknown, CreateOutcomeUnknown), ExitStatus.API_FAILED),
    ((InvalidRequest, ConfigurationError, MisuseError), ExitStatus.USAGE),
    (JournalWriteFailed, ExitStatus.UNSUCCESSFUL),
    (JournalError, ExitStatus.USAGE),
    (MaiaError, ExitStatus.UNSUCCESSFUL),
    (OSError, ExitStatus.UNSUCCESSFUL),
)


def exit_status_of(error: BaseException) -> ExitStatus:
    """The exit code that `error` means; see the table of this module."""
    for kinds, status in _TABLE:
        if isinstance(error, kinds):
            return status
    return ExitStatus.BUG


def credentials_in_use(environ: Mapping[str, str]) -> str:
    """The variables that the credentials came from; all that could hold some when none is set."""
    token, pair = "MAIA_TOKEN", ("MAIA_CLIENT_ID", "MAIA_CLIENT_SECRET")
    if environ.get(token, "").strip():
        return token
    both = " and ".join(pair)
    return both if any(environ.get(name, "").strip() for name in pair) else f"{both}, or {token}"


def explain(error: BaseException, environ: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """What to tell the user about `error`, one or more lines; no traceback. `environ` says which credentials are in use."""
    if isinstance(error, BrokenPipeError):
        return []
    if isinstance(error, UsageProblem):
        return list(error.lines)
    if isinstance(error, InvalidRequest) and not isinstance(error, ResponseError):
        return [str(problem) for problem in error.problems]
    if isinstance(error, BadRequest) and error.problems:
        # The same kind of lines as for what is refused before sending.
        said = error.problem.detail or error.problem.title or "refused"
        request = f" [request {error.request_id}]" if error.request_id else ""
        return [f"{error.method} {error.path}: {error.status} {said}{request}", *map(str, error.problems)]
    if isinstance(error, TriggerOutcomeUnknown) and error.execution_tag is not None:
        return [str(error), f"its execution tag is {error.execution_tag}"]
    if isinstance(error, Unauthorized):
        return [str(error), f"check {credentials_in_use(environ)}, and the region of the account (--region)"]
    if isinstance(error, JournalMismatch):
        return list(_mismatch(error))
    if isinstance(error, ExecutionUnsuccessful):
        status, message = error.details.status.value, error.details.message or ""
        words = beyond(status, message)
        return [str(error).replace(f"{status}: {message}", f"{status}: {words}" if words else status)]
    if isinstance(error, MaiaError):
        return [str(error)]
    if isinstance(error, OSError):
        return [f"cannot go on: {error.strerror or error}"]
    return [f"this is a bug in maia: {type(error).__name__}: {error}", "please report it, with what MAIA_DEBUG=1 shows"]


def _mismatch(error: JournalMismatch) -> Iterator[str]:
    # Rows are counted from 1 here, as in the file.
    yield str(error) if error.index is None else str(error).replace(f"at index {error.index}", f"in row {error.index + 1}", 1)
    if "base URL" in error.fields:
        yield "or give the --region, or --base-url, of that batch"


def beyond(status: str, message: str) -> str:
    """What `message` says beyond `status`: Maia begins some with the very word, as in "Skipped: the pipeline is already running"."""
    head, colon, rest = message.partition(":")
    return (rest.strip() if colon else "") if head.strip().upper() == status else message
