"""`Retry-After`: each row of the module's table, the three date forms, and anything else."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.wire.retry_after import parse_http_date, parse_retry_after

SENT = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Sun, 06 Nov 1994 08:50:07 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:00 GMT"


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("30", None, 30.0),
        ("30", SENT, 30.0),
        ("0", None, 0.0),
        (" 7 ", None, 7.0),
        ("007", None, 7.0),
        ("0.5", None, 0.5),
        ("999999999", None, 86_400.0),
        (LATER, SENT, 30.0),
        (SENT, SENT, 0.0),
        (EARLIER, SENT, 0.0),
        ("Sunday, 06-Nov-94 08:50:07 GMT", SENT, 30.0),
        ("Sun Nov  6 08:50:07 1994", SENT, 30.0),
        (LATER, "Sunday, 06-Nov-94 08:49:37 GMT", 30.0),
        (LATER, None, None),
        (LATER, "yesterday", None),
        (None, SENT, None),
        ("-1", SENT, None),
        ("+1", SENT, None),
        ("²", SENT, None),
        ("٣", SENT, None),
        ("1e3", SENT, None),
        ("1.", SENT, None),
        (".5", SENT, None),
        ("30s", SENT, None),
        ("30, 30", SENT, None),
        ("1234567890", SENT, None),
        ("inf", SENT, None),
        ("nan", SENT, None),
        ("soon", SENT, None),
        ("Sun, 32 Nov 1994 08:50:07 GMT", SENT, None),
        ("Sun, 06 Nov 1994 08:50:07 +9999", SENT, None),
        ("", SENT, None),
        ("   ", SENT, None),
    ],
)
def test_each_row_of_the_table(value: str | None, date: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, date) == seconds


def test_a_date_without_a_zone_is_utc() -> None:
    assert parse_http_date("Sun Nov  6 08:49:37 1994") == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


NEARLY_A_DATE = st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,5} [0-9:]{1,9} [A-Z+0-9-]{0,6}")
HEADER = st.none() | st.text() | NEARLY_A_DATE | st.just(SENT)


@given(HEADER, HEADER)
def test_no_header_whatever_raises_or_gives_a_wait_that_is_no_wait(value: str | None, date: str | None) -> None:
    seconds = parse_retry_after(value, date)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)), st.integers(0, 10**6))  # noqa: DTZ001 - made UTC in the texts
def test_a_date_says_the_difference_to_the_replys_own_date(sent: datetime, seconds: int) -> None:
    def http(moment: float) -> str:
        return datetime.fromtimestamp(moment, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")

    start = sent.replace(microsecond=0, tzinfo=UTC).timestamp()
    assert parse_retry_after(http(start + seconds), http(start)) == min(seconds, 86_400)
