"""The life of one streaming pipeline, computed from its phases when it is asked for; no timer, no clock, no HTTP.

A command appends phases with their beginnings to what has been and cuts off what would have come. The state is that of the last phase
that has begun:

    | phase        | then                        | when                                                                    |
    | ------------ | --------------------------- | ----------------------------------------------------------------------- |
    | NOT_RUNNING  | STARTING                    | START                                                                   |
    | STARTING     | SNAPSHOTTING                | after `starting`, when this start takes a snapshot                      |
    | STARTING     | STREAMING                   | after `starting`, when it takes none                                    |
    | STARTING     | NOT_RUNNING                 | after `starting`, when the start is refused ("returns")                 |
    | STARTING     | itself                      | for ever, when stuck                                                    |
    | SNAPSHOTTING | STREAMING                   | after `snapshotting`                                                    |
    | STREAMING    | NOT_RUNNING                 | after `drop_after`: a drop                                              |
    | any running  | NOT_RUNNING                 | `flaps_every` after START, or on demand: a drop                         |
    | any running  | STOPPING                    | STOP                                                                    |
    | STOPPING     | NOT_RUNNING                 | after `stop_seconds`                                                    |

What a reader is shown is the state, but for three reasons, the first of which wins:

    | reason                                             | shown                                                             |
    | -------------------------------------------------- | ----------------------------------------------------------------- |
    | held at a word                                     | the word                                                          |
    | in an `unreachable` gap                            | UNKNOWN                                                           |
    | STARTING for less than `start_lag`                 | NOT_RUNNING                                                       |

A command is judged by the word at which the pipeline is held, else by the state; one that is accepted ends the holding:

    | command  | judged by                                    | answer                                                        |
    | -------- | -------------------------------------------- | ------------------------------------------------------------- |
    | any      | unreachable, or held at UNKNOWN              | 500; by the state when the reading is "accepted"              |
    | START    | NOT_RUNNING, and the script refuses by 409, 500 | that status                                                |
    | START    | NOT_RUNNING                                  | accepted                                                      |
    | START    | anything else                                | 409                                                           |
    | STOP     | NOT_RUNNING                                  | 409                                                           |
    | STOP     | STOPPING                                     | accepted, and nothing changes (no source says that it is not) |
    | STOP     | anything else                                | accepted                                                      |
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

from attrs import define, field

from maia_async.emulator.dice import Dice, draw
from maia_async.emulator.problems import Refused
from maia_async.emulator.streamscript import StreamScript
from maia_async.emulator.times import floored

STARTING: Final = "STARTING"
SNAPSHOTTING: Final = "SNAPSHOTTING"
STREAMING: Final = "STREAMING"
STOPPING: Final = "STOPPING"
NOT_RUNNING: Final = "NOT_RUNNING"
UNKNOWN: Final = "UNKNOWN"


class Phase(NamedTuple):
    """A stretch of a pipeline's life: from when, the state, what is shown of it, and what began it.

    `by`: "api" or "external" (a creation or a command), "script" (progress), "drop", or "refusal".
    """

    at: float
    state: str
    shown: str
    by: str


_BEGIN: Final = itemgetter(0)


@define(kw_only=True, eq=False)
class Stream:
    """One streaming pipeline on the server. Instants are API seconds in whole milliseconds; `definition` is as it was sent."""

    id: str
    project_id: str
    name: str
    definition: Mapping[str, Any]
    created: float
    script: StreamScript
    created_by: str = "api"
    phases: list[Phase] = field(factory=list)
    holds: list[tuple[float, str | None]] = field(factory=list)
    first_start: float | None = None
    starts: int = 0
    refused: int = 0

    def __attrs_post_init__(self) -> None:
        if not self.phases:
            self.phases.append(Phase(self.created, NOT_RUNNING, NOT_RUNNING, self.created_by))


def state_at(stream: Stream, now: float) -> str:
    """The first table above."""
    return _phase_at(stream, now).state


def held_at(stream: Stream, now: float) -> str | None:
    """The word at which it is held, or None."""
    place = bisect_right(stream.holds, now, key=_BEGIN)
    return stream.holds[place - 1][1] if place else None


def unreachable_at(stream: Stream, now: float) -> bool:
    """Whether its agent is out of reach."""
    first = stream.first_start
    return first is not None and any(_ms(first + begin) <= now < _ms(first + begin + length) for begin, length in stream.script.unreachable)


def shown_at(stream: Stream, now: float) -> str:
    """The second table above."""
    override = _override_at(stream, now)
    return override[1] if override is not None else _phase_at(stream, now).shown


def history(stream: Stream, now: float) -> list[tuple[float, str, str]]:
    """Every change of what was shown, oldest first: when, to which word, by what. A word that was shown for no time is left out.

    By what: as for a phase; "control" when a holding begins or ends, "agent" when it goes out of reach or comes back.
    """
    edges = {phase.at for phase in stream.phases} | {at for at, _ in stream.holds}
    if stream.first_start is not None:
        for begin, length in stream.script.unreachable:
            edges |= {_ms(stream.first_start + begin), _ms(stream.first_start + begin + length)}
    changes: list[tuple[float, str, str]] = []
    over: str | None = None
    for at in sorted(edges):
        if stream.created <= at <= now:
            phase, before = _phase_at(stream, at), over
            over, word = _override_at(stream, at) or (None, phase.shown)
            # What ends an override is what began it, unless a phase begins at the same moment.
            by = over or (phase.by if before is None or phase.at == at else before)
            if not changes or changes[-1][1] != word:
                changes.append((at, word, by))
    return changes


def command(stream: Stream, word: str, now: float, *, chance: Dice, by: str = "api", unreachable: str = "refused") -> None:
    """START or STOP as the third table says, or `Refused`."""
    held = held_at(stream, now)
    if unreachable == "refused" and (held == UNKNOWN or (held is None and unreachable_at(stream, now))):
        raise Refused(500, "The streaming agent cannot be reached")
    judged = held if held is not None and held != UNKNOWN else state_at(stream, now)
    if word == "START":
        if judged != NOT_RUNNING:
            raise Refused(409, f"The streaming pipeline cannot be started: it is {judged}")
        _start(stream, now, chance, by)
    else:
        if judged == NOT_RUNNING:
            raise Refused(409, "The streaming pipeline cannot be stopped: it is NOT_RUNNING")
        if judged != STOPPING:
            at = _cut(stream, now)
            done = _ms(at + draw(chance, stream.script.stop_seconds))
            stream.phases += [Phase(at, STOPPING, STOPPING, by), Phase(done, NOT_RUNNING, NOT_RUNNING, "script")]
    if held is not None:
        hold(stream, now, None)


def drop(stream: Stream, now: float) -> None:
    """Let it die now; `Refused` (409) when there is nothing to die."""
    if state_at(stream, now) == NOT_RUNNING:
        raise Refused(409, f"streaming pipeline {stream.id} is not running")
    stream.phases.append(Phase(_cut(stream, now), NOT_RUNNING, NOT_RUNNING, "drop"))


def hold(stream: Stream, now: float, word: str | None) -> None:
    """Show a word from now on, whatever happens underneath, or the truth again with None."""
    stream.holds.append((max(floored(now), stream.holds[-1][0] if stream.holds else stream.created), word))


def planned(script: StreamScript, at: float, *, snapshot: bool, drops: bool, returns: bool, chance: Dice, by: str) -> list[Phase]:
    """The phases of a start at `at`, as the script has them."""
    started = _ms(at + draw(chance, script.starting))
    seen = _ms(at + script.start_lag)
    phases = [Phase(at, STARTING, NOT_RUNNING if seen > at else STARTING, by)]
    # `by` of the second half stays that of the command: for a reader the command begins to show here.
    if at < seen < started or (script.stuck_starting and seen > at):
        phases.append(Phase(seen, STARTING, STARTING, by))
    if returns:
        phases.append(Phase(started, NOT_RUNNING, NOT_RUNNING, "refusal"))
    elif not script.stuck_starting:
        if snapshot:
            phases.append(Phase(started, SNAPSHOTTING, SNAPSHOTTING, "script"))
            started = _ms(started + draw(chance, script.snapshotting))
        phases.append(Phase(started, STREAMING, STREAMING, "script"))
        if drops and script.drop_after is not None:
            phases.append(Phase(_ms(started + draw(chance, script.drop_after)), NOT_RUNNING, NOT_RUNNING, "drop"))
    if script.flaps_every is not None:
        end = _ms(at + script.flaps_every)
        if phases[-1].state != NOT_RUNNING or phases[-1].at > end:
            phases = [phase for phase in phases if phase.at < end]
            phases.append(Phase(end, NOT_RUNNING, NOT_RUNNING, "drop"))
    return phases


def _start(stream: Stream, now: float, chance: Dice, by: str) -> None:
    script = stream.script
    refuses = script.refuses_to_start
    if refuses is not None and (script.refusals is None or stream.refused < script.refusals):
        stream.refused += 1
    else:
        refuses = None
    if isinstance(refuses, int):
        raise Refused(refuses, "The streaming agent refused to start the pipeline")
    at = _cut(stream, now)
    stream.starts += 1
    if stream.first_start is None:
        stream.first_start = at
    if refuses != "stays":
        streamed = any(phase.state == STREAMING for phase in stream.phases)
        dropped = any(phase.by == "drop" for phase in stream.phases)
        stream.phases += planned(
            script,
            at,
            snapshot=script.snapshot == "every" or (script.snapshot == "first" and not streamed),
            drops=script.drops == "every" or not dropped,
            returns=refuses == "returns",
            chance=chance,
            by=by,
        )


def _cut(stream: Stream, now: float) -> float:
    """Forget what would have come; where the next phase begins. Never before the last one: flooring may undercut its millisecond."""
    del stream.phases[bisect_right(stream.phases, now, key=_BEGIN) :]
    return max(floored(now), stream.phases[-1].at)


def _phase_at(stream: Stream, now: float) -> Phase:
    return stream.phases[max(0, bisect_right(stream.phases, now, key=_BEGIN) - 1)]


def _override_at(stream: Stream, now: float) -> tuple[str, str] | None:
    """Why something else than the state is shown, and what; None when the phase decides."""
    held = held_at(stream, now)
    if held is not None:
        return "control", held
    return ("agent", UNKNOWN) if stream.script.unreachable and unreachable_at(stream, now) else None


def _ms(seconds: float) -> float:
    return floored(seconds + 0.0005)
