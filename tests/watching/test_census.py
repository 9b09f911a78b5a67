"""What is known of one project's list: who stands where, how many rows do, and how fast runs end. Plain state, no loop."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watching.fake_subject import FakeSubject

from maia_async.models.enums import ExecutionStatus
from maia_async.watching.census import GAP_PARTS, MEMORY, Census, Row
from maia_async.watching.planner import OPEN, Ask, Names
from maia_async.watching.watched import Watched
from maia_async.watching.windows import EARLIER, Window

BASE = 1_700_000_000
OURS, OTHERS, ALIEN = ("load", "production"), ("sync", "production"), ("alien", "production")


def run(second: int | None = 0, names: Names = OURS) -> Watched:
    found = Watched(FakeSubject("a", []))
    found.start, found.names = None if second is None else BASE + second, names
    return found


def census(*runs: Watched) -> Census:
    found = Census()
    for each in runs:
        found.add(each)
    return found


def row(second: int | None, word: str = OPEN, names: Names = OURS) -> Row:
    return Row("id", ExecutionStatus(word), None if second is None else BASE + second, names)


def ask(first: int, last: int | None, word: str | None = None, names: Names = None) -> Ask:
    return Ask(Window(BASE + first, None if last is None else BASE + last, 0), word, names)


def listed(found: Census, names: Names = None) -> dict[str, dict[int, int]]:
    """The rows that are known, by word and second after BASE; none without rows."""
    rows = found.rows().get(names, {})
    return {word: {at - BASE: count for at, count in seconds.items()} for word, seconds in rows.items() if seconds}


# who is awaited


def test_a_run_counts_for_the_project_and_for_its_own_names() -> None:
    found = census(run(0), run(0, OTHERS), run(3), run(5, None))
    assert found.counts() == {None: {BASE: 2, BASE + 3: 1, BASE + 5: 1}, OURS: {BASE: 1, BASE + 3: 1}, OTHERS: {BASE: 1}}
    assert (found.runs, len(found.strangers)) == (4, 0)


def test_a_run_whose_start_nobody_knows_is_a_stranger() -> None:
    stranger = run(None)
    found = census(stranger, run(0))
    assert (found.runs, list(found.strangers), found.counts()[None]) == (2, [stranger], {BASE: 1})
    found.discard(stranger)
    assert (found.runs, found.strangers) == (1, {})


def test_when_the_last_run_of_some_names_goes_so_does_what_was_listed_of_them() -> None:
    mine, other = run(0), run(1, OTHERS)
    found = census(mine, other)
    found.covered(ask(0, 1), [row(0), row(1, names=OTHERS)], first=BASE, whole=True)
    found.discard(other)
    assert (found.counts().keys(), found.rows().keys()) == ({None, OURS}, {None, OURS})
    found.discard(mine)
    assert (found.runs, found.awaited, found.counts(), found.rows()) == (0, {}, {}, {})


def test_a_run_that_is_not_here_is_neither_taken_out_nor_moved_in() -> None:
    found, gone = census(run(0)), run(0)
    found.discard(gone)
    found.place(gone, BASE + 7, OTHERS)
    assert (found.runs, found.counts()) == (1, {None: {BASE: 1}, OURS: {BASE: 1}})
    assert (gone.start, gone.names) == (BASE + 7, OTHERS), "what was told is known for the next time that somebody waits"


@pytest.mark.parametrize(
    ("known", "told", "start", "names"),
    [
        pytest.param((None, None), (3, OURS), 3, OURS, id="a stranger has a place"),
        pytest.param((4, OURS), (3, OURS), 3, OURS, id="it started a second earlier than we thought"),
        pytest.param((4, OURS), (4, OTHERS), 4, OTHERS, id="it has another name"),
        pytest.param((4, OURS), (None, None), 4, OURS, id="nothing is told"),
        pytest.param((4, OURS), (None, OTHERS), 4, OTHERS, id="only the names are told"),
        pytest.param((4, None), (5, None), 5, None, id="only the start is told"),
        pytest.param((None, None), (None, OURS), None, OURS, id="a stranger stays one without a start"),
    ],
)
def test_a_run_is_moved_to_where_a_list_shows_it(
    known: tuple[int | None, Names], told: tuple[int | None, Names], start: int | None, names: Names
) -> None:
    watched = run(*known)
    found = census(watched)
    found.place(watched, None if told[0] is None else BASE + told[0], told[1])
    assert (watched.start, watched.names) == (None if start is None else BASE + start, names)
    assert found.runs == 1
    assert found.counts() == ({} if start is None else {None: {BASE + start: 1}, **({} if names is None else {names: {BASE + start: 1}})})
    assert (watched in found.strangers) == (start is None)


@given(
    st.lists(
        st.tuples(st.integers(0, 19), st.sampled_from(["add", "discard", "place"]), st.integers(0, 5), st.sampled_from([OURS, OTHERS]))
    )
)
def test_the_counts_are_those_of_the_runs_whatever_happens(steps: list[tuple[int, str, int, Names]]) -> None:
    runs = [run(None if number % 5 == 0 else number % 4, None if number % 7 == 0 else OURS) for number in range(20)]
    found, here = Census(), set[Watched]()
    for number, what, second, names in steps:
        watched = runs[number]
        if what == "add" and watched not in here:
            found.add(watched)
            here.add(watched)
        elif what == "discard":
            found.discard(watched)
            here.discard(watched)
        elif what == "place":
            found.place(watched, BASE + second, names)
    placed = [watched for watched in here if watched.start is not None]
    assert found.runs == len(here)
    assert set(found.strangers) == here - set(placed)
    assert {watched for seconds in found.awaited.values() for watched in seconds} == set(placed)
    expected: dict[Names, Counter[int | None]] = {}
    for watched in placed:
        for names in {None, watched.names}:
            expected.setdefault(names, Counter())[watched.start] += 1
    assert found.counts() == expected


@pytest.mark.parametrize("reach", [5, 5_000], ids=["a narrow window", "a wide one"])
def test_within_are_the_runs_that_an_ask_is_about(reach: int) -> None:
    runs = [run(second, OURS if second % 2 else OTHERS) for second in range(40)]
    found = census(*runs, run(None))
    assert set(found.within(ask(10, 10 + reach))) == set(runs[10 : 11 + reach])
    assert set(found.within(ask(10, 10 + reach, names=OURS))) == {each for each in runs[10 : 11 + reach] if each.names == OURS}
    assert set(found.within(ask(10, None))) == set(runs[10:])
    assert set(found.within(Ask(Window(None, BASE + 9, 0)))) == set(runs[:10])
    assert set(found.within(Ask(Window(None, None, 0)))) == set(runs)


# how many rows stand where


def test_a_list_says_how_many_rows_of_each_status_stand_in_each_second() -> None:
    found = census(run(0), run(1))
    rows = [row(0), row(0, "SUCCESS", ALIEN), row(0, "SUCCESS"), row(1), row(1, "PAUSED"), row(None)]
    found.covered(ask(0, 1), rows, first=BASE, whole=True)
    assert listed(found) == {OPEN: {0: 1, 1: 1}, "SUCCESS": {0: 2}, "PAUSED": {1: 1}}


def test_a_list_of_the_project_tells_of_our_own_names_too_and_of_nobody_elses() -> None:
    found = census(run(0), run(1, OTHERS))
    found.covered(ask(0, 1), [row(0), row(1, names=OTHERS), row(1, names=ALIEN), row(1, names=None)], first=BASE, whole=True)
    assert listed(found) == {OPEN: {0: 1, 1: 3}}
    assert listed(found, OURS) == {OPEN: {0: 1}}
    assert listed(found, OTHERS) == {OPEN: {1: 1}}
    assert found.rows().keys() == {None, OURS, OTHERS}


def test_a_row_without_names_counts_once() -> None:
    found = census(run(0, None))
    found.covered(ask(0, 1), [row(0, names=None)], first=BASE, whole=True)
    assert listed(found) == {OPEN: {0: 1}}


def test_a_later_list_replaces_what_it_covers_and_nothing_else() -> None:
    found = census(run(0), run(9))
    found.covered(ask(0, 9), [row(second, word) for second in range(10) for word in (OPEN, "SUCCESS")], first=BASE, whole=True)
    found.covered(ask(4, 9, OPEN), [row(5)], first=BASE + 4, whole=True)
    assert listed(found) == {OPEN: dict.fromkeys([0, 1, 2, 3, 5], 1), "SUCCESS": dict.fromkeys(range(10), 1)}
    found.covered(ask(8, None), [], first=BASE + 8, whole=True)
    assert listed(found) == {OPEN: dict.fromkeys([0, 1, 2, 3, 5], 1), "SUCCESS": dict.fromkeys(range(8), 1)}


def test_an_empty_list_of_one_word_empties_that_word_alone() -> None:
    found = census(run(0))
    found.covered(ask(0, 1), [row(0), row(0, "FAILED")], first=BASE, whole=True)
    found.covered(ask(0, 1, OPEN), [], first=BASE, whole=True)
    assert listed(found) == listed(found, OURS) == {"FAILED": {0: 1}}


def test_rows_of_a_narrowed_list_count_for_its_names_alone() -> None:
    found = census(run(0))
    found.covered(ask(0, 1, OPEN, OURS), [row(0), row(0)], first=BASE, whole=True)
    assert (listed(found), listed(found, OURS)) == ({}, {OPEN: {0: 2}})


def test_a_narrowed_list_that_comes_when_nobody_waits_there_any_more_is_not_kept() -> None:
    found = census(run(0, OTHERS))
    found.covered(ask(0, 1, OPEN, OURS), [row(0)], first=BASE, whole=True)
    assert OURS not in found.rows()


def test_a_server_that_ignores_the_status_makes_that_question_as_dear_as_it_is() -> None:
    found = census(run(0))
    found.covered(ask(0, 1, "FAILED"), [row(0), row(0, "SUCCESS"), row(0, "FAILED")], first=BASE, whole=True)
    assert listed(found) == {"FAILED": {0: 3}}


def test_below_a_list_that_was_not_read_to_its_end_there_are_as_many_each_second() -> None:
    found = census(run(0))
    found.covered(ask(0, 9), [row(second) for second in (8, 8, 8, 9, 9, 9)], first=BASE + 8, whole=False)
    assert listed(found) == {OPEN: dict.fromkeys(range(10), 3)}


def test_a_long_gap_is_reckoned_in_parts() -> None:
    found, day = census(run(0)), 86_400
    for _ in range(3):  # the same again changes nothing
        found.covered(ask(0, day + 9), [row(day + second) for second in (5, 5, 5, 9, 9)], first=BASE + day, whole=False)
    counts = listed(found)[OPEN]
    assert len(counts) <= GAP_PARTS + 2
    assert sum(counts.values()) == pytest.approx(day, rel=0.01)


def test_what_stands_before_the_oldest_awaited_run_is_forgotten_in_turn() -> None:
    old, young = run(0), run(50)
    found = census(old, young)
    found.covered(ask(0, 60), [row(second) for second in range(60)], first=BASE, whole=True)
    found.discard(old)
    for _ in (None, OURS):
        found.tidy()
    kept = {OPEN: dict.fromkeys(range(50 - EARLIER, 60), 1)}
    assert (listed(found), listed(found, OURS)) == (kept, kept)


def test_tidying_nothing_is_nothing() -> None:
    found = census(run(None))
    found.tidy()
    found.covered(ask(0, 1), [row(0)], first=BASE, whole=True)
    found.tidy()
    assert listed(found) == {}


# how fast runs end


def test_the_rate_of_ends_is_what_it_was_lately() -> None:
    found = Census()
    assert found.end_rate(0.0) == 0
    for second in range(200):
        found.ended(5, float(second))
    assert found.end_rate(199.0) == pytest.approx(5.0, rel=0.05)
    assert found.end_rate(199.0 + MEMORY / 2) == pytest.approx(2.5, rel=0.05)
    assert found.end_rate(199.0 + MEMORY) == found.end_rate(1e6) == 0


def test_its_memory_scales() -> None:
    found = Census(memory=3.0)
    found.ended(30, 0.0)
    assert (found.end_rate(0.0), found.end_rate(1.5), found.end_rate(3.0)) == (10.0, 5.0, 0.0)
