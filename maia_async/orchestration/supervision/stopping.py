"""Stops what a supervisor kept running, for `on_exit="stop"`: bounded, and it never raises for one pipeline. It starts nothing.

    the pipeline, at the end of the block                            STOP
    given up, removed, stopped by others                             not sent: it is not ours
    last read NOT_RUNNING or STOPPING, no START of ours under way    not sent
    a START of ours is under way                                     sent when that has ended
    anything else                                                    sent

    STOP ends with                               then
    accepted, 409                                the reads decide
    401, 403, 404, an id that no path can hold   logged
    any other failure                            once more after full jitter

    a read that went out after the answer shows      after 2xx                        after 409
    NOT_RUNNING, and no START of ours pends          it is stopped                    it is stopped
    NOT_RUNNING, and one may still show              (a STOP ends it)                 STOP once more after full jitter
    STARTING, SNAPSHOTTING, STREAMING                once more, if IGNORED_AFTER s    once more after full jitter
                                                     later or more
    anything else                                    wait                             wait

A 409 does not say that it is stopped: a server may refuse STOP while a pipeline starts. All together last at most STOP_BOUND and 0.1 s for
each; what is not settled by then is logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

import anyio

from maia_async.backoffs import jittered
from maia_async.errors import Conflict, SessionClosed
from maia_async.logs import logger
from maia_async.models.streaming import StreamingState
from maia_async.orchestration.supervision.charge import Charge
from maia_async.orchestration.supervision.transitions import NOT_RUNNING, STREAMING, is_readable

STOP_BOUND: Final = 10.0
STOPS_AT_ONCE: Final = 20
IGNORED_AFTER: Final = 3.0


class Step(Enum):
    """What a read after a STOP calls for."""

    STOPPED = "it is stopped"
    AGAIN = "send STOP once more"
    WAIT = "wait for the next read"


def step(state: StreamingState, *, after: float, refused: bool, start_pends: bool) -> Step:
    """Decide from the last table of this module; the read went out `after` seconds after the answer to the STOP."""
    if after < 0:
        return Step.WAIT
    if state is NOT_RUNNING:
        return Step.AGAIN if start_pends else Step.STOPPED
    return Step.AGAIN if state.is_running and (refused or after >= IGNORED_AFTER) else Step.WAIT


async def stop_all(charges: Sequence[Charge]) -> None:
    """Stop those that are ours."""
    ours = [charge for charge in charges if charge.track.desired is STREAMING]
    for charge in ours:
        charge.track.desired = NOT_RUNNING
    turns = anyio.CapacityLimiter(STOPS_AT_ONCE)
    with anyio.move_on_after(STOP_BOUND + 0.1 * len(ours)):
        async with anyio.create_task_group() as stops:
            for charge in ours:
                stops.start_soon(_stop, charge, turns)
    for charge in ours:
        if not charge.stopped:
            done = "is still stopping" if charge.stop_accepted else "may still run: it could not be stopped in time"
            logger.warning("streaming pipeline %s %s", charge.pipeline.id, done)


async def _stop(charge: Charge, turns: anyio.CapacityLimiter) -> None:
    await charge.idle.wait()
    if not may_run(charge):
        charge.stopped = True
    waits = jittered(1.0, 5.0)
    while not charge.stopped:
        try:
            async with turns:
                await charge.pipeline.stop()
        except SessionClosed:
            return
        except Conflict:
            charge.stop_accepted = False
        except Exception as error:  # noqa: BLE001 - a user's own Auth may raise anything: the others are stopped all the same
            if charge.pipeline.subject.ended_by(error, since_trigger=None):
                logger.warning("could not stop streaming pipeline %s: %s", charge.pipeline.id, error)
                charge.stopped = True
                return
            await anyio.sleep(next(waits))
            continue
        else:
            charge.stop_accepted = True
            charge.track.stopped()
        await _settled(charge, anyio.current_time())
        if not charge.stopped:
            await anyio.sleep(next(waits))


async def _settled(charge: Charge, answered_at: float) -> None:
    """Return when the reads show it stopped, or that another STOP is needed."""
    while not charge.stopped:
        charge.news.clear()
        await charge.news.wait()
        if charge.state is None:
            continue
        after, pends = charge.read_at - answered_at, charge.track.start_pends(charge.read_at)
        found = step(charge.state, after=after, refused=not charge.stop_accepted, start_pends=pends)
        charge.stopped = charge.stopped or found is Step.STOPPED
        if found is Step.AGAIN:
            return


def may_run(charge: Charge) -> bool:
    """Whether it runs as far as we know, or may."""
    running = charge.state is None or charge.state.is_running or not is_readable(charge.state)
    return running or charge.track.start_pends(charge.read_at)
