"""The operations that faults are tried on, by name; it defines none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from attrs import frozen
from faults.world import World

Facts = dict[str, Any]
RUNS: Final = "**/pipeline-executions"


@frozen(kw_only=True)
class Operation:
    """`does` in the words of a user; `method` and `path` of the request that faults are aimed at.

    pages: the requests that a list takes; an expectation counts those beyond the first one's.
    """

    name: str
    does: str
    method: str
    path: str
    call: Callable[[World], Awaitable[Facts]]
    pages: int = 1


OPERATIONS: Final[dict[str, Operation]] = {}


def operation(name: str, does: str, method: str, path: str, *, pages: int = 1) -> Callable[[Callable[[World], Awaitable[Facts]]], None]:
    def enter(call: Callable[[World], Awaitable[Facts]]) -> None:
        OPERATIONS[name] = Operation(name=name, does=does, method=method, path=path, call=call, pages=pages)

    return enter
