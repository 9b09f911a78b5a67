"""Whose turn it is: the table of shares, and that no guarantee depends on who else comes and goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.lanes import GENERAL_PART, GUARANTEED, Lane, Turns

ALL = list(Lane)
URGENT = [lane for lane in ALL if lane.urgent]
GENERAL = [lane for lane in ALL if not lane.urgent]


@pytest.mark.parametrize(
    ("waiting", "shares"),
    [
        (GENERAL, [0, 0, 60, 10, 30]),
        ([Lane.READ, Lane.POLL], [0, 0, 0, 70, 30]),
        ([Lane.TRIGGER, Lane.READ], [0, 0, 90, 10, 0]),
        (URGENT, [90, 10, 0, 0, 0]),
        (ALL, [45, 5, 30, 5, 15]),
        ([Lane.POLL], [0, 0, 0, 0, 100]),
    ],
)
def test_shares_of_lanes_that_always_wait(waiting: list[Lane], shares: list[int]) -> None:
    turns = Turns()
    counts = dict.fromkeys(ALL, 0)
    for _ in range(1000):
        counts[turns.grant(waiting, waiting, reserve=False)] += 1
    assert [count / 10 for count in counts.values()] == pytest.approx(shares, abs=0.5)


def test_what_the_reserve_covers_goes_to_urgent_lanes_whatever_others_have_saved() -> None:
    turns = Turns()
    for _ in range(10):
        turns.grant([Lane.CANCEL], ALL, reserve=False)  # the general lanes have no room and save
    assert all(turns.grant(ALL, ALL, reserve=True).urgent for _ in range(50))
    assert not turns.grant(ALL, ALL, reserve=False).urgent


def test_a_lane_long_without_room_may_save_two_grants() -> None:
    turns = Turns()
    for _ in range(100):
        turns.grant([Lane.TRIGGER], GENERAL, reserve=False)
    assert [turns.grant(GENERAL, GENERAL, reserve=False) for _ in range(5)] == [Lane.READ, Lane.POLL, Lane.READ, Lane.POLL, Lane.TRIGGER]


sometimes = st.lists(st.sets(st.sampled_from(ALL)), min_size=1, max_size=300)


@given(st.sampled_from([Lane.CANCEL, Lane.READ, Lane.POLL]), sometimes)
def test_a_lane_that_always_waits_gets_its_guarantee_of_its_kind_whoever_else_comes_and_goes(lane: Lane, others: list[set[Lane]]) -> None:
    turns = Turns()
    mine = all_of_kind = 0
    for each in others:
        waiting = sorted({lane, *each})
        chosen = turns.grant(waiting, waiting, reserve=False)
        assert chosen in waiting
        all_of_kind += chosen.urgent == lane.urgent
        mine += chosen is lane
    assert mine >= all_of_kind * GUARANTEED[lane] / 100 - 2


@given(st.sampled_from(GENERAL), sometimes)
def test_the_general_lanes_get_their_part_beside_urgent_ones(lane: Lane, others: list[set[Lane]]) -> None:
    turns = Turns()
    general = sum(not turns.grant(waiting, waiting, reserve=False).urgent for waiting in (sorted({lane, *each}) for each in others))
    assert general >= len(others) * GENERAL_PART / 100 - 2
