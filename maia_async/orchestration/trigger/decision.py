"""What may be concluded about POSTs that start runs: two pure tables, of one POST's end and of what the list shows. No I/O, no clock.

How one POST ended (`end_of`). In doubt: an earlier POST of this very request got no usable answer.

    in doubt before   tag      the answer, or what broke (wire/landing.py)   end
    -                 -        an id                                         STARTED
    -                 -        NOT_LANDED, or it never went out              FAILED    the error; nothing landed
    -                 -        REFUSED, but the next row                     FAILED    the error; the earlier one was absent after `settle`
    yes               AUTO     409                                           PROVEN    the tag is nobody else's: ours landed, and runs
    -                 -        AMBIGUOUS                                     DOUBTED

What the list shows for the POSTs of one lane that are in doubt (`decide`), the first row that fits. All POSTs of the lane have ended
`waited` seconds ago; a look counts when it was asked for after `settle`. n: the requests in doubt, and those that were given up in the
last half hour; k: unexplained rows. again: AUTO, not withdrawn, sent fewer than `max_sends` times.

    the look          the rows                                             verdict for each
    refused           -                                                    UNKNOWN, all rows seen so far
    none yet          -                                                    LOOK_AGAIN
    failed, or part   -                                                    LOOK_AGAIN until `patience`, then UNKNOWN, all rows
    whole             ids of ours are missing, or fewer rows than PROVEN   LOOK_AGAIN until 4 settle; then UNKNOWN, all rows, if ids miss
    whole             some in another spelling                             UNKNOWN, all rows
    whole             k = 0                                                again: SEND_AGAIN, unless one is PROVEN; else UNKNOWN, none
    whole             others ran it in the 20 minutes before               UNKNOWN, all rows
    whole             not all n are equal                                  UNKNOWN, all rows
    whole             k > n                                                UNKNOWN, all rows
    whole             a row that ended before the 409 of a PROVEN one      UNKNOWN, all rows
    whole             k <= n                                               ADOPT k of them, PROVEN first; the others as for k = 0

Nothing is decided before `settle`, though one row for one request is shown: a second row may still come and make it ambiguous. Hence a
verdict is final, and no id is taken back. Rows that are shown can be told apart by nothing but their times and their number: they carry
neither the tag nor the variables.

The limits: a run that lands, or is first listed, later than `settle` after the POST failed, and has ended by then (or has no AUTO tag),
is taken for absent; somebody else who starts the same pipeline meanwhile for the first time in 20 minutes, while ours did not land, is
taken for ours.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from enum import Enum
from typing import Final

from attrs import frozen

from maia_async.errors import Conflict
from maia_async.orchestration.trigger.evidence import Evidence, Row
from maia_async.wire.landing import Landing, landing_of

BEHIND: Final = 4  # times `settle`: how long a list that is known to be behind is waited for


class End(Enum):
    """How one POST ended."""

    STARTED = "an id came"
    FAILED = "no run of it exists"
    PROVEN = "a run of it exists"
    DOUBTED = "a run of it may exist"


def end_of(error: BaseException | None, *, out: bool, doubted: bool, auto: bool) -> End:
    """The first table. `out`: this POST was sent, and `error` is about its answer; `doubted`: an earlier one of it is in doubt."""
    if error is None:
        return End.STARTED
    if not out:
        return End.FAILED
    landing = landing_of(error)
    if landing is Landing.REFUSED and doubted and auto and isinstance(error, Conflict):
        return End.PROVEN
    return End.DOUBTED if landing is Landing.AMBIGUOUS else End.FAILED


class Look(Enum):
    """How the last look at the list went that was asked for after `settle`."""

    NONE = "there was none"
    FAILED = "no usable answer"
    PART = "the list could not be read to its end"
    WHOLE = "everything that it holds was read"
    REFUSED = "the list is not shown, or tells nothing"


@frozen(kw_only=True)
class View:
    """The time and the look. `why`: what went wrong with the look, for the error. Seconds."""

    look: Look
    waited: float
    settle: float
    patience: float
    max_sends: int
    why: str = ""

    @property
    def patient_with_lag(self) -> bool:
        """Whether a list that is known to be behind is waited for."""
        return self.waited < BEHIND * self.settle


@frozen(kw_only=True)
class Doubt:
    """One request in doubt. Those that are equal but for an AUTO tag have the same `same_as`.

    again: its tag lets it be sent once more, and its caller still wants it. proven: the API's second at which a 409 showed that it runs.
    """

    key: Hashable
    same_as: str
    again: bool
    sends: int = 1
    proven: int | None = None


@frozen
class Adopt:
    """The run with this id is that of the request."""

    execution_id: str


@frozen
class SendAgain:
    """It did not land: send it once more, with the same tag."""


@frozen
class LookAgain:
    """Nothing can be said yet. `behind`: the list is known not to show everything."""

    behind: bool = False


@frozen
class Unknown:
    """It may have started a run, perhaps one of these."""

    candidates: tuple[str, ...]
    reason: str


Verdict = Adopt | SendAgain | LookAgain | Unknown


def decide(doubts: Sequence[Doubt], evidence: Evidence, view: View, *, given_up: Collection[str] = ()) -> dict[Hashable, Verdict]:
    """The second table. `given_up`: `same_as` of requests of this lane whose fate was never found out."""
    lane_wide = _unreadable(evidence, view) or _behind(doubts, evidence, view) or _ambiguous(doubts, evidence, given_up)
    if lane_wide is not None:
        return {doubt.key: lane_wide for doubt in doubts}
    return _paired(doubts, evidence.unexplained, view)


def _unreadable(evidence: Evidence, view: View) -> Verdict | None:
    if view.look is Look.REFUSED:
        return Unknown(evidence.candidates, f"the list of executions cannot tell: {view.why}")
    if view.look is Look.NONE or view.waited < view.settle:
        return LookAgain()
    if view.look is Look.WHOLE:
        return None
    if view.waited < view.patience:
        return LookAgain()
    return Unknown(evidence.candidates, f"the list of executions cannot be read: {view.why}")


def _behind(doubts: Iterable[Doubt], evidence: Evidence, view: View) -> Verdict | None:
    proven = sum(doubt.proven is not None for doubt in doubts)
    if evidence.missing or (proven > len(evidence.unexplained) and not evidence.spelled_otherwise):
        if view.patient_with_lag:
            return LookAgain(behind=True)
        if evidence.missing:
            known = ", ".join(evidence.missing[:3])
            return Unknown(
                evidence.candidates, f"the list of executions is behind: it does not show {known}, which is known to have started"
            )
    return None


def _ambiguous(doubts: Sequence[Doubt], evidence: Evidence, given_up: Collection[str]) -> Verdict | None:
    """Why the rows cannot be told apart; None when there is none, or when they can."""
    rows = evidence.unexplained
    unknown = None
    if evidence.spelled_otherwise:
        names = ", ".join(sorted({repr(row.name) for row in evidence.spelled_otherwise}))
        unknown = f"the list shows runs under another spelling: {names}"
    elif not rows:
        return None
    elif evidence.before:
        unknown = "others started this pipeline shortly before"
    elif len({doubt.same_as for doubt in doubts} | set(given_up)) > 1:
        unknown = "several different requests are in doubt, and the list shows neither tag nor variables"
    elif len(rows) > len(doubts) + len(given_up):
        unknown = "the list shows more runs than requests are in doubt"
    elif any(_ended_too_soon(row, doubt) for doubt in doubts for row in rows):
        unknown = "its tag is taken by a run that is not the one listed"
    return None if unknown is None else Unknown(evidence.candidates, unknown)


def _ended_too_soon(row: Row, doubt: Doubt) -> bool:
    return doubt.proven is not None and row.end is not None and row.end < doubt.proven


def _paired(doubts: Sequence[Doubt], rows: Sequence[Row], view: View) -> dict[Hashable, Verdict]:
    """Rows for the first requests, those that are proven before the others; what is due to a request without a row for the rest."""
    ordered = sorted(doubts, key=lambda doubt: doubt.proven is None)
    found: dict[Hashable, Verdict] = {doubt.key: Adopt(row.id) for doubt, row in zip(ordered, rows, strict=False)}
    rest = ordered[len(rows) :]
    unlisted = any(doubt.proven is not None for doubt in rest)
    for doubt in rest:
        found[doubt.key] = _without_row(doubt, view, unlisted=unlisted)
    return found


def _without_row(doubt: Doubt, view: View, *, unlisted: bool) -> Verdict:
    if doubt.proven is not None:
        return Unknown((), "its tag is taken, so it landed, but the list of executions does not show it")
    if unlisted:
        return Unknown((), "the list of executions does not show a run that is known to exist")
    if not doubt.again:
        return Unknown((), "the list of executions shows no run of it, and it may not be sent again")
    if doubt.sends >= view.max_sends:
        return Unknown((), f"it was sent {doubt.sends} times, no answer came, and the list of executions shows no run of it")
    return SendAgain()
