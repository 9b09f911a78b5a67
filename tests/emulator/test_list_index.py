"""The index against a slow model: any order of starts, ends, cancels, holds, crowds, time and lags."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from maia_async.emulator import Outcome, Pipeline, Scenario
from maia_async.emulator.bodies import Order
from maia_async.emulator.executions import STATUSES, Run, is_terminal, status_at
from maia_async.emulator.listing import Filter
from maia_async.emulator.state import Account
from maia_async.emulator.times import floored

LAGS = st.sampled_from([0.0, 0.0, 0.5, 3.0, 8.0])
PROJECT = Scenario.of().projects[0].id


class Lists(RuleBasedStateMachine):
    """The model knows what each run's status was at each instant, because it wrote down what it saw."""

    runs: Bundle[Run] = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        ends = [Outcome(status=end) for end in ("SUCCESS", "FAILED", "FORBIDDEN")]
        names = ("load", "Unload", "x")
        self.account = Account(
            Scenario.of(*(Pipeline(name=name, duration=(0, 12), outcomes=ends, cancel_seconds=(0, 5)) for name in names))
        )
        self.project = self.account.project(PROJECT)
        self.now = 1_700_000_000.0
        self.lag = self.status_lag = 0.0
        # For each run: from when, which plan; a copy, made by hand.
        self.plans: dict[str, list[tuple[float, Run]]] = {}

    @initialize(lag=LAGS, status_lag=LAGS)
    def lags(self, lag: float, status_lag: float) -> None:
        self.lag, self.status_lag = lag, status_lag

    @rule(target=runs, name=st.sampled_from(["load", "Unload", "x"]), environment=st.sampled_from(["Dev Env", "Environment-1"]))
    def trigger(self, name: str, environment: str) -> Run:
        run = self.account.trigger(self.project, Order(pipeline_name=name, environment_name=environment), self.now)
        self.write_down(run)
        return run

    @rule(target=runs, count=st.sampled_from([3, 70]), back=st.sampled_from([0, 5, 30]))
    def crowd(self, count: int, back: int) -> object:
        added = []
        for number in range(count):
            run_id, sequence = self.account.take_id()
            started = floored(self.now - back * number / count)
            added.append(
                Run(
                    id=run_id,
                    sequence=sequence,
                    project_id=PROJECT,
                    pipeline_name=("load", "crowd")[number % 2],
                    environment_name="Dev Env",
                    created=started,
                    started=started,
                    ends=started + number % 9,
                    outcome=("SUCCESS", "FAILED")[number % 2],
                )
            )
        self.account.add(added)
        for run in added:
            self.write_down(run)
        return multiple(*added[:2])

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(run=runs, event=st.sampled_from(["cancel", "force", "finish", "UNKNOWN", "QUEUED", "RUNNING", None]))
    def event(self, run: Run, event: str | None) -> None:
        if is_terminal(run, self.now):
            return
        if event in {"cancel", "force"}:
            self.account.cancel(run, self.now, force=event == "force")
        elif event == "finish":
            self.account.finish(run, self.now, status="SKIPPED", message=None)
        else:
            self.account.hold(run, self.now, event)
        self.write_down(run)

    @rule(lag=LAGS, status_lag=LAGS)
    def lags_change(self, lag: float, status_lag: float) -> None:
        self.lags(lag, status_lag)

    @rule(
        statuses=st.none() | st.sets(st.sampled_from(sorted(STATUSES)), min_size=1, max_size=3),
        name=st.sampled_from([None, "load", "crowd"]),
        place=st.sampled_from([None, "Dev Env"]),
        window=st.none() | st.tuples(st.floats(0, 40), st.floats(0, 10)),
        exclusive=st.booleans(),
    )
    def look(
        self, statuses: set[str] | None, name: str | None, place: str | None, window: tuple[float, float] | None, exclusive: bool
    ) -> None:
        low, high = (floored(self.now - window[0]), floored(self.now - window[0] + window[1])) if window else (None, None)
        wanted = {} if statuses is None else {"statuses": frozenset(statuses)}
        found, more = self.account.index.select(
            Filter(
                project_id=PROJECT,
                pipeline_name=name,
                environment_name=place,
                started_after=low,
                started_before=high,
                exclusive=exclusive,
                **wanted,
            ),
            limit=10_000,
            now=self.now,
            lag=self.lag,
            status_lag=self.status_lag,
        )

        def within(run: Run) -> bool:
            if low is None or high is None:
                return True
            return low < run.started < high if exclusive else low <= run.started <= high

        expected = [
            run
            for run in sorted(self.account.runs.values(), key=lambda run: run.key, reverse=True)
            if run.created <= self.now - self.lag
            and (name is None or name in run.pipeline_name.lower())
            and (place is None or run.environment_name == place)
            and within(run)
            and (statuses is None or self.model_status(run) in statuses)
        ]
        assert ([run.id for run in found], more) == ([run.id for run in expected], False)

    def write_down(self, run: Run) -> None:
        copy = Run(
            id=run.id,
            sequence=run.sequence,
            project_id=run.project_id,
            pipeline_name=run.pipeline_name,
            environment_name=run.environment_name,
            created=run.created,
            started=run.started,
            ends=run.ends,
            outcome=run.outcome,
            held=run.held,
            cancel_done=run.cancel_done,
        )
        self.plans.setdefault(run.id, []).append((floored(self.now), copy))

    def model_status(self, run: Run) -> str:
        then = self.now - self.status_lag
        plans = self.plans[run.id]
        plan = plans[0][1]
        for since, later in plans[1:]:
            if since <= then:
                plan = later
        return status_at(plan, then)


Lists.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestLists = Lists.TestCase


@pytest.mark.parametrize("count", [3, 300])
def test_a_crowd_in_any_order_is_listed_in_the_order_of_starts(count: int) -> None:
    account = Account(Scenario.of())
    runs = [
        Run(
            id=str(number),
            sequence=number,
            project_id="p",
            pipeline_name="n",
            environment_name="e",
            created=float(number * 7 % count),
            started=float(number * 7 % count),
            ends=0.0,
        )
        for number in range(count)
    ]
    account.add(runs)
    found, _ = account.index.select(Filter(), limit=count, now=1000.0)

    assert len(account.index) == count
    assert found == sorted(runs, key=lambda run: run.key, reverse=True)
