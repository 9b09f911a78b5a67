"""A batch with a journal: what is durable when, and what the same call makes of it after the process was left, killed or refused."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from orchestration.account import ENVIRONMENT, posts
from orchestration.crashing import lost, rows, runs_of

from maia_async import (
    Batch,
    ExecutionRequest,
    JournalError,
    JournalInUse,
    JournalMismatch,
    Maia,
    MisuseError,
    OutcomeState,
    journal_summary,
    run_batch,
)
from maia_async.emulator import Emulator, Fault, Pipeline, Scenario
from maia_async.orchestration.batch.book import stays_intended


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    scenario = Scenario.of(*(Pipeline(name=name, duration=20) for name in "abcdefghij"), Pipeline(name="long", duration=600))
    async with Emulator(scenario) as running:
        yield running


def attributed(emulator: Emulator, outcomes: Any) -> None:
    """Each outcome is about the run of its own request, and no request has two."""
    runs = {run.id: run for run in emulator.control.executions()}
    for outcome in outcomes:
        assert runs[outcome.execution_id].scalar_variables == outcome.request.scalar_variables
    assert len({outcome.execution_id for outcome in outcomes}) == len(outcomes)


async def test_a_journal_changes_nothing_about_a_batch_but_that_it_is_written_down(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    report = await run_batch(maia.project(), rows(40), journal=path)
    assert report.counts[OutcomeState.SUCCESS] == 40
    attributed(emulator, report.outcomes)
    summary = await journal_summary(path)
    assert summary.counts == {"SUCCESS": 40}


async def test_a_journal_that_was_removed_without_its_log_is_not_taken_for_a_new_one(
    emulator: Emulator, maia: Maia, tmp_path: Path
) -> None:
    """Somebody removes the journal of a killed batch to run everything anew: nothing runs, or everything."""
    path, log = tmp_path / "j.db", tmp_path / "j.db-wal"
    async with Batch(maia.project(), rows(4), journal=path) as batch:
        _ = [outcome async for outcome in batch]
        shutil.copy(log, tmp_path / "kept")
    path.unlink()
    shutil.move(tmp_path / "kept", log)
    sent = posts(emulator)

    with pytest.raises(JournalError, match="put the journal back beside it, or remove or rename that file to begin anew"):
        await run_batch(maia.project(), rows(4), journal=path)
    assert posts(emulator) == sent

    log.unlink()
    report = await run_batch(maia.project(), rows(4), journal=path)
    assert report.counts[OutcomeState.SUCCESS] == 4
    assert not any(outcome.replayed for outcome in report.outcomes)
    assert set(runs_of(emulator).values()) == {2}


async def test_a_path_that_no_file_can_have_ends_the_batch_before_anything_is_sent(emulator: Emulator, maia: Maia) -> None:
    with pytest.raises(JournalError, match="no file can have this name"):
        await run_batch(maia.project(), rows(1), journal="a\0b")
    assert posts(emulator) == 0


async def test_the_same_call_gives_what_ended_again_and_runs_nothing_twice(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first = await run_batch(maia.project(), rows(12, "ab"), journal=path)
    sent = posts(emulator)

    seen = []
    second = await run_batch(maia.project(), rows(12, "ab"), seen.append, journal=path)

    assert posts(emulator) == sent
    assert all(outcome.replayed for outcome in second.outcomes)
    assert [outcome.execution_id for outcome in second.outcomes] == [outcome.execution_id for outcome in first.outcomes]
    assert [outcome.index for outcome in seen] == list(range(12))


async def test_what_was_left_running_is_awaited_and_what_was_not_sent_is_sent(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with Batch(maia.project(), rows(30, "abc"), journal=path, max_running=9) as batch:
        await asyncio.sleep(50)
    before = batch.report()
    assert before.counts[OutcomeState.LEFT_RUNNING]

    async with Batch(maia.project(), None, journal=path, max_running=9) as again:
        order = [outcome async for outcome in again]

    assert len(order) == 30
    assert {outcome.state for outcome in order} == {OutcomeState.SUCCESS}
    replayed = [outcome.replayed for outcome in order]
    assert replayed == sorted(replayed, reverse=True)
    assert sum(replayed) == before.counts[OutcomeState.SUCCESS]
    attributed(emulator, order)
    assert len(emulator.control.executions()) == 30


async def test_at_most_one_trigger_of_a_lane_is_unacknowledged_and_other_lanes_go_on(
    emulator: Emulator, maia: Maia, tmp_path: Path
) -> None:
    await maia.projects.list()
    emulator.control.set_network(latency_in=1.0)
    requests = rows(30, ["long"]) + rows(30, "b") + rows(30, "c")
    async with Batch(maia.project(), requests, journal=tmp_path / "j.db", max_running=10) as batch:
        await asyncio.sleep(2.5)
        assert Counter(run.pipeline_name for run in emulator.control.executions()) == {"long": 2, "b": 2, "c": 2}
        await asyncio.sleep(10)
        assert Counter(run.pipeline_name for run in emulator.control.executions()).total() == 10  # that many at once, whatever waits
    assert batch.report().total > 10


async def test_more_may_be_unacknowledged(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    await maia.projects.list()
    emulator.control.set_network(latency_in=1.0)
    async with Batch(maia.project(), rows(30, "a"), journal=tmp_path / "j.db", max_unacknowledged=4):
        await asyncio.sleep(2.5)
        assert len(emulator.control.executions()) == 8


async def test_an_intent_without_an_id_is_looked_up(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    emulator.control.add_fault(lost(3, kind="silence", landed=True))
    async with Batch(maia.project(), rows(5, "abcde"), journal=path) as batch:
        await asyncio.sleep(5)
    assert batch.report().counts[OutcomeState.UNKNOWN] == 1  # it was left too early to know
    assert len(emulator.control.executions()) == 5

    report = await run_batch(maia.project(), None, journal=path)

    assert report.counts[OutcomeState.SUCCESS] == 5
    assert len(emulator.control.executions()) == 5
    attributed(emulator, report.outcomes)


async def test_an_input_of_unknown_size_is_resumed_with_itself_only(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with Batch(maia.project(), iter(rows(20, "abcdefghij")), journal=path, max_running=4):
        await asyncio.sleep(1)
    with pytest.raises(JournalMismatch):
        async with Batch(maia.project(), None, journal=path):
            pass

    report = await run_batch(maia.project(), iter(rows(20, "abcdefghij")), journal=path)
    assert report.counts[OutcomeState.SUCCESS] == 20
    assert len(emulator.control.executions()) == 20

    again = await run_batch(maia.project(), None, journal=path)  # now that it was read to its end, the journal has it all
    assert [outcome.replayed for outcome in again.outcomes] == [True] * 20


async def test_another_input_is_refused_by_name_and_nothing_is_sent(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await run_batch(maia.project(), rows(3, "a"), journal=path)
    content = path.read_bytes()
    changed = rows(3, "a")
    changed[1] = ExecutionRequest(pipeline_name="a", environment_name=ENVIRONMENT, scalar_variables={"row": "other"})
    with pytest.raises(JournalMismatch, match=r"index 1 .*scalarVariables.row"):
        await run_batch(maia.project(), changed, journal=path)
    assert len(emulator.control.executions()) == 3
    assert path.read_bytes() == content


async def test_a_second_batch_on_the_same_journal_is_refused(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with Batch(maia.project(), rows(3, "a"), journal=path):
        with pytest.raises(JournalInUse):
            await run_batch(maia.project(), rows(3, "a"), journal=path)
    report = await run_batch(maia.project(), rows(3, "a"), journal=path)
    assert report.succeeded
    assert len(emulator.control.executions()) == 3


async def test_without_an_input_there_must_be_a_journal(maia: Maia) -> None:
    with pytest.raises(MisuseError):
        Batch(maia.project(), None)


async def test_a_conflict_that_is_waited_for_does_not_hold_its_lane(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    held = await maia.project().execute("long", ENVIRONMENT, execution_tag="tag")
    tagged = ExecutionRequest(pipeline_name="long", environment_name=ENVIRONMENT, execution_tag="tag", scalar_variables={"row": "0"})
    others = [
        ExecutionRequest(pipeline_name="long", environment_name=ENVIRONMENT, scalar_variables={"row": str(number)}) for number in (1, 2)
    ]
    async with Batch(maia.project(), [tagged, *others], journal=tmp_path / "j.db", on_conflict="wait") as batch:
        await asyncio.sleep(10)
        assert len(emulator.control.executions()) == 3  # the held one, and both others
        emulator.control.finish(held.id)
        outcomes = [outcome async for outcome in batch]
    assert {outcome.state for outcome in outcomes} == {OutcomeState.SUCCESS}


async def test_a_run_of_a_moment_ago_may_not_be_visible_yet_when_the_batch_is_resumed(
    emulator: Emulator, maia: Maia, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    async with Batch(maia.project(), rows(1, "a"), journal=path):
        await asyncio.sleep(2)
    emulator.control.add_fault(Fault(method="GET", path="**/pipeline-executions/*", status=404, times=3))

    report = await run_batch(maia.project(), None, journal=path)

    assert report.counts[OutcomeState.SUCCESS] == 1


@pytest.mark.parametrize(
    ("state", "doubted", "cut_short", "unread", "stays"),
    [
        (OutcomeState.UNKNOWN, True, True, False, True),
        (OutcomeState.UNKNOWN, True, False, True, True),
        (OutcomeState.UNKNOWN, True, False, False, False),
        (OutcomeState.NOT_STARTED, True, False, False, True),
        (OutcomeState.REJECTED, True, False, False, True),
        (OutcomeState.NOT_STARTED, False, True, False, False),
        (OutcomeState.REJECTED, False, False, False, False),
        (OutcomeState.SUCCESS, True, True, True, False),
        (OutcomeState.LEFT_RUNNING, True, True, False, False),
    ],
)
def test_which_outcomes_are_not_written_down(state: OutcomeState, doubted: bool, cut_short: bool, unread: bool, stays: bool) -> None:
    assert stays_intended(state, doubted=doubted, cut_short=cut_short, unread=unread) is stays
