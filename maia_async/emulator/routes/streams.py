"""Streaming pipelines: definitions, state, commands; functions of values, no I/O."""

from __future__ import annotations

from maia_async.emulator import render
from maia_async.emulator.bodies import parsed_command
from maia_async.emulator.definitions import checked
from maia_async.emulator.exchange import Call, Reply, parsed_object
from maia_async.emulator.paging import paged
from maia_async.emulator.routes.access import project_of
from maia_async.emulator.service import Service
from maia_async.emulator.streams import Stream, command


def list_definitions(service: Service, call: Call) -> Reply:
    """`GET /v1/projects/{projectId}/streaming-pipelines`, in the order of creation."""
    readings = service.readings
    streams = service.account.streams.of(project_of(service, call))
    return Reply(200, paged(call, streams, lambda item: render.definition(item, readings), readings))


def create(service: Service, call: Call) -> Reply:
    """`POST …/streaming-pipelines`: the body is checked before the project, as frameworks do."""
    streams = service.account.streams
    definition = checked(parsed_object(call.body), streams.agents)
    stream = streams.create(project_of(service, call), definition, call.now, duplicates=service.readings.streaming_duplicate_name)
    return Reply(201, render.definition(stream, service.readings))


def definition(service: Service, call: Call) -> Reply:
    """`GET …/streaming-pipelines/{streamingPipelineId}`."""
    return Reply(200, render.definition(_stream(service, call), service.readings))


def replace(service: Service, call: Call) -> Reply:
    """`PUT …/{streamingPipelineId}`."""
    streams = service.account.streams
    new = checked(parsed_object(call.body), streams.agents)
    stream = _stream(service, call)
    streams.replace(project_of(service, call), stream, new, duplicates=service.readings.streaming_duplicate_name)
    return Reply(200, render.definition(stream, service.readings))


def delete(service: Service, call: Call) -> Reply:
    """`DELETE …/{streamingPipelineId}`."""
    service.account.streams.delete(_stream(service, call), call.now, running=service.readings.streaming_delete_running)
    return Reply(204)


def status(service: Service, call: Call) -> Reply:
    """`GET …/{streamingPipelineId}/status`."""
    return Reply(200, render.stream_status(_stream(service, call), call.now, service.readings))


def send_command(service: Service, call: Call) -> Reply:
    """`POST …/{streamingPipelineId}/commands`: accepted is not done, and there is no body."""
    word = parsed_command(parsed_object(call.body))
    readings = service.readings
    command(_stream(service, call), word, call.now, chance=service.account.streams.chance, unreachable=readings.streaming_unreachable)
    return Reply(readings.streaming_command_status)


def _stream(service: Service, call: Call) -> Stream:
    return service.account.streams.get(project_of(service, call), call.segments[4])
