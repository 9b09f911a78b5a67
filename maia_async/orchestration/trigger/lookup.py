"""Reads the list of executions for one lane. It trusts no filter and no order, and says whether what it read is all that the list holds.

    question   filters                                          pages            asked
    window     project, environment, pipeline, started after    20 of 100        at every look
    wide       project, started after                           5                beside the window's, at looks after `settle`
    before     as the window's, started before it               20, and one for  once, when there is a row that could be adopted
                                                                every 50 of ours

The wide question is for a server whose filter does not find the spelling that we send: a project has fewer than a thousand runs a minute,
so it nearly always fits; where it does not, the window's answer stands alone. No status is asked for: how several are sent is not
documented, and a run may be over by now. Times are whole seconds, one more on either side: fractions may be refused, bounds be exclusive.

    a server                                   then
    answers 400, 422 to the first page         without the names, then without times as well; remembered for the life of the client
    ignores filters                            rows are weighed by `evidence.py` all the same; pages end below the window, if starts descend
    repeats a token, has too many pages, or    what was read counts, but it is not the whole
      rows without an id
    answers otherwise                          the error: the look has failed

Each page is one attempt on the READ lane, which goes before polls; when the next is made, the resolver decides.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from attrs import define, evolve, field, frozen

from maia_async.errors import ResponseError
from maia_async.exchange import Exchange
from maia_async.governor import Lane as Budget
from maia_async.orchestration.trigger.evidence import LOOK_BACK, LaneName, Row, Window, read_rows
from maia_async.wire import operations
from maia_async.wire.operations import Query
from maia_async.wire.paging import PAGE_SIZE

PAGES: Final = 20
WIDE_PAGES: Final = 5
MOST_PAGES: Final = 100
_OWN_PER_PAGE: Final = 50


@frozen
class Found:
    """What was read, and whether it is all that there is."""

    rows: tuple[Row, ...]
    whole: bool


@frozen(kw_only=True)
class _Question:
    lane: LaneName
    first: int
    last: int | None = None
    names: bool = True
    pages: int = PAGES

    def query(self, plainness: int, token: str | None) -> Query:
        """Its parameters: 0 all of them, 1 without the names, 2 without times too."""
        named, timed = self.names and plainness < 1, plainness < 2
        filters = operations.execution_filters(
            project_id=self.lane.project,
            environment_name=self.lane.environment if named else None,
            pipeline_name=self.lane.pipeline if named else None,
            started_after=_moment(self.first - 1) if timed else None,
            started_before=_moment(self.last + 1) if timed and self.last is not None else None,
        )
        return (*filters, ("limit", str(PAGE_SIZE)), *(() if token is None else (("paginationToken", token),)))


@define(eq=False)
class Lookup:
    """The look-ups of one client."""

    _exchange: Exchange
    _plainness: int = field(default=0, init=False)

    async def window(self, lane: LaneName, window: Window) -> Found:
        """The rows of the window. Raises what reading the list raises, as all of these do."""
        return await self._read(_Question(lane=lane, first=window.first, last=window.last))

    async def wide(self, lane: LaneName, window: Window) -> Found:
        """The rows of the whole project in the window."""
        return await self._read(_Question(lane=lane, first=window.first, last=window.last, names=False, pages=WIDE_PAGES))

    async def before(self, lane: LaneName, window: Window, *, own: int) -> Found:
        """The rows of the 20 minutes before the window, of which `own` may be ours."""
        pages = min(MOST_PAGES, PAGES + own // _OWN_PER_PAGE)
        return await self._read(_Question(lane=lane, first=window.first - LOOK_BACK, last=window.first, pages=pages))

    async def _read(self, question: _Question) -> Found:
        rows: list[Row] = []
        tokens: set[str] = set()
        token: str | None = None
        legible = True
        for _ in range(question.pages):
            page, fine, token = await self._page(question, token)
            by_name = question.names and self._plainness < 1
            rows += page if by_name else [evolve(row, by_name=False) for row in page]
            legible = legible and fine
            if token is None or _is_below(rows, question.first):
                return Found(tuple(rows), legible)
            if token in tokens:
                break
            tokens.add(token)
        return Found(tuple(rows), whole=False)

    async def _page(self, question: _Question, token: str | None) -> tuple[list[Row], bool, str | None]:
        while True:
            plainness = self._plainness
            spec = operations.list_executions(question.query(plainness, token))
            try:
                return await self._exchange.read(spec, Budget.READ, read_rows, tries=1)
            except ResponseError as error:
                if error.status not in {400, 422} or token is not None or plainness == 2:
                    raise
                self._plainness = max(self._plainness, plainness + 1)


def _is_below(rows: list[Row], first: int) -> bool:
    """Whether a list that ignores its bounds has been read as far as it matters: newest starts first, and the last one is too old."""
    starts = [row.start for row in rows]
    told = [start for start in starts if start is not None]
    return bool(told) and len(told) == len(starts) and told[-1] < first - 1 and all(later >= earlier for later, earlier in pairwise(told))


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
