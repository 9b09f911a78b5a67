"""When to look next: pure functions of age, load and failures. They read no clock and send nothing.

Interval until the next look at something that has not ended, in seconds:

    interval = max(min_interval, load, min(max_interval, AGE_SHARE * age))

    age     since it was started or first watched: a tenth of it, so a run of 20 s is noticed within 2 s and one of an hour within 30 s
    load    watched things / reads a second that the budget leaves for them: this may exceed max_interval, which is better than a 429

First look: at once, except at a run that we started ourselves under a rate limit: it has hardly begun, so that look waits min_interval.
Without a rate limit reads cost nothing and the first look is at once, too.

After a failed look: min_interval, 2 min_interval, 4 min_interval … up to max_interval, each with up to half of it taken off at random,
so that a thousand runs that failed together do not come back together.
"""

from __future__ import annotations

import math
from typing import Final

from maia_async.policies import PollPolicy

AGE_SHARE: Final = 0.1


def interval(policy: PollPolicy, *, age: float, watched: int, rate: float) -> float:
    """Seconds until the next look; `rate` is how many reads a second the budget leaves for polls (may be infinite)."""
    load = watched / rate if rate > 0 else math.inf
    return max(policy.min_interval, min(load, 3600.0), min(policy.max_interval, AGE_SHARE * age))


def first_look(policy: PollPolicy, *, just_triggered: bool, rate: float) -> float:
    """Seconds until the first look."""
    return policy.min_interval if just_triggered and not math.isinf(rate) else 0.0


def after_failure(policy: PollPolicy, *, failures: int, jitter: float) -> float:
    """Seconds until the next look after `failures` (1 or more) failed ones in a row; `jitter` is uniform in 0 to 1."""
    step = min(policy.max_interval, policy.min_interval * 2.0 ** min(failures - 1, 30))
    return step * (1 - jitter / 2)
