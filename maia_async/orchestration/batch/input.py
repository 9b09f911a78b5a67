"""Where a batch's requests come from: sized collections checked whole, anything else one by one. It starts nothing.

input                                    read
a sized collection (list, tuple, …)      whole, before the first POST; every problem of every row at once
any other iterable, or an async one      one request at a time, when there is room for it
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sized
from typing import Any

from maia_async.errors import InvalidRequest, MisuseError
from maia_async.models import ExecutionRequest
from maia_async.problems import FieldProblem

Requests = Iterable[ExecutionRequest] | AsyncIterable[ExecutionRequest]


class BatchInput:
    """The requests of one batch, in order. `size` is None when it cannot be known beforehand."""

    def __init__(self, requests: Requests) -> None:
        """Raises InvalidRequest with `[row].field` paths, MisuseError when `requests` is nothing that can be iterated over."""
        self.size: int | None = None
        self.rows: list[ExecutionRequest] | None = None
        if isinstance(requests, str | bytes | dict) or not isinstance(requests, Iterable | AsyncIterable):
            raise MisuseError(f"requests must be an iterable of ExecutionRequest, is {type(requests).__name__}")
        if isinstance(requests, Iterable) and isinstance(requests, Sized):
            rows = list(requests)
            problems = [problem for index, row in enumerate(rows) for problem in row_problems(index, row)]
            if problems:
                raise InvalidRequest(problems, what="batch")
            self.size, self.rows = len(rows), rows
            requests = rows
        self._sync: Iterator[Any] | None = iter(requests) if isinstance(requests, Iterable) else None
        self._async: AsyncIterator[Any] | None = aiter(requests) if not isinstance(requests, Iterable) else None

    async def next(self) -> ExecutionRequest | None:
        """The next request, None at the end. Raises what the input raises, and MisuseError for an item of another type."""
        try:
            item = next(self._sync) if self._sync is not None else await anext(self._async)  # type: ignore[arg-type]  # one of them is set
        except (StopIteration, StopAsyncIteration):
            return None
        if not isinstance(item, ExecutionRequest):
            raise MisuseError(f"requests must be ExecutionRequest, one is {type(item).__name__}")
        return item


def row_problems(index: int, row: Any) -> tuple[FieldProblem, ...]:
    """What is wrong with one row, with the row in the path: `[3].environmentName`."""
    if not isinstance(row, ExecutionRequest):
        return (FieldProblem(f"[{index}]", f"must be an ExecutionRequest, is {type(row).__name__}"),)
    return tuple(FieldProblem(f"[{index}].{problem.field}", problem.message) for problem in row.problems())
