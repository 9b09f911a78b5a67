"""The watcher alone, over scripted things, to the exact virtual second."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import VirtualLoop
from watching.fake_subject import FakeSubject

from maia_async.errors import Disconnected, Forbidden, SessionClosed, StatusUnavailable, WaitTimeout
from maia_async.governor import Governor
from maia_async.policies import PollPolicy
from maia_async.tasks import TaskOwner
from maia_async.watching.watched import Watched
from maia_async.watching.watcher import Watcher

FORBIDDEN = Forbidden(403, method="GET", path="/x")


def make(policy: PollPolicy | None = None) -> Watcher:
    # Without a rate limit the first look is at once; intervals then follow min_interval and age only.
    return Watcher(policy=policy or PollPolicy(), governor=Governor(None), owner=TaskOwner())


def others() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("maia_async")}


async def wait(watcher: Watcher, watched: Watched, timeout: float | None = None) -> str:
    await watcher.wait(watched, Watched.ended, timeout=timeout)
    assert watched.last is not None
    return str(watched.value)


async def test_something_already_ended_costs_one_look_and_no_waiting(now: Any) -> None:
    watcher, subject = make(), FakeSubject("a", ["SUCCESS"])
    watched = watcher.watched(subject)

    assert await wait(watcher, watched) == "SUCCESS"
    assert subject.looks == [0.0]
    assert now() == pytest.approx(0.1)


async def test_awaiting_again_costs_no_look_and_gives_the_same() -> None:
    watcher, subject = make(), FakeSubject("a", ["SUCCESS"])
    watched = watcher.watched(subject)

    assert [await wait(watcher, watched) for _ in range(3)] == ["SUCCESS"] * 3
    assert len(subject.looks) == 1


async def test_a_thousand_waiters_of_one_thing_share_its_looks() -> None:
    watcher, subject = make(), FakeSubject("a", ["RUNNING", "RUNNING", "SUCCESS"])
    watched = watcher.watched(subject)
    async with anyio.create_task_group() as tasks:
        for _ in range(1000):
            tasks.start_soon(wait, watcher, watched)

    assert len(subject.looks) == 3


async def test_the_interval_is_min_interval_for_the_young_and_a_tenth_of_the_age_later() -> None:
    watcher, subject = make(), FakeSubject("a", ["RUNNING"] * 40 + ["SUCCESS"], latency=0.0)

    await wait(watcher, watcher.watched(subject))

    gaps = [later - earlier for earlier, later in zip(subject.looks, subject.looks[1:], strict=False)]
    assert gaps[:9] == pytest.approx([1.0] * 9)
    for at, gap in zip(subject.looks, gaps, strict=False):
        assert gap == pytest.approx(max(1.0, min(30.0, 0.1 * at)))


async def test_no_task_of_ours_lives_before_after_or_without_a_waiter() -> None:
    watcher, subject = make(), FakeSubject("a", ["RUNNING", "SUCCESS"])
    watched = watcher.watched(subject)
    assert others() == set()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, watcher, watched)
        await anyio.sleep(0.5)
        assert others() == {"maia_async watcher"}
    assert others() == set()


async def test_the_loop_is_gone_when_the_last_waiters_await_returns() -> None:
    watcher = make()
    await wait(watcher, watcher.watched(FakeSubject("a", ["SUCCESS"])))

    assert others() == set()


async def test_a_cancelled_waiter_disturbs_no_other() -> None:
    watcher, subject = make(), FakeSubject("a", ["RUNNING", "RUNNING", "RUNNING", "SUCCESS"])
    watched = watcher.watched(subject)
    results: list[str] = []

    async def keep() -> None:
        results.append(await wait(watcher, watched))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep)
        for delay in (0.0, 0.05, 0.1, 1.0, 1.05):
            with anyio.move_on_after(delay):
                await wait(watcher, watched)

    assert results == ["SUCCESS"]
    assert subject.cancelled == 0
    assert len(subject.looks) == 4


async def test_a_deadline_is_followed_by_a_last_look_that_may_still_find_the_end(now: Any) -> None:
    watcher, subject = make(PollPolicy(min_interval=10.0)), FakeSubject("a", ["RUNNING", "SUCCESS"])

    assert await wait(watcher, watcher.watched(subject), timeout=5.0 + 6.0) == "SUCCESS"
    # Regular look at 10.1: no last look was needed. Now with a deadline before it, but later than min_interval since the last look:
    again = FakeSubject("b", ["RUNNING"] * 4 + ["SUCCESS"])
    watched = watcher.watched(again)
    start = now()
    with pytest.raises(WaitTimeout):
        await wait(watcher, watched, timeout=5.0)
    assert now() - start == pytest.approx(5.0)  # the look at 0 is younger than min_interval: reused
    assert len(again.looks) == 1


async def test_the_last_look_joins_one_that_is_under_way(now: Any) -> None:
    watcher, subject = make(), FakeSubject("a", ["RUNNING", "SUCCESS"], latency=1.0)

    # Looks at 0 to 1 and at 2 to 3; the deadline falls into the second.
    assert await wait(watcher, watcher.watched(subject), timeout=2.5) == "SUCCESS"
    assert now() == pytest.approx(3.0)
    assert len(subject.looks) == 2


async def test_a_timeout_of_zero_is_one_look(now: Any) -> None:
    watcher, subject = make(), FakeSubject("a", ["RUNNING", "SUCCESS"])

    with pytest.raises(WaitTimeout) as caught:
        await wait(watcher, watcher.watched(subject), timeout=0)

    assert caught.value.last_details.word == "RUNNING"
    assert len(subject.looks) == 1
    assert now() == pytest.approx(0.1)


async def test_the_last_look_is_given_up_after_2_s_without_a_grant_and_5_s_without_an_answer(now: Any) -> None:
    watcher = make()
    ungranted = FakeSubject("a", ["SUCCESS"], granted_after=100.0)
    with pytest.raises(WaitTimeout):
        await wait(watcher, watcher.watched(ungranted), timeout=3.0)
    assert now() == pytest.approx(5.0)

    unanswered = FakeSubject("b", ["SUCCESS"], latency=100.0)
    start = now()
    with pytest.raises(WaitTimeout):
        await wait(watcher, watcher.watched(unanswered), timeout=3.0)
    assert now() - start == pytest.approx(8.0)


async def test_a_hundred_callers_that_loop_over_short_waits_make_progress_and_waste_nothing() -> None:
    watcher = make()
    subject = FakeSubject("a", ["RUNNING"] * 10 + ["SUCCESS"], latency=0.6)
    watched = watcher.watched(subject)
    results: list[str] = []

    async def caller() -> None:
        while True:
            try:
                results.append(await wait(watcher, watched, timeout=0.5))
            except WaitTimeout:
                continue
            return

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(caller)

    assert results == ["SUCCESS"] * 100
    assert len(subject.looks) == 11
    gaps = [later - earlier for earlier, later in zip(subject.looks, subject.looks[1:], strict=False)]
    assert min(gaps) >= 1.0


async def test_a_single_caller_that_loops_over_short_waits_makes_progress() -> None:
    watcher = make()
    subject = FakeSubject("a", ["RUNNING"] * 5 + ["SUCCESS"], latency=0.9)
    watched = watcher.watched(subject)
    for _ in range(100):
        try:
            await wait(watcher, watched, timeout=0.2)
            break
        except WaitTimeout:
            continue

    assert watched.ended()
    assert len(subject.looks) == 6


async def test_failed_looks_are_ridden_out_and_the_end_is_found() -> None:
    blips: list[Any] = [Disconnected("gone")] * 20
    watcher, subject = make(), FakeSubject("a", ["RUNNING", *blips, "SUCCESS"])

    assert await wait(watcher, watcher.watched(subject)) == "SUCCESS"


async def test_unreadable_for_longer_than_max_unreachable_ends_with_the_last_failure_as_cause(now: Any) -> None:
    failure = Disconnected("gone")
    watcher, subject = make(PollPolicy(max_unreachable=60.0, max_interval=10.0)), FakeSubject("a", ["RUNNING", failure])

    with pytest.raises(StatusUnavailable) as caught:
        await wait(watcher, watcher.watched(subject))

    assert caught.value.__cause__ is failure
    assert caught.value.last_details.word == "RUNNING"
    assert 60.0 <= now() <= 60.0 + 1.0 + 10.0 + 1.0


async def test_an_error_that_the_subject_calls_an_end_ends_the_wait_at_once(now: Any) -> None:
    watcher = make()
    with pytest.raises(Forbidden):
        await wait(watcher, watcher.watched(FakeSubject("a", [FORBIDDEN])))
    assert now() == pytest.approx(0.1)


async def test_a_bug_in_a_look_reaches_its_waiters_and_no_others() -> None:
    watcher = make()
    good = watcher.watched(FakeSubject("good", ["RUNNING"] * 3 + ["SUCCESS"]))
    results: list[str] = []

    async def keep() -> None:
        results.append(await wait(watcher, good))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep)
        with pytest.raises(ZeroDivisionError):
            await wait(watcher, watcher.watched(FakeSubject("bad", [ZeroDivisionError()])))

    assert results == ["SUCCESS"]


async def test_a_bug_in_the_loop_reaches_every_waiter_and_later_waits_work() -> None:
    watcher = make()
    subjects = [FakeSubject(str(number), ["RUNNING"]) for number in range(3)]
    watched = [watcher.watched(subject) for subject in subjects]
    caught: list[BaseException] = []

    async def waiter(one: Watched) -> None:
        try:
            await wait(watcher, one)
        except ZeroDivisionError as error:
            caught.append(error)

    async with anyio.create_task_group() as tasks:
        for one in watched:
            tasks.start_soon(waiter, one)
        await anyio.sleep(0.5)
        watcher._expire = lambda now: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    del watcher._expire  # type: ignore[method-assign]

    assert len(caught) == 3
    assert await wait(watcher, watcher.watched(FakeSubject("later", ["SUCCESS"]))) == "SUCCESS"


async def test_closing_ends_every_wait_with_the_id_and_refuses_later_ones() -> None:
    watcher = make()
    ids: list[str | None] = []

    async def waiter(name: str) -> None:
        try:
            await wait(watcher, watcher.watched(FakeSubject(name, ["RUNNING"])))
        except SessionClosed as error:
            ids.append(error.execution_id)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waiter, "a")
        tasks.start_soon(waiter, "b")
        await anyio.sleep(3)
        await watcher.aclose()
    with pytest.raises(SessionClosed):
        await wait(watcher, watcher.watched(FakeSubject("c", ["RUNNING"])))

    assert sorted(map(str, ids)) == ["a", "b"]
    assert others() == set()


async def test_a_command_makes_the_looks_frequent_again() -> None:
    watcher, subject = make(), FakeSubject("a", ["RUNNING"] * 1000, latency=0.0)
    watched = watcher.watched(subject)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, watcher, watched)
        await anyio.sleep(600)
        before = len(subject.looks)
        assert subject.looks[-1] - subject.looks[-2] == pytest.approx(30.0)
        watcher.hasten(watched)
        await anyio.sleep(10)
        assert len(subject.looks) - before >= 9
        tasks.cancel_scope.cancel()


async def test_somebody_who_joins_while_the_loop_is_being_ended_is_served() -> None:
    watcher = make()
    subject = FakeSubject("a", ["RUNNING", "RUNNING", "SUCCESS"], latency=0.5)
    watched = watcher.watched(subject)
    first = asyncio.get_running_loop().create_task(wait(watcher, watched))
    await anyio.sleep(0.25)
    first.cancel()
    second = asyncio.get_running_loop().create_task(wait(watcher, watched))
    with anyio.fail_after(20):
        assert await second == "SUCCESS"
    with pytest.raises(asyncio.CancelledError):
        await first


@given(
    things=st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=12),  # how many looks show RUNNING or fail before the end
            st.lists(st.booleans(), max_size=12),  # which of them fail
            st.sampled_from(["SUCCESS", "FAILED", "CANCELLED", "SKIPPED", "FORBIDDEN"]),
            st.floats(min_value=0.0, max_value=3.0),  # latency
        ),
        min_size=1,
        max_size=8,
    ),
    cancels=st.lists(st.tuples(st.integers(min_value=0, max_value=7), st.floats(min_value=0.0, max_value=20.0)), max_size=6),
    timeouts=st.lists(st.tuples(st.integers(min_value=0, max_value=7), st.floats(min_value=0.0, max_value=20.0)), max_size=6),
)
def test_every_wait_ends_with_the_right_state_whatever_others_do(things: Any, cancels: Any, timeouts: Any) -> None:
    async def scenario() -> None:
        watcher = make()
        watched = []
        for number, (length, fails, end, latency) in enumerate(things):
            script: list[Any] = [Disconnected("x") if at < len(fails) and fails[at] else "RUNNING" for at in range(length)]
            watched.append(watcher.watched(FakeSubject(str(number), [*script, end], latency=latency)))
        ended: dict[int, str] = {}

        async def steady(number: int) -> None:
            ended[number] = await wait(watcher, watched[number])

        async def cancelled(number: int, after: float) -> None:
            with anyio.move_on_after(after):
                await wait(watcher, watched[number])

        async def impatient(number: int, after: float) -> None:
            with contextlib.suppress(WaitTimeout):
                assert await wait(watcher, watched[number], timeout=after) == things[number][2]

        with anyio.fail_after(2000):
            async with anyio.create_task_group() as tasks:
                for number in range(len(watched)):
                    tasks.start_soon(steady, number)
                for number, after in cancels:
                    tasks.start_soon(cancelled, number % len(watched), after)
                for number, after in timeouts:
                    tasks.start_soon(impatient, number % len(watched), after)
        assert ended == {number: thing[2] for number, thing in enumerate(things)}
        assert others() == set()
        assert watcher.waiting == 0

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario())
