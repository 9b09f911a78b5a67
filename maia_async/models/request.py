"""What is asked of Maia when a run is started, and the check of it before anything is sent; no I/O.

Limits are those of the schema `PipelineExecutionRequest` (operation `executePipeline`): a pipeline name of at least 1 character, an
environment name of 1 to 255 (the schema says 0; an empty one can name no environment), texts as variable values. A grid is
a table, so a ragged one is refused too: the schema cannot say it, Maia has columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Literal
from uuid import uuid4

from attrs import evolve, field, frozen

from maia_async.problems import FieldProblem

MAX_ENVIRONMENT_NAME: Final = 255


class _Auto(Enum):
    AUTO = "AUTO"

    def __repr__(self) -> str:
        return "AUTO"


AUTO: Final = _Auto.AUTO
"""The default `execution_tag`: every trigger gets a tag of its own. `None` sends none."""

_AUTO_TAG: Final = re.compile("maia-async-[0-9a-f]{32}")

ExecutionTag = str | Literal[_Auto.AUTO] | None


def _names(variables: Any) -> str:
    """Variables in a repr: their names. A value may be a password, and a repr ends up in logs."""
    if variables is None:
        return "None"
    if not isinstance(variables, Mapping):
        return f"<{type(variables).__name__}>"
    return "{" + ", ".join(f"{name!r}: ***" for name in variables) + "}"


@frozen(kw_only=True)
class ExecutionRequest:
    """One run to start. It may be built with values that are not valid: `problems()` names them all, and nothing invalid is sent.

    scalar_variables: name to text. grid_variables: name to rows of texts. A repr shows their names only.
    """

    pipeline_name: str
    environment_name: str
    agent_id: str | None = None
    version_name: str | None = None
    execution_tag: ExecutionTag = AUTO
    scalar_variables: Mapping[str, str] | None = field(default=None, repr=_names)
    grid_variables: Mapping[str, Sequence[Sequence[str]]] | None = field(default=None, repr=_names)

    def problems(self) -> tuple[FieldProblem, ...]:
        """Everything that is wrong with it, by the API's field names; empty when it can be sent."""
        return tuple(_problems(self))

    def with_tag(self) -> ExecutionRequest:
        """The same request with AUTO replaced by a fresh unique tag; other tags, and none, stay."""
        return evolve(self, execution_tag=f"maia-async-{uuid4().hex}") if self.execution_tag is AUTO else self


def is_auto_tag(tag: ExecutionTag) -> bool:
    """Whether AUTO made this tag, in this process or in an earlier one: then it is one request's, and nobody else's."""
    return isinstance(tag, str) and _AUTO_TAG.fullmatch(tag) is not None


def _problems(request: ExecutionRequest) -> Iterator[FieldProblem]:
    yield from _text("pipelineName", request.pipeline_name)
    yield from _text("environmentName", request.environment_name, longest=MAX_ENVIRONMENT_NAME)
    for name, value in (("agentId", request.agent_id), ("versionName", request.version_name)):
        if value is not None:
            yield from _text(name, value)
    if request.execution_tag is not AUTO and request.execution_tag is not None:
        yield from _text("executionTag", request.execution_tag)
    yield from _scalars(request.scalar_variables)
    yield from _grids(request.grid_variables)


def _text(field: str, value: Any, longest: int | None = None) -> Iterator[FieldProblem]:
    if not isinstance(value, str):
        yield FieldProblem(field, f"must be text, is {_kind(value)}")
    elif not value:
        yield FieldProblem(field, "must not be empty")
    elif longest is not None and len(value) > longest:
        yield FieldProblem(field, f"must have at most {longest} characters, has {len(value)}")


def _scalars(variables: Any) -> Iterator[FieldProblem]:
    if variables is None:
        return
    if not isinstance(variables, Mapping):
        yield FieldProblem("scalarVariables", f"must map names to texts, is {_kind(variables)}")
        return
    for name, value in variables.items():
        if not isinstance(name, str) or not name:
            yield FieldProblem("scalarVariables", f"a variable name must be text, {name!r} is not")
        elif not isinstance(value, str):
            yield FieldProblem(f"scalarVariables.{name}", f"must be text, is {_kind(value)}: write it as text, Maia converts it")


def _grids(variables: Any) -> Iterator[FieldProblem]:
    if variables is None:
        return
    if not isinstance(variables, Mapping):
        yield FieldProblem("gridVariables", f"must map names to rows, is {_kind(variables)}")
        return
    for name, rows in variables.items():
        if not isinstance(name, str) or not name:
            yield FieldProblem("gridVariables", f"a variable name must be text, {name!r} is not")
        else:
            yield from _grid(f"gridVariables.{name}", rows)


def _grid(field: str, rows: Any) -> Iterator[FieldProblem]:
    if not _is_list(rows):
        yield FieldProblem(field, f"must be a list of rows, is {_kind(rows)}")
        return
    width: int | None = None
    for number, row in enumerate(rows):
        if not _is_list(row):
            yield FieldProblem(f"{field}[{number}]", f"a row must be a list of texts, is {_kind(row)}")
            continue
        if width is None:
            width = len(row)
        elif len(row) != width:
            yield FieldProblem(f"{field}[{number}]", f"has {len(row)} columns where the first row has {width}")
        for column, cell in enumerate(row):
            if not isinstance(cell, str):
                yield FieldProblem(f"{field}[{number}][{column}]", f"must be text, is {_kind(cell)}")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
