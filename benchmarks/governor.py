"""Everything under one budget at full size: no 429 alone, fair parts beside a second client, cancels at once, streams and waits served.

`tests/mixed_load.py` is the load, with real clients against the emulator, whose budget is 1000 requests in any 60 s; 50 to 300 ms each
way, at random. Each client starts 5,000 runs and awaits them, awaits 5,000 that others have started, and supervises 300 streams, of which
one drops every 20 s; it cancels a run every 5 s, and its token lasts 5 minutes. The clock jumps from timer to timer, so nothing here
depends on the machine. There is no control: what is promised is the server's count.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import Final

from table import Row, Target

# As in streams.py: the load and its loop belong to the tests, which are no package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from mixed_load import Load, Played, Result, at_percent, play
from virtual_time import VirtualLoop

WHOLE: Final = Load(starts=5000, others=5000, streams=300)
QUICK: Final = Load(starts=1000, others=1000, streams=60)
LIMIT: Final = 1000
FIFTH_MINUTE: Final = 300.0


def measure(*, quick: bool) -> list[Row]:
    """Rows for one client alone, and for two on one account. The quick ones are a fifth of it, on a fifth of the budget."""
    load, limit = (QUICK, LIMIT // 5) if quick else (WHOLE, LIMIT)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        alone = runner.run(play(load, requests=limit))
        two = runner.run(play(load, load, requests=limit))
    return [*_alone(alone, limit), *_served("alone", alone.clients), *_two(two), *_served("two clients", two.clients)]


_row = partial(Row, part="governor", control_is="none")


def _alone(result: Result, limit: int) -> list[Row]:
    [client] = result.clients
    return [
        _row(what="alone: requests", unit="", ours=len(client.requests)),
        _row(what="alone: most arrivals in any 60 s", unit="", ours=result.peak, target=Target("ours", "<=", limit)),
        _row(what="alone: answers 429", unit="", ours=client.refused(), target=Target("ours", "<=", 0)),
    ]


def _two(result: Result) -> list[Row]:
    until = min(client.started for client in result.clients)  # as long as both want more than there is
    parts = [client.accepted(FIFTH_MINUTE, until) for client in result.clients]
    refused = max(client.refused() / len(client.requests) for client in result.clients)
    return [
        _row(
            what=f"two clients: the smaller part of what was accepted from minute 5 to {until / 60:.0f}",
            unit="%",
            ours=100 * min(parts) / max(1, sum(parts)),
            target=Target("ours", ">=", 35),
        ),
        _row(what="two clients: answers 429, of the one that has more", unit="%", ours=100 * refused, target=Target("ours", "<=", 1)),
    ]


def _served(scene: str, clients: tuple[Played, ...]) -> list[Row]:
    cancels = [wait for client in clients for wait in client.cancels]
    lags = [lag for client in clients for lag in client.lags]
    gaps = [gap for client in clients for gap in client.gaps()]
    what = f"{scene}: a cancel leaves, longest of {len(cancels)} (fewer than 40 in the minute before, no pause)"
    return [
        _row(what=what, unit="s", ours=max(cancels), target=Target("ours", "<=", 2)),
        _row(what=f"{scene}: end of a run to end of its wait, median of {len(lags):,}", unit="s", ours=at_percent(lags, 50)),
        _row(what=f"{scene}: the same, p99", unit="s", ours=at_percent(lags, 99)),
        _row(what=f"{scene}: the same, longest", unit="s", ours=max(lags)),
        _row(what=f"{scene}: between two reads of one stream, p99", unit="s", ours=at_percent(gaps, 99)),
        _row(what=f"{scene}: the same, longest", unit="s", ours=max(gaps)),
    ]
