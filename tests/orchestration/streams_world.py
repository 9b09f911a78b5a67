"""Streaming pipelines for the supervisor's tests: the emulator's own state machines behind a client's real handles, without HTTP.

`World` takes the place of the exchange: reads and commands go to `maia_async.emulator.streams`, with latencies and failures as scripted.
It notes every command together with what the last answered read of that pipeline showed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from attrs import define, field, frozen

from maia_async import Disconnected, MaiaError, PollPolicy, StreamingPipeline, Supervisor, SupervisorEvent
from maia_async.emulator import StreamScript
from maia_async.emulator.dice import dice
from maia_async.emulator.problems import Refused
from maia_async.emulator.streams import Stream, command, drop, hold, shown_at
from maia_async.governor import Governor
from maia_async.observers import Observers
from maia_async.resources.runtime import Runtime
from maia_async.resources.streaming import stream_of
from maia_async.tasks import TaskOwner
from maia_async.watching.watcher import Watcher
from maia_async.wire.answers import error_of
from maia_async.wire.landing import Landing, landing_of
from maia_async.wire.requests import Reply, RequestSpec

BASE = 1_000_000.0  # the streams' clock at loop time 0


def _opened() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@frozen
class Sent:
    """A command that reached the server: `read` is the last word that was answered before it went out; `told`: its answer got back."""

    at: float
    pipeline_id: str
    word: str
    status: int
    read: str | None
    told: bool


@define(eq=False)
class World:
    """The server, and one client of it. `commands`, `reads`: what is scripted for the next ones, by pipeline.

    An int is answered with that status instead of being looked at; "lost" is carried out and its answer lost; "broken" is carried out and
    answered 500; "ignored" is accepted and not carried out; "late" is answered after 5 s, "never" after 1000 s, a read after a float's
    seconds. A callable is called with the world just before the command is looked at. An exception is raised before anything is sent, as a
    user's own Auth may.
    Commands pass the `gate` before they go out, as they wait for a slot of the budget.
    """

    latency: float = 0.0
    policy: PollPolicy = field(factory=PollPolicy)
    streams: dict[str, Stream] = field(factory=dict)
    commands: dict[str, deque[Any]] = field(factory=lambda: defaultdict(deque))
    reads: dict[str, deque[Any]] = field(factory=lambda: defaultdict(deque))
    sent: list[Sent] = field(factory=list)
    looks: list[tuple[float, str]] = field(factory=list)
    shown: dict[str, str] = field(factory=dict)
    ran: dict[str, list[tuple[float, float]]] = field(factory=lambda: defaultdict(list))  # reads that showed it running: sent, answered
    runtime: Runtime = field(init=False)
    gate: asyncio.Event = field(factory=_opened)
    max_pause: float = 120.0

    def __attrs_post_init__(self) -> None:
        owner = TaskOwner()
        watcher = Watcher(policy=self.policy, governor=Governor(None), owner=owner)
        exchange: Any = self
        trigger: Any = None
        self.runtime = Runtime(exchange=exchange, watcher=watcher, owner=owner, observers=Observers(), trigger=trigger, settle=15.0)

    @property
    def now(self) -> float:
        return BASE + asyncio.get_running_loop().time()

    def make(self, name: str, *, running: bool = False, **script: Any) -> StreamingPipeline:
        stream = Stream(id=name, project_id="p", name=name, definition={}, created=BASE - 10_000, script=StreamScript(**script))
        self.streams[name] = stream
        if running:
            with suppress(Refused):
                command(stream, "START", BASE - 5_000, chance=dice(0, name), by="external")
        return self.handle(name)

    def handle(self, name: str) -> StreamingPipeline:
        return stream_of(self.runtime, "p", name)

    def drop(self, name: str) -> None:
        drop(self.streams[name], self.now)

    def hold(self, name: str, word: str | None) -> None:
        hold(self.streams[name], self.now, word)

    def other(self, name: str, word: str) -> None:
        """Somebody else commands; what is refused is no matter."""
        with suppress(Refused):
            command(self.streams[name], word, self.now, chance=dice(0, name), by="external")

    def starts(self, name: str) -> list[float]:
        """When STARTs were accepted, by the loop's clock."""
        return [sent.at for sent in self.sent if (sent.pipeline_id, sent.word, sent.status) == (name, "START", 202)]

    async def aclose(self) -> None:
        await self.runtime.watcher.aclose()
        await self.runtime.owner.aclose()

    # what the handles see of an exchange

    async def call(self, spec: RequestSpec, lane: Any, *, in_doubt: Callable[[bool], None] | None = None, **options: Any) -> Reply:
        name, _, what = spec.path.removeprefix("/v1/projects/p/streaming-pipelines/").partition("/")
        plan = (self.reads if what == "status" else self.commands)[name]
        if what == "commands":
            await self.gate.wait()
        if plan and isinstance(plan[0], Exception):
            raise plan.popleft()
        if in_doubt is not None:
            in_doubt(True)
        known = self.shown.get(name)
        await anyio.sleep(self.latency)
        planned = plan.popleft() if plan else None
        if what == "status":
            reply = await self._read(name, planned)
        else:
            reply = await self._command(name, spec.json["command"], planned, known)
        await anyio.sleep(self.latency)
        error = error_of(reply, method=spec.method, path=spec.path)
        if error is not None:
            if in_doubt is not None and landing_of(error) is Landing.NOT_LANDED:
                in_doubt(False)
            raise error
        return reply

    async def read(self, spec: RequestSpec, lane: Any, decode: Callable[[Any], Any], **options: Any) -> Any:
        sent = self.now - BASE
        reply = await self.call(spec, lane, **options)
        name = spec.path.split("/")[-2]
        self.shown[name] = reply.body.decode()
        if self.shown[name] in {"STARTING", "SNAPSHOTTING", "STREAMING"}:
            self.ran[name].append((sent, self.now - BASE))
        return decode(self.shown[name])

    async def _read(self, name: str, planned: Any) -> Reply:
        self.looks.append((self.now - BASE, name))
        if isinstance(planned, int):
            return Reply(status=planned, headers={}, body=b"")
        stream = self.streams.get(name)
        if stream is None:
            return Reply(status=404, headers={}, body=b"")
        reply = Reply(status=200, headers={}, body=shown_at(stream, self.now).encode())
        if isinstance(planned, float):
            await anyio.sleep(planned)
        return reply

    async def _command(self, name: str, word: str, planned: Any, known: str | None) -> Reply:
        if callable(planned):
            planned(self)
        try:
            if isinstance(planned, int):
                raise Refused(planned, "scripted")  # noqa: TRY301 - answered in the one place below
            if planned != "ignored":
                command(self.streams[name], word, self.now, chance=dice(0, name))
            status = 202
        except Refused as refusal:
            status = refusal.status
        self.sent.append(Sent(self.now - BASE, name, word, status, known, planned not in {"lost", "broken"}))
        if planned in {"late", "never"}:
            await anyio.sleep(5.0 if planned == "late" else 1000.0)
        if planned == "lost":
            raise Disconnected("the connection broke")
        if planned == "broken":
            status = 500
        return Reply(status=status, headers={}, body=b"")


@asynccontextmanager
async def world(**options: Any) -> AsyncIterator[World]:
    made = World(**options)
    try:
        yield made
    finally:
        await made.aclose()


@define(eq=False)
class Told:
    """What a supervisor tells, with the loop's time at which it is taken, read by a task of its own."""

    events: list[tuple[float, SupervisorEvent]] = field(factory=list)
    error: BaseException | None = None
    ended: bool = False

    async def listen(self, supervisor: Supervisor) -> None:
        try:
            async for event in supervisor:
                self.events.append((asyncio.get_running_loop().time(), event))
        except MaiaError as error:
            self.error = error
        self.ended = True

    def of(self, kind: type[Any], name: str | None = None) -> list[Any]:
        return [event for _, event in self.events if isinstance(event, kind) and name in {None, event.pipeline_id}]

    def lines(self, name: str | None = None) -> list[str]:
        return [f"{at:g} {line(event)}" for at, event in self.events if name in {None, event.pipeline_id}]


def line(event: Any) -> str:
    """An event as a test writes it: its class, and what matters of it."""
    kind = type(event).__name__
    if kind == "StreamingTransition":
        spent = "" if event.duration is None else f" {event.duration:g}"
        return f"{event.previous or '-'} > {event.current}{spent}"
    error = getattr(event, "error", None)
    said = {
        "StartAttempted": lambda: f"{event.accepted}",
        "RestartAttempted": lambda: f"{event.attempt} {event.accepted}",
        "GaveUp": lambda: f"{event.restarts}",
        "ExternallyStopped": lambda: "respected" if event.respected else "restart",
        "Flapping": lambda: f"{event.drops}",
        "Unreachable": lambda: f"{event.seconds:g}",
        "ReachableAgain": lambda: str(event.current),
    }[kind]()
    return f"{kind} {said}" + (f" {type(error).__name__}" if error is not None else "")
