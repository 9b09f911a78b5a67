"""What is remembered of our own commands: one row for each line of the module's tables, and the order of sending."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from maia_async.errors import Conflict, ConnectFailed, Disconnected, Forbidden, RateLimited, ServerError
from maia_async.resources.orders import Orders

GRACE = 60.0
OK = None
CONFLICT, FORBIDDEN, LIMITED, BROKEN = (
    kind(status, method="POST", path="/commands")
    for kind, status in ((Conflict, 409), (Forbidden, 403), (RateLimited, 429), (ServerError, 500))
)


def remembered(*moments: tuple[Any, ...]) -> Orders:
    """(at, "START", name) goes out; (at, name, error) ends; (at, "ran") is a read that showed it running."""
    orders, flying = Orders(), {}
    for at, what, *more in moments:
        if what == "ran":
            orders.ran(at)
        elif what in {"START", "STOP"}:
            flying[more[0]] = orders.goes_out(what, at)
        elif more[0] == "withdrawn":
            orders.forget(flying[what])
        else:
            orders.ended(flying[what], at, more[0])
    return orders


@pytest.mark.parametrize(
    ("moments", "asked"),
    [
        ([], False),
        ([(100, "STOP", "a")], True),  # in flight: it may take effect before it is answered
        ([(10, "STOP", "a"), (15, "ran"), (90, "ran")], True),
        ([(10, "STOP", "a"), (12, "a", OK)], True),  # however long ago: nothing was read that says otherwise
        ([(10, "STOP", "a"), (12, "a", OK), (72, "ran")], True),  # it may take so long
        ([(10, "STOP", "a"), (12, "a", OK), (73, "ran")], False),  # it had no effect, or somebody has started it since
        ([(10, "STOP", "a"), (12, "a", OK), (73, "ran"), (72, "ran")], False),
        ([(10, "STOP", "a"), (12, "a", CONFLICT), (73, "ran")], False),
        ([(90, "STOP", "a"), (91, "a", BROKEN)], True),  # it may have landed
        ([(90, "STOP", "a"), (91, "a", Disconnected("broke"))], True),
        ([(90, "STOP", "a"), (91, "a", asyncio.CancelledError())], True),
        ([(90, "STOP", "a"), (91, "a", CONFLICT)], True),  # it was stopped already, which is what its sender wants
        ([(90, "STOP", "a"), (91, "a", FORBIDDEN)], False),
        ([(90, "STOP", "a"), (91, "a", LIMITED)], False),
        ([(90, "STOP", "a"), (91, "a", ConnectFailed("refused"))], False),
        ([(90, "STOP", "a"), (91, "a", "withdrawn")], False),
        ([(80, "STOP", "a"), (81, "a", OK), (90, "START", "b"), (91, "b", OK)], False),
        ([(80, "STOP", "a"), (81, "a", OK), (90, "START", "b"), (91, "b", CONFLICT)], True),  # the former counts again
        ([(80, "START", "a"), (81, "a", OK), (90, "STOP", "b"), (91, "b", FORBIDDEN)], False),
        # The order is that of sending, whichever is answered first.
        ([(80, "START", "a"), (90, "STOP", "b"), (91, "b", OK), (95, "a", OK)], True),
        ([(80, "STOP", "a"), (90, "START", "b"), (91, "b", OK), (95, "a", OK)], False),
    ],
)
def test_whether_a_stop_is_asked_for(moments: list[Any], asked: bool) -> None:
    assert remembered(*moments).stop_asked(grace=GRACE) is asked


def test_a_stop_that_was_sent_before_is_not_about_a_later_wish() -> None:
    orders = remembered((90, "START", "a"), (90, "STOP", "b"), (95, "b", OK))
    assert orders.mark == 2
    assert orders.stop_asked(grace=GRACE, after=1)
    assert not orders.stop_asked(grace=GRACE, after=2)


@pytest.mark.parametrize(
    ("moments", "pends"),
    [
        ([], False),
        ([(10, "START", "a")], True),
        ([(10, "START", "a"), (40, "a", OK)], True),
        ([(10, "START", "a"), (39, "a", OK)], False),
        ([(90, "START", "a"), (91, "a", BROKEN)], True),
        ([(90, "START", "a"), (91, "a", CONFLICT)], False),
        ([(90, "START", "a"), (91, "a", OK), (95, "ran")], False),
        ([(90, "START", "a"), (91, "a", OK), (90, "ran")], False),
        ([(90, "START", "a"), (91, "a", OK), (89, "ran")], True),  # that read went out before it
        ([(90, "START", "a"), (91, "a", OK), (95, "STOP", "b"), (96, "b", OK)], False),
        ([(90, "START", "a"), (91, "a", OK), (95, "STOP", "b")], False),
        ([(90, "START", "a"), (91, "a", OK), (95, "STOP", "b"), (96, "b", CONFLICT)], True),  # it ended nothing
        ([(90, "START", "a"), (91, "a", OK), (95, "STOP", "b"), (96, "b", FORBIDDEN)], True),
        ([(80, "STOP", "b"), (81, "b", OK), (90, "START", "a"), (91, "a", OK)], True),
    ],
)
def test_whether_a_start_may_still_show_nothing(moments: list[Any], pends: bool) -> None:
    assert remembered(*moments).start_pends(100.0, grace=GRACE) is pends


@pytest.mark.parametrize(
    ("moments", "start", "stop"),
    [
        ([], None, None),
        ([(10, "START", "a"), (12, "a", OK)], 12.0, None),
        ([(10, "START", "a")], float("inf"), None),
        ([(10, "START", "a"), (12, "a", OK), (20, "STOP", "b"), (25, "b", OK)], None, 25.0),
        ([(10, "START", "a"), (12, "a", OK), (20, "STOP", "b"), (25, "b", CONFLICT)], 12.0, None),
    ],
)
def test_when_the_last_command_ended(moments: list[Any], start: float | None, stop: float | None) -> None:
    orders = remembered(*moments)
    assert (orders.last_end("START"), orders.last_end("STOP")) == (start, stop)


def test_the_memory_does_not_grow() -> None:
    orders = Orders()
    for number in range(1000):
        word: Any = ("START", "STOP")[number % 2]
        orders.ended(orders.goes_out(word, number), number + 0.5, CONFLICT if number % 3 == 0 else None)
    assert len(orders._sent) <= 3
