"""Many runs at once: batches, and the trigger desk that starts each run once. Public names only; no logic."""

from maia_async.orchestration.batch import Batch as Batch
from maia_async.orchestration.batch import StopSignal as StopSignal
from maia_async.orchestration.batch import run_batch as run_batch
from maia_async.orchestration.outcomes import BatchReport as BatchReport
from maia_async.orchestration.outcomes import Durations as Durations
from maia_async.orchestration.outcomes import Outcome as Outcome
