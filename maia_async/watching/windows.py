"""Cuts the start times of awaited runs into windows that fit a page each: pure arithmetic over seconds; it asks for nothing.

A list is sorted by start and paged by token, one page after the other. Windows of one page each can be asked for side by side, and a
window in which everything has ended is asked for no more.

    the next second with an awaited run                     then
    with all rows up to it, the window still fits a page    it joins the window (seconds between them cost nothing without rows)
    otherwise                                               it begins a window of its own
    it alone has more rows than a page                      its window takes several pages, read one after the other

A window reaches EARLIER seconds below its first run, but not into the window before; the rows there count.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
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
    """The windows over `wanted`, oldest first; `rows` are those expected for each second, `page` is how many a page holds.

    Sums of rows are searched for where a window ends, second for second is not counted: there are hundreds of windows, but thousands of
    seconds, and this is done several times for each round.
    """
    room = max(1, int(page * FILL))
    seconds, at = sorted(wanted), sorted(rows)
    below = [0, *accumulate(map(rows.__getitem__, at))]  # rows before each of `at`, and all of them
    found: list[Window] = []
    place = 0
    while place < len(seconds):
        second = seconds[place]
        first = second - EARLIER if not place else max(second - EARLIER, seconds[place - 1] + 1)
        before = below[bisect_left(at, first)]
        over = bisect_right(below, before + room)
        end = len(seconds) if over == len(below) else max(place + 1, bisect_left(seconds, at[over - 1], place))
        last = seconds[end - 1]
        found.append(Window(first, last, below[bisect_right(at, last)] - before))
        place = end
    return found


def pages(cut: Iterable[Window], page: int) -> int:
    """Requests that windows take."""
    return sum(window.pages(page) for window in cut)
