"""The account: what is published where, which runs and streams exist, which tags are taken; no HTTP, no clock, `now` is handed in.

A trigger is judged in this order, and the first row that fits is the answer (the sources do not state the order):

    | condition                                         | answer                  |
    | ------------------------------------------------- | ----------------------- |
    | no such project, or no such environment in it     | 404                     |
    | no such pipeline, or not published there          | 404                     |
    | no such version                                   | 404                     |
    | disabled                                          | 410                     |
    | its tag has a run that has not ended              | 409                     |
    | otherwise                                         | a run, and its children |

A tag belongs to a project and an environment, and is free again once its run has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from maia_async.emulator.bodies import Order
from maia_async.emulator.dice import dice, draw, new_id
from maia_async.emulator.executions import Run, cancel, finish, hold, is_terminal, remember
from maia_async.emulator.listing import RunIndex
from maia_async.emulator.problems import Refused, unknown
from maia_async.emulator.scenario import Environment, Outcome, Pipeline, Project, Scenario
from maia_async.emulator.streamstore import Streams
from maia_async.emulator.times import floored

# The guide's own example id is the first that the default seed gives out.
_GUIDE_ID: Final = "1398aa31-af57-4a6a-9752-27c2e8556c3f"


class Account:
    """Everything that outlives a request, but for tokens and the budget."""

    def __init__(self, scenario: Scenario) -> None:
        self.projects: dict[str, Project] = {item.id: item for item in scenario.projects}
        self.runs: dict[str, Run] = {}
        self.index = RunIndex()
        self.streams = Streams(scenario)
        self._pipelines = {(item.id, pipeline.name): pipeline for item in scenario.projects for pipeline in item.pipelines}
        self._environments = {(item.id, place.name): place for item in scenario.projects for place in item.environments}
        self._disabled = {key for key, pipeline in self._pipelines.items() if not pipeline.enabled}
        self._tags: dict[tuple[str, str, str], Run] = {}
        self._turns: dict[tuple[str, str], int] = {}
        self._sequence = 0
        self._spare_id: str | None = _GUIDE_ID if scenario.seed == 0 else None
        self._ids = dice(scenario.seed, "ids")
        self._chance = dice(scenario.seed, "outcomes")

    def project(self, project_id: str) -> Project:
        """The project, or 404."""
        project = self.projects.get(project_id.lower())
        if project is None:
            raise unknown("project", project_id)
        return project

    def environment(self, project: Project, name: str) -> Environment:
        """The environment, or 404."""
        found = self._environments.get((project.id, name))
        if found is None:
            raise unknown("environment", name)
        return found

    def pipeline(self, project_id: str, name: str) -> Pipeline | None:
        """The pipeline, published or not, or None."""
        return self._pipelines.get((project_id, name))

    def published(self, project: Project, environment_name: str | None) -> list[Pipeline]:
        """The pipelines that are published to the environment, or anywhere."""
        if environment_name is None:
            return list(project.pipelines)
        self.environment(project, environment_name)
        return [item for item in project.pipelines if item.environments is None or environment_name in item.environments]

    def run(self, project: Project, run_id: str) -> Run:
        """The run of this project, or 404."""
        run = self.runs.get(run_id.lower())
        if run is None or run.project_id != project.id:
            raise unknown("pipeline execution", run_id)
        return run

    def trigger(self, project: Project, order: Order, now: float) -> Run:
        """Start a run, or refuse as the table says."""
        environment = self.environment(project, order.environment_name)
        pipeline = self._pipelines.get((project.id, order.pipeline_name))
        if pipeline is None or (pipeline.environments is not None and environment.name not in pipeline.environments):
            raise unknown("published pipeline", order.pipeline_name)
        if order.version_name is not None and order.version_name not in (pipeline.versions or ()):
            raise unknown("artifact version", order.version_name)
        if (project.id, pipeline.name) in self._disabled:
            raise Refused(410, f"Pipeline {pipeline.name!r} has been disabled")
        if order.execution_tag is not None:
            holder = self._tags.get((project.id, environment.name, order.execution_tag))
            if holder is not None and not is_terminal(holder, now):
                raise Refused(409, "A pipeline execution with this tag is already running.", kind="tag")
        run = self._start(project, environment, pipeline, order, now)
        if order.execution_tag is not None:
            self._tags[(project.id, environment.name, order.execution_tag)] = run
        return run

    def cancel(self, run: Run, now: float, *, force: bool) -> None:
        """Accept a cancel of a run that has not ended."""
        pipeline = self._pipelines.get((run.project_id, run.pipeline_name))
        if pipeline is not None and pipeline.ignores_graceful_cancel and not force:
            return
        remember(run, now)
        cancel(run, now, seconds=draw(self._chance, pipeline.cancel_seconds) if pipeline is not None and not force else 0.0)
        self.index.changed(run)

    def finish(self, run: Run, now: float, *, status: str, message: str | None) -> None:
        """End a run that has not ended."""
        remember(run, now)
        finish(run, now, status=status, message=message)
        self.index.changed(run)

    def end_at_once(self, run: Run, *, status: str, message: str | None) -> None:
        """End a run in the instant of its start; nobody may have seen it yet."""
        planned = run.ends
        finish(run, run.started, status=status, message=message)
        if run.ends != planned:
            self.index.changed(run)

    def hold(self, run: Run, now: float, word: str | None) -> None:
        """Hold a run that has not ended, or release it with None."""
        remember(run, now)
        hold(run, word)
        self.index.changed(run)

    def enable(self, project_id: str, pipeline_name: str, *, enabled: bool) -> None:
        """Whether triggers of the pipeline are accepted (else 410)."""
        key = (project_id, pipeline_name)
        if key not in self._pipelines:
            raise unknown("pipeline", pipeline_name)
        (self._disabled.discard if enabled else self._disabled.add)(key)

    def is_enabled(self, project_id: str, pipeline_name: str) -> bool:
        """Whether triggers of the pipeline are accepted."""
        return (project_id, pipeline_name) not in self._disabled

    def take_id(self) -> tuple[str, int]:
        """A new execution id and its place in the order of creation."""
        self._sequence += 1
        run_id, self._spare_id = self._spare_id or new_id(self._ids), None
        return run_id, self._sequence

    def add(self, runs: Iterable[Run]) -> None:
        """Take in runs that nobody triggered through the API; a tag that is taken stays with its holder."""
        crowd = list(runs)
        self.runs.update((run.id, run) for run in crowd)
        self.index.extend(crowd)
        for run in crowd:
            if run.execution_tag is not None:
                self._tags.setdefault((run.project_id, run.environment_name, run.execution_tag), run)

    def forget(self, now: float) -> int:
        """Drop the runs that have ended; how many. Nobody finds them any more, as if the server had archived them."""
        kept = {run.id: run for run in self.runs.values() if not is_terminal(run, now)}
        count = len(self.runs) - len(kept)
        self.runs, self.index = kept, RunIndex()
        self.index.extend(kept.values())
        self._tags = {key: run for key, run in self._tags.items() if run.id in kept}
        return count

    def _start(self, project: Project, environment: Environment, pipeline: Pipeline, order: Order, now: float) -> Run:
        run_id, sequence = self.take_id()
        outcome = self._outcome(project, pipeline)
        started = floored(now)
        run = Run(
            id=run_id,
            sequence=sequence,
            project_id=project.id,
            pipeline_name=pipeline.name,
            environment_name=environment.name,
            created=now,
            started=started,
            ends=floored(started + draw(self._chance, pipeline.duration) + 0.0005),
            outcome=outcome.status,
            message=outcome.said,
            pipeline_type=pipeline.pipeline_type,
            agent_id=order.agent_id or environment.default_agent_id,
            version_name=order.version_name or (pipeline.versions[0] if pipeline.versions else None),
            execution_tag=order.execution_tag,
            scalar_variables=order.scalar_variables,
            grid_variables=order.grid_variables,
        )
        self.runs[run.id] = run
        self.index.add(run)
        run.children = self._children(project, environment, pipeline, now)
        return run

    def _children(self, project: Project, environment: Environment, pipeline: Pipeline, now: float) -> dict[str, str] | None:
        """Start what the steps start; the scenario refuses circles, so this ends."""
        children: dict[str, str] = {}
        for step in pipeline.steps:
            child = self._pipelines.get((project.id, step.child)) if step.child is not None else None
            if child is not None:
                order = Order(pipeline_name=child.name, environment_name=environment.name)
                children[step.name] = self._start(project, environment, child, order, now).id
        return children or None

    def _outcome(self, project: Project, pipeline: Pipeline) -> Outcome:
        outcomes = pipeline.outcomes
        if len(outcomes) == 1:
            return outcomes[0]
        if pipeline.choose == "random":
            return self._chance.choices(outcomes, weights=[item.weight for item in outcomes])[0]
        key = (project.id, pipeline.name)
        turn = self._turns.get(key, 0)
        self._turns[key] = turn + 1
        return outcomes[turn % len(outcomes)]
