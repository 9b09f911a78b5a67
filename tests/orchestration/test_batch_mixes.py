"""Random batches, left at random moments in every way there is: whatever happens, nothing is lost and nothing is left running."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
from attrs import define, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestration.account import most_at_once, others, ours, posts, request, scenario, starting
from virtual_time import VirtualLoop

from maia_async import Batch, ExecutionRequest, Maia, Outcome, SessionClosed
from maia_async.emulator import Emulator

ROWS = {
    "takes 1": request("takes 1"),
    "takes 10": request("takes 10"),
    "instant": request("instant"),
    "long": request("long"),
    "stubborn": request("stubborn"),
    "fails": request("fails"),
    "skips": request("skips"),
    "slow answer": request("slow answer"),
    "lost": request("short"),
    "tagged": request("takes 10", execution_tag="tag"),
    "untagged": request("takes 1", execution_tag=None),
    "404": request("no such pipeline"),
    "410": request("disabled"),
    "invalid": request(""),
}


@frozen
class Mix:
    """One batch: what is in it, how it comes, with which options, and how and when it is left."""

    rows: list[str]
    kind: str
    options: dict[str, Any]
    latency: tuple[float, float]
    way: str
    at: float
    after: int


@define
class Seen:
    """What one batch did."""

    batch: Batch
    asked: int = 0
    came: list[Outcome] = field(factory=list)
    error: BaseException | None = None
    ended: bool = False
    left_behind: list[str] = field(factory=list)


mixes = st.builds(
    Mix,
    rows=st.lists(st.sampled_from(sorted(ROWS)), min_size=3, max_size=14) | st.just([]),
    kind=st.sampled_from(["sized", "iterator", "async"]),
    options=st.fixed_dictionaries(
        {
            "max_running": st.integers(1, 8),
            "on_failure": st.sampled_from(["continue", "stop", "cancel"]),
            "on_conflict": st.sampled_from(["raise", "wait"]),
            "conflict_timeout": st.sampled_from([3.0, 30.0]),
            "on_cancel": st.sampled_from(["leave", "cancel"]),
            "timeout": st.sampled_from([None, None, 0.5, 7.0]),
        }
    ),
    latency=st.sampled_from([(0.0, 0.0), (0.01, 0.3), (1.0, 3.0)]),
    way=st.sampled_from(["to the end", "break", "exception", "cancel", "cancel twice", "close", "signal"]),
    at=st.floats(0, 20),
    after=st.integers(0, 6),
)


class _Leaves(Exception):
    """A reason to leave the block."""


def _rows(mix: Mix, seen: Seen) -> Any:
    rows = [ROWS[name] for name in mix.rows if mix.kind != "sized" or name != "invalid"]
    if mix.kind == "sized":
        seen.asked = -1  # read whole; the report says how many were taken
        return rows

    def one_by_one() -> Iterator[ExecutionRequest]:
        for row in rows:
            seen.asked += 1
            yield row

    async def awaited() -> AsyncIterator[ExecutionRequest]:
        for row in rows:
            await anyio.sleep(0.3)
            seen.asked += 1
            yield row

    return one_by_one() if mix.kind == "iterator" else awaited()


async def _use(mix: Mix, seen: Seen) -> None:
    """Iterate, and leave as the mix says."""
    try:
        async with seen.batch:
            if mix.way == "exception":
                await anyio.sleep(mix.at)
                raise _Leaves
            async for outcome in seen.batch:
                seen.came.append(outcome)
                if mix.way == "break" and len(seen.came) > mix.after:
                    break
            else:
                seen.ended = True
    finally:
        seen.left_behind = ours()


async def _play(mix: Mix, maia: Maia, seen: Seen, signal: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    user = loop.create_task(_use(mix, seen), name="user")
    strike = {"cancel": user.cancel, "cancel twice": user.cancel, "signal": signal.set}.get(mix.way)
    timers = [] if strike is None else [loop.call_later(mix.at, strike)]
    if mix.way == "cancel twice":
        timers.append(loop.call_later(mix.at + 0.5, user.cancel))
    if mix.way == "close":
        await asyncio.wait([user], timeout=mix.at)
        await maia.aclose()
    await asyncio.wait([user])
    for timer in timers:
        timer.cancel()
    try:
        seen.error = user.exception()
    except asyncio.CancelledError as error:
        seen.error = error


async def _check(mix: Mix) -> None:
    async with Emulator(scenario(latency_in=mix.latency, latency_out=mix.latency)) as emulator:
        emulator.control.add_execution("takes 10", duration=10, execution_tag="tag")
        foreign = {run.id for run in emulator.control.executions()}
        emulator.control.add_fault(starting("slow answer", delay=8))
        emulator.control.add_fault(starting("short", status=502, landed=True))
        before = asyncio.all_tasks()
        async with emulator.client() as maia:
            signal = asyncio.Event()
            seen = Seen(Batch(maia.project(), [], stop_signal=signal))
            seen.batch = Batch(maia.project(), _rows(mix, seen), stop_signal=signal, **mix.options)
            await _play(mix, maia, seen, signal)
        runs = [run for run in emulator.control.executions() if run.id not in foreign]
        left_behind = others(before)
        most, sent = most_at_once(emulator), posts(emulator)

    assert seen.left_behind == []
    assert left_behind == []
    expected: dict[str, Any] = {"exception": _Leaves, "cancel": asyncio.CancelledError, "cancel twice": asyncio.CancelledError}
    assert seen.error is None or isinstance(seen.error, expected.get(mix.way, SessionClosed)), seen.error

    report = seen.batch.report()
    json.loads(report.to_json())
    found = report.outcomes
    assert [outcome.index for outcome in found] == list(range(report.total))
    assert seen.asked in {-1, report.total}
    assert report.total == sum(report.counts.values())
    assert all(outcome is seen.batch.report().outcomes[outcome.index] for outcome in seen.came)
    assert len({outcome.index for outcome in seen.came}) == len(seen.came)
    assert not seen.ended or len(seen.came) == report.total

    handed = [outcome.execution_id for outcome in found if outcome.execution_id is not None]
    unknown = {outcome.request.execution_tag for outcome in found if outcome.state == "UNKNOWN"}
    assert len(set(handed)) == len(handed)
    assert {run.id for run in runs if run.execution_tag not in unknown or run.id in handed} == set(handed)
    assert len([run for run in runs if run.id not in handed]) <= len([outcome for outcome in found if outcome.state == "UNKNOWN"])
    left = {outcome.execution_id for outcome in found if outcome.state == "LEFT_RUNNING"}
    assert {execution.id for execution in seen.batch.outstanding} == left
    assert all((outcome.execution_id is None) == (outcome.state in {"REJECTED", "UNKNOWN", "NOT_STARTED"}) for outcome in found)
    tags = [run.execution_tag for run in runs if run.execution_tag not in {None, "tag"}]
    assert len(set(tags)) == len(tags)
    assert mix.options["on_conflict"] == "wait" or sent <= report.total
    assert unknown or most <= mix.options["max_running"] + 1  # one more is the foreign run that holds the tag


@settings(max_examples=60)
@given(mixes)
def test_whatever_happens_every_request_has_one_outcome_and_every_run_is_handed_over(mix: Mix) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(_check(mix))
