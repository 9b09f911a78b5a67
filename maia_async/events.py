"""What observers are told: one frozen event each, never a secret. Observers run in the event loop and must not block.

Times: `at` is an aware UTC datetime from the one wall clock of the package; durations are seconds of the loop's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import frozen

from maia_async.models import ExecutionRequest, ExecutionStatus
from maia_async.models.streaming.state import StreamingState


@frozen(kw_only=True)
class Event:
    """What every event has: when it happened."""

    at: datetime


@frozen(kw_only=True)
class RequestFinished(Event):
    """One attempt ended: `status` is the answer's, or None with `error` (a type name). `lane` is the class of the budget it drew from."""

    method: str
    path: str
    lane: str
    status: int | None
    error: str | None
    duration: float


@frozen(kw_only=True)
class RateLimitPaused(Event):
    """The API answered 429: everybody pauses for `seconds`."""

    seconds: float


@frozen(kw_only=True)
class TokenRefreshed(Event):
    """A new token is in use; `expires_in` seconds as the token endpoint said, or None."""

    expires_in: float | None


@frozen(kw_only=True)
class ExecutionTriggered(Event):
    """A run was started."""

    project_id: str
    execution_id: str
    request: ExecutionRequest


@frozen(kw_only=True)
class TriggerAbandoned(Event):
    """`execute()` was cancelled after its POST had been sent: `execution_id` is the run's id, or None with `error`."""

    project_id: str
    request: ExecutionRequest
    execution_id: str | None
    error: str | None = None


@frozen(kw_only=True)
class TriggerRecovered(Event):
    """A trigger that got no usable answer was found out after all: this is its run.

    adopted: it was found in the list of executions; else the POST was sent again. sends: POSTs in all. looks: reads of the list for it.
    seconds: since it first went out.
    """

    project_id: str
    execution_id: str
    request: ExecutionRequest
    adopted: bool
    sends: int
    looks: int
    seconds: float


@frozen(kw_only=True)
class ExecutionChanged(Event):
    """A watched run showed another status than before (`previous` is None at the first look)."""

    project_id: str
    execution_id: str
    previous: ExecutionStatus | None
    current: ExecutionStatus


@frozen(kw_only=True)
class SweepBegun(Event):
    """A round of list reads begins: `runs` awaited ones are looked for with about `requests` pages in `interval` seconds.

    plan: "all", "running" or "ended": the rows that are asked for.
    """

    project_id: str
    plan: str
    runs: int
    requests: float
    interval: float


@frozen(kw_only=True)
class StreamingPipelineCreated(Event):
    """A streaming pipeline was created, or found again after the answer to its create was lost."""

    project_id: str
    pipeline_id: str
    name: str


@frozen(kw_only=True)
class StreamingChanged(Event):
    """A watched streaming pipeline showed another state than before (`previous` is None at the first look)."""

    project_id: str
    pipeline_id: str
    previous: StreamingState | None
    current: StreamingState


@frozen(kw_only=True)
class UnknownValueSeen(Event):
    """The API sent a word that this version does not know; told once for each word. It is kept as it came."""

    kind: str
    value: str


Observer = Callable[[Event], object]
"""A callable that takes one event. What it raises is logged and never passed on."""
