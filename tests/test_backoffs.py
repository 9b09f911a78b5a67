"""The waits between tries: doubling, capped, endless; full jitter stays below each step."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.backoffs import jittered, steps


@pytest.mark.parametrize(
    ("base", "cap", "waits"),
    [
        (0.5, 30.0, [0.5, 1, 2, 4, 8, 16, 30, 30]),
        (1.0, 4.0, [1, 2, 4, 4, 4]),
        (3.0, 3.0, [3, 3, 3]),
        (0.001, 0.003, [0.001, 0.002, 0.003]),
    ],
)
def test_steps_double_from_base_to_cap(base: float, cap: float, waits: list[float]) -> None:
    assert list(islice(steps(base, cap), len(waits))) == waits


@given(st.floats(1e-6, 1e3), st.floats(1, 1e6))
def test_steps_never_end_never_fall_and_never_pass_the_cap(base: float, factor: float) -> None:
    cap = base * factor
    waits = list(islice(steps(base, cap), 3000))
    assert waits[0] == base
    assert waits == sorted(waits)
    assert waits[-1] == cap


@given(st.floats(1e-3, 10), st.floats(1, 1000))
def test_a_jittered_wait_is_between_nothing_and_its_step(base: float, factor: float) -> None:
    cap = base * factor
    for wait, step in zip(islice(jittered(base, cap), 40), steps(base, cap), strict=False):
        assert 0 <= wait <= step


def test_jitter_uses_the_whole_range_and_gives_two_callers_different_waits() -> None:
    waits = [next(jittered(1.0, 30.0)) for _ in range(300)]
    assert len(set(waits)) > 290
    assert min(waits) < 0.1
    assert max(waits) > 0.9
