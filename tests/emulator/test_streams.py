"""The life of a streaming pipeline: the rows of its tables in exact time, and a random walk against what is legal."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from maia_async.emulator import StreamScript
from maia_async.emulator.dice import Dice, dice
from maia_async.emulator.problems import Refused
from maia_async.emulator.streams import Stream, command, drop, history, hold, shown_at, state_at

CHANCE: Final = dice(0, "test")
BEGIN: Final = 1000.0


def a_stream(**script: Any) -> Stream:
    """A pipeline created at 1000."""
    return Stream(id="s", project_id="p", name="n", definition={}, created=BEGIN, script=StreamScript(**script))


def order(stream: Stream, word: str, at: float, *, chance: Dice = CHANCE, **options: Any) -> int:
    """A command so long after the beginning, and the status of its answer."""
    try:
        command(stream, word, BEGIN + at, chance=chance, **options)
    except Refused as refusal:
        return refusal.status
    return 202


def changes(stream: Stream, until: float = 10_000.0) -> list[tuple[float, str]]:
    return [(round(at - BEGIN, 3), word) for at, word, _ in history(stream, BEGIN + until)]


STARTED: Final = [(0.0, "NOT_RUNNING"), (10.0, "STARTING")]
SNAPSHOT: Final = [*STARTED, (12.0, "SNAPSHOTTING")]
RUNNING: Final = [*SNAPSHOT, (42.0, "STREAMING")]


@pytest.mark.parametrize(
    ("script", "events", "expected"),
    [
        ({}, [], [(0.0, "NOT_RUNNING")]),
        ({}, [("START", 10)], RUNNING),
        ({"snapshot": "never"}, [("START", 10)], [*STARTED, (12.0, "STREAMING")]),
        ({"starting": 0, "snapshotting": 0}, [("START", 10)], [(0.0, "NOT_RUNNING"), (10.0, "STREAMING")]),
        ({"refuses_to_start": "returns"}, [("START", 10)], [*STARTED, (12.0, "NOT_RUNNING")]),
        ({"refuses_to_start": "stays"}, [("START", 10)], [(0.0, "NOT_RUNNING")]),
        ({"stuck_starting": True}, [("START", 10)], STARTED),
        ({"drop_after": 300}, [("START", 10)], [*RUNNING, (342.0, "NOT_RUNNING")]),
        ({"flaps_every": 60}, [("START", 10)], [*RUNNING, (70.0, "NOT_RUNNING")]),
        ({"flaps_every": 20}, [("START", 10)], [*SNAPSHOT, (30.0, "NOT_RUNNING")]),
        ({"flaps_every": 2}, [("START", 10)], [*STARTED, (12.0, "NOT_RUNNING")]),
        ({"flaps_every": 60, "drop_after": 5}, [("START", 10)], [*RUNNING, (47.0, "NOT_RUNNING")]),
        ({"flaps_every": 60, "stuck_starting": True}, [("START", 10)], [*STARTED, (70.0, "NOT_RUNNING")]),
        ({}, [("START", 10), ("drop", 11)], [*STARTED, (11.0, "NOT_RUNNING")]),
        ({}, [("START", 10), ("drop", 50)], [*RUNNING, (50.0, "NOT_RUNNING")]),
        ({}, [("START", 10), ("STOP", 11)], [*STARTED, (11.0, "STOPPING"), (13.0, "NOT_RUNNING")]),
        ({}, [("START", 10), ("STOP", 20)], [*SNAPSHOT, (20.0, "STOPPING"), (22.0, "NOT_RUNNING")]),
        ({"stuck_starting": True}, [("START", 10), ("STOP", 20)], [*STARTED, (20.0, "STOPPING"), (22.0, "NOT_RUNNING")]),
        ({"stop_seconds": 9}, [("START", 10), ("STOP", 50), ("drop", 51)], [*RUNNING, (50.0, "STOPPING"), (51.0, "NOT_RUNNING")]),
        ({"stop_seconds": 0}, [("START", 10), ("STOP", 50)], [*RUNNING, (50.0, "NOT_RUNNING")]),
        ({"stop_seconds": 9}, [("START", 10), ("STOP", 50), ("STOP", 52)], [*RUNNING, (50.0, "STOPPING"), (59.0, "NOT_RUNNING")]),
        ({"start_lag": 1.5}, [("START", 10)], [(0.0, "NOT_RUNNING"), (11.5, "STARTING"), *RUNNING[2:]]),
        ({"start_lag": 5}, [("START", 10)], [(0.0, "NOT_RUNNING"), *RUNNING[2:]]),
        ({"start_lag": 5, "stuck_starting": True}, [("START", 10)], [(0.0, "NOT_RUNNING"), (15.0, "STARTING")]),
        ({"unreachable": [[20, 60]]}, [("START", 10)], [*SNAPSHOT, (30.0, "UNKNOWN"), (90.0, "STREAMING")]),
        ({"unreachable": [[40, 5], [45, 5]]}, [("START", 10)], [*RUNNING, (50.0, "UNKNOWN"), (60.0, "STREAMING")]),
        ({"unreachable": [[40, 5]]}, [], [(0.0, "NOT_RUNNING")]),
        ({"unreachable": [[40, 10]]}, [("START", 10), ("drop", 55)], [*RUNNING, (50.0, "UNKNOWN"), (60.0, "NOT_RUNNING")]),
        ({}, [("START", 10), ("QUEUED", 50), (None, 60)], [*RUNNING, (50.0, "QUEUED"), (60.0, "STREAMING")]),
        ({"unreachable": [[40, 10]]}, [("START", 10), ("STREAMING", 45)], RUNNING),
    ],
)
def test_what_is_shown_follows_from_the_script_the_events_and_the_time(
    script: dict[str, Any], events: list[tuple[str | None, float]], expected: list[tuple[float, str]]
) -> None:
    stream = a_stream(**script)

    for word, at in events:
        if word in {"START", "STOP"}:
            assert order(stream, str(word), at) == 202
        elif word == "drop":
            drop(stream, BEGIN + at)
        else:
            hold(stream, BEGIN + at, word)

    assert changes(stream) == expected
    for (at, word), (end, _) in pairwise([*expected, (9_999.0, "")]):
        assert [shown_at(stream, BEGIN + moment) for moment in (at, end - 0.001)] == [word, word]


@pytest.mark.parametrize(
    ("snapshot", "second", "third"),
    [("first", "SNAPSHOTTING", "STREAMING"), ("every", "SNAPSHOTTING", "SNAPSHOTTING"), ("never", "STREAMING", "STREAMING")],
)
def test_a_first_snapshot_is_taken_until_one_has_been_completed(snapshot: str, second: str, third: str) -> None:
    stream = a_stream(snapshot=snapshot)
    order(stream, "START", 0)
    drop(stream, BEGIN + 1)

    order(stream, "START", 10)
    assert shown_at(stream, BEGIN + 12) == second
    drop(stream, BEGIN + 100)
    order(stream, "START", 110)

    assert shown_at(stream, BEGIN + 112) == third


@pytest.mark.parametrize(("drops", "after"), [("once", "STREAMING"), ("every", "NOT_RUNNING")])
def test_a_scripted_drop_comes_once_or_on_every_start(drops: str, after: str) -> None:
    stream = a_stream(drop_after=300, drops=drops, snapshot="never")
    order(stream, "START", 0)
    order(stream, "STOP", 100)
    order(stream, "START", 200)
    assert [shown_at(stream, BEGIN + at) for at in (501.999, 502)] == ["STREAMING", "NOT_RUNNING"], "a stop is no drop"

    order(stream, "START", 600)

    assert [shown_at(stream, BEGIN + at) for at in (901.999, 902)] == ["STREAMING", after]


HELD: Final[list[tuple[str, Callable[[Stream], object]]]] = [
    ("NOT_RUNNING", lambda stream: None),
    ("STARTING", lambda stream: order(stream, "START", 99)),
    ("SNAPSHOTTING", lambda stream: order(stream, "START", 90)),
    ("STREAMING", lambda stream: order(stream, "START", 10)),
    ("STOPPING", lambda stream: (order(stream, "START", 10), order(stream, "STOP", 99))),
]


@pytest.mark.parametrize("held", [False, True], ids=["so", "held"])
@pytest.mark.parametrize(
    ("state", "reach", "start", "stop"),
    [(*row, *answers) for row, answers in zip(HELD, [(202, 409), (409, 202), (409, 202), (409, 202), (409, 202)], strict=True)],
)
def test_a_command_is_judged_by_the_state_or_by_the_word_held(
    state: str, reach: Callable[[Stream], object], start: int, stop: int, held: bool
) -> None:
    for word, status in (("START", start), ("STOP", stop)):
        stream = a_stream()
        if held:
            hold(stream, BEGIN + 50, state)
        else:
            reach(stream)
        assert shown_at(stream, BEGIN + 100) == state

        assert order(stream, word, 100) == status

        expected = {"START": "STARTING", "STOP": "STOPPING"}[word] if status == 202 else state
        if (held, state, word) != (True, "STOPPING", "STOP"):  # nothing changes, and the truth shows again
            assert shown_at(stream, BEGIN + 100) == expected


def test_a_second_start_is_a_conflict_while_the_first_does_not_show_yet() -> None:
    stream = a_stream(start_lag=2)
    order(stream, "START", 0)

    assert (shown_at(stream, BEGIN + 1), order(stream, "START", 1)) == ("NOT_RUNNING", 409)


@pytest.mark.parametrize(("reading", "stop", "start"), [("refused", 500, 500), ("accepted", 202, 409)])
def test_a_command_to_an_agent_out_of_reach(reading: str, stop: int, start: int) -> None:
    stream = a_stream(unreachable=[[50, 60]])
    order(stream, "START", 0)

    assert order(stream, "START", 60, unreachable=reading) == start
    assert order(stream, "STOP", 70, unreachable=reading) == stop
    assert shown_at(stream, BEGIN + 70) == "UNKNOWN"

    other = a_stream()
    hold(other, BEGIN, "UNKNOWN")
    assert order(other, "START", 1, unreachable=reading) == (500 if reading == "refused" else 202)


@pytest.mark.parametrize(
    ("refuses", "answers"), [("stays", [202, 202, 202]), ("returns", [202, 202, 202]), (409, [409, 409, 202]), (500, [500, 500, 202])]
)
def test_so_many_starts_are_refused_and_then_one_is_not(refuses: Any, answers: list[int]) -> None:
    stream = a_stream(refuses_to_start=refuses, refusals=2)

    assert [order(stream, "START", at) for at in (0, 100, 200)] == answers
    assert [shown_at(stream, BEGIN + at) for at in (199, 202)] == ["NOT_RUNNING", "SNAPSHOTTING"]
    assert (stream.refused, stream.starts) == (2, answers.count(202))


def test_a_drop_of_what_rests_is_refused() -> None:
    with pytest.raises(Refused, match="not running"):
        drop(a_stream(), BEGIN)


def test_the_history_says_what_began_each_change() -> None:
    stream = a_stream(unreachable=[[100, 10]], drop_after=400)
    order(stream, "START", 0, by="external")
    hold(stream, BEGIN + 200, "PAUSED")
    hold(stream, BEGIN + 210, None)
    order(stream, "START", 500)
    order(stream, "STOP", 600)

    assert [(round(at - BEGIN), word, by) for at, word, by in history(stream, BEGIN + 700)] == [
        (0, "STARTING", "external"),
        (2, "SNAPSHOTTING", "script"),
        (32, "STREAMING", "script"),
        (100, "UNKNOWN", "agent"),
        (110, "STREAMING", "agent"),
        (200, "PAUSED", "control"),
        (210, "STREAMING", "control"),
        (432, "NOT_RUNNING", "drop"),
        (500, "STARTING", "api"),
        (502, "STREAMING", "script"),
        (600, "STOPPING", "api"),
        (602, "NOT_RUNNING", "script"),
    ]


def test_two_events_in_one_millisecond_keep_their_order() -> None:
    stream = a_stream(starting=0, snapshotting=0, stop_seconds=0)
    for at in (0.001, 0.0011, 0.0012):
        assert order(stream, "START", at) == 202
        assert order(stream, "STOP", at) == 202

    beginnings = [phase.at for phase in stream.phases]
    assert beginnings == sorted(beginnings)
    assert state_at(stream, BEGIN + 0.0012) == "NOT_RUNNING"


LEGAL: Final = {
    "NOT_RUNNING": {"STARTING"},
    "STARTING": {"SNAPSHOTTING", "STREAMING", "STOPPING", "NOT_RUNNING"},
    "SNAPSHOTTING": {"STREAMING", "STOPPING", "NOT_RUNNING"},
    "STREAMING": {"STOPPING", "NOT_RUNNING"},
    "STOPPING": {"NOT_RUNNING"},
}
SPANS = st.sampled_from([0, 2, (0, 5)])
SCRIPTS = st.builds(
    StreamScript,
    starting=SPANS,
    snapshotting=SPANS,
    stop_seconds=SPANS,
    snapshot=st.sampled_from(["first", "every", "never"]),
    start_lag=st.sampled_from([0, 1, 10]),
    drop_after=st.sampled_from([None, 7]),
    drops=st.sampled_from(["once", "every"]),
    flaps_every=st.sampled_from([None, 3.5, 20]),
    unreachable=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=2),
    refuses_to_start=st.sampled_from([None, None, "stays", "returns", 409, 500]),
    refusals=st.sampled_from([None, 1]),
    stuck_starting=st.booleans(),
)


class LifeOfAStream(RuleBasedStateMachine):
    """Commands, drops and time in any order."""

    moments: Bundle[tuple[float, str]] = Bundle("moments")

    @initialize(script=SCRIPTS)
    def create(self, script: StreamScript) -> None:
        self.now = 1_700_000_000.0
        self.stream = Stream(id="s", project_id="p", name="n", definition={}, created=self.now, script=script)
        self.chance = dice(0, "walk")

    @rule(seconds=st.floats(0, 12))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(word=st.sampled_from(["START", "STOP"]))
    def order(self, word: str) -> None:
        before, seen, starts = state_at(self.stream, self.now), shown_at(self.stream, self.now), self.stream.starts
        status = order(self.stream, word, self.now - BEGIN, chance=self.chance)
        fits = (before == "NOT_RUNNING") == (word == "START")
        if status == 202:
            assert fits
            assert seen != "UNKNOWN"
            assert self.stream.starts == starts + (word == "START")
        else:
            refuses = self.stream.script.refuses_to_start if word == "START" else None
            assert status == (500 if seen == "UNKNOWN" else refuses if fits else 409)
            assert (state_at(self.stream, self.now), self.stream.starts) == (before, starts)

    @rule()
    def die(self) -> None:
        if state_at(self.stream, self.now) == "NOT_RUNNING":
            return
        drop(self.stream, self.now)
        assert state_at(self.stream, self.now) == "NOT_RUNNING"

    @rule(target=moments)
    def look(self) -> tuple[float, str]:
        seen = self.now, shown_at(self.stream, self.now)
        # A command of the same millisecond would begin before the look.
        self.now += 0.002
        return seen

    @rule(moment=moments)
    def the_past_stays_as_it_was_seen(self, moment: tuple[float, str]) -> None:
        at, word = moment
        last = [change[1] for change in history(self.stream, self.now) if change[0] <= at]
        assert last[-1] == word

    @invariant()
    def every_transition_is_legal(self) -> None:
        states = [phase.state for phase in self.stream.phases]
        for before, after in pairwise(states):
            assert before == after == "STARTING" or after in LEGAL[before]

    @invariant()
    def what_is_shown_is_the_state_but_for_its_reasons(self) -> None:
        state, shown = state_at(self.stream, self.now), shown_at(self.stream, self.now)
        assert shown in {state, "UNKNOWN"} or (state, shown) == ("STARTING", "NOT_RUNNING")
        changes = history(self.stream, self.now)
        assert changes[-1][1] == shown
        assert all(earlier[0] < later[0] and earlier[1] != later[1] for earlier, later in pairwise(changes))


LifeOfAStream.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestLifeOfAStream = LifeOfAStream.TestCase
