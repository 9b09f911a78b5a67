"""The soak: twenty minutes and six hours of a calmer one, among the long tests; and that its books would show what it is to find."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from virtual_time import VirtualLoop

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
MODULES = ("ledger", "meter", "weather", "work", "day", "table", "report")


@pytest.fixture
def soak(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Its modules, which are scripts' neighbours and no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(BENCHMARKS / "soak"))
    for name in MODULES:
        sys.modules.pop(name, None)
    yield SimpleNamespace(**{name: import_module(name) for name in MODULES})
    for name in MODULES:
        sys.modules.pop(name, None)


def lived(soak: SimpleNamespace, **settings: Any) -> Any:
    random.seed(settings["seed"])  # the package's own jitter
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(soak.day.live(soak.day.Soak(**settings)))


def check(soak: SimpleNamespace, found: Any) -> None:
    assert soak.report.failures(found) == []
    assert sum(found.spells.values()) > 0
    assert found.outcomes["200"] < found.requests
    assert found.verdict.runs > 30
    assert found.verdict.ended > found.verdict.runs / 4


@pytest.mark.long
def test_twenty_minutes_of_a_bad_day_lose_and_double_nothing_and_nobody_misses_an_exception(soak: SimpleNamespace) -> None:
    found = lived(soak, shifts=1, seconds=1200.0, seed=7, pace=0.6, streams=5)
    check(soak, found)
    [held] = found.holdings
    assert held.connections <= 10
    assert held.tasks <= 15


@pytest.mark.long
@pytest.mark.timeout(600)
def test_six_hours_of_one_leave_nothing_behind(soak: SimpleNamespace) -> None:
    found = lived(soak, shifts=6, seed=1, pace=0.5)
    check(soak, found)
    assert len([row for row in soak.report.rows(found) if row.what.startswith("growth") and row.target is not None]) >= 2


# The books.


def run(name: str, mark: str | None = "m1", status: str = "SUCCESS", trigger: str = "API") -> Any:
    variables = None if mark is None else {"mark": mark}
    return SimpleNamespace(id=name, status=status, trigger=trigger, scalar_variables=variables)


KNOWN = {"execution_id": "a", "state": "SUCCESS"}
LEFT = {"execution_id": "a"}
DOUBTFUL = {"doubtful": True, "candidates": ("a", "b")}


@pytest.mark.parametrize(
    ("claim", "runs", "verdict"),
    [
        (KNOWN, [run("a")], {"ended": 1}),
        (LEFT, [run("a")], {"left": 1}),
        (LEFT, [run("a", status="RUNNING")], {"left": 1}),
        (KNOWN, [], {"wrong": 1}),
        (LEFT, [], {"wrong": 1}),
        (KNOWN, [run("b")], {"wrong": 1}),
        (KNOWN, [run("a", status="FAILED")], {"wrong": 1}),
        (KNOWN, [run("a"), run("b")], {"duplicated": 1}),
        (KNOWN, [run("a"), run("b"), run("c")], {"duplicated": 2}),
        (KNOWN, [run("a"), run("b", mark=None)], {"ended": 1, "duplicated": 1}),
        (KNOWN, [run("a"), run("b", mark="m2")], {"ended": 1, "duplicated": 1}),
        (KNOWN, [run("a"), run("b", mark=None, trigger="DESIGNER")], {"ended": 1}),
        (DOUBTFUL, [], {"unknown_not_landed": 1}),
        (DOUBTFUL, [run("a")], {"unknown_landed": 1, "candidates_right": 1}),
        (DOUBTFUL, [run("c")], {"unknown_landed": 1}),
        (DOUBTFUL, [run("a"), run("b")], {"duplicated": 1}),
        ({}, [], {"not_started": 1}),
        ({}, [run("a")], {"lost": 1}),
        (None, [], {"silent": 1}),
        (None, [run("a")], {"silent": 1}),
    ],
)
def test_what_a_claim_is_worth(soak: SimpleNamespace, claim: dict[str, Any] | None, runs: list[Any], verdict: dict[str, int]) -> None:
    book = soak.ledger.Ledger()
    mark = book.mark()
    if claim is not None:
        book.claim(mark, soak.ledger.Claim(**claim))
    found = book.judge(runs)
    counts = {name: getattr(found, name) for name in soak.ledger.COUNTS}
    ours = sum(each.trigger == "API" for each in runs)
    assert counts == {**dict.fromkeys(counts, 0), "requests": 1, "runs": ours, **verdict}
    bad = {"wrong", "duplicated", "lost", "silent"} & verdict.keys()
    assert bool(found.examples) is bool(bad)


def test_a_request_that_was_never_handed_over_counts_for_nothing(soak: SimpleNamespace) -> None:
    book = soak.ledger.Ledger()
    book.withdraw(book.mark())
    assert book.judge([]).requests == 0


async def test_what_nobody_hears_is_heard(soak: SimpleNamespace) -> None:
    loop = asyncio.get_running_loop()

    async def fail() -> None:
        raise ValueError("nobody awaits me")

    class Careless:
        def __del__(self) -> None:
            warnings.warn("left open", ResourceWarning, stacklevel=1)

    with soak.meter.listening(loop) as trouble:
        task = loop.create_task(fail())
        await asyncio.sleep(1)
        del task
        Careless()
        logging.getLogger("asyncio").warning("something")
        logging.getLogger("maia_async").error("a bug")
        logging.getLogger("maia_async").warning("it happens")
        gc.collect()
    assert [text.partition(":")[0] for text in trouble.unretrieved] == ["Task exception was never retrieved", "unraisable"]
    assert trouble.warned == ["asyncio: something", "maia_async: a bug"]
    assert trouble.said == {"it happens": 1}


def holdings(soak: SimpleNamespace, *sizes: int) -> list[Any]:
    fixed = {"client": None, "traced": None, "objects": 0, "connections": 0, "descriptors": None, "rss": None}
    return [soak.meter.Holding(hour=hour, tasks=size, **fixed) for hour, size in enumerate(sizes, 1)]


@pytest.mark.parametrize(
    ("sizes", "slope"),
    [
        ((9, 5, 5, 5, 5), 0),
        ((0, 5, 6, 7, 8), 1),
        ((9, 7, 5, 3, 1), -2),
        ((1, 2, 3, 4), None),
        ((1,), None),
        ((0, 4, 9, 9, 9, 9, 9), 0),
        ((0, 4, 6, 4, 6), 1 / 3),
    ],
)
def test_growth_is_a_slope_and_the_first_shift_only_warms_up(soak: SimpleNamespace, sizes: tuple[int, ...], slope: float | None) -> None:
    found = soak.report.growth(holdings(soak, *sizes), lambda held: held.tasks)
    assert found == (None if slope is None else pytest.approx(slope))
