"""Reads one chain of list pages and says what its rows, its gaps and its failures mean. When to read which is decided elsewhere.

a row shows                                  then
an end                                       it is the result
a run that nobody has looked at yet          it is what is known of it
another state than the last one              an own read soon: lists may lag behind
nothing new                                  the run need not be read itself for a while

an awaited run is missing                    then
from those that run, and ends are not        an own read at once: it has probably ended
  asked for
from those that run, or from all, or its     an own read after two rounds, unless one of them shows it
  page was not reached
and started less than PATIENCE ago           nothing yet: lists lag behind

a list answers                               then
400, 422 to a first page                     without what it may not know, one thing at a time: fractions of a second, the status, the
                                             names; then as the next row
403, 404, 405, 410, 501, or ignores bounds   own reads in this project; the list is tried again after RELIST
no usable answer                             the next round a bit later; own reads come by themselves when a run is not listed for long
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from attrs import evolve

from maia_async.errors import MaiaError, ResponseError
from maia_async.policies import PollPolicy
from maia_async.watching.census import Row
from maia_async.watching.field import Field
from maia_async.watching.listing import Dialect, Page
from maia_async.watching.pace import scale_of
from maia_async.watching.planner import OPEN, Ask, Kind
from maia_async.watching.watched import NEVER, Sighting, Watched
from maia_async.watching.windows import EARLIER

ReadPage = Callable[[str, Ask, str | None, Dialect], Awaitable[Page]]
"""One page: project, ask, token of the page, what the server takes."""

PATIENCE: Final = 20.0
RELIST: Final = 600.0
logger = logging.getLogger("maia_async")


async def no_list(*_: object) -> Page:
    """For a watcher of things that stand in no list."""
    raise AssertionError("things that stand in a list need a way to read it")


class Chains:
    """The list reads of one client. `saw` is told what a row shows, `look` when a run is to be read itself."""

    def __init__(
        self,
        *,
        policy: PollPolicy,
        read_page: ReadPage,
        find: Callable[[str, str], Watched | None],
        saw: Callable[[Watched, Sighting, float], None],
        look: Callable[[Watched, float], None],
    ) -> None:
        self.pages = 0
        self.rows = 0
        self.dialect = Dialect()
        self._policy = policy
        self._scale = scale_of(policy)
        self._read_page = read_page
        self._find = find
        self._saw = saw
        self._look = look
        self._refused: dict[str, float] = {}

    def refused_until(self, project_id: str) -> float:
        """Until when the list of a project is not asked for."""
        return self._refused.get(project_id, NEVER)

    async def read(self, here: Field, ask: Ask) -> None:
        """Read its pages to the end, or to twice as many as expected; whatever goes wrong is noted and not raised."""
        began = asyncio.get_running_loop().time()
        dialect = self.dialect
        rows: list[Row] = []
        token: str | None = None
        tokens: set[str] = set()
        most = 2 * ask.window.pages(here.census.page) + 2
        read = 0
        first_id, before = "", 0
        try:
            while True:
                page = await self._read_page(here.project_id, ask, token, dialect)
                read += 1
                self.pages += 1
                self.rows += len(page.rows)
                if before and page.rows and page.rows[0][0].execution_id != first_id:
                    # What the server lets a page hold: one that others follow, but no empty one and not itself. A short one now and then
                    # is no proof.
                    here.census.page = max(before, here.census.page // 2)
                now = asyncio.get_running_loop().time()
                for row, raw in page.rows:
                    if here.gone:
                        return
                    rows.append(row)
                    self._row(here, row, raw, now)
                before = len(page.rows)
                first_id = page.rows[0][0].execution_id if page.rows else ""
                token = page.more
                if here.discovering:
                    most = len(here.census.strangers)  # beyond that, reading each itself is cheaper
                if token is None or token in tokens or read >= most:
                    break
                tokens.add(token)
        except Exception as error:  # noqa: BLE001 - credentials of the caller's own may raise anything; own reads will tell the waiters
            self._failed(here, dialect, ask, error, begun=read > 0)
            return
        here.failures = 0
        self._read_whole(here, ask, rows, whole=token is None, began=began)

    def _row(self, here: Field, row: Row, raw: object, now: float) -> None:
        watched = self._find(here.project_id, row.execution_id)
        if watched is None:
            return
        here.census.place(watched, row.started, row.names)
        here.proven = True
        watched.listed_at = now
        if row.word.is_terminal or watched.last is None:
            sighting = watched.subject.listed(raw)
            if sighting is not None:
                here.find(watched)
                here.census.ended(int(sighting.ends), now)
                self._saw(watched, sighting, now)
        elif watched.last.word == row.word:
            here.find(watched)
        else:
            here.lose(watched)
            self._look(watched, max(now, watched.looked_at + self._policy.min_interval))

    def _read_whole(self, here: Field, ask: Ask, rows: list[Row], *, whole: bool, began: float) -> None:
        starts = [row.started for row in rows if row.started is not None]
        first, last = ask.window.first, ask.window.last
        outside = sum((first is not None and at < first - EARLIER) or (last is not None and at > last + EARLIER) for at in starts)
        if outside > len(rows) / 2:
            self._refuse(here, "ignores the bounds of the start")
            return
        here.census.covered(ask, rows, first=first if whole or not starts else min(starts) + 1, whole=whole)
        if ask.word is None or ask.word == OPEN:
            rare = here.plan.presence_interval if here.plan.presence else 0.0
            interval = here.plan.interval if here.swept else 0.0
            here.trusted_until = max(here.trusted_until, began + max(PATIENCE * self._scale, 4 * interval, 2 * rare))
            if not here.discovering:  # which stops when all strangers are found, wherever it stands
                self._miss(here, ask, began, whole=whole)

    def _miss(self, here: Field, ask: Ask, began: float, *, whole: bool) -> None:
        """Runs that a list of those that go on, or of all, has not shown are read themselves, until one does."""
        interval = here.plan.interval if here.swept else 0.0
        # A run that runs no more has probably ended, and where ends are asked for, the next round tells. One that is in no list at all may
        # have slipped from page to page, or stand on a page that was not read: the next round knows how many there are.
        wait = 0.0 if here.plan.kind is Kind.RUNNING and whole else 2 * interval
        for watched in here.census.within(ask):
            born = NEVER if watched.since is None or watched.listed_at > NEVER else watched.since
            if watched.listed_at < began and not watched.stray and began - born > PATIENCE * self._scale:
                here.lose(watched)
                self._look(watched, began + wait)

    def _failed(self, here: Field, dialect: Dialect, ask: Ask, error: Exception, *, begun: bool) -> None:
        if not isinstance(error, MaiaError) and not here.failures:  # the first in a row: there may be hundreds in each round
            logger.warning("a list of executions of project %s could not be read", here.project_id, exc_info=error)
        status = error.status if isinstance(error, ResponseError) else None
        if status in {400, 422} and begun:  # it takes the question, but not the token
            here.failures += 1
        elif status in {400, 422}:
            if dialect is self.dialect:  # else another answer has taught us already
                self.dialect = dialect.without(ask)
                if not self.dialect.listed:
                    self._refuse(here, "answers 400")
                    self.dialect = evolve(self.dialect, listed=True)
        elif status in {403, 404, 405, 410, 501}:
            self._refuse(here, f"answers {status}")
        else:
            here.failures += 1

    def _refuse(self, here: Field, what: str) -> None:
        now = asyncio.get_running_loop().time()
        if self.refused_until(here.project_id) <= now:
            logger.info("the list of executions of project %s %s: each run is read itself", here.project_id, what)
        self._refused[here.project_id] = now + RELIST * self._scale
        here.next_round = now
