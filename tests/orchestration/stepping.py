"""Runs a scenario once for each step of the event loop and does something at that step: the way to meet every race there is.

A step is one iteration of the loop. At its beginning futures may be done whose waiters have not been told yet, so cancelling there meets
both the await itself and the moment between an answer and its being looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from attrs import define, field
from orchestration.account import others, scenario
from virtual_time import VirtualLoop

from maia_async import Event, Maia, TriggerAbandoned
from maia_async.emulator import Emulator
from maia_async.emulator.control import ServerRun

LATENCY = (0.2, 0.2)


class SteppingLoop(VirtualLoop):
    """Counts its iterations and calls `actions[number]` at the beginning of one.

    Not a chain of `call_soon`: something would always be ready then, and the virtual clock would stand still.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.actions: Mapping[int, Callable[[], object]] = {}

    def begin(self, actions: Mapping[int, Callable[[], object]]) -> None:
        self.steps, self.actions = 0, actions

    def _run_once(self) -> None:
        self.steps += 1
        action = self.actions.get(self.steps)
        if action is not None:
            action()
        super()._run_once()


@define
class Played:
    """How one run of a scenario went. `handed` are the ids that the program under test was given by a value or an error."""

    emulator: Emulator
    steps: int = 0
    handed: set[str] = field(factory=set)
    events: list[Event] = field(factory=list)
    error: BaseException | None = None
    left_behind: list[str] = field(factory=list)
    runs: list[ServerRun] = field(factory=list)
    facts: dict[str, Any] = field(factory=dict)

    def client(self) -> Maia:
        return self.emulator.client(observers=[self.events.append])

    def abandoned(self) -> list[TriggerAbandoned]:
        return [event for event in self.events if isinstance(event, TriggerAbandoned)]

    def lost(self) -> list[ServerRun]:
        """The runs that nobody was told of. `ExecutionTriggered` does not count: it would hide whatever else goes wrong."""
        told = self.handed | {event.execution_id for event in self.abandoned() if event.execution_id is not None}
        doubted = {event.request.execution_tag for event in self.abandoned() if event.execution_id is None}
        return [run for run in self.runs if run.id not in told and run.execution_tag not in doubted]


Use = Callable[[Played], Awaitable[None]]


def play(use: Use, *at: int, strike: Callable[[Played], object] | None = None) -> Played:
    """Run `use` in a task of its own; at these steps call `strike`, or cancel the task."""

    async def main() -> Played:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppingLoop)
        async with Emulator(scenario(latency_in=LATENCY, latency_out=LATENCY)) as emulator:
            played = Played(emulator)
            before = asyncio.all_tasks()

            async def used() -> None:
                await use(played)

            task = loop.create_task(used(), name="under test")
            loop.begin(dict.fromkeys(at, task.cancel if strike is None else lambda: strike(played)))
            await asyncio.wait([task])
            played.steps = loop.steps
            loop.begin({})
            played.left_behind = others(before)
            played.error = asyncio.CancelledError() if task.cancelled() else task.exception()
            await asyncio.sleep(30)  # whatever is on its way arrives
            played.runs = emulator.control.executions()
            return played

    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        return runner.run(main())


def every_step(use: Use, *, again_after: int | None = None) -> Iterator[tuple[int, Played]]:
    """Run it undisturbed, then once for each step, cancelled there; with `again_after` at every third, and so many steps later again."""
    whole = play(use)
    assert whole.error is None
    assert whole.lost() == []
    if again_after is None:
        yield from ((step, play(use, step)) for step in range(1, whole.steps + 1))
    else:
        yield from ((step, play(use, step, step + again_after)) for step in range(1 + again_after % 3, whole.steps + 1, 3))
