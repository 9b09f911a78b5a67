"""The journal through its API: round trips, shared commits, cancellation, resuming, virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve
from hypothesis import given
from orchestration.journal.kit import CONFLICT, REQUESTS, WHERE, opened, outcome, request, success
from orchestration.journal.test_values import DETAILS
from orchestration.stepping import SteppingLoop

from maia_async.errors import JournalMismatch, MisuseError, ReplayedError
from maia_async.models import AUTO, ExecutionDetails, ExecutionRequest, OutcomeState
from maia_async.orchestration.journal import Intent, Journal, Resume, Started
from maia_async.orchestration.outcomes import Outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j.db"


async def reopened(path: Path, **changes: Any) -> Journal:
    journal = await opened(path, **changes)
    await journal.close()
    return journal


async def test_a_whole_life_comes_back(path: Path, now: Callable[[], float]) -> None:
    async with await opened(path, options="digest") as journal:
        assert journal.rows == ()
        await journal.intent(0, request(0), tag="t-0", server_time=1_700_000_000.5)
        await journal.intent(1, request(1), tag="t-1")
        await journal.started(0, "e-0")
        await journal.outcome(success(0, "e-0"))
        await journal.intent(2, request(2, execution_tag="mine"))
        await journal.started(2, "e-2")
        await journal.input_ended(3)

    back = await reopened(path)
    first, second, third = back.rows
    assert now() == 0
    assert (back.meta.project_id, back.meta.options, back.meta.size) == ("P", "digest", 3)
    assert (first.request, first.given) == (request(0, execution_tag="t-0"), request(0))
    assert (first.server_time, first.execution_id, first.resume) == (1_700_000_000.5, "e-0", Resume.REPLAY)
    assert first.outcome == evolve(success(0, "e-0"), request=first.request, replayed=True)
    assert (second.request.execution_tag, second.given.execution_tag, second.resume) == ("t-1", AUTO, Resume.LOOK_UP)
    assert second.sent_at is not None
    assert second.sent_at.tzinfo is not None
    assert (third.given.execution_tag, third.execution_id, third.resume) == ("mine", "e-2", Resume.ATTACH)


async def test_an_outcome_comes_back_with_everything_that_it_said(path: Path) -> None:
    times = {"triggered_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), "finished_at": datetime(9999, 1, 1, tzinfo=UTC)}
    told = outcome(0, OutcomeState.UNKNOWN, error=CONFLICT, candidates=("a", "\ud800\x00"), **times)
    async with await opened(path) as journal:
        await journal.intent(0, request(0), tag="t")
        await journal.outcome(told)

    back = (await reopened(path)).rows[0].outcome
    assert back == evolve(told, request=request(0, execution_tag="t"), replayed=True)
    assert isinstance(back.error, ReplayedError)
    assert (back.error.kind, str(back.error)) == ("Conflict", str(CONFLICT))


@given(asked=REQUESTS, details=DETAILS)
def test_hostile_values_come_back_through_the_file(
    tmp_path_factory: pytest.TempPathFactory, asked: ExecutionRequest, details: ExecutionDetails
) -> None:
    path = tmp_path_factory.mktemp("j") / "j.db"

    async def main() -> Outcome | None:
        async with await opened(path) as journal:
            await journal.intent(0, asked, tag="t")
            await journal.outcome(Outcome(index=0, request=asked, state=OutcomeState.FAILED, execution_id="e\ud800\x00\n", details=details))
        row = (await reopened(path)).rows[0]
        row.check(asked, path="j")
        return row.outcome

    back = asyncio.run(main())
    assert back is not None
    assert back.execution_id == "e\ud800\x00\n"
    assert back.details == details or "\\ud" in ascii(details)


async def test_a_planned_input_is_whole_before_anything_is_sent_and_is_compared_when_it_comes_again(path: Path) -> None:
    asked = [request(number) for number in range(5)]
    async with await opened(path) as journal:
        await journal.plan(asked)
        await journal.intent(1, asked[1], tag="t-1")
    async with await opened(path) as journal:
        assert [row.resume for row in journal.rows] == [Resume.RUN, Resume.LOOK_UP, *[Resume.RUN] * 3]
        assert [row.given for row in journal.rows] == asked
        await journal.plan(asked)
        with pytest.raises(JournalMismatch, match=r"another request at index 3 \(differing: scalarVariables.day\)") as caught:
            await journal.plan([*asked[:3], request(77), asked[4]])
        assert (caught.value.index, caught.value.fields) == (3, ("scalarVariables.day",))
        assert "77" not in str(caught.value).replace(str(path), "")
        with pytest.raises(JournalMismatch, match="input of 5 requests, and this one has 4"):
            await journal.plan(asked[:4])
        with pytest.raises(JournalMismatch, match="input of 5 requests, and this one has 6"):
            await journal.plan([*asked, request(5)])
    assert [row.given for row in (await reopened(path)).rows] == asked


async def test_a_plan_that_is_refused_in_its_middle_writes_nothing(path: Path) -> None:
    async with await opened(path) as journal:
        await journal.intent(2, request(2), tag="t")
        with pytest.raises(JournalMismatch):
            await journal.plan([request(9), request(9), request(9)])
        with pytest.raises(JournalMismatch, match="request at index 2, and the input has 2 only"):
            await journal.input_ended(2)
    assert [row.index for row in (await reopened(path)).rows] == [2]


@pytest.mark.parametrize(
    ("change", "said"), [({"project_id": "Q"}, "another project: 'P', not 'Q'"), ({"base_url": "https://x"}, "another base URL")]
)
async def test_another_account_is_refused(path: Path, change: dict[str, str], said: str) -> None:
    await reopened(path)
    with pytest.raises(JournalMismatch, match=said):
        await opened(path, **change)
    await reopened(path, options="other limits are no other batch")


UUID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ("https://eu1.api.matillion.com/dpc", "https://EU1.api.matillion.com:443/dpc", True),
        ("https://EU1.api.matillion.com:443/dpc", "https://eu1.api.matillion.com/dpc", True),
        ("https://eu1.api.matillion.com/dpc", "https://eu1.api.matillion.com/DPC", False),
        ("https://eu1.api.matillion.com/dpc", "https://eu1.api.matillion.com:8443/dpc", False),
        ("https://eu1.api.matillion.com:no/dpc", "https://eu1.api.matillion.com/dpc", False),
    ],
)
async def test_one_address_in_two_spellings_is_one_place(path: Path, before: str, now: str, same: bool) -> None:
    await reopened(path, base_url=before)
    if same:
        await reopened(path, base_url=now)
    else:
        with pytest.raises(JournalMismatch, match="another base URL"):
            await opened(path, base_url=now)


@pytest.mark.parametrize(("before", "now", "same"), [(UUID, UUID.upper(), True), (UUID, f"{UUID[:-1]}7", False), ("P", "p", False)])
async def test_one_project_in_two_spellings_is_one_project(path: Path, before: str, now: str, same: bool) -> None:
    await reopened(path, project_id=before)
    if same:
        await reopened(path, project_id=now)
    else:
        with pytest.raises(JournalMismatch, match="another project"):
            await opened(path, project_id=now)


async def test_what_a_row_cannot_take_is_refused_to_its_writer_alone(path: Path) -> None:
    async with await opened(path) as journal:
        told: dict[str, BaseException | None] = {}
        await journal.intent(0, request(0), tag="t")
        await journal.started(0, "e-0")
        journal.submit(Started(0, "e-1", "now"), lambda error: told.update(other=error))
        journal.submit(Started(7, "e-1", "now"), lambda error: told.update(none=error))
        journal.submit(Intent.of(1, request(1), at="2026-01-01T00:00:00+00:00", tag="t"), lambda error: told.update(good=error))
        await journal.intent(2, request(2), tag="t")
        with pytest.raises(MisuseError, match="request 0 cannot be sent, it is STARTED in it"):
            await journal.intent(0, request(0), tag="t")
        with pytest.raises(JournalMismatch):
            await journal.intent(0, request(9), tag="t")
        with pytest.raises(MisuseError, match="say which"):
            await journal.intent(3, request(3))
    assert isinstance(told["other"], MisuseError)
    assert "request 7 cannot get a run, it is not in it" in str(told["none"])
    assert told["good"] is None
    assert [(row.index, row.execution_id) for row in (await reopened(path)).rows] == [(0, "e-0"), (1, None), (2, None)]


async def test_a_row_that_never_landed_may_be_sent_anew_and_one_in_doubt_with_its_tag_only(path: Path) -> None:
    async with await opened(path) as journal:
        await journal.intent(0, request(0), tag="t")
        await journal.intent(0, request(0), tag="t", server_time=9.0)
        with pytest.raises(MisuseError, match="cannot be sent"):
            await journal.intent(0, request(0), tag="u")
        await journal.outcome(outcome(0, OutcomeState.NOT_STARTED))
        await journal.intent(0, request(0), tag="u")
    (row,) = (await reopened(path)).rows
    assert (row.resume, row.outcome, row.request.execution_tag) == (Resume.LOOK_UP, None, "u")


async def test_writes_that_wait_for_a_commit_share_the_next_one(path: Path) -> None:
    async with await opened(path) as journal:
        async with anyio.create_task_group() as group:
            for index in range(200):
                group.start_soon(lambda index=index: journal.intent(index, request(index), tag="t"))
        assert journal.commits <= 2
    assert len((await reopened(path)).rows) == 200


async def test_a_write_is_durable_when_its_call_returns_and_seen_from_outside(path: Path) -> None:
    async with await opened(path) as journal:
        await journal.intent(0, request(0), tag="t")
        other = sqlite3.connect(path)
        assert other.execute("SELECT stage FROM run").fetchall() == [("INTENT",)]
        other.close()


async def test_a_listener_that_fails_keeps_the_news_from_nobody(path: Path) -> None:
    told: list[object] = []
    heard: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["exception"]))

    def broken(error: BaseException | None) -> None:
        raise RuntimeError("a bug")

    async with await opened(path) as journal:
        journal.submit(Intent.of(0, request(0), at="2026-01-01", tag="t"), broken)
        journal.submit(Intent.of(1, request(1), at="2026-01-01", tag="t"), told.append)
        await journal.intent(2, request(2), tag="t")
    assert told == [None]
    assert [str(error) for error in heard] == ["a bug"]


async def test_closing_commits_what_was_submitted(path: Path) -> None:
    told: list[object] = []
    journal = await opened(path)
    first = asyncio.get_running_loop().create_task(journal.intent(0, request(0), tag="t"))
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()
    journal.submit(Intent.of(1, request(1), at="2026-01-01", tag="t"), told.append)
    await journal.close()
    await journal.close()
    await first
    assert told == [None]
    assert sorted(path.parent.iterdir()) == [path]
    with pytest.raises(MisuseError, match="is closed"):
        await journal.intent(2, request(2), tag="t")
    assert len((await reopened(path)).rows) == 2


def test_another_loop_is_refused(path: Path) -> None:
    journal = asyncio.run(opened(path))

    async def use() -> None:
        with pytest.raises(MisuseError, match="another event loop"):
            await journal.intent(0, request(0), tag="t")

    asyncio.run(use())
    journal._thread._jobs.put((journal._store.close, lambda value, error: None))  # its loop is gone, and nobody is told
    journal._thread._jobs.put(None)
    journal._thread._thread.join()


def test_cancelled_at_every_step_the_caller_knows_what_was_written_and_nothing_is_left(tmp_path: Path) -> None:
    async def life(path: Path, finished: list[str]) -> None:
        async with await Journal.open(path, **WHERE) as journal:
            await journal.intent(0, request(0), tag="t")
            finished.append("INTENT")
            await journal.started(0, "e-0")
            finished.append("STARTED")

    def play(number: int) -> bool:
        """Cancel it at that step of the loop; False when it had ended before."""
        finished: list[str] = []
        path = tmp_path / f"{number}.db"

        async def main() -> bool:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, SteppingLoop)
            task = loop.create_task(life(path, finished))
            loop.begin({number: task.cancel})
            await asyncio.wait([task])
            loop.begin({})
            if path.exists():
                rows = (await reopened(path)).rows
                stages = [row.stage.value for row in rows]
                # What was acknowledged is there; the write that was cancelled may be.
                assert stages in ([*finished[-1:]], ["INTENT"] if not finished else ["STARTED"])
            assert not (tmp_path / f"{number}.db.lock").exists()
            return task.cancelled()

        with asyncio.Runner(loop_factory=SteppingLoop) as runner:
            return runner.run(main())

    cancelled = 0
    for number in range(1, 60):
        if not play(number) and number > 3:
            break
        cancelled += 1
    assert cancelled > 5
