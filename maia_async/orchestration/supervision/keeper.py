"""The moving part of a supervisor: hears every read of the watcher, and sends START when the tables of its neighbours say so.

It costs one task, one heap with one wake-up, and a child task for each command under way; a pipeline that only streams costs none. It
reads no state itself: all reads are the watcher's. What a read means is decided in `transitions.py`, whether to restart in `restarts.py`,
whether an error is final in `refusals.py`.

    a meaning            then
    NEEDS_START          the first START at once; any other after the delay of `restarts.py`, or give up
    DROPPED              counted, and the same
    LOST                 told, and the same, but for one that this client has stopped meanwhile ("respect")
    STOPPED_BY_OTHERS    told; "respect": left alone; "restart": as a drop, once it shows NOT_RUNNING
    any other            nothing

    a START ends with                      then
    accepted, in doubt                     its reads decide
    refused, PASSING or DOUBTED            a read that went out later decides
    refused, FINAL or DOUBTED for long     give up on this pipeline
    SessionClosed                          the supervision ends with it

    a read fails                           then
    PASSING                                told after `unreachable_after`; it is read on, and nothing is commanded
    DOUBTED                                told; it is read on, in the rhythm of calm times
    FINAL or DOUBTED for long              give up on this pipeline, and it is read no more
    SessionClosed; or the wait ends with   the supervision ends with it
      an error that no read has raised

A START that waited for the budget is withdrawn when meanwhile the pipeline was seen running or was stopped by others, is supervised no
more, or the block is being left. One that has gone out then is waited for, at most FINISH_BOUND seconds, and told. A pipeline that is
removed and added again while its START is under way goes on with that one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from maia_async.errors import MisuseError, SessionClosed, StatusUnavailable
from maia_async.logs import logger
from maia_async.models.streaming import StreamingState
from maia_async.orchestration.supervision.alarms import Alarm, Alarms
from maia_async.orchestration.supervision.charge import Charge
from maia_async.orchestration.supervision.events import SupervisedState
from maia_async.orchestration.supervision.mailbox import Mailbox
from maia_async.orchestration.supervision.refusals import Weight
from maia_async.orchestration.supervision.restarts import Restarts
from maia_async.orchestration.supervision.rules import SuperviseRules
from maia_async.orchestration.supervision.starting import send_start
from maia_async.orchestration.supervision.stopping import stop_all
from maia_async.orchestration.supervision.transitions import STREAMING, Meaning, Track
from maia_async.resources.runtime import Runtime
from maia_async.resources.streaming import StreamingPipeline
from maia_async.tasks import FINISH_BOUND, bare
from maia_async.watching.watched import Waiter, Watched


@define(eq=False)
class Keeper:
    """One supervision in motion. `run()` is its task, `ended()` that task's done callback; everything is called from the same loop."""

    _runtime: Runtime
    _rules: SuperviseRules
    mailbox: Mailbox
    charges: dict[str, Charge] = field(factory=dict)
    _flying: dict[str, Charge] = field(factory=dict)  # those with a START under way, removed ones too
    _alarms: Alarms = field(factory=Alarms)
    _wake: asyncio.Event = field(factory=asyncio.Event)
    _leaving: bool = False
    _broken: bool = False
    _concluded: bool = False
    _now: Callable[[], float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._now = asyncio.get_running_loop().time

    def check(self, pipeline: StreamingPipeline) -> None:
        """Raise MisuseError for a pipeline that cannot be supervised here."""
        if pipeline.runtime is not self._runtime:
            raise another_client(pipeline)
        check_free(pipeline, self)
        known = self.charges.get(pipeline.id) or self._flying.get(pipeline.id)
        if known is not None and known.pipeline.watched is not pipeline.watched:
            raise another_project(pipeline)

    def add(self, pipeline: StreamingPipeline) -> None:
        """Keep it streaming from now on; one that is kept already is left as it is."""
        self.check(pipeline)
        former = self.charges.get(pipeline.id)
        if former is not None and former.track.desired is STREAMING:
            return
        flying = self._flying.get(pipeline.id)
        if flying is None:
            track = Track(self._rules.start_grace, self._rules.unreachable_after)
            charge = Charge(pipeline, track, Restarts(self._rules.restart), self.mailbox, pipeline.subject.orders.mark)
        else:
            # The same one again, for it knows of the START: another would send a second one. Only its past is forgotten.
            charge = flying
            charge.begins_anew(Restarts(self._rules.restart), pipeline.subject.orders.mark)
        if former is not None:
            charge.resumes(former)
            self.remove(pipeline.id)
        self.charges[pipeline.id] = charge
        pipeline.subject.supervisor = self
        self._join(charge)
        if former is not None:
            self._runtime.watcher.hasten(pipeline.watched)  # whoever adds it again has just changed something

    def remove(self, pipeline_id: str) -> None:
        """Leave it as it is; unknown ids are ignored."""
        charge = self.charges.pop(pipeline_id, None)
        if charge is not None:
            self._let_go(charge)

    def states(self) -> dict[str, SupervisedState]:
        """Every pipeline that is kept."""
        now = self._now()
        return {pipeline_id: charge.snapshot(now) for pipeline_id, charge in self.charges.items()}

    def leave(self) -> None:
        """The block is being left."""
        self._leaving = True
        self._wake.set()

    # the task

    async def run(self) -> None:
        """Until the block is left, the client is closed, or a bug of ours shows."""
        try:
            async with anyio.create_task_group() as commands:
                await self._attend(commands)
                if self._rules.on_exit == "stop" and not self._broken:
                    for charge in self.charges.values():
                        if Alarm.JOIN in charge.alarms:
                            self._join(charge)
                    await stop_all(list(self.charges.values()))
                else:
                    await self._finish()
                commands.cancel_scope.cancel()
        except asyncio.CancelledError:
            self._break(_closed())
            raise
        except BaseExceptionGroup as group:
            self._break(bare(group))
        finally:
            self._conclude()
            await self._runtime.watcher.rest()  # its loop ends before we do, so that nothing runs once the block is left

    def ended(self, task: asyncio.Task[None]) -> None:
        """Called when the task is done. A task that is cancelled before its first step never enters `run()`."""
        if task.cancelled():
            self._break(_closed())
        self._conclude()

    async def _attend(self, commands: TaskGroup) -> None:
        while not self._leaving:
            self._wake.clear()
            for charge, alarm in self._alarms.due(self._now()):
                if alarm is Alarm.START:
                    charge.idle.clear()
                    self._flying[charge.pipeline.id] = charge
                    commands.start_soon(self._start, charge)
                elif alarm is Alarm.JOIN:
                    self._join(charge)
                elif charge.failing_since is not None:
                    charge.unreachable(self._now() - charge.failing_since, charge.failure)
            with anyio.CancelScope(deadline=self._alarms.next()):
                await self._wake.wait()

    def is_sending(self) -> bool:
        """Whether a START has gone out whose end should be waited for."""
        return any(charge.track.is_sending() for charge in self._flying.values())

    async def _finish(self) -> None:
        """Let those STARTs end that have gone out. One that still waits for its turn is not waited for."""
        with anyio.move_on_after(FINISH_BOUND):
            for charge in list(self._flying.values()):
                if charge.track.is_sending():
                    await charge.idle.wait()

    def _conclude(self) -> None:
        if not self._concluded:
            self._concluded = self._leaving = True
            for charge in self.charges.values():
                self._let_go(charge)
            self.mailbox.close()

    def _break(self, error: BaseException) -> None:
        """The supervision ends with `error`, and commands nothing any more."""
        if not self._broken and not isinstance(error, SessionClosed):
            logger.error("supervision of streaming pipelines ended", exc_info=error)
        self._broken = True
        self.mailbox.fail(error)
        self.leave()

    # what the watcher tells

    def _join(self, charge: Charge) -> None:
        charge.joined = False
        charge.alarms.pop(Alarm.JOIN, None)
        charge.pipeline.subject.on_failure = partial(self._read_failed, charge)
        charge.waiter = self._runtime.watcher.join(
            charge.pipeline.watched, partial(self._observe, charge), partial(self._unwatched, charge)
        )
        charge.joined = True

    def _let_go(self, charge: Charge) -> None:
        charge.joined = False
        charge.alarms.clear()
        subject = charge.pipeline.subject
        if subject.supervisor is self:
            subject.on_failure = subject.supervisor = None
        if charge.waiter is not None:
            self._runtime.watcher.leave(charge.waiter)

    def _observe(self, charge: Charge, watched: Watched) -> bool:
        """The predicate of a wait that is never over: every read passes here."""
        if charge.joined and watched.last is not None:
            self._saw(charge, watched, watched.last.word)
        return False

    def _saw(self, charge: Charge, watched: Watched, state: StreamingState) -> None:
        now = self._now()
        charge.read_at = watched.asked_at
        charge.shows(state, now)
        charge.news.set()
        asked, pends = charge.was_asked_to_stop(), charge.start_pends(watched.asked_at)
        found = charge.track.see(state, now=now, asked_at=watched.asked_at, asked=asked, pends=pends)
        if found is Meaning.NEEDS_START:
            self._schedule(charge, now)
        elif found is Meaning.DROPPED:
            charge.dropped(now)
            self._schedule(charge, now)
        elif found is Meaning.LOST:
            charge.unreachable(charge.track.unreadable(now), None)
            if self._may_start(charge):
                self._schedule(charge, now)
        elif found is Meaning.STOPPED_BY_OTHERS:
            respected = self._rules.on_external_stop == "respect"
            charge.was_stopped(now, respected=respected)
            if not respected and state is StreamingState.NOT_RUNNING:
                self._schedule(charge, now)

    def _read_failed(self, charge: Charge, error: Exception) -> None:
        """Every read that fails passes here; then the watcher tries again, or ends the wait for it."""
        if isinstance(error, SessionClosed) or charge.refused:
            return
        now = self._now()
        charge.failure = error
        if charge.failing_since is None:
            charge.failing_since = now
            self._alarms.set(charge, Alarm.TELL, now + self._rules.unreachable_after)
            self._wake.set()
        weight = charge.weight_of(error, now, of_start=False)
        if charge.reads_refused.met(weight, now):
            charge.refused = True
            charge.alarms.clear()
            charge.given_up(now, error)
        elif weight is Weight.DOUBTED:
            charge.unreachable(now - charge.failing_since, error)

    def _unwatched(self, charge: Charge, waiter: Waiter) -> None:
        """A wait ended, which only an error does."""
        charge.waiter, charge.joined = None, False
        error = waiter.error or AssertionError("a wait that is never over was")
        if isinstance(error, StatusUnavailable):
            self._join(charge)
        elif error is not charge.failure:
            self._break(error)
        elif not charge.refused:
            calm = charge.pipeline.subject.interval(self._runtime.watcher.policy, age=float("inf"), load=0.0, alike=len(self.charges))
            self._alarms.set(charge, Alarm.JOIN, self._now() + calm)
            self._wake.set()

    # restarting

    def _schedule(self, charge: Charge, now: float) -> None:
        """Send START when it is time; once, however often a read asks for it."""
        if Alarm.START in charge.alarms or not charge.idle.is_set() or self._leaving:
            return
        restarts = charge.restarts
        if charge.track.ran and not restarts.may_restart(now):
            charge.given_up(now)
            return
        retriers = sum(other.restarts.tries > 0 for other in self.charges.values()) if restarts.tries else 0
        charge.delay = restarts.delay(now, retriers=retriers) if charge.track.ran or restarts.tries else 0.0
        self._alarms.set(charge, Alarm.START, now + charge.delay)
        self._wake.set()

    def _may_start(self, charge: Charge) -> bool:
        kept = charge.track.desired is STREAMING and self.charges.get(charge.pipeline.id) is charge and not self._leaving
        if not kept or (self._rules.on_external_stop == "respect" and charge.was_asked_to_stop()):
            return False
        return charge.state is None or not (charge.state.is_running or charge.state is StreamingState.STOPPING)

    async def _start(self, charge: Charge) -> None:
        try:
            error = await send_start(charge, self._may_start)
        finally:
            del self._flying[charge.pipeline.id]
        now = self._now()
        if isinstance(error, SessionClosed):
            self._break(error)
        elif error is not None:
            final = charge.starts_refused.met(charge.weight_of(error, now, of_start=True), now)
            if final and self.charges.get(charge.pipeline.id) is charge and charge.track.desired is STREAMING:
                charge.given_up(now, error)


def _closed() -> SessionClosed:
    return SessionClosed("this Maia client was closed while streaming pipelines were supervised; they were left as they are")


def check_free(pipeline: StreamingPipeline, keeper: Keeper | None = None) -> None:
    """Raise MisuseError when another supervisor than that of `keeper` has the pipeline: each would undo what the other does."""
    if pipeline.subject.supervisor not in {None, keeper}:
        raise MisuseError(f"streaming pipeline {pipeline.id} is supervised already, by another supervisor of this client")


def another_project(pipeline: StreamingPipeline) -> MisuseError:
    """The error for a pipeline with the id of one that is supervised, but of another project: events tell the id only."""
    return MisuseError(f"streaming pipeline {pipeline.id} of another project is supervised already")


def another_client(pipeline: StreamingPipeline) -> MisuseError:
    """The error for a pipeline that is not of the supervisor's client."""
    return MisuseError(f"streaming pipeline {pipeline.id} belongs to another client: one supervisor takes those of one client")
