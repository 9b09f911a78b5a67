"""The tables of the supervisor, one row for each of their lines; and the ledger, the mailbox and the memory between two reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async import (
    ConfigurationError,
    Flapping,
    GaveUp,
    RestartAttempted,
    RestartPolicy,
    SessionClosed,
    StreamingState,
    StreamingTransition,
    supervise,
)
from maia_async.backoffs import steps
from maia_async.orchestration.supervision.mailbox import Mailbox
from maia_async.orchestration.supervision.restarts import Restarts
from maia_async.orchestration.supervision.transitions import Meaning, Start, Track, meaning

STARTING, SNAPSHOTTING, STREAMING = StreamingState.STARTING, StreamingState.SNAPSHOTTING, StreamingState.STREAMING
STOPPING, NOT_RUNNING, UNKNOWN = StreamingState.STOPPING, StreamingState.NOT_RUNNING, StreamingState.UNKNOWN
UNSEEN = StreamingState("PAUSED")
READABLE = (STARTING, SNAPSHOTTING, STREAMING, STOPPING, NOT_RUNNING)
RUNNING = (STARTING, SNAPSHOTTING, STREAMING)
STARTS = tuple(Start)
ANY: Any = object()

# (desired, previous, observed, start, asked, lost, meaning): ANY, or a tuple, stands for each of its values.
ROWS: list[tuple[Any, Any, Any, Any, Any, Any, Meaning]] = [
    (ANY, ANY, (UNKNOWN, UNSEEN), ANY, ANY, False, Meaning.UNREACHABLE),
    (STREAMING, ANY, (UNKNOWN, UNSEEN), Start.PENDING, ANY, True, Meaning.UNREACHABLE),
    (STREAMING, ANY, (UNKNOWN, UNSEEN), (Start.NONE, Start.FAILED, Start.LATE), ANY, True, Meaning.LOST),
    ((None, NOT_RUNNING), ANY, (UNKNOWN, UNSEEN), ANY, ANY, True, Meaning.UNREACHABLE),
    (None, ANY, READABLE, ANY, ANY, ANY, Meaning.STEADY),
    (NOT_RUNNING, ANY, NOT_RUNNING, Start.PENDING, ANY, ANY, Meaning.PENDING),
    (NOT_RUNNING, ANY, NOT_RUNNING, (Start.NONE, Start.FAILED, Start.LATE), ANY, ANY, Meaning.STOPPED),
    (NOT_RUNNING, ANY, (STARTING, SNAPSHOTTING, STREAMING, STOPPING), ANY, ANY, ANY, Meaning.STOPPING_AS_ASKED),
    (STREAMING, STREAMING, STREAMING, ANY, ANY, ANY, Meaning.STEADY),
    (STREAMING, (None, STARTING, SNAPSHOTTING, STOPPING, NOT_RUNNING), STREAMING, ANY, ANY, ANY, Meaning.ARRIVED),
    (STREAMING, ANY, STARTING, ANY, ANY, ANY, Meaning.PROGRESS),
    (STREAMING, ANY, SNAPSHOTTING, ANY, ANY, ANY, Meaning.PROGRESS),
    (STREAMING, None, STOPPING, ANY, ANY, ANY, Meaning.PENDING),
    (STREAMING, READABLE, STOPPING, ANY, ANY, ANY, Meaning.STOPPED_BY_OTHERS),
    (STREAMING, ANY, NOT_RUNNING, ANY, True, ANY, Meaning.STOPPED_BY_OTHERS),
    (STREAMING, ANY, NOT_RUNNING, Start.PENDING, False, ANY, Meaning.PENDING),
    (STREAMING, ANY, NOT_RUNNING, Start.FAILED, False, ANY, Meaning.NEEDS_START),
    (STREAMING, ANY, NOT_RUNNING, Start.LATE, False, ANY, Meaning.DROPPED),
    (STREAMING, STOPPING, NOT_RUNNING, Start.NONE, False, ANY, Meaning.STOPPED_BY_OTHERS),
    (STREAMING, RUNNING, NOT_RUNNING, Start.NONE, False, ANY, Meaning.DROPPED),
    (STREAMING, NOT_RUNNING, NOT_RUNNING, Start.NONE, False, ANY, Meaning.NEEDS_START),
    (STREAMING, None, NOT_RUNNING, Start.NONE, False, ANY, Meaning.NEEDS_START),
]


def values(cell: Any, every: tuple[Any, ...]) -> tuple[Any, ...]:
    if cell is ANY:
        return every
    return cell if isinstance(cell, tuple) else (cell,)


def combinations(row: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for desired in values(row[0], (STREAMING, NOT_RUNNING, None)):
        for previous in values(row[1], (None, *READABLE)):
            for observed in values(row[2], (*READABLE, UNKNOWN, UNSEEN)):
                for start in values(row[3], STARTS):
                    for asked in values(row[4], (True, False)):
                        for lost in values(row[5], (True, False)):
                            yield desired, previous, observed, start, asked, lost


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[-1].name)
def test_each_line_of_the_table(row: tuple[Any, ...]) -> None:
    for desired, previous, observed, start, asked, lost in combinations(row):
        assert meaning(desired, previous, observed, start=start, asked=asked, lost=lost) is row[-1]


def test_the_table_has_one_line_for_everything_that_may_be_seen_and_no_two() -> None:
    met = [case for row in ROWS for case in combinations(row)]

    assert len(met) == len(set(met)) == 3 * 6 * 7 * 4 * 2 * 2


GRACE, UNREACHABLE = 60.0, 300.0


def track(**fields: Any) -> Track:
    return Track(GRACE, UNREACHABLE, **fields)


def story(kept: Track, *events: tuple[Any, ...]) -> list[Meaning]:
    """What a list of moments means: a state is a read sent and answered then, or sent at the third; "send" and the like are a START's."""
    found = []
    ends: dict[Any, Any] = {"accept": kept.accepted, "refuse": kept.refused, "doubt": kept.doubted}
    for at, event, *asked_at in events:
        if event == "send":
            kept.sending()
        elif event == "stop":
            kept.stopped()
        elif event in ends:
            ends[event](at)
        else:
            found.append(kept.see(event, now=at, asked_at=asked_at[0] if asked_at else at))
    return found


M = Meaning


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        # Adopting.
        ([(0, STREAMING), (9, STREAMING)], [M.ARRIVED, M.STEADY]),
        ([(0, STOPPING), (3, STOPPING), (6, NOT_RUNNING)], [M.PENDING, M.PENDING, M.NEEDS_START]),
        ([(0, UNKNOWN), (3, NOT_RUNNING)], [M.UNREACHABLE, M.NEEDS_START]),
        # A start, and what shows of it.
        (
            [(0, NOT_RUNNING), (0, "send"), (1, NOT_RUNNING), (1, "accept"), (61, NOT_RUNNING), (62, STARTING), (64, NOT_RUNNING)],
            [M.NEEDS_START, M.PENDING, M.PENDING, M.PROGRESS, M.DROPPED],
        ),
        ([(0, "send"), (1, "accept"), (61.1, NOT_RUNNING), (62, NOT_RUNNING)], [M.DROPPED, M.NEEDS_START]),
        # Seen running before its START was answered: the next NOT_RUNNING is a drop, not a start that does not show yet.
        ([(0, "send"), (1, STARTING), (2, "accept"), (3, NOT_RUNNING)], [M.PROGRESS, M.DROPPED]),
        # Late is a read that went out late, not one that came back late.
        ([(0, "send"), (1, "accept"), (70, NOT_RUNNING, 61), (71, NOT_RUNNING, 62)], [M.PENDING, M.DROPPED]),
        ([(0, "send"), (1, "refuse"), (2, NOT_RUNNING)], [M.NEEDS_START]),
        # No usable answer: it may have landed, unless it may as well have run all the time.
        (
            [(0, NOT_RUNNING), (0, "send"), (1, "doubt"), (2, NOT_RUNNING), (62, NOT_RUNNING)],
            [M.NEEDS_START, M.PENDING, M.DROPPED],
        ),
        (
            [(0, NOT_RUNNING), (1, UNKNOWN), (1, "send"), (2, "doubt"), (3, NOT_RUNNING)],
            [M.NEEDS_START, M.UNREACHABLE, M.PENDING],
        ),
        ([(0, STREAMING), (1, UNKNOWN), (1, "send"), (2, "doubt"), (3, NOT_RUNNING)], [M.ARRIVED, M.UNREACHABLE, M.NEEDS_START]),
        ([(0, "send"), (1, STARTING), (2, "refuse"), (3, NOT_RUNNING)], [M.PROGRESS, M.DROPPED]),
        # A snapshot of hours.
        ([(0, STARTING), (9, SNAPSHOTTING), (90_000, SNAPSHOTTING), (90_001, STREAMING)], [M.PROGRESS] * 3 + [M.ARRIVED]),
        # Drops, at once or behind a blip.
        ([(0, STREAMING), (9, NOT_RUNNING), (10, NOT_RUNNING)], [M.ARRIVED, M.DROPPED, M.NEEDS_START]),
        ([(0, STREAMING), (9, UNKNOWN), (20, STREAMING)], [M.ARRIVED, M.UNREACHABLE, M.STEADY]),
        ([(0, STREAMING), (9, UNKNOWN), (20, NOT_RUNNING)], [M.ARRIVED, M.UNREACHABLE, M.DROPPED]),
        ([(0, SNAPSHOTTING), (9, UNSEEN), (20, NOT_RUNNING)], [M.PROGRESS, M.UNREACHABLE, M.DROPPED]),
        # Unreachable for longer than 300 s since the first such read; a word in between that can be read begins anew.
        ([(0, UNKNOWN), (300, UNKNOWN), (300.5, UNKNOWN)], [M.UNREACHABLE, M.UNREACHABLE, M.LOST]),
        ([(0, UNKNOWN), (200, STREAMING), (201, UNSEEN), (501, UNKNOWN)], [M.UNREACHABLE, M.ARRIVED, M.UNREACHABLE, M.UNREACHABLE]),
        # After a START, whatever came of it, the whole time counts anew.
        (
            [(0, UNKNOWN), (301, UNKNOWN), (301, "send"), (302, "accept"), (600, UNKNOWN), (603, UNKNOWN)],
            [M.UNREACHABLE, M.LOST, M.UNREACHABLE, M.LOST],
        ),
        ([(0, UNKNOWN), (301, "send"), (302, "refuse"), (600, UNKNOWN), (603, UNKNOWN)], [M.UNREACHABLE, M.UNREACHABLE, M.LOST]),
        ([(0, UNKNOWN), (301, "send"), (302, "refuse"), (303, NOT_RUNNING)], [M.UNREACHABLE, M.NEEDS_START]),
        # Stopped by others: seen, and behind a blip.
        ([(0, STREAMING), (9, STOPPING), (12, NOT_RUNNING)], [M.ARRIVED, M.STOPPED_BY_OTHERS, M.STOPPED_BY_OTHERS]),
        (
            [(0, STREAMING), (9, STOPPING), (10, UNKNOWN), (12, NOT_RUNNING)],
            [M.ARRIVED, M.STOPPED_BY_OTHERS, M.UNREACHABLE, M.STOPPED_BY_OTHERS],
        ),
    ],
)
def test_what_is_remembered_between_two_reads(events: list[tuple[float, Any]], expected: list[Meaning]) -> None:
    assert story(track(), *events) == expected


def test_a_look_that_went_out_before_a_failed_start_does_not_decide_about_it() -> None:
    kept = track(previous=NOT_RUNNING)
    kept.sending()
    kept.refused(5.0)

    assert kept.see(NOT_RUNNING, now=6.0, asked_at=4.9) is Meaning.PENDING
    assert kept.see(NOT_RUNNING, now=7.0, asked_at=6.5) is Meaning.NEEDS_START


def test_a_start_of_before_a_stop_that_was_accepted_shows_no_more() -> None:
    kept = track()
    story(kept, (0, NOT_RUNNING), (0, "send"), (1, "accept"))
    kept.desired = NOT_RUNNING
    assert story(kept, (2, NOT_RUNNING), (3, "stop"), (4, NOT_RUNNING)) == [M.PENDING, M.STOPPED]


@pytest.mark.parametrize(
    ("events", "ran"),
    [
        ([(0, NOT_RUNNING)], False),
        ([(0, STARTING)], True),
        ([(0, "send"), (1, "accept")], True),
        ([(0, "send"), (1, "refuse")], False),
        ([(0, NOT_RUNNING), (0, "send"), (1, "doubt")], True),
        ([(0, UNKNOWN), (0, "send"), (1, "doubt")], False),
    ],
)
def test_the_next_start_is_a_restart_once_it_ran_or_was_started(events: list[tuple[float, Any]], ran: bool) -> None:
    kept = track()
    story(kept, *events)

    assert kept.ran is ran


def ledger(**policy: Any) -> Restarts:
    return Restarts(RestartPolicy(**policy), waits=steps)


def test_it_gives_up_at_the_drop_after_max_restarts_in_the_window_and_not_before() -> None:
    book = ledger()
    for at in (0.0, 100.0, 600.0):
        assert book.may_restart(at)
        book.accepted(at)

    assert not book.may_restart(600.0)  # exactly `within` after the first, which still counts
    assert book.may_restart(600.1)
    assert (book.count(600.1), book.attempt(600.1)) == (2, 3)


def test_the_delay_doubles_with_each_restart_and_each_refusal_up_to_the_cap_and_begins_anew() -> None:
    book = ledger(base=1.0, cap=10.0, max_restarts=10)
    assert book.delay(0.0) == 1.0
    book.accepted(0.0)
    assert book.delay(1.0) == 2.0
    book.failed()
    book.failed()
    assert (book.delay(2.0), book.attempt(2.0)) == (8.0, 4)
    book.failed()
    assert book.delay(3.0) == 10.0
    book.runs()
    assert book.delay(4.0) == 2.0
    assert book.delay(601.0) == 1.0
    for _ in range(10_000):
        book.failed()
    assert book.delay(602.0) == 10.0


def test_the_delay_after_a_refusal_is_stretched_when_many_are_refused() -> None:
    book = ledger(base=1.0, cap=10.0)
    assert book.delay(0.0, retriers=300) == 1.0  # the first try after a drop
    book.failed()
    assert [book.delay(0.0, retriers=number) for number in (1, 30, 300)] == [2.0, 2.0, 20.0]


def test_the_delay_has_full_jitter() -> None:
    book = Restarts(RestartPolicy(base=8.0, cap=8.0))
    drawn = [book.delay(0.0) for _ in range(200)]

    assert 0 <= min(drawn) < 1
    assert 7 < max(drawn) <= 8


def test_flapping_is_told_at_the_third_drop_and_again_only_after_it_calmed_down() -> None:
    book = ledger()

    assert [book.dropped(at) for at in (0.0, 100.0, 200.0, 300.0, 700.0)] == [0, 0, 3, 0, 0]
    assert [book.dropped(at) for at in (2000.0, 2100.0, 2200.0)] == [0, 0, 3]


@given(gaps=st.lists(st.floats(0, 400), max_size=60), most=st.integers(1, 4))
def test_no_window_ever_holds_more_than_max_restarts(gaps: list[float], most: int) -> None:
    book = ledger(max_restarts=most)
    now, accepted = 0.0, []
    for gap in gaps:
        now += gap
        if book.may_restart(now):
            book.accepted(now)
            accepted.append(now)
    for first in accepted:
        assert sum(first <= at <= first + 600.0 for at in accepted) <= most


AT = datetime(2026, 1, 1, tzinfo=UTC)


def moved(name: str, previous: StreamingState | None, current: StreamingState, duration: float | None = 1.0) -> StreamingTransition:
    return StreamingTransition(at=AT, pipeline_id=name, previous=previous, current=current, duration=duration)


def restarted(name: str, attempt: int, *, accepted: bool | None = True) -> RestartAttempted:
    return RestartAttempted(at=AT, pipeline_id=name, attempt=attempt, accepted=accepted, error=None, delay=0.0)


async def taken(box: Mailbox) -> list[Any]:
    box.close()
    found = []
    try:
        while True:
            found.append(await box.next())
    except StopAsyncIteration:
        return found


async def test_a_full_mailbox_joins_transitions_by_pipeline_and_drops_no_restart_and_no_give_up() -> None:
    box = Mailbox(2)
    gave_up = GaveUp(at=AT, pipeline_id="a", restarts=3, within=600.0)
    flapping = [Flapping(at=AT, pipeline_id="a", drops=drops, within=600.0) for drops in (3, 4)]
    for event in (
        moved("a", None, NOT_RUNNING, None),
        moved("a", NOT_RUNNING, STARTING),
        restarted("a", 1),
        moved("a", STARTING, STREAMING),
        moved("b", None, STREAMING, None),
        flapping[0],
        moved("a", STREAMING, NOT_RUNNING, 7.0),
        restarted("a", 2),
        flapping[1],
        gave_up,
        moved("b", STREAMING, UNKNOWN, 5.0),
    ):
        box.put(event)

    assert await taken(box) == [
        moved("a", None, NOT_RUNNING, None),
        restarted("a", 1),
        moved("a", NOT_RUNNING, NOT_RUNNING, 9.0),
        restarted("a", 2),
        flapping[1],
        gave_up,
        moved("b", None, UNKNOWN, None),
    ]


async def test_restarts_that_were_refused_again_and_again_are_told_by_the_last_of_them() -> None:
    box = Mailbox(1)
    for attempt, accepted in enumerate([False, False, True, False, None, False, None, False], start=1):
        box.put(restarted("a", attempt, accepted=accepted))
        box.put(restarted("b", attempt, accepted=True))

    told = await taken(box)
    assert [(event.attempt, event.accepted) for event in told if event.pipeline_id == "a"] == [(3, True), (5, None), (7, None), (8, False)]
    assert len(told) == 4 + 8


async def test_a_mailbox_that_nobody_reads_stays_bounded_and_remembers_where_everything_began() -> None:
    box = Mailbox(10)
    states = [STARTING, SNAPSHOTTING, STREAMING, NOT_RUNNING]
    for turn in range(1000):
        for name in "abcdefgh":
            box.put(moved(name, states[turn % 4], states[(turn + 1) % 4]))

    assert box.unread <= 10 + 8
    left = [event for event in await taken(box) if event.pipeline_id == "c"]
    assert left[0].previous is STARTING
    assert sum(event.duration for event in left) == 1000.0
    assert all(earlier.current is later.previous for earlier, later in pairwise(left))


async def test_an_error_comes_after_the_events_and_once() -> None:
    box = Mailbox(10)
    box.put(restarted("a", 1))
    box.fail(SessionClosed())
    box.fail(ValueError("a later one"))
    box.close()

    assert await box.next() == restarted("a", 1)
    with pytest.raises(SessionClosed):
        await box.next()
    with pytest.raises(StopAsyncIteration):
        await box.next()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"start_grace": 0}, "start_grace"),
        ({"start_grace": True}, "start_grace"),
        ({"unreachable_after": float("nan")}, "unreachable_after"),
        ({"unreachable_after": float("inf")}, "unreachable_after"),
        ({"unreachable_after": "5"}, "unreachable_after"),
        ({"on_external_stop": "ignore"}, "on_external_stop"),
        ({"on_exit": True}, "on_exit"),
        ({"restart": 3}, "restart"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{named} must be "):
        supervise([], **options)
