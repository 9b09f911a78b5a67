"""Supervision to the exact virtual second: what is told of one pipeline, and when START goes out.

The scenarios run against the emulator's state machines without HTTP (`streams_world.py`).
Reads come every 3 s for a minute after a command (or the beginning), the first one a second after it, and every 15 s later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from attrs import field, frozen
from orchestration.account import ours
from orchestration.streams_world import Told, World, world

from maia_async import (
    ResponseError,
    RestartPolicy,
    Supervisor,
    supervise,
)

AT_ONCE = RestartPolicy(base=1e-6, cap=1e-6)
ON_ITS_WAY = ["1 NOT_RUNNING > STARTING 1", "4 STARTING > SNAPSHOTTING 3", "34 SNAPSHOTTING > STREAMING 30"]
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


async def refused_stop(world: World, _: Supervisor) -> None:
    with pytest.raises(ResponseError):
        await world.handle("a").stop()


def own_stop(world: World, _: Supervisor) -> Any:
    return world.handle("a").stop()


def back(at: int) -> list[str]:
    """A start sent at `at`, without a snapshot."""
    return [f"{at + 1} NOT_RUNNING > STARTING 1", f"{at + 4} STARTING > STREAMING 3"]


HERE = "0 - > STREAMING"
RESPECTED_AT_501 = ("501 ReachableAgain NOT_RUNNING", "501 ExternallyStopped respected")
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
        "a 500 may have landed: it is one restart, and is sent again when nothing showed within the grace",
        [
            *(HERE, "21 STREAMING > NOT_RUNNING 21", "21 RestartAttempted 1 None ServerError", "82 RestartAttempted 2 True"),
            *("83 NOT_RUNNING > STARTING 62", "86 STARTING > STREAMING 3"),
        ],
        [82],
        (20, drops),
        commands=(500,),
    ),
    row(
        "restarts that land, are answered 500 and die between two reads are counted, and given up",
        [
            *("0 - > NOT_RUNNING", "0 StartAttempted None ServerError", "61 RestartAttempted 1 None ServerError"),
            *("122 RestartAttempted 2 None ServerError", "183 Flapping 3", "183 RestartAttempted 3 None ServerError", "244 GaveUp 3"),
        ],
        [0, 61, 122, 183],
        running=False,
        script={"flaps_every": 0.5},
        commands=("broken",) * 100,
        until=5000,
    ),
    row(
        "a first start that is refused is tried again, and is no restart",
        [
            *("0 - > NOT_RUNNING", "0 StartAttempted False Conflict", "1 StartAttempted False Conflict", "2 StartAttempted True"),
            *("3 NOT_RUNNING > STARTING 3", "6 STARTING > SNAPSHOTTING 3", "36 SNAPSHOTTING > STREAMING 30"),
        ],
        [2],
        running=False,
        commands=(409, 409),
    ),
    row(
        "a first start without a usable answer may have been the first",
        [
            *("0 - > NOT_RUNNING", "0 StartAttempted None ServerError", "61 RestartAttempted 1 True", "62 NOT_RUNNING > STARTING 62"),
            *("65 STARTING > SNAPSHOTTING 3", "95 SNAPSHOTTING > STREAMING 30"),
        ],
        [61],
        running=False,
        commands=(500,),
    ),
    *(
        row(
            f"a restart that is refused with {status} once is sent again",
            [
                *(HERE, "21 STREAMING > NOT_RUNNING 21", f"21 RestartAttempted 1 False {error}"),
                *("22 RestartAttempted 2 True", "23 NOT_RUNNING > STARTING 2", "26 STARTING > STREAMING 3"),
            ],
            [22],
            (20, drops),
            commands=(status,),
        )
        for status, error in ((401, "Unauthorized"), (403, "Forbidden"), (404, "NotFound"))
    ),
    *(
        row(
            f"a restart that is refused with {status} for a minute is given up",
            [
                *(HERE, "21 STREAMING > NOT_RUNNING 21"),
                *(f"{20 + attempt} RestartAttempted {attempt} False {error}" for attempt in range(1, 62)),
                f"81 GaveUp 0 {error}",
            ],
            [],
            (20, drops),
            commands=(status,) * 1000,
            until=500,
        )
        for status, error in ((401, "Unauthorized"), (403, "Forbidden"), (404, "NotFound"))
    ),
    *(
        row(
            f"a restart that is refused with {status} is given up",
            [HERE, "21 STREAMING > NOT_RUNNING 21", f"21 RestartAttempted 1 False {error}", f"21 GaveUp 0 {error}"],
            [],
            (20, drops),
            commands=(status,),
            until=500,
        )
        for status, error in ((400, "BadRequest"), (410, "PipelineDisabled"))
    ),
    row(
        "one that was deleted is told, and given up after a minute",
        [HERE, "21 Unreachable 0 NotFound", "81 GaveUp 0 NotFound"],
        [],
        (20, lambda world, _: world.streams.pop("a")),
        until=1000,
    ),
    *(
        row(
            f"one read that is refused with {status} is told, and is the end of nothing",
            [
                *(HERE, f"21 Unreachable 0 {error}", "36 ReachableAgain STREAMING"),
                *("51 STREAMING > NOT_RUNNING 51", "51 RestartAttempted 1 True", *back(51)),
            ],
            [51],
            (20, lambda world, _, status=status: world.reads["a"].append(status)),
            (50, drops),
        )
        for status, error in ((401, "Unauthorized"), (403, "Forbidden"), (404, "NotFound"))
    ),
    row(
        "a read that fails with an error of a user's own Auth is a failed read",
        [HERE, "51 STREAMING > NOT_RUNNING 51", "51 RestartAttempted 1 True", *back(51)],
        [51],
        (20, lambda world, _: world.reads["a"].append(OSError("of a user's own Auth"))),
        (50, drops),
    ),
    row(
        "a START that fails with an error of a user's own Auth is a failed START",
        [
            *(HERE, "21 STREAMING > NOT_RUNNING 21", "21 RestartAttempted 1 False OSError"),
            *("22 RestartAttempted 2 True", "23 NOT_RUNNING > STARTING 2", "26 STARTING > STREAMING 3"),
        ],
        [22],
        (20, drops),
        commands=(OSError("of a user's own Auth"),),
    ),
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
        "unreachable for too long is treated like a drop, once in each such time, and told; what did not land counts for nothing",
        [
            *(HERE, "21 STREAMING > UNKNOWN 21", "330 Unreachable 309", "330 RestartAttempted 1 None ServerError"),
            *("631 RestartAttempted 2 None ServerError", "902 UNKNOWN > STREAMING 881", "902 ReachableAgain STREAMING"),
            *("917 STREAMING > NOT_RUNNING 15", "917 RestartAttempted 1 True", "918 NOT_RUNNING > STARTING 1"),
        ],
        [917],
        (20, shows("UNKNOWN")),
        (900, shows(None)),
        (915, drops),
        options={"restart": RestartPolicy(max_restarts=1, within=3600, base=1e-6, cap=1e-6)},
        until=919,
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
        "a stop by this client that takes effect before it is answered is none of a drop's",
        [HERE, "21 STREAMING > NOT_RUNNING 21", "21 ExternallyStopped respected"],
        [],
        (20, lambda world, _: world.handle("a").stop()),
        script={"stop_seconds": 0.1},
        commands=("late",),
    ),
    row(
        "a stop by this client is one by others, however long nobody can say what became of it",
        [HERE, "66 STREAMING > UNKNOWN 66", "366 Unreachable 300", "501 UNKNOWN > NOT_RUNNING 435", *RESPECTED_AT_501],
        [],
        (65, own_stop),
        (65, shows("UNKNOWN")),
        (500, shows(None)),
        options={"unreachable_after": 299},
        until=600,
    ),
    row(
        "a stop by this client that had no effect within the grace is none: a later drop is a drop",
        [HERE, "141 STREAMING > NOT_RUNNING 141", "141 RestartAttempted 1 True", *back(141)],
        [141],
        (20, own_stop),
        (140, drops),
        commands=("ignored",),
        until=150,
    ),
    row(
        "a stop by this client that was refused is none: the next drop is a drop",
        [HERE, "20 STREAMING > NOT_RUNNING 20", "20 RestartAttempted 1 True", *back(20)],
        [20],
        (10, refused_stop),
        (19, drops),
        commands=(403,),
    ),
    row(
        "a stop by this client while its restart waits is respected",
        [HERE, "21 STREAMING > NOT_RUNNING 21", "23 ExternallyStopped respected"],
        [],
        (20, drops),
        (22, refused_stop),  # 409: it does not run
        options={"restart": RestartPolicy(base=1e9, cap=1e9)},
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
