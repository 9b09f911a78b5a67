"""Many things at once: batches, the trigger desk that starts each run once, supervised streams. Public names only; no logic."""

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
