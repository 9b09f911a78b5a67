"""Asyncio client for the Maia REST API: trigger pipelines, await them, fan out. Public names only; no logic.

Names are loaded when they are first used, so that `import maia_async` costs next to nothing; type checkers see plain imports.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from maia_async.loading import home_of, load

if TYPE_CHECKING:
    from maia_async.auth import Auth as Auth
    from maia_async.auth import ClientCredentials as ClientCredentials
    from maia_async.auth import StaticToken as StaticToken
    from maia_async.client import Maia as Maia
    from maia_async.config import Region as Region
    from maia_async.errors import BadRequest as BadRequest
    from maia_async.errors import ConfigurationError as ConfigurationError
    from maia_async.errors import Conflict as Conflict
    from maia_async.errors import ConnectFailed as ConnectFailed
    from maia_async.errors import CreateOutcomeUnknown as CreateOutcomeUnknown
    from maia_async.errors import DecodeError as DecodeError
    from maia_async.errors import Disconnected as Disconnected
    from maia_async.errors import ExecutionCancelled as ExecutionCancelled
    from maia_async.errors import ExecutionFailed as ExecutionFailed
    from maia_async.errors import ExecutionForbidden as ExecutionForbidden
    from maia_async.errors import ExecutionSkipped as ExecutionSkipped
    from maia_async.errors import ExecutionUnsuccessful as ExecutionUnsuccessful
    from maia_async.errors import Forbidden as Forbidden
    from maia_async.errors import GatewayTimeout as GatewayTimeout
    from maia_async.errors import InvalidRequest as InvalidRequest
    from maia_async.errors import JournalCorrupt as JournalCorrupt
    from maia_async.errors import JournalError as JournalError
    from maia_async.errors import JournalInUse as JournalInUse
    from maia_async.errors import JournalMismatch as JournalMismatch
    from maia_async.errors import JournalWriteFailed as JournalWriteFailed
    from maia_async.errors import MaiaError as MaiaError
    from maia_async.errors import MisuseError as MisuseError
    from maia_async.errors import NotFound as NotFound
    from maia_async.errors import PipelineDisabled as PipelineDisabled
    from maia_async.errors import RateLimited as RateLimited
    from maia_async.errors import ReplayedError as ReplayedError
    from maia_async.errors import RequestTimedOut as RequestTimedOut
    from maia_async.errors import ResponseError as ResponseError
    from maia_async.errors import ServerError as ServerError
    from maia_async.errors import SessionClosed as SessionClosed
    from maia_async.errors import StatusUnavailable as StatusUnavailable
    from maia_async.errors import StreamingStopped as StreamingStopped
    from maia_async.errors import TransportError as TransportError
    from maia_async.errors import TriggerOutcomeUnknown as TriggerOutcomeUnknown
    from maia_async.errors import Unauthorized as Unauthorized
    from maia_async.errors import WaitTimeout as WaitTimeout
    from maia_async.events import Event as Event
    from maia_async.events import ExecutionChanged as ExecutionChanged
    from maia_async.events import ExecutionTriggered as ExecutionTriggered
    from maia_async.events import Observer as Observer
    from maia_async.events import RateLimitPaused as RateLimitPaused
    from maia_async.events import RequestFinished as RequestFinished
    from maia_async.events import StreamingChanged as StreamingChanged
    from maia_async.events import StreamingPipelineCreated as StreamingPipelineCreated
    from maia_async.events import SweepBegun as SweepBegun
    from maia_async.events import TokenRefreshed as TokenRefreshed
    from maia_async.events import TriggerAbandoned as TriggerAbandoned
    from maia_async.events import TriggerRecovered as TriggerRecovered
    from maia_async.events import UnknownValueSeen as UnknownValueSeen
    from maia_async.models import AUTO as AUTO
    from maia_async.models import ChildPipeline as ChildPipeline
    from maia_async.models import Environment as Environment
    from maia_async.models import ExecutionDetails as ExecutionDetails
    from maia_async.models import ExecutionRequest as ExecutionRequest
    from maia_async.models import ExecutionStatus as ExecutionStatus
    from maia_async.models import ExecutionStep as ExecutionStep
    from maia_async.models import ExecutionTrigger as ExecutionTrigger
    from maia_async.models import OutcomeState as OutcomeState
    from maia_async.models import Page as Page
    from maia_async.models import ProjectSummary as ProjectSummary
    from maia_async.models import PublishedPipeline as PublishedPipeline
    from maia_async.models import Response as Response
    from maia_async.models import StepResult as StepResult
    from maia_async.models.streaming import AbsTarget as AbsTarget
    from maia_async.models.streaming import Authentication as Authentication
    from maia_async.models.streaming import Db2ForISource as Db2ForISource
    from maia_async.models.streaming import MySqlSource as MySqlSource
    from maia_async.models.streaming import OracleSource as OracleSource
    from maia_async.models.streaming import OtherSource as OtherSource
    from maia_async.models.streaming import OtherTarget as OtherTarget
    from maia_async.models.streaming import PostgresSource as PostgresSource
    from maia_async.models.streaming import S3Target as S3Target
    from maia_async.models.streaming import SecretReference as SecretReference
    from maia_async.models.streaming import SecretType as SecretType
    from maia_async.models.streaming import SnowflakeConnection as SnowflakeConnection
    from maia_async.models.streaming import SnowflakeTarget as SnowflakeTarget
    from maia_async.models.streaming import SourceConnection as SourceConnection
    from maia_async.models.streaming import SqlServerSource as SqlServerSource
    from maia_async.models.streaming import StreamingPipelineDefinition as StreamingPipelineDefinition
    from maia_async.models.streaming import StreamingState as StreamingState
    from maia_async.models.streaming import Table as Table
    from maia_async.orchestration import Batch as Batch
    from maia_async.orchestration import BatchReport as BatchReport
    from maia_async.orchestration import ExternallyStopped as ExternallyStopped
    from maia_async.orchestration import Flapping as Flapping
    from maia_async.orchestration import GaveUp as GaveUp
    from maia_async.orchestration import Outcome as Outcome
    from maia_async.orchestration import ReachableAgain as ReachableAgain
    from maia_async.orchestration import RestartAttempted as RestartAttempted
    from maia_async.orchestration import StartAttempted as StartAttempted
    from maia_async.orchestration import StreamingTransition as StreamingTransition
    from maia_async.orchestration import SupervisedState as SupervisedState
    from maia_async.orchestration import Supervisor as Supervisor
    from maia_async.orchestration import SupervisorEvent as SupervisorEvent
    from maia_async.orchestration import Unreachable as Unreachable
    from maia_async.orchestration import run_batch as run_batch
    from maia_async.orchestration import supervise as supervise
    from maia_async.orchestration.journal import JournalEntry as JournalEntry
    from maia_async.orchestration.journal import JournalSummary as JournalSummary
    from maia_async.orchestration.journal import journal_summary as journal_summary
    from maia_async.policies import PollPolicy as PollPolicy
    from maia_async.policies import RateLimit as RateLimit
    from maia_async.policies import RestartPolicy as RestartPolicy
    from maia_async.policies import RetryPolicy as RetryPolicy
    from maia_async.policies import Timeouts as Timeouts
    from maia_async.policies import TriggerPolicy as TriggerPolicy
    from maia_async.problems import FieldProblem as FieldProblem
    from maia_async.problems import ProblemDetail as ProblemDetail
    from maia_async.resources import Pager as Pager
    from maia_async.resources import PipelineExecution as PipelineExecution
    from maia_async.resources import Project as Project
    from maia_async.resources import StreamingPipeline as StreamingPipeline
    from maia_async.statistics import Statistics as Statistics

_HOMES = {
    "maia_async.auth": (
        "Auth",
        "ClientCredentials",
        "StaticToken",
    ),
    "maia_async.client": ("Maia",),
    "maia_async.config": ("Region",),
    "maia_async.errors": (
        "BadRequest",
        "ConfigurationError",
        "Conflict",
        "ConnectFailed",
        "CreateOutcomeUnknown",
        "DecodeError",
        "Disconnected",
        "ExecutionCancelled",
        "ExecutionFailed",
        "ExecutionForbidden",
        "ExecutionSkipped",
        "ExecutionUnsuccessful",
        "Forbidden",
        "GatewayTimeout",
        "InvalidRequest",
        "JournalCorrupt",
        "JournalError",
        "JournalInUse",
        "JournalMismatch",
        "JournalWriteFailed",
        "MaiaError",
        "MisuseError",
        "NotFound",
        "PipelineDisabled",
        "RateLimited",
        "ReplayedError",
        "RequestTimedOut",
        "ResponseError",
        "ServerError",
        "SessionClosed",
        "StatusUnavailable",
        "StreamingStopped",
        "TransportError",
        "TriggerOutcomeUnknown",
        "Unauthorized",
        "WaitTimeout",
    ),
    "maia_async.events": (
        "Event",
        "ExecutionChanged",
        "ExecutionTriggered",
        "Observer",
        "RateLimitPaused",
        "RequestFinished",
        "StreamingChanged",
        "StreamingPipelineCreated",
        "SweepBegun",
        "TokenRefreshed",
        "TriggerAbandoned",
        "TriggerRecovered",
        "UnknownValueSeen",
    ),
    "maia_async.models": (
        "AUTO",
        "ChildPipeline",
        "Environment",
        "ExecutionDetails",
        "ExecutionRequest",
        "ExecutionStatus",
        "ExecutionStep",
        "ExecutionTrigger",
        "OutcomeState",
        "Page",
        "ProjectSummary",
        "PublishedPipeline",
        "Response",
        "StepResult",
    ),
    "maia_async.models.streaming": (
        "AbsTarget",
        "Authentication",
        "Db2ForISource",
        "MySqlSource",
        "OracleSource",
        "OtherSource",
        "OtherTarget",
        "PostgresSource",
        "S3Target",
        "SecretReference",
        "SecretType",
        "SnowflakeConnection",
        "SnowflakeTarget",
        "SourceConnection",
        "SqlServerSource",
        "StreamingPipelineDefinition",
        "StreamingState",
        "Table",
    ),
    "maia_async.orchestration": (
        "Batch",
        "BatchReport",
        "ExternallyStopped",
        "Flapping",
        "GaveUp",
        "Outcome",
        "ReachableAgain",
        "RestartAttempted",
        "StartAttempted",
        "StreamingTransition",
        "SupervisedState",
        "Supervisor",
        "SupervisorEvent",
        "Unreachable",
        "run_batch",
        "supervise",
    ),
    "maia_async.orchestration.journal": (
        "JournalEntry",
        "JournalSummary",
        "journal_summary",
    ),
    "maia_async.policies": (
        "PollPolicy",
        "RateLimit",
        "RestartPolicy",
        "RetryPolicy",
        "Timeouts",
        "TriggerPolicy",
    ),
    "maia_async.problems": (
        "FieldProblem",
        "ProblemDetail",
    ),
    "maia_async.resources": (
        "Pager",
        "PipelineExecution",
        "Project",
        "StreamingPipeline",
    ),
    "maia_async.statistics": ("Statistics",),
}
_HOME = home_of(_HOMES)
_SUBMODULES = frozenset({"emulator", "errors", "events", "models", "orchestration", "policies"})

__all__ = sorted(_HOME)  # noqa: PLE0605 - a list, made from the table above


def __getattr__(name: str) -> Any:
    return import_module(f"maia_async.{name}") if name in _SUBMODULES else load(globals(), _HOME, name)


def __dir__() -> list[str]:
    return __all__
