"""Sends one START for a supervisor and says how it ended; it neither waits for the pipeline nor sends it again.

it ends with                                          noted                                    told as accepted
2xx                                                   a restart, unless it is the first start  True
no usable answer, and it may have been a restart      the same                                 None
no usable answer, and it hardly was one               a try                                    None
409 and other refusals, never sent                    a try                                    False
torn off at the end of the block after it went out    nothing: that was the last one           None
withdrawn before it went out                          nothing                                  not told

Whether it may have been a restart, `Track.doubted` knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from maia_async.errors import RequestTimedOut, SessionClosed
from maia_async.orchestration.supervision.charge import Charge
from maia_async.wire.landing import Landing, landing_of


class Withdrawn(Exception):
    """Raised into a START that must not go out any more: the wait for a slot of the budget may be long."""


async def send_start(charge: Charge, may_go: Callable[[Charge], bool]) -> Exception | None:
    """Send it if `may_go` still holds when it is its turn. Returns the error that ended it, if any, whosever that is."""
    now = asyncio.get_running_loop().time
    first, attempt = _standing(charge, now())
    error: Exception | None = None
    sent = False

    def about_to_send(goes: bool) -> None:
        nonlocal sent, first, attempt
        sent = goes
        if not goes:
            charge.track.withdrawn()
        elif may_go(charge):
            first, attempt = _standing(charge, now())  # anew: it may have run while this waited for a slot
            charge.track.sending()
        else:
            raise Withdrawn

    try:
        await charge.pipeline.order("START", in_doubt=about_to_send)
    except Withdrawn:
        charge.track.withdrawn()
        return None
    except asyncio.CancelledError:
        if sent:
            error = RequestTimedOut("the supervision ended before the answer came")
            charge.tried(first=first, attempt=attempt, accepted=None, error=error)
        raise
    except Exception as failure:  # noqa: BLE001 - a user's own Auth may raise anything: it fails this START and no other
        error = failure
    finally:
        charge.idle.set()
    if not isinstance(error, SessionClosed):
        accepted = _note(charge, error, now(), first=first, sent=sent)
        charge.tried(first=first, attempt=attempt, accepted=accepted, error=error)
    return error


def _standing(charge: Charge, now: float) -> tuple[bool, int]:
    """Whether a START would be the first one, and else the number of this try."""
    return not charge.track.ran, charge.restarts.attempt(now)


def _note(charge: Charge, error: Exception | None, now: float, *, first: bool, sent: bool) -> bool | None:
    in_doubt = error is not None and sent and landing_of(error) is Landing.AMBIGUOUS
    if error is None:
        charge.track.accepted(now)
        charge.starts_refused.over()
    elif not in_doubt:
        charge.track.refused(now)
    if error is None or (in_doubt and charge.track.doubted(now)):
        if first:
            charge.restarts.runs()
        else:
            charge.restarts.accepted(now)
    else:
        charge.restarts.failed()
    return None if in_doubt else error is None
