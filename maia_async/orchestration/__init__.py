"""Many things at once: batches, the trigger desk that starts each run once, supervised streams. Public names only; no logic.

Names are loaded when they are first used, as at the root: every client has a trigger desk, few have a batch, a journal or a supervisor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maia_async.loading import home_of, load

if TYPE_CHECKING:
    from maia_async.orchestration.batch.batch import Batch as Batch
    from maia_async.orchestration.batch.batch import StopSignal as StopSignal
    from maia_async.orchestration.batch.batch import run_batch as run_batch
    from maia_async.orchestration.outcomes import BatchReport as BatchReport
    from maia_async.orchestration.outcomes import Durations as Durations
    from maia_async.orchestration.outcomes import Outcome as Outcome
    from maia_async.orchestration.supervision.events import ExternallyStopped as ExternallyStopped
    from maia_async.orchestration.supervision.events import Flapping as Flapping
    from maia_async.orchestration.supervision.events import GaveUp as GaveUp
    from maia_async.orchestration.supervision.events import ReachableAgain as ReachableAgain
    from maia_async.orchestration.supervision.events import RestartAttempted as RestartAttempted
    from maia_async.orchestration.supervision.events import StartAttempted as StartAttempted
    from maia_async.orchestration.supervision.events import StreamingTransition as StreamingTransition
    from maia_async.orchestration.supervision.events import SupervisedState as SupervisedState
    from maia_async.orchestration.supervision.events import SupervisorEvent as SupervisorEvent
    from maia_async.orchestration.supervision.events import Unreachable as Unreachable
    from maia_async.orchestration.supervision.supervisor import Supervisor as Supervisor
    from maia_async.orchestration.supervision.supervisor import supervise as supervise

_HOMES = {
    "maia_async.orchestration.batch.batch": ("Batch", "StopSignal", "run_batch"),
    "maia_async.orchestration.outcomes": ("BatchReport", "Durations", "Outcome"),
    "maia_async.orchestration.supervision.events": (
        "ExternallyStopped",
        "Flapping",
        "GaveUp",
        "ReachableAgain",
        "RestartAttempted",
        "StartAttempted",
        "StreamingTransition",
        "SupervisedState",
        "SupervisorEvent",
        "Unreachable",
    ),
    "maia_async.orchestration.supervision.supervisor": ("Supervisor", "supervise"),
}
_HOME = home_of(_HOMES)

__all__ = sorted(_HOME)  # noqa: PLE0605 - a list, made from the table above


def __getattr__(name: str) -> Any:
    return load(globals(), _HOME, name)


def __dir__() -> list[str]:
    return __all__
