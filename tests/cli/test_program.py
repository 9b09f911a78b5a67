"""However a command ends, the program ends with an exit code and its words."""

from __future__ import annotations

import io
import logging

import pytest

from maia_async.cli.environment import Environment
from maia_async.cli.exits import ExitStatus
from maia_async.cli.program import Program


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def program(err: io.StringIO, environ: dict[str, str] | None = None) -> Program:
    return Program.of(Environment(stdout=io.StringIO(), stderr=err, environ=environ or {}))


async def ended(error: BaseException, err: io.StringIO | None = None, environ: dict[str, str] | None = None) -> tuple[ExitStatus, str]:
    stream = io.StringIO() if err is None else err
    running = program(stream, environ)
    running.ledger.going["run-1"] = "P"

    async def command() -> ExitStatus:
        raise error

    status = await running.conclude(command)
    return status, "" if isinstance(stream, Broken) else stream.getvalue()


@pytest.mark.parametrize("debug", [False, True])
async def test_a_bug_is_70_with_a_message_and_a_traceback_for_those_who_ask(debug: bool) -> None:
    status, err = await ended(ZeroDivisionError("by zero"), environ={"MAIA_DEBUG": "1"} if debug else {})

    assert status == 70
    assert "this is a bug in maia: ZeroDivisionError: by zero" in err
    assert "please report it, with what MAIA_DEBUG=1 shows" in err
    assert ("Traceback" in err) is debug


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError(28, "No space left on device"), BrokenPipeError(), KeyError("x")])
async def test_runs_that_go_on_are_named_whatever_the_end(error: Exception) -> None:
    _, err = await ended(error)

    assert "maia watch run-1 --project P" in err


async def test_a_broken_pipe_is_silent() -> None:
    status, err = await ended(BrokenPipeError())

    assert status == 141
    assert "maia:" not in err


async def test_a_broken_stderr_does_not_change_the_exit_code() -> None:
    status, _ = await ended(OSError(28, "No space left on device"), Broken())

    assert status == 1


async def test_what_the_package_logs_is_said_on_stderr_and_only_there(caplog: pytest.LogCaptureFixture) -> None:
    err = io.StringIO()

    async def command() -> ExitStatus:
        logging.getLogger("maia_async.deep").warning("odd: %s", "\x1b[2J")
        logging.getLogger("maia_async").info("not said")
        return ExitStatus.OK

    assert await program(err).conclude(command) == 0

    assert err.getvalue() == "warning: odd: \\x1b[2J\n"
    assert logging.getLogger("maia_async").handlers == []
