"""Instants as the API writes and reads them: seconds since 1970 as floats, whole milliseconds, text in RFC 3339; it reads no clock.

A state module that floors every instant to milliseconds can compare it with what a client sends back: `startedAfter` with the text of
a `startedAt` includes that run, because both are the same float.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DURATION: Final = re.compile(r"P(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?", re.ASCII)
_FRAMES: Final = {
    "LAST_HOUR": 3600.0,
    "LAST_DAY": 86400.0,
    "LAST_24_HOURS": 86400.0,
    "LAST_WEEK": 7 * 86400.0,
    "LAST_7_DAYS": 7 * 86400.0,
    "LAST_MONTH": 30 * 86400.0,
    "LAST_30_DAYS": 30 * 86400.0,
}


def floored(seconds: float) -> float:
    """The instant cut to whole milliseconds, which is all that the API's text holds."""
    return math.floor(seconds * 1000) / 1000


def nearest(seconds: float) -> float:
    """The instant rounded to whole milliseconds, for a sum of instants and lengths that are whole already."""
    return round(seconds * 1000) / 1000


def timestamp(seconds: float) -> str:
    """`2023-11-24T10:47:46.944Z`, as the guides print it."""
    return (_EPOCH + timedelta(milliseconds=round(seconds * 1000))).isoformat(timespec="milliseconds")[:-6] + "Z"


def parsed_timestamp(text: str) -> float | None:
    """The instant that an RFC 3339 date-time names, or None. A text without an offset names none."""
    if not _RFC3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        return None


def http_date(seconds: float) -> str:
    """The instant as a `Date` header, cut to whole seconds."""
    return formatdate(math.floor(seconds), usegmt=True)


def time_frame(text: str) -> float | None:
    """How many seconds a `timeFrame` looks back, or None when it is neither of the two kinds below.

    No source states the format. Accepted: an ISO 8601 duration of days or less (`PT1H`, `P7D`) and words such as `LAST_HOUR`.
    """
    word = _FRAMES.get(text.upper())
    if word is not None:
        return word
    match = _DURATION.fullmatch(text.upper())
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(days * 86400 + hours * 3600 + minutes * 60 + seconds)
