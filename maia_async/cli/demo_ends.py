"""Ends the runs of `maia demo` as their rows say. It knows a run by the request that started it, and touches no other.

The emulator's own chances are drawn in the order in which requests arrive, and that is up to the network.
"""

from __future__ import annotations

import asyncio

from attrs import frozen

from maia_async import Event, ExecutionTriggered
from maia_async.cli.demo_plan import ENVIRONMENT, TAKEN_TAG, planned_end
from maia_async.emulator import Emulator


@frozen
class Conductor:
    """An observer of the demo's client."""

    emulator: Emulator
    seed: int

    def __call__(self, event: Event) -> None:
        """A run was started: set the time of its end."""
        if isinstance(event, ExecutionTriggered):
            seconds, outcome = planned_end(event.request, self.seed)
            loop = asyncio.get_running_loop()
            loop.call_later(seconds / self.emulator.speed, self._end, event.execution_id, outcome.status, outcome.message)

    def _end(self, execution_id: str, status: str, message: str | None) -> None:
        self.emulator.control.finish(execution_id, status, message)


def occupy_tag(emulator: Emulator) -> None:
    """Somebody else's run, whose tag some rows have, too. It outlasts the demo."""
    emulator.control.add_execution("finance/month end", ENVIRONMENT, duration=3e8, execution_tag=TAKEN_TAG, trigger="API")
