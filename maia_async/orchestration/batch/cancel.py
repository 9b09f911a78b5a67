"""Cancels the runs of a batch, some at a time, within one bound. It does not record what became of them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from maia_async.backoffs import jittered
from maia_async.errors import BadRequest, Conflict, MaiaError, NotFound
from maia_async.orchestration.batch.ledger import Live
from maia_async.resources.ending import CONFIRM_BOUND, LEAST_PAUSE, in_doubt

logger = logging.getLogger("maia_async")
WORKERS: Final = 20
LEAVE_BOUND: Final = 10.0
PER_RUN: Final = 0.1  # the API's rate: ten seconds of it for a hundred runs


async def cancel_runs(lives: list[Live], *, confirm: bool, concerns: Callable[[Live], bool], done: Callable[[Live], None]) -> None:
    """Ask Maia to cancel those of `lives` that still concern the batch; `done` is told of each that was asked, or could not be.

    It takes at most 10 s, with `confirm` 60 s, and 0.1 s more for each run. With `confirm` a PATCH without a usable answer is sent again,
    and all the time is used up: whoever calls ends it when all runs have ended. One bound for the PATCHes and the wait after them: PATCHes
    that get no answer would have no end otherwise.
    """
    queue, told = deque(lives), set[Live]()

    async def worker() -> None:
        pauses = jittered(1.0, 5.0)
        while queue:
            live = queue.popleft()
            if live.execution is None or not concerns(live):
                continue
            try:
                if not live.cancelled:
                    await live.execution.cancel()
                    live.cancelled = True
            except MaiaError as error:
                again = confirm and in_doubt(error)
                # What a finished run answers is not documented, and the end of a run may cross our PATCH.
                ended = " (it may just have ended)" if isinstance(error, Conflict | BadRequest | NotFound) else ""
                if live not in told:
                    logger.warning("could not cancel execution %s%s: %s%s", live.execution.id, ended, error, ", trying again" * again)
                    told.add(live)
                if again:
                    await anyio.sleep(LEAST_PAUSE + next(pauses))
                    queue.append(live)
                    continue
            done(live)

    with anyio.move_on_after((CONFIRM_BOUND if confirm else LEAVE_BOUND) + PER_RUN * len(lives)):
        async with anyio.create_task_group() as workers:
            for _ in range(min(WORKERS, len(lives))):
                workers.start_soon(worker)
        if confirm:
            await anyio.sleep_forever()
