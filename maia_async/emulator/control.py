"""The powers over a running emulator that no client of the real Maia has: look at everything, settle runs, move time, change readings.

Those over streaming pipelines, over many executions at once and over faults are classes of their own beside this one, and are inherited.

The HTTP door offers the same; this object is for tests in the same process. What it is asked wrongly it refuses with ConfigurationError,
or with `Refused` (404, 409) for runs that are unknown or ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import attrs
from attrs import evolve, frozen

from maia_async.emulator import checks
from maia_async.emulator.clock import ClockReading, read_clock
from maia_async.emulator.crowdcontrol import CrowdPowers
from maia_async.emulator.executions import TERMINAL, Run, finished_at, is_terminal, message_at, status_at
from maia_async.emulator.faultcontrol import FaultPowers
from maia_async.emulator.listfaults import ListFaults
from maia_async.emulator.problems import Refused, unknown
from maia_async.emulator.ratelimit import SlidingWindow
from maia_async.emulator.readings import Readings
from maia_async.emulator.requestlog import LoggedRequest
from maia_async.emulator.scenario import DEFAULT_PROJECT, Outcome
from maia_async.emulator.streams import shown_at
from maia_async.errors import ConfigurationError

Settings = TypeVar("Settings", Readings, ListFaults)


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


class Control(CrowdPowers, FaultPowers):
    """`emulator.control`."""

    @property
    def readings(self) -> Readings:
        """The readings in force."""
        return self._service.readings

    def set_readings(self, readings: Readings | None = None, /, **changes: Any) -> Readings:
        """Replace the readings, or some fields of them, from the next request on."""
        self._service.readings = _changed(readings or self._service.readings, changes, what="readings")
        return self._service.readings

    def set_network(
        self,
        *,
        latency_in: object = None,
        latency_out: object = None,
        list_lag: float | None = None,
        list_status_lag: float | None = None,
    ) -> None:
        """Replace latencies (seconds, or [least, most]) and the lags of the list; None leaves one as it is."""
        if latency_in is not None:
            self._service.latency_in = checks.span(latency_in)
        if latency_out is not None:
            self._service.latency_out = checks.span(latency_out)
        if list_lag is not None:
            self._service.list_lag = checks.seconds(list_lag)
        if list_status_lag is not None:
            self._service.list_status_lag = checks.seconds(list_status_lag)

    def set_list_faults(self, faults: ListFaults | None = None, /, **changes: Any) -> ListFaults:
        """Replace the faults of the list, or some fields of them, from the next request on; `set_list_faults(ListFaults())` ends them."""
        self._service.list_faults = _changed(faults or self._service.list_faults, changes, what="faults of lists")
        return self._service.list_faults

    def set_others(self, requests_per_minute: float, *, account: str | None = None) -> None:
        """Let others make so many requests in each API minute on the budget of this account, or of all, evenly; 0 ends it."""
        windows = self._service.windows
        if account is not None and account not in windows:
            raise ConfigurationError(f"account must be one of {', '.join(windows)}, is {account!r}")
        for window in windows.values() if account is None else [windows[account]]:
            window.set_others(requests_per_minute, self.now)

    def clock(self) -> ClockReading:
        """How API time maps to the clocks of this machine, until the next advance."""
        return read_clock(self._service.clock, self._service.speed)

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
            self._service.account.hold(self._unfinished(execution_id), self.now, status)

    def finish(self, execution_id: str, status: str = "SUCCESS", message: str | None = None) -> None:
        """End a run now."""
        outcome = Outcome(status=status, message=message)
        self._service.account.finish(self._unfinished(execution_id), self.now, status=status, message=outcome.said)

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
        """Counts since the start: what arrived, what was answered, and the most arrivals (refused ones included) in any window.

        `peak_in_window` is that of the account where it is highest. `clients` are API requests with a good token, token calls left out.
        """
        service = self._service
        windows = service.windows.values()
        return {
            "requests": sum(window.accepted + window.refused for window in windows),
            "refused_429": sum(window.refused for window in windows),
            "peak_in_window": max(window.peak for window in windows),
            "window_seconds": max(window.per for window in windows),
            "accounts": {name: _budget(window) for name, window in service.windows.items()},
            "clients": {name: {"requests": calls, "refused_429": refused} for name, (calls, refused) in service.calls.items()},
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
            "network": {
                "latency_in": service.latency_in,
                "latency_out": service.latency_out,
                "list_lag": service.list_lag,
                "list_status_lag": service.list_status_lag,
            },
            "list_faults": attrs.asdict(service.list_faults),
            "faults": {item.id: item.hits for item in self.faults()},
            "skew": attrs.asdict(service.skew),
            "others": {name: window.others_per_minute for name, window in service.windows.items()},
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


def _budget(window: SlidingWindow) -> dict[str, int]:
    return {
        "requests": window.accepted + window.refused,
        "refused_429": window.refused,
        "peak_in_window": window.peak,
        "others_accepted": window.others_accepted,
        "others_refused": window.others_refused,
    }


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


def _changed(settings: Settings, changes: Mapping[str, Any], *, what: str) -> Settings:
    strangers = changes.keys() - {item.name for item in attrs.fields(type(settings))}
    if strangers:
        raise ConfigurationError(f"unknown {what}: {', '.join(sorted(strangers))}")
    return evolve(settings, **changes)
