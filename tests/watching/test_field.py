"""One project's state: the background round comes bit by bit, and strays are counted. Plain state, no loop."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watching.fake_subject import FakeSubject

from maia_async.watching.census import Census
from maia_async.watching.field import Field
from maia_async.watching.planner import OPEN, Ask, Kind, Plan
from maia_async.watching.watched import Waiter, Watched
from maia_async.watching.windows import Window


def presence(count: int) -> tuple[Ask, ...]:
    return tuple(Ask(Window(second, second, 0), OPEN) for second in range(count))


def ended(count: int, *, interval: float = 4.0, rare: float = 60.0) -> Plan:
    return Plan(Kind.ENDED, interval, presence(1), presence(count), rare)


def make() -> Field:
    return Field("p", Census())


@pytest.mark.parametrize(
    ("plan", "swept"), [(Plan(Kind.OWN, math.inf), False), *((Plan(kind, 1.0), True) for kind in Kind if kind is not Kind.OWN)]
)
def test_a_project_is_swept_unless_each_run_is_read_itself(plan: Plan, swept: bool) -> None:
    here = make()
    assert not here.swept
    here.plan = plan
    assert here.swept == swept


def test_presence_is_spread_over_its_rounds() -> None:
    here, plan = make(), ended(30)
    parts = [here.present(plan) for _ in range(15)]
    assert [len(part) for part in parts] == [2] * 15
    assert [ask for part in parts for ask in part] == list(plan.presence), "in one cycle each window once, in order"


@given(st.integers(1, 80), st.floats(1, 60), st.floats(1, 40))
def test_each_window_comes_once_in_a_cycle_and_no_two_cycles_are_mixed(count: int, interval: float, times: float) -> None:
    here, plan = make(), ended(count, interval=interval, rare=interval * times)
    seen = [ask for _ in range(math.ceil(2 * times) + 2) for ask in here.present(plan)]
    assert len(seen) >= count, "everything was seen within two cycles"
    for place, ask in enumerate(seen):
        assert ask == plan.presence[place % count]


def test_a_round_that_is_longer_than_the_cycle_sees_each_once() -> None:
    here, plan = make(), ended(5, interval=100.0, rare=60.0)
    assert [len(here.present(plan)) for _ in range(3)] == [5, 5, 5]


def test_a_plan_without_presence_drops_what_was_left_of_it() -> None:
    here = make()
    here.present(ended(30))
    assert here.present(Plan(Kind.ALL, 4.0, presence(1))) == []
    assert len(here.presence) == 0
    assert here.present(ended(30)) == list(presence(2))


def test_how_rarely_a_run_is_seen_is_remembered_for_a_while() -> None:
    here = make()
    here.present(ended(30, rare=100.0))
    assert here.rare == 100.0
    here.present(ended(30, rare=60.0))
    assert here.rare == pytest.approx(90.0)
    for _ in range(60):
        here.present(Plan(Kind.ALL, 4.0, presence(1)))
    assert here.rare < 1.0
    here.present(ended(30, rare=60.0))
    assert here.rare == 60.0


def watched(*, waiters: int = 1) -> Watched:
    found = Watched(FakeSubject("a", []))
    found.waiters = tuple(Waiter(found, Watched.ended, lambda _: None) for _ in range(waiters))
    return found


def test_a_stray_counts_once_and_is_found_once() -> None:
    here, stray = make(), watched()
    for _ in range(3):
        here.lose(stray)
    assert (stray.stray, here.strays) == (True, 1)
    for _ in range(3):
        here.find(stray)
    assert (stray.stray, here.strays) == (False, 0)


def test_what_nobody_waits_for_is_no_stray() -> None:
    here, left = make(), watched(waiters=0)
    here.lose(left)
    assert (left.stray, here.strays) == (False, 0)
