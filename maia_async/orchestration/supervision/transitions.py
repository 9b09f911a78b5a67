"""What a read of a supervised pipeline means: pure decisions and the little that they must remember; nothing is sent or waited for here.

`previous` is the last state that could be read ("-": none yet, or any). `start` is what became of our last START, as far as no read has
shown the pipeline running since:

    NONE      there is none, or the pipeline was seen running since
    PENDING   it is under way; or it failed, and this read went out before that; or it was accepted, and this read went out at most
              `start_grace` later. Until the pipeline was seen running, a START that somebody else of this client sent counts, too (a former
              supervisor, or the user): for that one `resources/orders.py` says whether it may still show
    FAILED    it was refused, and this read went out later
    LATE      it was accepted, and this read went out more than `start_grace` later

Without a usable answer it was accepted, as far as we know, when the last readable state before it was NOT_RUNNING: it may have run and
stopped again between two reads. When nothing was readable since the pipeline ran, it was refused: more likely it never stopped.

`asked`: this client sent a STOP that is not the supervisor's and may have an effect (`resources/orders.py`). `lost`: nothing readable for
more than `unreachable_after`, since the first such read or the last START. One row fits:

    desired      previous     observed               start            asked  lost  meaning
    any          -            UNKNOWN, unseen words  -                -      no    UNREACHABLE
    STREAMING    -            UNKNOWN, unseen words  PENDING          -      yes   UNREACHABLE
    STREAMING    -            UNKNOWN, unseen words  any other        -      yes   LOST
    other        -            UNKNOWN, unseen words  -                -      yes   UNREACHABLE
    none         -            anything else          -                -      -     STEADY
    NOT_RUNNING  -            NOT_RUNNING            PENDING          -      -     PENDING            it may still start
    NOT_RUNNING  -            NOT_RUNNING            any other        -      -     STOPPED
    NOT_RUNNING  -            anything else          -                -      -     STOPPING_AS_ASKED
    STREAMING    STREAMING    STREAMING              -                -      -     STEADY
    STREAMING    -            STREAMING              -                -      -     ARRIVED
    STREAMING    -            STARTING               -                -      -     PROGRESS
    STREAMING    -            SNAPSHOTTING           -                -      -     PROGRESS           for hours, if it must be
    STREAMING    none yet     STOPPING               -                -      -     PENDING            it was stopped before we came
    STREAMING    -            STOPPING               -                -      -     STOPPED_BY_OTHERS
    STREAMING    -            NOT_RUNNING            -                yes    -     STOPPED_BY_OTHERS
    STREAMING    -            NOT_RUNNING            PENDING          no     -     PENDING
    STREAMING    -            NOT_RUNNING            FAILED           no     -     NEEDS_START        once more
    STREAMING    -            NOT_RUNNING            LATE             no     -     DROPPED            it never started
    STREAMING    STOPPING     NOT_RUNNING            NONE             no     -     STOPPED_BY_OTHERS
    STREAMING    running      NOT_RUNNING            NONE             no     -     DROPPED
    STREAMING    NOT_RUNNING  NOT_RUNNING            NONE             no     -     NEEDS_START        or its restart waits already
    STREAMING    none yet     NOT_RUNNING            NONE             no     -     NEEDS_START        adopted, and it does not run

running: STARTING, SNAPSHOTTING, STREAMING. A stop by somebody else that begins and ends between two reads shows no STOPPING: it cannot be
told from a drop, and counts as one.
"""

from __future__ import annotations

from enum import Enum

from attrs import define

from maia_async.models.streaming import StreamingState

STREAMING, STOPPING, NOT_RUNNING = StreamingState.STREAMING, StreamingState.STOPPING, StreamingState.NOT_RUNNING


class Meaning(Enum):
    """What a read means for the supervisor."""

    ARRIVED = "it streams now"
    PROGRESS = "on its way"
    STEADY = "nothing to do"
    PENDING = "what was commanded does not show yet"
    NEEDS_START = "it does not run"
    DROPPED = "it ran, or should, and does no more"
    UNREACHABLE = "nobody can say what it does"
    LOST = "unreachable for too long: treated like a drop"
    STOPPED_BY_OTHERS = "somebody else stops it, or has stopped it"
    STOPPING_AS_ASKED = "we stop it"
    STOPPED = "we have stopped it"


class Start(Enum):
    """What became of our last START."""

    NONE = "none"
    PENDING = "pending"
    FAILED = "failed"
    LATE = "late"


def meaning(
    desired: StreamingState | None,
    previous: StreamingState | None,
    observed: StreamingState,
    *,
    start: Start = Start.NONE,
    asked: bool = False,
    lost: bool = False,
) -> Meaning:
    """Decide from the table of this module."""
    if not is_readable(observed):
        return Meaning.LOST if lost and desired is STREAMING and start is not Start.PENDING else Meaning.UNREACHABLE
    if desired is None:
        return Meaning.STEADY
    if desired is not STREAMING:
        if observed is not NOT_RUNNING:
            return Meaning.STOPPING_AS_ASKED
        return Meaning.PENDING if start is Start.PENDING else Meaning.STOPPED
    if observed is STREAMING:
        return Meaning.STEADY if previous is STREAMING else Meaning.ARRIVED
    if observed.is_running:
        return Meaning.PROGRESS
    if observed is STOPPING:
        return Meaning.PENDING if previous is None else Meaning.STOPPED_BY_OTHERS
    if asked:
        return Meaning.STOPPED_BY_OTHERS
    return _not_running(previous, start)


def _not_running(previous: StreamingState | None, start: Start) -> Meaning:
    by_start = {Start.PENDING: Meaning.PENDING, Start.FAILED: Meaning.NEEDS_START, Start.LATE: Meaning.DROPPED}
    if start in by_start:
        return by_start[start]
    if previous is STOPPING:
        return Meaning.STOPPED_BY_OTHERS
    return Meaning.DROPPED if previous is not None and previous.is_running else Meaning.NEEDS_START


def is_readable(state: StreamingState) -> bool:
    """Whether a state says what the pipeline does. A word that this version has never seen does not."""
    return state.is_known and state is not StreamingState.UNKNOWN


class _Sent(Enum):
    NOTHING = "nothing"
    UNDER_WAY = "under way"
    ACCEPTED = "accepted"
    FAILED = "failed"


@define(eq=False, slots=True)
class Track:
    """What must be remembered of one pipeline between two reads. Times are seconds of one clock, handed in."""

    start_grace: float
    unreachable_after: float
    desired: StreamingState | None = STREAMING
    previous: StreamingState | None = None
    ran: bool = False  # it was seen running, or a START of ours may have landed: the next START is a restart
    _unreadable_since: float | None = None
    _sent: _Sent = _Sent.NOTHING
    _sent_at: float = 0.0
    _stood: bool = False  # NOT_RUNNING was read before the last START went out, and nothing readable since

    def see(self, observed: StreamingState, *, now: float, asked_at: float, asked: bool = False, pends: bool = False) -> Meaning:
        """What a read means that went out at `asked_at` and was answered `now`; remembered for the next one.

        pends: a START of this client, whoever sent it, may not show yet.
        """
        if observed.is_running:
            self._sent, self.ran = _Sent.NOTHING, True
        readable = is_readable(observed)
        if readable:
            self._unreadable_since = None
        elif self._unreadable_since is None:
            self._unreadable_since = now
        start = self._start(asked_at)
        found = meaning(
            self.desired,
            self.previous,
            observed,
            start=Start.PENDING if start is Start.NONE and pends and not self.ran else start,
            asked=asked,
            lost=self.unreadable(now) > self.unreachable_after,
        )
        if found in {Meaning.DROPPED, Meaning.STOPPED_BY_OTHERS}:
            self._sent = _Sent.NOTHING
        if readable and not (found is Meaning.PENDING and observed is STOPPING):
            self.previous = observed
        return found

    def unreadable(self, now: float) -> float:
        """For how many seconds nothing readable was seen."""
        return 0.0 if self._unreadable_since is None else now - self._unreadable_since

    def start_pends(self, asked_at: float) -> bool:
        """Whether a START of ours may have landed that a read that went out at `asked_at` need not show."""
        return self._start(asked_at) is Start.PENDING

    def sending(self) -> None:
        """A START goes out."""
        self._sent, self._stood = _Sent.UNDER_WAY, self.previous is NOT_RUNNING

    def is_sending(self) -> bool:
        """Whether a START is under way that no read has shown yet."""
        return self._sent is _Sent.UNDER_WAY

    def withdrawn(self) -> None:
        """It did not go out in the end."""
        self._sent = _Sent.NOTHING

    def accepted(self, now: float) -> None:
        """It was accepted. A read that showed the pipeline running meanwhile was about it."""
        self.ran = True
        self._end(_Sent.ACCEPTED, now)

    def refused(self, now: float) -> None:
        """It was refused."""
        self._end(_Sent.FAILED, now)

    def doubted(self, now: float) -> bool:
        """No usable answer came: whether it counts as accepted."""
        if self._stood:
            self.accepted(now)
        else:
            self.refused(now)
        return self._stood

    def stopped(self) -> None:
        """A STOP of the supervisor's was accepted: no START of before shows any more."""
        self._sent = _Sent.NOTHING

    def _end(self, sent: _Sent, now: float) -> None:
        if self._sent is _Sent.UNDER_WAY:
            self._sent, self._sent_at = sent, now
        if self._unreadable_since is not None:
            # Whatever came of it, more of them would not help: one for each `unreachable_after`, or hundreds of pipelines behind an agent
            # that is down would take the whole budget.
            self._unreadable_since = now

    def _start(self, asked_at: float) -> Start:
        if self._sent is _Sent.ACCEPTED:
            return Start.LATE if asked_at - self._sent_at > self.start_grace else Start.PENDING
        if self._sent is _Sent.FAILED:
            return Start.FAILED if asked_at >= self._sent_at else Start.PENDING
        return Start.PENDING if self._sent is _Sent.UNDER_WAY else Start.NONE
