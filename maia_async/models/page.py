"""One page of a list, and the raw answer of the raw door, as frozen values; no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from attrs import field, frozen

T = TypeVar("T")


@frozen(kw_only=True)
class Page(Generic[T]):
    """The items of one page, and what its envelope said. The numbers are the server's claim, and may be 0 beside a full page.

    `more` is the token of the next page (executions only).
    """

    items: tuple[T, ...]
    page: int | None = None
    size: int | None = None
    total: int | None = None
    more: str | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@frozen(kw_only=True)
class Response:
    """An answer as it came: `body` is the parsed JSON, the text when it is not JSON, or None when empty.

    Its repr shows neither headers nor body: a server may echo there what it was sent, our token too.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(default=None, repr=False)
