"""Answers that are lost, against a server in virtual time: what comes out, when, with how many POSTs, and what the others do meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import pytest
from orchestration.account import ours, starting
from orchestration.trigger.lossy import (
    ENVIRONMENT,
    LOSSES,
    SETTLE,
    TAKES,
    Loss,
    Lossy,
    client,
    execute,
    execute_all,
    listing,
    looks,
    own_runs,
    request,
    scenario,
)

from maia_async import (
    AUTO,
    Conflict,
    Event,
    ExecutionTriggered,
    Maia,
    MisuseError,
    NotFound,
    PollPolicy,
    RateLimit,
    RetryPolicy,
    SessionClosed,
    StaticToken,
    TriggerAbandoned,
    TriggerOutcomeUnknown,
    TriggerPolicy,
    TriggerRecovered,
    Unauthorized,
)
from maia_async.emulator import Emulator
from maia_async.orchestration.trigger import Sent, TriggerDesk, Withdrawn, key_of
from maia_async.session import Session
from maia_async.wire.requests import Reply
from maia_async.wire.retry_after import parse_http_date

Now = Callable[[], float]
LOAD = request()


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario("load", "other", *(f"load {number}" for number in range(50)))) as running:
        yield running


@pytest.fixture
async def maia(emulator: Emulator) -> AsyncIterator[Maia]:
    async with client(emulator) as opened:
        await opened.projects.list()
        yield opened


def desk_of(maia: Maia) -> TriggerDesk:
    assert isinstance(maia._runtime.trigger, TriggerDesk)
    return maia._runtime.trigger


def foreign(emulator: Emulator, name: str = "load", **fields: Any) -> str:
    (found,) = emulator.control.add_execution(name, trigger="API", **{"duration": 1000, **fields})
    return found


# One request


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_run_whose_answer_was_lost_is_adopted_when_settle_has_passed(emulator: Emulator, maia: Maia, now: Now, loss: Loss) -> None:
    lossy = Lossy(emulator, loss)
    start = now()

    found = await execute(maia, LOAD)

    assert [run.id for run in own_runs(emulator)] == [found]
    assert now() - start == pytest.approx(TAKES[loss] + SETTLE, abs=0.01)
    assert len(lossy.at) == 1
    assert ours() == []
    assert maia.statistics().triggers_adopted == maia.statistics().triggers_in_doubt == 1


@pytest.mark.parametrize("loss", LOSSES)
async def test_one_that_did_not_land_is_sent_again_with_the_same_tag(emulator: Emulator, maia: Maia, now: Now, loss: Loss) -> None:
    lossy = Lossy(emulator, loss, landed=False)
    start = now()

    found = await execute(maia, LOAD)

    assert [run.id for run in own_runs(emulator)] == [found]
    assert len(lossy.numbers) == 1
    assert lossy.at == pytest.approx([start, start + TAKES[loss] + SETTLE], abs=0.01)
    assert maia.statistics().triggers_sent_again == 1


@pytest.mark.parametrize("tag", ["mine", None])
async def test_one_without_a_tag_of_its_own_is_never_sent_again(emulator: Emulator, maia: Maia, tag: str | None) -> None:
    lossy = Lossy(emulator, landed=False)

    found = await execute(maia, request(execution_tag=tag))

    assert isinstance(found, TriggerOutcomeUnknown)
    assert (found.candidates, found.execution_tag) == ((), tag)
    assert "504" in str(found)
    assert "may not be sent again" in str(found)
    assert len(lossy.at) == 1


async def test_one_that_landed_and_has_ended_is_adopted_too(emulator: Emulator, maia: Maia) -> None:
    Lossy(emulator, ends=True)
    found = await execute(maia, LOAD)
    assert [(run.id, run.status) for run in own_runs(emulator)] == [(found, "SUCCESS")]


async def test_one_that_never_gets_an_answer_is_given_up_after_max_tries(emulator: Emulator, now: Now) -> None:
    lossy = Lossy(emulator, landed=False, hits=lambda number, time: True)
    async with client(emulator, retry=RetryPolicy(max_tries=3)) as maia:
        start = now()
        found = await execute(maia, LOAD)

    assert isinstance(found, TriggerOutcomeUnknown)
    assert "sent 3 times" in str(found)
    assert len(lossy.at) == 3
    assert now() - start == pytest.approx(3 * SETTLE, abs=0.1)


async def test_a_conflict_at_the_first_post_stays_a_conflict(emulator: Emulator, maia: Maia) -> None:
    emulator.control.add_execution("load", duration=1000, execution_tag="mine")
    assert isinstance(await execute(maia, request(execution_tag="mine")), Conflict)


async def test_a_409_proves_that_it_landed_and_the_list_is_waited_for(emulator: Emulator, maia: Maia, now: Now) -> None:
    emulator.control.set_network(list_lag=SETTLE + 8)
    lossy = Lossy(emulator)
    start = now()

    found = await execute(maia, LOAD)

    assert [run.id for run in own_runs(emulator)] == [found]
    assert len(lossy.at) == 2  # the second was answered with 409
    assert now() - start == pytest.approx(2 * SETTLE, abs=0.1)


async def test_a_run_that_a_409_proves_and_no_list_ever_shows_is_unknown(emulator: Emulator, maia: Maia, now: Now) -> None:
    emulator.control.set_network(list_lag=10_000)
    Lossy(emulator)
    start = now()

    found = await execute(maia, LOAD)

    assert isinstance(found, TriggerOutcomeUnknown)
    assert "its tag is taken" in str(found)
    assert SETTLE + 4 * SETTLE <= now() - start < SETTLE + 5 * SETTLE
    assert len(own_runs(emulator)) == 1


async def test_the_documented_limit_ended_and_first_listed_after_settle(emulator: Emulator, maia: Maia) -> None:
    emulator.control.set_network(list_lag=SETTLE + 1)
    Lossy(emulator, ends=True)
    await execute(maia, LOAD)
    assert len(own_runs(emulator)) == 2


# Others


@pytest.mark.parametrize(
    ("started_ago", "candidates"),
    [(60, 1), (1190, 1), (1300, None)],
)
async def test_a_run_of_somebody_else_within_20_minutes_forbids_to_adopt(
    emulator: Emulator, maia: Maia, started_ago: float, candidates: int | None
) -> None:
    foreign(emulator, started_ago=started_ago)
    Lossy(emulator)

    found = await execute(maia, LOAD)

    if candidates is None:
        assert isinstance(found, str)
    else:
        assert isinstance(found, TriggerOutcomeUnknown)
        assert found.candidates == tuple(run.id for run in own_runs(emulator))


@pytest.mark.parametrize("other", [{"name": "other"}, {"environment_name": "Dev Env"}, {"trigger": "SCHEDULE"}, {"trigger": "DESIGNER"}])
async def test_runs_that_cannot_be_ours_do_not_matter(emulator: Emulator, maia: Maia, other: dict[str, Any]) -> None:
    named = {"name": "load", "trigger": "API", **other}
    emulator.control.add_execution(named.pop("name"), duration=1000, started_ago=30, **named)
    emulator.control.add_execution("load", duration=1000, trigger="SCHEDULE")
    Lossy(emulator)
    assert isinstance(await execute(maia, LOAD), str)


async def test_nothing_is_sent_while_a_row_is_unexplained(emulator: Emulator, maia: Maia) -> None:
    lossy = Lossy(emulator, landed=False)
    task = asyncio.get_running_loop().create_task(execute(maia, request(scalar_variables={"n": "1"})))
    second = asyncio.get_running_loop().create_task(execute(maia, request(scalar_variables={"n": "2"})))
    await anyio.sleep(3)
    stranger = foreign(emulator)

    found = [await task, await second]

    assert all(isinstance(one, TriggerOutcomeUnknown) and one.candidates == (stranger,) for one in found)
    assert len(lossy.at) == 2


async def test_runs_that_this_process_started_before_are_explained(emulator: Emulator, maia: Maia) -> None:
    before = await execute_all(maia, [LOAD] * 3)
    await anyio.sleep(60)
    Lossy(emulator)
    found = await execute(maia, LOAD)
    assert isinstance(found, str)
    assert found not in before


async def test_runs_of_a_journal_are_explained(emulator: Emulator, maia: Maia) -> None:
    known = foreign(emulator, started_ago=60)
    desk_of(maia).know(maia.project().id, ENVIRONMENT, "load", [known.upper()])
    Lossy(emulator)
    assert isinstance(await execute(maia, LOAD), str)


async def test_a_list_that_does_not_show_what_is_known_to_run_is_waited_for(emulator: Emulator, maia: Maia, now: Now) -> None:
    emulator.control.set_network(list_lag=30)
    lossy = Lossy(emulator, hits=lambda number, time: number == 0, ends=True)
    start = now()

    found = await execute_all(maia, [LOAD, LOAD])

    assert {run.id for run in own_runs(emulator)} == set(found)
    assert len(lossy.at) == 2
    assert 30 <= now() - start < 36


async def test_a_request_that_was_given_up_is_not_forgotten_when_the_next_is_looked_up(emulator: Emulator, maia: Maia) -> None:
    Lossy(emulator, landed=False, hits=lambda number, time: number == 0)
    first = await execute(maia, request(execution_tag=None, scalar_variables={"n": "1"}))
    Lossy(emulator)
    second = await execute(maia, request(execution_tag=None, scalar_variables={"n": "2"}))

    assert isinstance(first, TriggerOutcomeUnknown)
    assert isinstance(second, TriggerOutcomeUnknown)  # the row may be the first one's, landed late
    assert second.candidates == tuple(run.id for run in own_runs(emulator))


# The list


async def test_a_list_that_fails_for_a_while_is_tried_again(emulator: Emulator, maia: Maia, now: Now) -> None:
    start = now()
    Lossy(emulator)
    emulator.control.add_fault(listing(status=503))
    asyncio.get_running_loop().call_later(40, emulator.control.clear_faults)
    found = await execute(maia, LOAD)
    assert isinstance(found, str)
    assert 40 <= now() - start < 46


@pytest.mark.parametrize(("unreachable", "seconds"), [(600.0, 60.0), (20.0, 20.0)])
async def test_a_list_that_goes_on_failing_is_unknown_and_nothing_is_sent(
    emulator: Emulator, now: Now, unreachable: float, seconds: float
) -> None:
    lossy = Lossy(emulator, landed=False)
    emulator.control.add_fault(listing(status=503))
    async with client(emulator, poll=PollPolicy(max_unreachable=unreachable)) as maia:
        start = now()
        found = await execute(maia, LOAD)

    assert isinstance(found, TriggerOutcomeUnknown)
    assert "cannot be read" in str(found)
    assert "503" in str(found)
    assert len(lossy.at) == 1
    assert seconds <= now() - start < seconds + 6


@pytest.mark.parametrize("status", [403, 404, 501])
async def test_a_list_that_is_refused_is_unknown_at_settle(emulator: Emulator, maia: Maia, now: Now, status: int) -> None:
    lossy = Lossy(emulator, landed=False)
    emulator.control.add_fault(listing(status=status))
    start = now()
    found = await execute(maia, LOAD)
    assert isinstance(found, TriggerOutcomeUnknown)
    assert str(status) in str(found)
    assert now() - start == pytest.approx(SETTLE, abs=0.1)
    assert len(lossy.at) == 1


async def test_a_list_whose_pages_repeat_proves_no_absence(emulator: Emulator, maia: Maia) -> None:
    for _ in range(3):
        foreign(emulator, "other")
    emulator.control.set_readings(max_page_size=1)
    emulator.control.set_list_faults(repeat_more="every")
    lossy = Lossy(emulator, landed=False)
    emulator.control.set_readings(list_ignores="all")

    found = await execute(maia, LOAD)

    assert isinstance(found, TriggerOutcomeUnknown)
    assert len(lossy.at) == 1


@pytest.mark.parametrize(
    "reading",
    [
        {"list_ignores": "all"},
        {"list_ignores": ["pipelineName"]},
        {"list_ignores": ["startedAfter", "startedBefore"]},
        {"list_times": "whole"},
        {"list_bounds": "exclusive"},
        {"list_unknown": "refused"},
        {"list_access": "project"},
        {"max_page_size": 1},
        {"page_tokens": "offset"},
        {"null_fields": "null"},
        {"status_case": "lower"},
        {"extra_fields": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("landed", [True, False])
async def test_lists_are_read_in_whatever_way_a_server_answers(
    emulator: Emulator, maia: Maia, reading: dict[str, Any], landed: bool
) -> None:
    for name in ("other", "other", "load 1", "load 1"):
        foreign(emulator, name, started_ago=1)
    emulator.control.add_execution("load", count=3, started_ago=(1250, 5000), trigger="API")
    emulator.control.set_readings(**reading)
    lossy = Lossy(emulator, landed=landed)

    found = await execute(maia, LOAD)

    assert [run.id for run in own_runs(emulator)] == [found]
    assert len(lossy.at) == (1 if landed else 2)


async def test_a_name_in_another_spelling_is_no_absence(emulator: Emulator, maia: Maia) -> None:
    lossy = Lossy(emulator, landed=False)
    task = asyncio.get_running_loop().create_task(execute(maia, LOAD))
    await anyio.sleep(1)
    shown = foreign(emulator, "daily/load.orch.yaml")

    found = await task

    assert isinstance(found, TriggerOutcomeUnknown)
    assert found.candidates == (shown,)
    assert "daily/load.orch.yaml" in str(found)
    assert len(lossy.at) == 1


async def test_a_name_that_the_servers_filter_does_not_find_is_found_without_it(emulator: Emulator, maia: Maia) -> None:
    """The server lists a shorter name than we ask for, so that its own filter by ours finds nothing."""
    lossy = Lossy(emulator, landed=False)
    task = asyncio.get_running_loop().create_task(execute(maia, request("load 1")))
    await anyio.sleep(1)
    shown = foreign(emulator, "LOAD 1.orch.yaml")
    emulator.control.set_readings(list_ignores=["pipelineName"])

    found = await task

    assert isinstance(found, TriggerOutcomeUnknown)
    assert found.candidates == (shown,)
    assert len(lossy.at) == 1


async def test_the_spelling_of_a_server_is_learned_from_a_run_of_ours(emulator: Emulator, maia: Maia) -> None:
    Lossy(emulator, hits=lambda number, time: number == 1)
    emulator.control.add_fault(listing(put={"results.*.pipelineName": "daily/load.orch.yaml"}))
    known, found = await execute_all(maia, [LOAD, LOAD])
    assert {run.id for run in own_runs(emulator)} == {known, found}


async def test_a_spelling_that_nothing_explains_is_unknown(emulator: Emulator, maia: Maia) -> None:
    lossy = Lossy(emulator)
    emulator.control.add_fault(listing(put={"results.*.pipelineName": "daily/load.orch.yaml"}))
    found = await execute(maia, LOAD)
    assert isinstance(found, TriggerOutcomeUnknown)
    assert found.candidates == tuple(run.id for run in own_runs(emulator))
    assert len(lossy.at) == 1


async def test_a_server_that_tells_no_time_proves_nothing() -> None:
    from scripted import Scripted, answer

    def serve(seen: Any) -> Any:
        return answer(504) if seen.method == "POST" else answer(200, {"results": []})

    async with Scripted(then=serve) as server:
        async with Maia(auth=StaticToken("tok-abcdefgh"), base_url=server.url, project_id="p") as maia:
            found = await execute(maia, LOAD)
    assert isinstance(found, TriggerOutcomeUnknown)
    assert "no date" in str(found)
    assert [seen.method for seen in server.requests].count("POST") == 1


async def test_a_first_post_before_which_the_server_told_no_time(emulator: Emulator) -> None:
    emulator.control.add_token("static-token")
    Lossy(emulator, "slow")
    async with client(emulator, auth=StaticToken("static-token")) as maia:
        assert isinstance(await execute(maia, LOAD), str)


@pytest.mark.parametrize("ahead", [0, 8, 30])
@pytest.mark.parametrize("ends", [False, True])
async def test_the_clock_of_the_token_endpoint_is_not_the_apis(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, ahead: int, ends: bool
) -> None:
    """A request whose token was just fetched, from another machine: were that `Date` believed, its run would be older than its POST."""
    real = Session.send

    async def send(session: Session, method: str, url: str, **more: Any) -> Reply:
        reply = await real(session, method, url, **more)
        moment = parse_http_date(reply.headers["Date"]) if "/oauth/" in url else None
        if moment is None:
            return reply
        dated = {**dict(reply.headers), "Date": format_datetime(moment + timedelta(seconds=ahead), usegmt=True)}
        return Reply(status=reply.status, headers=dated, body=reply.body)

    monkeypatch.setattr(Session, "send", send)
    lossy = Lossy(emulator, ends=ends)
    async with client(emulator) as maia:
        found = await execute(maia, LOAD)
    assert [run.id for run in own_runs(emulator)] == [found]
    assert len(lossy.at) == 1


# Many at once


async def test_other_lanes_are_not_slowed(emulator: Emulator, maia: Maia, now: Now) -> None:
    Lossy(emulator, hits=lambda number, time: number == 0)
    start, ends = now(), {}

    async def one(name: str, environment: str = ENVIRONMENT, *, after: float = 0.0) -> None:
        await anyio.sleep(after)
        assert isinstance(await execute(maia, request(name, environment)), str)
        ends[name, environment] = now() - start

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one, "load")
        for number in range(20):
            tasks.start_soon(one, f"load {number}")
        tasks.start_soon(one, "load", "Dev Env")

    assert ends.pop(("load", ENVIRONMENT)) == pytest.approx(SETTLE, abs=0.01)
    assert set(ends.values()) == {0.0}


async def test_new_posts_of_a_lane_in_doubt_wait_and_can_be_taken_back(emulator: Emulator, maia: Maia, now: Now) -> None:
    lossy = Lossy(emulator, hits=lambda number, time: number == 0)
    desk, project_id, key = desk_of(maia), maia.project().id, key_of(maia.project().id, LOAD)
    start = now()
    released: list[float] = []
    first = desk.submit(project_id, LOAD)
    await anyio.sleep(1)
    waiting, withdrawn = desk.submit(project_id, LOAD), desk.submit(project_id, LOAD)
    first.lane.on_release(lambda: released.append(now() - start))
    await anyio.sleep(4)
    assert first.lane.held
    assert not desk.has_room(key, 2)
    assert first.lane.flying == 0
    assert not waiting.in_doubt
    withdrawn.withdraw(Withdrawn("not wanted any more"))
    await asyncio.wait([first.task, waiting.task, withdrawn.task])

    assert isinstance(withdrawn.failure(), Withdrawn)
    assert {run.id for run in own_runs(emulator)} == {first.task.result(), waiting.task.result()}
    assert lossy.at == pytest.approx([start, start + SETTLE], abs=0.01)
    assert released == [pytest.approx(SETTLE, abs=0.01)]
    assert not first.lane.held
    assert desk.has_room(key, 1)


async def test_posts_that_are_out_are_awaited_before_anything_is_concluded(emulator: Emulator, maia: Maia, now: Now) -> None:
    """The second answer takes 18 s: its run is ours, though the list shows it long before."""
    Lossy(emulator, hits=lambda number, time: number == 0)
    emulator.control.add_fault(starting(skip=1, times=1, delay=18))
    start = now()
    found = await execute_all(maia, [request(scalar_variables={"n": "1"}), request(scalar_variables={"n": "2"})])

    assert [run.id for run in own_runs(emulator)] == found
    assert now() - start == pytest.approx(18, abs=0.01)  # by then settle has passed since the first one failed, and nothing is out


async def test_requests_that_wait_for_the_budget_when_their_lane_is_held_do_not_go_out(emulator: Emulator) -> None:
    lossy = Lossy(emulator, landed=False, hits=lambda number, time: number < 5 and time == 0)
    async with client(emulator, rate_limit=RateLimit()) as maia:
        found = await execute_all(maia, [LOAD] * 50)
    assert len({one for one in found if isinstance(one, str)}) == len(own_runs(emulator)) == 50
    assert len(lossy.at) == 55


async def test_a_batch_of_different_requests_loses_one_answer(emulator: Emulator, maia: Maia) -> None:
    Lossy(emulator, hits=lambda number, time: number == 30 and time == 0)
    rows = [request(scalar_variables={"n": str(number)}) for number in range(50)]
    found = await execute_all(maia, rows)
    server = {run.id: run.scalar_variables for run in own_runs(emulator)}
    assert [server[str(one)] for one in found] == [row.scalar_variables for row in rows]


# Callers that go


async def test_a_caller_that_goes_while_it_is_in_doubt_leaves_its_candidates_to_the_observers(emulator: Emulator, now: Now) -> None:
    events: list[Event] = []
    Lossy(emulator)
    async with client(emulator, observers=[events.append]) as maia:
        start = now()
        with anyio.move_on_after(2):
            await execute(maia, LOAD)
        await anyio.sleep(11)
        (abandoned,) = [event for event in events if isinstance(event, TriggerAbandoned)]
        assert ours() == []
    assert now() - start == pytest.approx(13, abs=0.1)
    assert abandoned.execution_id is None
    (run,) = own_runs(emulator)
    assert run.id in str(abandoned.error)


async def test_a_caller_that_goes_just_before_it_is_found_leaves_its_id(emulator: Emulator) -> None:
    events: list[Event] = []
    Lossy(emulator)
    async with client(emulator, observers=[events.append]) as maia:
        with anyio.move_on_after(8):
            await execute(maia, LOAD)
        await anyio.sleep(20)
    (abandoned,) = [event for event in events if isinstance(event, TriggerAbandoned)]
    assert [run.id for run in own_runs(emulator)] == [abandoned.execution_id]
    assert [event.execution_id for event in events if isinstance(event, TriggerRecovered)] == [abandoned.execution_id]
    assert [event.execution_id for event in events if isinstance(event, ExecutionTriggered)] == [abandoned.execution_id]


async def test_one_that_was_withdrawn_in_doubt_is_looked_up_and_not_sent_again(emulator: Emulator, maia: Maia) -> None:
    lossy = Lossy(emulator, landed=False)
    call = desk_of(maia).submit(maia.project().id, LOAD)
    await anyio.sleep(1)
    call.withdraw(Withdrawn("not wanted any more"))
    await asyncio.wait([call.task])
    assert isinstance(call.failure(), TriggerOutcomeUnknown)
    assert len(lossy.at) == 1


async def test_closing_gives_it_ten_seconds(emulator: Emulator, now: Now) -> None:
    Lossy(emulator)
    maia = client(emulator)
    start = now()
    task = asyncio.get_running_loop().create_task(execute(maia, LOAD))
    held = asyncio.get_running_loop().create_task(execute(maia, LOAD))
    await anyio.sleep(1)
    held_later = asyncio.get_running_loop().create_task(execute(maia, LOAD))
    await anyio.sleep(1)
    await maia.aclose()

    assert now() - start == pytest.approx(12, abs=0.1)
    unknown = [await task, await held]
    assert all(isinstance(one, TriggerOutcomeUnknown) and len(one.candidates) == 2 for one in unknown)
    assert isinstance(await held_later, SessionClosed)
    assert ours() == []


async def test_closing_just_before_it_is_found_gives_its_id(emulator: Emulator) -> None:
    Lossy(emulator)
    maia = client(emulator)
    task = asyncio.get_running_loop().create_task(execute(maia, LOAD))
    await anyio.sleep(10)
    await maia.aclose()
    assert [run.id for run in own_runs(emulator)] == [await task]
    assert ours() == []


# Requests of an earlier process


async def test_a_request_of_an_earlier_process_is_looked_up_before_it_is_sent(emulator: Emulator, now: Now) -> None:
    first = client(emulator)
    Lossy(emulator, "slow", hits=lambda number, time: number == 0 and time == 0)
    call = desk_of(first).submit(first.project().id, LOAD)
    await anyio.sleep(1)
    sent_at = emulator.control.now
    await first.aclose()
    async with client(emulator) as second:
        await second.projects.list()
        start = now()
        again = desk_of(second).submit(second.project().id, call.request, earlier=Sent(at=sent_at))
        assert again.in_doubt
        await asyncio.wait([again.task])
    assert [run.id for run in own_runs(emulator)] == [again.task.result()]
    assert now() - start == pytest.approx(SETTLE, abs=0.01)


@pytest.mark.parametrize("landed", [True, False])
async def test_one_that_went_out_long_ago_is_known_at_once_whatever_others_did_since(emulator: Emulator, now: Now, landed: bool) -> None:
    tag = f"maia-async-{'0' * 32}"
    sent_at = emulator.control.now - 5000
    if landed:
        mine = foreign(emulator, started_ago=4999, execution_tag=tag)
    foreign(emulator, started_ago=3000)
    async with client(emulator) as maia:
        await maia.projects.list()
        start = now()
        call = desk_of(maia).submit(maia.project().id, request(execution_tag=tag), earlier=Sent(at=sent_at))
        await asyncio.wait([call.task])
        assert now() - start < 1
    if landed:
        assert call.task.result() == mine
    else:
        assert [run.id for run in own_runs(emulator)] == [call.task.result()]


async def test_one_that_went_out_long_ago_and_is_sent_again_is_looked_for_now_as_well(emulator: Emulator) -> None:
    async with client(emulator) as maia:
        await maia.projects.list()
        Lossy(emulator, "504", ends=True)
        call = desk_of(maia).submit(
            maia.project().id, request(execution_tag=f"maia-async-{'0' * 32}"), earlier=Sent(at=emulator.control.now - 5000)
        )
        await asyncio.wait([call.task])
    assert [run.id for run in own_runs(emulator)] == [call.task.result()]


async def test_one_whose_time_is_known_by_another_clock_only_is_looked_up_from_there(emulator: Emulator) -> None:
    from maia_async.clock import utc_now

    tag = f"maia-async-{'0' * 32}"
    mine = foreign(emulator, started_ago=100, execution_tag=tag)
    async with client(emulator) as maia:
        call = desk_of(maia).submit(maia.project().id, request(execution_tag=tag), earlier=Sent(wall=utc_now().timestamp() - 100))
        await asyncio.wait([call.task])
    assert call.task.result() == mine


@pytest.mark.parametrize("landed", [True, False])
async def test_one_of_long_ago_by_another_clock_is_told_from_later_runs_and_its_absence_is_not_proven(
    emulator: Emulator, landed: bool
) -> None:
    from maia_async.clock import utc_now

    tag = f"maia-async-{'0' * 32}"
    mine = foreign(emulator, started_ago=4999, execution_tag=tag) if landed else None
    foreign(emulator, started_ago=3000)
    async with client(emulator) as maia:
        call = desk_of(maia).submit(maia.project().id, request(execution_tag=tag), earlier=Sent(wall=utc_now().timestamp() - 5000))
        await asyncio.wait([call.task])
    assert len(emulator.control.executions()) == 1 + landed
    if landed:
        assert call.task.result() == mine
    else:
        assert "our own clock only" in str(call.failure())


@pytest.mark.parametrize("ahead", [300, -300, -7200])
async def test_a_clock_that_was_set_since_it_was_sent_makes_no_second_run(emulator: Emulator, ahead: float) -> None:
    from maia_async.clock import utc_now

    tag = f"maia-async-{'0' * 32}"
    foreign(emulator, started_ago=11, execution_tag=tag, status="SUCCESS")
    async with client(emulator) as maia:
        call = desk_of(maia).submit(maia.project().id, request(execution_tag=tag), earlier=Sent(wall=utc_now().timestamp() - 11 + ahead))
        await asyncio.wait([call.task])
    assert len(emulator.control.executions()) == 1


async def test_one_that_was_sent_twice_may_have_landed_at_either_time(emulator: Emulator) -> None:
    tag = f"maia-async-{'0' * 32}"
    mine = foreign(emulator, started_ago=4000, execution_tag=tag)
    foreign(emulator, started_ago=2000)
    sent = Sent(at=emulator.control.now - 5000, last=emulator.control.now - 4001)
    async with client(emulator) as maia:
        call = desk_of(maia).submit(maia.project().id, request(execution_tag=tag), earlier=sent)
        await asyncio.wait([call.task])
    assert call.task.result() == mine


async def test_one_of_an_earlier_process_must_say_its_tag_and_its_time(maia: Maia) -> None:
    with pytest.raises(MisuseError, match="tag"):
        desk_of(maia).submit("p", request(execution_tag=AUTO), earlier=Sent(at=1.0))
    with pytest.raises(MisuseError, match="time"):
        desk_of(maia).submit("p", request(execution_tag=None), earlier=Sent())


# What cannot happen


async def test_a_bug_in_the_look_up_reaches_everybody_who_waits(emulator: Emulator, maia: Maia, monkeypatch: pytest.MonkeyPatch) -> None:
    from maia_async.orchestration.trigger import resolver

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(resolver, "decide", broken)
    lossy = Lossy(emulator, hits=lambda number, time: number < 2)
    found = await execute_all(maia, [LOAD, LOAD])
    assert all(isinstance(one, TriggerOutcomeUnknown) and "a bug" in str(one) for one in found)
    assert len(lossy.at) == 2
    assert isinstance(await execute(maia, LOAD), str)  # the lane is open again


async def test_a_settle_of_another_length(emulator: Emulator, now: Now) -> None:
    Lossy(emulator)
    async with client(emulator, trigger=TriggerPolicy(settle=60.0)) as maia:
        start = now()
        assert isinstance(await execute(maia, LOAD), str)
    assert now() - start == pytest.approx(60, abs=0.01)
    assert looks(emulator) == 5


async def test_credentials_that_end_meanwhile_are_unknown(emulator: Emulator) -> None:
    emulator.control.add_token("static-token")
    lossy = Lossy(emulator, landed=False, hits=lambda number, time: number == 0)
    async with client(emulator, auth=StaticToken("static-token")) as maia:
        task = asyncio.get_running_loop().create_task(execute(maia, LOAD))
        await anyio.sleep(3)
        emulator.control.revoke_tokens()
        found = await task
        assert isinstance(found, TriggerOutcomeUnknown)
        assert len(lossy.at) == 1
        assert isinstance(await execute(maia, LOAD), Unauthorized)


async def test_a_pipeline_that_does_not_exist_is_not_looked_up(emulator: Emulator, maia: Maia, now: Now) -> None:
    start = now()
    assert isinstance(await execute(maia, request("no such")), NotFound)
    assert now() == start
    assert looks(emulator) == 0
