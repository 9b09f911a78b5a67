"""The moving part of a supervisor: hears every read of the watcher, and sends START when the tables of its neighbours say so.

It costs one task, one heap with one wake-up, and a child task for each command under way; a pipeline that only streams costs none. It
reads no state itself: all reads are the watcher's. What a read means is decided in `transitions.py`, whether to restart in `restarts.py`.

    a meaning            then
    NEEDS_START          the first START at once; any other after the delay of `restarts.py`, or give up
    DROPPED              counted, and the same
    LOST                 told, counted, and the same
    STOPPED_BY_OTHERS    told; "respect": left alone; "restart": as a drop, once it shows NOT_RUNNING
    STOPPED              the exit need not wait for it any more
    any other            nothing

    a START ends with                                       then
    accepted                                                its reads decide
    409, other refusals, no usable answer, never sent       a read that went out later decides
    401, 403, 404, an id that no path can hold              give up on this pipeline
    SessionClosed                                           the supervision ends with it

    a wait of the watcher ends with                         then
    StatusUnavailable                                       told; the pipeline is read on, nothing is commanded
    401, 403, 404, an id that no path can hold              give up on this pipeline, and it is read no more
    SessionClosed, a bug                                    the supervision ends with it

A START that waited for the budget is withdrawn when meanwhile the pipeline was seen running, or is supervised no more.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable
from functools import partial

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from maia_async.errors import MaiaError, MisuseError, SessionClosed, StatusUnavailable
from maia_async.models.streaming import StreamingState
from maia_async.orchestration.charge import Charge
from maia_async.orchestration.mailbox import Mailbox
from maia_async.orchestration.restarts import Restarts
from maia_async.orchestration.starting import send_start
from maia_async.orchestration.stopping import stop_all
from maia_async.orchestration.supervise_rules import SuperviseRules
from maia_async.orchestration.supervision import SupervisedState
from maia_async.orchestration.transitions import STREAMING, Meaning, Track
from maia_async.resources.runtime import Runtime
from maia_async.resources.streaming import StreamingPipeline
from maia_async.tasks import bare
from maia_async.watching.watched import Waiter, Watched

logger = logging.getLogger("maia_async")


@define(eq=False)
class Keeper:
    """One supervision in motion. `run()` is its task, `ended()` that task's done callback; everything is called from the same loop."""

    _runtime: Runtime
    _rules: SuperviseRules
    mailbox: Mailbox
    charges: dict[str, Charge] = field(factory=dict)
    _due: list[tuple[float, int, Charge]] = field(factory=list)
    _sequence: itertools.count[int] = field(factory=itertools.count)
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
        known = self.charges.get(pipeline.id)
        if known is not None and known.pipeline.watched is not pipeline.watched:
            raise MisuseError(f"streaming pipeline {pipeline.id} of another project is supervised already")

    def add(self, pipeline: StreamingPipeline) -> None:
        """Keep it streaming from now on; one that is kept already is left as it is."""
        self.check(pipeline)
        former = self.charges.get(pipeline.id)
        if former is not None and former.track.desired is STREAMING:
            return
        track = Track(self._rules.start_grace, self._rules.unreachable_after)
        charge = Charge(pipeline, track, Restarts(self._rules.restart), self.mailbox, self._now())
        if former is not None:
            charge.resumes(former)
            self.remove(pipeline.id)
        self.charges[pipeline.id] = charge
        self._join(charge)
        if former is not None:
            self._runtime.watcher.hasten(pipeline.watched)  # whoever adds it again has just changed something
            charge.added_at = self._now()  # later than that: no STOP of before is about the new wish

    def remove(self, pipeline_id: str) -> None:
        """Leave it as it is; unknown ids are ignored."""
        charge = self.charges.pop(pipeline_id, None)
        if charge is not None:
            charge.due = None
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
                    await stop_all(list(self.charges.values()), self._wake)
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
            now = self._now()
            while self._due and self._due[0][0] <= now:
                due, _, charge = heapq.heappop(self._due)
                if charge.due == due:  # else an older entry of one that was taken back
                    charge.due = None
                    charge.idle.clear()
                    commands.start_soon(self._start, charge)
            with anyio.CancelScope(deadline=self._due[0][0] if self._due else float("inf")):
                await self._wake.wait()

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
        charge.waiter = self._runtime.watcher.join(
            charge.pipeline.watched, partial(self._observe, charge), partial(self._unwatched, charge)
        )
        charge.joined = True

    def _let_go(self, charge: Charge) -> None:
        charge.joined = False
        if charge.waiter is not None:
            self._runtime.watcher.leave(charge.waiter)

    def _observe(self, charge: Charge, watched: Watched) -> bool:
        """The predicate of a wait that is never over: every read passes here."""
        if charge.joined and watched.last is not None:
            self._saw(charge, watched, watched.last.word)
        return False

    def _saw(self, charge: Charge, watched: Watched, state: StreamingState) -> None:
        now = self._now()
        charge.shows(state, now)
        asked = charge.was_asked_to_stop(watched, now)
        found = charge.track.see(state, now=now, asked_at=watched.asked_at, asked=asked)
        if found is Meaning.NEEDS_START:
            self._schedule(charge, now)
        elif found is Meaning.DROPPED:
            charge.dropped(now)
            self._schedule(charge, now)
        elif found is Meaning.LOST:
            charge.unreachable(charge.track.unreadable(now), None)
            if charge.due is None and charge.idle.is_set() and not charge.restarts.tries:
                charge.dropped(now)
            self._schedule(charge, now)
        elif found is Meaning.STOPPED_BY_OTHERS:
            respected = self._rules.on_external_stop == "respect"
            charge.was_stopped(now, respected=respected)
            if not respected and state is StreamingState.NOT_RUNNING:
                self._schedule(charge, now)
        elif found is Meaning.STOPPED and charge.stop_sent_at is not None and watched.asked_at >= charge.stop_sent_at:
            charge.stopped = True
            self._wake.set()

    def _unwatched(self, charge: Charge, waiter: Waiter) -> None:
        """A wait ended, which only an error does."""
        charge.waiter, charge.joined = None, False
        error = waiter.error or AssertionError("a wait that is never over was")
        if isinstance(error, StatusUnavailable):
            charge.unreachable(self._runtime.watcher.policy.max_unreachable, error)
            self._join(charge)
        elif isinstance(error, MaiaError) and not isinstance(error, SessionClosed):
            self._give_up(charge, error)
        else:
            self._break(error)

    # restarting

    def _schedule(self, charge: Charge, now: float) -> None:
        """Send START when it is time; once, however often a read asks for it."""
        if charge.due is not None or not charge.idle.is_set() or self._leaving:
            return
        restarts = charge.restarts
        if charge.track.ran and not restarts.may_restart(now):
            self._give_up(charge)
            return
        retriers = sum(other.restarts.tries > 0 for other in self.charges.values()) if restarts.tries else 0
        charge.delay = restarts.delay(now, retriers=retriers) if charge.track.ran or restarts.tries else 0.0
        charge.due = now + charge.delay
        heapq.heappush(self._due, (charge.due, next(self._sequence), charge))
        self._wake.set()

    def _may_start(self, charge: Charge) -> bool:
        kept = charge.track.desired is STREAMING and self.charges.get(charge.pipeline.id) is charge and not self._leaving
        return kept and not (charge.state is not None and (charge.state.is_running or charge.state is StreamingState.STOPPING))

    async def _start(self, charge: Charge) -> None:
        error = await send_start(charge, self._may_start)
        if isinstance(error, SessionClosed):
            self._break(error)
        elif error is not None and self.charges.get(charge.pipeline.id) is charge and charge.is_final(error, self._now()):
            self._give_up(charge, error)

    def _give_up(self, charge: Charge, error: Exception | None = None) -> None:
        charge.given_up(self._now(), error)
        self._wake.set()  # an exit may wait for it


def _closed() -> SessionClosed:
    return SessionClosed("this Maia client was closed while streaming pipelines were supervised; they were left as they are")


def another_client(pipeline: StreamingPipeline) -> MisuseError:
    """The error for a pipeline that is not of the supervisor's client."""
    return MisuseError(f"streaming pipeline {pipeline.id} belongs to another client: one supervisor takes those of one client")
