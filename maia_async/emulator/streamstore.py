"""The streaming pipelines of the account: which there are, under which names; no HTTP, no clock, `now` is handed in.

    | request             | condition                                            | answer                          |
    | ------------------- | ---------------------------------------------------- | ------------------------------- |
    | any                 | no such pipeline in the project                      | 404                             |
    | create, replace     | another one of the project has the name              | as the reading says             |
    | replace             | it runs                                              | done: the sources do not forbid |
    | delete              | it is not NOT_RUNNING (as shown, or underneath)      | as the reading says             |

A pipeline follows the script that fits its name when it is created, and keeps it when it is renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from maia_async.emulator.dice import dice, new_id
from maia_async.emulator.problems import Refused, unknown
from maia_async.emulator.scenario import Project, Scenario
from maia_async.emulator.streams import NOT_RUNNING, Stream, shown_at, state_at
from maia_async.emulator.streamscript import StreamScript
from maia_async.emulator.times import floored

# The guide's own example id is the first that the default seed gives out.
_GUIDE_ID: Final = "50ead6b2-5d1a-40c7-bb50-0d17c8fb23c3"


class Streams:
    """Every streaming pipeline, in the order of creation."""

    def __init__(self, scenario: Scenario) -> None:
        self.all: dict[str, Stream] = {}
        self.agents = None if scenario.streaming_agents is None else frozenset(agent.lower() for agent in scenario.streaming_agents)
        self.chance = dice(scenario.seed, "streams")
        self._scripts = scenario.streams
        self._projects: dict[str, dict[str, Stream]] = {}
        self._spare_id: str | None = _GUIDE_ID if scenario.seed == 0 else None
        self._ids = dice(scenario.seed, "stream ids")

    def of(self, project: Project) -> list[Stream]:
        """Those of a project."""
        return list(self._projects.get(project.id, {}).values())

    def get(self, project: Project, stream_id: str) -> Stream:
        """One of the project, or 404."""
        stream = self._projects.get(project.id, {}).get(stream_id.lower())
        if stream is None:
            raise unknown("streaming pipeline", stream_id)
        return stream

    def find(self, stream_id: str) -> Stream:
        """One of any project, or 404."""
        stream = self.all.get(stream_id.lower())
        if stream is None:
            raise unknown("streaming pipeline", stream_id)
        return stream

    def create(
        self,
        project: Project,
        definition: Mapping[str, Any],
        now: float,
        *,
        duplicates: str | int = "allow",
        script: StreamScript | None = None,
        by: str = "api",
    ) -> Stream:
        """A new one, NOT_RUNNING."""
        name = str(definition["name"])
        if duplicates != "allow":
            self._refuse_name(project, name, None)
        stream_id, self._spare_id = self._spare_id or new_id(self._ids), None
        stream = Stream(
            id=stream_id,
            project_id=project.id,
            name=name,
            definition=definition,
            created=floored(now),
            script=script or next((item for item in self._scripts if item.fits(name)), None) or StreamScript(),
            created_by=by,
        )
        self.all[stream.id] = stream
        self._projects.setdefault(project.id, {})[stream.id] = stream
        return stream

    def replace(self, project: Project, stream: Stream, definition: Mapping[str, Any], *, duplicates: str | int = "allow") -> None:
        """Another definition for it; its state and its history stay."""
        name = str(definition["name"])
        if duplicates != "allow":
            self._refuse_name(project, name, stream)
        stream.name, stream.definition = name, definition

    def delete(self, stream: Stream, now: float, *, running: int = 204) -> None:
        """Forget it; with `running` 409 only when it rests."""
        if running == 409 and {state_at(stream, now), shown_at(stream, now)} != {NOT_RUNNING}:
            raise Refused(409, f"The streaming pipeline cannot be deleted: it is {shown_at(stream, now)}")
        del self.all[stream.id]
        del self._projects[stream.project_id][stream.id]

    def _refuse_name(self, project: Project, name: str, own: Stream | None) -> None:
        if any(stream.name == name for stream in self.of(project) if stream is not own):
            raise Refused(409, f"A streaming pipeline named {name[:100]!r} exists already")
