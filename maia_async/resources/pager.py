"""A list that is fetched as it is read: `await` gives the first page, `async for` all items, `.pages()` pages. It keeps no page.

When a list ends is decided in `wire/paging.py`; what a page holds, in the codec.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Generic, TypeVar

from attrs import evolve

from maia_async.models import Page
from maia_async.wire.operations import Query
from maia_async.wire.paging import Paging

T = TypeVar("T")


class Pager(Generic[T]):
    """A list of the API. Making one does no I/O; every use starts at the first page."""

    def __init__(self, fetch: Callable[[Query], Awaitable[Page[T]]], paging: Callable[[], Paging[T]]) -> None:
        self._fetch = fetch
        self._paging = paging

    def __await__(self) -> Generator[object, None, Page[T]]:
        """The first page. Raises TransportError, ResponseError, DecodeError."""
        return self._first().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        """All items, each once."""
        return self._items()

    async def pages(self) -> AsyncIterator[Page[T]]:
        """All pages; an item that a page repeats from an earlier one is left out of it."""
        paging = self._paging()
        while (query := paging.query()) is not None:
            page = await self._fetch(query)
            items = paging.feed(page)
            if items:
                yield evolve(page, items=items)

    async def collect(self) -> list[T]:
        """All items in one list."""
        return [item async for item in self]

    async def _first(self) -> Page[T]:
        return await self._fetch(self._paging().query() or ())

    async def _items(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page:
                yield item
