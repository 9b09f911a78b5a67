"""Runs by what the user calls them: an id in the project of the command, or a reference, which says its project itself. It asks nobody."""

from __future__ import annotations

from collections.abc import Iterable

from maia_async import InvalidRequest, Maia, MisuseError, PipelineExecution
from maia_async.cli.connect import project_of
from maia_async.cli.exits import UsageProblem
from maia_async.cli.options import Where


def execution_of(maia: Maia, where: Where, word: str) -> PipelineExecution:
    """The run that `word` is. What begins with `{` is a reference; an id never does. Raises UsageProblem."""
    if not word.startswith("{"):
        return project_of(maia, where).execution(word)
    try:
        found = maia.execution_from(word)
    except InvalidRequest as error:
        raise UsageProblem(*(f"reference: {problem}" for problem in error.problems)) from error
    except MisuseError as error:
        raise UsageProblem(str(error), "give --region, or --base-url, of that run") from error
    if where.project is not None and where.project != found.project_id:
        raise UsageProblem(f"reference: is to a run of project {found.project_id}, and --project is {where.project}: leave --project out")
    return found


def executions_of(maia: Maia, where: Where, words: Iterable[str]) -> list[PipelineExecution]:
    """The runs that `words` are, each once. Raises UsageProblem."""
    found = [execution_of(maia, where, word) for word in words]
    return list({(execution.project_id, execution.id): execution for execution in found}.values())
