"""Deadlines: each row of the table, and a heap that gives them in order, a few at a time, and lets go of those who wait no more."""

from __future__ import annotations

import math
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watching.fake_subject import FakeSubject

from maia_async.watching.deadlines import AT_ONCE, LAST_LOOK_ANSWER, LAST_LOOK_GRANT, MOST_GONE, Deadlines, after_deadline
from maia_async.watching.watched import Waiter, Watched


def waiter(deadline: float = math.inf, *, closing: int = 0, sent: bool = False) -> Waiter:
    watched = Watched(FakeSubject("a", []))
    watched.sent = sent
    return Waiter(watched, Watched.ended, lambda _: None, deadline=deadline, closing=closing)


@pytest.mark.parametrize(
    ("closing", "sent", "fresh", "step"),
    [
        pytest.param(0, False, True, None, id="the last look is younger than min_interval: give up at once"),
        pytest.param(0, False, False, LAST_LOOK_GRANT, id="look now"),
        pytest.param(0, True, False, LAST_LOOK_GRANT, id="a look is under way: join it"),
        pytest.param(1, False, False, None, id="no request has gone out: the budget does not grant it"),
        pytest.param(1, False, True, None, id="… however fresh another look is"),
        pytest.param(1, True, False, LAST_LOOK_ANSWER, id="it has gone out: its answer may come"),
        pytest.param(1, True, True, LAST_LOOK_ANSWER, id="… however fresh another look is"),
        pytest.param(2, True, False, None, id="no answer in time"),
    ],
)
def test_the_table(closing: int, sent: bool, fresh: bool, step: float | None) -> None:
    assert after_deadline(waiter(closing=closing, sent=sent), fresh=fresh) == step


@pytest.mark.parametrize(
    ("looked_at", "looking", "fails", "due", "fresh"),
    [
        pytest.param(99.5, False, False, 110.0, True, id="younger than min_interval"),
        pytest.param(98.5, False, False, 110.0, False, id="older"),
        pytest.param(99.5, True, False, 110.0, False, id="another look is under way"),
        pytest.param(80.0, False, True, 110.0, True, id="looks fail, and this wait lay inside the pause"),
        pytest.param(80.0, False, False, 110.0, False, id="looks do not fail"),
        pytest.param(80.0, True, True, 110.0, False, id="looks fail, and the next one is under way"),
        pytest.param(80.0, False, True, 100.0, False, id="looks fail, and the next one is due"),
        pytest.param(80.0, False, True, -math.inf, False, id="looks fail, and a last look was not granted"),
        pytest.param(95.0, False, True, 110.0, False, id="looks fail, but the last one came in this wait"),
    ],
)
def test_which_last_look_will_do(looked_at: float, looking: bool, fails: bool, due: float, fresh: bool) -> None:
    found = waiter(100.0)
    found.timeout = 10.0
    watched = found.watched
    if fails:
        watched.failed(OSError(), looked_at, 0.0)
    watched.looked_at, watched.looking, watched.due = looked_at, looking, due
    assert watched.is_fresh(found, 100.0, 1.0) is fresh


def drained(found: Deadlines, now: float) -> list[float]:
    return [each.deadline for each in found.expired(now)]


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans())), st.floats(0, 100))
def test_those_whose_time_has_come_are_told_once_the_earliest_first(entries: list[tuple[float, bool]], now: float) -> None:
    found = Deadlines()
    for at, done in entries:
        each = waiter(at)
        found.add(each, at)
        if done:
            each.done = True
            found.gone(each)
    assert drained(found, now) == sorted(at for at, done in entries if at <= now and not done)
    assert drained(found, now) == []
    assert found.next() > now


def test_without_any_there_is_no_next_moment() -> None:
    assert Deadlines().next() == math.inf


def test_of_those_with_one_deadline_the_first_that_joined_comes_first() -> None:
    found = Deadlines()
    waiters = [waiter(5.0) for _ in range(50)]
    for each in waiters:
        found.add(each, 5.0)
    assert found.next() == 5.0
    assert list(found.expired(5.0)) == waiters


def test_ten_thousand_with_one_deadline_end_a_few_hundred_at_a_time() -> None:
    found = Deadlines()
    for _ in range(10_000):
        found.add(waiter(1.0), 1.0)
    turns = []
    while found.next() <= 1.0:
        turns.append(len(list(found.expired(1.0))))
    assert turns == [AT_ONCE] * (10_000 // AT_ONCE)


def test_what_is_added_for_a_later_moment_meanwhile_waits_for_it() -> None:
    found = Deadlines()
    found.add(waiter(1.0), 1.0)
    for each in found.expired(1.0):
        found.add(each, each.deadline + LAST_LOOK_GRANT)
    assert (drained(found, 2.9), found.next(), drained(found, 3.0)) == ([], 3.0, [1.0])


def test_a_long_timeout_does_not_hold_on_to_those_who_wait_no_more() -> None:
    found, kept = Deadlines(), waiter(1e6)
    found.add(kept, 1e6)
    gone: list[weakref.ref[Watched]] = []
    for _ in range(MOST_GONE + 1):
        each = waiter(1e6)
        gone.append(weakref.ref(each.watched))
        found.add(each, 1e6)
        each.done = True
        found.gone(each)
    del each
    assert sum(ref() is not None for ref in gone) == 0
    assert list(found.expired(1e6)) == [kept]


def test_those_without_a_deadline_are_not_counted_as_gone() -> None:
    found, long = Deadlines(), [waiter(9.0) for _ in range(10)]
    for each in long:
        found.add(each, 9.0)
    for _ in range(10 * MOST_GONE):
        found.gone(waiter())
    assert list(found.expired(9.0)) == long


def test_when_nobody_waits_nothing_is_left() -> None:
    found = Deadlines()
    found.add(waiter(3.0), 3.0)
    found.clear()
    assert (found.next(), drained(found, 1e9)) == (math.inf, [])
