"""Whether an error is the API's last word about a supervised pipeline: pure; it reads no clock and gives nothing up itself.

    an error                                          of a read   of a START
    401, 403, 404                                     DOUBTED     DOUBTED
    404 soon after our own create                     PASSING     PASSING
    400, 422, 410                                     PASSING     FINAL
    an id that no path can hold, a wrong setting      FINAL       FINAL
    anything else                                     PASSING     PASSING

DOUBTED is as good as FINAL once it was said REFUSALS times and for REFUSED_FOR seconds: one such answer may come from a proxy, a rollout
or a role that is just being changed, and a pipeline that is given up is down until a person comes. What ends such a row: for reads one
that succeeds; for STARTs one that is accepted, or a read that shows the pipeline running. PASSING errors neither end it nor count.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import define

from maia_async.errors import BadRequest, PipelineDisabled, ResponseError

REFUSALS: Final = 3
REFUSED_FOR: Final = 60.0


class Weight(Enum):
    """What an error says about the next try."""

    PASSING = "it may well succeed"
    DOUBTED = "it will hardly succeed"
    FINAL = "it cannot succeed"


def weight_of(error: Exception, *, ends_wait: bool, of_start: bool) -> Weight:
    """Decide from the table of this module; `ends_wait` is what `watching/failures.py` says of the error."""
    if isinstance(error, BadRequest | PipelineDisabled):
        return Weight.FINAL if of_start else Weight.PASSING
    if not ends_wait:
        return Weight.PASSING
    return Weight.DOUBTED if isinstance(error, ResponseError) else Weight.FINAL


@define(eq=False, slots=True)
class Refusals:
    """The row of DOUBTED answers to the reads, or to the STARTs, of one pipeline. Times are seconds of one clock, handed in."""

    _count: int = 0
    _since: float = 0.0

    def met(self, weight: Weight, now: float) -> bool:
        """Take an error in; True: give up."""
        if weight is not Weight.DOUBTED:
            return weight is Weight.FINAL
        if not self._count:
            self._since = now
        self._count += 1
        return self._count >= REFUSALS and now - self._since >= REFUSED_FOR

    def over(self) -> None:
        """It was not refused this time."""
        self._count = 0
