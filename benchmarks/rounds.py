"""Rounds of contenders in turn, A B A B, so that a slow minute of the machine hits both; it drops no round but the first."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import TypeVar

T = TypeVar("T")


async def interleaved(contenders: Sequence[Callable[[], Awaitable[T]]], rounds: int) -> list[list[T]]:
    """What each contender gave in each of `rounds`, after one round that warms connections, caches and branches and is not counted."""
    found: list[list[T]] = [[] for _ in contenders]
    for number in range(rounds + 1):
        for results, contender in zip(found, contenders, strict=True):
            gc.collect()  # nobody pays for what another left behind
            result = await contender()
            if number:
                results.append(result)
    return found


def ratios(ours: Sequence[float], control: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """The median of the rounds' ratios, and the least and the most. Ratios of medians would mix rounds of different minutes."""
    each = [one / other for one, other in zip(ours, control, strict=True)]
    return median(each), (min(each), max(each))
