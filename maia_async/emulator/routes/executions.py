"""Pipeline executions: trigger, details, status, steps, termination, and the account-wide list; functions of values, no I/O."""

from __future__ import annotations

from maia_async.emulator import render
from maia_async.emulator.bodies import parsed_order, parsed_termination
from maia_async.emulator.exchange import Call, Reply, parameter, parsed_object, shaped
from maia_async.emulator.executions import STATUSES, Run, is_terminal
from maia_async.emulator.listing import Filter, Position, position, token_after
from maia_async.emulator.paging import DEFAULT_SIZE, paged, whole
from maia_async.emulator.problems import Refused, invalid
from maia_async.emulator.routes.access import project_of
from maia_async.emulator.service import Service
from maia_async.emulator.times import parsed_timestamp, time_frame


def trigger(service: Service, call: Call) -> Reply:
    """`POST /v1/projects/{projectId}/pipeline-executions`: the body is checked before the project, as frameworks do."""
    order = parsed_order(parsed_object(call.body))
    run = service.account.trigger(project_of(service, call), order, call.now)
    return Reply(service.readings.trigger_status, shaped({service.readings.trigger_body: run.id}, service.readings))


def details(service: Service, call: Call) -> Reply:
    """`GET …/pipeline-executions/{pipelineExecutionId}`."""
    return Reply(200, render.details(_run(service, call), call.now, service.readings))


def status(service: Service, call: Call) -> Reply:
    """`GET …/{pipelineExecutionId}/status`; one reading does not have it."""
    if service.readings.status_endpoint == "missing":
        raise Refused(404, "No such path")
    return Reply(200, render.status_only(_run(service, call), call.now, service.readings))


def steps(service: Service, call: Call) -> Reply:
    """`GET …/{pipelineExecutionId}/steps`."""
    run = _run(service, call)
    pipeline = service.account.pipeline(run.project_id, run.pipeline_name)
    shown = render.steps(run, pipeline, call.now, service.readings)
    if service.readings.steps_shape == "steps":
        return Reply(200, shaped({"steps": shown}, service.readings))
    return Reply(200, paged(call, shown, lambda item: item, service.readings))


def terminate(service: Service, call: Call) -> Reply:
    """`PATCH …/{pipelineExecutionId}`: repeated cancels are accepted; what an ended run answers is a matter of reading."""
    force = parsed_termination(parsed_object(call.body))
    run = _run(service, call)
    readings = service.readings
    if not is_terminal(run, call.now):
        service.account.cancel(run, call.now, force=force)
    elif readings.patch_finished != 200:
        raise Refused(readings.patch_finished, "The pipeline execution has already finished")
    if readings.patch_status == 204:
        return Reply(204)
    return Reply(readings.patch_status, shaped({"pipelineExecutionId": run.id}, readings))


def list_executions(service: Service, call: Call) -> Reply:
    """`GET /v1/pipeline-executions`: newest start first; a `limit` over the most is cut, as the reference says."""
    readings = service.readings
    limit = min(whole(call, "limit", default=DEFAULT_SIZE, least=1), readings.max_page_size)
    runs, more = service.account.index.select(_filter(call), limit=limit, now=call.now, lag=service.list_lag)
    return Reply(
        200,
        shaped(
            {"more": token_after(runs[-1]) if more else None, "results": [render.row(run, call.now, readings) for run in runs]}, readings
        ),
    )


def _run(service: Service, call: Call) -> Run:
    return service.account.run(project_of(service, call), call.segments[4])


def _filter(call: Call) -> Filter:
    after, before = _instant(call, "startedAfter"), _instant(call, "startedBefore")
    frame = parameter(call, "timeFrame")
    if frame is not None:
        seconds = time_frame(frame)
        if seconds is None:
            raise invalid("timeFrame: must be a time frame such as LAST_HOUR or PT1H")
        after = max(call.now - seconds, after if after is not None else 0.0)
    project_id = parameter(call, "projectId")
    return Filter(
        project_id=project_id.lower() if project_id is not None else None,
        visible_projects=frozenset(call.client.projects) if call.client is not None and call.client.projects is not None else None,
        pipeline_name=parameter(call, "pipelineName"),
        environment_name=parameter(call, "environmentName"),
        started_after=after,
        started_before=before,
        statuses=_statuses(call),
        schedule_id=parameter(call, "scheduleId"),
        before=_position(call),
    )


def _instant(call: Call, name: str) -> float | None:
    given = parameter(call, name)
    if given is None:
        return None
    seconds = parsed_timestamp(given)
    if seconds is None:
        raise invalid(f"{name}: must be a date-time such as 2023-11-24T10:47:46.944Z")
    return seconds


def _statuses(call: Call) -> frozenset[str] | None:
    """Several may be given, repeated or with commas: the reference says "one of the provided values" and not how."""
    words = {part.upper() for value in call.query.get("status", ()) for part in value.split(",") if part}
    if not words <= STATUSES:
        raise invalid(f"status: must be one of {', '.join(sorted(STATUSES))}")
    return frozenset(words) or None


def _position(call: Call) -> Position | None:
    token = parameter(call, "paginationToken")
    place = position(token) if token is not None else None
    if token is not None and place is None:
        raise invalid("paginationToken: is not valid")
    return place
