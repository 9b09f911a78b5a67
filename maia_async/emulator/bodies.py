"""The request bodies of executions and commands, checked as their schemas say; all violations at once, unknown keys ignored; pure.

| field                                              | refused with 400 when                                       |
| -------------------------------------------------- | ----------------------------------------------------------- |
| pipelineName                                       | missing, null, no text, empty                               |
| environmentName                                    | missing, null, no text, over 255 characters (empty is 404)  |
| agentId, versionName, executionTag                 | neither absent nor null nor a text                          |
| scalarVariables                                    | not a map of texts                                          |
| gridVariables                                      | not a map of lists of lists of texts                        |
| forceUpdate (terminate)                            | missing or not a boolean                                    |
| status (terminate)                                 | missing or anything but CANCELLED                           |
| command (streaming)                                | missing or neither START nor STOP, in any letter case (#3)  |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from maia_async.emulator.problems import invalid


@frozen(kw_only=True)
class Order:
    """A valid trigger."""

    pipeline_name: str
    environment_name: str
    agent_id: str | None = None
    version_name: str | None = None
    execution_tag: str | None = None
    scalar_variables: Mapping[str, str] | None = None
    grid_variables: Mapping[str, Sequence[Sequence[str]]] | None = None


def parsed_order(body: Mapping[str, Any]) -> Order:
    """The trigger in a body, or `Refused` with every violation."""
    violations = list(_order_violations(body))
    if violations:
        raise invalid(*violations)
    return Order(
        pipeline_name=body["pipelineName"],
        environment_name=body["environmentName"],
        agent_id=body.get("agentId"),
        version_name=body.get("versionName"),
        execution_tag=body.get("executionTag"),
        scalar_variables=body.get("scalarVariables"),
        grid_variables=body.get("gridVariables"),
    )


def parsed_termination(body: Mapping[str, Any]) -> bool:
    """`forceUpdate` of a termination, or `Refused` with every violation."""
    violations = []
    if not isinstance(body.get("forceUpdate"), bool):
        violations.append("forceUpdate: must be a boolean" if body.get("forceUpdate") is not None else "forceUpdate: must not be null")
    if body.get("status") != "CANCELLED":
        violations.append("status: must be CANCELLED" if body.get("status") is not None else "status: must not be null")
    if violations:
        raise invalid(*violations)
    return bool(body["forceUpdate"])


def parsed_command(body: Mapping[str, Any]) -> str:
    """`START` or `STOP`, or `Refused`."""
    word = body.get("command")
    if word is None:
        raise invalid("command: must not be null")
    if not isinstance(word, str) or word.upper() not in {"START", "STOP"}:
        raise invalid("command: must be one of START, STOP")
    return word.upper()


def _order_violations(body: Mapping[str, Any]) -> Iterator[str]:
    yield from _name(body, "pipelineName", least=1, most=2**31 - 1)
    yield from _name(body, "environmentName", least=0, most=255)
    for key in ("agentId", "versionName", "executionTag"):
        if body.get(key) is not None and not isinstance(body[key], str):
            yield f"{key}: must be a string"
    scalars = body.get("scalarVariables")
    if scalars is not None:
        if not isinstance(scalars, dict):
            yield "scalarVariables: must be an object"
        else:
            yield from (f"scalarVariables.{name}: must be a string" for name, value in scalars.items() if not isinstance(value, str))
    grids = body.get("gridVariables")
    if grids is not None:
        if not isinstance(grids, dict):
            yield "gridVariables: must be an object"
        else:
            yield from (
                f"gridVariables.{name}: must be an array of arrays of strings" for name, rows in grids.items() if not _is_grid(rows)
            )


def _name(body: Mapping[str, Any], key: str, *, least: int, most: int) -> Iterator[str]:
    value = body.get(key)
    if value is None:
        yield f"{key}: must not be null"
    elif not isinstance(value, str):
        yield f"{key}: must be a string"
    elif not least <= len(value) <= most:
        yield f"{key}: size must be between {least} and {most}"


def _is_grid(rows: Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, list) and all(isinstance(cell, str) for cell in row) for row in rows)
