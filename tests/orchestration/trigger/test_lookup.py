"""How the list is read: which questions, which pages, and when what was read is not the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field

from maia_async.errors import BadRequest, Forbidden, ServerError
from maia_async.governor import Lane
from maia_async.orchestration.trigger.evidence import LOOK_BACK, LaneName, Window
from maia_async.orchestration.trigger.lookup import MOST_PAGES, PAGES, WIDE_PAGES, Lookup

LANE = LaneName(project="p", environment="Dev", pipeline="load")
WINDOW = Window(first=1_795_300_000)
FIRST = "2026-11-21T22:26:39Z"  # a second before


def row(number: int, ago: int = 0) -> dict[str, Any]:
    return {"pipelineExecutionId": f"r-{number}", "startedAt": WINDOW.first + 10 - ago, "status": "RUNNING"}


@define
class Pages:
    """An exchange that answers with `page(number, query)`: what it returns, or raises."""

    page: Callable[[int, dict[str, str]], Any]
    asked: list[dict[str, str]] = field(factory=list)

    async def read(self, spec: Any, lane: Lane, decode: Callable[[Any], Any], *, tries: int) -> Any:
        assert (lane, tries, spec.path) == (Lane.READ, 1, "/v1/pipeline-executions")
        self.asked.append(dict(spec.query))
        return decode(self.page(len(self.asked) - 1, self.asked[-1]))


def lookup(page: Callable[[int, dict[str, str]], Any]) -> tuple[Lookup, Pages]:
    pages = Pages(page)
    return Lookup(pages), pages  # type: ignore[arg-type]  # the one method that is used


async def test_the_questions() -> None:
    reader, pages = lookup(lambda number, query: {"results": []})

    for found in (
        await reader.window(LANE, WINDOW),
        await reader.wide(LANE, Window(first=WINDOW.first, last=WINDOW.first + 60)),
        await reader.before(LANE, WINDOW, own=0),
    ):
        assert (found.rows, found.whole) == ((), True)

    names = {"environmentName": "Dev", "pipelineName": "load"}
    assert pages.asked == [
        {"projectId": "p", "limit": "100", **names, "startedAfter": FIRST},
        {"projectId": "p", "limit": "100", "startedAfter": FIRST, "startedBefore": "2026-11-21T22:27:41Z"},
        {"projectId": "p", "limit": "100", **names, "startedAfter": "2026-11-21T22:06:39Z", "startedBefore": "2026-11-21T22:26:41Z"},
    ]
    assert LOOK_BACK == 20 * 60


async def test_pages_are_followed_to_the_end() -> None:
    reader, pages = lookup(lambda number, query: {"results": [row(number)], **({"more": f"t{number}"} if number < 3 else {})})
    found = await reader.window(LANE, WINDOW)
    assert ([one.id for one in found.rows], found.whole) == (["r-0", "r-1", "r-2", "r-3"], True)
    assert [query.get("paginationToken") for query in pages.asked] == [None, "t0", "t1", "t2"]


@pytest.mark.parametrize(("question", "most"), [("window", PAGES), ("wide", WIDE_PAGES)])
async def test_a_list_without_end_is_not_the_whole(question: str, most: int) -> None:
    reader, pages = lookup(lambda number, query: {"results": [row(number)], "more": f"t{number}"})
    found = await getattr(reader, question)(LANE, WINDOW)
    assert (len(found.rows), len(pages.asked), found.whole) == (most, most, False)


@pytest.mark.parametrize(("own", "most"), [(0, PAGES), (1000, PAGES + 20), (10**6, MOST_PAGES)])
async def test_more_pages_are_read_where_many_runs_are_ours(own: int, most: int) -> None:
    reader, pages = lookup(lambda number, query: {"results": [row(number)], "more": f"t{number}"})
    assert not (await reader.before(LANE, WINDOW, own=own)).whole
    assert len(pages.asked) == most


async def test_a_token_that_repeats_is_not_the_whole() -> None:
    reader, _ = lookup(lambda number, query: {"results": [row(number)], "more": "same"})
    found = await reader.window(LANE, WINDOW)
    assert (len(found.rows), found.whole) == (2, False)


async def test_a_row_without_an_id_is_not_the_whole() -> None:
    reader, _ = lookup(lambda number, query: {"results": [row(0), {"status": "RUNNING"}]})
    found = await reader.window(LANE, WINDOW)
    assert (len(found.rows), found.whole) == (1, False)


@pytest.mark.parametrize(
    ("agos", "pages_read", "whole"),
    [
        ([0, 5, 12, 50], 3, True),  # a second below the bound: an inclusive list may show that
        ([0, 5, 11, 11], 20, False),
        ([5, 0, 50], 20, False),  # it does not descend
    ],
)
async def test_a_list_that_ignores_its_bounds_is_read_as_far_as_it_matters(agos: list[int], pages_read: int, whole: bool) -> None:
    reader, pages = lookup(lambda number, query: {"results": [row(number, agos[min(number, len(agos) - 1)])], "more": f"t{number}"})
    found = await reader.window(LANE, WINDOW)
    assert (len(pages.asked), found.whole) == (pages_read, whole)


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_refuses_filters_is_asked_more_plainly_and_that_is_remembered(status: int) -> None:
    def page(number: int, query: dict[str, str]) -> Any:
        if "pipelineName" in query or "startedAfter" in query:
            raise BadRequest(status, method="GET", path="/x")
        return {"results": []}

    reader, pages = lookup(page)
    assert (await reader.window(LANE, WINDOW)).whole
    assert [len(query) for query in pages.asked] == [5, 3, 2]
    await reader.window(LANE, WINDOW)
    assert len(pages.asked) == 4


@pytest.mark.parametrize("error", [Forbidden(403, method="GET", path="/x"), ServerError(503, method="GET", path="/x")])
async def test_any_other_refusal_is_the_look_ups(error: Exception) -> None:
    def page(number: int, query: dict[str, str]) -> Any:
        raise error

    reader, pages = lookup(page)
    with pytest.raises(type(error)):
        await reader.window(LANE, WINDOW)
    assert len(pages.asked) == 1


async def test_a_400_to_everything_or_to_a_later_page_is_an_error() -> None:
    def page(number: int, query: dict[str, str]) -> Any:
        if number == 0:
            return {"results": [row(0)], "more": "t"}
        raise BadRequest(400, method="GET", path="/x")

    reader, pages = lookup(page)
    with pytest.raises(BadRequest):
        await reader.window(LANE, WINDOW)
    assert len(pages.asked) == 2
    with pytest.raises(BadRequest):
        await reader.window(LANE, WINDOW)
    assert [len(query) for query in pages.asked[2:]] == [5, 3, 2]
