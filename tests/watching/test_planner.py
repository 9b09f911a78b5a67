"""The cost model as a table: what each plan costs, where each wins, and what no plan may do. No server, no loop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.policies import PollPolicy
from maia_async.watching.planner import CALM, ENDS, FEW, LONGEST, OPEN, PRESENCE, PRESENCE_PART, Kind, Names, Plan, Situation, planning

POLICY = PollPolicy()
BASE = 1_700_000_000
OURS, OTHERS = ("load", "production"), ("sync", "production")
Counts = dict[int, int]


def plan(situation: Situation, policy: PollPolicy) -> Plan:
    """The plan, made in one go."""
    steps = planning(situation, policy)
    while True:
        try:
            next(steps)
        except StopIteration as made:
            found: Plan = made.value
            return found


def spread(count: int, seconds: int, first: int = 0) -> Counts:
    """So many rows, evenly over so many seconds of start."""
    found: Counts = {}
    for number in range(count):
        second = BASE + first + number * seconds // count
        found[second] = found.get(second, 0) + 1
    return found


def situation(runs: Counts, listed: Mapping[str, Counts] | None = None, /, **more: Any) -> Situation:
    values: dict[str, Any] = {
        "runs": sum(runs.values()),
        "youngest": 60.0,
        "awaited": {None: runs},
        "rows": {None: listed or {}},
        "rate": 10.0,
    }
    return Situation(**{**values, **more})


def total(found: Plan) -> float:
    """Requests a second."""
    return found.requests / found.interval + len(found.presence) / found.presence_interval


# the table


def test_own_reads_cost_one_request_for_each_run() -> None:
    found = plan(situation(spread(5, 10), rate=0.5), POLICY)
    assert (found.kind, found.requests, found.interval, found.asks) == (Kind.OWN, 5, 10.0, ())


def test_all_costs_the_pages_of_every_status() -> None:
    # 50 that run and 50 that have ended start in the same 20 s: 95 rows fill a page, so two windows.
    found = plan(situation(spread(50, 20), {OPEN: spread(50, 20), "SUCCESS": spread(45, 20), "FAILED": spread(5, 20)}, ends=1.0), POLICY)
    assert (found.kind, found.requests, found.interval) == (Kind.ALL, 2, 4.0)
    assert {(ask.word, ask.names) for ask in found.asks} == {(None, None)}
    assert sum(ask.window.rows for ask in found.asks) == 100


def test_running_costs_its_pages_and_a_read_for_each_end() -> None:
    # 1,500 of 10,000 still run: 16 pages, and the 1.5 that end in each second are read themselves.
    ended = {"SUCCESS": spread(8_000, 600), "FAILED": spread(500, 600)}
    found = plan(situation(spread(1_500, 600), {OPEN: spread(1_500, 600), **ended}, ends=1.5, youngest=600.0), POLICY)
    assert (found.kind, found.interval, len(found.asks)) == (Kind.RUNNING, 4.0, 16)
    assert found.requests == 16 + 1.5 * 4.0
    assert {ask.word for ask in found.asks} == {OPEN}


def test_running_is_stretched_by_what_the_reads_of_ends_leave() -> None:
    found = plan(situation(spread(1_500, 600), {"SUCCESS": spread(8_500, 600)}, ends=8.0, youngest=600.0), POLICY)
    assert (found.kind, found.interval) == (Kind.RUNNING, 16 / (10.0 - 8.0))


def test_ended_costs_the_pages_of_the_terminal_words_and_sees_the_others_in_the_background() -> None:
    # 7,000 of 10,000 run while more are triggered: 30 pages of SUCCESS, and four words with few rows.
    ended = {"SUCCESS": spread(2_850, 600), "FAILED": spread(90, 600)}
    found = plan(situation(spread(7_000, 600), {OPEN: spread(7_000, 600), **ended}, ends=8.0, youngest=0.1, rate=5.0), POLICY)
    windows = {word: [ask for ask in found.asks if ask.word == word] for word in ENDS}
    assert found.kind is Kind.ENDED
    assert {word: len(asks) for word, asks in windows.items()} == {"SUCCESS": 30, "FAILED": 1, "CANCELLED": 1, "SKIPPED": 1, "FORBIDDEN": 1}
    assert {ask.word for ask in found.presence} == {OPEN}
    background = len(found.presence) / found.presence_interval
    assert background == pytest.approx(PRESENCE_PART * 5.0)
    assert found.interval == pytest.approx(found.requests / (5.0 - background))


def test_presence_is_no_more_frequent_than_need_be() -> None:
    found = plan(situation(spread(1_000, 60)), POLICY)
    assert (found.kind, found.presence_interval, len(found.presence)) == (Kind.ENDED, PRESENCE, 12)


# where each wins


def fleet(count: int, seconds: int, *, ended: float, **more: Any) -> Situation:
    """So many, started over so many seconds, of which a part has ended already."""
    running, over = spread(round(count * (1 - ended)), seconds), round(count * ended)
    listed = {OPEN: running, "SUCCESS": spread(round(over * 0.95), seconds), "FAILED": spread(round(over * 0.05), seconds)}
    return situation(running, listed, **more)


@pytest.mark.parametrize(
    ("found", "kind", "interval", "requests"),
    [
        pytest.param(situation(spread(FEW, 10)), Kind.OWN, 4.0, FEW, id="few: a tenth of a minute is over CALM"),
        pytest.param(situation(spread(FEW + 1, 10)), Kind.ALL, 4.0, 1, id="one more: one page"),
        pytest.param(situation(spread(1, 1), proven=True), Kind.ALL, 4.0, 1, id="one, and lists have shown it"),
        pytest.param(situation({}, runs=500), Kind.OWN, 50.0, 500, id="nobody knows when they started"),
        pytest.param(situation(spread(100, 10), youngest=0.5), Kind.ALL, 1.0, 2, id="100 that have just started"),
        pytest.param(fleet(100, 10, ended=0.5, ends=1.0), Kind.ALL, 4.0, 2, id="100, half of them over"),
        pytest.param(fleet(1_000, 60, ended=0.0, youngest=5.0, rate=5.0), Kind.ENDED, 5 / 4.8, 5, id="1,000 young"),
        pytest.param(fleet(1_000, 60, ended=0.95, ends=0.2), Kind.RUNNING, 4.0, 1.8, id="1,000 old"),
        pytest.param(fleet(10_000, 600, ended=0.3, youngest=0.1, ends=8.0, rate=5.0), Kind.ENDED, 8.75, 35, id="10,000 while triggering"),
        pytest.param(fleet(10_000, 600, ended=0.85, youngest=600.0, ends=1.5), Kind.RUNNING, 4.0, 22.0, id="10,000 old"),
        pytest.param(situation(spread(100, 10), rate=0.0), Kind.ALL, LONGEST, 2, id="nothing to spend: an hour, not for ever"),
        pytest.param(situation(spread(3, 3), rate=0.0), Kind.OWN, LONGEST, 3, id="nothing to spend, few"),
        pytest.param(situation(spread(1_000, 60), rate=math.inf), Kind.ENDED, 4.0, 5, id="no limit: as calm, and the cheapest"),
        pytest.param(situation(spread(3, 3), rate=math.inf, youngest=0.1), Kind.OWN, 1.0, 3, id="no limit, few and young"),
        pytest.param(
            fleet(1_400, 60, ended=0.3, ends=0.1, refused=frozenset({"SKIPPED"})), Kind.RUNNING, 4.0, 12.4, id="a terminal word is refused"
        ),
        pytest.param(situation(spread(1_000, 60), rate=5.0, refused=frozenset({OPEN})), Kind.ALL, 4.0, 12, id="RUNNING is refused"),
        pytest.param(situation(spread(1_000, 60), rate=5.0, refused=frozenset({None})), Kind.ALL, 4.0, 12, id="every word is refused"),
    ],
)
def test_where_each_plan_wins(found: Situation, kind: Kind, interval: float, requests: float) -> None:
    chosen = plan(found, POLICY)
    assert (chosen.kind, chosen.interval, chosen.requests) == (kind, pytest.approx(interval), pytest.approx(requests))


@pytest.mark.parametrize(
    ("youngest", "interval"), [(0.0, 1.0), (10.0, 1.0), (20.0, 2.0), (39.0, 3.9), (40.0, CALM), (86_400.0, CALM)], ids=str
)
def test_the_interval_is_a_tenth_of_the_youngest_ones_age(youngest: float, interval: float) -> None:
    assert plan(situation(spread(50, 10), youngest=youngest), POLICY).interval == pytest.approx(interval)


def test_the_policy_bounds_the_interval() -> None:
    slow, capped = PollPolicy(min_interval=20.0), PollPolicy(min_interval=1.0, max_interval=2.5)
    assert plan(situation(spread(50, 10)), slow).interval == 20.0
    assert plan(situation(spread(50, 10), youngest=1e6), slow).interval == 30.0
    assert plan(situation(spread(50, 10), youngest=1e6), capped).interval == 2.5


# what others started


def crowded(foreign: int, awaited: Counts, names: tuple[Names, ...] = (OURS,), **more: Any) -> Situation:
    share = {name: {at: 1 for place, at in enumerate(sorted(awaited)) if place % len(names) == number} for number, name in enumerate(names)}
    rows = {None: {OPEN: spread(foreign // 2, 600), "SUCCESS": spread(foreign // 2, 600)}}
    return situation(awaited, awaited={None: awaited, **share}, rows=rows, **more)


def test_a_crowd_of_others_narrows_the_list() -> None:
    found = plan(crowded(60_000, spread(200, 600)), POLICY)
    assert {ask.names for ask in found.asks} == {OURS}
    assert found.requests <= 2 * (200 / 100 + 1)


def test_each_of_our_pipelines_has_windows_of_its_own() -> None:
    found = plan(crowded(60_000, spread(180, 600), (OURS, OTHERS)), POLICY)
    assert [(ask.names, ask.window.rows) for ask in found.asks] == [(OURS, 90), (OTHERS, 90)]


def test_a_few_others_do_not() -> None:
    assert {ask.names for ask in plan(crowded(100, spread(200, 600)), POLICY).asks} == {None}


def test_a_list_that_cannot_be_narrowed_is_read_wide_or_not_at_all() -> None:
    wide = plan(crowded(60_000, spread(200, 600), ()), POLICY)
    assert (wide.kind, wide.interval) == (Kind.OWN, 20.0), "60,000 rows cost more than 200 own reads"
    dear = plan(crowded(60_000, spread(2_000, 600), ()), POLICY)
    assert dear.kind is not Kind.OWN


def test_a_crowd_in_one_of_our_own_pipelines_counts_there() -> None:
    awaited = spread(200, 600)
    rows = {names: {OPEN: awaited, "SUCCESS": spread(60_000, 600)} for names in (None, OURS)}
    found = plan(situation(awaited, awaited={None: awaited, OURS: awaited}, rows=rows, ends=0.1), POLICY)
    assert found.kind is Kind.RUNNING


# open above


def test_only_the_newest_window_is_open_above_and_only_while_runs_are_started() -> None:
    while_started = plan(situation(spread(300, 60), youngest=9.0), POLICY)
    for word in {ask.word for ask in while_started.asks}:
        lasts = [ask.window.last for ask in while_started.asks if ask.word == word]
        assert lasts[-1] is None
        assert None not in lasts[:-1]
    assert all(ask.window.last is not None for ask in while_started.presence), "presence is read later: an open window would have filled"
    assert all(ask.window.last is not None for ask in plan(situation(spread(300, 60), youngest=11.0), POLICY).asks)


# what no plan may do

WORDS = st.sampled_from([OPEN, *ENDS, "CANCELLING"])
ROWS = st.dictionaries(
    WORDS, st.dictionaries(st.integers(BASE - 5, BASE + 90), st.sampled_from([0, 1, 7, 40, 120]), max_size=40), max_size=3
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    counts: dict[Names, Counts] = {None: draw(st.dictionaries(st.integers(BASE, BASE + 80), st.integers(1, 60), min_size=1, max_size=40))}
    for at, count in counts[None].items():
        counts.setdefault(draw(st.sampled_from([OURS, OTHERS])), {})[at] = count
    return Situation(
        runs=sum(counts[None].values()) + draw(st.integers(0, 3)),
        youngest=draw(st.sampled_from([0.0, 5.0, 25.0, 1e4])),
        awaited=counts,
        rows={names: draw(ROWS) for names in counts},
        rate=draw(st.sampled_from([0.0, 0.5, 5.0, 10.0, math.inf])),
        ends=draw(st.sampled_from([0.0, 0.3, 4.0, 20.0])),
        page=draw(st.sampled_from([20, 100])),
        refused=draw(st.sampled_from([frozenset(), frozenset({None}), frozenset({OPEN}), frozenset({"FAILED"})])),
        proven=draw(st.booleans()),
    )


@given(situations())
def test_no_plan_spends_more_than_the_rate_nor_comes_sooner_than_min_interval(found: Situation) -> None:
    chosen = plan(found, POLICY)
    assert POLICY.min_interval <= chosen.interval <= LONGEST
    if 0 < found.rate < math.inf and chosen.interval < LONGEST:
        assert total(chosen) <= found.rate * 1.001
    assert (not chosen.asks) == (chosen.kind is Kind.OWN)


@given(situations())
def test_every_awaited_run_stands_in_the_windows_of_each_status_asked_for(found: Situation) -> None:
    chosen = plan(found, POLICY)
    groups: dict[str | None, set[Names]] = {}
    for ask in chosen.asks:
        groups.setdefault(ask.word, set()).add(ask.names)
    assert set(groups) == {Kind.OWN: set(), Kind.ALL: {None}, Kind.RUNNING: {OPEN}, Kind.ENDED: set(ENDS)}[chosen.kind]
    for word, scopes in groups.items():
        assert scopes in ({None}, {OURS, OTHERS} & found.awaited.keys())
        for names in scopes:
            mine = [ask.window for ask in chosen.asks if (ask.word, ask.names) == (word, names)]
            for second in found.awaited[names]:
                inside = [w for w in mine if w.first is not None and w.first <= second and (w.last is None or second <= w.last)]
                assert len(inside) == 1
    if chosen.kind is Kind.ENDED:
        for names in groups[ENDS[0]]:
            for second in found.awaited[names]:
                assert any(ask.names == names and (ask.window.first or 0) <= second <= (ask.window.last or 0) for ask in chosen.presence)


@given(situations())
def test_lists_are_never_slower_than_own_reads(found: Situation) -> None:
    chosen = plan(found, POLICY)
    own = min(LONGEST, max(POLICY.min_interval, found.runs / found.rate if found.rate else LONGEST))
    assert chosen.interval <= max(own, POLICY.min_interval * CALM)


@given(situations())
def test_no_refused_word_is_asked_for(found: Situation) -> None:
    chosen = plan(found, POLICY)
    asked = {ask.word for ask in (*chosen.asks, *chosen.presence)} - {None}
    assert not asked & found.refused
    assert not (asked and None in found.refused)


@given(situations())
def test_what_is_not_priced_could_not_have_won(found: Situation) -> None:
    """All statuses are not counted when our own rows alone cost too much: with no other plan to choose from, it would have cost more."""
    chosen = plan(found, POLICY)
    alone = plan(_only_all(found), POLICY)
    if alone.kind is Kind.ALL and {ask.names for ask in alone.asks} == {ask.names for ask in chosen.asks}:
        assert (chosen.interval, total(chosen)) <= (alone.interval, total(alone))


def _only_all(found: Situation) -> Situation:
    values = {name: getattr(found, name) for name in Situation.__slots__ if name != "__weakref__"}
    return Situation(**{**values, "refused": frozenset({None})})
