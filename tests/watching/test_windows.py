"""Windows of start time: the table of the module, and that nothing that is wanted falls between two of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.watching.windows import EARLIER, FILL, Window, pages, windows

SECONDS = st.integers(1_000, 1_300)
ROWS = st.dictionaries(st.integers(990, 1_310), st.sampled_from([0, 1, 4, 16, 60, 94, 95, 96, 100, 101, 350]))


@pytest.mark.parametrize(
    ("wanted", "rows", "found"),
    [
        pytest.param([], {1_000: 5}, [], id="nobody is awaited"),
        pytest.param([1_000], {}, [(998, 1_000, 0)], id="one run: what may have started a little earlier, too"),
        pytest.param([1_000, 1_500], {1_000: 40, 1_500: 40}, [(998, 1_500, 80)], id="seconds between cost nothing without rows"),
        pytest.param([1_000, 1_003], {1_000: 40, 1_001: 20, 1_003: 40}, [(998, 1_000, 40), (1_001, 1_003, 60)], id="rows between count"),
        pytest.param([1_000, 1_001], {1_000: 55, 1_001: 40}, [(998, 1_001, 95)], id="exactly what a page is filled with"),
        pytest.param([1_000, 1_001], {1_000: 55, 1_001: 41}, [(998, 1_000, 55), (1_001, 1_001, 41)], id="one more begins a window"),
        pytest.param([1_000, 1_002], {1_000: 90, 1_001: 2, 1_002: 9}, [(998, 1_000, 90), (1_001, 1_002, 11)], id="the second between, too"),
        pytest.param(
            [1_000, 1_009], {1_000: 90, 1_004: 50, 1_009: 9}, [(998, 1_000, 90), (1_007, 1_009, 9)], id="what is cut out, does not"
        ),
        pytest.param(
            [1_000, 1_001], {1_000: 350, 1_001: 1}, [(998, 1_000, 350), (1_001, 1_001, 1)], id="a second of several pages is alone"
        ),
        pytest.param([1_000], {998: 60, 1_000: 60, 1_001: 70}, [(998, 1_000, 120)], id="rows in the margin are read, so they count"),
        pytest.param([1_009, 1_000], {1_000: 1, 1_009: 1}, [(998, 1_009, 2)], id="in any order"),
    ],
)
def test_the_table(wanted: list[int], rows: dict[int, int], found: list[tuple[int, int, int]]) -> None:
    assert [(window.first, window.last, window.rows) for window in windows(wanted, rows, 100)] == found


@pytest.mark.parametrize(("rows", "requests"), [(0, 1), (1, 1), (100, 1), (101, 2), (350, 4)])
def test_a_window_takes_at_least_one_request(rows: int, requests: int) -> None:
    assert Window(1, 2, rows).pages(100) == requests
    assert pages([Window(1, 2, rows), Window(3, 3, 5)], 100) == requests + 1


@given(st.lists(SECONDS, unique=True), ROWS, st.sampled_from([1, 20, 100]))
def test_every_wanted_second_is_in_one_window_and_its_margin_in_some(wanted: list[int], rows: dict[int, int], page: int) -> None:
    found = [(window.first or 0, window.last or 0) for window in windows(wanted, rows, page)]

    for second in wanted:
        assert sum(first <= second <= last for first, last in found) == 1
        for earlier in range(second - EARLIER, second):
            assert sum(first <= earlier <= last for first, last in found) == 1, "a run that started a little earlier is in no window"


@given(st.lists(SECONDS, unique=True), ROWS, st.sampled_from([1, 20, 100]))
def test_windows_are_ordered_and_do_not_overlap(wanted: list[int], rows: dict[int, int], page: int) -> None:
    found = windows(wanted, rows, page)

    bounds = [bound for window in found for bound in (window.first or 0, window.last or 0)]
    assert bounds == sorted(bounds)
    assert all((before.last or 0) < (after.first or 0) for before, after in pairwise(found))
    assert all(window.last in wanted for window in found), "no window reaches further than the last run in it"


@given(st.lists(SECONDS, unique=True), ROWS, st.sampled_from([1, 20, 100]))
def test_a_window_of_several_runs_seconds_fits_a_page_and_none_could_have_joined_the_next(
    wanted: list[int], rows: dict[int, int], page: int
) -> None:
    found = windows(wanted, rows, page)
    room = max(1, int(page * FILL))

    def between(first: int, last: int) -> int:
        return sum(count for second, count in rows.items() if first <= second <= last)

    for window in found:
        assert window.first is not None
        assert window.last is not None
        assert window.rows == between(window.first, window.last)
        if sum(window.first <= second <= window.last for second in wanted) > 1:
            assert window.rows <= room
    for window, after in pairwise(found):
        following = min(second for second in wanted if second >= (after.first or 0))
        assert between(window.first or 0, following) > room, "one request too many"
