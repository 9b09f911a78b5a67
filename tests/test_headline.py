"""The headline benchmark: what its figures mean, what its promises say of a line, and that the whole of it runs on a small account."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

HEADLINE = Path(__file__).parent.parent / "benchmarks" / "headline"
MODULES = ("figures", "jobs", "targets")
ZERO = 1_000.0


@pytest.fixture
def headline(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Its pure modules, which are scripts' neighbours and no package."""
    monkeypatch.syspath_prepend(str(HEADLINE))
    yield SimpleNamespace(**{name: import_module(name) for name in MODULES})
    for name in MODULES:
        sys.modules.pop(name, None)


def truth(headline: SimpleNamespace, *runs: tuple[str, float, float], requests: int = 100, refused: int = 0) -> Any:
    """At ten API seconds in a real one: monotonic 5 is API time 1050."""
    told = {"runs": list(runs), "requests": requests, "refused": refused, "zero": ZERO, "speed": 10.0, "busy": 0.1, "slot": 0.06}
    return headline.figures.truth_of(told)


def witness(headline: SimpleNamespace, resumed: dict[str, float], *, begun: float = 0.0, ended: float = 100.0) -> Any:
    return headline.figures.Witness(begun=begun, ended=ended, resumed=resumed, cpu=1.0, peak_kib=2048.0, stall_ms=3.0)


def line(headline: SimpleNamespace, contender: str, size: int, scene: str, **changes: Any) -> Any:
    runs = [(f"r{number}", ZERO, ZERO + 100) for number in range(4)]
    found = headline.figures.result(4, scene, contender, truth(headline, *runs), witness(headline, {name: 10.1 for name, _, _ in runs}))
    return evolve(found, size=size, **changes)


def test_lag_is_from_the_end_on_the_server_to_the_resumed_task(headline: SimpleNamespace) -> None:
    found = headline.figures.result(
        2, "trigger", "x", truth(headline, ("a", 1_000, 1_040), ("b", 1_001, 1_060)), witness(headline, {"a": 4.2, "b": 7.0})
    )
    assert (found.lag_p50, found.lag_p99) == pytest.approx((2.0, 10.0))
    assert found.makespan == pytest.approx(70)


def test_lag_of_a_run_that_ended_before_counts_from_the_beginning(headline: SimpleNamespace) -> None:
    found = headline.figures.result(1, "waits", "x", truth(headline, ("a", 500, 600)), witness(headline, {"a": 3.1}, begun=3.0))
    assert found.lag_p99 == pytest.approx(1.0)


def test_a_task_that_never_resumed_counts_with_the_lag_it_had_reached(headline: SimpleNamespace) -> None:
    found = headline.figures.result(
        3, "waits", "x", truth(headline, ("a", 1_000, 1_040), ("b", 1_000, 1_100), ("c", 1_000, 9_000)), witness(headline, {"a": 4.0})
    )
    assert (found.never, found.lag_p99, found.makespan, found.watching_share) == (2, 900.0, None, None)


def test_runs_that_were_not_started_are_told(headline: SimpleNamespace) -> None:
    found = headline.figures.result(3, "trigger", "x", truth(headline, ("a", 1_000, 1_040)), witness(headline, {"a": 4.0}))
    assert (found.not_started, found.never) == (2, 2)


def test_accepted_triggers_are_not_watching(headline: SimpleNamespace) -> None:
    args = (1, truth(headline, ("a", 1_000, 1_040), requests=9), witness(headline, {"a": 4.0}))
    assert [headline.figures.result(args[0], scene, "x", *args[1:]).watching for scene in ("trigger", "waits")] == [8, 9]


@pytest.mark.parametrize(("scene", "bound"), [("trigger", 0.06 + 80), ("waits", 81)])
def test_lower_bound(headline: SimpleNamespace, scene: str, bound: float) -> None:
    known = truth(headline, ("a", 1_000, 1_040), ("b", 1_001, 1_081))
    assert headline.figures.lower_bound(scene, known, 1_000) == pytest.approx(bound)


@pytest.mark.parametrize(("lag", "requests"), [(10, 4 + 5), (20, 2 + 3), (1_000, 2)])
def test_per_run_polling_at_a_lag(headline: SimpleNamespace, lag: float, requests: int) -> None:
    runs = truth(headline, ("a", 1_000, 1_040), ("b", 990, 1_050)).runs
    assert headline.figures.per_run_requests(runs, 1_000, lag) == requests


def test_every_contender_gets_the_same_lengths(headline: SimpleNamespace) -> None:
    lengths = headline.jobs.lengths(1_000)
    assert lengths == headline.jobs.lengths(1_000)
    assert 10 <= min(lengths) < 30
    assert 1_170 < max(lengths) <= 1_200
    assert len({headline.jobs.place_of(number) for number in range(16)}) == 16


def test_what_was_not_measured_is_not_met(headline: SimpleNamespace) -> None:
    found = headline.targets.verdicts([], [])
    assert {each.met for each in found} == {None}
    assert len({each.promise for each in found}) == len(found) == 16


def test_promises_are_judged(headline: SimpleNamespace) -> None:
    results = [
        line(headline, "maia_async", 10_000, "trigger", lag_p99=20.0, over_bound=1.12, watching_share=0.031),
        line(headline, "aiohttp", 10_000, "trigger", lag_p99=399.0),
        line(headline, "httpx", 10_000, "trigger", lag_p99=500.0),
        line(headline, "maia_async", 100, "waits", lag_p99=5.0, requests=10),
        line(headline, "aiohttp", 100, "waits", lag_p99=5.0, requests=9),
    ]
    found = {each.promise: each for each in headline.targets.verdicts(results, [])}
    met = {promise: each.met for promise, each in found.items() if each.met is not None}
    assert met == {
        "10,000, trigger and wait: no 429": True,
        "10,000, trigger and wait: p99 lag at most 20 s": True,
        "10,000, trigger and wait: makespan at most 1.12 of its bound": True,
        "10,000, trigger and wait: p99 lag at least 20 times below the best per-run poller": False,
        "10,000, trigger and wait: at most 3 % of the requests of per-run polling at that lag": False,
        "100, waits only: p99 lag no worse than the best per-run poller's": True,
        "100, waits only: no more requests than that poller": False,
    }


@pytest.mark.realtime
@pytest.mark.timeout(120)
def test_it_runs(tmp_path: Path) -> None:
    """Four runs of at most 20 minutes, at 600 API seconds in each real one."""
    told = tmp_path / "found.json"
    command = [sys.executable, str(HEADLINE), "--sizes", "4", "--contenders", "maia_async,aiohttp", "--speed", "600", "--json", str(told)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    results = json.loads(told.read_text())["results"]
    assert [(each["scene"], each["contender"]) for each in results] == [
        (scene, contender) for scene in ("trigger", "waits") for contender in ("maia_async", "aiohttp")
    ]
    for each in results:
        assert (each["never"], each["not_started"], each["errors"], each["refused"]) == (0, 0, 0, 0)
        assert 0 < each["lag_p50"] <= each["lag_p99"]
        assert each["over_bound"] > 0.99
