"""Many things at once: batches, the trigger desk that starts each run once, supervised streams. Public names only; no logic."""

from maia_async.orchestration.batch import Batch as Batch
from maia_async.orchestration.batch import StopSignal as StopSignal
from maia_async.orchestration.batch import run_batch as run_batch
from maia_async.orchestration.outcomes import BatchReport as BatchReport
from maia_async.orchestration.outcomes import Durations as Durations
from maia_async.orchestration.outcomes import Outcome as Outcome
from maia_async.orchestration.supervision import ExternallyStopped as ExternallyStopped
from maia_async.orchestration.supervision import Flapping as Flapping
from maia_async.orchestration.supervision import GaveUp as GaveUp
from maia_async.orchestration.supervision import ReachableAgain as ReachableAgain
from maia_async.orchestration.supervision import RestartAttempted as RestartAttempted
from maia_async.orchestration.supervision import StartAttempted as StartAttempted
from maia_async.orchestration.supervision import StreamingTransition as StreamingTransition
from maia_async.orchestration.supervision import SupervisedState as SupervisedState
from maia_async.orchestration.supervision import SupervisorEvent as SupervisorEvent
from maia_async.orchestration.supervision import Unreachable as Unreachable
from maia_async.orchestration.supervisor import Supervisor as Supervisor
from maia_async.orchestration.supervisor import supervise as supervise
