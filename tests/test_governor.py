"""The governor on a loop, in virtual time: queues, pauses, cancellation, closing, and the shares of lanes that always ask."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import anyio
import pytest
from attrs import define, field

from maia_async.errors import RateLimited, SessionClosed
from maia_async.governor import Governor, Lane, Slot
from maia_async.policies import RateLimit

GENERAL = [Lane.TRIGGER, Lane.READ, Lane.POLL]


def governor(limit: RateLimit | None = RateLimit(), *, max_in_flight: int = 100, jitter: float = 0.0) -> Governor:
    return Governor(limit, max_in_flight=max_in_flight, random=lambda: jitter)


def clock() -> float:
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Let everything run that needs no time."""
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


@define
class Calls:
    """Acquires in a task group, with what became of each, in the order in which it became known."""

    governor: Governor
    group: anyio.abc.TaskGroup
    slots: dict[str, Slot] = field(factory=dict)
    errors: dict[str, BaseException] = field(factory=dict)
    scopes: dict[str, anyio.CancelScope] = field(factory=dict)

    def start(self, name: str, lane: Lane = Lane.READ, **options: Any) -> None:
        self.scopes[name] = anyio.CancelScope()
        self.group.start_soon(self._run, name, lane, options)

    async def _run(self, name: str, lane: Lane, options: dict[str, Any]) -> None:
        with self.scopes[name]:
            try:
                self.slots[name] = await self.governor.acquire(lane, **options)
            except (RateLimited, SessionClosed) as error:
                self.errors[name] = error


async def drain(it: Governor, lane: Lane) -> list[Slot]:
    """Every slot that `lane` can have at this instant."""
    slots = []
    with anyio.move_on_after(0):
        while True:
            slots.append(await it.acquire(lane))
            if lane.urgent:
                assert len(slots) <= 2000
            slots[-1].answered()
    return slots


async def test_room_and_nobody_waiting_gives_a_slot_without_a_turn_of_the_loop() -> None:
    it = governor()
    coroutine = it.acquire(Lane.READ)
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    assert isinstance(stopped.value.value, Slot)
    assert stopped.value.value.granted_at == clock()


async def test_first_come_first_served_within_a_lane_and_precedence_between_them() -> None:
    it = governor(None, max_in_flight=1)
    first = await it.acquire(Lane.READ)
    async with anyio.create_task_group() as group:
        calls = Calls(it, group)
        for lane in (Lane.POLL, Lane.READ, Lane.TRIGGER):
            for name in "ab":
                calls.start(f"{lane.name} {name}", lane)
        await settle()
        assert it.queued == 6
        first.answered()
        for _ in range(6):
            await settle()
            list(calls.slots.values())[-1].answered()
    assert list(calls.slots) == ["TRIGGER a", "TRIGGER b", "READ a", "READ b", "POLL a", "POLL b"]


async def test_urgent_lanes_overtake_everything_that_waits() -> None:
    it = governor()
    await drain(it, Lane.TRIGGER)
    async with anyio.create_task_group() as group:
        calls = Calls(it, group)
        calls.start("read")
        await settle()
        before = clock()
        assert (await it.acquire(Lane.CANCEL)).granted_at == before
        assert (await it.acquire(Lane.TOKEN)).granted_at == before
        assert "read" not in calls.slots
        calls.scopes["read"].cancel()


async def test_cancelling_while_queued_costs_no_slot_and_keeps_the_order() -> None:
    it = governor(None, max_in_flight=1)
    slot = await it.acquire(Lane.READ)
    async with anyio.create_task_group() as group:
        calls = Calls(it, group)
        for name in "abcd":
            calls.start(name)
        await settle()
        calls.scopes["b"].cancel()
        await settle()
        assert it.queued == 3
        slot.answered()
        for name in "acd":
            await settle()
            assert list(calls.slots)[-1] == name
            calls.slots[name].answered()
    assert list(calls.slots) == ["a", "c", "d"]
    assert (it.in_flight, it.queued) == (0, 0)


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_a_cancellation_in_the_same_turn_as_the_grant_passes_the_slot_on(cancel_first: bool) -> None:
    it = governor(None, max_in_flight=1)
    slot = await it.acquire(Lane.READ)
    async with anyio.create_task_group() as group:
        calls = Calls(it, group)
        calls.start("a")
        calls.start("b")
        await settle()
        for act in (calls.scopes["a"].cancel, slot.answered) if cancel_first else (slot.answered, calls.scopes["a"].cancel):
            act()
        await settle()
        # anyio delivers a cancellation one turn later, so in the second order `a` may have its slot already.
        given_back = calls.slots.pop("a", None)
        if given_back is not None:
            given_back.unused()
        await settle()
        assert list(calls.slots) == ["b"]
        assert it.in_flight == 1


async def test_a_native_cancellation_after_the_grant_gives_the_slot_back() -> None:
    it = governor(None, max_in_flight=1)
    slot = await it.acquire(Lane.READ)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(it.acquire(Lane.READ))
        await settle()
        slot.answered()  # the future has its result, the task has not run yet
        assert it.in_flight == 1
        task.cancel()
        await settle()
    assert task.cancelled()
    assert it.in_flight == 0


async def test_urgent_requests_held_back_for_a_general_one_go_on_when_it_is_cancelled() -> None:
    it = governor(RateLimit(requests=10))
    await drain(it, Lane.READ)
    async with anyio.create_task_group() as group:
        calls = Calls(it, group)
        calls.start("poll", Lane.POLL)
        await settle()
        for name in "abcdef":
            calls.start(name, Lane.CANCEL)
        await settle()
        assert list(calls.slots) == list("abcde")  # the reserve of one and half of the other nine
        calls.scopes["poll"].cancel()
        await settle()
        assert list(calls.slots) == list("abcdef")


async def test_close_sends_everybody_away_and_slots_in_use_may_still_end() -> None:
    it = governor(RateLimit(requests=1))
    slot = await it.acquire(Lane.READ)
    async with anyio.create_task_group() as group:
        calls = Calls(it, group)
        for lane in Lane:
            calls.start(lane.name, lane, ride_out=True)
        await settle()
        it.close()
        await settle()
        assert set(calls.errors) == {lane.name for lane in Lane}
    with pytest.raises(SessionClosed):
        await it.acquire(Lane.TOKEN)
    slot.answered()
    assert (it.in_flight, it.queued, it._timer) == (0, 0, None)


async def test_a_slot_ends_once() -> None:
    it = governor()
    slot = await it.acquire(Lane.READ)
    slot.unused()
    slot.answered()
    slot.unanswered()
    assert slot.refused(30) == 0.0
    assert (it.in_flight, it.in_use(), it.refused) == (0, 0, 0)


async def test_a_refusal_pauses_all_lanes_once_and_they_resume_one_by_one() -> None:
    it = governor()
    in_flight = [await it.acquire(Lane.READ) for _ in range(10)]
    assert in_flight[0].refused(10) == pytest.approx(10)
    assert [slot.refused(10) for slot in in_flight[1:]] == pytest.approx([10] * 9)
    assert (it.refused, it.episodes, it.paused_until) == (10, 1, clock() + 10)
    start = clock()
    grants: list[float] = []
    async with anyio.create_task_group() as group:

        async def one(lane: Lane) -> None:
            slot = await it.acquire(lane)
            grants.append(slot.granted_at - start)
            slot.answered()

        for lane in [*GENERAL] * 20:
            group.start_soon(one, lane)
        with anyio.move_on_after(9.9):
            await it.acquire(Lane.TOKEN)
            pytest.fail("a pause holds tokens up, too")
    assert min(grants) == pytest.approx(10, abs=1e-5)
    # 475 a minute after the halving: 126 ms apart.
    assert max(grants) == pytest.approx(10 + 59 * 60 / 475, abs=0.6)
    assert sum(grant < 11 for grant in grants) <= 10
    assert it.paused_until is None
    assert it.paused_seconds == pytest.approx(10)
    assert it.throttled_seconds == pytest.approx(sum(grants) + 9.9, rel=1e-3)
    assert it.limit_now == pytest.approx(525, rel=0.05)


async def test_a_pause_beyond_max_pause_refuses_calls_and_lets_waits_ride_it_out() -> None:
    it = governor()
    slot = await it.acquire(Lane.READ)
    await drain(it, Lane.READ)
    start = clock()
    async with anyio.create_task_group() as group:
        calls = Calls(it, group)
        calls.start("queued call", method="GET", path="/v1/projects")
        calls.start("queued wait", Lane.POLL, ride_out=True)
        await settle()
        slot.refused(300)
        await settle()
        error = calls.errors["queued call"]
        assert isinstance(error, RateLimited)
        assert (error.status, error.method, error.path, error.retry_after) == (429, "GET", "/v1/projects", pytest.approx(300))
        with pytest.raises(RateLimited) as raised:
            await it.acquire(Lane.TRIGGER)
        assert raised.value.retry_after == pytest.approx(300)
        await anyio.sleep(200)
        calls.start("late call")  # 100 s are left: less than max_pause
    assert sorted(calls.slots) == ["late call", "queued wait"]
    assert min(slot.granted_at for slot in calls.slots.values()) == pytest.approx(start + 300)


async def test_a_pause_of_exactly_max_pause_is_waited_for() -> None:
    it = governor(jitter=0.7)
    await anyio.sleep(0.1)
    (await it.acquire(Lane.READ)).refused(120)
    start = clock()
    assert (await it.acquire(Lane.READ)).granted_at == pytest.approx(start + 120)


async def test_without_a_limit_only_requests_in_flight_are_bounded() -> None:
    it = governor(None, max_in_flight=3)
    assert (it.limit_now, it.spare_rate()) == (math.inf, math.inf)
    slots = [await it.acquire(Lane.READ) for _ in range(3)]
    with anyio.move_on_after(1000) as scope:
        await it.acquire(Lane.READ)
    assert scope.cancelled_caught
    start = clock()
    assert slots[0].refused(5) == pytest.approx(5)
    assert (await it.acquire(Lane.READ)).granted_at == pytest.approx(start + 5)
    assert it.in_use() == it.in_flight == 3


async def test_statistics_can_be_read_before_the_first_request() -> None:
    it = governor()
    assert (it.paused_seconds, it.throttled_seconds, it.paused_until, it.in_use(), it.limit_now) == (0, 0, None, 0, 1000)
    assert it.spare_rate() == pytest.approx(950 / 60)


async def test_one_timer_at_most_and_none_when_nobody_waits() -> None:
    it = governor(RateLimit(requests=10, per=6))
    await drain(it, Lane.READ)
    assert it._timer is None
    async with anyio.create_task_group() as group:
        calls = Calls(it, group)
        for lane in [Lane.READ, Lane.POLL] * 20:
            calls.start(str(len(calls.scopes)), lane)
        await settle()
        handles = [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]  # the loop's own heap
        assert handles == [it._timer]
        for scope in calls.scopes.values():
            scope.cancel()
        await settle()
        assert it._timer is None
    assert it.queued == 0


@pytest.mark.long
async def test_thousands_of_queued_acquires_are_served_in_order() -> None:
    it = governor(None, max_in_flight=50)
    order: list[int] = []

    async def one(number: int) -> None:
        slot = await it.acquire(Lane.TRIGGER)
        order.append(number)
        slot.answered()

    held = [await it.acquire(Lane.TRIGGER) for _ in range(50)]
    async with asyncio.TaskGroup() as group:
        for number in range(30_000):
            group.create_task(one(number))
        await settle()
        assert it.queued == 30_000
        for slot in held:
            slot.answered()
    assert order == list(range(30_000))


async def workers(it: Governor, lanes: list[Lane], until: float, each: int = 40) -> list[tuple[float, Lane]]:
    """Saturated demand: `each` workers for each lane, 0.2 s an answer; what they were granted."""
    grants: list[tuple[float, Lane]] = []

    async def work(lane: Lane) -> None:
        while True:
            slot = await it.acquire(lane)
            grants.append((clock(), lane))
            await anyio.sleep(0.2)
            slot.answered()

    with anyio.move_on_at(until):
        async with anyio.create_task_group() as group:
            for lane in lanes * each:
                group.start_soon(work, lane)
    return grants


@pytest.mark.parametrize(
    ("lanes", "least"),
    [
        (GENERAL, {Lane.TRIGGER: 0.59, Lane.READ: 0.09, Lane.POLL: 0.29}),
        # Half of the window for each kind: see the table of `Turns`. (The workers for tokens are often all in flight.)
        ([Lane.CANCEL, *GENERAL], {Lane.CANCEL: 0.45, Lane.TRIGGER: 0.28, Lane.READ: 0.045, Lane.POLL: 0.14}),
        (list(Lane), {Lane.TOKEN: 0.25, Lane.CANCEL: 0.045, Lane.TRIGGER: 0.28, Lane.READ: 0.045, Lane.POLL: 0.14}),
    ],
)
@pytest.mark.parametrize("requests", [1000, 30])
async def test_no_lane_starves_under_saturated_demand(requests: int, lanes: list[Lane], least: dict[Lane, float]) -> None:
    it = governor(RateLimit(requests=requests))
    grants = await workers(it, lanes, until=300.0)
    counts = {lane: sum(each is lane for _, each in grants) for lane in lanes}
    total = sum(counts.values())
    assert total >= requests * 0.93 * 5
    assert {lane: counts[lane] / total for lane in least if counts[lane] / total < least[lane] * 0.97} == {}


@pytest.mark.parametrize("refused_at", [pytest.param(None, marks=pytest.mark.long), 100.0])
async def test_a_cancel_leaves_at_once_while_fewer_than_forty_left_in_the_last_minute(refused_at: float | None) -> None:
    it = governor()
    waits: list[float] = []

    async def cancels() -> None:
        await anyio.sleep(150)
        for number in range(150):
            start = clock()
            slot = await it.acquire(Lane.CANCEL)
            waits.append(clock() - start)
            await anyio.sleep(0.1)
            slot.answered()
            if number % 35 == 34:  # 35 in a burst, then the rest of a minute
                await anyio.sleep(60)

    async def refuse() -> None:
        if refused_at is not None:
            await anyio.sleep(refused_at)
            (await it.acquire(Lane.READ)).refused(10)

    async with anyio.create_task_group() as group:
        group.start_soon(cancels)
        group.start_soon(refuse)
        await workers(it, GENERAL, until=600.0)
    assert len(waits) == 150
    assert max(waits) == 0.0
