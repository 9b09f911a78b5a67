"""Whose turn it is when requests of several kinds wait: precedence with guarantees, as plain state; it knows no time and no limits."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Sequence


class Lane(IntEnum):
    """What a request is for, in order of precedence. TOKEN and CANCEL are the urgent lanes, the others the general ones."""

    TOKEN = 0
    CANCEL = 1
    TRIGGER = 2
    READ = 3
    POLL = 4

    @property
    def urgent(self) -> bool:
        """Whether the reserve is for this lane."""
        return self <= Lane.CANCEL


# Percent of the grants to its own kind (urgent or general) that a lane gets at least while it waits; TOKEN and TRIGGER go first anyway.
GUARANTEED = {Lane.TOKEN: 0, Lane.CANCEL: 10, Lane.TRIGGER: 0, Lane.READ: 10, Lane.POLL: 30}
GENERAL_PART = 50  # percent for the general lanes together, at least, when urgent ones want more than their reserve


def due(credit: dict[Lane, int], ready: Sequence[Lane]) -> Lane:
    """Who goes: the lane with most credit of those that have 100 or more, the first on a tie; else the first, which is precedence."""
    return max(ready, key=lambda lane: credit[lane] if credit[lane] >= 100 else 0)


@define(eq=False)
class Turns:
    """Precedence, corrected by credit so that no lane starves.

    At each grant every waiting lane of the same kind earns its guarantee in percent; with 100 it is due and goes before the others, and a
    grant costs 100, or what there is. Between the kinds the same holds for the general lanes together, except for what the reserve
    covers: that goes to the urgent lanes at once. All lanes waiting for ever, with room for all of them, that gives (percent):

        waiting              TOKEN  CANCEL  TRIGGER  READ  POLL
        TRIGGER READ POLL        -       -       60    10    30
        READ POLL                -       -        -    70    30
        TRIGGER READ             -       -       90    10     -
        TOKEN CANCEL            90      10        -     -     -
        all                     45       5       30     5    15

    Plain precedence starves polls behind ten thousand triggers; a plain round robin makes triggers wait for lists. One credit over all
    lanes was rejected, too: urgent lanes are not paced, and in each of their bursts the general ones would earn more than they may save.
    """

    _credit: dict[Lane, int] = field(init=False, factory=lambda: dict.fromkeys(Lane, 0))
    _general: int = field(init=False, default=0)

    def grant(self, ready: Sequence[Lane], waiting: Sequence[Lane], *, reserve: bool) -> Lane:
        """Choose the lane to serve and account for it.

        `ready` are the waiting lanes that the budget has room for, never empty, in order of precedence, like `waiting`;
        `reserve` says whether an urgent request would come out of the reserve.
        """
        urgent = ready[0].urgent
        if not (urgent and reserve):
            if waiting[0].urgent and not waiting[-1].urgent:
                self._general = min(self._general + GENERAL_PART, 200)
            if urgent and not ready[-1].urgent and self._general >= 100:
                urgent = False
            if not urgent:
                self._general = max(self._general - 100, 0)
        lane = due(self._credit, [each for each in ready if each.urgent == urgent])
        for each in waiting:
            if each.urgent == urgent:
                # Two grants may be saved: a lane that was long without room must not take everything afterwards.
                self._credit[each] = min(self._credit[each] + GUARANTEED[each], 200)
        self._credit[lane] = max(self._credit[lane] - 100, 0)
        return lane
