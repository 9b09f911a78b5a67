"""Starts runs: each request at most once, and never with a guessed id. It owns the tasks for that, and waits for no end of a run.

Each request is seen to by a task that the client owns, so that a cancelled caller does not tear it off half-way:

    the caller is cancelled while the request      then
    has not gone out                               it is withdrawn; nothing was started
    is in doubt (sent, no usable answer)           the task goes on for at most 10 s, look-ups included; the observers get
                                                   TriggerAbandoned with the id, or with the error when it may have started and no id came
    was answered at that very moment               the observers get TriggerAbandoned with the id

A caller may also take a request back and stay (`Call.withdraw`): one that is in doubt is then looked up as any other, and not sent again.

A POST that gets no usable answer puts its lane (project, environment, pipeline) on hold: no new POST goes out there, those that are out
are awaited, the list of executions is read, and `decision.py` says what may be concluded. Other lanes are not concerned. An answer with
an id that another request of this client has is no usable answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from maia_async.clock import utc_now
from maia_async.errors import DecodeError, InvalidRequest, MaiaError, MisuseError, SessionClosed, TriggerOutcomeUnknown
from maia_async.events import ExecutionTriggered, TriggerAbandoned, TriggerRecovered
from maia_async.exchange import Exchange, server_time_at
from maia_async.governor import Lane as Budget
from maia_async.logs import logger
from maia_async.models import AUTO, ExecutionRequest
from maia_async.models.request import is_auto_tag
from maia_async.observers import Observers
from maia_async.orchestration.trigger.call import Call, Held, LaneHeld, Withdrawn
from maia_async.orchestration.trigger.cases import earlier_case, new_case
from maia_async.orchestration.trigger.decision import Adopt, End, SendAgain, Stands, Unknown, Verdict, end_of
from maia_async.orchestration.trigger.lanes import Case, Lane, LaneKey, Lanes, Sent, key_of
from maia_async.orchestration.trigger.lookup import Lookup
from maia_async.orchestration.trigger.resolver import Patience, Resolver
from maia_async.orchestration.trigger.siblings import siblings_at
from maia_async.resources.runtime import Begun
from maia_async.tasks import TaskOwner, done, settle
from maia_async.wire import codec, operations
from maia_async.wire.bodies import decoded

FRESH = 10.0  # seconds by which `Sent` may precede its POST: who writes it down for another process renews it before a later attempt
LONGEST = 60.0  # seconds for which a gateway may hold a POST


class TriggerDesk:
    """Every POST that starts a run goes out from here. `counts` says how often a request was in doubt, and what came of it."""

    def __init__(self, *, exchange: Exchange, owner: TaskOwner, observers: Observers, patience: Patience) -> None:
        self.counts: Counter[str] = Counter()
        self._exchange = exchange
        self._owner = owner
        self._observers = observers
        self._patience = patience
        # Seconds from `Sent` for which the POST of a process that is gone, with the same timeouts, may still have been on its way.
        self._under_way = max(LONGEST, patience.attempt) + FRESH
        self._lookup = Lookup(exchange)
        self._siblings = siblings_at(exchange.base_url, Lanes())
        self._lanes = Lanes(lambda: owner.home.is_over, self._siblings.tidy)
        self._siblings.join(self._lanes)
        self._calls: set[Call] = set()
        self._closed = False

    async def start(self, project_id: str, request: ExecutionRequest) -> Begun:
        """Start one run; raises as `Project.execute` says."""
        call = self.submit(project_id, request)
        try:
            await done(call.task)
        except asyncio.CancelledError:
            self._abandon(call)
            raise
        failure = call.failure()
        if failure is not None:
            raise failure
        return Begun(call.task.result(), call.began)

    def submit(
        self,
        project_id: str,
        request: ExecutionRequest,
        *,
        ended: Callable[[Call], None] | None = None,
        earlier: Sent | None = None,
        announce: Callable[[], Awaitable[None]] | None = None,
        gives_back: bool = False,
    ) -> Call:
        """Put a request on its way without waiting for it; `ended` is told when its task is done. Raises InvalidRequest before that.

        earlier: its POST went out in an earlier process, and no id is known: it is looked up before anything is sent.
        announce: awaited before each attempt, after all waiting for tokens, budget and look-ups.
        gives_back: it fails with LaneHeld instead of waiting for its lane.
        """
        if self._closed:
            raise SessionClosed
        problems = request.problems()
        if problems:
            raise InvalidRequest(problems, what="execution request")
        self._owner.home.check()
        lane = self._lanes.of(key_of(project_id, request))
        call = Call(project_id, request.with_tag(), lane, self._exchange, ended, announce, gives_back)
        if request.execution_tag is not AUTO:  # a tag that is new was given up by nobody, and every lane would be asked for it
            call.gone = self._siblings.take_back(request.execution_tag)
        if earlier is not None:
            if request.execution_tag is AUTO:
                raise MisuseError("a request that was sent before must have the tag that it was sent with")
            call.case, call.in_doubt = self._earlier(call, earlier), True
        call.task = self._owner.start(self._run(call), name="trigger", finishes=True, ended=partial(self._over, call))
        lane.calls += 1
        self._calls.add(call)
        if call.case is not None:
            known = self._siblings.run_of(call.request.execution_tag)
            if known is not None:
                call.case.verdict.set_result(Adopt(known))
            else:  # at once: a request that is submitted next must find its lane held
                self._look_up(lane, call.case)
        return call

    # what others ask and tell

    def know(self, project_id: str, environment_name: str, pipeline_name: str, ids: Iterable[str]) -> None:
        """These ids are ours: of a journal, or re-attached to."""
        lane = self._lanes.of((project_id, environment_name, pipeline_name))
        now = asyncio.get_running_loop().time()
        for execution_id in ids:
            lane.know(execution_id, -float("inf"), now)

    def doubt(self, project_id: str, request: ExecutionRequest, earlier: Sent) -> None:
        """An earlier process did not find out what became of this request: a run of it may still show, as if this one had given it up."""
        now = asyncio.get_running_loop().time()
        age = 0.0 if earlier.wall is None else max(0.0, utc_now().timestamp() - earlier.wall - self._under_way)
        lane = self._lanes.of(key_of(project_id, request))
        lane.give_up(request, sent=now - age, start=earlier.at, now=now - age)

    @property
    def closed(self) -> bool:
        """Whether the client is being closed: what is in doubt then was not looked for to the end."""
        return self._closed

    def has_room(self, key: LaneKey, most: float) -> bool:
        """Whether a POST of this lane may be announced where at most so many of all that this client sends may be unacknowledged."""
        lane = self._lanes.get(key)
        return lane is None or lane.has_room(most)

    def on_ease(self, key: LaneKey, callback: Callable[[], None]) -> None:
        """Call back once, when there may be more room in this lane than now. It must not raise."""
        self._lanes.of(key).on_ease(callback)

    def announced(self, key: LaneKey) -> None:
        """A journal is going to announce a POST of this lane."""
        self._lanes.of(key).announced += 1

    def acknowledged(self, key: LaneKey) -> None:
        """The journal knows what came of it, or it will not be sent."""
        lane = self._lanes.of(key)
        lane.announced -= 1
        lane.ease()

    # one request

    async def _run(self, call: Call) -> str:
        lane, case = call.lane, call.case
        while True:
            if case is not None:
                verdict = await _verdict(case)
                if isinstance(verdict, Adopt):
                    self.counts["adopted"] += 1
                    call.began = case.sent
                    return self._started(call, verdict.execution_id, adopted=True)
                if isinstance(verdict, Stands) and case.cause is not None:
                    raise case.cause
                if not isinstance(verdict, SendAgain):
                    self.counts["unknown"] += 1
                    assert isinstance(verdict, Unknown)  # noqa: S101 - LOOK_AGAIN is told to nobody
                    raise call.unknown(verdict.reason, verdict.candidates)
                self.counts["sent again"] += 1
            try:
                execution_id = await self._post(call)
            except Exception as caught:  # noqa: BLE001 - the first table of decision.py is about any error; a case keeps it as its cause
                error = caught
            else:
                call.began = asyncio.get_running_loop().time()
                lane.know(execution_id, call.sent, call.began)
                if call.announce is not None:
                    lane.know_run(call.request.execution_tag, execution_id, call.sent)
                call.land()
                return self._started(call, execution_id)
            end = end_of(error, out=call.out, doubted=case is not None, auto=is_auto_tag(call.request.execution_tag))
            if case is not None and error is call.withdrawn:
                raise call.unknown("it was withdrawn before it could be sent again")
            if end is End.FAILED:
                call.in_doubt = call.out
                raise error
            case = self._doubt(call, error, end)

    async def _post(self, call: Call) -> str:
        spec = operations.execute_pipeline(call.project_id, codec.encode_request(call.request))
        while True:
            call.out = False
            if call.case is None and call.lane.held:
                if call.gives_back:
                    raise LaneHeld("its pipeline and environment are held until an earlier trigger is found out")
                await self._release_of(call.lane)
                continue
            try:
                reply = await self._exchange.call(spec, Budget.TRIGGER, in_doubt=call.doubt, announce=call.announce)
            except Held:
                continue
            execution_id = decoded(spec, reply, codec.started_id)
            if self._lanes.has(codec.plain_id(execution_id)):
                problems = [f"$: execution {execution_id} is another request's, as from a stale cache"]
                raise DecodeError(problems, method=spec.method, path=spec.path, status=reply.status)
            return execution_id

    async def _release_of(self, lane: Lane) -> None:
        released: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not released.done():  # its call was withdrawn meanwhile
                released.set_result(None)

        lane.on_release(wake)
        await released

    def _started(self, call: Call, execution_id: str, *, adopted: bool = False) -> str:
        case = call.case
        if self._observers:
            event = ExecutionTriggered(at=utc_now(), project_id=call.project_id, execution_id=execution_id, request=call.request)
            self._observers.emit(event)
        if case is not None:
            seconds = asyncio.get_running_loop().time() - case.sent
            logger.info("a trigger in doubt was found out after %.1f s: execution %s", seconds, execution_id)
            recovered = TriggerRecovered(
                at=utc_now(),
                project_id=call.project_id,
                execution_id=execution_id,
                request=call.request,
                adopted=adopted,
                sends=case.sends + (not adopted),
                looks=case.looks,
                seconds=seconds,
            )
            self._observers.emit(recovered)
        return execution_id

    # in doubt

    def _doubt(self, call: Call, error: Exception, end: End) -> Case:
        """Its POST got no usable answer, or one that does not tell what became of it or of an earlier one: have it looked up."""
        case, now = call.case, asyncio.get_running_loop().time()
        sent = server_time_at(call.dated, call.sent)
        if case is None:
            self.counts["in doubt"] += 1
            gone, call.gone = call.gone, None
            call.case = case = new_case(call, sent=gone.sent if gone else call.sent, start=gone.start if gone else sent)
            case.sends += gone is not None
        else:
            case.sends += 1
            case.verdict = asyncio.get_running_loop().create_future()
        case.cause, case.last = error, end
        if end in {End.DOUBTED, End.PROVEN}:  # of one that did not land nothing is waited for: what is left of the first one's time is
            case.ended = now
            case.latest = case.latest if case.sends == 1 else None  # that was for the POST of an earlier process
        if end is End.PROVEN:
            case.proven = int(sent or 0)
        self._look_up(call.lane, case)
        call.land()
        return case

    def _earlier(self, call: Call, earlier: Sent) -> Case:
        self.counts["in doubt"] += 1
        return earlier_case(call, earlier, server_now=self._exchange.server_date(), under_way=self._under_way, settle=self._patience.settle)

    def _look_up(self, lane: Lane, case: Case) -> None:
        lane.add(case)
        if lane.resolver is None:
            self._resolve(lane)

    def _resolve(self, lane: Lane) -> None:
        resolver = Resolver(lane, self._lookup, self._patience, self._exchange.server_date, self._siblings)
        try:
            lane.resolver = self._owner.start(resolver.run(), name="trigger look-up", ended=partial(self._resolved, lane, resolver))
        except SessionClosed as error:
            resolver.failed(error)
            lane.release()

    def _resolved(self, lane: Lane, resolver: Resolver, task: asyncio.Task[None]) -> None:
        bug = None if task.cancelled() else task.exception()
        if bug is not None:
            resolver.failed(bug)
        elif lane.cases:  # it was ended for want of any in the very step in which this one came
            self._resolve(lane)
            return
        lane.release()

    # the end

    def _over(self, call: Call, task: asyncio.Task[str]) -> None:
        self._calls.discard(call)
        lane = call.lane
        lane.calls -= 1
        if task.cancelled() or task.exception() is not None:
            self._remember(call)
        call.land()
        if call.case is not None:
            lane.leave(call.case)
        if lane.resolver is not None and not lane.cases and not lane.flying:
            lane.resolver.cancel()
        lane.ease()
        if call.ended is not None:
            call.ended(call)

    def _remember(self, call: Call) -> None:
        """A run of it may still show: it must not be taken for another's."""
        case, gone = call.case, call.gone
        lost = isinstance(call.failure(), TriggerOutcomeUnknown)
        if not (lost or case is not None or gone is not None):
            return
        sent, start = (call.sent, server_time_at(call.dated, call.sent)) if case is None else (case.sent, case.start)
        if gone is not None:
            sent, start = gone.sent, gone.start
        call.lane.give_up(call.request, sent=sent, start=start, now=asyncio.get_running_loop().time())

    async def aclose(self) -> None:
        """Withdraw what has not gone out, and give the rest its 10 s. Callers that still wait get their answer, or the error."""
        self._closed = True
        for call in self._calls:
            call.hurry(SessionClosed())
        await settle(*(call.task for call in self._calls))
        self._siblings.leave(self._lanes)

    def _abandon(self, call: Call) -> None:
        reason: MaiaError = Withdrawn("its caller was cancelled before it was sent")

        async def see_to_it() -> None:
            await call.conclude(reason)
            self._tell(call)

        if call.task.done():
            self._tell(call)
        elif call.in_doubt:
            _ = self._owner.start(see_to_it(), name="abandoned trigger", finishes=True)
        else:
            call.hurry(reason)

    def _tell(self, call: Call) -> None:
        failure = call.failure()
        if failure is not None and not isinstance(failure, TriggerOutcomeUnknown):
            return  # nothing was started
        execution_id = None if failure is not None else call.task.result()
        error = None if failure is None else str(failure)
        logger.warning("execute() was cancelled after its POST had gone out: %s", failure or f"execution {execution_id} was started")
        event = TriggerAbandoned(at=utc_now(), project_id=call.project_id, request=call.request, execution_id=execution_id, error=error)
        self._observers.emit(event)


async def _verdict(case: Case) -> Verdict:
    """What is decided about it. An id that is found in the very step in which its time is up is not thrown away."""
    verdict = case.verdict
    try:
        return await verdict
    except asyncio.CancelledError:
        if verdict.done() and not verdict.cancelled() and isinstance(found := verdict.result(), Adopt):
            return found
        raise
