"""Reads `Retry-After`: seconds, or any of the three HTTP date forms; it never waits and never reads a clock.

The API overview names the header and not its unit. A date counts from the reply's own `Date`, since our clock may differ from the server's;
without one it cannot be used.

    value                          seconds
    "30"                           30
    "0.5"                          0.5     a decimal: not in RFC 9110, sent by some gateways and by a scaled emulator
    a date after the reply's Date  the difference
    a date before it               0
    more than a day                a day
    "-1", "+1", "²", "soon", ""    None    as if it were not there
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

LONGEST: Final = 86400.0  # whoever says more means "not today"; a wait of years could only be ended by a restart
_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def parse_retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds to wait as the header `value` says, with `date` the reply's `Date` header; None when it says nothing usable."""
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), LONGEST)
    until, sent = parse_http_date(value), parse_http_date(date)
    if until is None or sent is None:
        return None
    return min(max(0.0, (until - sent).total_seconds()), LONGEST)


def parse_http_date(value: str | None) -> datetime | None:
    """An HTTP date as an aware datetime, or None when it is none."""
    if not value or not value[0].isalpha():
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@lru_cache(maxsize=16)
def http_date(value: str) -> datetime | None:
    """`parse_http_date`, remembered: every answer of a second carries the same text, and parsing it costs as much as sending a request."""
    return parse_http_date(value)
