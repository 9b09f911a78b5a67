"""`maia projects|environments|pipelines list`: whole lists, from all pages. They change nothing."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from maia_async.cli.connect import connected, project_of
from maia_async.cli.data import as_json
from maia_async.cli.exits import ExitStatus
from maia_async.cli.options import EVERYWHERE, Injected, Output, Where


async def projects(*, output: Output = "table", where: Where = EVERYWHERE, program: Injected) -> ExitStatus:
    """List the projects that the credentials may see."""
    async with connected(program, where) as maia:
        found = await maia.projects.list().collect()
    if not found:
        program.talk.say("no projects: credentials without a role see an empty list, not an error")
    if output == "json":
        program.data.document(as_json(found))
    else:
        program.data.table(("ID", "NAME", "DESCRIPTION"), [(item.id, item.name, item.description) for item in found])
    return ExitStatus.OK


async def environments(*, output: Output = "table", where: Where = EVERYWHERE, program: Injected) -> ExitStatus:
    """List the environments of a project."""
    async with connected(program, where) as maia:
        found = await project_of(maia, where).environments.list().collect()
    if output == "json":
        program.data.document(as_json(found))
    else:
        rows = [(item.name, item.default_agent_name, item.default_agent_id) for item in found]
        program.data.table(("NAME", "DEFAULT AGENT", "AGENT ID"), rows)
    return ExitStatus.OK


async def pipelines(
    *,
    environment: Annotated[str | None, Parameter(help="Only what is published to this environment.")] = None,
    output: Output = "table",
    where: Where = EVERYWHERE,
    program: Injected,
) -> ExitStatus:
    """List the published pipelines of a project."""
    async with connected(program, where) as maia:
        found = await project_of(maia, where).pipelines.list(environment).collect()
    if output == "json":
        program.data.document(as_json(found))
    else:
        program.data.table(("NAME", "PUBLISHED"), [(item.name, item.published_time) for item in found])
    return ExitStatus.OK
