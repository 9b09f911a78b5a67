"""Which pipelines the live table shows, and the parting words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from maia_async import StreamingState, SupervisedState
from maia_async.cli.streamtable import MOST_ROWS, rows_of
from maia_async.cli.supervising import nothing_left, parting_words

STREAMING = StreamingState.STREAMING


def seen(state: str | None = "STREAMING", *, restarts: int = 0, kept: bool = True, gave_up: bool = False) -> SupervisedState:
    word = None if state is None else StreamingState(state)
    desired = STREAMING if kept and not gave_up else None
    return SupervisedState(state=word, since=None, restarts=restarts, desired=desired, gave_up=gave_up, last_event=None)


def test_a_few_are_all_shown_in_their_order() -> None:
    states = {str(number): seen("NOT_RUNNING" if number % 2 else "STREAMING") for number in range(MOST_ROWS)}

    assert rows_of(states) == list(states)


def test_of_many_those_that_need_eyes_come_first() -> None:
    states = {str(number): seen() for number in range(100)}
    states |= {"restarted": seen(restarts=1), "down": seen("NOT_RUNNING"), "lost": seen("NOT_RUNNING", gave_up=True)}
    states |= {"worse": seen(restarts=2), "left": seen(kept=False), "new": seen(None)}

    rows = rows_of(states)

    assert len(rows) == MOST_ROWS
    assert rows[:8] == ["lost", "left", "down", "new", "worse", "restarted", "0", "1"]


@pytest.mark.parametrize(
    ("states", "left"),
    [
        ({}, True),
        ({"a": seen()}, False),
        ({"a": seen("NOT_RUNNING", gave_up=True), "b": seen()}, False),
        ({"a": seen("NOT_RUNNING", gave_up=True), "b": seen("NOT_RUNNING", kept=False)}, True),
    ],
)
def test_nothing_is_left_when_none_is_kept(states: dict[str, Any], left: bool) -> None:
    assert nothing_left(states) is left


def words(states: dict[str, SupervisedState], *, embedded: bool = False) -> list[str]:
    def stop(ids: Sequence[str]) -> str:
        return f"stop {' '.join(ids)}"

    return parting_words(states, str.upper, stop, embedded=embedded)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ({}, []),
        ({"a": seen("NOT_RUNNING")}, ["none of the streaming pipelines runs"]),
        ({"a": seen()}, ["1 streaming pipeline runs on in Maia without supervision; to stop it:", "  stop a"]),
        (
            {"a": seen("STARTING"), "b": seen("STOPPING"), "c": seen("UNKNOWN"), "d": seen("PAUSED"), "e": seen(None)},
            ["4 streaming pipelines run on in Maia without supervision; to stop them:", "  stop a c d e"],
        ),
        ({"a": seen("NOT_RUNNING", gave_up=True)}, ["given up: A", "none of the streaming pipelines runs"]),
    ],
)
def test_whatever_runs_or_may_run_is_named(states: dict[str, SupervisedState], said: list[str]) -> None:
    assert words(states) == said


def test_of_many_the_first_twenty_are_named() -> None:
    lost, command, first, more = words(
        {str(number): seen() for number in range(25)} | {f"x{number}": seen("NOT_RUNNING", gave_up=True) for number in range(22)}
    )

    assert lost.endswith("and 2 more")
    assert command.startswith("25 streaming pipelines run on")
    assert len(first.split()) == 21
    assert more.strip().startswith("and 5 more")


def test_an_embedded_emulator_leaves_nothing_to_stop() -> None:
    assert words({"a": seen(), "b": seen("NOT_RUNNING", gave_up=True)}, embedded=True) == [
        "given up: B",
        "the embedded emulator has ended, and its streaming pipelines with it",
    ]
