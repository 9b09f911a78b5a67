"""A snapshot of what a client has done so far, as one frozen value, and how its quantiles are meant. It measures nothing itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from attrs import frozen


@frozen(kw_only=True)
class Statistics:
    """Since the client was made.

    requests: attempts sent, tokens included. outcomes: attempts by status ("200") or error name ("Disconnected"). rate_limited: answers
    with 429. throttled_seconds: time that requests waited for the budget, summed. paused_seconds: time under an ordered pause.
    budget: requests per window now allowed, or None without a limit. budget_in_use: slots of it taken now. in_flight: requests out now.
    waits: things awaited now. looks: reads of one thing by the watcher. sweeps: rounds in which it read lists instead, with `list_pages`
    requests and `list_rows` rows. triggers_in_doubt: requests whose POST got no usable answer; triggers_adopted: those of them whose run
    was found in the list; triggers_sent_again: POSTs made once more; triggers_unknown: requests whose fate was not found out.
    retries: tries of a request after its first, after a failure or a 429. held_back: those, and first ones, that were not sent because
    nothing answered. detection_lag: seconds from the API's own `finishedAt` to our sight of the last thousand ends, median and 99th
    percentile; both clocks tell whole seconds. None before the first end.
    """

    requests: int
    outcomes: Mapping[str, int]
    rate_limited: int
    throttled_seconds: float
    paused_seconds: float
    budget: float | None
    budget_in_use: int
    in_flight: int
    waits: int
    looks: int
    sweeps: int
    list_pages: int = 0
    list_rows: int = 0
    triggers_in_doubt: int = 0
    triggers_adopted: int = 0
    triggers_sent_again: int = 0
    triggers_unknown: int = 0
    retries: int = 0
    held_back: int = 0
    detection_lag: tuple[float, float] | None = None


def quantile(ascending: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all are not above; None of nothing."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)] if ascending else None
