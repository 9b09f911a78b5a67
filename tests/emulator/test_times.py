from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.emulator.times import floored, http_date, parsed_timestamp, time_frame, timestamp


def test_an_instant_reads_as_the_guides_print_it() -> None:
    assert timestamp(1700822866.944) == "2023-11-24T10:47:46.944Z"
    assert http_date(1700822866.944) == "Fri, 24 Nov 2023 10:47:46 GMT"


@given(st.floats(0, 4e9))
def test_a_floored_instant_survives_its_text_exactly(seconds: float) -> None:
    assert parsed_timestamp(timestamp(floored(seconds))) == floored(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01t00:00:01.5z", 1.5),
        ("1970-01-01T01:00:01+01:00", 1.0),
        ("1970-01-01T00:00:01", None),
        ("1970-01-01 00:00:01Z", None),
        ("1970-13-01T00:00:01Z", None),
        ("19700101T000001Z", None),
        ("", None),
    ],
)
def test_only_rfc_3339_with_an_offset_is_an_instant(text: str, seconds: float | None) -> None:
    assert parsed_timestamp(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1H", 3600.0),
        ("P1DT2H3M4S", 93784.0),
        ("pt15m", 900.0),
        ("LAST_HOUR", 3600.0),
        ("last_7_days", 604800.0),
        ("P", None),
        ("PT", None),
        ("P1Y", None),
        ("1h", None),
        ("LAST_CENTURY", None),
    ],
)
def test_a_time_frame_is_a_duration_or_a_word(text: str, seconds: float | None) -> None:
    assert time_frame(text) == seconds
