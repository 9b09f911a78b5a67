"""The streaming part of `maia demo`: two pipelines are supervised beside the batch until one has dropped and both stream again.

What is seen of them is in the live display; elsewhere there is a line for each event. It restarts nothing: `supervise` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from maia_async import GaveUp, Maia, RestartPolicy, StreamingState, StreamingTransition, SupervisedState, Supervisor, supervise
from maia_async.cli.data import Form
from maia_async.cli.demo_plan import DROPS, STREAMS
from maia_async.cli.program import Program
from maia_async.cli.streamevents import is_notable, style_of, words_of
from maia_async.cli.streamtable import StreamTable
from maia_async.emulator import Emulator


@define
class StreamDemo:
    """Two supervised pipelines. `told` is set once there is no more to show of them: both stream again, or one was given up."""

    program: Program
    names: Mapping[str, str]
    supervisor: Supervisor
    table: StreamTable
    told: asyncio.Event = field(factory=asyncio.Event)
    _seen: dict[str, list[str]] = field(factory=dict)

    @classmethod
    def of(cls, program: Program, emulator: Emulator, maia: Maia) -> StreamDemo:
        """Makes the pipelines; the emulator's speed shrinks every time of the supervision."""
        project = maia.project()
        names = {emulator.control.create_stream(script.name, project_id=project.id)[0]: script.name for script in STREAMS}
        speed, usual = emulator.speed, RestartPolicy()
        supervisor = supervise(
            [project.streaming_pipeline(pipeline_id) for pipeline_id in names],
            restart=RestartPolicy(within=usual.within / speed, base=usual.base / speed, cap=usual.cap / speed),
            start_grace=60 / speed,
            unreachable_after=300 / speed,
        )
        return cls(program, names, supervisor, StreamTable(lambda: supervisor.states, names))

    @property
    def succeeded(self) -> bool:
        """Whether one was restarted, and both stream."""
        states = self.supervisor.states
        stream = bool(states) and all(seen.state is StreamingState.STREAMING for seen in states.values())
        return stream and all(seen.restarts for pipeline_id, seen in states.items() if self.names[pipeline_id] == DROPS)

    async def run(self) -> None:
        """Until it is cancelled; it goes on beside the batch when all is told."""
        async with self.supervisor:
            async for event in self.supervisor:
                if isinstance(event, StreamingTransition):
                    self._seen.setdefault(event.pipeline_id, []).append(event.current.value)
                if not self.program.talk.live or is_notable(event):
                    self.program.talk.say(f"{self.names[event.pipeline_id]}: {words_of(event)}", style_of(event), too_long="cut")
                if self.succeeded or isinstance(event, GaveUp):
                    self.told.set()

    def write(self, output: Form) -> None:
        """What became of them; in the json form one line after the batch's report."""
        rows = [(self.names[pipeline_id], pipeline_id, seen) for pipeline_id, seen in self.supervisor.states.items()]
        if output == "json":
            self.program.data.json_line({"streaming": [self._document(*row) for row in rows]})
            return
        self.program.data.line("")
        table = [(name, _state(seen), seen.restarts, " -> ".join(self._seen.get(pipeline_id, ()))) for name, pipeline_id, seen in rows]
        self.program.data.table(("STREAMING PIPELINE", "STATE", "RESTARTS", "STATES SEEN"), table)

    def _document(self, name: str, pipeline_id: str, seen: SupervisedState) -> dict[str, Any]:
        states = self._seen.get(pipeline_id, [])
        return {"streamingPipelineId": pipeline_id, "name": name, "status": _state(seen), "restarts": seen.restarts, "states": states}


def _state(seen: SupervisedState) -> str | None:
    return None if seen.state is None else seen.state.value
