"""The budget that all retries share: what one takes, what a success puts back, and that an outage does not multiply traffic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.retrying import CAPACITY, REFUND, RetryBudget


def test_a_retry_takes_one_until_nothing_is_left() -> None:
    budget = RetryBudget(3)
    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]
    assert budget.left == 0


def test_ten_successes_pay_for_one_retry() -> None:
    budget = RetryBudget(1)
    assert budget.take()
    for _ in range(9):
        budget.succeeded()
    assert not budget.take()
    budget.succeeded()
    budget.succeeded()  # tenths do not sum to exactly 1
    assert budget.take()


def test_it_never_holds_more_than_its_capacity() -> None:
    budget = RetryBudget()
    budget.succeeded()
    assert budget.left == CAPACITY
    budget.take()
    for _ in range(100):
        budget.succeeded()
    assert budget.left == CAPACITY


def test_a_refused_retry_takes_nothing() -> None:
    budget = RetryBudget(0.5)
    assert not budget.take()
    assert budget.left == 0.5


@given(st.lists(st.booleans()), st.integers(0, 20))
def test_whatever_happens_retries_are_bounded_by_the_capacity_and_a_tenth_of_the_successes(successes: list[bool], capacity: int) -> None:
    budget = RetryBudget(capacity)
    taken = 0
    for success in successes:
        if success:
            budget.succeeded()
        else:
            taken += budget.take()
        assert 0 <= budget.left <= capacity
    assert taken <= capacity + REFUND * sum(successes) + 1e-9


@pytest.mark.parametrize("requests", [1000, 10_000])
def test_in_a_total_outage_the_retries_are_the_capacity_however_many_requests_fail(requests: int) -> None:
    budget = RetryBudget()
    assert sum(budget.take() for _ in range(requests * 4)) == CAPACITY
