"""A total outage, whole clients in it: traffic falls to a trickle, comes back without a stampede, and nothing is lost by it.

`outage_load.py` is the load. `benchmarks/run.py --only outage` plays five times as much of it, longer.
"""

from __future__ import annotations

import pytest
from outage_load import OUTAGES, Steady, live

LOAD = Steady(running=10, waits=40, streams=10, callers=40)


@pytest.mark.parametrize("outage", [pytest.param(each, marks=[] if each == "silence" else pytest.mark.long) for each in OUTAGES])
async def test_in_an_outage_a_client_sends_a_trickle_and_comes_back_as_it_was(outage: str) -> None:
    lived = await live(LOAD, outage, before=6, minutes=4, after=3)
    normal = lived.normal(3)
    assert normal > 100
    assert max(lived.by_minute()[2:]) <= 9  # a probe every 7.5 to 15 s
    assert lived.busiest(60) <= 1.2 * normal
    assert lived.minute(lived.ends + 60) >= 0.7 * normal  # and it does come back
    assert lived.ended_waits == 0
    assert set(lived.states) <= {"SUCCESS", "UNKNOWN"}
    assert lived.states.get("UNKNOWN", 0) <= 10  # triggers that were out when it began
    assert lived.held_back > 0
