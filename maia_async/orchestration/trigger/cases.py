"""How a request that is in doubt is entered: by its POST of this client, or by what an earlier process knew. It looks nothing up.

what an earlier process knew       its window                                              an empty list
the API's time of its POST         from then until it can have been on its way no more     proves that it did not land
its own clock's time only          the same, with `CLOCK_SLACK` more at both ends: vague   proves nothing
"""

from __future__ import annotations

import asyncio
from typing import Final

from maia_async.clock import utc_now
from maia_async.errors import MisuseError
from maia_async.orchestration.trigger.call import Call
from maia_async.orchestration.trigger.lanes import MARGIN, Case, Sent, sameness

# Seconds by which the clock of a machine may have been set between two of its processes, for the window of a POST whose time is known by it
# alone. More would take in the runs of others; a clock that was set by more is why an empty window proves nothing there.
CLOCK_SLACK: Final = 60.0


def new_case(call: Call, *, sent: float, start: float | None) -> Case:
    """The case of a request; `sent` by the loop's clock, `start` by the API's."""
    loop = asyncio.get_running_loop()
    return Case(
        request=call.request,
        same_as=sameness(call.request),
        sent=sent,
        start=start,
        ended=loop.time(),
        verdict=loop.create_future(),
        fly=call.fly,
        withdrawn=call.withdrawn is not None,
    )


def earlier_case(call: Call, earlier: Sent, *, server_now: float | None, under_way: float, settle: float) -> Case:
    """The case of a request whose POST went out in another process. `settle` counts from now, unless that is known to be long ago.

    under_way: seconds for which that POST may have been on its way. Raises MisuseError when nothing is known of its time.
    """
    now = asyncio.get_running_loop().time()
    if earlier.at is not None:
        last = earlier.at if earlier.last is None else max(earlier.at, earlier.last)
        case = new_case(call, sent=now if server_now is None else now - (server_now - earlier.at), start=earlier.at)
        case.ended = now if server_now is None else now - max(0.0, server_now - last - under_way)
        # A later run cannot be its, and in days others may have started many.
        case.latest = int(last + under_way + settle + MARGIN)
    elif earlier.wall is not None:
        sent = now - max(0.0, utc_now().timestamp() - earlier.wall)
        case = new_case(call, sent=sent - CLOCK_SLACK, start=None)
        case.vague, case.closes = True, sent + under_way + settle + MARGIN + CLOCK_SLACK
    else:
        raise MisuseError("Sent needs a time: `at` by the API's clock, or `wall` by the clock of the machine that sent it")
    case.asked = now
    return case
