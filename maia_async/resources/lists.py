"""How each list of the API becomes a Pager: which operation, which kind of paging, which key. It holds no state."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import TypeVar

from maia_async.errors import InvalidRequest, MisuseError, NotFound
from maia_async.governor import Lane
from maia_async.models import Page
from maia_async.problems import FieldProblem, ProblemDetail
from maia_async.resources.pager import Pager
from maia_async.resources.runtime import Runtime
from maia_async.wire import codec
from maia_async.wire.operations import Query
from maia_async.wire.paging import PAGE_SIZE, PageNumbers, PageTokens
from maia_async.wire.requests import RequestSpec

T = TypeVar("T")


def pager(
    runtime: Runtime,
    operation: Callable[[Query], RequestSpec],
    kind: type[T],
    key: Callable[[T], Hashable | None],
    *,
    tokens: bool = False,
    size: int = PAGE_SIZE,
) -> Pager[T]:
    """A Pager over `operation`; `tokens`: the list pages by token, not by number. Raises InvalidRequest for a size below 1."""
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise InvalidRequest([FieldProblem("page_size", f"must be a whole number of at least 1, is {size!r}")])

    async def fetch(query: Query) -> Page[T]:
        return await runtime.exchange.read(operation(query), Lane.READ, partial(codec.page, kind=kind))

    paging = PageTokens if tokens else PageNumbers
    return Pager(fetch, lambda: paging(size=size, key=key))


async def by_name(items: Pager[T], name: str, *, what: str, path: str) -> T:
    """The one item called `name`. Raises NotFound when there is none, MisuseError when there are several."""
    seen = 0
    found: list[T] = []
    async for item in items:
        seen += 1
        if getattr(item, "name", None) == name:
            found.append(item)
    if not found:
        hint = "; credentials without a role see an empty list, not an error" if not seen else ""
        raise NotFound(404, method="GET", path=path, problem=ProblemDetail(detail=f"no {what} called {name!r} among {seen}{hint}"))
    if len(found) > 1:
        raise MisuseError(f"{len(found)} {what}s are called {name!r}: use the id")
    return found[0]
