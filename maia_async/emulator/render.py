"""Executions, their steps, and streaming pipelines as JSON objects, in the shape of the reading in force; pure."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from maia_async.emulator.definitions import upper
from maia_async.emulator.exchange import extended, shaped
from maia_async.emulator.executions import Run, finished_at, is_terminal, message_at, status_at
from maia_async.emulator.readings import Readings
from maia_async.emulator.scenario import Pipeline, Step
from maia_async.emulator.streams import Stream, shown_at
from maia_async.emulator.times import timestamp


def row(run: Run, now: float, readings: Readings, *, project: bool = True) -> dict[str, Any]:
    """The twelve fields of the reference, flat."""
    ended = finished_at(run, now)
    return shaped(
        {
            "environmentName": run.environment_name,
            "finishedAt": timestamp(ended) if ended is not None else None,
            "message": message_at(run, now),
            "pipelineExecutionId": run.id,
            "pipelineName": readings.shown_name(run.pipeline_name),
            "pipelineType": run.pipeline_type,
            "projectId": run.project_id if project else None,
            "scheduleId": run.schedule_id,
            "startedAt": timestamp(run.started),
            "status": word(run, now, readings),
            "trigger": run.trigger,
            "user": run.user,
        },
        readings,
    )


def details(run: Run, now: float, readings: Readings) -> dict[str, Any]:
    """The details in each of their three shapes (#1); `projectId` in two of them (#2)."""
    if readings.details == "guide":
        # The guide prints an end beside RUNNING: a client must go by the status alone.
        ended = finished_at(run, now)
        result = {
            "finishedAt": timestamp(run.started if ended is None else ended),
            "message": message_at(run, now) or '"Rewrite Table": Success',
            "startedAt": timestamp(run.started),
            "status": word(run, now, readings),
        }
        return {"result": shaped(result, readings)}
    flat = row(run, now, readings, project=readings.details_project_id)
    return flat if readings.details == "flat" else {"result": flat}


def status_only(run: Run, now: float, readings: Readings) -> dict[str, Any]:
    """The answer of `/status`, whose schema no source shows."""
    status = shaped({"status": word(run, now, readings)}, readings)
    return status if readings.status_endpoint == "flat" else {"result": status}


def word(run: Run, now: float, readings: Readings) -> str:
    """The status in the letter case of the reading (#5)."""
    return _cased(status_at(run, now), readings)


def steps(run: Run, pipeline: Pipeline | None, now: float, readings: Readings) -> list[dict[str, Any]]:
    """The steps begun so far. They share the run's time evenly; the last one begun has the status of the run, the others SUCCESS."""
    if pipeline is None or run.outcome in {"SKIPPED", "FORBIDDEN"}:
        return []
    ended = finished_at(run, now)
    moment = now if ended is None else ended
    share = (run.ends - run.started) / max(1, len(pipeline.steps))
    begun = [step for place, step in enumerate(pipeline.steps) if run.started + place * share <= moment]
    return [
        _step(
            run, step, readings, place=place, start=run.started + place * share, end=min(run.started + (place + 1) * share, moment), now=now
        )
        if place + 1 == len(begun)
        else _step(run, step, readings, place=place, start=run.started + place * share, end=run.started + (place + 1) * share)
        for place, step in enumerate(begun)
    ]


def definition(stream: Stream, readings: Readings) -> dict[str, Any]:
    """The definition key for key as it was sent, nulls included, with the id in front and perhaps the project (#2 has the same doubt)."""
    sent = upper(stream.definition) if readings.definition_words == "upper" else stream.definition
    own = {"streamingPipelineId": stream.id, "projectId": stream.project_id if readings.definition_project_id else None}
    # Ids in the body are those of a definition that was read before: the path decides, not they.
    shape = {**own, **{key: value for key, value in sent.items() if key not in own}}
    if readings.null_fields == "null":
        shape.setdefault("advancedProperties", None)
    elif shape["projectId"] is None:
        del shape["projectId"]
    return extended(shape, readings)


def stream_status(stream: Stream, now: float, readings: Readings) -> dict[str, Any]:
    """The answer of a stream's `/status`; its letter case is a matter of reading (#5)."""
    return shaped({"status": _cased(shown_at(stream, now), readings)}, readings)


def _step(run: Run, step: Step, readings: Readings, *, place: int, start: float, end: float, now: float | None = None) -> dict[str, Any]:
    """One step; `now` is given for the last one begun, which ends when the run does."""
    status = _cased("SUCCESS", readings) if now is None else word(run, now, readings)
    done = now is None or is_terminal(run, now)
    result = {
        "status": status,
        "message": f'"{step.name}": {status.capitalize()}' if done else None,
        "startedAt": timestamp(start) if step.timed else None,
        "finishedAt": timestamp(end) if step.timed and done else None,
    }
    child = (run.children or {}).get(step.name)
    item = {
        "id": str(uuid5(UUID(run.id), str(place))),
        "name": step.name,
        "result": shaped(result, readings),
        "childPipeline": {"id": child, "name": step.child} if child is not None else None,
    }
    return shaped(item, readings)


def _cased(status: str, readings: Readings) -> str:
    return status.lower() if readings.status_case == "lower" else status
