"""What a read of a streaming pipeline means for one who waits: each row of the two tables, and which reads are news."""

from __future__ import annotations

from typing import Any, Final

import pytest

from maia_async import ConfigurationError, StreamingState, StreamingStopped
from maia_async.clock import utc_now
from maia_async.resources.orders import Orders
from maia_async.resources.stream_wait import Arrival, Meaning, Next, Sight, check_seconds, meaning, next_step, timeline
from maia_async.watching.watched import Watched

STARTING, SNAPSHOTTING, STREAMING, STOPPING, NOT_RUNNING, UNKNOWN = StreamingState
PAUSED: Final = StreamingState("PAUSED")
EVERY: Final = [*StreamingState, PAUSED]
BOTH: Final = [False, True]
RUNNING: Final = (STARTING, SNAPSHOTTING, STREAMING)
ARRIVED, GOING_ON, STOPPED, IGNORED = Meaning


@pytest.mark.parametrize("late", BOTH)
@pytest.mark.parametrize("ran", BOTH)
@pytest.mark.parametrize("observed", StreamingState)
def test_one_of_the_wanted_is_always_there(observed: StreamingState, ran: bool, late: bool) -> None:
    assert meaning(frozenset({observed}), observed, ran=ran, late=late) is ARRIVED
    assert meaning(frozenset(StreamingState), observed, ran=ran, late=late) is ARRIVED


@pytest.mark.parametrize(
    ("observed", "ran", "late", "expected"),
    [
        (NOT_RUNNING, True, False, STOPPED),
        (NOT_RUNNING, True, True, STOPPED),
        (NOT_RUNNING, False, False, GOING_ON),
        (NOT_RUNNING, False, True, STOPPED),
        (STOPPING, True, False, STOPPED),
        (STOPPING, True, True, STOPPED),
        (STOPPING, False, False, GOING_ON),
        (STOPPING, False, True, GOING_ON),
        *((word, ran, late, GOING_ON) for word in (STARTING, SNAPSHOTTING, UNKNOWN, PAUSED) for ran in BOTH for late in BOTH),
    ],
)
def test_waiting_for_streaming(observed: StreamingState, ran: bool, late: bool, expected: Meaning) -> None:
    assert meaning(frozenset({STREAMING}), observed, ran=ran, late=late) is expected
    assert meaning(frozenset({STREAMING, StreamingState("OTHER")}), observed, ran=ran, late=late) is expected


@pytest.mark.parametrize("late", BOTH)
@pytest.mark.parametrize("ran", BOTH)
@pytest.mark.parametrize("observed", EVERY)
def test_waiting_for_anything_else_nothing_is_a_failure(observed: StreamingState, ran: bool, late: bool) -> None:
    wanted = frozenset(StreamingState) - {STREAMING, observed}
    assert meaning(wanted, observed, ran=ran, late=late) is GOING_ON


@pytest.mark.parametrize("observed", EVERY)
def test_one_that_runs_on_long_after_our_stop_has_not_heard_it(observed: StreamingState) -> None:
    there = observed is NOT_RUNNING
    ignored = IGNORED if observed in RUNNING else GOING_ON
    for ran in BOTH:
        assert meaning(frozenset({NOT_RUNNING}), observed, ran=ran, late=True, stops=True) is (ARRIVED if there else ignored)
        assert meaning(frozenset({NOT_RUNNING}), observed, ran=ran, late=False, stops=True) is (ARRIVED if there else GOING_ON)


@pytest.mark.parametrize(
    ("desired", "observed", "expected"),
    [
        (STREAMING, STARTING, Next.WAIT),
        (STREAMING, SNAPSHOTTING, Next.WAIT),
        (STREAMING, STREAMING, Next.DONE),
        (STREAMING, STOPPING, Next.WAIT_FOR_CHANGE),
        (STREAMING, NOT_RUNNING, Next.START),
        (STREAMING, UNKNOWN, Next.WAIT_FOR_CHANGE),
        (STREAMING, PAUSED, Next.WAIT_FOR_CHANGE),
        (NOT_RUNNING, STARTING, Next.STOP),
        (NOT_RUNNING, SNAPSHOTTING, Next.STOP),
        (NOT_RUNNING, STREAMING, Next.STOP),
        (NOT_RUNNING, STOPPING, Next.WAIT),
        (NOT_RUNNING, NOT_RUNNING, Next.DONE),
        (NOT_RUNNING, UNKNOWN, Next.WAIT_FOR_CHANGE),
        (NOT_RUNNING, PAUSED, Next.WAIT_FOR_CHANGE),
    ],
)
def test_what_ensure_does_next(desired: StreamingState, observed: StreamingState, expected: Next) -> None:
    assert next_step(desired, observed) is expected
    pending = Next.STOP if (desired, observed) == (NOT_RUNNING, NOT_RUNNING) else expected
    assert next_step(desired, observed, start_pends=True) is pending


class Handle:
    """Stands for a pipeline."""

    id = "s-1"


def a_wait(wanted: StreamingState | None = STREAMING, *, orders: Orders | None = None, ran: bool = False, **options: Any) -> Arrival:
    states = None if wanted is None else frozenset({wanted})
    return Arrival(Handle(), states, 100.0, ran, orders or Orders(), **options)  # type: ignore[arg-type]  # it needs the id only


def seen(word: StreamingState, *, at: float, asked_at: float | None = None, answered: int = 1, commanded: int = 0) -> Watched:
    """A pipeline whose last read came back `at`, and went out `asked_at` or in the same moment."""
    watched = Watched(object(), looked_at=at, answered=answered, commanded=commanded)  # type: ignore[arg-type]  # nobody asks it
    watched.asked_at = at if asked_at is None else asked_at
    watched.keep_changes()
    watched.saw(Sight(word, utc_now()))
    return watched


@pytest.mark.parametrize(
    ("at", "answered", "commanded", "news"),
    [
        (99.0, 1, 0, False),  # a second old, and that is min_interval
        (99.1, 1, 0, True),
        (100.0, 1, 0, True),
        (105.0, 1, 0, True),
        (99.5, 3, 3, False),  # younger, but from before our command
        (100.5, 3, 4, False),  # it went out before our command, and came back after it
        (100.5, 5, 4, True),
    ],
)
def test_which_reads_are_news(at: float, answered: int, commanded: int, news: bool) -> None:
    watched = seen(STREAMING, at=at, answered=answered, commanded=commanded)
    assert a_wait()(watched) is news
    assert a_wait(None)(watched) is news


def test_what_was_seen_before_a_failed_read_is_no_news() -> None:
    watched = seen(STREAMING, at=101)
    watched.failed(OSError(), watched.looked_at, 0.0)
    assert not a_wait()(watched)
    assert not a_wait()(Watched(object()))  # type: ignore[arg-type]  # nobody asks it


def commanded(word: Any, sent_at: float | None, ended_at: float | None) -> Orders:
    orders = Orders()
    if sent_at is not None:
        order = orders.goes_out(word, sent_at)
        if ended_at is not None:
            orders.ended(order, ended_at)
    return orders


@pytest.mark.parametrize(
    ("at", "asked_at", "command", "sent", "ended", "stopped"),
    [
        (160.0, None, None, None, None, False),  # exactly the grace, from the beginning of the wait
        (160.1, None, None, None, None, True),
        (190.0, 160.0, None, None, None, False),  # late is a read that went out late, not one that came back late
        (190.0, 160.1, None, None, None, True),
        (160.0, 170.0, None, None, None, False),  # the next look is under way: what is shown is older
        (110.0, None, "START", 48.0, 49.0, True),  # our START is longer ago than the grace
        (110.0, None, "START", 48.0, 50.0, False),
        (200.0, None, "START", 150.0, 150.0, False),  # a START during the wait begins it anew
        (900.0, None, "START", 150.0, None, False),  # it is still in flight
        (110.0, None, "STOP", 48.0, 49.0, False),  # a STOP is no START
    ],
)
def test_the_grace_counts_from_our_start_or_from_the_beginning_of_the_wait(
    at: float, asked_at: float | None, command: str | None, sent: float | None, ended: float | None, stopped: bool
) -> None:
    watched, orders = seen(NOT_RUNNING, at=at, asked_at=asked_at), commanded(command, sent, ended)
    if not stopped:
        assert not a_wait(orders=orders)(watched)
        return
    with pytest.raises(StreamingStopped) as caught:
        a_wait(orders=orders)(watched)
    assert str(caught.value) == "streaming pipeline s-1 stopped on its way to STREAMING: NOT_RUNNING"
    assert caught.value.pipeline.id == "s-1"
    assert [word for word, _ in caught.value.timeline] == [NOT_RUNNING]


@pytest.mark.parametrize("running", [STARTING, SNAPSHOTTING])
def test_what_ran_within_the_wait_is_dropped_at_once(running: StreamingState) -> None:
    arrival = a_wait()
    assert not arrival(seen(running, at=101))
    assert not arrival(seen(UNKNOWN, at=102))
    with pytest.raises(StreamingStopped):
        arrival(seen(NOT_RUNNING, at=103))
    with pytest.raises(StreamingStopped):
        a_wait(ran=True)(seen(STOPPING, at=101))


def test_any_state_will_do_for_one_who_wants_to_look() -> None:
    for word in EVERY:
        arrival = a_wait(None)
        assert arrival(seen(word, at=101))
        assert arrival.state == word


def test_the_timeline_has_each_state_once_in_a_row_with_its_time() -> None:
    watched = Watched(object())  # type: ignore[arg-type]  # nobody asks it
    watched.keep_changes()
    sights = [Sight(word, utc_now()) for word in (STARTING, STARTING, UNKNOWN, STARTING)]
    for sight in sights:
        watched.saw(sight)
    assert timeline(watched) == tuple((sights[number].word, sights[number].at) for number in (0, 2, 3))


@pytest.mark.parametrize("value", [-1, -0.1, float("nan"), True, "5", [5]])
def test_what_is_no_number_of_seconds_is_refused_with_its_name(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="grace must be None or a number of seconds"):
        check_seconds(timeout=5, grace=value)


def test_seconds_may_be_none_zero_and_infinite() -> None:
    check_seconds(a=None, b=0, c=0.5, d=float("inf"))
