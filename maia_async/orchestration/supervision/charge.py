"""One supervised pipeline: its track, its restarts, what waits, and the telling of what happens to it. It decides and sends nothing."""

from __future__ import annotations

import asyncio
from datetime import datetime

from attrs import define, field

from maia_async.clock import utc_now
from maia_async.models.streaming import StreamingState
from maia_async.orchestration.supervision.alarms import Alarm
from maia_async.orchestration.supervision.events import (
    ExternallyStopped,
    Flapping,
    GaveUp,
    ReachableAgain,
    RestartAttempted,
    StartAttempted,
    StreamingTransition,
    SupervisedState,
    SupervisorEvent,
    Unreachable,
)
from maia_async.orchestration.supervision.mailbox import Mailbox
from maia_async.orchestration.supervision.refusals import Refusals, Weight, weight_of
from maia_async.orchestration.supervision.restarts import Restarts
from maia_async.orchestration.supervision.transitions import STREAMING, Track, is_readable
from maia_async.resources.streaming import StreamingPipeline
from maia_async.watching.watched import NEVER, Waiter


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@define(eq=False, slots=True)
class Charge:
    """What a supervisor keeps of one pipeline. Times are the loop's, but for `since`."""

    pipeline: StreamingPipeline
    track: Track
    restarts: Restarts
    mailbox: Mailbox
    added: int  # what this client had commanded by then is not about the wish to keep it streaming (`Orders.mark`)
    waiter: Waiter | None = None
    joined: bool = False  # from now on reads count: what was seen before is no news
    state: StreamingState | None = None
    since: datetime | None = None
    shown_at: float = 0.0
    read_at: float = NEVER  # when the last read went out
    alarms: dict[Alarm, float] = field(factory=dict)
    delay: float = 0.0  # what was waited, or is, before a START
    idle: asyncio.Event = field(factory=_set)  # no START is under way
    news: asyncio.Event = field(factory=asyncio.Event)  # something was read, for an exit that stops all
    reads_refused: Refusals = field(factory=Refusals)
    starts_refused: Refusals = field(factory=Refusals)
    failing_since: float | None = None  # its reads fail
    failure: Exception | None = None  # why the last one did
    refused: bool = False  # its reads were refused for good
    gave_up: bool = False
    stop_told: bool = False
    unreachable_told: bool = False
    stop_accepted: bool = False  # the supervisor's own, on exit
    stopped: bool = False  # an exit that stops all need not wait for it
    last_event: SupervisorEvent | None = None

    def resumes(self, former: Charge) -> None:
        """Go on from what `former` of the same pipeline has seen."""
        self.state, self.since, self.shown_at, self.last_event = former.state, former.since, former.shown_at, former.last_event

    def begins_anew(self, restarts: Restarts, added: int) -> None:
        """Be kept again, while its START is under way."""
        self.restarts, self.added, self.track.desired = restarts, added, STREAMING
        self.reads_refused, self.starts_refused, self.failing_since, self.failure = Refusals(), Refusals(), None, None
        self.refused = self.gave_up = self.stopped = self.stop_told = self.unreachable_told = False

    def snapshot(self, now: float) -> SupervisedState:
        """What `Supervisor.states` shows."""
        return SupervisedState(
            state=self.state,
            since=self.since,
            restarts=self.restarts.count(now),
            desired=self.track.desired,
            gave_up=self.gave_up,
            last_event=self.last_event,
        )

    def was_asked_to_stop(self) -> bool:
        """Whether this client, but not the supervisor, sent a STOP that may have an effect."""
        return self.pipeline.subject.orders.stop_asked(grace=self.track.start_grace, after=self.added)

    def start_pends(self, asked_at: float) -> bool:
        """Whether this client, whoever of it, sent a START that a read that went out at `asked_at` need not show."""
        return self.pipeline.subject.orders.start_pends(asked_at, grace=self.track.start_grace)

    def weight_of(self, error: Exception, now: float, *, of_start: bool) -> Weight:
        """What an error says about the next try."""
        created = self.pipeline.watched.triggered_at
        ends = self.pipeline.subject.ended_by(error, since_trigger=None if created is None else now - created)
        return weight_of(error, ends_wait=ends, of_start=of_start)

    # what happens to it, noted and told

    def shows(self, state: StreamingState, now: float) -> None:
        """A read shows `state`."""
        self.failing_since = self.failure = None
        self.alarms.pop(Alarm.TELL, None)
        self.reads_refused.over()
        if state != self.state:
            at = utc_now()
            spent = None if self.state is None else now - self.shown_at
            self._tell(StreamingTransition(at=at, pipeline_id=self.pipeline.id, previous=self.state, current=state, duration=spent))
            self.state, self.since, self.shown_at = state, at, now
        if state.is_running:
            self.restarts.runs()
            self.starts_refused.over()
            self.alarms.pop(Alarm.START, None)
            self.stop_told = False
        if self.unreachable_told and is_readable(state):
            self.unreachable_told = False
            self._tell(ReachableAgain(at=utc_now(), pipeline_id=self.pipeline.id, current=state))

    def dropped(self, now: float) -> None:
        """It stopped by itself, or as good as that."""
        if drops := self.restarts.dropped(now):
            self._tell(Flapping(at=utc_now(), pipeline_id=self.pipeline.id, drops=drops, within=self.restarts.policy.within))

    def was_stopped(self, now: float, *, respected: bool) -> None:
        """Somebody else stops it, or has: told once, however many reads say so."""
        if not self.stop_told:
            self.stop_told = True
            self._tell(ExternallyStopped(at=utc_now(), pipeline_id=self.pipeline.id, respected=respected))
            if not respected:
                self.dropped(now)
        if respected:
            self._let_be()

    def unreachable(self, seconds: float, error: Exception | None) -> None:
        """Nobody could say for `seconds` what it does: told once, until somebody can."""
        if not self.unreachable_told:
            self.unreachable_told = True
            self._tell(Unreachable(at=utc_now(), pipeline_id=self.pipeline.id, seconds=seconds, error=error))

    def tried(self, *, first: bool, attempt: int, accepted: bool | None, error: Exception | None) -> None:
        """A START ended."""
        at, name = utc_now(), self.pipeline.id
        if first:
            self._tell(StartAttempted(at=at, pipeline_id=name, accepted=accepted, error=error))
        else:
            self._tell(RestartAttempted(at=at, pipeline_id=name, attempt=attempt, accepted=accepted, error=error, delay=self.delay))

    def given_up(self, now: float, error: Exception | None = None) -> None:
        """It is started no more: told once."""
        self._let_be()
        self.stopped = True
        self.news.set()
        if not self.gave_up:
            self.gave_up = True
            restarts, within = self.restarts.count(now), self.restarts.policy.within
            self._tell(GaveUp(at=utc_now(), pipeline_id=self.pipeline.id, restarts=restarts, within=within, error=error))

    def _let_be(self) -> None:
        self.track.desired = None
        self.alarms.pop(Alarm.START, None)

    def _tell(self, event: SupervisorEvent) -> None:
        self.last_event = event
        self.mailbox.put(event)
