"""Stops what a supervisor kept running, for `on_exit="stop"`: bounded, and it never raises for one pipeline. It starts nothing.

    the pipeline, at the end of the block                            STOP
    given up, removed, stopped by others                             not sent: it is not ours
    last read NOT_RUNNING or STOPPING, no START of ours under way    not sent
    a START of ours is under way                                     sent when that has ended
    anything else                                                    sent

    STOP ends with                               then
    accepted, 409                                wait until a read shows NOT_RUNNING
    401, 403, 404, an id that no path can hold   logged
    any other failure                            once more after full jitter

All together last at most STOP_BOUND and 0.1 s for each; what is not settled by then is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final

import anyio

from maia_async.backoffs import jittered
from maia_async.errors import Conflict, MaiaError, SessionClosed
from maia_async.orchestration.charge import Charge
from maia_async.orchestration.transitions import NOT_RUNNING, STREAMING, is_readable

STOP_BOUND: Final = 10.0
STOP_WORKERS: Final = 20
logger = logging.getLogger("maia_async")


async def stop_all(charges: Sequence[Charge], settled: asyncio.Event) -> None:
    """Stop those that are ours. `settled` is set whenever one may be `stopped`."""
    ours = [charge for charge in charges if charge.track.desired is STREAMING]
    for charge in ours:
        charge.track.desired = NOT_RUNNING
    # Those with a START under way last: nobody else should wait for its answer.
    queue = deque(sorted(ours, key=lambda charge: not charge.idle.is_set()))

    async def worker() -> None:
        while queue:
            await _stop(queue.popleft())

    with anyio.move_on_after(STOP_BOUND + 0.1 * len(ours)):
        async with anyio.create_task_group() as workers:
            for _ in range(min(STOP_WORKERS, len(ours))):
                workers.start_soon(worker)
        while not all(charge.stopped for charge in ours):
            settled.clear()
            await settled.wait()
    for charge in ours:
        if not charge.stopped:
            done = "is still stopping" if charge.stop_sent_at is not None else "may still run: it could not be stopped in time"
            logger.warning("streaming pipeline %s %s", charge.pipeline.id, done)


async def _stop(charge: Charge) -> None:
    await charge.idle.wait()
    if not may_run(charge):
        charge.stopped = True
        return
    waits = jittered(1.0, 5.0)
    while True:
        try:
            await charge.pipeline.stop()
        except Conflict:
            break  # it is stopped, or will say so
        except SessionClosed:
            return
        except MaiaError as error:
            if charge.pipeline.watched.subject.ended_by(error, since_trigger=None):
                logger.warning("could not stop streaming pipeline %s: %s", charge.pipeline.id, error)
                charge.stopped = True
                return
            await anyio.sleep(next(waits))
        else:
            break
    charge.stop_sent_at = anyio.current_time()


def may_run(charge: Charge) -> bool:
    """Whether it runs as far as we know, or may."""
    return charge.state is None or charge.state.is_running or not is_readable(charge.state) or charge.track.start_pends()
