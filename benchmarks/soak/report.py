"""What a soak promises, as rows of the benchmarks' table: counts that must be 0, and growth that must be none. It measures nothing.

Growth is the median slope between what was held after any two shifts, the first shift left out: it warms up. A few shifts have none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from statistics import median
from typing import Any, Final

from attrs import asdict
from day import Lived
from meter import Holding
from table import Row, Target, machine

KIB: Final = 1024
# A leak of one object for each request would be tens of KiB an hour; a page of the allocator that comes and goes is not more than these.
MOST_CLIENT: Final = 16.0  # KiB an hour
MOST_RESIDENT: Final = 128.0
MOST_AT_ONCE: Final = 2048.0  # KiB of the client at any rest: a median of slopes does not see what comes and goes
MOST_COUNT: Final = 0.2  # tasks, connections, descriptors an hour: one that is there by chance at the first or last rest is less
FEWEST: Final = 4  # rests that make a growth
FEWEST_OF_MEMORY: Final = 12  # the same for memory, which an allocator gives back late or never


def rows(lived: Lived) -> list[Row]:
    """The whole table."""
    row = partial(Row, part="soak", control_is="none: the server's own runs are the truth")
    verdict, trouble = lived.verdict, lived.trouble
    zero = Target("ours", "<=", 0)
    hours = max(lived.simulated / 3600, 1e-9)
    counts: list[tuple[str, float, Target | None]] = [
        ("requests sent", lived.requests, None),
        ("of them answers 429", lived.outcomes["429"], None),
        ("retries", lived.retries, None),
        ("held back in outages", lived.held_back, None),
        ("spells of bad weather", sum(lived.spells.values()), None),
        ("requests for a run", verdict.requests, None),
        ("runs on the server", verdict.runs, None),
        ("runs whose end was seen", verdict.ended, None),
        ("runs known and left", verdict.left, None),
        ("requests that started nothing, as told", verdict.not_started, None),
        ("outcome UNKNOWN, and a run was started", verdict.unknown_landed, None),
        ("outcome UNKNOWN, and none was started", verdict.unknown_not_landed, None),
        ("runs lost", verdict.lost, zero),
        ("runs duplicated, or asked for by nobody", verdict.duplicated, zero),
        ("ids or ends that are wrong", verdict.wrong, zero),
        ("requests of which nothing was said", verdict.silent, zero),
        ("waits that never ended", lived.hung, zero),
        ("streams that dropped", lived.drops, None),
        ("streams not running at the end", lived.not_streaming, zero),
        ("exceptions that reached nobody", len(trouble.unretrieved), zero),
        ("warnings, and errors in the log", len(trouble.warned), zero),
    ]
    found = [row(what=what, unit="", ours=ours, target=target) for what, ours, target in counts]
    # Tracing keeps books in the same memory, about what the server holds too: then the resident set is shown and promises nothing.
    traced = lived.holdings[-1].client is not None
    found += [
        row(
            what=f"growth: {what}",
            unit=f"{unit}/h".lstrip(),
            ours=slope,
            target=None if traced and read is _resident else Target("ours", "<=", most),
        )
        for what, unit, read, most, fewest in _HELD
        if (slope := growth(lived.holdings, read, fewest)) is not None
    ]
    most = max((held.client for held in lived.holdings if held.client is not None), default=None)
    if most is not None:
        found.append(
            row(what="most at any rest: memory of the client", unit="KiB", ours=most / KIB, target=Target("ours", "<=", MOST_AT_ONCE))
        )
    last = lived.holdings[-1]
    found += [
        row(what=f"at the last rest: {what}", unit=unit, ours=now) for what, unit, read, *_ in _HELD if (now := read(last)) is not None
    ]
    found.append(row(what="CPU for a simulated hour, the server's too", unit="s", ours=lived.cpu / hours))
    return [*found, row(what="real time for a simulated hour", unit="s", ours=lived.took / hours)]


def growth(holdings: Sequence[Holding], read: Callable[[Holding], float | None], fewest: int = FEWEST) -> float | None:
    """The median of the slopes between any two rests, in an hour, without the first one; None when they are too few to tell.

    Not a line by least squares: one jump, of an allocator that has once needed more, is no growth.
    """
    points = [(held.hour, value) for held in holdings[1:] if (value := read(held)) is not None]
    slopes = [(after - before) / (later - hour) for (hour, before), (later, after) in combinations(points, 2)]
    return median(slopes) if len(points) >= fewest else None


def failures(lived: Lived) -> list[str]:
    """What was promised and not kept, each with examples where there are any."""
    missed = [f"{row.what}: {row.ours:g} {row.unit}".rstrip() for row in rows(lived) if row.met is False]
    return [*missed, *lived.verdict.examples, *lived.trouble.unretrieved[:20], *lived.trouble.warned[:20]]


def to_json(lived: Lived) -> str:
    """Everything."""
    document: dict[str, Any] = {
        "soak": asdict(lived.soak),
        "machine": machine(),
        "rows": [{**asdict(row), "met": row.met} for row in rows(lived)],
        "holdings": [asdict(held) for held in lived.holdings],
        "outcomes": lived.outcomes,
        "raised": lived.raised,
        "done": lived.done,
        "spells": lived.spells,
        "trouble": asdict(lived.trouble),
        "failures": failures(lived),
    }
    return json.dumps(document, indent=2)


def _kib(value: float | None) -> float | None:
    return None if value is None else value / KIB


def _resident(held: Holding) -> float | None:
    return _kib(held.rss)


_HELD: Final[tuple[tuple[str, str, Callable[[Holding], float | None], float, int], ...]] = (
    ("memory of the client", " KiB", lambda held: _kib(held.client), MOST_CLIENT, FEWEST_OF_MEMORY),
    ("resident memory of client and server", " KiB", _resident, MOST_RESIDENT, FEWEST_OF_MEMORY),
    ("tasks of the client", "", lambda held: held.tasks, MOST_COUNT, FEWEST),
    ("connections", "", lambda held: held.connections, MOST_COUNT, FEWEST),
    ("file descriptors", "", lambda held: held.descriptors, MOST_COUNT, FEWEST),
)
