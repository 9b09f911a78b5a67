"""What a client sends into a total outage, and how it comes back: attempts a minute before, during and after, in virtual time.

`tests/outage_load.py` is the load, a steady one, so that there is a normal rate: a batch that keeps 40 runs going, waits for 300 runs, 100
supervised streams, and 100 tasks that call every 20 to 40 s and shrug errors off; 20 to 200 ms each way. In the outage everything is
answered with 503, connections are refused, nothing is answered until the client's timeout, or the token endpoint answers 503 and the token
ends within 90 s. The control is the same load through a client whose breaker never opens, which is what the package was before it had one.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from functools import partial
from pathlib import Path
from typing import Final

from table import Row, Target

# As in streams.py: the load and its loop belong to the tests, which are no package.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from outage_load import OUTAGES, Lived, Steady, live
from virtual_time import VirtualLoop

WHOLE: Final = Steady()
QUICK: Final = Steady(running=10, waits=60, streams=20, callers=40)
BEFORE, OUTAGE, AFTER = 10, 5, 5  # minutes
NORMAL: Final = 5  # of those before: until then a fleet is joined, and its normal rate not found
NAMES: Final = {"503": "all answers 503", "refused": "connections refused", "silence": "silence", "token": "token endpoint down"}
# Silence is noticed when the requests that are out have timed out, and a token lasts 90 s.
TRICKLE_FROM: Final = {"503": 2, "refused": 2, "silence": 3, "token": 3}
TRICKLE: Final = 0.05
STAMPEDE: Final = 1.2
FIRST: Final = 60.0  # seconds after the outage in which the busiest minute may begin


def measure(*, quick: bool) -> list[Row]:
    """Rows for the four outages. The quick ones are a fifth of the load, without the control."""
    # That nothing answers is what this is about, and no news here.
    logging.getLogger("maia_async").setLevel(logging.ERROR)
    random.seed(0)  # the package's own jitter
    load = QUICK if quick else WHOLE
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        rows: list[Row] = []
        for outage in OUTAGES:
            play = partial(live, load, outage, before=BEFORE, minutes=OUTAGE, after=AFTER)
            control = None if quick else runner.run(play(breaker=False))
            rows += _rows(outage, runner.run(play()), control)
    return rows


def _rows(outage: str, ours: Lived, control: Lived | None) -> list[Row]:
    row = partial(Row, part="outage", control_is="the same without a breaker", unit="/min")
    name, normal, first = NAMES[outage], ours.normal(NORMAL), TRICKLE_FROM[outage]
    minutes = ours.by_minute()
    then = [None] * OUTAGE if control is None else control.by_minute()
    rows = [row(what=f"{name}: normal", ours=normal, control=None if control is None else control.normal(NORMAL))]
    rows += [
        row(what=f"{name}: minute {number}", ours=count, control=other, ratio=count / normal, target=_trickle(number >= first))
        for number, (count, other) in enumerate(zip(minutes, then, strict=True), 1)
    ]
    busiest = ours.busiest(FIRST)
    rows += [
        row(what=f"{name}: first minute after", ours=ours.minute(ours.ends), ratio=ours.minute(ours.ends) / normal),
        row(
            what=f"{name}: busiest minute that begins in that one",
            ours=busiest,
            control=None if control is None else control.busiest(FIRST),
            ratio=busiest / normal,
            target=Target("ratio", "<=", STAMPEDE),
        ),
    ]
    return rows


def _trickle(counts: bool) -> Target | None:
    return Target("ratio", "<=", TRICKLE) if counts else None
