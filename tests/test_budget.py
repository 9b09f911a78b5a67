"""The budget's tables, row by row, with the clock as an argument: no loop."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from maia_async.budget import Budget, Ending
from maia_async.lanes import Lane
from maia_async.policies import RateLimit

GENERAL = [Lane.TRIGGER, Lane.READ, Lane.POLL]


def budget(limit: RateLimit | None = RateLimit(), *, max_in_flight: int = 100, jitter: float = 0.0) -> Budget:
    return Budget(limit, max_in_flight, random=lambda: jitter)


def opens(it: Budget, lane: Lane, now: float) -> float:
    it.advance(now)
    return it.opens_at(lane, now)


def use(it: Budget, lane: Lane, now: float, count: int = 1, ending: Ending = Ending.ANSWERED) -> None:
    """Requests that are granted and over at one instant, as far as there is room."""
    for _ in range(count):
        assert opens(it, lane, now) <= now
        it.take(lane, now)
        it.end(lane, ending, now, now)


def refuse(it: Budget, now: float, retry_after: float | None, *, granted_at: float | None = None) -> float:
    it.take(Lane.READ, now)
    return it.refused(Lane.READ, now if granted_at is None else granted_at, retry_after, now)


@pytest.mark.parametrize(
    ("requests", "reserved", "general", "burst"),
    [(1000, 50, 950, 200), (100, 5, 95, 20), (10, 1, 9, 2), (5, 1, 4, 1), (2, 1, 1, 1), (1, 0, 1, 1)],
)
def test_parts_of_the_window(requests: int, reserved: int, general: int, burst: int) -> None:
    it = budget(RateLimit(requests=requests))
    assert (it.reserved, it.general, it.burst) == (reserved, general, burst)


def test_a_slot_is_held_until_strictly_later_than_the_window_after_its_answer() -> None:
    it = budget(RateLimit(requests=1, per=60))
    it.take(Lane.READ, 0)
    assert opens(it, Lane.READ, 59) == math.inf  # in flight: only an answer helps
    it.end(Lane.READ, Ending.ANSWERED, 0, 3.0)
    release = 3.0 + 60 * 1.0001
    assert opens(it, Lane.READ, 3.0) == pytest.approx(release)
    assert opens(it, Lane.READ, 63.0) > 63.0
    assert it.used == 1
    it.advance(release + 1e-6)
    assert it.used == 0


@pytest.mark.parametrize(
    ("ending", "held_at_62", "held_at_66"),
    [(Ending.ANSWERED, 0, 0), (Ending.REFUSED, 0, 0), (Ending.UNANSWERED, 1, 0), (Ending.UNUSED, 0, 0)],
)
def test_how_long_each_ending_holds_the_slot(ending: Ending, held_at_62: int, held_at_66: int) -> None:
    it = budget()
    use(it, Lane.READ, 0, ending=ending)
    assert it.used == (0 if ending is Ending.UNUSED else 1)
    for now, held in ((62.0, held_at_62), (66.0, held_at_66)):
        it.advance(now)
        assert it.used == held


def test_general_lanes_keep_to_a_fifth_in_a_sixth_of_the_window() -> None:
    it = budget()
    use(it, Lane.TRIGGER, 0, 200)
    for lane in GENERAL:
        assert opens(it, lane, 0.0) == pytest.approx(10.0, rel=1e-3)
    assert opens(it, Lane.CANCEL, 0.0) == 0.0


def test_general_lanes_leave_the_reserve_alone_and_urgent_ones_may_use_everything() -> None:
    it = budget(RateLimit(requests=100, per=60))
    now = 0.0
    while it.used < 95:
        now = max(opens(it, Lane.READ, now), now) + 1e-6
        use(it, Lane.READ, now)
    assert now < 60  # the window was filled within its first length
    assert opens(it, Lane.POLL, now) > now
    use(it, Lane.CANCEL, now, 5)
    assert opens(it, Lane.TOKEN, now) > now
    full = budget(RateLimit(requests=100))
    use(full, Lane.CANCEL, 0, 100)
    assert opens(full, Lane.CANCEL, 0) > 0
    assert opens(full, Lane.POLL, 0) > 0


@pytest.mark.parametrize("limit", [RateLimit(requests=10_000), None])
def test_requests_in_flight_are_bounded_with_twenty_more_for_urgent_lanes(limit: RateLimit | None) -> None:
    it = budget(limit, max_in_flight=15)
    for _ in range(15):
        assert opens(it, Lane.READ, 0) == 0
        it.take(Lane.READ, 0)
    assert opens(it, Lane.POLL, 0) == math.inf
    for _ in range(20):
        assert opens(it, Lane.CANCEL, 0) == 0
        it.take(Lane.CANCEL, 0)
    assert opens(it, Lane.TOKEN, 0) == math.inf


def test_requests_in_flight_grow_with_answers_after_an_idle_window() -> None:
    """Another client may have filled the account, so the first 429 must not find a hundred of ours on their way."""

    def fill(now: float) -> int:
        started = it.in_flight
        while opens(it, Lane.READ, now) <= now:
            it.take(Lane.READ, now)
        return it.in_flight - started

    it = budget()
    assert fill(0.0) == 20
    for _ in range(20):
        it.end(Lane.READ, Ending.ANSWERED, 0.0, 0.2)
    assert fill(0.2) == 25
    for _ in range(25):
        it.end(Lane.READ, Ending.ANSWERED, 0.2, 0.4)
    it.advance(70.0)
    assert fill(70.0) == 20


def test_a_backlog_flows_evenly_instead_of_in_bursts() -> None:
    """In each later 10 s a saturated client sends a sixth of the general part; without the pace there would be gaps of 20 s."""
    it = budget()
    sent: list[float] = []
    now = 0.0
    while now < 600:
        it.advance(now)
        if (due := it.queue_at(Lane.READ, now)) <= now:
            use(it, Lane.READ, now)
            sent.append(now)
        else:
            now = due + 1e-6
    late = [time for time in sent if time > 60]
    assert max(b - a for a, b in pairwise(late)) < 0.1
    assert len(late) / 540 == pytest.approx(950 / 60, rel=0.01)


def test_the_first_refusal_pauses_every_lane_and_halves_the_rate() -> None:
    it = budget()
    assert it.limit_now(0) == 1000
    assert refuse(it, 100.0, 10) == pytest.approx(10)
    assert all(opens(it, lane, 105) == 110 for lane in Lane)
    assert it.limit_now(110) == 50 + 475
    assert (it.refusals, it.episodes) == (1, 1)
    assert all(opens(it, lane, 110) == 110 for lane in Lane)


def test_jitter_only_lengthens_and_is_drawn_once_an_episode() -> None:
    it = budget(jitter=1.0)
    assert refuse(it, 100.0, 10) == pytest.approx(11)
    assert refuse(it, 100.0, 10, granted_at=99.0) == pytest.approx(11)


@pytest.mark.parametrize(
    ("retry_after", "left"),
    [(5, 9), (10, 10), (30, 30), (None, 9)],
    ids=["shorter hint", "same hint one second later", "longer hint", "no hint"],
)
def test_a_request_granted_before_the_pause_joins_it(retry_after: float | None, left: float) -> None:
    it = budget()
    refuse(it, 100.0, 10)
    assert refuse(it, 101.0, retry_after, granted_at=99.9) == pytest.approx(left)
    assert it.limit_now(101.0) == 525
    assert (it.refusals, it.episodes) == (2, 1)


def test_a_straggler_after_the_pause_pauses_again_but_does_not_halve_and_keeps_what_has_grown() -> None:
    it = budget()
    refuse(it, 100.0, 10)
    before = it.limit_now(120.0)
    assert before > 525
    assert refuse(it, 120.0, 5, granted_at=99.0) == pytest.approx(5)
    assert it.limit_now(125.0) == pytest.approx(before)
    assert it.episodes == 1
    assert it.paused_seconds(121.0) == pytest.approx(11)
    assert it.paused_seconds(300.0) == pytest.approx(15)


def test_each_new_episode_halves_again_down_to_the_floor() -> None:
    it = budget()
    rates = []
    for episode in range(5):
        start = 100.0 + 2 * episode
        refuse(it, start, 1)
        rates.append(it.rate(start))
    assert rates[:2] == [475, pytest.approx(239, abs=1)]
    assert rates[-1] == 100
    assert it.episodes == 5


@pytest.mark.parametrize(("requests", "rate"), [(1000, 475), (10, 4.5), (3, 2), (2, 1), (1, 1)])
def test_halving_leaves_a_tiny_limit_working(requests: int, rate: float) -> None:
    it = budget(RateLimit(requests=requests))
    refuse(it, 0.0, 1)
    assert it.rate(1.0) == rate
    assert it.limit_now(1.0) <= requests
    assert opens(it, Lane.POLL, 200.0) == 200.0


def test_the_rate_regains_three_tenths_of_what_is_missing_in_each_window() -> None:
    it = budget()
    refuse(it, 0.0, 10)
    assert it.rate(70.0) == pytest.approx(950 - 475 * math.exp(-0.3))
    assert it.rate(130.0) == pytest.approx(950 - 475 * math.exp(-0.6))
    assert it.rate(3000.0) == 950


def test_a_pause_without_a_hint_doubles_with_each_episode_in_a_row() -> None:
    it = budget()
    now, pauses = 0.0, []
    for _ in range(6):
        pauses.append(refuse(it, now, None))
        now += pauses[-1] + 1
    assert pauses == pytest.approx([5, 10, 20, 40, 60, 60])
    it.advance(now)
    use(it, Lane.READ, now)  # one good answer
    assert refuse(it, now + 1, None) == pytest.approx(5)


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [(0, 1), (0.3, 1), (-5, 5.5), (math.nan, 5.5), (10, 11), (115, 120), (130, 130)],
    ids=["zero", "tiny", "negative", "nan", "jitter", "jitter stops at max_pause", "beyond max_pause"],
)
def test_what_a_hint_becomes(retry_after: float, pause: float) -> None:
    it = budget(jitter=1.0)
    # A pause shorter than a sixtieth is lifted to it, and then lengthened by jitter like any other.
    assert refuse(it, 50.0, retry_after) == pytest.approx(pause * 1.1 if pause == 1 else pause)


def test_after_a_pause_requests_start_at_the_halved_pace() -> None:
    it = budget()
    refuse(it, 0.0, 10)
    sent = 0
    now = 10.0
    while now <= 20.0:
        it.advance(now)
        if (due := it.queue_at(Lane.TRIGGER, now)) <= now:
            use(it, Lane.TRIGGER, now)
            sent += 1
        else:
            now = due + 1e-6
    assert 475 / 6 <= sent <= 475 / 6 * 1.1


def test_nothing_is_saved_up_during_a_pause_while_requests_wait() -> None:
    it = budget()
    use(it, Lane.TRIGGER, 0.0, 200)
    refuse(it, 1.0, 60)
    for now in (1.0, 5.0, 61.0):
        it.advance(now)
        it.queue_at(Lane.READ, now)
    use(it, Lane.READ, 61.0)
    assert opens(it, Lane.READ, 61.0) == pytest.approx(61 + 60 / 475)


def test_within_the_reserve_a_halved_rate_does_not_hold_up_a_cancel() -> None:
    it = budget()
    use(it, Lane.TRIGGER, 0.0, 200)
    for now in (11.0, 22.0, 33.0):
        use(it, Lane.TRIGGER, now, 150)
    for episode in range(4):
        refuse(it, 34.0 + 2 * episode, 1)
    assert it.used > it.limit_now(45.0)
    use(it, Lane.CANCEL, 45.0, 50)
    assert opens(it, Lane.CANCEL, 45.0) > 45.0  # beyond the reserve it does


def test_the_spare_rate_is_what_others_leave_and_at_least_the_guarantee() -> None:
    it = budget()
    assert it.spare_rate(0.0) == pytest.approx(950 / 60)
    use(it, Lane.TRIGGER, 0.0, 190)
    use(it, Lane.POLL, 0.0, 10)
    assert it.spare_rate(0.0) == pytest.approx((950 - 190) / 60)
    use(it, Lane.CANCEL, 0.0, 700)
    assert it.spare_rate(0.0) == pytest.approx(950 * 0.3 / 60)
    refuse(it, 30.0, 1)
    assert it.spare_rate(31.0) == pytest.approx(475 * 0.3 / 60)


def test_without_a_limit_there_is_no_window_but_a_pause() -> None:
    it = budget(None)
    use(it, Lane.TRIGGER, 0.0, 5000)
    assert (it.used, it.limit_now(0.0), it.spare_rate(0.0)) == (0, math.inf, math.inf)
    assert refuse(it, 1.0, 10) == pytest.approx(10)
    assert opens(it, Lane.TOKEN, 2.0) == 11.0
    use(it, Lane.TRIGGER, 11.0, 5000)
    assert it.max_pause == RateLimit().max_pause


def test_urgent_lanes_keep_to_half_of_the_rest_only_while_a_general_one_waits() -> None:
    it = budget()
    use(it, Lane.CANCEL, 0.0, 50 + 475)
    assert it.opens_at(Lane.CANCEL, 0.0, contested=True) == pytest.approx(60, rel=1e-3)
    use(it, Lane.CANCEL, 0.0, 475)
    assert opens(it, Lane.CANCEL, 0.0) > 0


def test_urgent_lanes_leave_connections_to_a_general_one_that_waits() -> None:
    it = budget(None, max_in_flight=10)
    for _ in range(25):
        it.take(Lane.CANCEL, 0.0)
    assert it.opens_at(Lane.CANCEL, 0.0) == 0.0
    assert it.opens_at(Lane.CANCEL, 0.0, contested=True) == math.inf
    for _ in range(5):
        it.take(Lane.POLL, 0.0)
    assert it.opens_at(Lane.POLL, 0.0) == math.inf  # all connections are in use


# After an outage.


@pytest.mark.parametrize(("normal", "rate"), [(400, 400), (0, 50), (49, 50), (950, 950), (5000, 950)])
def test_after_an_outage_the_rate_is_the_normal_one_for_a_window_and_grows_back_then(normal: float, rate: float) -> None:
    it = budget()
    it.resume(normal, 100.0)
    assert it.rate(100.0) == it.rate(160.0) == rate
    assert it.rate(220.0) == pytest.approx(950 - (950 - rate) * math.exp(-0.3))


def test_after_an_outage_there_is_no_burst() -> None:
    it = budget()
    it.resume(400, 0.0)
    use(it, Lane.READ, 0.0)
    assert opens(it, Lane.READ, 0.0) == pytest.approx(60 / 400)


def test_an_outage_raises_no_rate_that_was_halved() -> None:
    it = budget()
    refuse(it, 0.0, 1.0)
    halved = it.rate(1.0)
    it.resume(900, 1.0)
    assert it.rate(1.0) == pytest.approx(halved)
    assert it.rate(61.0) == pytest.approx(halved)


def test_a_429_in_the_window_after_an_outage_halves_what_is_left() -> None:
    it = budget()
    it.resume(400, 0.0)
    refuse(it, 10.0, 1.0)
    assert it.rate(11.0) == it.rate(60.0) == 200
    assert it.rate(120.0) > 200


def test_without_a_limit_an_outage_leaves_no_rate() -> None:
    it = budget(None)
    it.resume(1, 0.0)
    for _ in range(50):
        use(it, Lane.READ, 0.0)
    assert it.limit_now(0.0) == math.inf
