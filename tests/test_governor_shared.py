"""An account of 1000 a minute, saturated demand, latency 50 to 300 ms: one client alone, and two that know nothing of each other."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections import deque
from itertools import pairwise
from random import Random

import anyio
import pytest
from attrs import define, field

from maia_async.governor import Governor, Lane
from maia_async.policies import RateLimit

pytestmark = pytest.mark.long

MINUTES = 15


@define
class Account:
    """The server's rule: 1000 arrivals in any 60 s, refused ones not counted; Retry-After says when the next slot is free, rounded up."""

    window: deque[float] = field(factory=deque)

    def arrive(self, now: float) -> int | None:
        while self.window and self.window[0] <= now - 60:
            self.window.popleft()
        if len(self.window) < 1000:
            self.window.append(now)
            return None
        return max(1, math.ceil(self.window[0] + 60 - now))


@define
class Client:
    """150 workers that ask again as soon as they are answered."""

    account: Account
    random: Random
    start: float = 0.0
    governor: Governor = field(init=False)
    accepted: list[float] = field(factory=list)
    refused: list[float] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.governor = Governor(RateLimit(), random=self.random.random)

    async def run(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        await anyio.sleep(self.start)

        async def work(lane: Lane) -> None:
            while loop.time() < end:
                slot = await self.governor.acquire(lane, ride_out=True)
                await anyio.sleep(self.random.uniform(0.025, 0.15))
                retry_after = self.account.arrive(loop.time())
                (self.accepted if retry_after is None else self.refused).append(loop.time())
                await anyio.sleep(self.random.uniform(0.025, 0.15))
                if retry_after is None:
                    slot.answered()
                else:
                    slot.refused(retry_after)

        async with asyncio.TaskGroup() as group:
            for lane in [Lane.TRIGGER, Lane.READ, Lane.POLL] * 50:
                group.create_task(work(lane))

    def share(self, since: float, until: float) -> float:
        return (bisect_right(self.accepted, until) - bisect_right(self.accepted, since)) / ((until - since) / 60 * 1000)


async def share_an_account(*starts: float, seed: int) -> list[Client]:
    account = Account()
    clients = [Client(account, Random(100 * seed + number), start) for number, start in enumerate(starts)]
    async with anyio.create_task_group() as group:
        for client in clients:
            group.start_soon(client.run, 60.0 * MINUTES)
    return clients


async def test_a_client_alone_is_never_refused_and_uses_its_part_evenly() -> None:
    [client] = await share_an_account(0, seed=1)
    assert client.refused == []
    assert client.share(0, 60.0 * MINUTES) > 0.94
    assert max(b - a for a, b in pairwise(client.accepted) if b > 70) < 0.5


@pytest.mark.parametrize(("starts", "seed"), [((0, 0), 0), ((0, 150), 1)], ids=["together", "one later"])
async def test_two_clients_get_their_parts_and_are_hardly_refused(starts: tuple[float, float], seed: int) -> None:
    clients = await share_an_account(*starts, seed=seed)
    assert all(client.share(300, 60.0 * MINUTES) >= 0.35 for client in clients)
    assert all(len(client.refused) < 0.01 * len(client.accepted) for client in clients)
    assert sum(client.share(300, 60.0 * MINUTES) for client in clients) > 0.85
