"""When to look next: the formula of the module, its bounds, and the spreading of failed looks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.policies import PollPolicy
from maia_async.watching.pace import after_failure, first_look, load_of, run_interval, stream_interval

POLICY = PollPolicy()


def interval(policy: PollPolicy, *, age: float, watched: int, rate: float) -> float:
    return run_interval(policy, age=age, load=load_of(watched, rate))


@pytest.mark.parametrize(
    ("age", "load", "streams", "seconds"),
    [
        pytest.param(0, 0.0, 1, 3.0, id="a command was just given"),
        pytest.param(59, 0.0, 500, 3.0, id="within its minute, however many others are calm"),
        pytest.param(59, 8.0, 500, 8.0, id="within its minute, as the budget allows"),
        pytest.param(60, 0.0, 20, 15.0, id="calm, few"),
        pytest.param(60, 0.0, 500, 500 / 4.5, id="calm, many: 270 requests a minute"),
        pytest.param(60, 200.0, 500, 200.0, id="calm, and the budget is short"),
    ],
)
def test_the_interval_of_streams_is_the_table(age: float, load: float, streams: int, seconds: float) -> None:
    assert stream_interval(POLICY, age=age, load=load, streams=streams) == pytest.approx(seconds)


@pytest.mark.parametrize(("streams", "least", "most"), [(500, 100.0, 1100 / 9), (67, 15.0, 16.377), (50, 15.0, 15.0)])
def test_many_streams_are_spread_over_their_interval_and_few_are_exact(streams: int, least: float, most: float) -> None:
    found = [stream_interval(POLICY, age=60, load=0.0, streams=streams, jitter=jitter) for jitter in (0.0, 1.0)]
    assert found == pytest.approx([least, most], abs=1e-3)
    assert {stream_interval(POLICY, age=59, load=0.0, streams=streams, jitter=jitter) for jitter in (0.0, 0.3, 1.0)} == {3.0}


SECONDS = st.floats(0, 1e7)
POLICIES = st.builds(lambda least, more: PollPolicy(min_interval=least, max_interval=least + more), st.floats(0.01, 60), st.floats(0, 600))


@pytest.mark.parametrize(
    ("age", "watched", "rate", "seconds"),
    [
        pytest.param(0, 1, math.inf, 1.0, id="just started: min_interval"),
        pytest.param(20, 1, math.inf, 2.0, id="a tenth of its age"),
        pytest.param(300, 1, math.inf, 30.0, id="max_interval"),
        pytest.param(86_400, 1, math.inf, 30.0, id="max_interval, for ever"),
        pytest.param(0, 100, 10.0, 10.0, id="load, above min_interval"),
        pytest.param(200, 100, 10.0, 20.0, id="age, above load"),
        pytest.param(0, 1000, 10.0, 100.0, id="load may exceed max_interval"),
        pytest.param(0, 10**9, 1.0, 3600.0, id="load, at most an hour"),
        pytest.param(0, 5, 0.0, 3600.0, id="nothing left of the budget"),
    ],
)
def test_the_interval_is_the_formula(age: float, watched: int, rate: float, seconds: float) -> None:
    assert interval(POLICY, age=age, watched=watched, rate=rate) == pytest.approx(seconds)


@given(POLICIES, SECONDS, st.integers(0, 10**6), st.floats(0, 1e6) | st.just(math.inf))
def test_the_interval_is_never_below_min_interval_nor_over_an_hour_of_load(
    policy: PollPolicy, age: float, watched: int, rate: float
) -> None:
    seconds = interval(policy, age=age, watched=watched, rate=rate)
    assert policy.min_interval <= seconds <= max(3600.0, policy.max_interval)
    if rate and watched / rate <= policy.min_interval:
        assert seconds <= policy.max_interval


@given(POLICIES, SECONDS, SECONDS, st.integers(0, 10**6), st.integers(0, 10**6))
def test_older_and_more_never_means_sooner(policy: PollPolicy, age: float, older: float, watched: int, more: int) -> None:
    before = interval(policy, age=age, watched=watched, rate=5.0)
    assert interval(policy, age=age + older, watched=watched + more, rate=5.0) >= before


@given(st.integers(1, 1800), st.floats(0.5, 20), SECONDS)
def test_looks_at_everything_stay_within_the_rate(watched: int, rate: float, age: float) -> None:
    assert watched / interval(POLICY, age=age, watched=watched, rate=rate) <= rate * 1.001


@pytest.mark.parametrize(
    ("just_triggered", "rate", "seconds"), [(True, 10.0, 1.0), (True, math.inf, 0.0), (False, 10.0, 0.0), (False, math.inf, 0.0)]
)
def test_the_first_look_waits_only_at_our_own_run_under_a_rate_limit(just_triggered: bool, rate: float, seconds: float) -> None:
    assert first_look(POLICY, just_triggered=just_triggered, rate=rate) == seconds


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (6, 30.0), (7, 30.0), (10**6, 30.0)])
def test_failed_looks_wait_twice_as_long_each_time_up_to_max_interval(failures: int, seconds: float) -> None:
    assert after_failure(POLICY, failures=failures, jitter=0.0) == seconds
    assert after_failure(POLICY, failures=failures, jitter=1.0) == seconds / 2


@given(POLICIES, st.integers(1, 10**9), st.floats(0, 1))
def test_jitter_takes_off_at_most_half(policy: PollPolicy, failures: int, jitter: float) -> None:
    seconds = after_failure(policy, failures=failures, jitter=jitter)
    assert policy.min_interval / 2 <= seconds <= policy.max_interval
