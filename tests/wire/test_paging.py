"""When a list ends: each row of the module's table, then simulated servers with every habit that the API survey found."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import pytest
from attrs import define, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from maia_async.models import Page
from maia_async.wire.operations import Query
from maia_async.wire.paging import PageNumbers, PageTokens, Paging


@frozen
class Item:
    """An item of a list; `id` None is an item without a key."""

    id: int | None


def of(*ids: int | None, **envelope: Any) -> Page[Item]:
    return Page(items=tuple(Item(number) for number in ids), **envelope)


def by_id(item: Item) -> Hashable | None:
    return item.id


def numbers(size: int = 100) -> PageNumbers[Item]:
    return PageNumbers(size=size, key=by_id)


def tokens(size: int = 100) -> PageTokens[Item]:
    return PageTokens(size=size, key=by_id)


def feed(paging: Paging[Item], *pages: Page[Item]) -> list[tuple[int | None, ...]]:
    """What each page brought; every page must have been asked for."""
    brought = []
    for page in pages:
        assert paging.query() is not None
        brought.append(tuple(item.id for item in paging.feed(page)))
    return brought


def test_the_first_query_carries_no_page_and_the_next_count_from_one() -> None:
    paging = numbers(size=7)
    assert paging.query() == (("size", "7"),)
    paging.feed(of(1, 2))
    assert paging.query() == (("page", "1"), ("size", "7"))
    paging.feed(of(3, 4))
    assert paging.query() == (("page", "2"), ("size", "7"))


def test_asking_for_the_query_twice_changes_nothing() -> None:
    paging = numbers()
    assert paging.query() == paging.query()


@pytest.mark.parametrize(
    ("pages", "brought"),
    [
        pytest.param([of()], [()], id="empty, at once"),
        pytest.param([of(1, 2), of()], [(1, 2), ()], id="empty, later"),
        pytest.param([of(1, 2, total=2)], [(1, 2)], id="total collected, at once"),
        pytest.param([of(1, 2, total=4), of(3, 4, total=4)], [(1, 2), (3, 4)], id="total collected, later"),
        pytest.param([of(1, 2, total=3), of(2, 3, total=3)], [(1, 2), (3,)], id="total collected of distinct items"),
        pytest.param([of(1, 2, total=5), of(3, 4, total=4)], [(1, 2), (3, 4)], id="total that shrinks while we read"),
        pytest.param([of(1, 2), of(3)], [(1, 2), (3,)], id="shorter than its predecessor"),
        pytest.param([of(1, 2, total=9), of(3, total=9)], [(1, 2), (3,)], id="shorter, though total says more"),
        pytest.param([of(1, 2), of(1, 2), of(1, 2)], [(1, 2), (), ()], id="nothing new twice, no envelope"),
        pytest.param([of(1, 2, page=0)] * 3, [(1, 2), (), ()], id="nothing new twice, the index stays 0"),
        pytest.param([of(1, 2, page=0), of(1, 2, page=1)], [(1, 2), ()], id="nothing new, the index went on"),
        pytest.param([of(1, 2), of(3, 4), of(3, 4)], [(1, 2), (3, 4), ()], id="nothing new, later"),
        pytest.param([of(1, 2), of(3, 4), of(2, 1)], [(1, 2), (3, 4), ()], id="nothing new, of several pages"),
        pytest.param(
            [of(1, 2, page=1), of(1, 2, page=1), of(1, 2, page=1)],
            [(1, 2), (), ()],
            id="nothing new, and again after the index that starts at 1",
        ),
        pytest.param([of(None, None)] * 3, [(None, None), (), ()], id="repeats as a whole, without keys"),
    ],
)
def test_a_page_list_ends(pages: list[Page[Item]], brought: list[tuple[int | None, ...]]) -> None:
    paging = numbers()
    assert feed(paging, *pages) == brought
    assert paging.query() is None


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([of(1)], id="shorter than asked"),
        pytest.param([of(1, 2, size=0, total=0)], id="zeros beside results"),
        pytest.param([of(1, 2, total=3)], id="total not yet collected"),
        pytest.param([of(1, 2, total=4), of(1, 3, total=4)], id="total not yet collected, of distinct items"),
        pytest.param([of(1, 2, page=1), of(1, 2, page=1)], id="the index starts at 1"),
        pytest.param([of(1, 2, page=0), of(1, 2, page=0)], id="the index may start at 1, and the envelope shows zeros"),
        pytest.param([of(1, 2), of(1, 2)], id="the index may start at 1, and there is no envelope"),
        pytest.param([of(1, 2), of(2, 3)], id="some new"),
        pytest.param([of(1), of(2, 3)], id="longer than its predecessor"),
        pytest.param([of(None), of(1)], id="without a key, and different"),
    ],
)
def test_a_page_list_goes_on(pages: list[Page[Item]]) -> None:
    paging = numbers()
    feed(paging, *pages)
    assert paging.query() is not None


def test_items_without_a_key_are_all_kept() -> None:
    assert feed(numbers(), of(None, None, 1), of(None, 1, 2)) == [(None, None, 1), (None, 2)]
    assert feed(tokens(), of(None, 1, more="a"), of(None, 1)) == [(None, 1), (None,)]


def test_a_token_list_follows_more_with_its_limit() -> None:
    paging = tokens(size=9)
    assert paging.query() == (("limit", "9"),)
    paging.feed(of(1, more="a/b"))
    assert paging.query() == (("limit", "9"), ("paginationToken", "a/b"))


@pytest.mark.parametrize(
    ("pages", "brought"),
    [
        pytest.param([of(1, 2)], [(1, 2)], id="missing"),
        pytest.param([of(1, 2, more="")], [(1, 2)], id="empty"),
        pytest.param([of(1, more="a"), of(2, more="a")], [(1,), (2,)], id="seen before"),
        pytest.param([of(1, more="a"), of(2, more="b"), of(3, more="a")], [(1,), (2,), (3,)], id="seen before, in a circle"),
        pytest.param([of(1, more="a"), of(1)], [(1,), ()], id="an item comes twice"),
    ],
)
def test_a_token_list_ends_when_more_is(pages: list[Page[Item]], brought: list[tuple[int, ...]]) -> None:
    paging = tokens()
    assert feed(paging, *pages) == brought
    assert paging.query() is None


@pytest.mark.parametrize("page", [of(1, more="a"), of(more="a"), of(1, total=1, more="a")], ids=["items", "empty", "total collected"])
def test_a_token_list_goes_on_whatever_the_page_holds(page: Page[Item]) -> None:
    paging = tokens()
    paging.feed(page)
    assert paging.query() is not None


@define
class Server:
    """A list behind page numbers. `base`: the first page's number. `shift`: items put in front before each later page.

    `after_end`: what a page after the last one holds. `envelope`: "true" numbers, "zero" (size and total), or "bare" (no numbers).
    """

    count: int
    cap: int
    base: int
    envelope: str
    after_end: str
    shift: int
    asked: int = 0
    items: list[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.items = list(range(self.count))

    def answer(self, query: Query) -> Page[Item]:
        asked = dict(query)
        if self.asked:
            newest = min(self.items, default=0)
            self.items = [newest - 1 - number for number in range(self.shift)] + self.items
        self.asked += 1
        size = min(self.cap, int(asked["size"]))
        index = max(int(asked.get("page", self.base)), self.base)
        last = self.base + max(0, -(-len(self.items) // size) - 1)
        if index > last and self.after_end == "repeats":
            index = last
        start = (index - self.base) * size
        page = of(*self.items[start : start + size])
        if self.envelope == "bare":
            return page
        true = self.envelope == "true"
        return Page(items=page.items, page=index if true else 0, size=size if true else 0, total=len(self.items) if true else 0)


@st.composite
def servers(draw: Callable[..., Any]) -> Server:
    cap = draw(st.integers(1, 12))
    base = draw(st.sampled_from([0, 1]))
    return Server(
        count=draw(st.integers(0, 60)),
        cap=cap,
        base=base,
        envelope=draw(st.sampled_from(["true", "zero", "bare"])),
        after_end=draw(st.sampled_from(["empty", "repeats"])),
        shift=draw(st.integers(0, cap - 1)),
    )


@given(servers(), st.integers(1, 20))
def test_whatever_a_servers_habits_every_item_comes_exactly_once_and_the_list_ends(server: Server, size: int) -> None:
    page_size = min(size, server.cap)
    # A whole page of newcomers between two pages makes the next one bring nothing new: nothing can tell that from an end.
    # Where the index starts at 1 there are two requests between the first two pages.
    server.shift = min(server.shift, (page_size - 1) // (server.base + 1))
    paging = numbers(size)
    got: list[int | None] = []
    while (query := paging.query()) is not None:
        got += [item.id for item in paging.feed(server.answer(query))]
        # Over what is needed: one for an index that may start at 1, one to see the end, and a page's worth of them behind newcomers.
        assert server.asked <= server.count // (page_size - server.shift) + 3 + (page_size if server.shift else 0)
    assert len(got) == len(set(got))
    assert set(range(server.count)) <= set(got)
    assert set(got) <= set(server.items)


PAGES = st.builds(
    lambda ids, page, total: of(*ids, page=page, total=total),
    st.lists(st.integers(0, 8), max_size=4),
    st.none() | st.integers(-1, 3),
    st.none() | st.integers(-1, 12),
)


@given(st.data())
def test_a_server_that_answers_anything_gives_no_item_twice_and_ends(data: st.DataObject) -> None:
    paging = numbers()
    got: list[int | None] = []
    asked = 0
    while paging.query() is not None:
        asked += 1
        got += [item.id for item in paging.feed(data.draw(PAGES))]
        assert asked <= len(set(got)) + 3
    assert len(got) == len(set(got))


@given(st.data())
def test_tokens_that_name_anything_give_no_item_twice_and_end(data: st.DataObject) -> None:
    paging = tokens()
    got: list[int | None] = []
    asked = 0
    pages = st.builds(lambda ids, more: of(*ids, more=more), st.lists(st.integers(0, 8), max_size=4), st.sampled_from("abcd") | st.none())
    while paging.query() is not None:
        asked += 1
        got += [item.id for item in paging.feed(data.draw(pages))]
        assert asked <= 5
    assert len(got) == len(set(got))


@given(st.lists(st.integers(), unique=True, max_size=40), st.integers(1, 7), st.integers(0, 3))
def test_a_token_list_gives_every_item_exactly_once(items: list[int], cap: int, overlap: int) -> None:
    """Pages overlap when newer runs push older ones onto the next page."""
    paging = tokens()
    got: list[int | None] = []
    while (query := paging.query()) is not None:
        start = int(dict(query).get("paginationToken", "0"))
        end = start + cap
        first = max(0, start - overlap)
        got += [item.id for item in paging.feed(of(*items[first:end], more=str(end) if end < len(items) else None))]
    assert got == items
