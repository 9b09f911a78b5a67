"""When a list ends, for both kinds of paging: pure state that is fed pages and names the next query. It fetches nothing.

Page lists (`page`, `size`): the guides print `size: 0, total: 0` beside results, servers cap `size` silently, and an index may start at 1,
so neither number is trusted alone. The first request carries no `page`: that is the first page under either numbering.

    the page just read                                                    then
    is empty                                                              end
    `total` is not 0 and that many distinct items have been collected     end
    is shorter than its predecessor                                       end
    brings nothing new, and is the answer to `page=1`, and its envelope   next: the index may start at 1, and `page=1` be
      does not count on from the first one's index                          the first page again
    brings nothing new                                                    end: it repeats
    anything else                                                         next

A page that is shorter than we asked for ends nothing. Token lists (`limit`, `paginationToken`) end when `more` is missing, empty or was
seen before. Items are merged by key; items without one are all kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final, Generic, Protocol, TypeVar

from maia_async.models import Page
from maia_async.wire.operations import Query

T = TypeVar("T")
PAGE_SIZE: Final = 100  # the largest that the API is known to give (API survey, sections 1 and 2.6)


class Paging(Protocol[T]):
    """Either kind."""

    def query(self) -> Query | None:
        """The parameters of the next page, or None at the end."""

    def feed(self, page: Page[T]) -> tuple[T, ...]:
        """Take the page that the last query gave; returns the items that had not been seen."""


class _Merge(Generic[T]):
    """Distinct items by key, and how many of them."""

    def __init__(self, key: Callable[[T], Hashable | None]) -> None:
        self._key = key
        self._seen: set[Hashable] = set()
        self.count = 0

    def new(self, items: Iterable[T]) -> tuple[T, ...]:
        fresh: list[T] = []
        for item in items:
            key = self._key(item)
            if key is not None:
                if key in self._seen:
                    continue
                self._seen.add(key)
            fresh.append(item)
        self.count += len(fresh)
        return tuple(fresh)


class PageNumbers(Generic[T]):
    """A list with `page` and `size`."""

    def __init__(self, *, size: int, key: Callable[[T], Hashable | None]) -> None:
        self._size = size
        self._merge = _Merge(key)
        self._index = 0
        self._done = False
        self._previous: Page[T] | None = None

    def query(self) -> Query | None:
        """`size`, and `page` from the second page on."""
        if self._done:
            return None
        size = ("size", str(self._size))
        return (size,) if self._index == 0 else (("page", str(self._index)), size)

    def feed(self, page: Page[T]) -> tuple[T, ...]:
        """Decide from the table of this module."""
        previous, self._previous = self._previous, page
        # Compared as a whole, too: items without a key are never merged, and a server that ignores `page` would never end.
        repeats = previous is not None and page.items == previous.items
        fresh = () if repeats else self._merge.new(page.items)
        asked, self._index = self._index, self._index + 1
        collected = bool(page.total) and self._merge.count >= (page.total or 0)
        if not page.items or collected or (previous is not None and len(page) < len(previous)):
            self._done = True
        elif not fresh:
            # One request too many behind a server that ignores `page`, rather than all after page 1 lost behind one that counts from 1.
            self._done = not (asked == 1 and previous is not None and page.page == previous.page)
        return fresh


class PageTokens(Generic[T]):
    """A list with `limit` and `paginationToken`."""

    def __init__(self, *, size: int, key: Callable[[T], Hashable | None]) -> None:
        self._size = size
        self._merge = _Merge(key)
        self._token: str | None = None
        self._tokens: set[str] = set()
        self._done = False

    def query(self) -> Query | None:
        """`limit`, and `paginationToken` from the second page on."""
        if self._done:
            return None
        limit = ("limit", str(self._size))
        return (limit,) if self._token is None else (limit, ("paginationToken", self._token))

    def feed(self, page: Page[T]) -> tuple[T, ...]:
        """Go on while `more` is a token that was not followed yet."""
        fresh = self._merge.new(page.items)
        self._token = page.more or None
        if self._token is None or self._token in self._tokens:
            self._done = True
        else:
            self._tokens.add(self._token)
        return fresh
