"""What a service does with a client all day, in one shift: starts, waits, cancels, lists, streams. It tells the ledger what it was told.

Whatever the client raises is counted and shrugged off, as long as it is a MaiaError; anything else ends the soak, for that is a defect.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from random import Random
from typing import Any, Final

from attrs import define, field
from ledger import MARK, Claim, Ledger

from maia_async import Batch, ExecutionRequest, Maia, MaiaError, Outcome, TriggerAbandoned, TriggerOutcomeUnknown
from maia_async.emulator import Emulator, Pipeline

ENVIRONMENT: Final = "Environment-1"
PIPELINES: Final = (
    Pipeline(name="short", duration=(5, 60)),
    Pipeline(name="long", duration=(60, 300)),
    Pipeline(name="fails", duration=(5, 90), outcomes=("SUCCESS", "FAILED"), choose="random"),
    Pipeline(name="skips", duration=(1, 5), outcomes=("SUCCESS", "SUCCESS", "SKIPPED", "FORBIDDEN"), choose="random"),
    Pipeline(name="stubborn", duration=(30, 120), cancel_seconds=(5, 40)),
)
ENDS: Final = frozenset({"SUCCESS", "FAILED", "CANCELLED", "SKIPPED", "FORBIDDEN"})


@define(eq=False)
class Work:
    """One shift. pace: how much of everything there is; `until` is a time of the loop, after which nothing new is begun."""

    maia: Maia
    emulator: Emulator
    ledger: Ledger
    dice: Random
    until: float
    pace: float = 1.0
    done: Counter[str] = field(factory=Counter)  # by kind
    raised: Counter[str] = field(factory=Counter)  # MaiaErrors, by type
    wrong: list[str] = field(factory=list)

    def tasks(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Everything that goes on at once. Each has dice of its own, so that one does not change the luck of another."""
        kinds: list[tuple[Callable[[Random], Coroutine[Any, Any, None]], float, int]] = [
            (self._batch, 300.0, 2),
            (self._single, 100.0, 8),
            (self._hasty, 120.0, 2),
            (self._others, 900.0, 1),
            (self._lists, 60.0, 2),
            (self._plain, 30.0, 3),
            (self._stream, 600.0, 1),
            (self._visitor, 400.0, 1),
        ]
        for kind, pause, count in kinds:
            for _ in range(count):
                yield self._again(kind, pause / self.pace, Random(self.dice.random()))

    def told(self, event: Any) -> None:
        """An observer: what became of triggers whose caller had gone."""
        if isinstance(event, TriggerAbandoned):
            mark = (event.request.scalar_variables or {}).get(MARK)
            if mark is not None:
                self.ledger.claim(mark, Claim(execution_id=event.execution_id, doubtful=event.execution_id is None))

    async def _again(self, kind: Callable[[Random], Coroutine[Any, Any, None]], pause: float, dice: Random) -> None:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(dice.uniform(0, pause))
        while now() < self.until:
            self.done[kind.__name__.strip("_")] += 1
            try:
                await kind(dice)
            except MaiaError as error:
                self.raised[type(error).__name__] += 1
            await asyncio.sleep(dice.uniform(0.5, 1.5) * pause)

    # starting

    def _request(self, dice: Random) -> ExecutionRequest:
        tag: dict[str, Any] = {}
        if dice.random() < 0.1:
            tag = {"execution_tag": f"own-{dice.randint(1, 5)}"}
        elif dice.random() < 0.05:
            tag = {"execution_tag": None}
        return ExecutionRequest(
            pipeline_name=dice.choice(PIPELINES).name,
            environment_name="nowhere" if dice.random() < 0.01 else ENVIRONMENT,
            scalar_variables={MARK: self.ledger.mark()},
            **tag,
        )

    async def _batch(self, dice: Random) -> None:
        count = dice.randint(5, 60)
        sized = dice.random() < 0.5
        rows = [self._request(dice) for _ in range(count)] if sized else None
        taken: list[ExecutionRequest] = [] if rows is None else rows

        def lazy() -> Iterator[ExecutionRequest]:
            for _ in range(count):
                taken.append(self._request(dice))
                yield taken[-1]

        batch = Batch(
            self.maia.project(),
            lazy() if rows is None else rows,
            max_running=dice.choice([5, 20, 50]),
            on_failure=dice.choice(["continue", "continue", "stop", "cancel"]),
            on_conflict=dice.choice(["raise", "wait"]),
            conflict_timeout=120.0,
            on_cancel=dice.choice(["leave", "cancel", "confirm"]),
            timeout=dice.choice([None, None, 200.0]),
        )
        leaves_after = dice.choice([None, None, None, count // 2])
        try:
            async with batch:
                number = 0
                async for _ in batch:
                    number += 1
                    if number == leaves_after:
                        break
        finally:
            outcomes = batch.report().outcomes
            for outcome in outcomes:
                self.ledger.claim(_mark(outcome.request), claim_of(outcome))
            if sized:  # the others were never read, and the report says so
                for row in taken[len(outcomes) :]:
                    self.ledger.withdraw(_mark(row))

    async def _single(self, dice: Random) -> None:
        request = self._request(dice)
        run = await self._start(request)
        if run is None:
            return
        mark, way = _mark(request), dice.randrange(7)
        if way == 0:
            details = await run.cancel_and_confirm()
        elif way == 1:
            await asyncio.sleep(dice.uniform(0, 30))
            await run.cancel(force=dice.random() < 0.5)
            details = await run.wait(check=False)
        elif way == 2:
            details = await self.maia.execution_from(run.reference).wait(check=False)
        elif way == 3:
            details = await run.wait(dice.uniform(1, 60), check=False, on_timeout=dice.choice(["leave", "cancel", "confirm"]))
        elif way == 4:
            details = None
            async for seen in run.watch():
                details = seen
        elif way == 5:
            try:
                async with asyncio.timeout(dice.uniform(0, 30)):
                    details = await run.wait(check=False, on_cancel=dice.choice(["leave", "cancel", "confirm"]))
            except TimeoutError as error:
                if isinstance(error, MaiaError):
                    raise
                return
        else:
            details = await run.wait(check=False)
        if details is not None and details.is_terminal:
            self.ledger.claim(mark, Claim(execution_id=run.id, state=details.status.value))

    async def _hasty(self, dice: Random) -> None:
        """A caller who goes away while it starts a run."""
        request = self._request(dice)
        try:
            async with asyncio.timeout(dice.uniform(0, 0.6)):
                await self._start(request)
        except TimeoutError as error:
            if isinstance(error, MaiaError):
                raise
            if not self.ledger.known(_mark(request)):  # an observer is told of it sooner or later, if there is anything to tell
                self.ledger.claim(_mark(request), Claim())

    async def _start(self, request: ExecutionRequest) -> Any:
        fields = {"scalar_variables": request.scalar_variables, "execution_tag": request.execution_tag}
        try:
            run = await self.maia.project().execute(request.pipeline_name, request.environment_name, **fields)
        except TriggerOutcomeUnknown as error:
            self.ledger.claim(_mark(request), Claim(doubtful=True, candidates=tuple(error.candidates)))
            self.raised[type(error).__name__] += 1
            return None
        except MaiaError as error:
            self.ledger.claim(_mark(request), Claim())
            self.raised[type(error).__name__] += 1
            return None
        self.ledger.claim(_mark(request), Claim(execution_id=run.id))
        return run

    # looking

    async def _others(self, dice: Random) -> None:
        """Runs that somebody else started: awaited by id, many at once."""
        control, project = self.emulator.control, self.maia.project()
        names = [pipeline.name for pipeline in PIPELINES]
        ids = control.add_crowd(dice.randint(5, 60), pipelines=names, started_over=300.0, duration=(300, 900))

        async def one(run_id: str) -> None:
            try:
                details = await project.execution(run_id).wait(check=False)
            except MaiaError as error:
                self.raised[type(error).__name__] += 1
                return
            truth = control.execution(run_id).status
            if details.status.value != truth:
                self.wrong.append(f"{run_id}: {details.status.value} says the client, {truth} the server")

        async with asyncio.TaskGroup() as group:
            for run_id in ids:
                group.create_task(one(run_id))

    async def _lists(self, dice: Random) -> None:
        project = self.maia.project()
        if dice.random() < 0.3:
            await self.maia.projects.list()
            await project.pipelines.list()
            await project.environments.list()
            return
        number = 0
        async for _ in project.executions.list(page_size=dice.choice([10, 100])):
            number += 1
            if number > 150:
                break

    async def _plain(self, dice: Random) -> None:
        if dice.random() < 0.5:
            await self.maia.request("GET", "/v1/projects", params={"size": 5})
        else:
            await self.maia.project().environments.get(ENVIRONMENT)

    async def _stream(self, dice: Random) -> None:
        """A streaming pipeline that nobody supervises."""
        project = self.maia.project()
        await project.streaming_pipelines.list()
        ids = [stream.id for stream in self.emulator.control.streams() if stream.name.startswith("spare")]
        pipeline = project.streaming_pipeline(dice.choice(ids))
        await pipeline.ensure_streaming(timeout=300)
        await pipeline.ensure_stopped(timeout=300)

    async def _visitor(self, dice: Random) -> None:
        """A client of its own, which is closed again, perhaps with waits under way."""
        async with self.emulator.client() as maia:
            ids = self.emulator.control.add_crowd(5, duration=(5, 60))
            waits = [maia.project().execution(run_id).wait(check=False) for run_id in ids]
            async with asyncio.TaskGroup() as group:
                for wait in waits:
                    group.create_task(self._shrug(wait))
                await asyncio.sleep(dice.uniform(0, 90))
                await maia.aclose()

    async def _shrug(self, wait: Coroutine[Any, Any, Any]) -> None:
        try:
            await wait
        except MaiaError as error:
            self.raised[type(error).__name__] += 1


def claim_of(outcome: Outcome) -> Claim:
    """What an outcome of a batch says."""
    state = outcome.state.value
    return Claim(
        execution_id=outcome.execution_id,
        state=state if state in ENDS else None,
        doubtful=state == "UNKNOWN",
        candidates=outcome.candidates,
    )


def _mark(request: ExecutionRequest) -> str:
    return str((request.scalar_variables or {})[MARK])
