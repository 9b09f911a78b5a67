"""Supervision to the exact virtual second: what is told, when START goes out, and what is left behind.

The scenarios run against the emulator's state machines without HTTP (`streams_world.py`); the last tests against the emulator itself.
Reads come every 3 s for a minute after a command (or the beginning), the first one a second after it, and every 15 s later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from attrs import field, frozen
from orchestration.account import ours
from orchestration.streams_world import Told, World, world

from maia_async import (
    GaveUp,
    MisuseError,
    RestartAttempted,
    RestartPolicy,
    SessionClosed,
    StreamingState,
    StreamingTransition,
    SupervisedState,
    Supervisor,
    supervise,
)
from maia_async.emulator import Emulator, StreamScript

AT_ONCE = RestartPolicy(base=1e-6, cap=1e-6)
ON_ITS_WAY = ["1 NOT_RUNNING > STARTING 1", "4 STARTING > SNAPSHOTTING 3", "34 SNAPSHOTTING > STREAMING 30"]
FAILS = [500] * 1000
Act = Callable[[World, Supervisor], Any]


@frozen
class Row:
    """A pipeline named "a" with a script, what happens to it when, what is scripted for its commands and reads, and what comes of it."""

    name: str
    told: list[str]
    starts: list[float]
    script: dict[str, Any]
    running: bool = True
    acts: tuple[tuple[float, Act], ...] = ()
    commands: tuple[Any, ...] = ()
    reads: tuple[Any, ...] = ()
    options: dict[str, Any] = field(factory=dict)
    until: float = 100.0


def row(
    name: str, told: list[str], starts: list[float], *acts: tuple[float, Act], script: dict[str, Any] | None = None, **rest: Any
) -> Row:
    return Row(name, told, starts, script or {}, acts=acts, **rest)


def drops(world: World, _: Supervisor) -> None:
    world.drop("a")


def others(word: str) -> Act:
    return lambda world, _: world.other("a", word)


def shows(word: str | None) -> Act:
    return lambda world, _: world.hold("a", word)


def added_again(world: World, supervisor: Supervisor) -> None:
    supervisor.add(world.handle("a"))


def back(at: int) -> list[str]:
    """A start sent at `at`, without a snapshot."""
    return [f"{at + 1} NOT_RUNNING > STARTING 1", f"{at + 4} STARTING > STREAMING 3"]


HERE = "0 - > STREAMING"
ROWS = [
    row("one that streams is adopted and left alone", [HERE], []),
    row("one that does not run is started", ["0 - > NOT_RUNNING", "0 StartAttempted True", *ON_ITS_WAY], [0], running=False),
    row(
        "a snapshot may last for hours",
        ["0 - > NOT_RUNNING", "0 StartAttempted True", *ON_ITS_WAY[:2], "9016 SNAPSHOTTING > STREAMING 9012"],
        [0],
        running=False,
        script={"snapshotting": 9000},
        until=10_000,
    ),
    row(
        "a drop is followed by a restart",
        [HERE, "21 STREAMING > NOT_RUNNING 21", "21 RestartAttempted 1 True", *back(21)],
        [21],
        (20, drops),
    ),
    row(
        "one that never showed up after its start is restarted at the first read later than the grace",
        ["0 - > NOT_RUNNING", "0 StartAttempted True", "61 RestartAttempted 1 True", "62 NOT_RUNNING > STARTING 62"],
        [0, 61],
        running=False,
        script={"refuses_to_start": "stays", "refusals": 1},
        until=64,
    ),
    row(
        "the grace is an option",
        ["0 - > NOT_RUNNING", "0 StartAttempted True", "13 RestartAttempted 1 True", "14 NOT_RUNNING > STARTING 14"],
        [0, 13],
        running=False,
        script={"refuses_to_start": "stays", "refusals": 1},
        options={"start_grace": 12},
        until=16,
    ),
    row(
        "one that shows late is waited for",
        ["0 - > NOT_RUNNING", "0 StartAttempted True", "52 NOT_RUNNING > STARTING 52", "61 STARTING > STREAMING 9"],
        [0],
        running=False,
        script={"start_lag": 50, "starting": 60, "snapshot": "never"},
    ),
    row(
        "one that returns to NOT_RUNNING is a drop each time, and given up",
        [
            *("0 - > NOT_RUNNING", "0 StartAttempted True", "1 NOT_RUNNING > STARTING 1"),
            *("4 STARTING > NOT_RUNNING 3", "4 RestartAttempted 1 True", "5 NOT_RUNNING > STARTING 1"),
            *("8 STARTING > NOT_RUNNING 3", "8 RestartAttempted 2 True", "9 NOT_RUNNING > STARTING 1"),
            *("12 STARTING > NOT_RUNNING 3", "12 Flapping 3", "12 RestartAttempted 3 True", "13 NOT_RUNNING > STARTING 1"),
            *("16 STARTING > NOT_RUNNING 3", "16 GaveUp 3"),
        ],
        [0, 4, 8, 12],
        running=False,
        script={"refuses_to_start": "returns"},
        until=5000,
    ),
    row(
        "one that is given up is watched on, and supervised anew when it is added again",
        [
            *(HERE, "21 STREAMING > NOT_RUNNING 21", "21 RestartAttempted 1 True", *back(21)),
            *("31 STREAMING > NOT_RUNNING 6", "31 GaveUp 1"),
            *("43 NOT_RUNNING > STREAMING 12", "52 STREAMING > NOT_RUNNING 9"),
            *("61 StartAttempted True", "62 NOT_RUNNING > STARTING 10", "65 STARTING > STREAMING 3"),
        ],
        [21, 61],
        (20, drops),
        (30, drops),
        (41, others("START")),
        (50, drops),
        (60, added_again),
        options={"restart": RestartPolicy(max_restarts=1, base=1e-6, cap=1e-6)},
    ),
    row(
        "a refused restart is looked at, then tried again: it counts for nothing",
        [
            *(HERE, "21 STREAMING > NOT_RUNNING 21", "21 RestartAttempted 1 False Conflict"),
            *("22 RestartAttempted 2 False Conflict", "23 RestartAttempted 3 True"),
            *("24 NOT_RUNNING > STARTING 3", "27 STARTING > STREAMING 3"),
        ],
        [23],
        (20, drops),
        commands=(409, 409),
        options={"restart": RestartPolicy(max_restarts=1, base=1e-6, cap=1e-6)},
    ),
    row(
        "a 409 because somebody else was quicker is the end of it",
        [HERE, "21 STREAMING > NOT_RUNNING 21", "21 RestartAttempted 1 False Conflict", *back(21)],
        [],
        (20, drops),
        commands=(lambda world: world.other("a", "START"),),
    ),
    row(
        "a restart whose answer was lost is looked for, and not sent again",
        [HERE, "21 STREAMING > NOT_RUNNING 21", "21 RestartAttempted 1 None Disconnected", *back(21)],
        [21],
        (20, drops),
        commands=("lost",),
    ),
    row(
        "a restart that is answered late is one restart",
        [HERE, "21 STREAMING > NOT_RUNNING 21", "24 NOT_RUNNING > STREAMING 3", "26 RestartAttempted 1 True"],
        [21],
        (20, drops),
        commands=("late",),
    ),
    row(
        "a 500 is looked at, then tried again",
        [
            *(HERE, "21 STREAMING > NOT_RUNNING 21", "21 RestartAttempted 1 None ServerError", "22 RestartAttempted 2 True"),
            *("23 NOT_RUNNING > STARTING 2", "26 STARTING > STREAMING 3"),
        ],
        [22],
        (20, drops),
        commands=(500,),
    ),
    row(
        "a first start that is refused is tried again, and is no restart",
        [
            *("0 - > NOT_RUNNING", "0 StartAttempted False Conflict", "1 StartAttempted None ServerError", "2 StartAttempted True"),
            *("3 NOT_RUNNING > STARTING 3", "6 STARTING > SNAPSHOTTING 3", "36 SNAPSHOTTING > STREAMING 30"),
        ],
        [2],
        running=False,
        commands=(409, 500),
    ),
    *(
        row(
            f"a restart that is refused with {status} is given up",
            [HERE, "21 STREAMING > NOT_RUNNING 21", f"21 RestartAttempted 1 False {error}", f"21 GaveUp 0 {error}"],
            [],
            (20, drops),
            commands=(status,),
        )
        for status, error in ((401, "Unauthorized"), (403, "Forbidden"), (404, "NotFound"))
    ),
    row("one that was deleted is given up", [HERE, "21 GaveUp 0 NotFound"], [], (20, lambda world, _: world.streams.pop("a"))),
    row(
        "a blip is told and is no drop",
        [HERE, "21 STREAMING > UNKNOWN 21", "60 UNKNOWN > STREAMING 39"],
        [],
        (20, shows("UNKNOWN")),
        (60, shows(None)),
    ),
    row("a word that nobody knows is no drop", [HERE, "21 STREAMING > PAUSED 21"], [], (20, shows("PAUSED")), until=300),
    row(
        "a drop behind a blip is one",
        [HERE, "21 STREAMING > UNKNOWN 21", "30 UNKNOWN > NOT_RUNNING 9", "30 RestartAttempted 1 True", *back(30)],
        [30],
        (20, shows("UNKNOWN")),
        (25, drops),
        (28, shows(None)),
    ),
    row(
        "unreachable for too long is treated like a drop, once in each such time, and told",
        [
            *(HERE, "21 STREAMING > UNKNOWN 21", "330 Unreachable 309", "330 RestartAttempted 1 None ServerError"),
            *("631 RestartAttempted 2 None ServerError", "902 UNKNOWN > STREAMING 881", "902 ReachableAgain STREAMING"),
        ],
        [],
        (20, shows("UNKNOWN")),
        (900, shows(None)),
        until=1000,
    ),
    row(
        "a stop by others that a read shows is respected until it is added again",
        [
            *(HERE, "42 STREAMING > STOPPING 42", "42 ExternallyStopped respected", "51 STOPPING > NOT_RUNNING 9"),
            *("210 NOT_RUNNING > STREAMING 159", "315 STREAMING > NOT_RUNNING 105", "401 StartAttempted True"),
            *("402 NOT_RUNNING > STARTING 87", "405 STARTING > STREAMING 3"),
        ],
        [401],
        (40, others("STOP")),
        (200, others("START")),
        (301, drops),
        (400, added_again),
        script={"stop_seconds": 10},
        until=450,
    ),
    row(
        "a stop by others is undone when that is asked for",
        [
            *(HERE, "42 STREAMING > STOPPING 42", "42 ExternallyStopped restart", "51 STOPPING > NOT_RUNNING 9"),
            *("51 RestartAttempted 1 True", *back(51)),
        ],
        [51],
        (40, others("STOP")),
        script={"stop_seconds": 10},
        options={"on_external_stop": "restart"},
    ),
    row(
        "a stop by others that no read shows is a drop",
        [HERE, "75 STREAMING > NOT_RUNNING 75", "75 RestartAttempted 1 True", *back(75)],
        [75],
        (65, others("STOP")),
    ),
    row(
        "a stop by this client is one by others, even when no read shows it",
        [HERE, "66 STREAMING > NOT_RUNNING 66", "66 ExternallyStopped respected"],
        [],
        (65, lambda world, _: world.handle("a").stop()),
        script={"stop_seconds": 0.1},
    ),
    row(
        "one that was being stopped before we came is started when it has stopped",
        ["0 - > STOPPING", "12 STOPPING > NOT_RUNNING 12", "12 StartAttempted True", *back(12)],
        [12],
        (0, others("STOP")),
        script={"stop_seconds": 10},
    ),
    row(
        "one that others started while its restart was due is not started",
        [HERE, "21 STREAMING > NOT_RUNNING 21", "24 NOT_RUNNING > STREAMING 3"],
        [],
        (20, drops),
        (22, others("START")),
        options={"restart": RestartPolicy(base=1e9, cap=1e9)},
    ),
    row(
        "one that was removed is left as it is",
        [HERE],
        [],
        (10, lambda _, supervisor: supervisor.remove("a")),
        (20, drops),
    ),
]


async def play(script: Row) -> tuple[World, Told]:
    loop, told = asyncio.get_running_loop(), Told()
    async with world() as made:
        pipeline = made.make("a", running=script.running, **script.script)
        made.commands["a"], made.reads["a"] = deque(script.commands), deque(script.reads)
        async with supervise([pipeline], **{"restart": AT_ONCE, **script.options}) as supervisor:
            listening = loop.create_task(told.listen(supervisor))
            for at, act in script.acts:
                await asyncio.sleep(at - loop.time())
                done = act(made, supervisor)
                if asyncio.iscoroutine(done):
                    await done
            await asyncio.sleep(script.until - loop.time())
        await listening
        assert ours() == []
    return made, told


@pytest.mark.parametrize("script", ROWS, ids=lambda script: script.name)
async def test_scenario(script: Row) -> None:
    made, told = await play(script)

    assert told.lines() == script.told
    assert [round(at) for at in made.starts("a")] == script.starts
    assert told.ended
    assert told.error is None


async def test_the_times_told_are_seconds_spent_in_the_former_state_and_states_shows_where_it_is() -> None:
    async with world() as made:
        pipeline = made.make("a", running=True)
        async with supervise([pipeline], restart=AT_ONCE) as supervisor:
            assert supervisor.states["a"] == SupervisedState(
                state=None, since=None, restarts=0, desired=StreamingState.STREAMING, gave_up=False, last_event=None
            )
            await asyncio.sleep(19.5)
            made.drop("a")
            await asyncio.sleep(10)
            events = [await anext(supervisor) for _ in range(5)]
            state = supervisor.states["a"]

    assert [event.duration for event in events if isinstance(event, StreamingTransition)] == pytest.approx([None, 21.0, 1.0, 3.0], abs=1e-5)
    assert (state.state, state.restarts, state.gave_up, state.desired) == ("STREAMING", 1, False, "STREAMING")
    assert state.last_event is events[-1]
    assert state.since == events[-1].at
    assert supervisor.states["a"] == state  # readable after the block, too


async def test_the_delay_before_a_restart_is_that_of_the_policy_and_told() -> None:
    async with world() as made:
        pipeline = made.make("a", running=True, flaps_every=30, starting=0, snapshot="never")
        async with supervise([pipeline], restart=RestartPolicy(base=8.0, cap=8.0, max_restarts=20)) as supervisor:
            await asyncio.sleep(500)
            told = [await anext(supervisor) for _ in range(24)]

    tried = [event for event in told if isinstance(event, RestartAttempted)]
    assert [event.attempt for event in tried] == list(range(1, len(tried) + 1))
    assert all(0 <= event.delay <= 8 for event in tried)
    looks = [when for when, _ in made.looks]
    for event, at in zip(tried, made.starts("a")[1:], strict=False):
        assert min(abs(at - event.delay - look) for look in looks) < 1e-6  # from the read that showed the drop


async def test_giving_up_on_one_disturbs_no_other() -> None:
    told = Told()
    async with world() as made:
        calm = made.make("calm", running=True)
        wild = made.make("wild", running=True, flaps_every=10)
        steady = made.make("steady")
        async with supervise([calm, wild, steady], restart=AT_ONCE) as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(500)
            states = supervisor.states
        await listening

    assert [event.pipeline_id for event in told.of(GaveUp)] == ["wild"]
    assert (told.lines("calm"), made.starts("calm"), len(made.starts("steady"))) == ([HERE], [], 1)
    assert {name: state.gave_up for name, state in states.items()} == {"calm": False, "wild": True, "steady": False}


async def test_reads_that_fail_for_ten_minutes_are_told_once_and_nothing_is_commanded() -> None:
    told = Told()
    async with world() as made:
        pipeline = made.make("a", running=True)
        async with supervise([pipeline], restart=AT_ONCE) as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(10)
            made.drop("a")
            made.reads["a"] = deque(FAILS)
            await asyncio.sleep(2000)
            assert made.sent == []
            made.reads["a"].clear()
            await asyncio.sleep(60)
        await listening

    kinds = [type(event).__name__ for _, event in told.events]
    assert (
        kinds
        == ["StreamingTransition", "Unreachable", "StreamingTransition", "ReachableAgain", "RestartAttempted"] + ["StreamingTransition"] * 2
    )
    unreachable = told.events[1][1]
    assert (unreachable.seconds, type(unreachable.error).__name__) == (600.0, "StatusUnavailable")


async def test_a_start_that_waited_for_its_turn_is_withdrawn_when_the_pipeline_runs_or_is_not_ours_any_more() -> None:
    """The wait for a slot of the budget may be long; what a read showed meanwhile counts."""
    for change in ("runs", "removed", "stopped"):
        async with world() as made:
            pipeline = made.make("a", running=True)
            made.gate.clear()
            async with supervise([pipeline], restart=AT_ONCE) as supervisor:
                await asyncio.sleep(10)
                made.drop("a")
                await asyncio.sleep(5)
                if change == "removed":
                    supervisor.remove(pipeline)
                else:
                    made.other("a", "START")
                    await asyncio.sleep(5)
                if change == "stopped":
                    made.other("a", "STOP")
                    made.drop("a")
                made.gate.set()
                await asyncio.sleep(0.5)
                assert made.sent == [], change


async def test_one_that_was_removed_while_its_start_was_under_way_is_told_how_that_ended_and_is_not_given_up() -> None:
    told = Told()
    async with world(latency=1.0) as made:
        pipeline = made.make("a")
        made.commands["a"] = deque([403])
        async with supervise([pipeline]) as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(3)
            supervisor.remove(pipeline)
            await asyncio.sleep(10)
        await listening

    assert told.lines() == ["2 - > NOT_RUNNING", "4 StartAttempted False Forbidden"]


@pytest.mark.parametrize(("on_exit", "stops"), [("leave", []), ("stop", ["calm", "starting", "unreachable"])])
async def test_leaving_leaves_them_streaming_or_stops_those_that_run(on_exit: Any, stops: list[str]) -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        pipelines = [
            made.make("calm", running=True),
            made.make("starting"),
            made.make("unreachable", running=True),
            made.make("given up", running=True, flaps_every=10),
            made.make("stopped by others", running=True, stop_seconds=10),
            made.make("removed", running=True),
        ]
        made.commands["calm"] = deque([500])
        async with supervise(pipelines, restart=AT_ONCE, on_exit=on_exit) as supervisor:
            await asyncio.sleep(10)
            made.other("stopped by others", "STOP")
            supervisor.remove("removed")
            await asyncio.sleep(90)
            made.hold("unreachable", "UNKNOWN")
            made.commands["unreachable"] = deque([500, 500])
            await asyncio.sleep(16)
            made.hold("unreachable", "STREAMING")
            began = loop.time()
        took = loop.time() - began
        assert ours() == []
        assert made.runtime.watcher.waiting == 0

    assert sorted({sent.pipeline_id for sent in made.sent if sent.word == "STOP"}) == stops
    if on_exit == "stop":
        assert 4 <= took <= 10.6
        assert {supervisor.states[name].state for name in stops} == {StreamingState.NOT_RUNNING}
    else:
        assert took == 0


async def test_stopping_at_the_exit_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        slow, refused = made.make("slow", running=True, stop_seconds=60), made.make("refused", running=True)
        forbidden = made.make("forbidden", running=True)
        made.commands["refused"], made.commands["forbidden"] = deque(FAILS), deque([403])
        async with supervise([slow, refused, forbidden], on_exit="stop"):
            await asyncio.sleep(10)
        assert loop.time() == pytest.approx(10 + 10 + 0.3)

    said = sorted(record.getMessage() for record in caplog.records)
    assert len(said) == 3
    assert said[0].startswith("could not stop streaming pipeline forbidden: ")
    assert said[1:] == [
        "streaming pipeline refused may still run: it could not be stopped in time",
        "streaming pipeline slow is still stopping",
    ]


async def test_a_start_under_way_at_the_exit_is_ended_before_the_stop() -> None:
    async with world() as made:
        pipeline = made.make("a")
        made.commands["a"] = deque(["late"])
        async with supervise([pipeline], on_exit="stop"):
            await asyncio.sleep(1)

    assert [(sent.word, sent.status) for sent in made.sent] == [("START", 202), ("STOP", 202)]


async def test_an_exception_leaves_the_block_bare_and_nothing_behind() -> None:
    async with world() as made:
        pipeline = made.make("a", running=True)

        async def use() -> None:
            async with supervise([pipeline], on_exit="stop"):
                await asyncio.sleep(5)
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            await use()
        assert ours() == []
    assert [sent.word for sent in made.sent] == ["STOP"]


async def test_a_cancellation_leaves_the_block_and_nothing_behind() -> None:
    loop = asyncio.get_running_loop()
    async with world() as made:
        pipelines = [made.make(str(number), running=number % 2 == 0) for number in range(6)]

        async def use() -> None:
            async with supervise(pipelines, on_exit="stop") as supervisor:
                async for _ in supervisor:
                    pass

        for steps in range(30):
            task = loop.create_task(use())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert ours() == []
            assert made.runtime.watcher.waiting == 0


async def test_a_closed_client_ends_the_iteration_with_session_closed_and_stops_nothing() -> None:
    async with world() as made:
        pipeline = made.make("a", running=True)
        async with supervise([pipeline], on_exit="stop") as supervisor:
            assert (await anext(supervisor)).pipeline_id == "a"
            loop = asyncio.get_running_loop()
            closing = loop.create_task(made.aclose())
            with pytest.raises(SessionClosed):
                await anext(supervisor)
            await closing
            with pytest.raises(StopAsyncIteration):
                await anext(supervisor)
            with pytest.raises(SessionClosed):
                supervisor.add(made.make("b"))
        with pytest.raises(SessionClosed):
            async with supervise([pipeline]):
                pass
    assert made.sent == []


async def test_a_bug_of_ours_ends_the_supervision_with_it(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as made:
        pipeline = made.make("a", running=True)
        monkeypatch.setattr("maia_async.orchestration.charge.Charge.shows", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            async with supervise([pipeline]):
                await asyncio.sleep(5)
        assert ours() == []
        with pytest.raises(ZeroDivisionError):
            async with supervise([pipeline]) as supervisor:
                await anext(supervisor)
    assert "supervision of streaming pipelines ended" in caplog.text


async def test_a_reader_that_never_reads_delays_nothing_and_loses_no_restart_and_no_give_up() -> None:
    async with world() as made:
        pipelines = [made.make(str(number), running=True, flaps_every=60) for number in range(100)]
        async with supervise(pipelines, restart=RestartPolicy(base=1e-6, cap=1e-6, max_restarts=4)) as supervisor:
            await asyncio.sleep(700)
            unread = supervisor._mailbox.unread
            assert all(len(made.starts(pipeline.id)) == 5 for pipeline in pipelines)
            told = [await anext(supervisor) for _ in range(unread)]

    kept = [event for event in told if isinstance(event, RestartAttempted | GaveUp)]
    assert len(kept) == 100 * 5
    assert 1000 < unread <= 1000 + 100 * 6 + len(kept)
    for pipeline in pipelines:
        path = [event for event in told if isinstance(event, StreamingTransition) and event.pipeline_id == pipeline.id]
        assert (path[0].previous, path[-1].current) == (None, "NOT_RUNNING")
        assert all(former.current == later.previous for former, later in pairwise(path))


async def test_pipelines_come_and_go_while_it_runs_and_it_waits_for_the_first_one() -> None:
    loop = asyncio.get_running_loop()
    async with world() as made, supervise() as supervisor:
        assert supervisor.states == {}
        first = made.make("first")
        loop.call_later(50, supervisor.add, first)
        assert (await anext(supervisor)).pipeline_id == "first"
        assert loop.time() == 50
        supervisor.add(first)
        supervisor.add(made.handle("first"))
        supervisor.add(made.make("second", running=True))
        await asyncio.sleep(100)
        assert list(supervisor.states) == ["first", "second"]
        assert len(made.starts("first")) == 1
        supervisor.remove(first)
        supervisor.remove("second")
        supervisor.remove("nobody")
        looked = len(made.looks)
        await asyncio.sleep(100)
        assert (supervisor.states, len(made.looks)) == ({}, looked)


async def test_what_cannot_be_supervised_is_refused() -> None:
    wrong: Any = "an id"
    with pytest.raises(MisuseError, match="takes streaming pipelines, not str"):
        supervise([wrong])
    async with world() as made, world() as another:
        pipeline, stranger = made.make("a", running=True), another.make("b")
        supervisor = supervise([pipeline])
        with pytest.raises(MisuseError, match="enter the supervisor first"):
            supervisor.add(pipeline)
        with pytest.raises(MisuseError, match="enter the supervisor first"):
            await anext(supervisor)
        async with supervisor:
            with pytest.raises(MisuseError, match="streaming pipeline b belongs to another client"):
                supervisor.add(stranger)
        with pytest.raises(MisuseError, match="was left"):
            supervisor.add(pipeline)
        with pytest.raises(MisuseError, match="has been used"):
            async with supervisor:
                pass
        with pytest.raises(MisuseError, match="another client"):
            async with supervise([pipeline, stranger], on_exit="stop"):
                pass
        assert [sent.word for sent in made.sent] == []  # a mistake in the list stops nothing
        assert ours() == []


async def test_it_costs_one_task_however_many_pipelines_there_are() -> None:
    async with world() as made:
        pipelines = [made.make(str(number), running=True) for number in range(200)]
        async with supervise(pipelines):
            await asyncio.sleep(30)
            assert sorted(ours()) == ["maia_async supervisor", "maia_async watcher"]


async def test_against_the_emulator_a_pipeline_that_drops_is_restarted_and_one_that_flaps_is_given_up(emulator: Emulator) -> None:
    control = emulator.control
    ids = [
        *control.create_stream("drops", script=StreamScript(drop_after=300, snapshotting=30)),
        *control.create_stream("flaps", script=StreamScript(flaps_every=60)),
        *control.create_stream("unreachable", script=StreamScript(unreachable=((60, 60),))),
        *control.create_stream("calm", started_ago=1000),
    ]
    project_id = control.stream(ids[0]).project_id
    told = Told()
    async with emulator.client() as maia:
        project = maia.project(project_id)
        pipelines = [project.streaming_pipeline(name) for name in ids]
        async with supervise(pipelines, restart=RestartPolicy(base=1e-3, cap=1e-3), on_exit="stop") as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(600)
            states = [supervisor.states[name].state for name in ids]
        await listening

    assert states == ["STREAMING", "NOT_RUNNING", "STREAMING", "STREAMING"]
    assert [control.stream(name).starts for name in ids] == [2, 4, 1, 1]
    assert [event.pipeline_id for event in told.of(GaveUp)] == [ids[1]]
    assert [event.current for event in told.of(StreamingTransition, ids[2])] == [
        *("NOT_RUNNING", "STARTING", "SNAPSHOTTING", "STREAMING", "UNKNOWN", "STREAMING", "STOPPING", "NOT_RUNNING")
    ]
    assert {control.stream(name).status for name in ids} == {"NOT_RUNNING"}
    assert len(control.requests(path_contains="commands")) == 2 + 4 + 1 + 3


async def test_closing_the_real_client_ends_it(emulator: Emulator) -> None:
    (name,) = emulator.control.create_stream("calm", started_ago=1000)
    maia = emulator.client()
    pipeline = maia.project(emulator.control.stream(name).project_id).streaming_pipeline(name)
    async with supervise([pipeline]) as supervisor:
        assert isinstance(await anext(supervisor), StreamingTransition)
        await maia.aclose()
        with pytest.raises(SessionClosed):
            await anext(supervisor)
    assert ours() == []
