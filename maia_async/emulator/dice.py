"""Seeded chance, one stream for each purpose, so that more latency draws do not change which run fails; nothing here is secret."""

from __future__ import annotations

import random
from typing import TypeAlias

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
    # The bits that `UUID(version=4)` sets, without making one: crowds of a hundred thousand are waited for.
    text = f"{source.getrandbits(128) & ~(0xC000 << 48) & ~(0xF000 << 64) | (0x8000 << 48) | (4 << 76):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
