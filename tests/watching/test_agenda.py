"""Whose own read goes next: the table of the module, what is left behind, and what a crowd that has left leaves of long times."""

from __future__ import annotations

import anyio
import pytest
from watching.fake_subject import FakeSubject

from maia_async.governor import Governor
from maia_async.policies import PollPolicy, RateLimit
from maia_async.tasks import TaskOwner
from maia_async.watching.agenda import Agenda
from maia_async.watching.watched import NEVER, Waiter, Watched
from maia_async.watching.watcher import Watcher


def thing(name: str) -> Watched:
    watched = Watched(FakeSubject(name, ["RUNNING"]))
    watched.waiters = (Waiter(watched, Watched.ended, lambda _: None),)
    return watched


def order(agenda: Agenda, now: float) -> list[str]:
    taken = []
    while (watched := agenda.take(now)) is not None:
        taken.append(watched.subject.key[1])
    return taken


@pytest.mark.parametrize(
    ("fresh", "calm", "expected"),
    [
        ({}, {}, ""),
        ({}, {"a": 2, "b": 1}, "ba"),
        ({"x": 5}, {"a": 1}, "xa"),
        ({"x": 5, "y": 4}, {"a": NEVER}, "ayx"),
        ({"w": 1, "x": 2, "y": 3, "z": 4}, {"a": 1, "b": 2}, "waxbyz"),
        ({"x": 11}, {"a": 10, "b": 10.1}, "a"),
    ],
)
def test_who_goes_next_at_10(fresh: dict[str, float], calm: dict[str, float], expected: str) -> None:
    agenda = Agenda()
    for name, due in calm.items():
        agenda.put(thing(name), due, fresh=False)
    for name, due in fresh.items():
        agenda.put(thing(name), due, fresh=True)
    assert agenda.next() == min([*fresh.values(), *calm.values()], default=float("inf"))
    assert "".join(order(agenda, 10)) == expected


def test_older_entries_and_those_of_things_that_nobody_waits_for_count_for_nothing() -> None:
    agenda, moved, left = Agenda(), thing("moved"), thing("left")
    agenda.put(moved, 1, fresh=False)
    agenda.put(moved, 3, fresh=True)
    agenda.put(left, 1, fresh=False)
    left.waiters = ()
    assert order(agenda, 2) == []
    assert order(agenda, 3) == ["moved"]
    agenda.put(moved, 1, fresh=True)
    agenda.clear()
    assert (agenda.next(), agenda.take(9)) == (float("inf"), None)


async def test_a_long_time_that_a_crowd_has_made_ends_soon_after_the_crowd_has_left() -> None:
    owner = TaskOwner()
    watcher = Watcher(policy=PollPolicy(), governor=Governor(RateLimit(requests=60)), owner=owner)
    last = FakeSubject("last", ["RUNNING"])
    crowd = [watcher.watched(FakeSubject(f"{number}", ["RUNNING"])) for number in range(300)]
    waiters = [watcher.join(each, Watched.ended, lambda _: None) for each in crowd]
    kept = watcher.join(watcher.watched(last), Watched.ended, lambda _: None)
    await anyio.sleep(100)
    assert len(last.looks) == 1  # the budget gives 301 things a read each in five minutes
    for waiter in waiters:
        watcher.leave(waiter)
    await anyio.sleep(61)
    assert len(last.looks) > 1
    watcher.leave(kept)
    await watcher.rest()
