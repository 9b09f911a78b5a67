"""What the API tells of a pipeline execution, as frozen values; no I/O, no decoding.

Field names are the API's own in snake case (reference pages "Pipeline Execution Details", "Pipeline steps status"; section 2 of the
API survey). Everything but the status may be missing: none of it is marked required.
"""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from maia_async.models.enums import ExecutionStatus, ExecutionTrigger


@frozen(kw_only=True)
class ExecutionDetails:
    """One execution as the API last told it. Times are aware datetimes."""

    status: ExecutionStatus = ExecutionStatus.UNKNOWN
    pipeline_execution_id: str | None = None
    project_id: str | None = None
    pipeline_name: str | None = None
    environment_name: str | None = None
    message: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    pipeline_type: str | None = None
    trigger: ExecutionTrigger | None = None
    schedule_id: str | None = None
    user: str | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self.status.is_terminal

    @property
    def duration(self) -> float | None:
        """Seconds from start to end by Maia's own clock, or None while either is missing."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


@frozen(kw_only=True)
class StepResult:
    """How one step of a pipeline went; some steps have a final status and no times."""

    status: ExecutionStatus = ExecutionStatus.UNKNOWN
    message: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@frozen(kw_only=True)
class ChildPipeline:
    """The execution that a step started: `id` is its execution id."""

    id: str | None = None
    name: str | None = None


@frozen(kw_only=True)
class ExecutionStep:
    """One step of an execution; `child_pipeline` leads to the execution that the step started."""

    id: str | None = None
    name: str | None = None
    result: StepResult | None = None
    child_pipeline: ChildPipeline | None = None
