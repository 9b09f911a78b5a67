"""Names in the API's letters. It knows no names."""

from __future__ import annotations


def camel(name: str) -> str:
    """`started_at` as the API writes it: `startedAt`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
