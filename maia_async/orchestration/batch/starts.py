"""Brings each request of a batch to a started run, or to the error that ends it. It awaits no run, and records nothing itself.

A request is in one of these places, moved by callbacks alone, since a task for each would cost more than the rest of its way:

    in                 until                                               then
    its lane           the lane is free, or the batch stops                a POST, or Withdrawn
    the journal        its intent is durable                               a POST, or Withdrawn when the batch stopped meanwhile
    a POST             it is answered                                      as `hold.py` says: started, failed, or one of the two below
    the journal        its id is durable                                   started
    the hold           the shared pause is over, or the batch stops        the next POST, or the error that held it
    a conflict         its own pause is over, or the batch stops           the next POST, or Withdrawn
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from attrs import define, field

from maia_async.backoffs import jittered
from maia_async.errors import RateLimited
from maia_async.governor import Lane as Budget
from maia_async.models import ExecutionRequest
from maia_async.orchestration.batch.book import Book
from maia_async.orchestration.batch.hold import Hold, Step, step_after
from maia_async.orchestration.batch.lanes import Lanes
from maia_async.orchestration.batch.ledger import Live
from maia_async.orchestration.batch.rules import Rules
from maia_async.orchestration.trigger import Call, LaneHeld, Sent, TriggerDesk, Withdrawn
from maia_async.resources.project import Project
from maia_async.tasks import settle
from maia_async.wire import operations

logger = logging.getLogger("maia_async")
MAX_TRIGGERS: Final = 64  # POSTs under way at once: with 0.3 s of latency four times what the API's rate needs


@define(eq=False, slots=True)
class Delay:
    """What is remembered of a request whose POST has to be made again."""

    timer: asyncio.TimerHandle | None = None
    held: Exception | None = None  # why it was held: that says more than that it was withdrawn
    give_up: float | None = None  # when a conflict is waited for no longer
    pauses: Iterator[float] = field(factory=lambda: jittered(1.0, 30.0))


@define(eq=False)
class Starts:
    """The POSTs of one batch. `started` and `failed` are told once for each request; `broken` of a bug, or of a journal's failure."""

    _project: Project
    _rules: Rules
    _room: asyncio.Event
    _started: Callable[[Live, str], None]
    _failed: Callable[[Live, Exception], None]
    _broken: Callable[[Exception], None]
    hold: Hold
    _book: Book | None = None
    _most_unacknowledged: float = float("inf")
    lanes: Lanes = field(init=False)
    _delays: dict[Live, Delay] = field(factory=dict)
    _under_way: int = 0
    _stopping: bool = False
    _ended: bool = False
    _asked: bool = False

    def __attrs_post_init__(self) -> None:
        self.lanes = Lanes(self._project.id, self._desk, self._room, self._most_unacknowledged)

    @property
    def full(self) -> bool:
        """Whether no other request should be taken from the input now."""
        return self.hold.on or self.crowded

    @property
    def crowded(self) -> bool:
        """Whether no other request should be begun now. In a hold those that were taken may be: only their answers can end it."""
        return self._under_way >= MAX_TRIGGERS

    @property
    def closed(self) -> bool:
        """Whether the client is being closed."""
        return self._desk().closed

    def begin(self, live: Live) -> None:
        """Bring it on its way."""
        if self._stopping:
            self._failed(live, withdrawn())
        elif not self._waits(live, self.hold.until) and (live.lane is not None or not self.lanes.parks(live)):
            self._post(live)

    def know(self, started: Mapping[tuple[str, str], list[str]]) -> None:
        """These ids are ours, by environment and pipeline: an earlier process has started them."""
        for (environment_name, pipeline_name), ids in started.items():
            self._desk().know(self._project.id, environment_name, pipeline_name, ids)

    def doubt(self, request: ExecutionRequest, earlier: Sent) -> None:
        """Nobody knows what became of this request of an earlier process: its run must not be taken for another's."""
        self._desk().doubt(self._project.id, request, earlier)

    async def learn_time(self) -> None:
        """Have the API tell its time, by one cheap read, unless it has.

        A POST whose time is known by our own clock only is never sent again by who resumes, since that clock may be wrong: it ends UNKNOWN.
        """
        exchange = self._project.runtime.exchange
        if self._asked or exchange.server_date() is not None:
            return
        self._asked = True
        question = operations.list_executions((*operations.execution_filters(project_id=self._project.id), ("limit", "1")))
        try:
            await exchange.call(question, Budget.READ, tries=1)
        except Exception as error:  # noqa: BLE001 - whatever it is, credentials of the caller's own included, the first POST has it, too
            logger.debug("the API's time is not known before the first POST: %r", error)

    def look_up(self, live: Live) -> None:
        """Its POST went out in an earlier process, and no id of it is known: find out, before anything else goes out in its lane."""
        self._post(live)

    def stop(self, live: Live, *, leaving: bool) -> None:
        """Send it no more. A POST that is out is awaited: for 10 s when the batch is being `leaving`, else for as long as it may last."""
        self._stopping = True
        if live.call is not None:
            (live.call.hurry if leaving else live.call.withdraw)(withdrawn())
        parked, delay = self.lanes.take_back(live), self._delays.get(live)
        if delay is not None and delay.timer is not None:
            delay.timer.cancel()
        elif not parked:
            return  # its POST is out, and its end is told
        self._delays.pop(live, None)
        self._failed(live, withdrawn() if delay is None or delay.held is None else delay.held)

    async def end(self, lives: Iterable[Live]) -> None:
        """The batch is torn down: withdraw what is not out, await the rest for at most 10 s, and tell nobody. `call` says what came."""
        self._stopping = self._ended = True
        for delay in self._delays.values():
            if delay.timer is not None:
                delay.timer.cancel()
        self._delays.clear()
        calls = [live.call for live in lives if live.call is not None]
        for call in calls:
            call.hurry(withdrawn())
        await settle(*(call.task for call in calls))

    def _waits(self, live: Live, until: float) -> bool:
        """Have it wait until that time of the loop; False when that is over."""
        loop = asyncio.get_running_loop()
        if until <= loop.time():
            return False
        delay = self._delays.setdefault(live, Delay())
        delay.timer = loop.call_at(until, partial(self._again, live, delay))
        return True

    def _again(self, live: Live, delay: Delay) -> None:
        delay.timer = None
        try:
            self.begin(live)
        except Exception as bug:  # noqa: BLE001 - in a timer nobody else would ever see it, and the batch would wait for ever
            self._broken(bug)

    def _post(self, live: Live) -> None:
        live.out = False
        self.lanes.enter(live)
        self._under_way += 1
        if self._book is None or live.intended:
            self._send(live)
        else:
            live.request = live.request.with_tag()
            self._book.intend(live, partial(self._intended, live))

    def _intended(self, live: Live, error: Exception | None) -> None:
        if self._ended:
            return  # it was not sent, and whoever tears the batch down sees that
        live.intended, live.intended_at = error is None, asyncio.get_running_loop().time()
        if error is None and not self._stopping:
            self._send(live)
            return
        self._over()
        self._failed(live, error or withdrawn())

    def _send(self, live: Live) -> None:
        number = self.hold.number
        ended = partial(self._answered, live, number)
        announce = None if self._book is None else partial(self._renew, self._book, live)
        try:
            live.call = call = self._desk().submit(
                self._project.id,
                live.request,
                ended=ended,
                earlier=live.earlier,
                announce=announce,
                gives_back=self._book is None,  # with a journal its lane is its own, and its intent is written
            )
        except Exception as error:  # noqa: BLE001 - what cannot even be sent ends like what was refused
            self._over()
            if live.earlier is None:
                self._found(live, number, error)
            else:  # it may have landed in an earlier process, which this error says nothing about
                self._broken(error)
            return
        live.request, live.earlier = call.request, None

    async def _renew(self, book: Book, live: Live) -> None:
        now, call = asyncio.get_running_loop().time(), live.call
        first = None if call is None else call.case or call.gone
        live.doubted = live.doubted or first is not None
        if book.is_stale(live, now):
            await book.renew(live, None if first is None else first.sent, now)
            live.intended_at = now

    def _over(self) -> None:
        self._under_way -= 1
        self._room.set()

    def _answered(self, live: Live, number: int, call: Call) -> None:
        self._over()
        if self._ended:
            return  # whoever tears the batch down looks at the call itself
        if self._book is not None and call.failure() is None:
            # Its call stays: until the id is written down, whoever tears the batch down needs it.
            self._book.started(live, call.task.result(), partial(self._noted, live, number, call))
        else:
            self._over_with(live, number, call)

    def _noted(self, live: Live, number: int, call: Call, error: Exception | None) -> None:
        if self._ended:
            return
        self.lanes.leave(live)
        self._over_with(live, number, call)
        if error is not None:
            self._broken(error)

    def _over_with(self, live: Live, number: int, call: Call) -> None:
        live.call = None
        live.over(call)
        failure = call.failure()
        try:
            self._found(live, number, call.task.result() if failure is None else failure)
        except Exception as bug:  # noqa: BLE001 - in a callback nobody else would ever see it, and the batch would wait for ever
            self._broken(bug)

    def _found(self, live: Live, number: int, found: str | Exception) -> None:
        """A POST that carried `number` has ended: with the run's id, or with an error."""
        if isinstance(found, str):
            self._passed(number)
            self._delays.pop(live, None)
            self._started(live, found)
        elif not self._tries_again(live, number, found):
            delay = self._delays.pop(live, None)
            held = delay.held if delay is not None and isinstance(found, Withdrawn) else None
            self._failed(live, held or found)

    def _tries_again(self, live: Live, number: int, failure: Exception) -> bool:
        if self._stopping:
            return False
        if isinstance(failure, LaneHeld):  # waiting there, it would keep a place that another lane can use
            self.begin(live)
            return True
        now = asyncio.get_running_loop().time()
        step = step_after(failure, out=live.out)
        if step in {Step.PAUSE, Step.UNREACHABLE}:
            if not self._holds(failure, number, now):
                return False
            self._delays.setdefault(live, Delay()).held = failure
            self.begin(live)
            return True
        self._passed(number)
        if step is not Step.CONFLICT or not self._rules.waits_for(live.request.execution_tag):
            return False
        delay = self._delays.setdefault(live, Delay())
        delay.give_up = now + self._rules.conflict_timeout if delay.give_up is None else delay.give_up
        waits = self._waits(live, max(self.hold.until, min(now + 0.5 + next(delay.pauses), delay.give_up)))
        if waits and self._book is not None and not live.doubted:  # else its lane would wait with it
            live.intended = False
            self._book.not_landed(live, partial(self._unintended, live))
        return waits

    def _unintended(self, live: Live, error: Exception | None) -> None:
        if self._ended:
            return
        delay = self._delays.get(live)
        if delay is not None and delay.timer is not None:  # else it is on its way again, in its lane
            self.lanes.leave(live)
        if error is not None:
            self._broken(error)

    def _holds(self, failure: Exception, number: int, now: float) -> bool:
        """Hold all triggers because of this failure; False when that has been done for long enough."""
        before = self.hold.on
        if isinstance(failure, RateLimited):
            self.hold.paused(number, failure.retry_after or 0.0, now)
        elif not self.hold.unreachable(number, now):
            return False
        if not before:
            logger.warning("a batch holds its triggers for %.1f s: %s", max(0.0, self.hold.until - now), failure)
        return True

    def _passed(self, number: int) -> None:
        self.hold.answered(number)
        self._room.set()

    def _desk(self) -> TriggerDesk:
        desk = self._project.runtime.trigger
        if not isinstance(desk, TriggerDesk):
            raise TypeError("a batch needs the client's own trigger desk")
        return desk


def withdrawn() -> Withdrawn:
    """The error of a request that was not sent because the batch stopped."""
    return Withdrawn("the batch stopped before this request was sent")
