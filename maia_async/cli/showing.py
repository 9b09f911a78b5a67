"""One execution as data on stdout, and as a status line while it is awaited. It reads nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.text import Text

from maia_async import ExecutionDetails, PipelineExecution
from maia_async.cli.data import STYLES, Data, Form, as_json


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
    loop = asyncio.get_running_loop()
    started = loop.time()

    def draw() -> Text:
        seen = execution.last_details
        status = seen.status.value if seen is not None else "STARTED"
        text = Text(status, style=STYLES.get(status, ""))
        return text.append(f"  {execution.id}  {loop.time() - started:.0f} s", style="default")

    return draw
