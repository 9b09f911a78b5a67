"""Cuts the start times of awaited runs into windows that fit a page each: pure arithmetic over seconds; it asks for nothing.

A list is sorted by start and paged by token, one page after the other. Windows of one page each can be asked for side by side, and a
window in which everything has ended is asked for no more.

    the next second with an awaited run                     then
    with all rows up to it, the window still fits a page    it joins the window (seconds between them cost nothing without rows)
    otherwise                                               it begins a window of its own
    it alone has more rows than a page                      its window takes several pages, read one after the other
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from attrs import frozen

FILL: Final = 0.95  # of a page: rows go on coming while the plan is carried out
EARLIER: Final = 2  # seconds by which a run may have started before its answer's `Date`, from which we know its start until it is listed


@frozen(slots=True)
class Window:
    """Seconds of start, both included (API time since the epoch; None: open), and how many rows are expected in them."""

    first: int | None
    last: int | None
    rows: int

    def pages(self, page: int) -> int:
        """Requests that it takes."""
        return max(1, math.ceil(self.rows / page))


def windows(wanted: Iterable[int], rows: Mapping[int, int], page: int) -> list[Window]:
    """The windows over `wanted`, oldest first; `rows` are those expected for each second, `page` is how many a page holds."""
    room = max(1, int(page * FILL))
    seconds = sorted(wanted)
    if not seconds:
        return []
    counted = sorted(second for second in rows if seconds[0] <= second <= seconds[-1])
    found: list[Window] = []
    first, last = seconds[0] - EARLIER, seconds[0]
    inside, place, empty = 0, 0, True
    for second in seconds:
        between, at = 0, place
        while at < len(counted) and counted[at] <= second:
            between += rows[counted[at]]
            at += 1
        if inside + between > room and not empty:
            found.append(Window(first, last, inside))
            first = second if second - last <= EARLIER else second - EARLIER
            inside, between = 0, rows.get(second, 0)
        last, inside, place, empty = second, inside + between, at, False
    found.append(Window(first, last, inside))
    return found


def pages(cut: Iterable[Window], page: int) -> int:
    """Requests that windows take."""
    return sum(window.pages(page) for window in cut)
