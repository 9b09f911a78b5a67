"""Which streaming pipelines the words on a command line mean, and which definition a file holds. It changes nothing.

    word             means
    a uuid           the pipeline with this id; no list is read for it
    anything else    the pipeline of exactly this name: NotFound when there is none, MisuseError when there are several

A pipeline whose name is a uuid is reached by its id only: which of two pipelines is meant must not depend on what the list shows today.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from maia_async import (
    BadRequest,
    InvalidRequest,
    MisuseError,
    NotFound,
    ProblemDetail,
    Project,
    StreamingPipeline,
    StreamingPipelineDefinition,
)
from maia_async.cli.exits import UsageProblem


async def find(project: Project, word: str) -> StreamingPipeline:
    """The one pipeline that `word` means."""
    return project.streaming_pipeline(word) if is_id(word) else await project.streaming_pipelines.get(word)


async def find_all(project: Project, words: Sequence[str]) -> list[StreamingPipeline]:
    """Those that `words` mean, each once. The list is read at most once, however many names there are."""
    if all(is_id(word) for word in words):
        return [project.streaming_pipeline(pipeline_id) for pipeline_id in dict.fromkeys(word.lower() for word in words)]
    return [project.streaming_pipeline(pipeline_id) for pipeline_id in meant(words, await names_of(project), project.id)]


async def names_of(project: Project) -> dict[str, str]:
    """The name of every pipeline of the project, by id, in the list's order."""
    listed = await project.streaming_pipelines.list().collect()
    return {item.streaming_pipeline_id: item.name or "" for item in listed if item.streaming_pipeline_id is not None}


def meant(words: Sequence[str], names: Mapping[str, str], project_id: str) -> list[str]:
    """The ids that `words` mean, each once; an id must be in the list, too. All that is missing is named in one NotFound."""
    ids = {pipeline_id.lower(): pipeline_id for pipeline_id in names}
    found: list[str] = []
    missing: list[str] = []
    for word in words:
        fitting = [ids[word.lower()]] if word.lower() in ids else [own for own, name in names.items() if name == word and not is_id(word)]
        if len(fitting) > 1:
            raise MisuseError(f"{len(fitting)} streaming pipelines are called {word!r}: use the id, one of {', '.join(fitting)}")
        found += fitting
        missing += [] if fitting else [repr(word)]
    if missing:
        said = f"no streaming pipeline {', '.join(missing)} among {len(names)}"
        raise NotFound(404, method="GET", path=f"/v1/projects/{project_id}/streaming-pipelines", problem=ProblemDetail(detail=said))
    return list(dict.fromkeys(found))


def is_id(word: str) -> bool:
    """Whether `word` is a uuid as the API writes it."""
    try:
        return str(UUID(word)) == word.lower()
    except ValueError:
        return False


def read_definition(file: str) -> StreamingPipelineDefinition:
    """The definition in a JSON or YAML file; it may have problems. Raises UsageProblem, and ConfigurationError for an unreadable one."""
    with blaming(file):
        return StreamingPipelineDefinition.from_file(Path(file))


@contextmanager
def blaming(file: str) -> Iterator[None]:
    """Whatever is refused before sending, as problems of the file, a line each. What the API refuses passes as it is."""
    try:
        yield
    except BadRequest:
        raise
    except InvalidRequest as error:
        count = len(error.problems)
        said = f"{file}: nothing was sent, the definition has {count} {'problem' if count == 1 else 'problems'}:"
        raise UsageProblem(said, *map(str, error.problems)) from error
