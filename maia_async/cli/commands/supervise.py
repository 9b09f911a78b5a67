"""`maia streaming supervise [ID...]`: keeps streaming pipelines streaming until Ctrl-C, which leaves them so unless told otherwise."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from maia_async import RestartPolicy
from maia_async.cli.connect import connected, project_of
from maia_async.cli.exits import ExitStatus, UsageProblem
from maia_async.cli.options import EVERYWHERE, Injected, Output, Where, naming
from maia_async.cli.streams import meant, names_of
from maia_async.cli.supervising import Supervision


async def supervise_(
    *pipeline_ids: Annotated[str, Parameter(name="ID", help="Ids of the streaming pipelines, or their exact names.")],
    every: Annotated[bool, Parameter(name="--all", help="All of the project, as the list shows them now.")] = False,
    max_restarts: Annotated[int, Parameter(help="Give up on one after so many restarts within --within seconds.")] = 3,
    within: Annotated[float, Parameter(help="Seconds for --max-restarts.")] = 600.0,
    on_external_stop: Annotated[
        Literal["respect", "restart"], Parameter(help="When somebody else stops one: respect leaves it so.")
    ] = "respect",
    stop_on_exit: Annotated[bool, Parameter(help="Stop them at the end; else Ctrl-C leaves them streaming.")] = False,
    output: Output = "table",
    where: Where = EVERYWHERE,
    program: Injected,
) -> ExitStatus:
    """Keep streaming pipelines streaming: start those that do not run, restart those that drop."""
    if every == bool(pipeline_ids):
        raise UsageProblem("give the ids or names of streaming pipelines, or --all" + (", not both" if every else ""))
    with naming(max_restarts="--max-restarts", within="--within"):
        policy = RestartPolicy(max_restarts=max_restarts, within=within)
    async with connected(program, where, streaming=True) as maia:
        project = project_of(maia, where)
        names = await names_of(project)
        ids = list(names) if every else meant(pipeline_ids, names, project.id)
        if not ids:
            raise UsageProblem("the project has no streaming pipelines", "credentials without a role see an empty list, too")
        word = "streaming pipeline" if len(ids) == 1 else "streaming pipelines"
        then = "stops them" if stop_on_exit else "leaves them as they are"
        program.talk.say(f"supervising {len(ids)} {word}; Ctrl-C {then}")
        supervision = Supervision(
            program=program,
            pipelines=[project.streaming_pipeline(pipeline_id) for pipeline_id in ids],
            names=names,
            project_id=project.id,
            options={"restart": policy, "on_external_stop": on_external_stop, "on_exit": "stop" if stop_on_exit else "leave"},
            output=output,
        )
        return await supervision.run()
