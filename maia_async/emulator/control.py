"""The powers over a running emulator that no client of the real Maia has: look at everything, settle runs, move time, change readings.

Those over streaming pipelines are a class of their own beside this one, and are inherited.

The HTTP door offers the same; this object is for tests in the same process. What it is asked wrongly it refuses with ConfigurationError,
or with `Refused` (404, 409) for runs that are unknown or ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from attrs import evolve, frozen

from maia_async.emulator import checks
from maia_async.emulator.executions import TERMINAL, TRIGGERS, Run, finish, finished_at, hold, is_terminal, message_at, status_at
from maia_async.emulator.problems import Refused, unknown
from maia_async.emulator.readings import Readings
from maia_async.emulator.requestlog import LoggedRequest
from maia_async.emulator.scenario import DEFAULT_PROJECT, Outcome
from maia_async.emulator.streamcontrol import StreamPowers
from maia_async.emulator.streams import shown_at
from maia_async.emulator.times import floored
from maia_async.errors import ConfigurationError

_MOST_AT_ONCE: Final = 1_000_000


@frozen(kw_only=True)
class ServerRun:
    """One execution as the server knows it, tag and variables included. Instants are API seconds since 1970."""

    id: str
    project_id: str
    pipeline_name: str
    environment_name: str
    status: str
    started_at: float
    finished_at: float | None
    message: str | None
    trigger: str
    agent_id: str | None
    version_name: str | None
    execution_tag: str | None
    scalar_variables: Mapping[str, str] | None
    grid_variables: Mapping[str, Sequence[Sequence[str]]] | None


class Control(StreamPowers):
    """`emulator.control`."""

    @property
    def readings(self) -> Readings:
        """The readings in force."""
        return self._service.readings

    def set_readings(self, readings: Readings | None = None, **changes: Any) -> Readings:
        """Replace the readings, or some fields of them, from the next request on."""
        unknown_names = set(changes) - {item.name for item in attrs.fields(Readings)}
        if unknown_names:
            raise ConfigurationError(f"unknown readings: {', '.join(sorted(unknown_names))}")
        self._service.readings = evolve(readings or self._service.readings, **changes)
        return self._service.readings

    def set_network(self, *, latency_in: object = None, latency_out: object = None, list_lag: float | None = None) -> None:
        """Replace latencies (seconds, or [least, most]) and the lag of the list; None leaves one as it is."""
        if latency_in is not None:
            self._service.latency_in = checks.span(latency_in)
        if latency_out is not None:
            self._service.latency_out = checks.span(latency_out)
        if list_lag is not None:
            self._service.list_lag = checks.span(list_lag)[1]

    def advance(self, seconds: float) -> None:
        """Let so many API seconds pass at once."""
        self._service.clock.advance(seconds)

    def requests(self, *, method: str | None = None, path_contains: str | None = None) -> list[LoggedRequest]:
        """The log, oldest first."""
        return self._service.log.matching(method=method, path_contains=path_contains)

    def clear_requests(self) -> None:
        """Forget the log; statistics stay."""
        self._service.log.clear()

    def executions(self) -> list[ServerRun]:
        """Every run, in the order of creation."""
        now = self.now
        return [_snapshot(run, now) for run in sorted(self._service.account.runs.values(), key=lambda run: run.sequence)]

    def execution(self, execution_id: str) -> ServerRun:
        """One run; `Refused` (404) when there is none."""
        return _snapshot(self._run(execution_id), self.now)

    def set_status(self, execution_id: str, status: str | None) -> None:
        """End a run with a terminal status, or hold it at any other word until told otherwise; None lets its plan go on."""
        if status in TERMINAL:
            self.finish(execution_id, str(status))
        else:
            hold(self._unfinished(execution_id), status)

    def finish(self, execution_id: str, status: str = "SUCCESS", message: str | None = None) -> None:
        """End a run now."""
        outcome = Outcome(status=status, message=message)
        finish(self._unfinished(execution_id), self.now, status=status, message=outcome.said)

    def add_execution(
        self,
        pipeline_name: str,
        environment_name: str = "Environment-1",
        *,
        project_id: str = DEFAULT_PROJECT,
        count: int = 1,
        started_ago: object = 0.0,
        duration: object = 5.0,
        status: str = "SUCCESS",
        message: str | None = None,
        trigger: str = "DESIGNER",
        user: str | None = None,
        schedule_id: str | None = None,
        execution_tag: str | None = None,
    ) -> list[str]:
        """Runs that somebody else started: `count` of them, `started_ago` seconds ago ([least, most] spreads them evenly)."""
        if not isinstance(count, int) or not 1 <= count <= _MOST_AT_ONCE:
            raise ConfigurationError(f"count must be between 1 and {_MOST_AT_ONCE}, is {count!r}")
        if trigger not in TRIGGERS:
            raise ConfigurationError(f"trigger must be one of {', '.join(TRIGGERS)}, is {trigger!r}")
        account = self._service.account
        outcome = Outcome(status=status, message=message)
        least, most = checks.span(started_ago)
        shortest, longest = checks.span(duration)
        project = account.project(project_id)
        now = self.now
        if most > now:
            raise ConfigurationError(f"started_ago reaches back before 1970: {most!r}")
        runs = []
        for number in range(count):
            share = number / max(1, count - 1)
            started = floored(now - most + (most - least) * share)
            run_id, sequence = account.take_id()
            runs.append(
                Run(
                    id=run_id,
                    sequence=sequence,
                    project_id=project.id,
                    pipeline_name=pipeline_name,
                    environment_name=environment_name,
                    created=started,
                    started=started,
                    # A fixed spread and not a draw: a crowd must not change the chances of the runs under test.
                    ends=floored(started + shortest + (longest - shortest) * (number * 0.618034 % 1)),
                    outcome=status,
                    message=outcome.said,
                    trigger=trigger,
                    user=user,
                    schedule_id=schedule_id,
                    execution_tag=execution_tag,
                )
            )
        account.add(runs)
        return [run.id for run in runs]

    def enable(self, pipeline_name: str, *, project_id: str = DEFAULT_PROJECT, enabled: bool = True) -> None:
        """Accept triggers of a pipeline again, or answer them with 410."""
        self._service.account.enable(project_id, pipeline_name, enabled=enabled)

    def disable(self, pipeline_name: str, *, project_id: str = DEFAULT_PROJECT) -> None:
        """Answer triggers of a pipeline with 410."""
        self.enable(pipeline_name, project_id=project_id, enabled=False)

    def revoke_tokens(self) -> int:
        """Make every token bad; the next call with one gets 401."""
        return self._service.tokens.revoke()

    def add_token(self, token: str, client_id: str = "emulator") -> None:
        """A static token for a client id of the scenario."""
        self._service.tokens.add_static(token, client_id)

    def statistics(self) -> dict[str, Any]:
        """Counts since the start: what arrived, what was answered, and the most arrivals (refused ones included) in any window."""
        service = self._service
        return {
            "requests": service.window.accepted + service.window.refused,
            "refused_429": service.window.refused,
            "peak_in_window": service.window.peak,
            "window_seconds": service.window.per,
            "answers": {str(status): count for status, count in sorted(service.answers.items())},
            "tokens_issued": service.tokens.issued,
            "executions": len(service.account.runs),
            "streams": len(service.account.streams.all),
        }

    def state(self) -> dict[str, Any]:
        """An overview as plain values."""
        service, now = self._service, self.now
        account = service.account
        return {
            "now": now,
            "speed": service.speed,
            "projects": [
                {
                    "id": project.id,
                    "name": project.name,
                    "environments": [item.name for item in project.environments],
                    "pipelines": [{"name": item.name, "enabled": account.is_enabled(project.id, item.name)} for item in project.pipelines],
                }
                for project in account.projects.values()
            ],
            "executions": dict(Counter(status_at(run, now) for run in account.runs.values())),
            "streams": dict(Counter(shown_at(stream, now) for stream in account.streams.all.values())),
            "readings": attrs.asdict(service.readings),
            "network": {"latency_in": service.latency_in, "latency_out": service.latency_out, "list_lag": service.list_lag},
        }

    def _run(self, execution_id: str) -> Run:
        run = self._service.account.runs.get(execution_id)
        if run is None:
            raise unknown("pipeline execution", execution_id)
        return run

    def _unfinished(self, execution_id: str) -> Run:
        run = self._run(execution_id)
        if is_terminal(run, self.now):
            raise Refused(409, f"execution {execution_id} has ended with {status_at(run, self.now)}; an end never changes")
        return run


def _snapshot(run: Run, now: float) -> ServerRun:
    return ServerRun(
        id=run.id,
        project_id=run.project_id,
        pipeline_name=run.pipeline_name,
        environment_name=run.environment_name,
        status=status_at(run, now),
        started_at=run.started,
        finished_at=finished_at(run, now),
        message=message_at(run, now),
        trigger=run.trigger,
        agent_id=run.agent_id,
        version_name=run.version_name,
        execution_tag=run.execution_tag,
        scalar_variables=run.scalar_variables,
        grid_variables=run.grid_variables,
    )
