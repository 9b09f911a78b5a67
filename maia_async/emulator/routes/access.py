"""What a credential may see, asked by every route with a project in its path; pure."""

from __future__ import annotations

from maia_async.emulator.exchange import Call
from maia_async.emulator.problems import Refused
from maia_async.emulator.scenario import Project
from maia_async.emulator.service import Service


def visible(call: Call, project_id: str) -> bool:
    """Whether the caller has a role in the project."""
    return call.client is None or call.client.projects is None or project_id in call.client.projects


def project_of(service: Service, call: Call) -> Project:
    """The project of the path; 404 when there is none, 403 without a role in it."""
    project = service.account.project(call.segments[2])
    if not visible(call, project.id):
        raise Refused(403, "The credentials have no role in this project")
    return project
