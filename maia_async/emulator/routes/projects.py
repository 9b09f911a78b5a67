"""Projects, environments and published pipelines: three page-numbered lists; functions of values, no I/O."""

from __future__ import annotations

from maia_async.emulator.exchange import Call, Reply, parameter, shaped
from maia_async.emulator.paging import paged
from maia_async.emulator.problems import invalid
from maia_async.emulator.routes.access import project_of, visible
from maia_async.emulator.service import Service
from maia_async.emulator.times import timestamp


def list_projects(service: Service, call: Call) -> Reply:
    """`GET /v1/projects`: what the credentials may see; without any role an empty list and not an error, as a caller reports."""
    readings = service.readings
    projects = [item for item in service.account.projects.values() if visible(call, item.id)]
    return Reply(
        200,
        paged(
            call,
            projects,
            lambda item: shaped({"description": item.description, "id": item.id, "name": item.name}, readings),
            readings,
        ),
    )


def list_environments(service: Service, call: Call) -> Reply:
    """`GET /v1/projects/{projectId}/environments`."""
    readings = service.readings
    return Reply(
        200,
        paged(
            call,
            project_of(service, call).environments,
            lambda item: shaped(
                {"defaultAgentId": item.default_agent_id, "defaultAgentName": item.default_agent_name, "name": item.name}, readings
            ),
            readings,
        ),
    )


def list_published_pipelines(service: Service, call: Call) -> Reply:
    """`GET /v1/projects/{projectId}/published-pipelines`; `environmentName` narrows it, and one reading requires it."""
    readings = service.readings
    project = project_of(service, call)
    environment = parameter(call, "environmentName")
    if environment is None and readings.published_pipelines_environment == "required":
        raise invalid("environmentName: must not be null")
    return Reply(
        200,
        paged(
            call,
            service.account.published(project, environment),
            lambda item: shaped({"name": item.name, "publishedTime": timestamp(item.published_time)}, readings),
            readings,
        ),
    )
