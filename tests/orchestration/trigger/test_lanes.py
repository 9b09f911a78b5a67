"""The book of the lanes: what is remembered for how long, and that it does not grow."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
from orchestration.trigger.lossy import request

from maia_async import AUTO
from maia_async.models.request import is_auto_tag
from maia_async.orchestration.trigger import lanes
from maia_async.orchestration.trigger.evidence import LaneName
from maia_async.orchestration.trigger.lanes import MEMORY, Case, Lane, Lanes, sameness


def lane() -> Lane:
    return Lane(LaneName(project="p", environment="e", pipeline="a"))


def case(**fields: Any) -> Case:
    verdict: Any = asyncio.get_running_loop().create_future()
    defaults: dict[str, Any] = {"sent": 0.0, "start": None, "ended": 0.0, "fly": lambda: None}
    return Case(**{"request": request(), "same_as": "", "verdict": verdict, **defaults, **fields})


def test_ids_are_forgotten_after_half_an_hour_and_those_of_a_journal_are_not() -> None:
    here = lane()
    here.know("A-1", 10.0, 10.0)
    here.know("b2", -float("inf"), 10.0)
    here.prune(10.0 + MEMORY)
    assert list(here.known) == ["a1", "b2"]
    here.prune(10.1 + MEMORY)
    assert list(here.known) == ["b2"]


def test_no_lane_knows_more_than_so_many_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MOST_KNOWN", 100)
    here = lane()
    for number in range(5000):
        here.know(f"r{number}", 0.0, 0.0)
    assert len(here.known) <= 100 + lanes.PRUNE_EVERY
    assert "r4999" in here.known


async def test_lanes_in_which_nothing_is_known_any_more_are_dropped() -> None:
    every = Lanes()
    for number in range(200):
        every.of(("p", "e", f"old {number}")).know("id", 0.0, 0.0)
    busy = every.of(("p", "e", "busy"))
    busy.calls += 1
    await anyio.sleep(MEMORY + 1)
    for number in range(100):
        every.of(("p", "e", f"new {number}")).know("id", MEMORY, MEMORY)
    assert 100 <= len(every) < 120
    assert every.of(("p", "e", "busy")) is busy


async def test_what_is_too_old_in_any_lane_goes_with_the_first_post_of_any_half_hour() -> None:
    every = Lanes()
    busy = every.of(("p", "e", "busy"))
    for number in range(10):
        busy.know(f"id {number}", 0.0, 0.0)
    await anyio.sleep(MEMORY - 1)
    busy.know("young", MEMORY - 1, MEMORY - 1)
    every.of(("p", "e", "another"))
    assert len(busy.known) == 11
    await anyio.sleep(2)
    every.of(("p", "e", "another"))
    assert list(busy.known) == ["young"]
    await anyio.sleep(2 * MEMORY)
    another = every.of(("p", "e", "another"))
    assert len(every) == 1
    assert every.of(("p", "e", "another")) is another


async def test_the_window_begins_before_the_first_of_the_requests_in_doubt() -> None:
    here = lane()
    here.add(case(sent=100.0, start=5000.7))
    here.add(case(sent=90.0, start=4990.2))
    assert (here.window(0.0, 0.0).first, here.window(0.0, 0.0).last) == (4985, None)
    here.add(case(sent=80.0))  # nothing had told the API's time by then: by what it tells now
    assert here.window(5010.0, 110.0).first == 5010 - 30 - 5


async def test_the_window_ends_when_that_of_every_request_does() -> None:
    here = lane()
    here.add(case(start=5000.0, latest=5100))
    assert here.window(0.0, 0.0).last == 5100
    here.add(case(start=5000.0, latest=5200))
    assert here.window(0.0, 0.0).last == 5200
    here.add(case(start=5000.0))
    assert here.window(0.0, 0.0).last is None


async def test_ids_whose_posts_went_out_after_the_first_in_doubt_are_expected_in_the_list() -> None:
    here = lane()
    here.know("before", 9.0, 9.0)
    here.know("after", 11.0, 11.0)
    here.know("journal", -float("inf"), 11.0)
    assert here.expected() == []
    here.add(case(sent=10.0))
    assert here.expected() == ["after"]


def test_a_request_that_is_sent_again_is_given_up_no_longer() -> None:
    here, tagged = lane(), request().with_tag()
    here.give_up(tagged, sent=1.0, start=None, now=0.0)
    here.give_up(request(execution_tag="mine"), sent=1.0, start=None, now=0.0)
    here.give_up(request(execution_tag=None), sent=1.0, start=None, now=-MEMORY)
    assert len(here.given_up(0.0)) == 2
    assert here.take_back("mine") is None
    taken = here.take_back(tagged.execution_tag)
    assert taken is not None
    assert here.given_up(0.0) == [sameness(request(execution_tag="mine"))]
    assert here.given_up(MEMORY + 1) == []


SAME = [
    (request(), request()),
    (request().with_tag(), request().with_tag()),
    (request(scalar_variables={"a": "1", "b": "2"}), request(scalar_variables={"b": "2", "a": "1"})),
    (request(grid_variables={"g": [["1"]]}), request(grid_variables={"g": (("1",),)})),
    (request(execution_tag="mine"), request(execution_tag="mine")),
]
DIFFERENT = [
    (request(), request(execution_tag=None)),
    (request(), request(execution_tag="AUTO")),
    (request(execution_tag="mine"), request(execution_tag="thine")),
    (request(scalar_variables={"a": "1"}), request(scalar_variables={"a": "2"})),
    (request(agent_id="a"), request()),
    (request(version_name="1"), request(version_name="2")),
    (request(grid_variables={"g": [["1"]]}), request(grid_variables={"g": [["1"], ["1"]]})),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_requests_that_are_equal_in_every_field_but_an_auto_tag(one: Any, other: Any) -> None:
    assert sameness(one) == sameness(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_requests_that_differ(one: Any, other: Any) -> None:
    assert sameness(one.with_tag()) != sameness(other.with_tag())


@pytest.mark.parametrize("tag", [AUTO, None, "", "mine", "maia-async-", f"maia-async-{'g' * 32}", f"maia-async-{'0' * 33}", f"x{'0' * 32}"])
def test_no_other_tag_is_taken_for_one_that_auto_made(tag: Any) -> None:
    assert not is_auto_tag(tag)
    assert is_auto_tag(request().with_tag().execution_tag)
