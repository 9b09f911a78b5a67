"""The list of executions: newest start first, filters, and pages by an opaque token that holds a position; pure, `now` is handed in.

Cost of a page: a bisect, then the rows passed over until the page is full. Runs that have not ended are indexed apart, so that
`status=RUNNING` among a hundred thousand ended runs looks at the running ones only.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from maia_async.emulator.executions import STATUSES, TERMINAL, Run, is_terminal, status_at

_OPEN: Final = STATUSES - TERMINAL
Position = tuple[float, int]


def _key(run: Run) -> Position:
    return run.key


@frozen(kw_only=True)
class Filter:
    """What a row must be. None asks nothing; both bounds of the start are inclusive; `before` is the position of a pagination token."""

    project_id: str | None = None
    visible_projects: frozenset[str] | None = None
    pipeline_name: str | None = None
    environment_name: str | None = None
    started_after: float | None = None
    started_before: float | None = None
    statuses: frozenset[str] | None = None
    schedule_id: str | None = None
    before: Position | None = None


class RunIndex:
    """All runs in the order of their starts."""

    def __init__(self) -> None:
        self._all: list[Run] = []
        self._open: list[Run] = []

    def __len__(self) -> int:
        return len(self._all)

    def add(self, run: Run) -> None:
        """Put a run in its place; at the end at once, as nearly all are."""
        for runs in (self._all, self._open):
            if not runs or runs[-1].key < run.key:
                runs.append(run)
            else:
                insort(runs, run, key=_key)

    def extend(self, crowd: Iterable[Run]) -> None:
        """Put many runs in their places."""
        added = list(crowd)
        for runs in (self._all, self._open):
            runs.extend(added)
            runs.sort(key=_key)

    def newest_first(self) -> Iterable[Run]:
        """Every run."""
        return reversed(self._all)

    def select(self, wanted: Filter, *, limit: int, now: float, lag: float = 0.0) -> tuple[list[Run], bool]:
        """At most `limit` rows, and whether there are more. A run younger than `lag` seconds is not listed yet."""
        runs = self._all
        if wanted.statuses is not None and wanted.statuses <= _OPEN:
            self._open = runs = [run for run in self._open if not is_terminal(run, now)]
        low = 0 if wanted.started_after is None else bisect_left(runs, (wanted.started_after, -1), key=_key)
        high = len(runs) if wanted.started_before is None else bisect_right(runs, (wanted.started_before, len(self._all) + 1), key=_key)
        if wanted.before is not None:
            high = min(high, bisect_left(runs, wanted.before, key=_key))
        name = wanted.pipeline_name.casefold() if wanted.pipeline_name is not None else None
        visible = now - lag
        found: list[Run] = []
        for place in range(high - 1, low - 1, -1):
            run = runs[place]
            if run.created <= visible and (name is None or name in run.pipeline_name.casefold()) and _fits(run, wanted, now):
                if len(found) == limit:
                    return found, True
                found.append(run)
        return found, False


def _fits(run: Run, wanted: Filter, now: float) -> bool:
    return (
        (wanted.project_id is None or run.project_id == wanted.project_id)
        and (wanted.visible_projects is None or run.project_id in wanted.visible_projects)
        and (wanted.environment_name is None or run.environment_name == wanted.environment_name)
        and (wanted.schedule_id is None or run.schedule_id == wanted.schedule_id)
        and (wanted.statuses is None or status_at(run, now) in wanted.statuses)
    )


def token_after(run: Run) -> str:
    """The token of the page that begins after this row."""
    return base64.urlsafe_b64encode(f"{round(run.started * 1000)}.{run.sequence}".encode()).decode().rstrip("=")


def position(token: str) -> Position | None:
    """The position that a token holds, or None when it is none of ours."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
        started, sequence = raw.split(".")
        place = int(started) / 1000, int(sequence)
    except (ValueError, binascii.Error, OverflowError):
        return None
    return place if len(token) <= 64 else None
