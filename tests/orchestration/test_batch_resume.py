"""How a batch with a journal was ended, and what the same call makes of it then; a disk that refuses, and one that was given room."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from orchestration.account import outcomes, patches, posts, starting
from orchestration.crashing import RUNS, resumed, rows, runs_of, scenario, wrongly_attributed

from maia_async import Batch, JournalWriteFailed, Maia, Outcome, OutcomeState, SessionClosed, TriggerPolicy, journal_summary
from maia_async.emulator import Emulator
from maia_async.orchestration.journal import Ended, Intent, Started
from maia_async.orchestration.journal.store import Store

SUCCESS, FAILED, CANCELLED = OutcomeState.SUCCESS, OutcomeState.FAILED, OutcomeState.CANCELLED


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(scenario(latency_out=0.2)) as running:
        yield running


def by_row(outcomes: Any) -> dict[int, OutcomeState]:
    return {outcome.index: outcome.state for outcome in outcomes}


# How it was ended


async def test_stopped_by_a_failure_it_goes_on_with_what_was_not_sent_and_the_failure_stays(
    emulator: Emulator, maia: Maia, tmp_path: Path
) -> None:
    path, requests = tmp_path / "j.db", [*rows(1, ["fails"]), *rows(9)[1:]]
    first = await outcomes(Batch(maia.project(), requests, journal=path, max_running=2, on_failure="stop"))
    assert by_row(first)[0] is FAILED
    assert len(first) < 9

    second = await resumed(emulator, path, requests, on_failure="stop", max_running=2)

    # The failure was acted on when it happened: who resumes after it has seen it, and asks for the rest.
    assert by_row(second) == {0: FAILED, **dict.fromkeys(range(1, 9), SUCCESS)}
    assert runs_of(emulator) == Counter(str(row) for row in range(9))
    assert wrongly_attributed(emulator, second) == []


async def test_a_failure_of_a_run_that_is_awaited_again_stops_it(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    path, requests = tmp_path / "j.db", [*rows(1, ["fails"]), *rows(9)[1:]]
    async with Batch(maia.project(), requests, journal=path, max_running=1):
        await asyncio.sleep(1)
    second = await resumed(emulator, path, requests, on_failure="stop", max_running=1)
    assert by_row(second)[0] is FAILED
    assert len(second) < 3


async def test_cancelled_by_a_failure_its_cancelled_runs_stay_cancelled(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    path, requests = tmp_path / "j.db", [*rows(1, ["fails"]), *rows(6, ["long"])[1:]]
    first = await outcomes(Batch(maia.project(), requests, journal=path, max_running=3, on_failure="cancel"))
    ended = {row: state for row, state in by_row(first).items() if state is not OutcomeState.NOT_STARTED}
    assert ended == {0: FAILED, 1: CANCELLED, 2: CANCELLED}

    async with Batch(maia.project(), None, journal=path, max_running=3) as batch:
        replayed = [await anext(batch) for _ in range(3)]
        await asyncio.sleep(10)
    assert by_row(replayed) == ended
    assert all(outcome.replayed for outcome in replayed)
    assert runs_of(emulator) == Counter(str(row) for row in range(6))


@pytest.mark.parametrize("on_cancel", ["leave", "cancel", "confirm"])
async def test_told_to_stop_it_goes_on_with_runs_that_were_left(emulator: Emulator, maia: Maia, tmp_path: Path, on_cancel: Any) -> None:
    path, stop = tmp_path / "j.db", asyncio.Event()
    async with Batch(maia.project(), rows(12), journal=path, max_running=4, stop_signal=stop, on_cancel=on_cancel) as batch:
        await asyncio.sleep(RUNS + 1.5)
        stop.set()
        first = [outcome async for outcome in batch]
    cut = OutcomeState.LEFT_RUNNING if on_cancel == "leave" else CANCELLED
    assert cut in by_row(first).values()

    second = await resumed(emulator, path)
    awaited = {outcome.index for outcome in first if outcome.state is CANCELLED}
    assert by_row(second) == {row: CANCELLED if row in awaited else SUCCESS for row in range(12)}
    assert runs_of(emulator) == Counter(str(row) for row in range(12))
    assert len(patches(emulator)) == len(awaited)


async def test_out_of_time_it_goes_on_with_runs_that_were_left(emulator: Emulator, maia: Maia, tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    first = await outcomes(Batch(maia.project(), rows(12), journal=path, max_running=4, timeout=RUNS + 1.5))
    assert set(by_row(first).values()) == {SUCCESS, OutcomeState.LEFT_RUNNING}
    second = await resumed(emulator, path)
    assert set(by_row(second).values()) == {SUCCESS}
    assert runs_of(emulator) == Counter(str(row) for row in range(12))


async def closed_under(maia: Maia, batch: Batch, pause: Callable[[], Any]) -> None:
    """Close the client while the batch is open."""
    async with batch:
        await pause()
        await maia.aclose()
        async for _ in batch:
            pass


@pytest.mark.parametrize("after", [0.3, 0.5, 0.7, RUNS + 1])
async def test_a_client_that_is_closed_under_it_leaves_a_journal_that_goes_on(emulator: Emulator, tmp_path: Path, after: float) -> None:
    path = tmp_path / "j.db"
    async with emulator.client() as maia:
        with pytest.raises(SessionClosed):
            await closed_under(maia, Batch(maia.project(), rows(12), journal=path, max_running=4), lambda: asyncio.sleep(after))
    second = await resumed(emulator, path)
    assert set(by_row(second).values()) == {SUCCESS}
    assert runs_of(emulator) == Counter(str(row) for row in range(12))
    assert wrongly_attributed(emulator, second) == []


@pytest.mark.parametrize("steps", range(6))
async def test_what_is_in_doubt_stays_so_when_the_client_is_closed_before_it_was_looked_for(
    emulator: Emulator, tmp_path: Path, steps: int
) -> None:
    """Its POST of the first process landed. NOT_STARTED, in the journal, would send it again; UNKNOWN would never look for it."""
    emulator.control.add_fault(starting(kind="silence", landed=True, ends="SUCCESS"))
    path, count = tmp_path / "j.db", 4
    requests = rows(count)
    async with emulator.client() as maia, Batch(maia.project(), requests, journal=path):
        await asyncio.sleep(2)
    assert (await journal_summary(path)).counts == {"INTENT": count}
    emulator.control.clear_faults()

    async def pause() -> None:
        for _ in range(steps):
            await asyncio.sleep(0)

    async with emulator.client() as maia:
        batch = Batch(maia.project(), requests, journal=path)
        with pytest.raises(SessionClosed):
            await closed_under(maia, batch, pause)
    assert {outcome.state for outcome in batch.report().outcomes} <= {OutcomeState.UNKNOWN}
    assert (await journal_summary(path)).counts == {"INTENT": count}

    assert by_row(await resumed(emulator, path)) == dict.fromkeys(range(count), SUCCESS)
    assert runs_of(emulator) == Counter(str(row) for row in range(count))


# A disk that refuses


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, int], None]:
    """`full(kind, number)`: from the `number`-th write of this kind on the disk is full; `full(object, 0)` gives it room."""
    rule: list[Any] = [object, -1]
    commit = Store.commit

    def refusing(store: Store, writes: Any) -> Any:
        rule[1] -= rule[0] is not object and any(isinstance(write, rule[0]) for write in writes)
        if rule[0] is not object and rule[1] <= 0:
            store._opened().execute("PRAGMA max_page_count=1")  # SQLite's own refusal: "database or disk is full"
            store._opened().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            writes = [*writes, *(Ended.of(Outcome(index=10**6 + n, request=rows(1)[0], state=FAILED)) for n in range(200))]
        return commit(store, writes)

    monkeypatch.setattr(Store, "commit", refusing)

    def fill(kind: type, number: int) -> None:
        rule[:] = kind, number

    return fill


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("kind", [Intent, Started, Ended])
async def test_a_disk_that_fills_up_ends_it_and_room_lets_it_go_on(
    emulator: Emulator, maia: Maia, tmp_path: Path, full: Callable[[type, int], None], kind: type, number: int
) -> None:
    path, count = tmp_path / "j.db", 12
    full(kind, number)
    batch = Batch(maia.project(), rows(count), journal=path, max_running=4)
    with pytest.raises(JournalWriteFailed, match="full"):
        await outcomes(batch)
    sent = posts(emulator)
    await asyncio.sleep(30)
    assert posts(emulator) == sent  # nothing is sent after it
    report = batch.report()
    assert runs_of(emulator) == Counter(row.request.scalar_variables["row"] for row in report.outcomes if row.execution_id)  # no id is lost
    assert wrongly_attributed(emulator, report.outcomes) == []

    full(object, 0)
    second = await resumed(emulator, path)
    assert by_row(second) == dict.fromkeys(range(count), SUCCESS)
    assert runs_of(emulator) == Counter(str(row) for row in range(count))
    assert wrongly_attributed(emulator, second) == []


async def test_a_disk_that_breaks_tells_sqlites_words(
    emulator: Emulator, maia: Maia, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, apply = tmp_path / "j.db", Store._apply

    def broken(store: Store, write: Any) -> Any:
        if isinstance(write, Started):
            raise sqlite3.OperationalError("disk I/O error")
        return apply(store, write)

    monkeypatch.setattr(Store, "_apply", broken)
    with pytest.raises(JournalWriteFailed, match="disk I/O error"):
        await outcomes(Batch(maia.project(), rows(12), journal=path, max_running=4))
    monkeypatch.undo()
    assert set(by_row(await resumed(emulator, path)).values()) == {SUCCESS}
    assert runs_of(emulator) == Counter(str(row) for row in range(12))


async def test_a_disk_that_is_full_while_an_old_intent_is_renewed_keeps_the_post_from_going_out(
    emulator: Emulator, maia: Maia, tmp_path: Path, full: Callable[[type, int], None]
) -> None:
    path = tmp_path / "j.db"
    emulator.control.add_fault(starting(status=429, retry_after=60, times=1))
    full(Intent, 2)
    with pytest.raises(JournalWriteFailed):
        await outcomes(Batch(maia.project(), rows(1), journal=path))
    assert emulator.control.executions() == []
    full(object, 0)
    assert by_row(await resumed(emulator, path, policies={"trigger": TriggerPolicy(settle=5)})) == {0: SUCCESS}
    assert runs_of(emulator) == {"0": 1}
