"""Which function answers which path: one table of resources under the API's root; it answers nothing itself.

A path is matched segment by segment after it was split, so that a `%2F` inside an id stays inside the id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from maia_async.emulator.exchange import Call, Reply
from maia_async.emulator.routes import executions, projects, runlist, streams
from maia_async.emulator.service import Service

Handler = Callable[[Service, Call], Reply]
Resource = Mapping[str, Handler]

_RESOURCES: Final[dict[str, Resource]] = {
    "v1/projects": {"GET": projects.list_projects},
    "v1/projects/*/environments": {"GET": projects.list_environments},
    "v1/projects/*/published-pipelines": {"GET": projects.list_published_pipelines},
    "v1/pipeline-executions": {"GET": runlist.list_executions},
    "v1/projects/*/pipeline-executions": {"POST": executions.trigger},
    "v1/projects/*/pipeline-executions/*": {"GET": executions.details, "PATCH": executions.terminate},
    "v1/projects/*/pipeline-executions/*/status": {"GET": executions.status},
    "v1/projects/*/pipeline-executions/*/steps": {"GET": executions.steps},
    "v1/projects/*/streaming-pipelines": {"GET": streams.list_definitions, "POST": streams.create},
    "v1/projects/*/streaming-pipelines/*": {"GET": streams.definition, "PUT": streams.replace, "DELETE": streams.delete},
    "v1/projects/*/streaming-pipelines/*/status": {"GET": streams.status},
    "v1/projects/*/streaming-pipelines/*/commands": {"POST": streams.send_command},
}
_TABLE: Final = {tuple(path.split("/")): resource for path, resource in _RESOURCES.items()}


def resource(segments: tuple[str, ...]) -> Resource | None:
    """The methods of the path, or None. Segments 2 and 4 are ids (empty ones are none)."""
    pattern = tuple("*" if place in {2, 4} and segment else segment for place, segment in enumerate(segments))
    return _TABLE.get(pattern)
