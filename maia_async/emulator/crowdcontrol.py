"""The powers over many executions at once: crowds that somebody else started, loads for benchmarks, and when they all end.

What it is asked wrongly it refuses with ConfigurationError, or with `Refused` (404) for what is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from maia_async.emulator import checks
from maia_async.emulator.dice import dice
from maia_async.emulator.executions import TRIGGERS, Run, end_of
from maia_async.emulator.problems import unknown
from maia_async.emulator.scenario import DEFAULT_PROJECT, MOST_AT_ONCE, Crowd, Outcome
from maia_async.emulator.state import Account
from maia_async.emulator.streamcontrol import StreamPowers
from maia_async.emulator.times import floored, nearest
from maia_async.errors import ConfigurationError


class CrowdPowers(StreamPowers):
    """The part of `emulator.control` that is about many executions."""

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
        if not isinstance(count, int) or not 1 <= count <= MOST_AT_ONCE:
            raise ConfigurationError(f"count must be between 1 and {MOST_AT_ONCE}, is {count!r}")
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

    def add_crowd(self, count: int, **fields: Any) -> list[str]:
        """Runs that others started, and perhaps go on starting: see `Crowd` for the fields; their ids, the oldest start first."""
        return self.add(checks.load(Crowd, {"count": count, **fields}, ""))

    def add_executions(self, **fields: Any) -> list[str]:
        """The same for a load under test: triggered through the API unless `trigger` says otherwise, often with `durations` of its own."""
        return self.add(checks.load(Crowd, {"trigger": "API", **fields}, ""))

    def add(self, crowd: Crowd) -> list[str]:
        """Take in a crowd; the ids, the oldest start first."""
        account, now = self._service.account, self.now
        if crowd.started_over > now:
            raise ConfigurationError(f"started_over reaches back before 1970: {crowd.started_over!r}")
        if crowd.project_id is not None:
            project = account.project(crowd.project_id)
        else:
            project = account.projects.get(DEFAULT_PROJECT) or next(iter(account.projects.values()))
        runs = _runs(crowd, project.id, account, now)
        account.add(runs)
        return [run.id for run in runs]

    def forget_executions(self) -> int:
        """Drop every run that has ended, for servers that live long: reads of it get 404, and no list shows it. How many they were."""
        return self._service.account.forget(self.now)

    def ends(self, ids: Iterable[str] | None = None) -> dict[str, float | None]:
        """For these runs, or all: when each ended or will end by its plan, in API seconds since 1970; None while it is held."""
        runs = self._service.account.runs
        if isinstance(ids, str):
            raise ConfigurationError("ids must be a list of ids, is a text")
        try:
            return {run_id: end_of(runs[run_id]) for run_id in (runs if ids is None else ids)}
        except KeyError as error:
            raise unknown("pipeline execution", str(error.args[0])) from None


def _runs(crowd: Crowd, project_id: str, account: Account, now: float) -> list[Run]:
    size, lines, places = crowd.size, crowd.pipelines, crowd.environments
    # A stream of its own: a crowd must not change the chances of the runs under test, nor the latency of their requests.
    chance = dice(crowd.seed, "crowd")
    least, most = crowd.duration
    lengths = crowd.durations or [chance.uniform(least, most) for _ in range(size)]
    first, width = now - crowd.started_over, (crowd.started_over + crowd.starting_over) / max(1, size - 1)
    ends = [(outcome.status, outcome.said) for outcome in crowd.outcomes]
    runs = []
    for number in range(size):
        started = floored(first + width * number)
        run_id, sequence = account.take_id()
        status, message = ends[number % len(ends)]
        runs.append(
            Run(
                id=run_id,
                sequence=sequence,
                project_id=project_id,
                pipeline_name=lines[number % len(lines)],
                environment_name=places[number // len(lines) % len(places)],
                created=started,
                started=started,
                ends=nearest(started + lengths[number]),
                outcome=status,
                message=message,
                trigger=crowd.trigger,
                user=crowd.user,
            )
        )
    return runs
