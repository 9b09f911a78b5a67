"""CPU time of the client per typed read, against bare aiohttp and `json.loads`: one after the other, the server in another process.

Both contenders run in this process, so neither pays for the server and both pay for the same event loop. The bare one stops at plain
dictionaries; ours goes on to checked values, with the governor, retries, error mapping and bounds that a reader of the table gets for it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median
from typing import Any

import aiohttp
from rounds import interleaved, ratios
from server import TOKEN, Server
from table import Row, Target

from maia_async import Maia, StaticToken

Read = Callable[[], Awaitable[object]]


async def measure(rounds: int, reads: int, loads: Callable[[bytes], Any]) -> list[Row]:
    """Rows for one execution's details and for list pages of 25 and 100 rows; `loads` is the bare contender's parser.

    Many short rounds, not few long ones: the speed of a shared machine changes within seconds, and a ratio is of neighbours.
    """
    with Server() as server:
        ids = server.add_executions(100, seconds=1e6)
        async with (
            Maia(auth=StaticToken(TOKEN), base_url=server.base_url, project_id=server.project_id, rate_limit=None) as maia,
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}) as http,
        ):
            execution = maia.project().execution(ids[0])
            details_url = f"{server.base_url}/v1/projects/{server.project_id}/pipeline-executions/{ids[0]}"
            list_url = f"{server.base_url}/v1/pipeline-executions"
            rows = [await _row("details of one execution", execution.details, _get(http, details_url, loads), rounds, reads)]
            for size in (25, 100):
                ours = partial(_first_page, maia, size)
                bare = _get(http, f"{list_url}?limit={size}", loads)
                rows.append(await _row(f"list page of {size} rows", ours, bare, rounds, max(1, reads // 2)))
            return rows


async def _first_page(maia: Maia, size: int) -> object:
    return await maia.executions.list(page_size=size)


def _get(http: aiohttp.ClientSession, url: str, loads: Callable[[bytes], Any]) -> Read:
    async def get() -> object:
        async with http.get(url) as response:
            response.raise_for_status()
            return loads(await response.read())

    return get


async def _row(what: str, ours: Read, bare: Read, rounds: int, reads: int) -> Row:
    async def spent(read: Read) -> float:
        begun = time.process_time()
        for _ in range(reads):
            await read()
        return (time.process_time() - begun) / reads * 1e6

    mine, theirs = await interleaved([partial(spent, ours), partial(spent, bare)], rounds)
    ratio, spread = ratios(mine, theirs)
    return Row(
        part="cpu",
        what=what,
        control_is="aiohttp + json",
        unit="us",
        ours=median(mine),
        control=median(theirs),
        ratio=ratio,
        spread=spread,
        requests=(reads, reads),
        target=Target("ratio", "<=", 1.3),
    )
