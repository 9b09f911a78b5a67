"""What a batch with a journal writes down before it goes on, and what it makes of the rows of earlier processes. It sends nothing.

durable before             is
the POST goes out          the intent, with the tag that is sent and what the API's clock says, at most FRESH seconds old
the run is awaited         its id
the outcome is shown       the outcome, unless its POST is to be looked up again: `stays_intended`
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import anyio.lowlevel
from attrs import define, evolve, field

from maia_async.clock import utc_now
from maia_async.errors import JournalMismatch, MaiaError
from maia_async.models import ExecutionRequest, OutcomeState
from maia_async.orchestration.batch.ledger import Live
from maia_async.orchestration.journal import Asked, Ended, InputEnded, Intent, Journal, Plan, Resume, Row, Started, Write
from maia_async.orchestration.outcomes import Outcome
from maia_async.orchestration.trigger import FRESH, Sent

Done = Callable[[Exception | None], None]
TURN: Final = 200
_ORDER: Final = (Resume.REPLAY, Resume.LOOK_UP, Resume.ATTACH)


@define(eq=False)
class Book:
    """The journal of one batch. Each write tells `done` when it is durable, or why it never will be."""

    _journal: Journal
    _server_date: Callable[[], float | None]
    _rows: dict[int, Row] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rows = {row.index: row for row in self._journal.rows}

    async def plan(self, requests: list[ExecutionRequest]) -> None:
        """Write a whole input down. Raises JournalMismatch when the journal has another one."""
        asked = []
        for index, request in enumerate(requests):
            if index % TURN == 0:  # a hundred thousand of them would keep the loop for seconds
                await anyio.lowlevel.checkpoint()
            asked.append(Asked.of(index, request))
        await self._journal.write(Plan(tuple(asked)))

    def requests(self) -> list[ExecutionRequest]:
        """The input, as the journal has it. Raises JournalMismatch when it had not been read to its end."""
        size = self._journal.meta.size
        if size is None or [*self._rows] != list(range(size)):
            reason = "does not hold the whole input, which had not been read to its end: resume with the input"
            raise JournalMismatch(reason, path=self._journal.path)
        return [row.given for row in self._rows.values()]

    def resumed(self) -> list[Row]:
        """The rows that earlier processes have begun: outcomes first, then what may have landed, then what runs."""
        return [row for resume in _ORDER for row in self._rows.values() if row.resume is resume]

    def started_before(self) -> dict[tuple[str, str], list[str]]:
        """The ids of the runs that earlier processes started, by environment and pipeline."""
        found: dict[tuple[str, str], list[str]] = {}
        for row in self._rows.values():
            if row.execution_id is not None:
                found.setdefault((row.request.environment_name, row.request.pipeline_name), []).append(row.execution_id)
        return found

    def check(self, index: int, request: ExecutionRequest) -> None:
        """Raises JournalMismatch when the journal has another request in that place."""
        row = self._rows.get(index)
        if row is not None:
            row.check(request, path=self._journal.path)

    def intend(self, live: Live, done: Done) -> None:
        """Its POST is about to go out, with the tag that its request has now."""
        self._write(self._intent(live), done)

    def is_stale(self, live: Live, now: float) -> bool:
        """Whether its intent must be renewed before its POST goes out: it is old, or it lacks the API's time, which is known by now."""
        return now - live.intended_at > FRESH or (live.server_time is None and self._server_date() is not None)

    async def renew(self, live: Live, first_sent: float | None, now: float) -> None:
        """Its POST goes out only now, after a pause or a look-up: who resumes looks for its run around the time in the journal.

        first_sent: the loop's time of a first POST that is in doubt. That one's time is kept, since its run may show, too.
        """
        last = None
        if live.doubted:
            told = self._server_date()
            if live.server_time is None and told is not None and first_sent is not None:
                live.server_time = told - (now - first_sent)
            if live.server_time is None:
                return  # nobody knows when; what the journal has is the first POST's time by our own clock
            last = told if told is not None or first_sent is None else live.server_time + now - first_sent
        await self._journal.write(self._intent(live, last))

    def started(self, live: Live, execution_id: str, done: Done) -> None:
        """Its run has this id."""
        self._write(Started(live.index, execution_id, utc_now().isoformat()), done)

    def not_landed(self, live: Live, done: Done) -> None:
        """Its POST was refused, and will be made again later: until then nothing of it is in doubt."""
        self._write(Ended.of(Outcome(index=live.index, request=live.given, state=OutcomeState.NOT_STARTED)), done)

    def ended(self, live: Live, outcome: Outcome, done: Done) -> None:
        """What became of it."""
        self._write(Ended.of(evolve(outcome, request=live.given)), done)

    def read(self, size: int, done: Done) -> None:
        """The input has come to its end."""
        self._write(InputEnded(size), done)

    def _intent(self, live: Live, last: float | None = None) -> Intent:
        tag = live.request.execution_tag
        if not live.doubted:
            # None where the API has not told it: a time of our own clock must not be taken for its.
            live.server_time = self._server_date()
        return Intent.of(
            live.index,
            live.given,
            at=utc_now().isoformat(),
            tag=tag if isinstance(tag, str) else None,
            server_time=live.server_time,
            last=last,
        )

    def _write(self, write: Write, done: Done) -> None:
        try:
            self._journal.submit(write, partial(_told, done))
        except MaiaError as error:  # it is closed: whoever tears the batch down has all that there is
            done(error)


def sent_of(row: Row) -> Sent:
    """When the POST of a row went out, as far as it was known."""
    return Sent(at=row.server_time, wall=None if row.sent_at is None else row.sent_at.timestamp(), last=row.last_time)


def stays_intended(state: OutcomeState, *, doubted: bool, cut_short: bool, unread: bool) -> bool:
    """Whether an outcome is shown but not written down, so that who resumes looks for its POST, with the same tag.

    the outcome               its POST                                                  then
    UNKNOWN                   was not looked for to the end: cut_short, by a stop       it stays INTENT
    UNKNOWN                   was looked for in a list that could not be read: unread   it stays INTENT
    NOT_STARTED, REJECTED     was in doubt: that says something of a later POST only    it stays INTENT
    anything else             -                                                         it is written
    """
    if state is OutcomeState.UNKNOWN:
        return cut_short or unread
    return doubted and state in {OutcomeState.NOT_STARTED, OutcomeState.REJECTED}


def began_of(row: Row, *, server_time: float | None, now: float) -> float | None:
    """The loop's time at which the run of a row began; None when nothing tells. It says where lists show it, and what a 404 may mean."""
    if row.server_time is not None and server_time is not None:
        return now - max(0.0, server_time - row.server_time)
    return None if row.started_at is None else now - max(0.0, (utc_now() - row.started_at).total_seconds())


def _told(done: Done, error: BaseException | None) -> None:
    done(error if isinstance(error, Exception) or error is None else RuntimeError(repr(error)))
