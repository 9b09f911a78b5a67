"""Pagination tokens of the list of executions: opaque outside, a place in the list inside; pure.

| `page_tokens` | a token holds                     | when rows come or go between two pages                              |
| ------------- | --------------------------------- | ------------------------------------------------------------------- |
| "position"    | start and sequence of the last row | nothing repeats and nothing is missed                              |
| "offset"      | how many rows were passed         | new rows push: some come twice; rows that leave pull: some are missed |

A token holds the number of its page as well, so that a fault can be tied to one page of a chain. Both kinds are good under both readings:
a chain that was begun is carried on.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from attrs import frozen

from maia_async.emulator.executions import Run
from maia_async.emulator.listfaults import ListFaults
from maia_async.emulator.listing import Position

_TEXT: Final = re.compile(r"(?:p(\d{1,15})\.(\d{1,12})|o(\d{1,12}))\.(\d{1,9})", re.ASCII)


@frozen(kw_only=True)
class Place:
    """Where a page begins: after the row at `before`, or after `offset` rows. `page` counts from 1."""

    page: int = 1
    before: Position | None = None
    offset: int = 0


def after(place: Place, runs: list[Run], kind: str) -> Place:
    """The place of the page that follows one with these rows, of which there is at least one."""
    if kind == "offset" and place.before is None:
        return Place(page=place.page + 1, offset=place.offset + len(runs))
    return Place(page=place.page + 1, before=runs[-1].key)


def token(place: Place) -> str:
    """The text of a place."""
    where = f"o{place.offset}" if place.before is None else f"p{round(place.before[0] * 1000)}.{place.before[1]}"
    return base64.urlsafe_b64encode(f"{where}.{place.page}".encode()).decode().rstrip("=")


def parsed(text: str) -> Place | None:
    """The place that a token holds, or None when it is none of ours."""
    try:
        match = _TEXT.fullmatch(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii"))
    except (ValueError, binascii.Error):
        return None
    if match is None or len(text) > 64:
        return None
    started, sequence, offset, page = match.groups()
    before = (int(started) / 1000, int(sequence)) if started is not None else None
    return Place(page=int(page), before=before, offset=int(offset or 0))


def more(place: Place, own: str | None, runs: list[Run], *, ends: bool, kind: str, faults: ListFaults) -> str | None:
    """The `more` of a page; `own` is the token that asked for it, `ends` says that no row follows; the first row that fits counts.

    | page                                       | more                                         |
    | ------------------------------------------ | -------------------------------------------- |
    | `repeat_more` names it, or "every"         | its own token                                |
    | without rows                               | none                                         |
    | the last one, without `empty_last`         | none                                         |
    | otherwise                                  | the token of what follows                    |
    """
    if faults.repeats(place.page):
        return own if own is not None else token(place)
    if not runs or (ends and not faults.empty_last):
        return None
    return token(after(place, runs, kind))
