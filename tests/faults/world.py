"""Acts out one row of the table for one operation, in virtual time, and holds what came out against what must.

Beside the row's own expectation some rules of the house hold after every case (`_rules`): requests are counted as they were sent, the
budget is kept, nothing of ours still runs, no run was started twice, and no secret was told to anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel
from attrs import define, evolve, field
from faults.shapes import Expect, Row
from faults.surroundings import SURROUNDINGS
from leaks import told_by

from maia_async import Maia, StaticToken
from maia_async.emulator import (
    Clock,
    Control,
    Credential,
    Emulator,
    Fault,
    ListFaults,
    Pipeline,
    Project,
    Readings,
    Scenario,
    ServerRun,
    Skew,
)
from maia_async.emulator.requestlog import LoggedRequest
from maia_async.emulator.scenario import DEFAULT_PROJECT

if TYPE_CHECKING:
    from faults.registry import Operation

PIPELINE: Final = "load"
# Of another pipeline: a foreign run of ours, as the API sees it, would make the owner of an unexplained one unknown.
WATCHED: Final = "watched"
ENVIRONMENT: Final = "Environment-1"
RUN_SECONDS: Final = 8.0
SECRET: Final = "CANARY-of-the-secret-0123456789"
STATIC: Final = "CANARY-of-the-token-0123456789"
STREAM: Final = "<the stream>"  # in the arguments of an act
LONGEST: Final = 20_000.0
BASE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SLACK: Final = 0.05


@define(eq=False)
class World:
    """An emulator under a row's fault and a client of it; `run` is under way, `stream` does not run."""

    row: Row
    emulator: Emulator
    maia: Maia
    options: Mapping[str, Any]
    run: str = ""
    stream: str = ""
    others: list[Maia] = field(factory=list)
    _first: int = 0
    _known: set[str] = field(factory=set)

    @property
    def control(self) -> Control:
        """The emulator's powers."""
        return self.emulator.control

    @property
    def project(self) -> Any:
        """The project of everything."""
        return self.maia.project(DEFAULT_PROJECT)

    @property
    def execution(self) -> Any:
        """A new handle of the run."""
        return self.project.execution(self.run)

    @property
    def streaming(self) -> Any:
        """A handle of the stream."""
        return self.project.streaming_pipeline(self.stream)

    def begin_run(self, seconds: float) -> None:
        """Another run takes the place of the one under way, so that it has just begun."""
        (self.run,) = self.control.add_executions(count=1, pipelines=(WATCHED,), environments=(ENVIRONMENT,), duration=seconds)
        self._known.add(self.run)

    def begin(self) -> None:
        """What was asked and started until now does not count."""
        self._first = len(self.control.requests())
        self._known = {run.id for run in self.control.executions()}

    def requests(self, method: str | None = None, ending: str = "") -> list[LoggedRequest]:
        """Those that reached the server since the operation began."""
        found = self.control.requests()[self._first :]
        return [entry for entry in found if method in {None, entry.method} and entry.path.endswith(ending)]

    def started(self) -> list[ServerRun]:
        """The runs that the operation started."""
        return [run for run in self.control.executions() if run.id not in self._known and run.scalar_variables is not None]

    def another_client(self) -> Maia:
        """As another process would have it."""
        self.others.append(self.emulator.client(**self.options))
        return self.others[-1]


@asynccontextmanager
async def world_of(row: Row, *, aim: Callable[[Fault], Fault] = lambda fault: fault) -> AsyncIterator[World]:
    """The emulator, the client and what is there before the operation, all as the row has it."""
    lists, settings = ListFaults(**row.list_faults), {**row.network, **row.scenario}
    pipeline = Pipeline(**{"name": PIPELINE, "duration": RUN_SECONDS, **row.pipeline})
    projects = [Project(id=DEFAULT_PROJECT, pipelines=[pipeline, Pipeline(name=WATCHED)])]
    projects += [Project(id=f"00000000-0000-4000-8000-{number:012}", name=f"project {number}") for number in range(24)]
    scenario = Scenario(
        projects=projects,
        credentials=[Credential(client_id="faults", client_secret=SECRET)],
        tokens={STATIC: "faults"},
        **{"readings": Readings(**row.readings), "list_faults": lists, "skew": Skew(**row.skew), **settings},
    )
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(scenario, clock=Clock(base=BASE)))
        control = emulator.control
        options: dict[str, Any] = dict(row.client)
        if row.around is not None:
            options |= {"auth": StaticToken(STATIC), **await stack.enter_async_context(SURROUNDINGS[row.around](emulator))}
        own = options.pop("own", None)
        maia = await stack.enter_async_context(emulator.client(**options))
        if own is not None:
            maia._session._http = own
        world = World(row=row, emulator=emulator, maia=maia, options=options)
        (world.stream,) = control.create_stream(project_id=DEFAULT_PROJECT, script=row.script)
        if not row.cold and row.around is None:
            await maia.projects.list()
        world.begin_run(RUN_SECONDS)
        world.begin()
        for fault in row.faults:
            control.add_fault(aim(fault))
        for act in row.acts:
            given = [world.stream if one == STREAM else one for one in act.given]
            power = partial(getattr(control, act.call), *given, **act.options)
            if act.at:
                stack.callback(asyncio.get_running_loop().call_later(act.at, power).cancel)
            else:
                power()
        yield world


async def play(row: Row, operation: Operation, logged: Callable[[], str]) -> None:
    """Do it and judge it."""
    expect = row.cases[operation.name]
    strays: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: strays.append(str(context)))

    def aim(fault: Fault) -> Fault:
        return fault if fault.path is not None else evolve(fault, path=operation.path, method=operation.method)

    async with world_of(row, aim=aim) as world:
        clock = asyncio.get_running_loop().time
        start, facts = clock(), {}
        error: Exception | None = None
        with anyio.fail_after(LONGEST):
            try:
                facts = await operation.call(world)
            except AssertionError:
                raise
            except Exception as raised:  # noqa: BLE001 - which one it must be is what the row says
                error = raised
        seconds = clock() - start
        await anyio.lowlevel.checkpoint()
        sent = len(world.requests())
        _judge(expect, error, facts, sent=sent - operation.pages + 1, seconds=seconds, world=world)
        tokens = {*world.control._service.tokens._good, STATIC, SECRET}
        _rules(world)
    said = logged() + "".join(map(str, strays)) + ("" if error is None else told_by(error, ours_only=True))
    assert not [secret for secret in tokens if secret in said], "a secret was told"
    assert strays == []


def _judge(expect: Expect, error: Exception | None, facts: Mapping[str, Any], *, sent: int, seconds: float, world: World) -> None:
    outcome = f"{'success' if error is None else f'{type(error).__name__}: {error}'}, {facts}, {sent} requests, {seconds:.2f} s"
    if error is not None and expect.error is None:
        raise AssertionError(outcome) from error
    assert (None if error is None else type(error).__name__) == expect.error, outcome
    for name, wanted in expect.fields.items():
        given = facts.get(name) if error is None else getattr(error, name)
        assert given == wanted, f"{name}: {outcome}"
    assert expect.says is None or expect.says in str(error), outcome
    assert expect.cause is None or type(error and error.__cause__).__name__ == expect.cause, outcome
    assert sent <= expect.requests, f"too many requests: {outcome}"
    assert expect.least - _SLACK <= seconds <= expect.seconds + _SLACK, f"too late, or too early: {outcome}"
    if expect.runs is not None:
        assert len(world.started()) == expect.runs, outcome


def _rules(world: World) -> None:
    """What holds after every case."""
    clients = [world.maia, *world.others]
    outcomes = [name for client in clients for name, count in client.statistics().outcomes.items() for _ in range(count)]
    arrived = len(world.control.requests())
    assert arrived <= len(outcomes), "the library below sent a request that nobody counted"
    lost = {"ConnectFailed", "Disconnected", "RequestTimedOut", "CancelledError", "SessionClosed"}
    if not lost & set(outcomes) and world.row.around is None:
        assert arrived == len(outcomes), "a request was counted that was not sent"
    limit = world.emulator.scenario.rate_limit
    server = world.control.statistics()
    alone = not any(act.call == "set_others" for act in world.row.acts)
    assert limit is None or server["peak_in_window"] <= limit.requests
    assert server["refused_429"] == 0 or not alone
    for client in clients:
        after = client.statistics()
        assert (after.in_flight, after.waits, client._owner.running) == (0, 0, 0), "something of ours still runs"
    tags = [run.execution_tag for run in world.started() if run.execution_tag is not None]
    assert len(tags) == len(set(tags)), "a run was started twice"
