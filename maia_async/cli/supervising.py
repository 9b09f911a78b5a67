"""Runs a supervision for a command: a live table or JSON lines while it lasts, and the words at its end. It decides no restart.

stdout          output    on stdout                     on stderr
a terminal      table     a table at the end            the live table, and notable events above it
a terminal      json      one line for each event       nothing while it lasts: it would be written into the lines
anything else   any       one line for each event       where it is a terminal: the live table

it ends by                                                  exit
nothing is left to supervise, one was given up              1
nothing is left, all stopped by others                      0
Ctrl-C or SIGTERM, one was given up                         1
Ctrl-C, SIGTERM                                             130, 143
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from attrs import define, field

from maia_async import SessionClosed, StreamingPipeline, StreamingState, SupervisedState, Supervisor, SupervisorEvent, supervise
from maia_async.cli.data import Form
from maia_async.cli.exits import ExitStatus
from maia_async.cli.ledger import MOST_NAMED, command_line
from maia_async.cli.program import Program
from maia_async.cli.streamevents import brief_of, document_of_event, is_notable, style_of, words_of
from maia_async.cli.streamtable import StreamTable

States = Mapping[str, SupervisedState]


@define(kw_only=True)
class Supervision:
    """One supervision on the command line. `options` are those of `supervise`; `names` by id."""

    program: Program
    pipelines: list[StreamingPipeline]
    names: Mapping[str, str]
    project_id: str
    options: dict[str, Any]
    output: Form = "table"
    _supervisor: Supervisor = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._supervisor = supervise(self.pipelines, **self.options)

    async def run(self) -> ExitStatus:
        """Until nothing is left to supervise. Cancelled, it leaves or stops the pipelines, says so, and passes the cancellation on."""
        table = StreamTable(lambda: self._supervisor.states, self.names)
        talk, data = self.program.talk, self.program.data
        try:
            with nullcontext() if self._lines and data.is_terminal else talk.display(table.draw):
                async with self._supervisor:
                    await self._follow()
            await self._tell_the_rest()
        except asyncio.CancelledError:
            with suppress(SessionClosed):  # a second Ctrl-C has ended the supervisor's own task, too
                await self._tell_the_rest()
            if gave_up(self._supervisor.states):
                self.program.stopped_as = ExitStatus.UNSUCCESSFUL
            raise
        finally:
            self._end(self._supervisor.states)
        return ExitStatus.UNSUCCESSFUL if gave_up(self._supervisor.states) else ExitStatus.OK

    @property
    def _lines(self) -> bool:
        return self.output == "json" or not self.program.data.is_terminal

    async def _follow(self) -> None:
        try:
            async for event in self._supervisor:
                self._tell(event)
                if nothing_left(self._supervisor.states):
                    return
        except asyncio.CancelledError:
            stops = self.options.get("on_exit") == "stop"
            self.program.say_stopped("stopping what runs; Ctrl-C again ends at once" if stops else "")
            raise

    async def _tell_the_rest(self) -> None:
        """What was told while the block was being left, or together with what ended it."""
        async for event in self._supervisor:
            self._tell(event)

    def _tell(self, event: SupervisorEvent) -> None:
        name = self.names.get(event.pipeline_id, "")
        if self._lines:
            self.program.data.json_line(document_of_event(event, name))
            if self.program.data.is_terminal or not self.program.talk.live:
                return
        if is_notable(event):
            line = f"{name or event.pipeline_id}: {words_of(event)}"
            self.program.talk.say(line, style_of(event), too_long="cut")

    def _end(self, states: States) -> None:
        if not self._lines:
            self.program.data.table(("NAME", "STATE", "RESTARTS", "LAST EVENT"), [self._row(*item) for item in states.items()])
        for line in parting_words(states, self._named, self._stop, embedded=self.program.embedded):
            self.program.talk.say(line, too_long="keep")

    def _row(self, pipeline_id: str, seen: SupervisedState) -> tuple[object, ...]:
        return self._named(pipeline_id), seen.state, seen.restarts, None if seen.last_event is None else brief_of(seen.last_event)

    def _named(self, pipeline_id: str) -> str:
        return self.names.get(pipeline_id) or pipeline_id

    def _stop(self, ids: Sequence[str]) -> str:
        return command_line(("streaming", "stop"), ids, self.project_id, self.program.connection_options)


def nothing_left(states: States) -> bool:
    """Whether the supervisor would only wait for ever: each was given up, or stopped by others and left so."""
    return all(seen.desired is None for seen in states.values())


def gave_up(states: States) -> list[str]:
    """The ids of those given up."""
    return [pipeline_id for pipeline_id, seen in states.items() if seen.gave_up]


def parting_words(states: States, name: Callable[[str], str], stop: Callable[[Sequence[str]], str], *, embedded: bool) -> list[str]:
    """What became of them, and how to stop those that run on; `stop` is the command for some ids. Nobody restarts them any more."""
    words: list[str] = []
    if lost := gave_up(states):
        more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
        words.append(f"given up: {', '.join(map(name, lost[:MOST_NAMED]))}{more}")
    if embedded:
        return [*words, "the embedded emulator has ended, and its streaming pipelines with it"]
    # One whose state is not known may run: it is better named than forgotten.
    running = [
        pipeline_id for pipeline_id, seen in states.items() if seen.state is None or seen.state.is_running or not _is_clear(seen.state)
    ]
    if running:
        words.append(f"{_pipelines(len(running))} on in Maia without supervision; to stop {'it' if len(running) == 1 else 'them'}:")
        words.append(f"  {stop(running[:MOST_NAMED])}")
        if len(running) > MOST_NAMED:
            words.append(f"  and {len(running) - MOST_NAMED} more: `maia streaming list` shows their ids")
    elif states:
        words.append("none of the streaming pipelines runs")
    return words


def _is_clear(state: StreamingState) -> bool:
    return state.is_known and state is not StreamingState.UNKNOWN


def _pipelines(count: int) -> str:
    return "1 streaming pipeline runs" if count == 1 else f"{count} streaming pipelines run"
