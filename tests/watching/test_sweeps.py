"""The watcher against lists that lie, in virtual time: no wait ends early or wrongly, each ends soon after its run or the faults."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualLoop
from watching.lying_server import FOREVER, NAMES, Lies, World, others

from maia_async.errors import SessionClosed, WaitTimeout
from maia_async.watching.sweeper import AUDIT
from maia_async.watching.watched import Watched

pytestmark = pytest.mark.long

LIMIT = 1000
BOUNDS = frozenset({"startedAfter", "startedBefore"})
EVERY_FILTER = BOUNDS | {"status", "projectId", "pipelineName", "environmentName"}


async def wave(world: World, *, runs: int = 120, spread: float = 60.0, longest: float = 300.0, known: bool = True) -> None:
    """Start runs and wait for each, evenly over `spread` seconds."""
    dice = random.Random(1)
    for number in range(runs):
        await asyncio.sleep(max(0.0, spread * number / runs - world.now()))
        run = world.add(f"r{number}", start=world.now(), end=world.now() + dice.uniform(5, longest), word=_word(dice))
        world.join(run, known=known)


def crowd(world: World, size: int, names: tuple[str, str], project: str = "proj") -> None:
    dice = random.Random(2)
    for number, start in enumerate(sorted(dice.uniform(-1200, 600) for _ in range(size))):
        world.add(f"f{number}", start=start, end=start + dice.uniform(5, 1200), names=names, project=project)


def _word(dice: random.Random) -> str:
    return dice.choice(["SUCCESS"] * 8 + ["FAILED", "CANCELLED", "SKIPPED"])


@pytest.mark.parametrize(
    ("name", "lies", "within", "most"),
    [
        ("truth", Lies(), 5, 300),
        ("rows 5 s late", Lies(lag=5), 5, 300),
        ("rows a minute late", Lies(lag=60), 20, 1400),
        ("never any row", Lies(lag=FOREVER), 30, 2500),
        ("one run in three in no list", Lies(hidden=lambda run: run.id[-1] in "147"), 30, 1400),
        ("states 5 s late", Lies(status_lag=5), 10, 300),
        ("states a minute late", Lies(status_lag=60), 66, 350),
        ("rows shift from page to page", Lies(offsets=True, page=7), 10, 1200),
        ("the first page leads to itself", Lies(repeats=1, page=20), 30, 2200),
        ("the second page leads to itself", Lies(repeats=2, page=20), 10, 800),
        ("an empty page after the last", Lies(empty_last=True), 6, 550),
        ("ten rows on a page", Lies(page=10), 6, 900),
        ("one row on a page", Lies(page=1), 60, 3600),
        ("bounds are exclusive", Lies(exclusive=True), 5, 300),
        ("whole seconds only", Lies(whole_seconds=True), 5, 300),
        ("whole seconds and exclusive", Lies(whole_seconds=True, exclusive=True), 5, 300),
        ("the status is ignored", Lies(ignores=frozenset({"status"})), 8, 300),
        ("the status is refused", Lies(refuses=frozenset({"status"})), 5, 300),
        ("one status is refused", Lies(refuses=frozenset({"FORBIDDEN"})), 5, 300),
        ("the whole list is refused", Lies(refuses=frozenset({"projectId"})), 30, 3000),
        ("ids in other letters", Lies(spelled=str.upper), 5, 300),
        ("the list answers 403", Lies(fault=lambda _: "403"), 30, 3000),
        ("the list answers 500", Lies(fault=lambda _: "500"), 30, 2600),
        ("the list answers 429", Lies(fault=lambda _: "429"), 120, 700),
        ("the list answers garbage", Lies(fault=lambda _: "garbage"), 30, 2600),
        ("the list never answers", Lies(fault=lambda _: "hang"), 30, 2600),
        ("own reads answer 500", Lies(own_fault=lambda _: "500"), 10, 400),
        ("own reads answer 429", Lies(own_fault=lambda _: "429"), 120, 200),
        ("own reads never answer", Lies(own_fault=lambda _: "hang"), 240, 500),
    ],
)
async def test_a_hundred_waits_end_soon_whatever_the_list_does(name: str, lies: Lies, within: float, most: int) -> None:
    world = World(lies)
    await wave(world)
    await world.all_done(3600)

    assert not world.late(within=within), name
    assert world.calls.total() <= most, world.calls
    assert world.most_in_a_minute() <= LIMIT
    assert world.shortest_gap() > 0.5, "half of min_interval is what jitter takes off after a failure"


async def test_a_list_that_stands_still_ends_no_wait_and_delays_none_for_ever() -> None:
    world = World(Lies(status_lag=FOREVER))
    await wave(world)
    await world.all_done(3600)

    assert not world.late(within=AUDIT + 300)
    assert world.calls["own"] <= 2 * 120


@pytest.mark.parametrize(
    "lies", [Lies(ignores=BOUNDS), Lies(ignores=EVERY_FILTER), Lies(refuses=frozenset({"pipelineName"})), Lies(offsets=True)]
)
async def test_a_crowd_beside_a_list_that_takes_no_filter(lies: Lies) -> None:
    world = World(lies)
    crowd(world, 3000, ("q", "e"))
    crowd(world, 500, NAMES, project="other")
    await wave(world)
    await world.all_done(3600)

    assert not world.late(within=30)
    assert world.most_in_a_minute() <= LIMIT


@pytest.mark.parametrize(("size", "names"), [(20_000, ("q", "e")), (10_000, NAMES), (100_000, ("q", "e"))])
async def test_a_crowd_changes_the_plan_and_not_the_lag(size: int, names: tuple[str, str]) -> None:
    world = World()
    crowd(world, size, names)
    await wave(world)
    await world.all_done(3600)

    assert not world.late(within=8)
    assert world.calls.total() < 1500, "the crowd alone fills hundreds of pages"
    assert world.most_in_a_minute() <= LIMIT
    if size == 100_000:
        assert any(ask.names == NAMES for ask in world.asks), "narrowed to our pipeline"
    if names == NAMES:
        assert world.calls["list SUCCESS"] + world.calls["list RUNNING"] > 0, "the rows of all are too many"


async def test_states_that_we_have_never_seen_and_cancelling_end_nothing() -> None:
    world = World()
    for number in range(120):
        words = [(10.0, "CANCELLING")], [(5.0, "PAUSED"), (50.0, "RUNNING")], [(0.0, "QUEUED"), (30.0, "UNKNOWN")]
        end = 60.0 + number
        world.join(world.add(f"r{number}", start=0.0, end=end, word="CANCELLED", words=tuple(words[number % 3])))
    await world.all_done(600)

    assert not world.late(within=25)
    assert world.most_in_a_minute() <= LIMIT


async def test_two_projects_share_by_what_they_cost() -> None:
    world = World()
    dice = random.Random(1)
    for number in range(1500):
        start = dice.uniform(-600, 0)
        world.join(world.add(f"b{number}", start=start, end=max(0.0, start + dice.uniform(10, 900)), project="big"))
    for number in range(6):
        world.join(world.add(f"s{number}", start=0.0, end=100.0 * number + 30, project="small"))
    await world.all_done(3600)

    assert not {name for name in world.late(within=10) if name.startswith("s")}, "six runs are not kept waiting for many"
    assert not world.late(within=60)
    assert world.most_in_a_minute() <= LIMIT


@pytest.mark.parametrize(("fault", "within"), [(None, 10), ("500", 60), ("hang", 60), ("garbage", 60), ("403", 60)])
async def test_hundreds_that_were_started_before_us_are_found(fault: str | None, within: float) -> None:
    world = World(Lies(fault=lambda _: fault))
    dice = random.Random(3)
    for number in range(400):
        world.add(f"r{number}", start=dice.uniform(-1000, 0), end=dice.uniform(1, 300), word=_word(dice))
    for run in list(world.runs):
        world.join(run, known=False)
    await world.all_done(1200)

    assert not world.late(within=within)
    if fault is None:
        assert world.calls["own"] < 100
    assert world.most_in_a_minute() <= LIMIT


async def test_strangers_are_found_when_the_first_reads_of_them_fail() -> None:
    world = World(Lies(own_fault=lambda at: "500" if at < 20 else None, fault=lambda at: "500" if at < 20 else None))
    for number in range(200):
        world.add(f"r{number}", start=-500.0 + number, end=5.0 + number)
    for run in list(world.runs):
        world.join(run, known=False)
    await world.all_done(1200)

    assert not world.late(faults_end=20.0, within=45)


async def test_thousands_with_one_deadline_are_told_in_time() -> None:
    world = World()
    for number in range(2000):
        world.join(world.add(f"r{number}", start=0.0, end=5000.0), timeout=100.0)
    await world.all_done(200)

    assert {type(run.error) for run in world.runs} == {WaitTimeout}
    assert all(100.0 <= run.done < 103.0 for run in world.runs if run.done is not None), "2 s to get leave for a last look, and its answer"
    assert world.most_in_a_minute() <= LIMIT


async def test_cancel_and_then_await_in_a_project_that_lists_tell_of() -> None:
    world = World(Lies(status_lag=5))
    await wave(world, runs=100, spread=1.0, longest=2000.0)
    run = world.add("mine", start=world.now(), end=FOREVER, word="CANCELLED")
    waiter = world.join(run)
    await asyncio.sleep(120)
    world.watcher.leave(waiter)
    assert run.watched is not None
    run.end = world.now() + 15
    world.watcher.hasten(run.watched)
    world._open -= 1
    world.join(run)
    await world.all_done(3600)

    assert not world.late(within=12)


async def test_one_who_joins_and_leaves_while_a_chain_is_under_way_leaves_nothing_behind() -> None:
    world = World(latency=3.0)
    runs = [world.add(f"r{number}", start=0.0, end=40.0) for number in range(20)]
    for _ in range(12):
        waiters = [world.watcher.join(world.watcher.watched(_subject(world, run)), Watched.ended, lambda _: None) for run in runs]
        await asyncio.sleep(1.3)
        for waiter in waiters:
            world.watcher.leave(waiter)
        await asyncio.sleep(0)
    await world.watcher.rest()
    assert not others()
    assert not world.watcher.sweeper._fields

    for run in runs:
        world.join(run)
    await world.all_done(120)
    assert not world.late(within=15)


def _subject(world: World, run: Any) -> Any:
    from watching.lying_server import Subject

    return Subject(world, run)


@pytest.mark.parametrize("turns", [(a, b, c) for a in (0, 1, 2, 4) for b in (0, 1, 2, 3) for c in (0, 1, 3)])
async def test_waiters_that_come_as_the_last_ones_go_are_served(turns: tuple[int, int, int]) -> None:
    """A look or a chain may be cancelled before its first step: its thing must be looked at again all the same."""
    world = World(limit=None)
    runs = [world.add(f"r{number}", start=0.0, end=8.0) for number in range(12)]
    kept = [world.watcher.watched(_subject(world, run)) for run in runs]

    def waits(first: int, last: int) -> list[asyncio.Task[None]]:
        return [asyncio.get_running_loop().create_task(world.watcher.wait(one, Watched.ended)) for one in kept[first:last]]

    async def cancelled(tasks: list[asyncio.Task[None]], after: int) -> None:
        for task in tasks:
            task.cancel()
        for _ in range(after):
            await asyncio.sleep(0)

    first = waits(0, 8)
    await asyncio.sleep(2.05)
    await cancelled(first, turns[0])
    second = waits(8, 12)
    for _ in range(turns[1]):
        await asyncio.sleep(0)
    await cancelled(second, turns[2])
    third = waits(0, 12)
    with anyio.fail_after(30):
        await asyncio.wait(third)
    await asyncio.wait([*first, *second])

    assert all(task.exception() is None for task in third)
    assert (len(world.watcher._under_way._tasks), world.watcher._unsent) == (0, 0)
    assert not others()


@pytest.mark.parametrize("lies", [Lies(), Lies(fault=lambda _: "hang")])
async def test_closing_in_the_midst_of_rounds_leaves_no_task(lies: Lies) -> None:
    world = World(lies)
    await wave(world, spread=10.0, longest=4000.0)
    await asyncio.sleep(30.05)
    await world.watcher.aclose()

    assert Counter(type(run.error) for run in world.runs if run.error is not None)[SessionClosed] > 50
    assert not others()


async def test_a_token_that_is_refused_teaches_nothing_about_the_question() -> None:
    world = World(Lies(page=20))
    read = world._page

    def page(asked: dict[str, str], at: float) -> Any:
        from maia_async.errors import ResponseError

        if "paginationToken" in asked and at < 60:
            raise ResponseError(400, method="GET", path="/")
        return read(asked, at)

    world._page = page  # type: ignore[method-assign]
    await wave(world)
    await world.all_done(3600)

    assert not world.late(faults_end=60.0, within=30)
    assert world.watcher.chains.dialect.refused == frozenset()
    assert world.watcher.chains.dialect.fractions


FAULTS = st.sampled_from(["400", "403", "404", "429", "500", "garbage", "hang"])
LIES = st.fixed_dictionaries(
    {},
    optional={
        "lag": st.sampled_from([0.0, 5.0, 60.0, FOREVER]),
        "status_lag": st.sampled_from([0.0, 3.0, 30.0]),
        "offsets": st.booleans(),
        "repeats": st.integers(0, 2),
        "empty_last": st.booleans(),
        "page": st.sampled_from([100, 20, 3]),
        "exclusive": st.booleans(),
        "whole_seconds": st.booleans(),
        "ignores": st.frozensets(st.sampled_from(sorted(EVERY_FILTER))),
        "refuses": st.frozensets(st.sampled_from(["status", "RUNNING", "SUCCESS", "FORBIDDEN", "pipelineName"])),
        "spelled": st.just(str.upper),
    },
)
FAULTS_END = 150.0


def _faults(spans: list[tuple[float, float, str]]) -> Any:
    return lambda at: next((what for since, length, what in spans if since <= at < min(since + length, FAULTS_END)), None)


SPANS = st.lists(st.tuples(st.floats(0, 150), st.floats(1, 100), FAULTS), max_size=3)
OWN = st.lists(st.tuples(st.floats(0, 150), st.floats(1, 60), st.sampled_from(["429", "500", "garbage", "hang"])), max_size=2)
RUNS = st.lists(
    st.tuples(st.floats(0, 60), st.floats(0.5, 240), st.sampled_from(["SUCCESS", "FAILED", "CANCELLED", "FORBIDDEN"]), st.booleans()),
    min_size=1,
    max_size=60,
)


@settings(max_examples=50)
@given(lies=LIES, faults=SPANS, own=OWN, runs=RUNS, known=st.booleans(), crowded=st.sampled_from([0, 400]))
def test_every_wait_ends_with_the_truth_and_none_early(lies: Any, faults: Any, own: Any, runs: Any, known: bool, crowded: int) -> None:
    async def scene() -> None:
        world = World(Lies(fault=_faults(faults), own_fault=_faults(own), **lies))
        crowd(world, crowded, ("q", "e"))
        dice = random.Random(4)
        for number, (at, length, word, doubled) in enumerate(sorted(runs)):
            await asyncio.sleep(max(0.0, at - world.now()))
            words = ((world.now() + length / 2, dice.choice(["CANCELLING", "PAUSED"])),) if doubled else ()
            fields = {"word": word, "names": NAMES if doubled else ("p2", "e"), "project": "proj" if number % 5 else "second"}
            world.join(world.add(f"r{number}", start=world.now(), end=world.now() + length, words=words, **fields), known=known)
        await world.all_done(1500)
        # The last failure may have been a read that nobody answers for a minute, and pauses halve the rate again and again.
        assert not world.late(faults_end=FAULTS_END, within=200)
        assert world.most_in_a_minute() <= LIMIT
        assert world.shortest_gap() > 0.5

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scene())
