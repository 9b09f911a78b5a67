"""`maia streaming list|create|show|replace|delete|status|wait`: definitions and states. A file is read and checked before anything is sent.

`create` prints the new id alone on stdout, before it does anything else with the pipeline.
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from maia_async import StreamingState
from maia_async.cli.connect import connected, project_of
from maia_async.cli.exits import ExitStatus, UsageProblem
from maia_async.cli.options import EVERYWHERE, Injected, Output, Where, checked_timeout
from maia_async.cli.showing import stream_line
from maia_async.cli.streams import blaming, find, read_definition
from maia_async.cli.streamshow import write_definition, write_definitions

Which = Annotated[str, Parameter(name="ID", help="Id of the streaming pipeline, or its exact name.")]
File = Annotated[str, Parameter(name="FILE", help="JSON or YAML (.yaml, .yml) file with the API's keys.")]


async def listing(*, output: Output = "table", where: Where = EVERYWHERE, program: Injected) -> ExitStatus:
    """List the streaming pipelines of a project."""
    async with connected(program, where, streaming=True) as maia:
        definitions = await project_of(maia, where).streaming_pipelines.list().collect()
    write_definitions(program.data, definitions, output)
    return ExitStatus.OK


async def create(
    file: File,
    /,
    *,
    start: Annotated[bool, Parameter(help="Start it, too, and wait until it is STREAMING.")] = False,
    timeout: Annotated[float | None, Parameter(help="Seconds to wait at most with --start; a snapshot may take hours.")] = None,
    output: Output = "table",
    where: Where = EVERYWHERE,
    program: Injected,
) -> ExitStatus:
    """Create a streaming pipeline and print its id."""
    definition = read_definition(file)
    checked_timeout(timeout)
    if timeout is not None and not start:
        raise UsageProblem("--timeout says how long to wait: it goes with --start")
    async with connected(program, where, streaming=True) as maia:
        with blaming(file):
            pipeline = await project_of(maia, where).streaming_pipelines.create(definition)
        if output == "json":
            program.data.document({"streamingPipelineId": pipeline.id, "projectId": pipeline.project_id, "name": definition.name})
        else:
            program.data.line(pipeline.id)
        program.ledger.forget_created(pipeline.id)
        if start:
            program.talk.say(f"created streaming pipeline {pipeline.id}; starting it")
            with program.talk.display(stream_line(pipeline)):
                await pipeline.ensure_streaming(timeout)
            program.talk.say("STREAMING")
    return ExitStatus.OK


async def show(pipeline_id: Which, /, *, output: Output = "table", where: Where = EVERYWHERE, program: Injected) -> ExitStatus:
    """Show the definition of a streaming pipeline."""
    async with connected(program, where, streaming=True) as maia:
        pipeline = await find(project_of(maia, where), pipeline_id)
        write_definition(program.data, await pipeline.definition(), pipeline.id, pipeline.project_id, output)
    return ExitStatus.OK


async def replace(
    pipeline_id: Which, file: File, /, *, output: Output = "table", where: Where = EVERYWHERE, program: Injected
) -> ExitStatus:
    """Replace the whole definition of a streaming pipeline."""
    definition = read_definition(file)
    async with connected(program, where, streaming=True) as maia:
        pipeline = await find(project_of(maia, where), pipeline_id)
        with blaming(file):
            replaced = await pipeline.replace(definition)
        write_definition(program.data, replaced, pipeline.id, pipeline.project_id, output)
    return ExitStatus.OK


async def delete(pipeline_id: Which, /, *, output: Output = "table", where: Where = EVERYWHERE, program: Injected) -> ExitStatus:
    """Delete a streaming pipeline."""
    async with connected(program, where, streaming=True) as maia:
        pipeline = await find(project_of(maia, where), pipeline_id)
        await pipeline.delete()
    if output == "json":
        program.data.document({"streamingPipelineId": pipeline.id, "projectId": pipeline.project_id, "deleted": True})
    else:
        program.data.line(f"deleted {pipeline.id}")
    return ExitStatus.OK


async def status(pipeline_id: Which, /, *, output: Output = "table", where: Where = EVERYWHERE, program: Injected) -> ExitStatus:
    """Read the state of a streaming pipeline; it is not judged."""
    async with connected(program, where, streaming=True) as maia:
        pipeline = await find(project_of(maia, where), pipeline_id)
        state = await pipeline.status()
    if output == "json":
        program.data.document({"streamingPipelineId": pipeline.id, "projectId": pipeline.project_id, "status": state.value})
    else:
        pairs = (("status", state.value), ("streaming pipeline", pipeline.id), ("project", pipeline.project_id))
        program.data.fields(pairs)
    return ExitStatus.OK


async def wait(
    pipeline_id: Which,
    /,
    *,
    state: Annotated[tuple[str, ...], Parameter(help="A state to wait for; may be repeated, any counts.")] = ("STREAMING",),
    timeout: Annotated[float | None, Parameter(help="Seconds to wait at most; a snapshot may take hours.")] = None,
    output: Output = "table",
    where: Where = EVERYWHERE,
    program: Injected,
) -> ExitStatus:
    """Wait until a streaming pipeline shows a state, and print it. It starts and stops nothing."""
    checked_timeout(timeout)
    wanted = known_states(state)
    async with connected(program, where, streaming=True) as maia:
        pipeline = await find(project_of(maia, where), pipeline_id)
        with program.talk.display(stream_line(pipeline)):
            arrived = await pipeline.wait_for(*wanted, timeout=timeout)
    if output == "json":
        program.data.document({"streamingPipelineId": pipeline.id, "projectId": pipeline.project_id, "status": arrived.value})
    else:
        program.data.line(arrived.value)
    return ExitStatus.OK


def known_states(words: tuple[str, ...]) -> list[str]:
    """States in any letter case. Raises UsageProblem for words that are none."""
    states = [StreamingState(word) for word in words]
    strange = [word for word, state in zip(words, states, strict=True) if not state.is_known]
    if strange:
        known = ", ".join(member.value for member in StreamingState)
        raise UsageProblem(*(f"--state {word}: is no state of a streaming pipeline; known are {known}" for word in strange))
    return [state.value for state in states]
