"""The promise to the server, under any pattern of requests, latencies, failures and 429s that hypothesis finds; in virtual time."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable

import anyio
from attrs import define, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualLoop

from maia_async.governor import Governor, Lane
from maia_async.policies import RateLimit

GENERAL = [Lane.TRIGGER, Lane.READ, Lane.POLL]


@frozen
class Job:
    """One request: when it is asked for, how long it travels each way, and how it ends."""

    at: float
    lane: Lane
    there: float
    back: float
    fate: str
    retry_after: float | None = None


@define
class Server:
    """What arrived, and when: the only thing that the account counts."""

    arrivals: list[tuple[float, Lane]] = field(factory=list)

    def peak(self, span: float, lanes: list[Lane]) -> int:
        """The most arrivals in any closed window of `span`."""
        times = sorted(time for time, lane in self.arrivals if lane in lanes)
        return max((bisect_right(times, time + span) - index for index, time in enumerate(times)), default=0)


async def carry_out(it: Governor, job: Job, server: Server, per: float, granted: list[tuple[Job, float]]) -> None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(per / 4 if job.fate == "impatient" else None):
            slot = await it.acquire(job.lane, ride_out=True)
    except TimeoutError:
        return
    granted.append((job, slot.granted_at))
    if job.fate == "unused":
        slot.unused()
        return
    if job.fate == "lost":
        # We stop waiting before the request has arrived: it is on its way for up to a twelfth of the window.
        loop.call_at(loop.time() + job.there + min(job.back, per / 12) * 0.999, lambda: server.arrivals.append((loop.time(), job.lane)))
        await anyio.sleep(job.there)
        slot.unanswered()
        return
    await anyio.sleep(job.there)
    server.arrivals.append((loop.time(), job.lane))
    await anyio.sleep(job.back)
    if job.fate == "refused":
        slot.refused(job.retry_after)
    else:
        slot.answered()


def in_virtual_time(run: Callable[[], Awaitable[None]]) -> None:
    """Hypothesis drives a plain function; each example gets a loop of its own."""

    async def main() -> None:
        await run()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


@st.composite
def patterns(draw: st.DrawFn) -> tuple[RateLimit, int, list[Job]]:
    per = draw(st.sampled_from([0.5, 6.0, 60.0]))
    requests = draw(st.sampled_from([1, 2, 3, 7, 10, 25, 40]))
    seconds = st.sampled_from([0.0, per / 200, per / 10]) | st.floats(0, per / 4).map(lambda value: round(value, 4))
    fates = draw(st.sampled_from([["answered"] * 6 + ["lost", "unused", "refused", "impatient"], ["lost", "answered"]]))
    jobs = st.builds(
        Job,
        # Few distinct moments, so that many ask at once.
        at=st.integers(0, 16).map(lambda eighth: eighth * per / 8),
        lane=st.sampled_from(Lane),
        there=seconds,
        back=seconds,
        fate=st.sampled_from(fates),
        retry_after=st.one_of(st.none(), st.floats(0, per)),
    )
    return RateLimit(requests=requests, per=per, max_pause=2 * per), draw(st.sampled_from([2, 100])), draw(st.lists(jobs, max_size=70))


@settings(max_examples=60)
@given(patterns(), st.floats(0, 1))
def test_arrivals_never_exceed_the_limit_and_everything_is_served_in_order(
    pattern: tuple[RateLimit, int, list[Job]], jitter: float
) -> None:
    limit, max_in_flight, jobs = pattern
    server = Server()
    granted: list[tuple[Job, float]] = []

    async def run() -> None:
        it = Governor(limit, max_in_flight=max_in_flight, random=lambda: jitter)
        async with asyncio.TaskGroup() as group:
            for job in sorted(jobs, key=lambda job: job.at):  # stable: the order of asking
                await anyio.sleep(max(0.0, job.at - asyncio.get_running_loop().time()))
                group.create_task(carry_out(it, job, server, limit.per, granted))
                await anyio.lowlevel.checkpoint()
        assert (it.in_flight, it.queued, it._timer) == (0, 0, None)
        await anyio.sleep(limit.per * 1.5)
        assert it.in_use() == 0

    in_virtual_time(run)
    served = [job for job in jobs if job.fate != "impatient"]
    assert len([job for job, _ in granted if job.fate != "impatient"]) == len(served)
    assert server.peak(limit.per, list(Lane)) <= limit.requests
    assert server.peak(limit.per / 6, GENERAL) <= max(1, limit.requests // 5)
    asked = {id(job): number for number, job in enumerate(sorted(jobs, key=lambda job: job.at))}
    for lane in Lane:
        moments = [at for job, at in sorted(granted, key=lambda pair: asked[id(pair[0])]) if job.lane is lane]
        assert moments == sorted(moments)
