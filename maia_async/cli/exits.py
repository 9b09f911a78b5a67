"""How the program ends: exit codes, and the one place that turns an exception into one. It prints nothing.

    exception, the first line that fits                                     exit
    BrokenPipeError                                                         141   nobody reads stdout any more
    UsageProblem, and what the argument parser refuses                      2
    Unauthorized: 401 with a fresh token, or the token endpoint refused     3
    ExecutionUnsuccessful, WaitTimeout                                      1
    ResponseError, TransportError, DecodeError                              4     a refused trigger of `maia run` too: 400, 404, 409, 410
    StatusUnavailable, TriggerOutcomeUnknown, CreateOutcomeUnknown          4
    InvalidRequest, ConfigurationError, MisuseError                         2     nothing was sent
    any other MaiaError                                                     1
    OSError                                                                 1     stdout cannot be written
    anything else                                                           70    a bug of ours

In `maia batch`, what became of each row is an outcome and no exception: 0 when all succeeded, else 1, and 4 when no run was started
because the API or the network failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from maia_async import (
    ConfigurationError,
    CreateOutcomeUnknown,
    DecodeError,
    ExecutionUnsuccessful,
    InvalidRequest,
    MaiaError,
    MisuseError,
    ResponseError,
    StatusUnavailable,
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
    ((ExecutionUnsuccessful, WaitTimeout), ExitStatus.UNSUCCESSFUL),
    ((ResponseError, TransportError, DecodeError), ExitStatus.API_FAILED),
    ((StatusUnavailable, TriggerOutcomeUnknown, CreateOutcomeUnknown), ExitStatus.API_FAILED),
    ((InvalidRequest, ConfigurationError, MisuseError), ExitStatus.USAGE),
    (MaiaError, ExitStatus.UNSUCCESSFUL),
    (OSError, ExitStatus.UNSUCCESSFUL),
)


def exit_status_of(error: BaseException) -> ExitStatus:
    """The exit code that `error` means; see the table of this module."""
    for kinds, status in _TABLE:
        if isinstance(error, kinds):
            return status
    return ExitStatus.BUG


def explain(error: BaseException) -> list[str]:
    """What to tell the user about `error`, one or more lines; no traceback."""
    if isinstance(error, BrokenPipeError):
        return []
    if isinstance(error, UsageProblem):
        return list(error.lines)
    if isinstance(error, InvalidRequest) and not isinstance(error, ResponseError):
        return [str(problem) for problem in error.problems]
    if isinstance(error, TriggerOutcomeUnknown) and error.execution_tag is not None:
        return [str(error), f"its execution tag is {error.execution_tag}"]
    if isinstance(error, Unauthorized):
        return [str(error), "check MAIA_CLIENT_ID and MAIA_CLIENT_SECRET, or MAIA_TOKEN, and the region of the account (--region)"]
    if isinstance(error, MaiaError):
        return [str(error)]
    if isinstance(error, OSError):
        return [f"cannot go on: {error.strerror or error}"]
    return [f"this is a bug in maia: {type(error).__name__}: {error}"]
