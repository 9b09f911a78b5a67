"""Real processes, killed with SIGKILL in the middle of a batch and started again: one run for each request, and nothing forgotten."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from orchestration.journal.killing import EVENTS, killed


@pytest.mark.realtime
@pytest.mark.parametrize(("count", "kills", "seed"), [(60, 6, 7), (30, 3, 8)], ids=["sized", "lazy"])
def test_a_batch_that_is_killed_a_few_times(tmp_path: Path, count: int, kills: int, seed: int) -> None:
    found = killed(tmp_path, count=count, pipelines=4, kills=kills, seed=seed, sized=count == 60)
    found.check(count)
    assert found.kills == kills, found.told()


@pytest.mark.crash
@pytest.mark.timeout(900)
def test_a_batch_that_is_killed_fifty_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = killed(tmp_path, count=500, pipelines=10, kills=50, seed=1)
    with capsys.disabled():
        sys.stdout.write(f"\n{found.told()}\n")
    found.check(500)
    assert found.kills == 50, found.told()
    assert set(found.met) == {*EVENTS, "time"}, found.told()
    assert {"INTENT, landed", "INTENT, not landed", "STARTED"} <= set(found.left), found.told()
