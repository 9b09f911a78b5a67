"""One run of the program: what its commands share, and how it ends whatever happens. It knows no command."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Self

from attrs import define, field

from maia_async.cli.data import Data
from maia_async.cli.environment import Environment
from maia_async.cli.exits import ExitStatus, exit_status_of, explain
from maia_async.cli.ledger import Ledger, closing_words
from maia_async.cli.talk import Talk


@define(kw_only=True)
class Program:
    """What a command gets.

    connection_options: those given on the command line, for the commands of the closing words. embedded: an emulator of our own is
    used, and its runs end with it. all_on_stdout: every id was written as data. resume: the command that goes on with the batch.
    stopped_as: the exit code of a cancellation from outside. reading: stdin is being read, and the loop stands still meanwhile.
    """

    environment: Environment
    talk: Talk
    data: Data
    ledger: Ledger = field(factory=Ledger)
    connection_options: tuple[str, ...] = ()
    embedded: bool = False
    all_on_stdout: bool = False
    resume: str | None = None
    stopped_as: ExitStatus = ExitStatus.INTERRUPTED
    reading: bool = False
    _stop_said: bool = False

    @classmethod
    def of(cls, environment: Environment) -> Self:
        """A fresh one."""
        return cls(environment=environment, talk=Talk(environment), data=Data(environment))

    def read_stdin(self, what: str) -> bytes:
        """All of stdin, for a command that can do nothing before it has it. A signal meanwhile is a cancellation."""
        stdin = self.environment.stdin
        if stdin.isatty():
            self.talk.say(f"reading {what} from stdin, to its end (Ctrl-D)")
        # Not in a thread: one that still reads when a signal comes would keep the process alive until the next line.
        self.reading = True
        try:
            return stdin.read()
        except KeyboardInterrupt:
            raise asyncio.CancelledError from None
        finally:
            self.reading = False

    async def conclude(self, command: Callable[[], Awaitable[ExitStatus]]) -> ExitStatus:
        """Await the command and turn whatever ends it into an exit code, the closing words said. Cancellation is an end like any other."""
        try:
            with self.talk.hearing_logs():
                return await command()
        except asyncio.CancelledError:
            self.say_stopped()
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()  # it has been heeded: the exit code says so
            return self.stopped_as
        except Exception as error:  # noqa: BLE001 - the last resort of the program; the table in `exits` knows every kind
            return self._failed(error)
        finally:
            self._say_closing_words()

    def say_stopped(self, while_ending: str = "") -> None:
        """Say once that a signal was heard; by a command that takes a moment to end, what it waits for."""
        if not self._stop_said:
            self._stop_said = True
            word = "interrupted" if self.stopped_as is ExitStatus.INTERRUPTED else "terminated"
            self.talk.say(f"{word}: {while_ending}" if while_ending else word, "yellow")

    def _failed(self, error: Exception) -> ExitStatus:
        status = exit_status_of(error)
        if self.environment.debug:
            for line in "".join(traceback.format_exception(error)).splitlines():
                self.talk.say(line)
        for number, line in enumerate(explain(error, self.environment.environ)):
            self.talk.say(f"maia: {line}" if number == 0 else f"  {line}", "red")
        return status

    def _say_closing_words(self) -> None:
        if self.embedded:
            if self.ledger.going:
                self.talk.say(f"the embedded emulator has ended, and with it {len(self.ledger.going)} of its runs that had not")
            return
        words = closing_words(self.ledger, options=self.connection_options, all_on_stdout=self.all_on_stdout, resume=self.resume)
        for line in words:
            self.talk.say(line, too_long="keep")
