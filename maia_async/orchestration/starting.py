"""Sends one START for a supervisor and says how it ended; it neither waits for the pipeline nor sends it again.

it ends with                                       noted                                     told as accepted
2xx                                                a restart, unless it is the first start   True
no usable answer, and it was seen running since    the same                                  None
no usable answer                                   a try; a restart once it is seen running  None
409 and other refusals, never sent                 a try                                     False
withdrawn before it went out                       nothing                                   not told
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from maia_async.errors import MaiaError, SessionClosed
from maia_async.orchestration.charge import Charge
from maia_async.wire.landing import Landing, landing_of


class Withdrawn(Exception):
    """Raised into a START that must not go out any more: the wait for a slot of the budget may be long."""


async def send_start(charge: Charge, may_go: Callable[[Charge], bool]) -> MaiaError | None:
    """Send it if `may_go` still holds when it is its turn. Returns the error that ended it, if any."""
    now = asyncio.get_running_loop().time
    first, attempt = not charge.track.ran, charge.restarts.attempt(now())
    error: MaiaError | None = None

    def about_to_send(sent: bool) -> None:
        if not sent:
            charge.track.withdrawn()
        elif may_go(charge):
            charge.track.sending()
        else:
            raise Withdrawn

    try:
        await charge.pipeline.order("START", in_doubt=about_to_send)
    except Withdrawn:
        charge.track.withdrawn()
        return None
    except MaiaError as failure:
        error = failure
    finally:
        charge.idle.set()
    if not isinstance(error, SessionClosed):
        accepted = _note(charge, error, now(), first=first)
        charge.tried(first=first, attempt=attempt, accepted=accepted, error=error)
    return error


def _note(charge: Charge, error: MaiaError | None, now: float, *, first: bool) -> bool | None:
    if error is None:
        charge.track.accepted(now)
        charge.doubt = False
        _count(charge, now, first=first)
        return True
    in_doubt = landing_of(error) is Landing.AMBIGUOUS
    if in_doubt and not charge.track.start_pends():
        _count(charge, now, first=first)
    else:
        charge.restarts.failed()
        charge.doubt = charge.doubt or (in_doubt and not first)
    charge.track.failed(now)
    return None if in_doubt else False


def _count(charge: Charge, now: float, *, first: bool) -> None:
    if first:
        charge.restarts.runs()
    else:
        charge.restarts.accepted(now)
