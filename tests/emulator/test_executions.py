"""The life of a run: the rows of its table, and a random walk against its two promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from maia_async.emulator import Outcome, Pipeline, Scenario
from maia_async.emulator.bodies import Order
from maia_async.emulator.executions import Run, cancel, finish, finished_at, hold, is_terminal, message_at, status_at
from maia_async.emulator.problems import Refused
from maia_async.emulator.state import Account


def a_run(outcome: str = "SUCCESS") -> Run:
    """A run from 100 to 110."""
    return Run(
        id="r",
        sequence=1,
        project_id="p",
        pipeline_name="n",
        environment_name="e",
        created=100.0,
        started=100.0,
        ends=110.0,
        outcome=outcome,
        message="said",
    )


@pytest.mark.parametrize(
    ("event", "now", "status", "finished"),
    [
        (lambda run: None, 100.0, "RUNNING", None),
        (lambda run: None, 109.999, "RUNNING", None),
        (lambda run: None, 110.0, "FAILED", 110.0),
        (lambda run: cancel(run, 104, seconds=3), 106.999, "CANCELLING", None),
        (lambda run: cancel(run, 104, seconds=3), 107.0, "CANCELLED", 107.0),
        (lambda run: cancel(run, 109, seconds=3), 111.0, "CANCELLING", None),
        (lambda run: (cancel(run, 104, seconds=9), cancel(run, 105, seconds=0)), 105.0, "CANCELLED", 105.0),
        (lambda run: (cancel(run, 104, seconds=2), cancel(run, 105, seconds=9)), 106.0, "CANCELLED", 106.0),
        (lambda run: hold(run, "QUEUED"), 999.0, "QUEUED", None),
        (lambda run: (hold(run, "UNKNOWN"), hold(run, None)), 105.0, "RUNNING", None),
        (lambda run: (hold(run, "UNKNOWN"), hold(run, None)), 115.0, "FAILED", 110.0),
        (lambda run: (hold(run, "UNKNOWN"), cancel(run, 104, seconds=1)), 105.0, "CANCELLED", 105.0),
        (lambda run: finish(run, 103, status="SKIPPED", message=None), 103.0, "SKIPPED", 103.0),
        (lambda run: (cancel(run, 102, seconds=9), finish(run, 103, status="SUCCESS", message=None)), 103.0, "SUCCESS", 103.0),
    ],
)
def test_the_status_follows_from_the_plan_and_the_time(
    event: Callable[[Run], object], now: float, status: str, finished: float | None
) -> None:
    run = a_run("FAILED")

    event(run)

    assert (status_at(run, now), finished_at(run, now)) == (status, finished)
    assert is_terminal(run, now) == (finished is not None)


def test_a_message_comes_with_the_end_only() -> None:
    assert [message_at(a_run(), now) for now in (105.0, 110.0)] == [None, "said"]


TAGS = st.sampled_from(["a", "b", None])


class LifeOfRuns(RuleBasedStateMachine):
    """Triggers, cancels, holds and time in any order."""

    runs: Bundle[Run] = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        pipeline = Pipeline(
            name="p", duration=(0, 20), outcomes=[Outcome(status=end) for end in ("SUCCESS", "FAILED", "SKIPPED")], cancel_seconds=(0, 5)
        )
        self.account = Account(Scenario.of(pipeline, Pipeline(name="off", enabled=False)))
        self.project = next(iter(self.account.projects.values()))
        self.now = 1_700_000_000.0
        self.ended: dict[str, tuple[str, float | None, str | None]] = {}

    @rule(target=runs, tag=TAGS, environment=st.sampled_from(["Dev Env", "Environment-1"]))
    def trigger(self, tag: str | None, environment: str) -> object:
        taken = any(
            run.execution_tag == tag and run.environment_name == environment and not is_terminal(run, self.now)
            for run in self.account.runs.values()
        )
        order = Order(pipeline_name="p", environment_name=environment, execution_tag=tag)
        if tag is not None and taken:
            with pytest.raises(Refused) as refusal:
                self.account.trigger(self.project, order, self.now)
            assert refusal.value.status == 409
            return multiple()
        return self.account.trigger(self.project, order, self.now)

    @rule(seconds=st.floats(0, 15))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(run=runs, force=st.booleans())
    def cancel(self, run: Run, force: bool) -> None:
        if not is_terminal(run, self.now):
            self.account.cancel(run, self.now, force=force)
            assert status_at(run, self.now) in {"CANCELLING", "CANCELLED"}
            assert not force or status_at(run, self.now) == "CANCELLED"

    @rule(run=runs, word=st.sampled_from(["RUNNING", "UNKNOWN", "QUEUED", None]))
    def hold(self, run: Run, word: str | None) -> None:
        if not is_terminal(run, self.now):
            hold(run, word)

    @invariant()
    def an_end_never_changes(self) -> None:
        for run in self.account.runs.values():
            if is_terminal(run, self.now):
                seen = (status_at(run, self.now), finished_at(run, self.now), message_at(run, self.now))
                assert self.ended.setdefault(run.id, seen) == seen
            else:
                assert run.id not in self.ended

    @invariant()
    def a_tag_has_one_unfinished_run(self) -> None:
        holders = [
            (run.environment_name, run.execution_tag)
            for run in self.account.runs.values()
            if run.execution_tag is not None and not is_terminal(run, self.now)
        ]
        assert len(holders) == len(set(holders))


LifeOfRuns.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLifeOfRuns = LifeOfRuns.TestCase
