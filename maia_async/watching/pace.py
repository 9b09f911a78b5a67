"""When to look next: pure functions of age, load and failures. They read no clock and send nothing.

Interval until the next look at a run that has not ended, in seconds:

    run_interval = max(min_interval, load, min(max_interval, AGE_SHARE * age))

    age     since it was started or first watched: a tenth of it, so a run of 20 s is noticed within 2 s and one of an hour within 30 s
    load    watched things / reads a second that the budget leaves for them: this may exceed max_interval, which is better than a 429

Interval until the next look at a stream, which has no end:

    age since the last command    interval
    under a minute                max(STREAM_BUSY, load)
    later                         max(STREAM_CALM, load, streams / STREAM_RATE)

    STREAM_RATE is what streams may take of the budget in calm times: 500 of them are read every 111 s with 270 requests a minute, 20 of
    them every 15 s with 80. A drop is noticed half an interval later at the median.

    The share streams / STREAM_RATE is stretched or shortened by up to STREAM_SPREAD at random: hundreds that were joined together would be
    read in pulses for ever. A few need no spreading, so their times stay exact.

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
LONGEST_LOAD: Final = 3600.0
STREAM_FRESH: Final = 60.0
STREAM_BUSY: Final = 3.0
STREAM_CALM: Final = 15.0
STREAM_RATE: Final = 4.5
STREAM_SPREAD: Final = 0.1


def scale_of(policy: PollPolicy) -> float:
    """By what all times stretch that are written for the default policy: a client of a faster or slower clock scales its `min_interval`."""
    return policy.min_interval / PollPolicy().min_interval


def run_interval(policy: PollPolicy, *, age: float, load: float) -> float:
    """Seconds until the next look at a run."""
    return max(policy.min_interval, load, min(policy.max_interval, AGE_SHARE * age))


def stream_interval(policy: PollPolicy, *, age: float, load: float, streams: int, jitter: float = 0.5) -> float:
    """Seconds until the next look at a stream; its times stretch with `min_interval`, so that a scaled policy scales them.

    `jitter` is uniform in 0 to 1.
    """
    scale = scale_of(policy)
    if age < STREAM_FRESH * scale:
        return max(policy.min_interval, load, STREAM_BUSY * scale)
    share = streams * scale / STREAM_RATE * (1 + STREAM_SPREAD * (2 * jitter - 1))
    return max(policy.min_interval, load, STREAM_CALM * scale, share)


def load_of(watched: float, rate: float) -> float:
    """Seconds in which the budget allows one look at each of `watched` things; `rate` is looks a second, and may be infinite."""
    return min(watched / rate, LONGEST_LOAD) if rate > 0 else LONGEST_LOAD


def first_look(policy: PollPolicy, *, just_triggered: bool, rate: float) -> float:
    """Seconds until the first look."""
    return policy.min_interval if just_triggered and not math.isinf(rate) else 0.0


def after_failure(policy: PollPolicy, *, failures: int, jitter: float) -> float:
    """Seconds until the next look after `failures` (1 or more) failed ones in a row; `jitter` is uniform in 0 to 1."""
    step = min(policy.max_interval, policy.min_interval * 2.0 ** min(failures - 1, 30))
    return step * (1 - jitter / 2)
