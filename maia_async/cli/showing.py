"""One execution as data on stdout, and status lines of what is awaited. It reads nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from rich.text import Text

from maia_async import ExecutionDetails, PipelineExecution, StreamingPipeline
from maia_async.cli.data import STYLES, Data, Form, as_json
from maia_async.cli.escapes import shown


def write_details(data: Data, execution: PipelineExecution, details: ExecutionDetails, output: Form) -> None:
    """All that is known of a run."""
    if output == "json":
        known = as_json(details)
        data.document({"pipelineExecutionId": execution.id, "projectId": execution.project_id, **known})
        return
    duration = details.duration
    data.fields(
        (
            ("status", details.status.value),
            ("execution", execution.id),
            ("project", execution.project_id),
            ("pipeline", details.pipeline_name),
            ("environment", details.environment_name),
            ("message", details.message),
            ("started", details.started_at),
            ("finished", details.finished_at),
            ("duration", None if duration is None else f"{duration:.1f} s"),
            ("trigger", details.trigger),
            ("user", details.user),
        )
    )


def status_line(execution: PipelineExecution) -> Callable[[], Text]:
    """Draws the last status seen and the time that passed."""

    def status() -> str:
        seen = execution.last_details
        return seen.status.value if seen is not None else "STARTED"

    return _line(status, execution.id)


def status_lines(executions: Sequence[PipelineExecution]) -> Callable[[], Text]:
    """Draws how many were last seen at which status, and the time that passed."""

    def counted() -> str:
        seen = [execution.last_details for execution in executions]
        counts = Counter("STARTED" if details is None else details.status.value for details in seen)
        return "   ".join(f"{shown(status)} {count}" for status, count in counts.items())

    return _line(counted, "")


def stream_line(pipeline: StreamingPipeline) -> Callable[[], Text]:
    """Draws the last state seen and the time that passed."""
    return _line(lambda: shown(pipeline.last_state.value) if pipeline.last_state is not None else "waiting", pipeline.id)


def _line(status: Callable[[], str], name: str) -> Callable[[], Text]:
    loop = asyncio.get_running_loop()
    started = loop.time()

    def draw() -> Text:
        word = status()
        return Text(word, style=STYLES.get(word, "")).append(f"  {name}  {loop.time() - started:.0f} s", style="default")

    return draw
