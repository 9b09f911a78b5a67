"""A model of the API for the watcher, without HTTP: runs that end by plan, a truthful read of each, and a list that lies as it is told.

`World` has a real governor and a real watcher. The server refuses nothing for its budget's sake: `most_in_a_minute` says what it saw.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from attrs import define, field
from watching.fake_subject import FakeSighting

from maia_async.errors import ConnectFailed, RateLimited, ResponseError, SessionClosed, StatusUnavailable, WaitTimeout
from maia_async.governor import Governor, Lane
from maia_async.models import ExecutionStatus
from maia_async.policies import PollPolicy, RateLimit
from maia_async.tasks import TaskOwner
from maia_async.watching.census import Row
from maia_async.watching.failures import ends_wait
from maia_async.watching.listing import Dialect, Page, query
from maia_async.watching.pace import run_interval
from maia_async.watching.planner import Ask
from maia_async.watching.watched import Waiter, Watched
from maia_async.watching.watcher import Watcher

EPOCH: Final = 1_700_000_000
FOREVER: Final = 1e12
NAMES: Final = ("p", "e")
Fault = Callable[[float], str | None]


@define(eq=False)
class Run:
    """Times by the loop's clock. `words`: what it shows from when on, before its end."""

    id: str
    start: float
    end: float
    word: str = "SUCCESS"
    project: str = "proj"
    names: tuple[str, str] = NAMES
    words: tuple[tuple[float, str], ...] = ()
    reads: list[float] = field(factory=list)
    joined: float = 0.0
    done: float | None = None
    error: BaseException | None = None
    seen: str = ""
    watched: Watched | None = None

    @property
    def second(self) -> int:
        """In which it started, in API time."""
        return math.floor(EPOCH + self.start)

    def shows(self, at: float) -> str:
        if at >= self.end:
            return self.word
        return next((word for since, word in reversed(self.words) if at >= since), "RUNNING")


@define(eq=False)
class Lies:
    """How the list misleads; times are seconds. `fault` and `own_fault` name what an answer is instead, at a time."""

    lag: float = 0.0  # a younger run is not listed
    status_lag: float = 0.0
    offsets: bool = False
    repeats: int = 0  # the page of a chain that leads to itself
    empty_last: bool = False
    page: int = 100
    exclusive: bool = False
    whole_seconds: bool = False
    ignores: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    hidden: Callable[[Run], bool] = lambda _: False
    spelled: Callable[[str], str] = lambda name: name
    fault: Fault = lambda _: None
    own_fault: Fault = lambda _: None


class Sight(FakeSighting):
    """What a read showed, and where the run stands in the list."""

    def __init__(self, word: str, where: tuple[int | None, tuple[str, str] | None]) -> None:
        super().__init__(word)
        self.where = where

    def place(self) -> tuple[int | None, tuple[str, str] | None]:
        return self.where


class Subject:
    """A run for the watcher."""

    def __init__(self, world: World, run: Run) -> None:
        self.world = world
        self.run = run
        self.key = ("execution", run.project, run.id)
        self.listed_in = run.project

    async def look(self, in_doubt: Callable[[bool], None]) -> Sight:
        world, run = self.world, self.run

        def read(at: float) -> Sight:
            return Sight(run.shows(at), (run.second, run.names))

        return await world.exchange("own", world.lies.own_fault, read, sent=lambda: (run.reads.append(world.now()), in_doubt(True)))

    def listed(self, row: Any) -> Sight:
        return Sight(row, (None, None))

    def interval(self, policy: PollPolicy, *, age: float, load: float, alike: int) -> float:
        return run_interval(policy, age=age, load=load)

    def ended_by(self, error: Exception, *, since_trigger: float | None) -> bool:
        return ends_wait(error, since_trigger=since_trigger, grace=60.0)

    def tell_change(self, watched: Watched, before: Any) -> None:
        pass

    def timed_out(self, watched: Watched, timeout: float) -> Exception:
        return WaitTimeout("timeout", execution=self, last_details=watched.last)

    def unavailable(self, watched: Watched, seconds: float) -> Exception:
        return StatusUnavailable("unavailable", execution=self, last_details=watched.last)

    def closed(self) -> Exception:
        return SessionClosed(execution_id=self.run.id)


class World:
    """The server and one client of it."""

    def __init__(self, lies: Lies | None = None, *, limit: RateLimit | None = RateLimit(), latency: float = 0.2) -> None:
        self.lies = lies or Lies()
        self.latency = latency
        self.runs: list[Run] = []
        self.calls: Counter[str] = Counter()
        self.arrivals: list[float] = []
        self.asks: list[Ask] = []
        self.governor = Governor(limit)
        self.owner = TaskOwner()
        self.watcher = Watcher(
            policy=PollPolicy(),
            governor=self.governor,
            owner=self.owner,
            read_page=self.read_page,
            server_time=lambda: EPOCH + self.now(),
        )
        self._by_names: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
        self._open = 0
        self._none_open = asyncio.Event()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    # the server

    def add(self, name: str, *, start: float, end: float, **fields: Any) -> Run:
        run = Run(name, start, end, **fields)
        for each in (self.runs, self._by_names[run.names]):
            insort(each, run, key=_start)
        return run

    async def exchange(self, kind: str, fault: Fault, read: Callable[[float], Any], *, sent: Callable[[], Any] = lambda: None) -> Any:
        """One request: a slot, half the latency, the server, the other half."""
        slot = await self.governor.acquire(Lane.POLL, ride_out=True)
        try:
            self.calls[kind] += 1
            self.arrivals.append(self.now())
            sent()
            await asyncio.sleep(self.latency / 2)
            what = fault(self.now())
            result: Any = None
            if what is None:
                try:
                    result = read(self.now())
                except ResponseError as error:
                    result = error
            if what == "hang":
                await asyncio.sleep(60)
                raise ConnectFailed("no answer")
            await asyncio.sleep(self.latency / 2)
            if what == "429":
                raise RateLimited(429, method="GET", path="/", retry_after=slot.refused(5.0))
            slot.answered()
            if what == "garbage":
                raise ConnectFailed("garbage")
            if what is not None:
                raise ResponseError(int(what), method="GET", path="/")
            if isinstance(result, BaseException):
                raise result
            return result
        finally:
            slot.unanswered()

    async def read_page(self, project: str, ask: Ask, token: str | None, dialect: Dialect) -> Page:
        asked = dict(query(project, ask, token, dialect))
        self.asks.append(ask)
        return await self.exchange(f"list {ask.word or 'all'}", self.lies.fault, lambda at: self._page(asked, at))

    def _page(self, asked: dict[str, str], at: float) -> Page:
        lies = self.lies
        refused = lies.refuses & {*asked, asked.get("status", "")}
        if refused or (lies.whole_seconds and any("." in asked.get(name, "") for name in ("startedAfter", "startedBefore"))):
            raise ResponseError(400, method="GET", path="/")
        asked = {name: value for name, value in asked.items() if name not in lies.ignores}
        runs = self.runs if "pipelineName" not in asked else self._by_names[asked["pipelineName"], asked.get("environmentName", "e")]
        low, high = (_seconds(asked.get(name)) for name in ("startedAfter", "startedBefore"))
        token = asked.get("paginationToken")
        number, place = (1, "") if token is None else (int(token.split(":")[0]), token.split(":")[1])
        skip = int(place or 0) if lies.offsets else 0
        rows: list[Run] = []
        follows = False
        above = bisect_right(runs, at if high is None else high - EPOCH, key=_start)
        for index in range(above if lies.offsets or not place else min(above, int(place)), 0, -1):
            run = runs[index - 1]
            start = run.start + EPOCH
            if low is not None and (start <= low if lies.exclusive else start < low):
                break
            if high is not None and (start >= high if lies.exclusive else start > high):
                continue
            if not self._fits(run, asked, at):
                continue
            if skip:
                skip -= 1
                continue
            if len(rows) == lies.page:
                follows = True
                break
            rows.append(run)
            last = index - 1
        more: str | None = None
        if follows or (rows and lies.empty_last):
            more = f"{number + 1}:{int(place or 0) + len(rows)}" if lies.offsets else f"{number + 1}:{last}"
        if lies.repeats == number:
            more = token or "1:"
        then = at - lies.status_lag
        return Page(tuple((self._row(run, word), word) for run in rows for word in (run.shows(then),)), more)

    def _fits(self, run: Run, asked: dict[str, str], at: float) -> bool:
        lies = self.lies
        return (
            run.start + lies.lag <= at
            and not lies.hidden(run)
            and asked.get("projectId", run.project) == run.project
            and asked.get("pipelineName", run.names[0]) == run.names[0]
            and asked.get("environmentName", run.names[1]) == run.names[1]
            and ("status" not in asked or run.shows(at - lies.status_lag) == asked["status"])
        )

    def _row(self, run: Run, word: str) -> Row:
        return Row(self.lies.spelled(run.id), ExecutionStatus(word), run.second, run.names)

    def most_in_a_minute(self) -> int:
        most = first = 0
        for number, at in enumerate(self.arrivals):
            while self.arrivals[first] <= at - 60:
                first += 1
            most = max(most, number - first + 1)
        return most

    # the client

    def join(self, run: Run, *, known: bool = True, timeout: float | None = None) -> Waiter:
        """Wait for it. `known`: triggered by us, so its start is known to the second."""
        if run.watched is None:
            run.watched = self.watcher.watched(Subject(self, run))
            if known:
                run.watched.triggered_at, run.watched.start, run.watched.names = run.start, run.second, run.names
        run.joined = self.now()
        self._open += 1
        self._none_open.clear()
        watched = run.watched

        def done(waiter: Waiter) -> None:
            run.done, run.error = self.now(), waiter.error
            run.seen = "" if watched.last is None else str(watched.value)
            self._open -= 1
            if not self._open:
                self._none_open.set()

        return self.watcher.join(watched, Watched.ended, done, timeout=timeout)

    async def all_done(self, within: float) -> None:
        """Every wait ends within so many seconds, and nothing of the watcher is left."""
        async with asyncio.timeout(within):
            await self._none_open.wait()
        await self.watcher.rest()
        assert not others()

    def late(self, *, faults_end: float = 0.0, within: float) -> dict[str, float]:
        """The waits that ended too late; all have ended, with the truth, and none too early."""
        for run in self.runs:
            if run.watched is not None:
                assert run.error is None, (run.id, run.error)
                assert run.done is not None
                assert run.seen == run.word, run
                assert run.done >= run.end, run
        lags = {run.id: run.done - max(run.end, run.joined, faults_end) for run in self.runs if run.done is not None}
        return {name: lag for name, lag in lags.items() if lag > within}

    def shortest_gap(self) -> float:
        """Between two own reads of one run."""
        return min((b - a for run in self.runs for a, b in zip(run.reads, run.reads[1:], strict=False)), default=FOREVER)


def others() -> set[str]:
    """Tasks of the package."""
    return {task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("maia_async")}


def _seconds(given: str | None) -> float | None:
    return None if given is None else datetime.fromisoformat(given).timestamp()


def _start(run: Run) -> float:
    return run.start
