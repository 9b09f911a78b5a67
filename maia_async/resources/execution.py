"""One pipeline execution as a handle: await it, watch it, cancel it, hand it over. Making a handle does no I/O.

How it is watched is the watcher's business; what a failed read means for a wait: `watching/failures.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import anyio
from attrs import define

from maia_async import errors
from maia_async.clock import utc_now
from maia_async.events import ExecutionChanged
from maia_async.governor import Lane
from maia_async.models import ExecutionDetails, ExecutionRequest, ExecutionStatus, ExecutionStep
from maia_async.policies import PollPolicy
from maia_async.resources.awaiting import Awaiting, result_of
from maia_async.resources.ending import Ending, OnEnd, check_options
from maia_async.resources.handover import about, recall, reference_of, referred
from maia_async.resources.lists import pager
from maia_async.resources.pager import Pager
from maia_async.resources.runtime import Runtime
from maia_async.resources.sightings import Listed, Seen, listed
from maia_async.resources.watch import Watch
from maia_async.watching.failures import ends_wait
from maia_async.watching.pace import run_interval
from maia_async.watching.watched import Watched
from maia_async.wire import codec, operations
from maia_async.wire.bodies import accepted, decoded
from maia_async.wire.paging import PAGE_SIZE


@define(slots=True, weakref_slot=False)
class ExecutionSubject:
    """An execution for the watcher."""

    _runtime: Runtime
    project_id: str
    execution_id: str

    @property
    def key(self) -> tuple[str, ...]:
        """Kind, project, execution."""
        return ("execution", self.project_id, self.execution_id)

    async def look(self, in_doubt: Callable[[bool], None]) -> Seen:
        """One details read on the polls' lane."""
        spec = operations.execution_details(self.project_id, self.execution_id)
        reply = await self._runtime.exchange.call(spec, Lane.POLL, tries=1, ride_out=True, in_doubt=in_doubt)
        return decoded(spec, reply, partial(self._decode, reply.body))

    @property
    def listed_in(self) -> str:
        """Its project."""
        return self.project_id

    def listed(self, row: Any) -> Listed | None:
        """A row of the list of executions, whose fields are those of the details."""
        try:
            word = codec.peek(row)
            whole = None
            if word.is_terminal:
                whole = codec.details(row, project_id=self.project_id, execution_id=self.execution_id, salvage=True)
        except errors.DecodeError:
            return None
        self._runtime.observers.note_word(word)
        return listed(word) if whole is None else Listed(word, whole)

    def interval(self, policy: PollPolicy, *, age: float, load: float, alike: int) -> float:  # noqa: ARG002 - runs do not count their kind
        """Young runs sooner, old ones later."""
        return run_interval(policy, age=age, load=load)

    def ended_by(self, error: Exception, *, since_trigger: float | None) -> bool:
        """As the table of `watching/failures.py` says."""
        return ends_wait(error, since_trigger=since_trigger, grace=self._runtime.watcher.policy.not_found_grace)

    def unavailable(self, watched: Watched, seconds: float) -> Exception:
        """StatusUnavailable."""
        handle = self._handle(watched)
        seen = handle.last_details
        state = f"last seen {seen.status.value}" if seen is not None else "never seen"
        text = f"execution {self.execution_id} could not be read for {seconds:.0f} s ({state}); it may well go on: {watched.failure}"
        return errors.StatusUnavailable(text, execution=handle, last_details=seen)

    def timed_out(self, watched: Watched, timeout: float) -> Exception:
        """WaitTimeout."""
        handle = self._handle(watched)
        seen = handle.last_details
        state = seen.status.value if seen is not None else "not seen yet"
        text = f"execution {self.execution_id} has not ended after {timeout:g} s: {state}"
        return errors.WaitTimeout(text, execution=handle, last_details=seen)

    def closed(self) -> Exception:
        """SessionClosed with the id."""
        return errors.SessionClosed(execution_id=self.execution_id)

    def tell_change(self, watched: Watched, before: Any) -> None:
        """Note how late an end is seen; tell the observers when the status is another one than `before`."""
        last = watched.last
        if last is None:
            return
        server = self._runtime.exchange.server_time() if last.ends else None
        finished = watched.value.finished_at if last.ends else None
        if server is not None and finished is not None and watched.since is not None:
            waited = asyncio.get_running_loop().time() - watched.since
            self._runtime.watcher.lags.append(min(max(0.0, server - finished.timestamp()), waited))
        observers = self._runtime.observers
        previous = None if before is None else before.word
        if observers and last.word != previous:
            observers.emit(
                ExecutionChanged(
                    at=utc_now(), project_id=self.project_id, execution_id=self.execution_id, previous=previous, current=last.word
                )
            )

    def _handle(self, watched: Watched) -> PipelineExecution:
        return PipelineExecution(self._runtime, watched)

    def _decode(self, body: bytes, data: Any) -> Seen:
        word = codec.peek(data)
        # An end that is about another execution fails here, where it is ridden out: the next answer may be ours.
        whole = None
        if word.is_terminal:
            whole = codec.details(data, project_id=self.project_id, execution_id=self.execution_id, salvage=True)
        seen = Seen(word, body, whole)
        self._runtime.observers.note_word(seen.word)
        return seen


@define(slots=True, eq=False, repr=False)
class PipelineExecution:
    """A run of a pipeline. `await execution` waits for its end and returns ExecutionDetails, or raises unless it is SUCCESS.

    Made by `Project.execute` and `Project.execution`. Two handles of one id share what is known of it: `watched`, for the package only.
    """

    _runtime: Runtime
    watched: Watched

    @property
    def project_id(self) -> str:
        """The project that it runs in."""
        return self.watched.subject.key[1]

    @property
    def id(self) -> str:
        """The execution's id."""
        return self.watched.subject.key[2]

    def __await__(self) -> Generator[Any, None, ExecutionDetails]:
        """The same as `wait()`."""
        return Awaiting(self._runtime.watcher, self)

    @property
    def reference(self) -> str:
        """The run as a line of JSON without secrets, for `Maia.execution_from` in another process: ids, region, and hints for lists.

        Raises InvalidRequest for an id that no path can hold.
        """
        return reference_of(self.watched, base_url=self._runtime.exchange.base_url, project_id=self.project_id, execution_id=self.id)

    @property
    def last_details(self) -> ExecutionDetails | None:
        """The last details that any wait or read of ours saw, or None."""
        found: ExecutionDetails | None = self.watched.value
        return found

    async def wait(
        self, timeout: float | None = None, *, check: bool = True, on_cancel: OnEnd = "leave", on_timeout: OnEnd = "leave"
    ) -> ExecutionDetails:
        """Wait for the end of the run.

        timeout: seconds; then WaitTimeout after a last look. check: raise ExecutionUnsuccessful unless SUCCESS.
        on_cancel, on_timeout: what becomes of the run when this wait is cancelled or times out. "cancel" cancels it, too (within 10 s);
        "confirm" also awaits its end, all within 60 s: after a timeout an end that came is returned or raised as what it is.
        Raises ExecutionUnsuccessful, WaitTimeout, StatusUnavailable, Unauthorized, Forbidden, NotFound, SessionClosed, each with
        `execution` and `reference`.
        """
        check_options(timeout=timeout, on_cancel=on_cancel, on_timeout=on_timeout)
        ending = Ending(self._runtime, self.watched, self.id, self.cancel, partial(self._cancel_or_look, force=False))
        try:
            await ending.wait(timeout, on_cancel=on_cancel, on_timeout=on_timeout)
        except errors.MaiaError as error:
            raise about(error, self) from error.__cause__
        return result_of(self, check=check)

    def watch(self) -> Watch:
        """An iterator over every observed change, as ExecutionDetails; it ends after the one that ends the run."""
        return Watch(self._runtime.watcher, self.watched, self)

    async def details(self) -> ExecutionDetails:
        """Read the details now. Raises TransportError, ResponseError, DecodeError."""
        spec = operations.execution_details(self.project_id, self.id)

        def decode(data: Any) -> ExecutionDetails:
            return codec.details(data, project_id=self.project_id, execution_id=self.id)

        found = await self._runtime.exchange.read(spec, Lane.READ, decode)
        self._runtime.observers.note_word(found.status)
        return found

    async def status(self) -> ExecutionStatus:
        """Read the status now. Where the status-only operation is not served, the details are read."""
        if not self._runtime.status_is_served:
            return (await self.details()).status
        spec = operations.execution_status(self.project_id, self.id)
        try:
            word = await self._runtime.exchange.read(spec, Lane.READ, codec.status_only)
        except errors.DecodeError:
            pass  # its answer is not documented
        except errors.ResponseError as error:
            if error.status not in {404, 405, 501}:
                raise
        else:
            self._runtime.observers.note_word(word)
            return word
        found = await self.details()
        self._runtime.status_is_served = False  # the run exists, so it is the operation that does not
        return found.status

    def steps(self, *, page_size: int = PAGE_SIZE) -> Pager[ExecutionStep]:
        """The steps so far; `child_pipeline` leads to executions that a step started."""
        return pager(
            self._runtime,
            lambda query: operations.execution_steps(self.project_id, self.id, query),
            ExecutionStep,
            lambda step: step.id,
            size=page_size,
        )

    async def cancel(self, *, force: bool = False) -> None:
        """Ask Maia to cancel the run (`force`: forcefully). Returns when the request is accepted, not when the run has ended.

        What a finished run answers is not documented: expect Conflict, BadRequest or NotFound; `cancel_and_confirm` sorts it out.
        So does a run that has ended by an earlier try of ours, whose answer was lost. Raises DecodeError for a page with 2xx.
        """
        spec = operations.cancel_execution(self.project_id, self.id, force=force)
        accepted(spec, await self._runtime.exchange.call(spec, Lane.CANCEL))
        self._runtime.watcher.hasten(self.watched)

    async def cancel_and_confirm(self, timeout: float = 60.0, *, force: bool = False) -> ExecutionDetails:
        """Cancel, then wait at most `timeout` seconds for the end. A run that had finished before is returned as what it is.

        Raises WaitTimeout when it has not ended, and the refusal of the cancel when the run goes on.
        """
        self._runtime.owner.home.check()
        check_options(timeout=timeout)
        deadline = anyio.current_time() + timeout
        found: ExecutionDetails | None = None
        with anyio.CancelScope(deadline=deadline) as scope:
            found = await self._cancel_or_look(force=force)
        if scope.cancelled_caught:
            raise self.watched.subject.timed_out(self.watched, timeout)
        if found is not None and found.is_terminal:
            return found
        return await self.wait(max(0.0, deadline - anyio.current_time()), check=False)

    async def _cancel_or_look(self, *, force: bool) -> ExecutionDetails | None:
        """Cancel; when that is refused, the details that say why. Raises the refusal when they do not."""
        try:
            await self.cancel(force=force)
        except errors.ResponseError as error:
            if error.status in {401, 403, 429} or error.status >= 500:
                raise
            found = await self.details()
            if not found.is_terminal and found.status is not ExecutionStatus.CANCELLING:
                raise
            return found
        return None

    def __repr__(self) -> str:
        last = self.watched.last
        return f"<PipelineExecution {self.id} {'not looked at yet' if last is None else last.word}>"


def handle_of(
    runtime: Runtime, project_id: str, execution_id: str, *, triggered_at: float | None = None, request: ExecutionRequest | None = None
) -> PipelineExecution:
    """A handle; `triggered_at` is the loop time at which our own trigger began it (see `Begun`), and `request` what it asked for."""
    watched = runtime.watcher.watched(ExecutionSubject(runtime, project_id, execution_id))
    if triggered_at is not None:
        watched.triggered_at = triggered_at
        server = runtime.exchange.server_time()
        watched.start = None if server is None else int(server - (asyncio.get_running_loop().time() - triggered_at))
        watched.names = None if request is None else codec.names_of(request.pipeline_name, request.environment_name)
    return PipelineExecution(runtime, watched)


def handle_from(runtime: Runtime, text: str) -> PipelineExecution:
    """Re-attach by a reference; see `Maia.execution_from`."""
    reference = referred(text, base_url=runtime.exchange.base_url)
    execution = handle_of(runtime, reference.project_id, reference.execution_id)
    recall(execution.watched, reference)
    return execution
