"""The one place that uses `backoff`: its wait generators and its jitter, as plain waits. It neither sleeps nor retries.

Not its decorators: they call an asyncio function that is deprecated in Python 3.14, `max_time` reads the wall clock, and `runtime` with the
default jitter waits less than Retry-After.
"""

from __future__ import annotations

from collections.abc import Iterator

import backoff


def jittered(base: float, cap: float) -> Iterator[float]:
    """Endless waits in seconds: uniform between 0 and base, 2 base, 4 base … up to `cap` (full jitter)."""
    for wait in steps(base, cap):
        yield backoff.full_jitter(wait)


def steps(base: float, cap: float) -> Iterator[float]:
    """Endless waits in seconds without jitter: base, 2 base, 4 base … up to `cap`."""
    waits = backoff.expo(base=2, factor=base, max_value=cap)
    next(waits)  # its first value primes the generator and is no wait
    yield from waits
