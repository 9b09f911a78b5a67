"""How often one of many is read: the table of the module, each row over counts alone."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from watching.fake_subject import FakeSubject

from maia_async.policies import PollPolicy
from maia_async.watching.crowd import OWN_PACE, Crowd
from maia_async.watching.pace import STREAM_FRESH
from maia_async.watching.sweeper import PART
from maia_async.watching.watched import Watched

OLD = 1e6  # an age that asks for max_interval: what is longer comes from the load


def crowd(
    count: int, *, spare: float = 10.0, swept: int = 0, demand: float = 0.0, policy: PollPolicy | None = None
) -> tuple[Crowd, list[Watched]]:
    sweeper: Any = SimpleNamespace(swept_runs=lambda: swept, demand=lambda: demand, own_rate=None)
    governor: Any = SimpleNamespace(spare_rate=lambda: spare)
    found = Crowd(policy or PollPolicy(), governor, sweeper)
    things = [Watched(FakeSubject(str(number), [])) for number in range(count)]
    for each in things:
        each.since = -OLD
        found.join(each)
    return found, things


@pytest.mark.parametrize(
    ("count", "swept", "demand", "spare", "seconds"),
    [
        pytest.param(10, 0, 0.0, 10.0, 30.0, id="few: as old as they are"),
        pytest.param(1_000, 0, 0.0, 10.0, 100.0, id="many: what the budget allows for all of them"),
        pytest.param(1_000, 600, 0.0, 10.0, 40.0, id="what lists show is not read itself"),
        pytest.param(1_000, 0, 5.0, 10.0, 200.0, id="lists take their share"),
        pytest.param(1_000, 0, 50.0, 10.0, 1_000 / ((1 - PART) * 10.0), id="… but never more than their part"),
        pytest.param(1_000, 0, 0.0, math.inf, 30.0, id="no limit"),
        pytest.param(1_000, 0, 5.0, math.inf, 30.0, id="no limit, and lists are read"),
        pytest.param(1_000, 0, 0.0, 0.0, 3_600.0, id="nothing to spend"),
    ],
)
def test_the_load_is_everything_that_is_read_one_by_one(count: int, swept: int, demand: float, spare: float, seconds: float) -> None:
    found, things = crowd(count, swept=swept, demand=demand, spare=spare)
    assert found.own() == count - swept
    assert found.interval(things[0], 0.0) == pytest.approx(seconds)


def test_one_that_got_a_command_shares_with_those_that_got_one() -> None:
    found, things = crowd(1_000)
    for each in things[:20]:
        each.since = 0.0
        found.hasten(each, 0.0)
    assert found.interval(things[0], 0.0) == 4.0, "half of the reads are for them"
    assert found.interval(things[500], 0.0) == 100.0


def test_after_a_minute_it_is_one_of_all_again() -> None:
    found, things = crowd(1_000)
    found.hasten(things[0], 0.0)
    found.hasten(things[1], 30.0)
    assert found.interval(things[0], STREAM_FRESH) == 30.0
    assert found.interval(things[0], STREAM_FRESH + 0.1) == 100.0
    assert found.interval(things[1], STREAM_FRESH + 0.1) == 30.0, "the other one's minute is its own"


def test_a_second_command_begins_its_minute_anew() -> None:
    found, things = crowd(1_000)
    found.hasten(things[0], 0.0)
    found.hasten(things[1], 10.0)
    found.hasten(things[0], 50.0)
    assert found.interval(things[0], 100.0) == 30.0
    assert found.interval(things[1], 100.0) == 100.0


def test_a_scaled_policy_scales_that_minute() -> None:
    found, things = crowd(1_000, policy=PollPolicy(min_interval=0.1, max_interval=3.0))
    found.hasten(things[0], 0.0)
    assert found.interval(things[0], 6.0) == 3.0
    assert found.interval(things[0], 6.1) == 100.0


def test_one_that_left_is_no_load() -> None:
    found, things = crowd(1_000)
    found.hasten(things[0], 0.0)
    found.hasten(things[1], 0.0)
    for each in things[1:901]:
        found.leave(each)
    assert found.own() == 100
    assert found.interval(things[950], 0.0) == 30.0
    found.leave(things[0])
    assert found.own() == 99


@pytest.mark.parametrize(("count", "spare", "rate"), [(30, 10.0, 2.0), (1_000, 10.0, 10.0), (30, math.inf, 2.0), (0, 10.0, 0.0)])
def test_what_own_reads_want_of_the_budget(count: int, spare: float, rate: float) -> None:
    found, _ = crowd(count, spare=spare)
    assert found.own_rate() == pytest.approx(min(rate, count / OWN_PACE))


def test_lists_are_told_what_own_reads_want() -> None:
    sweeper: Any = SimpleNamespace(swept_runs=lambda: 0, demand=lambda: 0.0, own_rate=None)
    governor: Any = SimpleNamespace(spare_rate=lambda: 10.0)
    found = Crowd(PollPolicy(), governor, sweeper)
    assert sweeper.own_rate == found.own_rate
