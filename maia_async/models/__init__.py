"""The API's things as frozen attrs values: no I/O, no clock, no decoding (that is the codec's)."""

from maia_async.models.enums import ExecutionStatus, ExecutionTrigger, OpenEnum, OutcomeState
from maia_async.models.execution import ChildPipeline, ExecutionDetails, ExecutionStep, StepResult
from maia_async.models.page import Page, Response
from maia_async.models.project import Environment, ProjectSummary, PublishedPipeline
from maia_async.models.request import AUTO, ExecutionRequest, ExecutionTag

__all__ = [
    "AUTO",
    "ChildPipeline",
    "Environment",
    "ExecutionDetails",
    "ExecutionRequest",
    "ExecutionStatus",
    "ExecutionStep",
    "ExecutionTag",
    "ExecutionTrigger",
    "OpenEnum",
    "OutcomeState",
    "Page",
    "ProjectSummary",
    "PublishedPipeline",
    "Response",
    "StepResult",
]
