"""A streaming pipeline as a handle: start it, await it, stop it, change it. Making a handle does no I/O; it restarts nothing by itself.

What a read means for a wait is decided in `stream_wait.py`, what a failed read means in `watching/failures.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Generator
from typing import cast

from attrs import define, field

from maia_async import errors
from maia_async.clock import utc_now
from maia_async.events import StreamingChanged
from maia_async.governor import Lane
from maia_async.models.streaming import StreamingPipelineDefinition, StreamingState, definition_problems
from maia_async.policies import PollPolicy
from maia_async.resources.orders import Order, Orders
from maia_async.resources.runtime import Runtime
from maia_async.resources.stream_wait import START_GRACE, Arrival, Sight, check_seconds, ensured, timeline
from maia_async.watching.failures import ends_wait
from maia_async.watching.pace import stream_interval
from maia_async.watching.watched import Sighting, Watched
from maia_async.wire import streaming
from maia_async.wire.bodies import accepted


@define(slots=True)
class StreamSubject:
    """A streaming pipeline for the watcher. It never ends, so only the waiters' own wishes do.

    All handles of one pipeline share it, so it also holds what else they must share: what was commanded, who supervises it, and who wants
    to hear of reads that failed (a wait hears only of those that end it).
    """

    _runtime: Runtime
    project_id: str
    pipeline_id: str
    orders: Orders = field(factory=Orders)
    supervisor: object | None = None
    on_failure: Callable[[Exception], None] | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Kind, project, pipeline."""
        return ("stream", self.project_id, self.pipeline_id)

    @property
    def listed_in(self) -> None:
        """In no list: the API has no batch form of the status."""
        return

    def listed(self, row: object) -> None:
        """Never asked."""

    async def look(self, in_doubt: Callable[[bool], None]) -> Sight:
        """One status read on the polls' lane."""
        spec = streaming.streaming_pipeline_status(self.project_id, self.pipeline_id)
        asked_at = asyncio.get_running_loop().time()
        try:
            word = await self._runtime.exchange.read(spec, Lane.POLL, streaming.read_state, tries=1, ride_out=True, in_doubt=in_doubt)
        except Exception as error:
            if self.on_failure is not None:
                self.on_failure(error)
            raise
        self._runtime.observers.note_word(word)
        if word.is_running:
            self.orders.ran(asked_at)
        return Sight(word, utc_now())

    def interval(self, policy: PollPolicy, *, age: float, load: float, alike: int) -> float:
        """Every few seconds for a minute after a command, then as their number allows."""
        jitter = random.random()  # noqa: S311 - it spreads load, it protects nothing
        return stream_interval(policy, age=age, load=load, streams=alike, jitter=jitter)

    def ended_by(self, error: Exception, *, since_trigger: float | None) -> bool:
        """As the table of `watching/failures.py` says."""
        return ends_wait(error, since_trigger=since_trigger, grace=self._runtime.watcher.policy.not_found_grace)

    def unavailable(self, watched: Watched, seconds: float) -> Exception:
        """StatusUnavailable."""
        text = f"streaming pipeline {self.pipeline_id} could not be read for {seconds:.0f} s; it may well go on: {watched.failure}"
        return errors.StatusUnavailable(text, execution=self._handle(watched), last_details=watched.value)

    def timed_out(self, watched: Watched, timeout: float) -> Exception:
        """WaitTimeout with the states seen."""
        seen = timeline(watched)
        said = " -> ".join(word.value for word, _ in seen) or "no state seen"
        text = f"streaming pipeline {self.pipeline_id} has not got there after {timeout:g} s: {said}"
        last = watched.value
        return errors.WaitTimeout(text, execution=self._handle(watched), last_details=last, timeline=seen)

    def tell_change(self, watched: Watched, before: Sighting | None) -> None:
        """Tell the observers."""
        if self._runtime.observers and watched.last is not None:
            previous = None if before is None else before.word
            event = StreamingChanged(
                at=utc_now(), project_id=self.project_id, pipeline_id=self.pipeline_id, previous=previous, current=watched.last.word
            )
            self._runtime.observers.emit(event)

    def closed(self) -> Exception:
        """SessionClosed."""
        return errors.SessionClosed(f"this Maia client is closed; streaming pipeline {self.pipeline_id} was left as it is")

    def _handle(self, watched: Watched) -> StreamingPipeline:
        return StreamingPipeline(self._runtime, self.project_id, self.pipeline_id, watched)


@define(slots=True, eq=False, repr=False)
class StreamingPipeline:
    """A streaming pipeline by id. `await pipeline` waits until it is STREAMING.

    Made by `Project.streaming_pipeline`, and by `get` and `create` of `Project.streaming_pipelines`. `watched` is for the package only.
    """

    _runtime: Runtime
    project_id: str
    id: str
    watched: Watched

    def __await__(self) -> Generator[object, None, StreamingState]:
        """The same as `wait_for("STREAMING")`."""
        return self.wait_for(StreamingState.STREAMING).__await__()

    @property
    def runtime(self) -> Runtime:
        """What the handles of one client share; for the package's own use."""
        return self._runtime

    @property
    def subject(self) -> StreamSubject:
        """What all handles of this pipeline share; for the package's own use."""
        return cast("StreamSubject", self.watched.subject)

    @property
    def last_state(self) -> StreamingState | None:
        """The last state that a wait of ours saw, or None."""
        state: StreamingState | None = self.watched.value
        return state

    async def status(self) -> StreamingState:
        """Read the state now. Raises TransportError, ResponseError, DecodeError."""
        spec = streaming.streaming_pipeline_status(self.project_id, self.id)
        word = await self._runtime.exchange.read(spec, Lane.READ, streaming.read_state)
        self._runtime.observers.note_word(word)
        return word

    async def definition(self) -> StreamingPipelineDefinition:
        """Read the definition."""
        spec = streaming.get_streaming_pipeline(self.project_id, self.id)
        return await self._runtime.exchange.read(spec, Lane.READ, streaming.read_definition)

    async def replace(self, definition: StreamingPipelineDefinition) -> StreamingPipelineDefinition:
        """Replace the whole definition; returns it as the API tells it. Raises InvalidRequest with every problem before sending."""
        check_definition(definition)
        spec = streaming.replace_streaming_pipeline(self.project_id, self.id, definition.to_dict())
        return await self._runtime.exchange.read(spec, Lane.TRIGGER, streaming.read_definition)

    async def delete(self) -> None:
        """Delete the pipeline. A 404 after a try of ours whose answer was lost is taken for that try's success."""
        lost = flying = False

        def in_doubt(sent: bool) -> None:
            nonlocal lost, flying
            lost, flying = lost or (sent and flying), sent

        spec = streaming.delete_streaming_pipeline(self.project_id, self.id)
        try:
            accepted(spec, await self._runtime.exchange.call(spec, Lane.TRIGGER, in_doubt=in_doubt))
        except errors.NotFound:
            if not lost:
                raise

    async def start(self) -> None:
        """Ask for START; returns when it is accepted. Raises Conflict when it is running already; `ensure_streaming` sorts that out."""
        await self.order("START")

    async def stop(self) -> None:
        """Ask for STOP; returns when it is accepted. Raises Conflict when it is stopped already; `ensure_stopped` sorts that out."""
        await self.order("STOP")

    async def wait_for(self, *states: str, timeout: float | None = None, start_grace: float = START_GRACE) -> StreamingState:
        """Wait until the pipeline shows one of `states`, and return it. No timeout of ours ends a snapshot, which may take hours.

        Waiting for STREAMING: NOT_RUNNING is no failure until a read later than `start_grace` seconds after the start (or the beginning of
        this wait), unless it was seen running meanwhile; then StreamingStopped. Raises WaitTimeout with `.timeline`, StatusUnavailable,
        Unauthorized, Forbidden, NotFound, SessionClosed, ConfigurationError for no or unknown states.
        """
        check_seconds(timeout=timeout, start_grace=start_grace)
        return await self.arrive(_states(states), timeout=timeout, start_grace=start_grace)

    async def ensure_streaming(self, timeout: float | None = None, *, start_grace: float = START_GRACE) -> None:
        """Start it if it does not run, and wait until it is STREAMING. Doing so again does nothing. start_grace: as in `wait_for`.

        Raises what `wait_for` raises; StreamingStopped when it stops on the way: it is not restarted here, `supervise` does that. Raises
        what `start` raises, too; a Conflict only when the API has refused for a minute what the state calls for.
        """
        self._runtime.owner.home.check()
        await ensured(self, StreamingState.STREAMING, timeout, start_grace)

    async def ensure_stopped(self, timeout: float | None = None) -> None:
        """Stop it if it runs, and wait until it is NOT_RUNNING. Doing so again does nothing. Raises what `wait_for` and `stop` raise.

        A START of this client that may not show yet is stopped, too. A STOP that was accepted and has no effect for a minute is sent again.
        """
        self._runtime.owner.home.check()
        await ensured(self, StreamingState.NOT_RUNNING, timeout)

    @property
    def pause(self) -> float:
        """Seconds between two tries of a command that the API refuses, for `ensure_*`."""
        return self._runtime.watcher.policy.min_interval

    async def arrive(
        self,
        wanted: frozenset[StreamingState] | None,
        *,
        ran: bool = False,
        timeout: float | None = None,
        start_grace: float = START_GRACE,
        stops: bool = False,
    ) -> StreamingState:
        """`wait_for`, for the package's own use.

        wanted: None is any state. ran: it was seen running already. stops: the wait stops the pipeline; see `stream_wait.py`.
        """
        self._runtime.owner.home.check()
        watcher = self._runtime.watcher
        self.watched.keep_changes()
        now = asyncio.get_running_loop().time()
        fresh = watcher.policy.min_interval
        arrival = Arrival(self, wanted, now, ran, self.subject.orders, start_grace=start_grace, fresh=fresh, stops=stops)
        watcher.look_soon(self.watched)
        await watcher.wait(self.watched, arrival, timeout=timeout)
        return arrival.state

    async def order(self, command: streaming.Command, *, in_doubt: Callable[[bool], None] | None = None) -> None:
        """`start` or `stop`, for the package's own use; `in_doubt` is told what `Exchange.call` tells, and may raise to withdraw it."""
        self._runtime.owner.home.check()
        spec = streaming.command_streaming_pipeline(self.project_id, self.id, command)
        orders, now = self.subject.orders, asyncio.get_running_loop().time
        flying: Order | None = None

        def note(sent: bool) -> None:
            nonlocal flying
            if in_doubt is not None:
                in_doubt(sent)
            if flying is not None:
                orders.forget(flying)
            flying = orders.goes_out(command, now()) if sent else None

        failure: BaseException | None = None
        try:
            accepted(spec, await self._runtime.exchange.call(spec, Lane.TRIGGER, in_doubt=note))
        except BaseException as error:
            failure = error
            raise
        finally:
            if flying is not None:
                orders.ended(flying, now(), failure)
            # After a failure, too: it may have landed.
            self._runtime.watcher.hasten(self.watched)
            self.watched.commanded = self.watched.asks

    def __repr__(self) -> str:
        return f"<StreamingPipeline {self.id} {self.last_state or 'not looked at yet'}>"


def stream_of(runtime: Runtime, project_id: str, pipeline_id: str, *, created_at: float | None = None) -> StreamingPipeline:
    """A handle; `created_at` is the loop time of our own create."""
    watched = runtime.watcher.watched(StreamSubject(runtime, project_id, pipeline_id))
    if created_at is not None:
        # `since` as well: nothing is known to take a while, so the first look need not wait for it.
        watched.triggered_at = watched.since = created_at
    return StreamingPipeline(runtime, project_id, pipeline_id, watched)


def check_definition(definition: StreamingPipelineDefinition) -> None:
    """Raise InvalidRequest with every problem of a definition."""
    problems = definition_problems(definition)
    if problems:
        raise errors.InvalidRequest(problems, what="streaming pipeline definition")


def _states(words: tuple[str, ...]) -> frozenset[StreamingState]:
    if not words:
        raise errors.ConfigurationError("name at least one state to wait for, for example 'STREAMING'")
    for word in words:
        if not isinstance(word, str):
            raise errors.ConfigurationError(f"a state must be text, is {word!r}")
    states = frozenset(StreamingState(word) for word in words)
    for state in states:
        if not state.is_known:
            known = ", ".join(member.value for member in StreamingState)
            raise errors.ConfigurationError(f"{state.value!r} is not a state of a streaming pipeline; known are {known}")
    return states
