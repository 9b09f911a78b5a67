"""What is known of each lane (project, environment, pipeline): POSTs out, POSTs in doubt, ids that are ours. It sends and decides nothing.

A lane is touched thousands of times a second: a look-up in a dict and a counter for each POST, and one entry for each id. Everything else
exists only while something is in doubt.

    what                       kept
    an id of ours (with its    for 30 minutes, and until the next clearing: 10 more than others' runs are looked back for; 50,000 in a lane
      tag, if journalled)
    a request that was given   the same 30 minutes: its run may still show, and must not be taken for another's
      up in doubt
    a lane without any         until the next clearing

All are cleared by the first POST in any half hour, and when there are twice as many lanes as had something at the last clearing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Final

from attrs import define, evolve, field, frozen

from maia_async.models import ExecutionRequest
from maia_async.models.request import is_auto_tag
from maia_async.orchestration.trigger.decision import Doubt, End, Verdict
from maia_async.orchestration.trigger.evidence import LaneName, Window
from maia_async.wire import codec

MEMORY: Final = 1800.0
MOST_KNOWN: Final = 50_000
PRUNE_EVERY: Final = 1000
MARGIN: Final = 5  # seconds by which a run may have started before the last `Date` that was seen before its POST (contract 1)

LaneKey = tuple[str, str, str]
"""Project id, environment name, pipeline name."""


@frozen
class Sent:
    """When a POST went out, for `TriggerDesk.submit(earlier=…)`.

    at: seconds since the epoch by the API's clock, of its first POST, as far as it was known. last: the same of the last one, when it was
    sent again. wall: by the clock of the machine that sent it.
    """

    at: float | None = None
    wall: float | None = None
    last: float | None = None


@define(eq=False)
class Case:
    """One request in doubt.

    sent: the loop's time of its first POST. start: the same by the API's clock, None while that has not told the time. ended: the loop's
    time at which the last POST of it failed that may have landed. last: how its last POST ended. latest: the API's second after which its
    run cannot have begun any more; None: open.

    Of one that went out in an earlier process: asked: the loop's time since which it is looked for. vague: when it went out is known by our
    own clock only, which may have been wrong; `closes` is then what `latest` is, by the loop's time. unread: it was given up because the
    list could not be read, so that a later look may find it.
    """

    request: ExecutionRequest
    same_as: str
    sent: float
    start: float | None
    ended: float
    verdict: asyncio.Future[Verdict]
    fly: Callable[[], None]
    latest: int | None = None
    asked: float | None = None
    vague: bool = False
    closes: float | None = None
    unread: bool = False
    sends: int = 1
    withdrawn: bool = False
    last: End = End.DOUBTED
    proven: int | None = None
    cause: BaseException | None = None
    candidates: tuple[str, ...] = ()
    looks: int = 0

    def doubt(self) -> Doubt:
        """It as the decision takes it."""
        again = is_auto_tag(self.request.execution_tag) and not self.withdrawn
        return Doubt(
            key=id(self), same_as=self.same_as, again=again, sends=self.sends, last=self.last, proven=self.proven, vague=self.vague
        )


@frozen
class GivenUp:
    """A request whose fate was never found out: its run may still show."""

    same_as: str
    sent: float
    start: float | None
    at: float


@define(eq=False, slots=True)
class Lane:
    """One lane. `calls`: submitted and not over; `flying`: POSTs that are out. Held while `resolver` runs: no new POST goes out then.

    announced: POSTs that journals have announced, and of which they do not know yet what came.
    """

    name: LaneName
    calls: int = 0
    flying: int = 0
    announced: int = 0
    resolver: asyncio.Task[None] | None = None
    known: dict[str, float] = field(factory=dict)  # keys of ids, with the loop's time at which their POST went out; oldest answer first
    cases: list[Case] = field(factory=list)
    version: int = 0  # of `cases`: counts those that were added
    learned: frozenset[str] = frozenset()
    _given_up: dict[str, GivenUp] = field(factory=dict)  # by tag, or by a number
    _runs: dict[str, tuple[str, float]] = field(factory=dict)  # ids and times by AUTO tag, of requests that a journal holds
    _stirred: asyncio.Event | None = None
    _released: list[Callable[[], None]] = field(factory=list)
    _eased: list[Callable[[], None]] = field(factory=list)
    _adds: int = 0

    @property
    def held(self) -> bool:
        """Whether new POSTs wait."""
        return self.resolver is not None

    def know(self, execution_id: str, sent: float, now: float) -> None:
        """Remember an id of ours, and when its POST went out."""
        self.known[codec.plain_id(execution_id)] = sent
        self._adds += 1
        if self._adds >= PRUNE_EVERY:
            self._adds = 0
            self.prune(now)

    def know_run(self, tag: object, execution_id: str, sent: float) -> None:
        """Remember the run of a request that a journal holds: the journal may not have been able to, and be resumed in this process."""
        if isinstance(tag, str) and is_auto_tag(tag):
            self._runs[str(tag)] = execution_id, sent

    def run_of(self, tag: object) -> str | None:
        """The run of the request with this AUTO tag, if it was remembered."""
        found = self._runs.get(tag) if isinstance(tag, str) else None
        return None if found is None else found[0]

    def prune(self, now: float) -> None:
        """Forget what is too old to matter. An id without a time (a journal's) goes only when there are too many."""
        old = [known for known, sent in self.known.items() if -float("inf") < sent < now - MEMORY]
        over = len(self.known) - len(old) - MOST_KNOWN
        if over > 0:
            gone = set(old)
            old += [known for known in self.known if known not in gone][:over]
        for known in old:
            del self.known[known]
        self._given_up = {tag: gone for tag, gone in self._given_up.items() if gone.at > now - MEMORY}
        self._runs = {tag: run for tag, run in self._runs.items() if run[1] > now - MEMORY}

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be lost with it."""
        waited_for = self._released or self._eased
        return not (self.calls or self.announced or self.held or self.cases or self.known or self._given_up or waited_for)

    # in doubt

    def add(self, case: Case) -> None:
        """One more request in doubt."""
        self.cases.append(case)
        self.version += 1
        self.stir()

    def leave(self, case: Case) -> None:
        """It is in doubt no more, or is given up."""
        if case in self.cases:
            self.cases.remove(case)
            self.stir()

    def give_up(self, request: ExecutionRequest, *, sent: float, start: float | None, now: float) -> None:
        """Remember a request whose fate nobody will look for any more."""
        self._adds += 1
        tag = request.execution_tag
        name = str(tag) if is_auto_tag(tag) else f"#{self.version}.{self._adds}"
        self._given_up[name] = GivenUp(sameness(request), sent, start, now)
        if len(self._given_up) % PRUNE_EVERY == 0:
            self.prune(now)

    def take_back(self, tag: object) -> GivenUp | None:
        """The request that was given up with this AUTO tag: it is being sent again. It is given up no longer."""
        return self._given_up.pop(tag, None) if self._given_up and isinstance(tag, str) else None

    def given_up(self, now: float) -> list[str]:
        """`same_as` of the requests whose runs may still show."""
        return [gone.same_as for gone in self._given_up.values() if gone.at > now - MEMORY]

    @property
    def has_given_up(self) -> bool:
        """Whether any request was given up, however long ago."""
        return bool(self._given_up)

    def take(self, other: Lane) -> None:
        """Remember what `other` knows."""
        self.known.update(other.known)
        self._runs.update(other._runs)
        for name, gone in list(other._given_up.items()):
            self._given_up[f"{id(other)}{name}" if name.startswith("#") else name] = gone

    def window(self, server_now: float, now: float) -> Window:
        """Where the runs of the requests in doubt may have begun."""
        starts = [server_now - (now - case.sent) if case.start is None else case.start for case in self.cases]
        ends = [case.latest if case.closes is None else int(server_now - (now - case.closes)) for case in self.cases]
        last = None if None in ends else max(end for end in ends if end is not None)
        return Window(first=int(min(starts) - MARGIN) if starts else int(server_now), last=last)

    def expected(self) -> list[str]:
        """Keys of ids of ours whose runs began in the window, so that a list that is not behind must show them."""
        if not self.cases or any(case.latest is not None or case.closes is not None for case in self.cases):
            return []
        first = min(case.sent for case in self.cases)
        return [known for known, sent in self.known.items() if sent >= first]

    # waiting

    def stir(self) -> None:
        """Something changed: wake the resolver."""
        if self._stirred is not None:
            self._stirred.set()

    async def change(self) -> None:
        """Wait until something changes."""
        self._stirred = asyncio.Event()
        try:
            await self._stirred.wait()
        finally:
            self._stirred = None

    def on_release(self, callback: Callable[[], None]) -> None:
        """Call back once, when it is held no longer."""
        self._released.append(callback)

    def release(self) -> None:
        """Let POSTs out again."""
        self.resolver = None
        waiting, self._released = self._released, []
        for callback in waiting:
            callback()
        self.ease()

    def has_room(self, most: float) -> bool:
        """Whether another POST may be announced where at most so many may be unacknowledged, whoever's they are."""
        return not self.held and self.announced < most and self.flying < most

    def on_ease(self, callback: Callable[[], None]) -> None:
        """Call back once, when a POST of it is over or acknowledged, or it is held no longer."""
        self._eased.append(callback)

    def ease(self) -> None:
        """There may be room now."""
        waiting, self._eased = self._eased, []
        for callback in waiting:
            callback()


class Lanes:
    """All lanes of one client.

    is_over: whether its loop was closed under it, so that nothing of it is out any more. on_clear: told of each clearing, with the time.
    """

    def __init__(self, is_over: Callable[[], bool] = lambda: False, on_clear: Callable[[float], None] = lambda _: None) -> None:
        self.is_over = is_over
        self._on_clear = on_clear
        self._lanes: dict[LaneKey, Lane] = {}
        self._clear_at = 256  # lanes
        self._clear_by = -float("inf")  # the loop's time

    def of(self, key: LaneKey) -> Lane:
        """The lane, made when there is none."""
        now = asyncio.get_running_loop().time()
        if now >= self._clear_by:
            self.clear(now)
        lane = self._lanes.get(key)
        if lane is None:
            if len(self._lanes) >= self._clear_at:
                self.clear(now)
            lane = self._lanes[key] = Lane(LaneName(project=key[0], environment=key[1], pipeline=key[2]))
        return lane

    def get(self, key: LaneKey) -> Lane | None:
        """The lane, if there is one."""
        return self._lanes.get(key)

    def __len__(self) -> int:
        return len(self._lanes)

    def has(self, key: str) -> bool:
        """Whether the id with this key is known, in whatever lane."""
        return any(key in lane.known for lane in self.every())

    def every(self) -> list[Lane]:
        """The lanes that there are now."""
        return list(self._lanes.values())

    def take(self, others: Lanes) -> None:
        """Remember what others know, which are no more."""
        for key, lane in list(others._lanes.items()):
            if lane.known or lane.has_given_up:
                self.of(key).take(lane)

    def clear(self, now: float) -> None:
        """Forget what is too old."""
        self._on_clear(now)
        for key, lane in list(self._lanes.items()):
            lane.prune(now)
            if lane.is_empty:
                del self._lanes[key]
        self._clear_at, self._clear_by = max(256, 2 * len(self._lanes)), now + MEMORY


def key_of(project_id: str, request: ExecutionRequest) -> LaneKey:
    """The lane of a request."""
    return project_id, request.environment_name, request.pipeline_name


def sameness(request: ExecutionRequest) -> str:
    """Text that is the same for requests that are equal in every field, AUTO tags apart."""
    tag = "AUTO" if is_auto_tag(request.execution_tag) else f"={request.execution_tag}" if request.execution_tag else None
    return json.dumps([tag, codec.encode_request(evolve(request, execution_tag=None))], sort_keys=True)
