"""Finds out what became of the POSTs of one lane that got no answer: waits for those that are out, looks, decides, and says so to each.

It is one task, there while its lane has something in doubt, and the lane is held meanwhile. It sends no POST itself: a request that is to
be sent again is told so, and counts as out until it is answered; then all begins anew. Looks are made at 1/15, at 1/3 and at the end of
`settle` after the last POST ended; the early ones are for a caller who cannot wait so long, nothing is decided on them. After that they
follow each other at growing distances, up to 1/3 of `settle`.

`settle` counts from the end of the POST and not from its sending: a gateway that gives up after a minute may have delivered the request
in that very moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import anyio
from attrs import define, evolve, field, frozen

from maia_async.clock import utc_now
from maia_async.errors import RateLimited, ResponseError
from maia_async.logs import logger
from maia_async.orchestration.trigger.decision import BEHIND, Adopt, Look, LookAgain, SendAgain, Unknown, View, decide
from maia_async.orchestration.trigger.evidence import Evidence, Row, Window, weigh
from maia_async.orchestration.trigger.lanes import Lane
from maia_async.orchestration.trigger.lookup import Found, Lookup
from maia_async.orchestration.trigger.siblings import Others, Siblings

UNREADABLE: Final = 30.0  # seconds for which a list that fails is tried at least
_FOR_GOOD: Final = frozenset({400, 401, 403, 404, 405, 410, 422, 501})


@frozen(kw_only=True)
class Patience:
    """How long is waited, in seconds. `settle` as in TriggerPolicy.

    unreachable: after which a list that fails is given up; it bounds the time for a POST of this process, and is that for one of an earlier
    process. attempt: what one POST may take.
    """

    settle: float
    unreachable: float
    max_sends: int
    attempt: float = 60.0

    @property
    def unreadable(self) -> float:
        """How long after the last POST a list may fail."""
        return min(max(BEHIND * self.settle, UNREADABLE), max(self.unreachable, self.settle))


def next_look(done: int, since: float, settle: float, now: float) -> float:
    """When to look again: `done` looks were made since the last POST ended at `since`."""
    early = (since + settle / 15, since + settle / 3, since + settle)
    if done < len(early):
        return max(early[done], now)
    return now + min(settle / 15 * 2.0 ** (done - len(early)), settle / 3)


@define(eq=False)
class Resolver:
    """One lane's. `server_time`: the API's clock now, None while it has not told; `siblings`: what this process knows beyond this lane."""

    _lane: Lane
    _lookup: Lookup
    _patience: Patience
    _server_time: Callable[[], float | None]
    _siblings: Siblings
    _rows: dict[str, Row] = field(init=False, factory=dict)
    _version: int = field(init=False, default=-1)
    _done: int = field(init=False, default=0)
    _next: float = field(init=False, default=0.0)
    _before: int | None = field(init=False, default=None)
    _paused: float = field(init=False, default=0.0)
    _paused_at: float | None = field(init=False, default=None)

    async def run(self) -> None:
        """Until nothing of the lane is in doubt."""
        lane, settle = self._lane, self._patience.settle
        while await self._quiet():
            since = max(case.ended for case in lane.cases)
            if lane.version != self._version:
                self._version, self._done = lane.version, 0
                self._next = self._after(since)
            with anyio.move_on_after(max(0.0, self._next - _now())):
                await lane.change()
                continue
            # By the plan and not by the clock: a timer may be early by the clock's resolution.
            settled = self._next >= since + settle
            waited = max(_now() - since, settle if settled else 0.0)
            view, evidence = await self._look(waited, settled=settled)
            self._done += 1
            self._next = self._after(since)
            others = self._siblings.others(lane)
            if others.flying and evidence.candidates and waited < self._patience.unreadable:
                continue  # one of the rows may be a run whose id is on its way to another client or lane
            if lane.version == self._version and not lane.flying:
                self._carry_out(view, evidence, others)

    def _after(self, since: float) -> float:
        """When to look next. At once where a conflict may stand, and where the request of an earlier process has settled long ago."""
        now = _now()
        if not self._done and any(case.doubt().is_conflict for case in self._lane.cases):
            return now
        if not self._done and now >= since + self._patience.settle:
            self._done = 2
        return next_look(self._done, since, self._patience.settle, now)

    async def _quiet(self) -> bool:
        """Wait until no POST is out; whether something is in doubt."""
        while self._lane.flying:
            await self._lane.change()
        return bool(self._lane.cases)

    async def _look(self, waited: float, *, settled: bool) -> tuple[View, Evidence]:
        found, why, told = Look.NONE, "", self._server_now() is not None
        paused = False
        try:
            whole = await self._read(settled=settled)
        except Exception as error:  # noqa: BLE001 - credentials of the caller's own may raise anything; the POSTs stay in doubt
            refused = isinstance(error, ResponseError) and error.status in _FOR_GOOD
            paused = isinstance(error, RateLimited)
            found, why = Look.REFUSED if refused else Look.FAILED, str(error) or repr(error)
        else:
            found, why = (Look.WHOLE, "") if whole else (Look.PART, "it has too many rows, or pages that repeat")
            if self._server_now() is None:
                found, why = Look.DATELESS, "the API's answers carry no date"
            elif not told:  # what was asked for is a window by our own clock, which may be wrong: the next look has the API's
                found = Look.NONE
        self._count_pause(paused)
        patience, evidence = self._patience, self._evidence()
        candidates = evidence.candidates
        for case in self._lane.cases:
            case.looks += 1
            case.candidates = candidates
        view = View(
            look=found if settled else Look.NONE,
            waited=waited,
            settle=patience.settle,
            patience=self._patience_with(found) + self._paused,
            max_sends=patience.max_sends,
            why=why,
            latest=found,
        )
        return view, evidence

    def _count_pause(self, paused: bool) -> None:
        """That the API makes us pause says nothing about the list: the time between looks that it keeps from going out is no patience."""
        now = _now()
        if self._paused_at is not None:
            self._paused += now - self._paused_at
        self._paused_at = now if paused else None

    def _patience_with(self, found: Look) -> float:
        """How long after the last POST such looks are borne. Of an earlier process that may be long ago: there it counts from the first."""
        cases, patience = self._lane.cases, self._patience.unreadable
        asked = [case.asked for case in cases if case.asked is not None]
        if found is not Look.FAILED or not asked:
            return patience
        return max(patience, max(asked) + self._patience.unreachable - max(case.ended for case in cases))

    async def _read(self, *, settled: bool) -> bool:
        """Read what the list shows; whether that is all that it holds."""
        name, window = self._lane.name, self._window()
        whole = self._take(await self._lookup.window(name, window))
        if not settled:
            return whole
        try:
            self._take(await self._lookup.wide(name, window))  # where it does not fit, the one with names stands alone
        except ResponseError as error:
            if error.status not in _FOR_GOOD:
                raise
        if not self._evidence().unexplained or (self._before is not None and self._before <= window.first):
            return whole
        if self._take(await self._lookup.before(name, window, own=len(self._lane.known))):
            self._before = window.first
            return whole
        return False

    def _take(self, found: Found) -> bool:
        for row in found.rows:
            before = self._rows.get(row.key)
            self._rows[row.key] = row if before is None or row.by_name else evolve(row, by_name=before.by_name)
        return found.whole

    def _server_now(self) -> float | None:
        told = self._server_time()
        if told is None:  # the last answer had no date; an earlier one may have
            told = max((case.start + _now() - case.sent for case in self._lane.cases if case.start is not None), default=None)
        return told

    def _window(self) -> Window:
        told = self._server_now()
        return self._lane.window(utc_now().timestamp() if told is None else told, _now())

    def _evidence(self) -> Evidence:
        lane = self._lane
        evidence = weigh(
            self._rows.values(),
            lane.name,
            self._window(),
            mine=lane.known,
            ours=self._siblings.knows,
            expected=lane.expected(),
            learned=lane.learned,
        )
        lane.learned = evidence.learned
        return evidence

    def _carry_out(self, view: View, evidence: Evidence, others: Others) -> None:
        lane = self._lane
        given_up = [*lane.given_up(_now()), *others.doubts]
        verdicts = decide([case.doubt() for case in lane.cases], evidence, view, given_up=given_up)
        for case in list(lane.cases):
            verdict = verdicts[id(case)]
            if isinstance(verdict, LookAgain) or case.verdict.done():  # done: its caller gave it up in this very step of the loop
                continue
            lane.leave(case)
            case.unread = isinstance(verdict, Unknown) and not verdict.final
            if isinstance(verdict, Adopt):
                lane.know(verdict.execution_id, case.sent, _now())
            elif isinstance(verdict, SendAgain):
                case.fly()
            case.verdict.set_result(verdict)

    def failed(self, error: BaseException) -> None:
        """It broke: whoever waits is told that, and nobody is sent again."""
        logger.error("the look-up of triggers in doubt failed", exc_info=error)
        for case in list(self._lane.cases):
            self._lane.leave(case)
            case.unread = True
            if not case.verdict.done():
                case.verdict.set_result(Unknown(case.candidates, f"the look-up failed: {error!r}", final=False))


def _now() -> float:
    return asyncio.get_running_loop().time()
