"""Where requests come from: sized collections whole, anything else one at a time. No client is needed."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from orchestration.account import request

from maia_async import ExecutionRequest, InvalidRequest, MisuseError
from maia_async.orchestration.batch.input import BatchInput, row_problems

ROWS = [request("good"), request("short"), request("long")]


async def read(source: BatchInput) -> list[ExecutionRequest]:
    found = []
    while (item := await source.next()) is not None:
        found.append(item)
    return found


async def one_by_one(rows: list[Any]) -> AsyncIterator[Any]:
    for row in rows:
        yield row


class Sequence:
    """Sized and iterable by the old protocol of `__len__` and `__iter__` alone."""

    def __len__(self) -> int:
        return len(ROWS)

    def __iter__(self) -> Iterator[ExecutionRequest]:
        return iter(ROWS)


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: list(ROWS), 3),
        (lambda: tuple(ROWS), 3),
        (lambda: deque(ROWS), 3),
        (dict(enumerate(ROWS)).values, 3),
        (Sequence, 3),
        (list, 0),
        (lambda: iter(ROWS), None),
        (lambda: (row for row in ROWS), None),
        (lambda: one_by_one(ROWS), None),
    ],
    ids=["list", "tuple", "deque", "values", "own class", "empty", "iterator", "generator", "async generator"],
)
async def test_every_kind_of_input_gives_its_rows_in_order_and_its_size_if_it_has_one(make: Any, size: int | None) -> None:
    source = BatchInput(make())

    assert source.size == size
    assert await read(source) == ([] if size == 0 else ROWS)
    assert await source.next() is None


def test_a_sized_input_is_checked_whole_and_every_problem_of_every_row_is_told() -> None:
    rows: Any = [request(), request("", ""), request(environment="x" * 256), request(scalar_variables={"day": 1}), "good", request()]

    with pytest.raises(InvalidRequest) as caught:
        BatchInput(rows)

    assert [problem.field for problem in caught.value.problems] == [
        "[1].pipelineName",
        "[1].environmentName",
        "[2].environmentName",
        "[3].scalarVariables.day",
        "[4]",
    ]
    assert "invalid batch: 5 problems" in str(caught.value)
    assert "[4]: must be an ExecutionRequest, is str" in str(caught.value)


@pytest.mark.parametrize("rows", ["good", b"good", {"a": ROWS[0]}, 3, None, ROWS[0]], ids=lambda value: type(value).__name__)
def test_what_is_no_collection_of_requests_is_refused_by_the_name_of_its_type(rows: Any) -> None:
    with pytest.raises(MisuseError, match=f"is {type(rows).__name__}"):
        BatchInput(rows)


@pytest.mark.parametrize("wrap", [iter, one_by_one], ids=["iterator", "async generator"])
async def test_an_invalid_row_of_a_lazy_input_is_handed_on_and_a_foreign_item_refused(wrap: Any) -> None:
    source = BatchInput(wrap([request(""), {"pipelineName": "good"}]))

    assert await source.next() == request("")
    with pytest.raises(MisuseError, match="one is dict"):
        await source.next()


@pytest.mark.parametrize("wrap", [iter, one_by_one], ids=["iterator", "async generator"])
async def test_nothing_is_read_before_it_is_asked_for(wrap: Any) -> None:
    asked: list[int] = []

    def rows() -> Iterator[Any]:
        for number in range(3):
            asked.append(number)
            yield request()

    source = BatchInput(wrap(rows()))
    assert asked == []
    await source.next()
    assert asked == [0]


@pytest.mark.parametrize("error", [OSError("disk"), RuntimeError("bug"), InvalidRequest([])], ids=lambda error: type(error).__name__)
async def test_what_the_input_raises_passes_through(error: Exception) -> None:
    def rows() -> Iterator[Any]:
        yield request()
        raise error

    source = BatchInput(rows())
    await source.next()
    with pytest.raises(type(error)) as caught:
        await source.next()
    assert caught.value is error


def test_a_good_row_has_no_problems() -> None:
    assert row_problems(0, request()) == ()
