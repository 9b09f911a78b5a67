"""Answers that tell nothing about the POST that landed: a second one that is turned away, a copy's 409, the id of another request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from attrs import define
from orchestration.account import posts, starting
from orchestration.trigger.lossy import SETTLE, Lossy, client, execute, listing, looks, own_runs, request, scenario

from maia_async import Conflict, Maia, RateLimited, RetryPolicy, TriggerOutcomeUnknown
from maia_async.emulator import Emulator
from maia_async.emulator.exchange import Reply

Now = Callable[[], float]
LOAD = request()
PATIENCE = 4 * SETTLE
REFUSALS = [400, 401, 403, 404, 410]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario("load")) as running:
        yield running


@pytest.fixture
async def maia(emulator: Emulator) -> AsyncIterator[Maia]:
    async with client(emulator) as opened:
        await opened.projects.list()
        yield opened


# The second POST is turned away


@pytest.mark.parametrize("status", REFUSALS)
async def test_the_first_run_is_still_looked_for_when_the_second_post_is_refused(
    emulator: Emulator, maia: Maia, now: Now, status: int
) -> None:
    emulator.control.set_network(list_lag=40)
    emulator.control.add_fault(starting(status=504, landed=True, times=1))
    emulator.control.add_fault(starting(status=status, skip=1))
    start = now()

    found = await execute(maia, LOAD)

    assert [run.id for run in own_runs(emulator)] == [found]
    assert 40 <= now() - start < 40 + SETTLE / 3
    assert posts(emulator) == (3 if status == 401 else 2)  # one more with another token


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("landed", [True, False])
async def test_a_refusal_of_the_second_post_is_no_answer_about_the_first(
    emulator: Emulator, maia: Maia, now: Now, status: int, landed: bool
) -> None:
    """The list never shows a run: whether there is one, the refusal does not say."""
    emulator.control.set_network(list_lag=10_000)
    emulator.control.add_fault(starting(status=504, landed=landed, times=1))
    emulator.control.add_fault(starting(status=status, skip=1 if landed else 0))
    start = now()

    found = await execute(maia, LOAD)

    assert isinstance(found, TriggerOutcomeUnknown)
    assert getattr(found.__cause__, "status", None) == status
    assert f": {status}" in str(found)
    assert "an earlier one may have landed" in str(found)
    assert found.candidates == ()
    assert PATIENCE <= now() - start < PATIENCE + SETTLE / 3
    assert posts(emulator) == (3 if status == 401 else 2)


async def test_candidates_are_told_with_the_refusal(emulator: Emulator, maia: Maia) -> None:
    emulator.control.add_fault(starting(status=504, landed=False, times=1))
    emulator.control.add_fault(starting(status=403))
    task = asyncio.get_running_loop().create_task(execute(maia, LOAD))
    await asyncio.sleep(SETTLE + 1)
    others = emulator.control.add_execution("load", count=2, trigger="API", duration=1000)

    found = await task

    assert isinstance(found, TriggerOutcomeUnknown)
    assert sorted(found.candidates) == sorted(others)


async def test_one_that_is_held_is_sent_until_it_is_answered(emulator: Emulator, maia: Maia) -> None:
    emulator.control.add_fault(starting(status=504, landed=False, times=1))
    emulator.control.add_fault(starting(status=429, retry_after=2, times=6))
    found = await execute(maia, LOAD)
    assert [run.id for run in own_runs(emulator)] == [found]
    assert maia.statistics().triggers_sent_again == 2  # the client's own five tries are one sending
    assert posts(emulator) == 8


async def test_one_that_is_always_held_is_given_up_after_max_tries(emulator: Emulator, now: Now) -> None:
    emulator.control.add_fault(starting(status=504, landed=False, times=1))
    emulator.control.add_fault(starting(status=429, retry_after=2))
    async with client(emulator, retry=RetryPolicy(max_tries=3)) as maia:
        start = now()
        found = await execute(maia, LOAD)
    assert isinstance(found, TriggerOutcomeUnknown)
    assert isinstance(found.__cause__, RateLimited)
    assert "sent 3 times" in str(found)
    assert posts(emulator) == 1 + 2 * 3
    assert PATIENCE <= now() - start < PATIENCE + SETTLE / 3


async def test_a_pause_that_is_too_long_for_a_call_is_ridden_out_by_one_in_doubt(emulator: Emulator, maia: Maia, now: Now) -> None:
    emulator.control.add_fault(starting(status=504, landed=True, times=1))
    emulator.control.set_network(list_lag=40)
    emulator.control.add_fault(starting(status=429, retry_after=1000, skip=1))
    start = now()

    found = await execute(maia, LOAD)

    assert [run.id for run in own_runs(emulator)] == [found]
    assert 1000 <= now() - start < 1000 + PATIENCE
    assert posts(emulator) == 2


# A 409 to a tag that is nobody else's


async def test_the_409_of_a_copy_that_a_gateway_made_finds_the_run(emulator: Emulator, maia: Maia, now: Now) -> None:
    emulator.control.add_fault(starting(status=409, landed=True, times=1))
    start = now()

    found = await execute(maia, LOAD)

    assert [run.id for run in own_runs(emulator)] == [found]
    assert now() - start == pytest.approx(SETTLE, abs=0.01)
    assert posts(emulator) == 1


async def test_a_409_that_no_run_explains_is_the_conflict_that_it_says(emulator: Emulator, maia: Maia, now: Now) -> None:
    emulator.control.add_fault(starting(status=409))
    start = now()

    found = await execute(maia, LOAD)

    assert isinstance(found, Conflict)
    assert now() == start
    assert looks(emulator) == 1
    assert posts(emulator) == 1
    assert own_runs(emulator) == []


async def test_a_409_whose_run_cannot_be_looked_for_is_unknown(emulator: Emulator, maia: Maia) -> None:
    emulator.control.add_fault(starting(status=409, landed=True, times=1))
    emulator.control.add_fault(listing(status=503))
    found = await execute(maia, LOAD)
    assert isinstance(found, TriggerOutcomeUnknown)
    assert isinstance(found.__cause__, Conflict)
    assert posts(emulator) == 1


async def test_a_409_to_a_tag_of_the_callers_is_told_at_once(emulator: Emulator, maia: Maia, now: Now) -> None:
    emulator.control.add_fault(starting(status=409, landed=True, times=1))
    start = now()
    assert isinstance(await execute(maia, request(execution_tag="mine")), Conflict)
    assert now() == start
    assert looks(emulator) == 0


async def test_a_tag_that_was_given_up_before_is_not_free_because_no_list_shows_its_run(emulator: Emulator, maia: Maia) -> None:
    emulator.control.set_network(list_lag=10_000)
    Lossy(emulator, hits=lambda number, time: time == 0)
    first = await execute(maia, LOAD)
    assert isinstance(first, TriggerOutcomeUnknown)

    second = await execute(maia, request(execution_tag=first.execution_tag))

    assert isinstance(second, TriggerOutcomeUnknown)
    assert isinstance(second.__cause__, Conflict)
    assert len(own_runs(emulator)) == 1


# An id that another request has


@define(eq=False)
class Cache:
    """Gives the first answer to every request after it; `carries`: after these were carried out."""

    emulator: Emulator
    carries: bool
    most: int = 1
    answer: Any = None

    def __attrs_post_init__(self) -> None:
        self.emulator.control._service.faults.rules.append(self)

    def _hit(self, asked: web.BaseRequest) -> bool:
        return asked.method == "POST" and asked.path.endswith("/pipeline-executions") and self.answer is not None and self.most > 0

    async def before(self, asked: web.BaseRequest) -> Reply | None:
        if self.carries or not self._hit(asked):
            return None
        self.most -= 1
        return Reply(201, self.answer)

    async def after(self, asked: web.BaseRequest, reply: Reply) -> Reply | None:
        if self.carries and self._hit(asked):
            self.most -= 1
            return Reply(201, self.answer)
        if self.answer is None and isinstance(reply.payload, dict):
            self.answer = {"pipelineExecutionId": reply.payload["pipelineExecutionId"]}
        return None


@pytest.mark.parametrize("carries", [True, False])
async def test_an_answer_of_another_request_is_none(emulator: Emulator, maia: Maia, carries: bool) -> None:
    Cache(emulator, carries)

    found = [await execute(maia, request(scalar_variables={"row": row})) for row in "ab"]

    held = {run.id: (run.scalar_variables or {})["row"] for run in own_runs(emulator)}
    assert [held[str(one)] for one in found] == ["a", "b"]
    assert len(held) == 2
    assert posts(emulator) == (2 if carries else 3)
    assert maia.statistics().triggers_in_doubt == 1


async def test_an_answer_that_is_always_the_same_gives_nobody_the_id_of_another(emulator: Emulator, maia: Maia) -> None:
    Cache(emulator, carries=False, most=100)
    first, second = [await execute(maia, request(scalar_variables={"row": row})) for row in "ab"]
    assert [run.id for run in own_runs(emulator)] == [first]
    assert isinstance(second, TriggerOutcomeUnknown)
    assert "is another request's" in str(second)
