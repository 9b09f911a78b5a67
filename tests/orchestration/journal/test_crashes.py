"""A crash at any instant: what was acknowledged is there, and nothing is there that was never written.

A crash is a copy of the database and its log. One in the middle of a write leaves, of what that write changed, any part: the bytes up to
some point, or any of the 512-byte sectors, since a disk may write them in any order until an fsync returns.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from orchestration.journal.kit import copied, files_of, opened, outcome, request
from virtual_time import VirtualLoop

from maia_async.models import OutcomeState
from maia_async.orchestration.journal import Journal, Row, schema

SECTOR = 512
INDICES = st.integers(0, 11)
STATES = st.sampled_from([state for state in OutcomeState if state.name != "LEFT_RUNNING"])
Facts = dict[int, tuple[str, str | None, str | None, str | None]]


def told(row: Row) -> tuple[str, str | None, str | None, str | None]:
    """What the model knows of a row: its stage, its tag, its id, its outcome."""
    tag = row.request.execution_tag
    state = None if row.outcome is None else row.outcome.state.value
    return row.stage.value, tag if isinstance(tag, str) else None, row.execution_id, state


def torn(before: bytes, after: bytes, *, cut: float, sectors: random.Random | None) -> bytes:
    """`after` half-written over `before`."""
    if sectors is None:
        first = next(
            (place for place, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), min(len(before), len(after))
        )
        end = first + int(cut * (len(after) - first))
        return after[:end] + before[end:]
    parts = range(0, max(len(before), len(after)), SECTOR)
    length = sectors.choice([len(before), len(after)])
    chosen = b"".join((after if sectors.random() < cut else before)[at : at + SECTOR].ljust(SECTOR, b"\0") for at in parts)
    return chosen[:length]


class Crashing(RuleBasedStateMachine):
    """Writes in any order, several at once; crashes between them and inside them; goes on with what was left."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "j.db"
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.known: Facts = {}
        self.serial = 0
        schema_pages.append(schema.PAGES_TO_CHECKPOINT)
        schema.PAGES_TO_CHECKPOINT = 6  # type: ignore[misc]  # checkpoints are to be met too
        self.journal: Journal = self.runner.run(opened(self.path))

    def teardown(self) -> None:
        self.runner.run(self.journal.close())
        self.runner.close()
        schema.PAGES_TO_CHECKPOINT = schema_pages.pop()  # type: ignore[misc]  # the same
        shutil.rmtree(self.folder)

    # what a write makes of a row, and how it is written; None when the row cannot take it

    def plan(self, kind: str, index: int, state: OutcomeState) -> tuple[tuple[Any, ...], Callable[[], Any]] | None:
        stage, tag, execution_id, ended = self.known.get(index, (None, None, None, None))
        self.serial += 1
        if kind == "intent" and (stage is None or ended == "NOT_STARTED"):
            new = f"t-{self.serial}"
            return ("INTENT", new, execution_id, None), lambda: self.journal.intent(index, request(index), tag=new)
        if kind == "started" and (stage == "INTENT" or ended == "UNKNOWN") and execution_id is None:
            new = f"e-{self.serial}"
            return ("STARTED", tag, new, None), lambda: self.journal.started(index, new)
        if kind == "outcome" and stage in {None, "INTENT", "STARTED"}:
            found = outcome(index, state, execution_id=execution_id, candidates=("c" * self.serial * 20,))
            return ("DONE", tag, execution_id, state.value), lambda: self.journal.outcome(found)
        return None

    async def write(self, plans: list[Callable[[], Any]]) -> None:
        async with anyio.create_task_group() as group:
            for plan in plans:
                group.start_soon(plan)

    def chosen(self, writes: list[tuple[str, int, OutcomeState]]) -> tuple[Facts, list[Callable[[], Any]]]:
        facts: Facts = {}
        calls: list[Callable[[], Any]] = []
        for kind, index, state in writes:
            planned = None if index in facts else self.plan(kind, index, state)
            if planned is not None:
                facts[index] = planned[0]  # type: ignore[assignment]  # it has four
                calls.append(planned[1])
        return facts, calls

    @rule(writes=st.lists(st.tuples(st.sampled_from(["intent", "started", "outcome"]), INDICES, STATES), min_size=1, max_size=6))
    def written(self, writes: list[tuple[str, int, OutcomeState]]) -> None:
        facts, calls = self.chosen(writes)
        self.runner.run(self.write(calls))
        self.known.update(facts)

    @rule()
    def crash_between(self) -> None:
        self.go_on_with(self.copy(), [self.known])

    @rule(
        writes=st.lists(st.tuples(st.sampled_from(["intent", "started", "outcome"]), INDICES, STATES), min_size=1, max_size=6),
        cut=st.floats(0, 1),
        seed=st.none() | st.integers(0, 2**32),
        in_log=st.booleans(),
    )
    def crash_inside(self, writes: list[tuple[str, int, OutcomeState]], cut: float, seed: int | None, in_log: bool) -> None:
        facts, calls = self.chosen(writes)
        before = files_of(self.path)
        self.runner.run(self.write(calls))
        after = files_of(self.path)
        left = self.copy()
        name, log = self.path.name, f"{self.path.name}-wal"
        sectors = None if seed is None else random.Random(seed)
        if in_log:
            # The log is written first, and is on the disk before the database is touched.
            (left / name).write_bytes(before[name])
            (left / log).write_bytes(torn(before.get(log, b""), after.get(log, b""), cut=cut, sectors=sectors))
        else:
            (left / name).write_bytes(torn(before[name], after[name], cut=cut, sectors=sectors))
        whole = {**self.known, **facts}
        self.go_on_with(left, [self.known, whole] if in_log else [whole])

    @precondition(lambda self: self.known)
    @rule()
    def close_and_reopen(self) -> None:
        self.runner.run(self.journal.close())
        self.journal = self.runner.run(opened(self.path))
        self.check([self.known])

    def copy(self) -> Path:
        return copied(self.path, self.folder / "left").parent

    def go_on_with(self, left: Path, possible: list[Facts]) -> None:
        kept = {entry.name: entry.read_bytes() for entry in left.iterdir()}
        self.runner.run(self.journal.close())
        for entry in self.folder.glob("j.db*"):
            entry.unlink()
        for name, content in kept.items():
            (self.folder / name).write_bytes(content)
        self.journal = self.runner.run(opened(self.path))
        self.check(possible)

    def check(self, possible: list[Facts]) -> None:
        found = {row.index: told(row) for row in self.journal.rows}
        assert found in possible
        self.known = found

    @invariant()
    def nobody_else_gets_in(self) -> None:
        assert (self.folder / "j.db.lock").exists()


schema_pages: list[int] = []
TestCrashing = Crashing.TestCase
TestCrashing.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


def test_a_torn_write_is_torn() -> None:
    assert torn(b"aaaa", b"aabbbb", cut=0.5, sectors=None) == b"aabb"
    assert torn(b"aaaa", b"aabbbb", cut=0, sectors=None) == b"aaaa"
    assert torn(b"aaaa", b"aabbbb", cut=1, sectors=None) == b"aabbbb"
    assert torn(b"a" * 1024, b"b" * 1024, cut=1, sectors=random.Random(1)) == b"b" * 1024


async def test_a_log_cut_at_each_of_its_bytes_keeps_what_was_before(tmp_path: Path) -> None:
    path, left = tmp_path / "j.db", tmp_path / "left" / "j.db"
    async with await opened(path) as journal:
        await journal.intent(0, request(0), tag="t")
        before = files_of(path)
        await journal.started(0, "e-0")
        after = files_of(path)
    first, last = len(before["j.db-wal"]), len(after["j.db-wal"])
    assert first < last
    for end in [*range(first, last, 97), last - 1, last]:
        for junk in (b"", b"\xff" * 300):
            left.parent.mkdir(exist_ok=True)
            left.write_bytes(after["j.db"])
            left.with_name("j.db-wal").write_bytes(after["j.db-wal"][:end] + junk)
            async with await opened(left) as again:
                assert told(again.rows[0])[0] == ("STARTED" if end == last else "INTENT")


WRITER = """
import asyncio, sys
import anyio
from maia_async.models import ExecutionDetails, ExecutionRequest, ExecutionStatus, OutcomeState
from maia_async.orchestration.journal import Journal
from maia_async.orchestration.outcomes import Outcome
SUCCESS = ExecutionDetails(status=ExecutionStatus.SUCCESS)
async def main():
    async with await Journal.open(sys.argv[1], project_id="P", base_url="https://eu1.api.matillion.com/dpc") as journal:
        begin = len(journal.rows)
        async def one(index):
            request = ExecutionRequest(pipeline_name="Load", environment_name="Prod", scalar_variables={"day": str(index)})
            print(index, "SENT", flush=True)
            await journal.intent(index, request, tag=f"t-{index}")
            print(index, "INTENT", flush=True)
            await journal.started(index, f"e-{index}")
            print(index, "STARTED", flush=True)
            outcome = Outcome(index=index, request=request, state=OutcomeState.SUCCESS, execution_id=f"e-{index}", details=SUCCESS)
            await journal.outcome(outcome)
            print(index, "DONE", flush=True)
        for block in range(begin, 100_000, 20):
            async with anyio.create_task_group() as group:
                for index in range(block, block + 20):
                    group.start_soon(one, index)
asyncio.run(main())
"""
ORDER = ("SENT", "INTENT", "STARTED", "DONE")


async def rows_of(path: Path) -> dict[int, Row]:
    async with await opened(path) as journal:
        return {row.index: row for row in journal.rows}


def said(line: str) -> dict[int, str]:
    """What a line of the writer acknowledges: nothing when the kill cut it off."""
    index, _, stage = line.strip().partition(" ")
    return {int(index): stage} if stage in ORDER and line.endswith("\n") else {}


@pytest.mark.realtime
@pytest.mark.parametrize("seed", range(12))
def test_a_killed_process_leaves_all_that_it_said_it_had_written(tmp_path: Path, seed: int) -> None:
    path, dice = tmp_path / "j.db", random.Random(seed)
    acknowledged: dict[int, str] = {}
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(dice.randrange(1, 800)):
                acknowledged.update(said(writer.stdout.readline()))
            writer.kill()
            for line in writer.stdout:
                acknowledged.update(said(line))
        found = asyncio.run(rows_of(path))
        for index, stage in acknowledged.items():
            assert stage == "SENT" or ORDER.index(found[index].stage.value) >= ORDER.index(stage)
        for index, row in found.items():
            assert index in acknowledged
            assert row.request == request(index, execution_tag=f"t-{index}")
            assert row.execution_id == (None if row.stage.value == "INTENT" else f"e-{index}")
        acknowledged = {index: row.stage.value for index, row in found.items()}
