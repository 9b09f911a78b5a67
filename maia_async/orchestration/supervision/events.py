"""What a supervisor tells and shows: frozen events and a snapshot of one pipeline. Plain values; nothing is decided here.

it happened                                             told
a read shows another state than the one before          StreamingTransition
the first START (adopted, or added, and not running)    StartAttempted
a START after a drop                                    RestartAttempted
many drops in a short time                              Flapping
too many restarts, or the API refuses us for good       GaveUp
somebody else stopped it                                ExternallyStopped
nobody can say for too long what it does, or a read     Unreachable
  was refused (401, 403, 404), perhaps for good
a read says again what it does                          StreamingTransition if it is another state, ReachableAgain
"""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from maia_async.events import Event
from maia_async.models.streaming import StreamingState


@frozen(kw_only=True)
class SupervisorEvent(Event):
    """What every event of a supervisor has: when it was noticed, and about which pipeline."""

    pipeline_id: str


@frozen(kw_only=True)
class StreamingTransition(SupervisorEvent):
    """A read showed another state than the read before.

    `previous` is None at the first; `duration` is how many seconds `previous` was shown, or None at the first. When events are not taken
    for long, transitions of one pipeline are joined into one: the previous of the oldest, the current of the newest (they may be equal
    then), the sum of the durations.
    """

    previous: StreamingState | None
    current: StreamingState
    duration: float | None


@frozen(kw_only=True)
class StartAttempted(SupervisorEvent):
    """START was sent to a pipeline that did not run when its supervision began: no restart, it counts for nothing.

    accepted: True, False (refused, or never sent), or None: the answer was lost, the next read decides. error: why it was not accepted.
    """

    accepted: bool | None
    error: Exception | None


@frozen(kw_only=True)
class RestartAttempted(SupervisorEvent):
    """START was sent to a pipeline that had stopped.

    attempt: 1 for the first within `RestartPolicy.within`, counting those refused since the last accepted one. delay: the seconds waited
    before it. accepted, error: as in StartAttempted.
    """

    attempt: int
    accepted: bool | None
    error: Exception | None
    delay: float


@frozen(kw_only=True)
class GaveUp(SupervisorEvent):
    """The supervisor starts this pipeline no more, until it is added again.

    With `error` None: it stopped once more after `restarts` restarts within `within` seconds, accepted or in doubt. Else the API refuses
    its reads or commands for good: unknown (404), forbidden (403) or unauthorized (401), again and again for a minute; a START that is
    invalid (400) or disabled (410); or an id that cannot be addressed. A refused read ends the watch, too.
    """

    restarts: int
    within: float
    error: Exception | None = None


@frozen(kw_only=True)
class ExternallyStopped(SupervisorEvent):
    """Somebody else stopped it, or this client by its own `stop()`.

    `respected`: it is left so, until it is added again; else it is restarted as after a drop.
    """

    respected: bool


@frozen(kw_only=True)
class Flapping(SupervisorEvent):
    """It dropped `drops` times within `within` seconds. Told once until it has calmed down."""

    drops: int
    within: float


@frozen(kw_only=True)
class Unreachable(SupervisorEvent):
    """For `seconds` nobody could say what it does: its state is UNKNOWN, or its reads failed (`error`).

    Told after `unreachable_after`, or at once when a read is refused (401, 403, 404). After UNKNOWN it is started again; after failed
    reads nothing is commanded, and it is read on.
    """

    seconds: float
    error: Exception | None = None


@frozen(kw_only=True)
class ReachableAgain(SupervisorEvent):
    """A read after `Unreachable` says what it does: `current`."""

    current: StreamingState


@frozen(kw_only=True)
class SupervisedState:
    """One supervised pipeline now.

    state, since: what the last read showed, and since when; None before the first. restarts: those accepted within the last `within`
    seconds. desired: STREAMING; None after it was given up or a stop by others was respected; NOT_RUNNING while the supervisor stops it.
    """

    state: StreamingState | None
    since: datetime | None
    restarts: int
    desired: StreamingState | None
    gave_up: bool
    last_event: SupervisorEvent | None
