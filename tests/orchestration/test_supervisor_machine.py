"""Random lives of a few pipelines under supervision, step by step in virtual time, against what a supervisor promises for all of them.

Checked after every step: no window of the policy holds more restarts that landed than it allows, however they were answered; no START goes
to a pipeline whose last answered read showed it running, nor, where stops are respected, to one that this client has stopped itself, unless
a later read showed it running; what was given up was announced, once, and not for a few refusals; a pipeline that nobody touches is sent
nothing. Checked at the end: when everything is quiet again, each pipeline that was neither given up nor stopped by others streams; and
nothing is left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from orchestration.account import ours
from orchestration.streams_world import Told, World
from virtual_time import VirtualLoop

from maia_async import (
    GaveUp,
    MaiaError,
    ResponseError,
    RestartPolicy,
    StartAttempted,
    StreamingState,
    StreamingTransition,
    Supervisor,
    supervise,
)
from maia_async.emulator.problems import Refused

WITHIN, MOST = 300.0, 2
LONGER_THAN_ANY_COMMAND = 10.0  # what was sent before is settled then
NAMES = ("a", "b", "c")
names = st.sampled_from(NAMES)
scripts = st.fixed_dictionaries(
    {},
    optional={
        "starting": st.sampled_from([0, 2, 20]),
        "snapshot": st.sampled_from(["first", "never"]),
        "start_lag": st.sampled_from([0, 1, 5]),
        "stop_seconds": st.sampled_from([0.1, 2, 20]),
        "flaps_every": st.sampled_from([0.5, 5, 40, 200]),  # the first dies between two reads
        "refuses_to_start": st.sampled_from(["returns", "stays", 409, 500]),
    },
)


class Supervision(RuleBasedStateMachine):
    """Rules are what happens around the supervisor."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.told = Told()
        self.supervisor: Supervisor | None = None
        self.stopped: set[str] = set()  # others have sent it a STOP since it was added
        self.refusals: dict[str, int] = dict.fromkeys(NAMES, 0)  # how many reads and commands were scripted to be refused
        self.since: dict[str, tuple[int, int]] = {}  # how many commands and events there were when it was added

    def wait(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def inside(self, act: Callable[..., Any], *args: Any) -> None:
        """Call something that belongs into the running loop."""

        async def call() -> None:
            act(*args)

        self.loop.run_until_complete(call())

    @initialize(
        every=st.tuples(scripts, scripts, scripts),
        running=st.tuples(st.booleans(), st.booleans(), st.booleans()),
        latency=st.sampled_from([0.0, 0.2, 1.5]),
        on_external_stop=st.sampled_from(["respect", "restart"]),
        on_exit=st.sampled_from(["leave", "stop"]),
    )
    def begin(self, every: Any, running: Any, latency: float, on_external_stop: Any, on_exit: Any) -> None:
        self.options = {"on_external_stop": on_external_stop, "on_exit": on_exit, "start_grace": 30.0, "unreachable_after": 60.0}

        async def make() -> World:
            made = World(latency=latency)
            for name, script, runs in zip(NAMES, every, running, strict=True):
                made.make(name, running=runs, **script)
            made.make("calm", running=True)
            return made

        self.world = self.loop.run_until_complete(make())
        self.handles = {name: self.world.handle(name) for name in (*NAMES, "calm")}
        self.enter()

    @precondition(lambda self: self.supervisor is None)
    @rule()
    def enter(self) -> None:
        self.told = told = Told()
        entered = self.loop.create_future()

        async def use() -> None:
            policy = RestartPolicy(max_restarts=MOST, within=WITHIN, base=1.0, cap=20.0)
            async with supervise(self.handles.values(), restart=policy, **self.options) as supervisor:
                entered.set_result(supervisor)
                await told.listen(supervisor)

        self.task = self.loop.create_task(use())
        self.supervisor = self.loop.run_until_complete(entered)
        for name in self.handles:
            self.is_added(name)

    def is_added(self, name: str) -> None:
        self.stopped.discard(name)
        self.since[name] = (len(self.world.sent), len(self.told.events))

    @precondition(lambda self: self.supervisor is not None)
    @rule(twice=st.booleans())
    def cancel(self, twice: bool) -> None:
        """The block is cancelled, perhaps again while it stops its pipelines: it ends in time, and nothing of it stays."""
        begin = self.loop.time()
        self.task.cancel()
        if twice:
            self.wait(1)
            self.task.cancel()
        self.loop.run_until_complete(asyncio.wait([self.task]))
        assert self.task.cancelled()
        assert self.loop.time() - begin <= 10.5  # to stop them, or for a START that has gone out

        async def left_behind() -> list[str]:
            return ours()

        assert self.loop.run_until_complete(left_behind()) == []
        assert self.world.runtime.watcher.waiting == 0
        self.supervisor = None

    @rule(seconds=st.sampled_from([0.1, 1, 3, 7, 20, 60, 200]))
    def time_passes(self, seconds: float) -> None:
        self.wait(seconds)

    @rule(name=names)
    def drop(self, name: str) -> None:
        with suppress(Refused):
            self.inside(self.world.drop, name)

    @rule(name=names, word=st.sampled_from(["START", "STOP"]))
    def somebody_else_commands(self, name: str, word: str) -> None:
        if word == "STOP":
            self.stopped.add(name)
        self.inside(self.world.other, name, word)

    @rule(name=names)
    def this_client_stops_it_itself(self, name: str) -> None:
        """What is refused was never asked for; a 409 says that it is stopped already."""

        async def stop() -> None:
            try:
                await self.handles[name].stop()
            except ResponseError as error:
                if error.status in {401, 403, 404, 429}:
                    return
            except MaiaError:
                pass
            self.stopped.add(name)

        self.loop.run_until_complete(stop())

    @rule(name=names, word=st.sampled_from(["UNKNOWN", "PAUSED"]), seconds=st.sampled_from([1, 20, 100]))
    def blip(self, name: str, word: str, seconds: float) -> None:
        self.inside(self.world.hold, name, word)
        self.wait(seconds)
        self.inside(self.world.hold, name, None)

    @rule(name=names, plan=st.lists(st.sampled_from([409, 500, 503, 429, 401, 403, "lost", "late", "broken", "ignored"]), max_size=3))
    def commands_fail(self, name: str, plan: list[Any]) -> None:
        self.world.commands[name].extend(plan)
        self.refusals[name] += sum(word in {401, 403} for word in plan)

    @rule(name=names, how=st.sampled_from(["broken", "lost"]))
    def commands_land_without_a_usable_answer(self, name: str, how: str) -> None:
        self.world.commands[name].extend([how] * 8)

    @rule(name=names, answer=st.sampled_from([500, 401, 403, 404]), count=st.integers(1, 5))
    def reads_fail(self, name: str, answer: int, count: int) -> None:
        self.world.reads[name].extend([answer] * count)
        self.refusals[name] += count if answer < 500 else 0

    @rule(name=names)
    def a_users_own_auth_fails(self, name: str) -> None:
        self.world.reads[name].append(OSError("of a user's own Auth"))

    @precondition(lambda self: self.supervisor is not None)
    @rule(name=names, at_once=st.booleans())
    def remove_and_add(self, name: str, at_once: bool) -> None:
        assert self.supervisor is not None
        self.inside(self.supervisor.remove, name)
        if not at_once:
            self.wait(LONGER_THAN_ANY_COMMAND)
        self.inside(self.supervisor.add, self.handles[name])
        self.is_added(name)

    @precondition(lambda self: self.supervisor is not None)
    @rule(name=names)
    def add_again(self, name: str) -> None:
        assert self.supervisor is not None
        self.wait(LONGER_THAN_ANY_COMMAND)
        if self.supervisor.states[name].desired is not StreamingState.STREAMING:
            self.inside(self.supervisor.add, self.handles[name])
            self.is_added(name)

    def told_since(self, kind: type[Any], name: str) -> list[Any]:
        events = self.told.events[self.since[name][1] :]
        return [event for _, event in events if isinstance(event, kind) and event.pipeline_id == name]

    @invariant()
    def no_window_holds_more_restarts_than_the_policy_allows(self) -> None:
        for name, (since, _) in self.since.items():
            # Without a usable answer it is counted when it was sent to one that showed NOT_RUNNING.
            starts = [
                sent.at
                for sent in self.world.sent[since:]
                if (sent.pipeline_id, sent.word, sent.status) == (name, "START", 202) and (sent.told or sent.read == "NOT_RUNNING")
            ]
            if any(event.accepted is not False for event in self.told_since(StartAttempted, name)):
                starts = starts[1:]  # the first start is no restart
            for first in starts:
                assert sum(first <= at <= first + WITHIN for at in starts) <= MOST

    @invariant()
    def no_start_goes_to_one_that_its_last_read_showed_running(self) -> None:
        for sent in self.world.sent:
            assert sent.word != "START" or sent.read not in {"STARTING", "SNAPSHOTTING", "STREAMING"}, sent

    @invariant()
    def no_start_follows_a_stop_of_this_client_that_is_respected(self) -> None:
        if not self.since or self.options["on_external_stop"] != "respect":
            return
        for name, (since, _) in self.since.items():
            stop = None
            for sent in self.world.sent[since:]:
                if sent.pipeline_id == name and sent.word == "STOP" and sent.status == 202:
                    stop = sent
                elif sent.pipeline_id == name and sent.word == "START" and stop is not None:
                    ran = any(stop.at <= asked and answered <= sent.at for asked, answered in self.world.ran[name])
                    assert ran, (stop, sent)

    @invariant()
    def whatever_was_given_up_was_announced_and_once(self) -> None:
        if self.supervisor is not None:
            self.wait(0)  # the reader takes what is there
            for name, state in self.supervisor.states.items():
                told = self.told_since(GaveUp, name)
                assert len(told) == state.gave_up
                assert not any(event.error for event in told) or self.refusals[name] >= 3

    @invariant()
    def one_that_nobody_touches_is_left_alone(self) -> None:
        if self.since and self.options["on_exit"] == "leave":
            assert [sent for sent in self.world.sent if sent.pipeline_id == "calm"] == []
            assert {type(event) for event in self.told_since(object, "calm")} <= {StreamingTransition}

    def teardown(self) -> None:
        if self.since:
            if self.supervisor is not None:
                self.settles(self.supervisor)
                self.cancel(twice=False)
            self.loop.run_until_complete(self.world.aclose())
        self.loop.close()

    def settles(self, supervisor: Supervisor) -> None:
        """When all has been quiet for a while, whatever was neither given up nor stopped by others streams."""
        for plan in (*self.world.commands.values(), *self.world.reads.values()):
            plan.clear()
        self.wait(600)
        for name, state in supervisor.states.items():
            script = self.world.streams[name].script
            wild = script.refuses_to_start is not None or script.flaps_every is not None
            respected = name in self.stopped and self.options["on_external_stop"] == "respect"
            if not (wild or respected or state.gave_up):
                assert (state.state, state.desired) == (StreamingState.STREAMING, StreamingState.STREAMING), name


Supervision.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestSupervision = Supervision.TestCase
