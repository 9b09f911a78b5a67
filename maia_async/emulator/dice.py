"""Seeded chance, one stream for each purpose, so that more latency draws do not change which run fails; nothing here is secret."""

from __future__ import annotations

import random
from typing import TypeAlias
from uuid import UUID

Dice: TypeAlias = random.Random


def dice(seed: int, purpose: str) -> Dice:
    """A stream of its own for `purpose`; the same seed gives the same stream in every process."""
    return random.Random(f"{seed}/{purpose}")  # noqa: S311 - reproducible behaviour is the point; no key is drawn from it


def draw(source: Dice, span: tuple[float, float]) -> float:
    """A number between the two ends; no draw is made when they are equal."""
    least, most = span
    return least if least == most else source.uniform(least, most)


def new_id(source: Dice) -> str:
    """A version 4 uuid."""
    return str(UUID(int=source.getrandbits(128), version=4))
