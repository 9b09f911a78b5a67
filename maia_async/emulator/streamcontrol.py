"""The powers over streaming pipelines that no client has: look at all of them, let them die, hold them, script them, preload hundreds.

What it is asked wrongly it refuses with ConfigurationError, or with `Refused` (404, 409) as the API would.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
from attrs import evolve, frozen

from maia_async.emulator import checks, streams
from maia_async.emulator.definitions import checked, example
from maia_async.emulator.scenario import STREAMING_AGENT, STREAMING_PROJECT
from maia_async.emulator.service import Service
from maia_async.emulator.streamscript import StreamScript
from maia_async.errors import ConfigurationError

_MOST_AT_ONCE: Final = 100_000


@frozen
class StreamChange:
    """The state began to read `status` at `at` (API seconds since 1970).

    `by`: "api", "external" (a command), "script" (progress), "drop", "refusal", "agent" (out of reach, or back), "control" (a hold).
    """

    at: float
    status: str
    by: str


@frozen(kw_only=True)
class ServerStream:
    """One streaming pipeline as the server knows it. Instants are API seconds since 1970.

    status: what a reader is shown, since `since`. state: what is so underneath (they differ when held, unreachable, or lagging).
    starts: how many STARTs were accepted. refused: how many the script refused.
    """

    id: str
    project_id: str
    name: str
    status: str
    state: str
    since: float
    starts: int
    refused: int
    history: tuple[StreamChange, ...]
    definition: Mapping[str, Any]


class StreamPowers:
    """The part of `emulator.control` that is about streaming pipelines."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def now(self) -> float:
        """API seconds since 1970."""
        return self._service.clock.now()

    def streams(self) -> list[ServerStream]:
        """Every streaming pipeline, in the order of creation."""
        now = self.now
        return [_snapshot(stream, now) for stream in self._service.account.streams.all.values()]

    def stream(self, stream_id: str) -> ServerStream:
        """One streaming pipeline; `Refused` (404) when there is none."""
        return _snapshot(self._service.account.streams.find(stream_id), self.now)

    def create_stream(
        self,
        name: str = "stream",
        *,
        project_id: str | None = None,
        count: int = 1,
        started_ago: float | None = None,
        definition: Mapping[str, Any] | None = None,
        script: StreamScript | Mapping[str, Any] | None = None,
    ) -> list[str]:
        """`count` pipelines, named `name`, or `name-1`, `name-2` … of several; their ids.

        project_id: the guide's project when None, or the first where there is no such. definition: its name is replaced; small and
        valid when None. script: that of the scenario when None. started_ago: somebody started them so long ago; None: nobody did.
        """
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST_AT_ONCE:
            raise ConfigurationError(f"count must be between 1 and {_MOST_AT_ONCE}, is {count!r}")
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"name must be a text that is not empty, is {name!r}")
        account = self._service.account
        first = STREAMING_PROJECT if STREAMING_PROJECT in account.projects else next(iter(account.projects))
        project = account.project(project_id or first)
        agents = account.streams.agents
        # One definition for the whole crowd: definitions are never changed, only replaced.
        body = dict(definition) if definition is not None else example(name, min(agents) if agents else STREAMING_AGENT)
        checked({**body, "name": name}, agents)
        given = script if script is None or isinstance(script, StreamScript) else checks.load(StreamScript, script, "script")
        ago = 0.0 if started_ago is None else checks.span(started_ago)[0]
        now = self.now
        if ago > now:
            raise ConfigurationError(f"started_ago reaches back before 1970: {started_ago!r}")
        ids = []
        for number in range(1, count + 1):
            own = name if count == 1 else f"{name}-{number}"
            stream = account.streams.create(project, {**body, "name": own}, now - ago, script=given, by="external")
            if started_ago is not None:
                streams.command(stream, "START", now - ago, chance=account.streams.chance, by="external")
            ids.append(stream.id)
        return ids

    def set_stream_state(self, stream_id: str, status: str | None) -> None:
        """Show a word (any, known or not) from now on, whatever happens underneath; None shows the truth again."""
        if status is not None and (not isinstance(status, str) or not status):
            raise ConfigurationError(f"status must be a text that is not empty, or null, is {status!r}")
        streams.hold(self._service.account.streams.find(stream_id), self.now, status)

    def drop_stream(self, stream_id: str) -> None:
        """Let it die now; `Refused` (409) when it is not running."""
        streams.drop(self._service.account.streams.find(stream_id), self.now)

    def start_stream(self, stream_id: str, *, external: bool = True) -> None:
        """Start it as somebody else would; `Refused` as the API answers. `external=False` records it as the API's own."""
        self._command(stream_id, "START", external=external)

    def stop_stream(self, stream_id: str, *, external: bool = True) -> None:
        """Stop it as somebody else would; `Refused` as the API answers."""
        self._command(stream_id, "STOP", external=external)

    def script_stream(self, stream_id: str, script: StreamScript | None = None, **changes: Any) -> StreamScript:
        """Another script for it, or some fields of it, from its next command on; `unreachable` counts at once."""
        stream = self._service.account.streams.find(stream_id)
        unknown = set(changes) - {item.name for item in attrs.fields(StreamScript)}
        if unknown:
            raise ConfigurationError(f"unknown fields of a script: {', '.join(sorted(unknown))}")
        stream.script = evolve(script or stream.script, **changes)
        return stream.script

    def _command(self, stream_id: str, word: str, *, external: bool) -> None:
        store = self._service.account.streams
        streams.command(
            store.find(stream_id),
            word,
            self.now,
            chance=store.chance,
            by="external" if external else "api",
            unreachable=self._service.readings.streaming_unreachable,
        )


def _snapshot(stream: streams.Stream, now: float) -> ServerStream:
    changes = tuple(StreamChange(*change) for change in streams.history(stream, now))
    return ServerStream(
        id=stream.id,
        project_id=stream.project_id,
        name=stream.name,
        status=streams.shown_at(stream, now),
        state=streams.state_at(stream, now),
        since=changes[-1].at,
        starts=stream.starts,
        refused=stream.refused,
        history=changes,
        definition=stream.definition,
    )
