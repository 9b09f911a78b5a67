"""What a batch's journal costs: the same batch with one and without, in turns, under the API's rate limit and without any.

5,000 runs that end at once, over 50 pipelines, given in two orders: one of each pipeline in turn, and all of a pipeline one after the
other, which makes most of them wait for their lane. Under the limit an answer takes 0.2 s and API time runs five times as fast, so that
five minutes take one. The disk does not: its commits count five times there, and what is shown is an upper bound.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, Literal

from attrs import evolve, frozen
from rounds import interleaved, ratios
from server import ENVIRONMENT, TOKEN, Server
from table import Row, Target

from maia_async import ExecutionRequest, Maia, PollPolicy, RateLimit, RetryPolicy, StaticToken, TriggerPolicy, run_batch

WHOLE: Final = 5000
PIPELINES: Final = 50
MAX_RUNNING: Final = 50
SPEED: Final = 5.0
Order = Literal["in turn", "grouped"]
ORDERS: Final[tuple[Order, ...]] = ("in turn", "grouped")


@frozen
class Run:
    """One batch. seconds: of the API's time. size: bytes of the journal when it was closed."""

    seconds: float
    requests: int
    size: int = 0


async def measure(rounds: int, count: int) -> list[Row]:
    """Rows for both orders under the limit and without, and for the size of the journal."""
    found = []
    for limited in (True, False):
        for order in ORDERS:
            found += await _compared(rounds, count, order, limited=limited)
    return found


async def _compared(rounds: int, count: int, order: Order, *, limited: bool) -> list[Row]:
    speed = SPEED if limited else 1.0
    with tempfile.TemporaryDirectory() as folder:

        def contender(path: Path | None) -> Callable[[], Awaitable[Run]]:
            return partial(_batch, count, order, speed, path, limited=limited)

        pair = [contender(Path(folder) / "journal.db"), contender(None)]
        if limited:  # one round: the limit is what takes the time, and it takes the same each time
            ours, bare = [await pair[0]()], [await pair[1]()]
        else:
            ours, bare = await interleaved(pair, rounds)
    ratio, spread = ratios([run.seconds for run in ours], [run.seconds for run in bare])
    where = "under the rate limit" if limited else "without a limit"
    row = partial(Row, part="journal", control_is="the same without a journal")
    rows = [
        row(
            what=f"batch of {count:,} over {PIPELINES} pipelines, {order}, {where}",
            unit="s",
            ours=median(run.seconds for run in ours),
            control=median(run.seconds for run in bare),
            ratio=ratio,
            spread=spread if len(ours) > 1 else None,
            requests=(int(median(run.requests for run in ours)), int(median(run.requests for run in bare))),
            target=Target("ratio", "<=", 1.05) if limited and count >= WHOLE else None,  # a few are over before the limit counts
        )
    ]
    if not limited and order == "in turn":
        rows.append(row(what="size of the journal for each request", unit="B", ours=ours[-1].size / count))
    return rows


async def _batch(count: int, order: Order, speed: float, path: Path | None, *, limited: bool) -> Run:
    if path is not None:
        _remove(path)
    limit, poll, retry = RateLimit(), PollPolicy(), RetryPolicy()
    # A server for each: a list that grows from round to round would make the later ones slower.
    with Server(pipelines=PIPELINES, limited=limited, latency=0.2 if limited else 0.0, speed=speed) as server:
        async with Maia(
            auth=StaticToken(TOKEN),
            base_url=server.base_url,
            project_id=server.project_id,
            rate_limit=evolve(limit, per=limit.per / speed, max_pause=limit.max_pause / speed) if limited else None,
            poll=evolve(poll, min_interval=poll.min_interval / speed, max_interval=poll.max_interval / speed),
            retry=evolve(retry, base=retry.base / speed, cap=retry.cap / speed),
            trigger=TriggerPolicy(settle=TriggerPolicy().settle / speed),
        ) as maia:
            begun = time.perf_counter()
            report = await run_batch(maia.project(), _requests(count, order), max_running=MAX_RUNNING, journal=path)
            seconds = (time.perf_counter() - begun) * speed
        if not report.succeeded:
            raise RuntimeError(f"not every run succeeded: {report.to_json(outcomes=False)}")
        return Run(seconds, server.requests(), 0 if path is None else _size(path))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size


def _requests(count: int, order: Order) -> list[ExecutionRequest]:
    each = -(-count // PIPELINES)
    return [
        ExecutionRequest(
            pipeline_name=Server.pipeline(number % PIPELINES if order == "in turn" else number // each),
            environment_name=ENVIRONMENT,
            scalar_variables={"number": str(number)},
        )
        for number in range(count)
    ]
