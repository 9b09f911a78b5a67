"""What the handles of one client share: a bundle of collaborators, wired by the root. It does nothing itself.

The trigger comes in as a protocol, because it stands above the resources (it returns their handles' ids) and the arrows go one way.
"""

from __future__ import annotations

from typing import Protocol

from attrs import define, frozen

from maia_async.exchange import Exchange
from maia_async.models import ExecutionRequest
from maia_async.observers import Observers
from maia_async.tasks import TaskOwner
from maia_async.watching.watcher import Watcher


@frozen
class Begun:
    """A run that was started. at: the loop's time of the answer that said so; of one that was found without an answer, of its POST."""

    execution_id: str
    at: float


class Trigger(Protocol):
    """Starts runs."""

    async def start(self, project_id: str, request: ExecutionRequest) -> Begun:
        """Start one run; see `Project.execute` for what it raises."""


@define(slots=True)
class Runtime:
    """One per client."""

    exchange: Exchange
    watcher: Watcher
    owner: TaskOwner
    observers: Observers
    trigger: Trigger
    settle: float  # TriggerPolicy.settle
    status_is_served: bool = True  # until the status-only operation, whose answer is not documented, turns out to be missing
