"""Pipeline executions: trigger, details, status, steps, termination; functions of values, no I/O."""

from __future__ import annotations

from maia_async.emulator import render
from maia_async.emulator.bodies import parsed_order, parsed_termination
from maia_async.emulator.exchange import Call, Reply, parsed_object, shaped
from maia_async.emulator.executions import Run, is_terminal
from maia_async.emulator.paging import paged
from maia_async.emulator.problems import Refused, unknown
from maia_async.emulator.routes.access import project_of
from maia_async.emulator.scenario import Outcome
from maia_async.emulator.service import Service


def trigger(service: Service, call: Call) -> Reply:
    """`POST /v1/projects/{projectId}/pipeline-executions`: the body is checked before the project, as frameworks do."""
    order = parsed_order(parsed_object(call.body))
    run = service.account.trigger(project_of(service, call), order, call.now)
    return Reply(service.readings.trigger_status, shaped({service.readings.trigger_body: run.id}, service.readings))


def end_started(service: Service, reply: Reply, status: str) -> None:
    """End the run that this reply says was started, in the instant of its start; other replies start none."""
    started = reply.payload.get(service.readings.trigger_body) if isinstance(reply.payload, dict) else None
    run = service.account.runs.get(started) if reply.status == service.readings.trigger_status and isinstance(started, str) else None
    if run is not None:
        service.account.end_at_once(run, status=status, message=Outcome(status=status).said)


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


def _run(service: Service, call: Call) -> Run:
    run = service.account.run(project_of(service, call), call.segments[4])
    if run.created > call.now:
        # Of a crowd that goes on starting: it does not exist yet.
        raise unknown("pipeline execution", run.id)
    return run
