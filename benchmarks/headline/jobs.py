"""What is run: the account, the lengths of the runs, and the job of a contender. Values and constants; nothing is measured here."""

from __future__ import annotations

import random
from typing import Any, Final

from attrs import asdict, frozen
from figures import Scene

TOKEN: Final = "benchmark"
PIPELINES: Final = tuple(f"Load {number}" for number in range(1, 9))
ENVIRONMENTS: Final = ("Production", "Staging")
SHORTEST: Final = 10.0
LONGEST: Final = 1200.0
LATENCY: Final = 0.2  # API seconds for each answer: half before the server looks, half after
SEED: Final = 4
SLOT: Final = 60 / 1000  # API seconds for each request within the rate limit
POLL: Final = 5.0  # of the pollers
PATIENCE: Final = 3.0  # a contender gives up after so many times the longest that a perfect one could need


@frozen(kw_only=True)
class Job:
    """One contender, one scene, one size. `give_up` is in API seconds; `ids` are given in the scene "waits" only."""

    contender: str
    scene: Scene
    size: int
    base_url: str
    project_id: str
    speed: float
    give_up: float
    token: str = TOKEN
    ids: tuple[str, ...] = ()

    def places(self) -> list[tuple[str, str]]:
        """Pipeline and environment of each run to trigger."""
        return [place_of(number) for number in range(self.size)]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def place_of(number: int) -> tuple[str, str]:
    """The pipeline and the environment of the run with this number: all pairs in turn."""
    return PIPELINES[number % len(PIPELINES)], ENVIRONMENTS[number // len(PIPELINES) % len(ENVIRONMENTS)]


def lengths(size: int) -> list[float]:
    """Of runs that are started before the contender; triggered ones get theirs from the emulator's own seeded dice, in order of arrival."""
    dice = random.Random(SEED)
    return [dice.uniform(SHORTEST, LONGEST) for _ in range(size)]


def give_up_after(size: int, scene: Scene) -> float:
    """API seconds. Runs that were started before can need as long as triggered ones: one look at each takes a slot each."""
    del scene
    return PATIENCE * (size * SLOT + LONGEST)
