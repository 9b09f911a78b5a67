"""The one reader of the wall clock (events, records); control flow never reads it, it uses the event loop's clock."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time of day, aware, in UTC."""
    return datetime.now(UTC)
