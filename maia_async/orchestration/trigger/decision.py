"""What may be concluded about POSTs that start runs: two pure tables, of one POST's end and of what the list shows. No I/O, no clock.

How one POST ended (`end_of`), the first row that fits. In doubt: an earlier POST of this very request got no usable answer, which what
became of this one says nothing about: the list may not have shown its run yet.

    in doubt before   tag      the answer, or what broke (wire/landing.py)   end
    -                 -        an id                                         STARTED
    -                 -        an id that another request of ours has        DOUBTED   a stale cache's; so do all other AMBIGUOUS ones
    -                 AUTO     409                                           PROVEN    the tag is nobody else's: ours landed, and runs
    -                 -        AMBIGUOUS                                     DOUBTED
    no                -        NOT_LANDED, REFUSED, or it never went out     FAILED    the error; nothing landed
    yes               -        429, no connection, no answer for a token     HELD      it did not land, and may be sent again
    yes               -        any other NOT_LANDED, or REFUSED              REFUSED   it did not land, and is not sent again

What the list shows for the POSTs of one lane that are in doubt (`decide`), the first row that fits. All POSTs of the lane that may have
landed have ended `waited` seconds ago; a look counts when it was asked for after `settle`. n: the requests in doubt, and those that were
given up in the last half hour; k: unexplained rows. again: AUTO, not withdrawn, not REFUSED, sent fewer than `max_sends` times, and not
vague: when that one went out is known by a clock only that may have been wrong, so that its row may be anywhere. UNKNOWN of a list that
could not be read, or may still come to show it, is not final.

    the look          the rows                                             verdict for each
    whole, any        none of them, and the first POST of one PROVEN was   it STANDS, at once: the tag is taken, by a run that is not ours
                      the 409
    refused           -                                                    UNKNOWN, all rows seen so far; not final
    without a date    -                                                    UNKNOWN, all rows seen so far
    none yet          -                                                    LOOK_AGAIN
    failed            -                                                    LOOK_AGAIN until `patience`, then UNKNOWN, all rows; not final
    part              -                                                    LOOK_AGAIN until `patience`, then UNKNOWN, all rows
    whole             ids of ours are missing, or fewer rows than PROVEN   LOOK_AGAIN until 4 settle; then UNKNOWN, all rows, if ids miss
    whole             some in another spelling                             UNKNOWN, all rows
    whole             k = 0, another                                       again: SEND_AGAIN, unless one is PROVEN; else as below
    whole             k = 0, not again, the last POST HELD or REFUSED      LOOK_AGAIN until 4 settle, then UNKNOWN, none; of REFUSED or
                                                                           PROVEN ones not final
    whole             k = 0, not again                                     UNKNOWN, none
    whole             others ran it in the 20 minutes before               UNKNOWN, all rows
    whole             not all n are equal                                  UNKNOWN, all rows
    whole             k > n                                                UNKNOWN, all rows
    whole             a row that ended before the 409 of a PROVEN one      UNKNOWN, all rows
    whole             k <= n                                               ADOPT k of them, PROVEN first, then REFUSED, vague last; the
                                                                           others as for k = 0, but a PROVEN one is UNKNOWN

But for the first row nothing is decided before `settle`, though one row for one request is shown: a second row may still come and make it
ambiguous. Hence a verdict is final, and no id is taken back. Rows that are shown can be told apart by nothing but their times and their
number: they carry neither the tag nor the variables.

The limits: a gateway that makes two POSTs of one gets a 409 for the second, and is believed if the list does not show the run at once; a
run that lands, or is first listed, later than `settle` after the POST failed, and has ended by then (or has no AUTO tag),
is taken for absent; somebody else who starts the same pipeline meanwhile for the first time in 20 minutes, while ours did not land, is
taken for ours.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from enum import Enum
from typing import Final

from attrs import frozen

from maia_async.errors import Conflict, ConnectFailed, RateLimited, ResponseError, TransportError
from maia_async.orchestration.trigger.evidence import Evidence, Row
from maia_async.wire.answers import is_failure
from maia_async.wire.landing import Landing, landing_of

BEHIND: Final = 4  # times `settle`: how long a list that is known to be behind is waited for


class End(Enum):
    """How one POST ended."""

    STARTED = "an id came"
    FAILED = "no run of it exists"
    PROVEN = "a run of it exists"
    DOUBTED = "a run of it may exist"
    HELD = "a run of an earlier POST may exist; this one may be made again"
    REFUSED = "a run of an earlier POST may exist; no further one is made"


def end_of(error: BaseException | None, *, out: bool, doubted: bool, auto: bool) -> End:
    """The first table. `out`: this POST was sent, and `error` is about its answer; `doubted`: an earlier one of it is in doubt.

    An id that is another request's comes here as the DecodeError that the desk makes of it.
    """
    if error is None:
        return End.STARTED
    if out and auto and isinstance(error, Conflict):
        return End.PROVEN
    if out and landing_of(error) is Landing.AMBIGUOUS:
        return End.DOUBTED
    if not doubted:
        return End.FAILED
    return End.HELD if _passes(error) else End.REFUSED


def _passes(error: BaseException) -> bool:
    """Whether a POST that did not land may do so later. A 5xx here is the token endpoint's: of the API it would be ambiguous."""
    if isinstance(error, ConnectFailed):
        return not error.final
    if isinstance(error, ResponseError):
        return isinstance(error, RateLimited) or error.status in {408, 425} or is_failure(error)
    return isinstance(error, TransportError)


class Look(Enum):
    """How the last look at the list went that was asked for after `settle`."""

    NONE = "there was none"
    FAILED = "no usable answer"
    PART = "the list could not be read to its end"
    WHOLE = "everything that it holds was read"
    REFUSED = "the list is not shown"
    DATELESS = "it was read, and no answer tells the API's time"


@frozen(kw_only=True)
class View:
    """The time and the look. `latest`: the last one, before `settle` too. `why`: what went wrong with it, for the error. Seconds."""

    look: Look
    waited: float
    settle: float
    patience: float
    max_sends: int
    why: str = ""
    latest: Look = Look.NONE

    @property
    def patient_with_lag(self) -> bool:
        """Whether a list that is known to be behind is waited for."""
        return self.waited < BEHIND * self.settle


@frozen(kw_only=True)
class Doubt:
    """One request in doubt. Those that are equal but for an AUTO tag have the same `same_as`.

    again: its tag lets it be sent once more, and its caller still wants it. last: how its last POST ended. proven: the API's second at
    which a 409 showed that it runs. vague: when it went out is known by a clock only that may have been wrong.
    """

    key: Hashable
    same_as: str
    again: bool
    sends: int = 1
    last: End = End.DOUBTED
    proven: int | None = None
    vague: bool = False

    @property
    def is_conflict(self) -> bool:
        """Whether the 409 answered its only POST: a copy of that POST, made on the way, may have started its run, or somebody else."""
        return self.proven is not None and self.sends == 1

    @property
    def turned_away(self) -> bool:
        """Whether its last POST did not land, so that it is an earlier one whose run is looked for."""
        return self.last in {End.HELD, End.REFUSED}


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
    """It may have started a run, perhaps one of these. final: the list was read, so that another look would say the same."""

    candidates: tuple[str, ...]
    reason: str
    final: bool = True


@frozen
class Stands:
    """The refusal of its only POST is to be believed: the list shows no run of it."""


Verdict = Adopt | SendAgain | LookAgain | Unknown | Stands


def decide(doubts: Sequence[Doubt], evidence: Evidence, view: View, *, given_up: Collection[str] = ()) -> dict[Hashable, Verdict]:
    """The second table. `given_up`: `same_as` of requests of this lane whose fate was never found out."""
    if view.latest is Look.WHOLE and not evidence.candidates and not evidence.missing:
        standing: dict[Hashable, Verdict] = {doubt.key: Stands() for doubt in doubts if doubt.is_conflict}
        rest = [doubt for doubt in doubts if doubt.key not in standing]
        if standing:
            return {**standing, **decide(rest, evidence, view, given_up=given_up)}
    lane_wide = _unreadable(evidence, view) or _behind(doubts, evidence, view) or _ambiguous(doubts, evidence, given_up)
    if lane_wide is not None:
        return {doubt.key: lane_wide for doubt in doubts}
    return _paired(doubts, evidence.unexplained, view)


def _unreadable(evidence: Evidence, view: View) -> Verdict | None:
    if view.look in {Look.REFUSED, Look.DATELESS}:
        return Unknown(evidence.candidates, f"the list of executions cannot tell: {view.why}", final=view.look is Look.DATELESS)
    if view.look is Look.NONE or view.waited < view.settle:
        return LookAgain()
    if view.look is Look.WHOLE:
        return None
    if view.waited < view.patience:
        return LookAgain()
    return Unknown(evidence.candidates, f"the list of executions cannot be read: {view.why}", final=view.look is Look.PART)


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
    """Rows for the first requests: proven ones, then those that cannot be sent again; for the rest what is due to one without a row.

    Vague ones last: a row of another one that they took would have that one sent again, while their own is where nobody looks.
    """
    ordered = sorted(doubts, key=lambda doubt: (doubt.proven is None, doubt.vague, doubt.last is not End.REFUSED))
    found: dict[Hashable, Verdict] = {doubt.key: Adopt(row.id) for doubt, row in zip(ordered, rows, strict=False)}
    rest = ordered[len(rows) :]
    unlisted = any(doubt.proven is not None for doubt in rest)
    for doubt in rest:
        found[doubt.key] = _without_row(doubt, view, unlisted=unlisted)
    return found


def _without_row(doubt: Doubt, view: View, *, unlisted: bool) -> Verdict:
    if doubt.proven is not None:
        return Unknown((), "its tag is taken, so it landed, but the list of executions does not show it", final=False)
    if unlisted:
        return Unknown((), "the list of executions does not show a run that is known to exist")
    if doubt.vague:
        return Unknown((), "the list of executions shows no run of it, but when it was sent is known by our own clock only")
    again = doubt.again and doubt.last is not End.REFUSED
    if again and doubt.sends < view.max_sends:
        return SendAgain()
    if doubt.turned_away and view.patient_with_lag:
        return LookAgain()
    if doubt.last is End.REFUSED:
        reason = "that answers a later POST of it: an earlier one may have landed, and the list of executions shows no run of it"
        return Unknown((), reason, final=False)
    if not again:
        return Unknown((), "the list of executions shows no run of it, and it may not be sent again")
    return Unknown((), f"it was sent {doubt.sends} times, no answer came, and the list of executions shows no run of it")
