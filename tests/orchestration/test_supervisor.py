"""Supervision of many, and over time: what is told and shown, who disturbs whom, who comes and goes, and what it costs.

Most run against the emulator's state machines without HTTP (`streams_world.py`), the last ones against the emulator itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import pairwise
from typing import Any

import pytest
from orchestration.account import ours
from orchestration.streams_world import Told, world

from maia_async import (
    GaveUp,
    MisuseError,
    RestartAttempted,
    RestartPolicy,
    StreamingState,
    StreamingTransition,
    SupervisedState,
    supervise,
)
from maia_async.emulator import Emulator, StreamScript
from maia_async.resources.streaming import stream_of

AT_ONCE = RestartPolicy(base=1e-6, cap=1e-6)
FAILS = [500] * 1000
HERE = "0 - > STREAMING"


async def test_the_times_told_are_seconds_spent_in_the_former_state_and_states_shows_where_it_is() -> None:
    async with world() as made:
        pipeline = made.make("a", running=True)
        async with supervise([pipeline], restart=AT_ONCE) as supervisor:
            assert supervisor.states["a"] == SupervisedState(
                state=None, since=None, restarts=0, desired=StreamingState.STREAMING, gave_up=False, last_event=None
            )
            await asyncio.sleep(19.5)
            made.drop("a")
            await asyncio.sleep(10)
            events = [await anext(supervisor) for _ in range(5)]
            state = supervisor.states["a"]

    assert [event.duration for event in events if isinstance(event, StreamingTransition)] == pytest.approx([None, 21.0, 1.0, 3.0], abs=1e-5)
    assert (state.state, state.restarts, state.gave_up, state.desired) == ("STREAMING", 1, False, "STREAMING")
    assert state.last_event is events[-1]
    assert state.since == events[-1].at
    assert supervisor.states["a"] == state  # readable after the block, too


async def test_the_delay_before_a_restart_is_that_of_the_policy_and_told() -> None:
    async with world() as made:
        pipeline = made.make("a", running=True, flaps_every=30, starting=0, snapshot="never")
        async with supervise([pipeline], restart=RestartPolicy(base=8.0, cap=8.0, max_restarts=20)) as supervisor:
            await asyncio.sleep(500)
            told = [await anext(supervisor) for _ in range(24)]

    tried = [event for event in told if isinstance(event, RestartAttempted)]
    assert [event.attempt for event in tried] == list(range(1, len(tried) + 1))
    assert all(0 <= event.delay <= 8 for event in tried)
    looks = [when for when, _ in made.looks]
    for event, at in zip(tried, made.starts("a")[1:], strict=False):
        assert min(abs(at - event.delay - look) for look in looks) < 1e-6  # from the read that showed the drop


async def test_giving_up_on_one_disturbs_no_other() -> None:
    told = Told()
    async with world() as made:
        calm = made.make("calm", running=True)
        wild = made.make("wild", running=True, flaps_every=10)
        steady = made.make("steady")
        async with supervise([calm, wild, steady], restart=AT_ONCE) as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(500)
            states = supervisor.states
        await listening

    assert [event.pipeline_id for event in told.of(GaveUp)] == ["wild"]
    assert (told.lines("calm"), made.starts("calm"), len(made.starts("steady"))) == ([HERE], [], 1)
    assert {name: state.gave_up for name, state in states.items()} == {"calm": False, "wild": True, "steady": False}


async def test_reads_that_fail_are_told_once_after_unreachable_after_and_nothing_is_commanded() -> None:
    told = Told()
    async with world() as made:
        pipeline = made.make("a", running=True)
        async with supervise([pipeline], restart=AT_ONCE) as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(10)
            made.drop("a")
            made.reads["a"] = deque(FAILS)
            await asyncio.sleep(2000)
            assert made.sent == []
            made.reads["a"].clear()
            await asyncio.sleep(60)
        await listening

    kinds = [type(event).__name__ for _, event in told.events]
    assert (
        kinds
        == ["StreamingTransition", "Unreachable", "StreamingTransition", "ReachableAgain", "RestartAttempted"] + ["StreamingTransition"] * 2
    )
    unreachable = told.events[1][1]
    assert (unreachable.seconds, type(unreachable.error).__name__) == (300.0, "ServerError")


async def test_a_start_that_waited_for_its_turn_is_withdrawn_when_the_pipeline_runs_or_is_not_ours_any_more() -> None:
    """The wait for a slot of the budget may be long; what a read showed meanwhile counts."""
    for change in ("runs", "removed", "stopped"):
        async with world() as made:
            pipeline = made.make("a", running=True)
            made.gate.clear()
            async with supervise([pipeline], restart=AT_ONCE) as supervisor:
                await asyncio.sleep(10)
                made.drop("a")
                await asyncio.sleep(5)
                if change == "removed":
                    supervisor.remove(pipeline)
                else:
                    made.other("a", "START")
                    await asyncio.sleep(5)
                if change == "stopped":
                    made.other("a", "STOP")
                    made.drop("a")
                made.gate.set()
                await asyncio.sleep(0.5)
                assert made.sent == [], change


async def test_a_first_start_that_waited_for_its_turn_until_the_pipeline_had_run_is_a_restart() -> None:
    told = Told()
    async with world() as made:
        pipeline = made.make("a", snapshot="never")
        made.gate.clear()
        async with supervise([pipeline], restart=AT_ONCE) as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(1)
            made.other("a", "START")
            await asyncio.sleep(10)
            made.drop("a")
            await asyncio.sleep(10)
            made.gate.set()
            await asyncio.sleep(1)
            assert supervisor.states["a"].restarts == 1
        await listening
        assert "21 RestartAttempted 1 True" in told.lines()


async def test_one_that_was_removed_while_its_start_was_under_way_is_told_how_that_ended_and_is_not_given_up() -> None:
    told = Told()
    async with world(latency=1.0) as made:
        pipeline = made.make("a")
        made.commands["a"] = deque([403])
        async with supervise([pipeline]) as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(3)
            supervisor.remove(pipeline)
            await asyncio.sleep(10)
        await listening

    assert told.lines() == ["2 - > NOT_RUNNING", "4 StartAttempted False Forbidden"]


async def test_one_that_is_removed_and_added_again_while_its_start_is_under_way_goes_on_with_that_one() -> None:
    told = Told()
    async with world() as made:
        pipeline = made.make("a", start_lag=3)
        made.commands["a"] = deque(["late"])
        async with supervise([pipeline]) as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(1)
            supervisor.remove(pipeline)
            await asyncio.sleep(1)
            supervisor.add(made.handle("a"))
            await asyncio.sleep(58)
            assert supervisor.states["a"].state is StreamingState.STREAMING
        await listening

    assert told.lines() == [
        *("0 - > NOT_RUNNING", "3 NOT_RUNNING > SNAPSHOTTING 3", "5 StartAttempted True", "33 SNAPSHOTTING > STREAMING 30")
    ]
    assert [(sent.at, sent.word, sent.status) for sent in made.sent] == [(0.0, "START", 202)]


@pytest.mark.parametrize(("plan", "after"), [("late", 1), (None, 1.5), ("lost", 1.5), ("broken", 1.5)])
async def test_a_start_of_a_former_supervisor_is_not_sent_again_by_the_next_one(plan: Any, after: float) -> None:
    async with world() as made:
        pipeline = made.make("a", starting=20, start_lag=10)
        made.commands["a"] = deque([plan])
        async with supervise([pipeline]) as former:
            await asyncio.sleep(after)
            former.remove(pipeline)
            async with supervise([pipeline]) as later:
                await asyncio.sleep(58)
                assert later.states["a"].state is StreamingState.STREAMING

    assert [(sent.at, sent.word, sent.status) for sent in made.sent] == [(0.0, "START", 202)]


async def test_a_start_of_a_former_supervisor_that_never_shows_is_sent_again_after_the_grace() -> None:
    async with world() as made:
        pipeline = made.make("a")
        made.commands["a"] = deque(["ignored"])
        async with supervise([pipeline]) as former:
            await asyncio.sleep(1)
            former.remove(pipeline)
            async with supervise([pipeline], start_grace=20) as later:
                await asyncio.sleep(60)
                assert later.states["a"].state is StreamingState.STREAMING

    (_, again) = made.starts("a")
    assert 20 < again < 26


async def test_one_without_pipelines_waits_for_the_end_of_its_block_when_a_client_is_closed() -> None:
    told = Told()
    async with supervise([]) as supervisor:
        listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
        async with world():
            pass
        await asyncio.sleep(100)
        assert not told.ended
    await listening
    assert (told.ended, told.error) == (True, None)


async def test_a_read_that_was_slow_is_as_old_as_its_question() -> None:
    """It went out within the grace, and came back after it."""
    told = Told()
    async with world() as made:
        pipeline = made.make("a", start_lag=10, starting=20, snapshot="never")
        made.reads["a"] = deque([0.0, 58.0])  # the second read is answered at 59
        async with supervise([pipeline], restart=AT_ONCE, start_grace=30) as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(100)
        await listening

    assert told.lines() == ["0 - > NOT_RUNNING", "0 StartAttempted True", "62 NOT_RUNNING > STREAMING 62"]
    assert made.starts("a") == [0.0]


@pytest.mark.parametrize("refused", [401, 403, 404])
async def test_refused_reads_of_one_disturb_no_other_and_are_rare(refused: int) -> None:
    told = Told()
    async with world() as made:
        pipelines = [made.make("refused", running=True), made.make("calm", running=True)]
        async with supervise(pipelines, restart=AT_ONCE) as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(20)
            made.reads["refused"] = deque([refused] * 1000)
            await asyncio.sleep(500)
            states = supervisor.states
        await listening

    looks = [when for when, name in made.looks if name == "refused" and when > 20]
    assert looks == [21, 36, 51, 66, 81]
    assert [(name, state.gave_up, state.desired) for name, state in states.items()] == [
        ("refused", True, None),
        ("calm", False, "STREAMING"),
    ]
    assert told.lines("calm") == [HERE]


@pytest.mark.long
async def test_a_start_that_is_refused_for_ever_leaves_a_short_mailbox() -> None:
    async with world() as made:
        pipelines = [made.make(str(number), running=True) for number in range(5)]
        for pipeline in pipelines:
            made.commands[pipeline.id] = deque([409] * 1000)
        async with supervise(pipelines, restart=AT_ONCE) as supervisor:
            await asyncio.sleep(20)
            for pipeline in pipelines:
                made.drop(pipeline.id)
            await asyncio.sleep(500)
            assert supervisor._mailbox.unread <= 1000 + 5 * 7
            assert len(made.sent) > 5 * 400


async def test_one_pipeline_has_one_supervisor() -> None:
    async with world() as made:
        mine, free = made.make("a", running=True), made.make("b", running=True)
        async with supervise([mine]) as first:
            with pytest.raises(MisuseError, match="streaming pipeline a is supervised already"):
                async with supervise([free, made.handle("a")], on_exit="stop"):
                    pass
            async with supervise() as second:
                second.add(free)
                with pytest.raises(MisuseError, match="streaming pipeline a is supervised already"):
                    second.add(mine)
                first.remove(mine)
                second.add(mine)
                first.remove(mine)
                with pytest.raises(MisuseError, match="supervised already"):
                    first.add(mine)
        async with supervise([mine, free]):
            second.remove(mine)  # it was left: what it had is not its own any more
            with pytest.raises(MisuseError, match="streaming pipeline a is supervised already"):
                async with supervise([mine]):
                    pass
    assert made.sent == []


async def test_a_bug_of_ours_ends_the_supervision_with_it(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as made:
        pipeline = made.make("a", running=True)
        monkeypatch.setattr("maia_async.orchestration.supervision.charge.Charge.shows", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            async with supervise([pipeline]):
                await asyncio.sleep(5)
        assert ours() == []
        with pytest.raises(ZeroDivisionError):
            async with supervise([pipeline]) as supervisor:
                await anext(supervisor)
    assert "supervision of streaming pipelines ended" in caplog.text


@pytest.mark.long
async def test_a_reader_that_never_reads_delays_nothing_and_loses_no_restart_and_no_give_up() -> None:
    async with world() as made:
        pipelines = [made.make(str(number), running=True, flaps_every=60) for number in range(100)]
        async with supervise(pipelines, restart=RestartPolicy(base=1e-6, cap=1e-6, max_restarts=4)) as supervisor:
            await asyncio.sleep(700)
            unread = supervisor._mailbox.unread
            assert all(len(made.starts(pipeline.id)) == 5 for pipeline in pipelines)
            told = [await anext(supervisor) for _ in range(unread)]

    kept = [event for event in told if isinstance(event, RestartAttempted | GaveUp)]
    assert len(kept) == 100 * 5
    assert 1000 < unread <= 1000 + 100 * 6 + len(kept)
    for pipeline in pipelines:
        path = [event for event in told if isinstance(event, StreamingTransition) and event.pipeline_id == pipeline.id]
        assert (path[0].previous, path[-1].current) == (None, "NOT_RUNNING")
        assert all(former.current == later.previous for former, later in pairwise(path))


async def test_pipelines_come_and_go_while_it_runs_and_it_waits_for_the_first_one() -> None:
    loop = asyncio.get_running_loop()
    async with world() as made, supervise() as supervisor:
        assert supervisor.states == {}
        first = made.make("first")
        loop.call_later(50, supervisor.add, first)
        assert (await anext(supervisor)).pipeline_id == "first"
        assert loop.time() == 50
        supervisor.add(first)
        supervisor.add(made.handle("first"))
        supervisor.add(made.make("second", running=True))
        await asyncio.sleep(100)
        assert list(supervisor.states) == ["first", "second"]
        assert len(made.starts("first")) == 1
        supervisor.remove(first)
        supervisor.remove("second")
        supervisor.remove("nobody")
        looked = len(made.looks)
        await asyncio.sleep(100)
        assert (supervisor.states, len(made.looks)) == ({}, looked)


async def test_what_cannot_be_supervised_is_refused() -> None:
    wrong: Any = "an id"
    with pytest.raises(MisuseError, match="takes streaming pipelines, not str"):
        supervise([wrong])
    async with world() as made, world() as another:
        pipeline, stranger = made.make("a", running=True), another.make("b")
        supervisor = supervise([pipeline])
        with pytest.raises(MisuseError, match="enter the supervisor first"):
            supervisor.add(pipeline)
        with pytest.raises(MisuseError, match="enter the supervisor first"):
            await anext(supervisor)
        async with supervisor:
            with pytest.raises(MisuseError, match="streaming pipeline b belongs to another client"):
                supervisor.add(stranger)
        with pytest.raises(MisuseError, match="was left"):
            supervisor.add(pipeline)
        with pytest.raises(MisuseError, match="has been used"):
            async with supervisor:
                pass
        with pytest.raises(MisuseError, match="another client"):
            async with supervise([pipeline, stranger], on_exit="stop"):
                pass
        with pytest.raises(MisuseError, match="streaming pipeline a of another project"):
            async with supervise([pipeline, stream_of(pipeline.runtime, "other", "a")], on_exit="stop"):
                pass
        assert [sent.word for sent in made.sent] == []  # a mistake in the list stops nothing
        assert ours() == []


async def test_it_costs_one_task_however_many_pipelines_there_are() -> None:
    async with world() as made:
        pipelines = [made.make(str(number), running=True) for number in range(200)]
        async with supervise(pipelines):
            await asyncio.sleep(30)
            assert sorted(ours()) == ["maia_async supervisor", "maia_async watcher"]


@pytest.mark.long
async def test_many_that_were_added_together_are_not_read_in_pulses_for_ever() -> None:
    """300 are read every 67 s, 45 in 10 s on average; in step it would be 300 of them."""
    async with world() as made:
        pipelines = [made.make(str(number), running=True) for number in range(300)]
        async with supervise(pipelines):
            await asyncio.sleep(3600)

    looks = [at for at, _ in made.looks if at > 2400]
    assert len(looks) == pytest.approx(1200 / (300 / 4.5) * 300, rel=0.05)
    assert max(sum(begin <= at < begin + 10 for at in looks) for begin in range(2400, 3600, 5)) < 150


async def test_against_the_emulator_a_pipeline_that_drops_is_restarted_and_one_that_flaps_is_given_up(emulator: Emulator) -> None:
    control = emulator.control
    ids = [
        *control.create_stream("drops", script=StreamScript(drop_after=300, snapshotting=30)),
        *control.create_stream("flaps", script=StreamScript(flaps_every=60)),
        *control.create_stream("unreachable", script=StreamScript(unreachable=((60, 60),))),
        *control.create_stream("calm", started_ago=1000),
    ]
    project_id = control.stream(ids[0]).project_id
    told = Told()
    async with emulator.client() as maia:
        project = maia.project(project_id)
        pipelines = [project.streaming_pipeline(name) for name in ids]
        async with supervise(pipelines, restart=RestartPolicy(base=1e-3, cap=1e-3), on_exit="stop") as supervisor:
            listening = asyncio.get_running_loop().create_task(told.listen(supervisor))
            await asyncio.sleep(600)
            states = [supervisor.states[name].state for name in ids]
        await listening

    assert states == ["STREAMING", "NOT_RUNNING", "STREAMING", "STREAMING"]
    assert [control.stream(name).starts for name in ids] == [2, 4, 1, 1]
    assert [event.pipeline_id for event in told.of(GaveUp)] == [ids[1]]
    assert [event.current for event in told.of(StreamingTransition, ids[2])] == [
        *("NOT_RUNNING", "STARTING", "SNAPSHOTTING", "STREAMING", "UNKNOWN", "STREAMING", "STOPPING", "NOT_RUNNING")
    ]
    assert {control.stream(name).status for name in ids} == {"NOT_RUNNING"}
    assert len(control.requests(path_contains="commands")) == 2 + 4 + 1 + 3
