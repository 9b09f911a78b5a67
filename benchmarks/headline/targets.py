"""The promises, judged from one run; pure. A promise whose lines were not measured is "not measured", never met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from attrs import frozen
from figures import Result, Scene

OURS: Final = "maia_async"
LARGE: Final = 10_000
SMALL: Final = 100
SCENES: Final[tuple[Scene, ...]] = ("trigger", "waits")
LABELS: Final = {"trigger": "trigger and wait", "waits": "waits only"}
_FLAT: Final = 1.1  # what grows by less from one size to the next counts as flat


@frozen
class Verdict:
    """`met` None: not measured."""

    promise: str
    found: str = ""
    met: bool | None = None


def verdicts(results: Sequence[Result], scaling: Sequence[Result]) -> list[Verdict]:
    """All of them, in the order in which they were promised."""
    return [*_large(results), *_small(results), *_scaling(scaling)]


def cpu_ms(line: Result) -> float:
    """CPU milliseconds for each run."""
    return line.cpu / line.size * 1e3


def memory_kib(line: Result) -> float:
    """KiB for each run, its task included."""
    return line.memory_mib / line.size * 1024


def _large(results: Sequence[Result]) -> Iterator[Verdict]:
    trigger, waits = (_ours(results, LARGE, scene) for scene in SCENES)
    for scene, ours in zip(SCENES, (trigger, waits), strict=True):
        promise = f"{LARGE:,}, {LABELS[scene]}: no 429"
        yield Verdict(promise) if ours is None else Verdict(promise, f"{ours.refused:,}", met=not ours.refused)
    yield _lag(trigger, "trigger", most=20)
    promise = f"{LARGE:,}, {LABELS['trigger']}: makespan at most 1.12 of its bound"
    if trigger is None:
        yield Verdict(promise)
    elif trigger.over_bound is None:
        yield Verdict(promise, f"{trigger.never:,} never ended", met=False)
    else:
        yield Verdict(promise, f"{trigger.over_bound:.3f}", met=trigger.over_bound <= 1.12)
    yield _lag(waits, "waits", most=10)
    for scene, ours in zip(SCENES, (trigger, waits), strict=True):
        promise = f"{LARGE:,}, {LABELS[scene]}: p99 lag at least 20 times below the best per-run poller"
        best = _best(results, LARGE, scene)
        if ours is None or best is None or not ours.lag_p99 or best.lag_p99 is None:
            yield Verdict(promise)
        else:
            ratio = best.lag_p99 / ours.lag_p99
            yield Verdict(promise, f"{ratio:.1f} times, {best.contender}", met=ratio >= 20 and not ours.never)
    for scene, ours in zip(SCENES, (trigger, waits), strict=True):
        promise = f"{LARGE:,}, {LABELS[scene]}: at most 3 % of the requests of per-run polling at that lag"
        share = None if ours is None else ours.watching_share
        yield Verdict(promise) if share is None else Verdict(promise, f"{share:.2%}", met=share <= 0.03)


def _lag(ours: Result | None, scene: Scene, *, most: float) -> Verdict:
    promise = f"{LARGE:,}, {LABELS[scene]}: p99 lag at most {most:g} s"
    if ours is None or ours.lag_p99 is None:
        return Verdict(promise)
    return Verdict(promise, f"{ours.lag_p99:.1f} s", met=ours.lag_p99 <= most and not ours.never)


def _small(results: Sequence[Result]) -> Iterator[Verdict]:
    for scene in SCENES:
        lag = f"{SMALL}, {LABELS[scene]}: p99 lag no worse than the best per-run poller's"
        requests = f"{SMALL}, {LABELS[scene]}: no more requests than that poller"
        ours, best = _ours(results, SMALL, scene), _best(results, SMALL, scene)
        if ours is None or best is None or ours.lag_p99 is None or best.lag_p99 is None:
            yield from (Verdict(lag), Verdict(requests))
            continue
        found = f"{ours.lag_p99:.1f} s against {best.lag_p99:.1f} s, {best.contender}"
        yield Verdict(lag, found, met=ours.lag_p99 <= best.lag_p99 and not ours.never)
        yield Verdict(requests, f"{ours.requests:,} against {best.requests:,}, {best.contender}", met=ours.requests <= best.requests)


def _scaling(scaling: Sequence[Result]) -> Iterator[Verdict]:
    costs: tuple[tuple[str, str, Callable[[Result], float]], ...] = (("CPU", "ms", cpu_ms), ("memory", "KiB", memory_kib))
    for name, unit, cost in costs:
        promise = f"scaling: {name} per run flat or falling"
        found = [cost(line) for line in scaling]
        text = " ".join(f"{one:.2f}" for one in found) + f" {unit}"
        flat = all(after <= _FLAT * before for before, after in pairwise(found))
        yield Verdict(promise, text, met=flat) if len(found) > 1 else Verdict(promise)
    promise = f"scaling: no stall over 20 ms at {LARGE:,}"
    line = next((line for line in scaling if line.size == LARGE), None)
    if line is None or line.stall_ms is None:
        yield Verdict(promise)
    else:
        yield Verdict(promise, f"{line.stall_ms:.1f} ms, {line.stall_cpu_ms or 0:.1f} ms CPU", met=line.stall_ms <= 20)


def _ours(results: Sequence[Result], size: int, scene: Scene) -> Result | None:
    return next((each for each in results if (each.contender, each.size, each.scene) == (OURS, size, scene)), None)


def _rivals(results: Sequence[Result], size: int, scene: Scene) -> list[Result]:
    return [each for each in results if each.contender != OURS and (each.size, each.scene) == (size, scene)]


def _best(results: Sequence[Result], size: int, scene: Scene) -> Result | None:
    """The rival with the least p99; one that gave up on runs has theirs in it as far as they got."""
    rivals = [each for each in _rivals(results, size, scene) if each.lag_p99 is not None]
    return min(rivals, key=lambda each: each.lag_p99 or 0.0, default=None)
