"""What a supervisor's events are called: words for people, JSON for programs. Pure; nothing is decided here.

    event                                  words                                                        style     notable
    StreamingTransition, the first         STREAMING                                                    -         -
    StreamingTransition                    NOT_RUNNING after 5 min STREAMING                            -         to NOT_RUNNING
    StartAttempted                         started; start refused: ...; start sent, outcome unknown     -         not accepted
    RestartAttempted                       after 0.8 s: restart 1 accepted; or refused, unknown         yellow    yes
    GaveUp                                 given up: dropped after 3 restarts in 10 min; or why         red       yes
    ExternallyStopped                      stopped by somebody else, left so; or restarting             yellow    yes
    Flapping                               flapping: 4 drops in 10 min                                  yellow    yes
    Unreachable                            unreachable for 5 min; or unreachable: why                   yellow    yes
    ReachableAgain                         reachable again: STREAMING                                   -         yes
    any other                              its type's name                                              -         yes

Notable: said in a line of its own beside the live table, where the next event would replace it.
"""

from __future__ import annotations

from typing import Any

import attrs

from maia_async import (
    ExternallyStopped,
    Flapping,
    GaveUp,
    ReachableAgain,
    ResponseError,
    RestartAttempted,
    StartAttempted,
    StreamingState,
    StreamingTransition,
    SupervisorEvent,
    Unreachable,
)
from maia_async.cli.data import as_json, camel


def words_of(event: SupervisorEvent) -> str:
    """One line, without the pipeline's name; it may hold text from outside."""
    match event:
        case StreamingTransition(previous=None):
            return event.current.value
        case StreamingTransition():
            return f"{event.current.value} {brief_of(event)}"
        case StartAttempted():
            return _attempt("start", "ed", event)
        case RestartAttempted():
            # The words are for whoever reads along: a delay that nobody feels is not worth them. The JSON has it.
            waited = f"after {duration(event.delay)}: " if event.delay >= 0.05 else ""
            return waited + _attempt(f"restart {event.attempt}", " accepted", event)
        case GaveUp(error=None):
            return f"given up: dropped after {_count(event.restarts, 'restart')} in {duration(event.within)}"
        case GaveUp():
            return f"given up: {_why(event.error)}"
        case ExternallyStopped():
            return f"stopped by somebody else{', left so' if event.respected else ': restarting'}"
        case Flapping():
            return f"flapping: {_count(event.drops, 'drop')} in {duration(event.within)}"
        case Unreachable():
            lasted = f" for {duration(event.seconds)}" if event.seconds else ""  # a read that was refused is told at once
            return f"unreachable{lasted}" + (f": {_why(event.error)}" if event.error is not None else "")
        case ReachableAgain():
            return f"reachable again: {event.current.value}"
        case _:
            return type(event).__name__


def brief_of(event: SupervisorEvent) -> str:
    """The same beside the state, which a transition then need not repeat."""
    if isinstance(event, StreamingTransition) and event.previous is not None:
        return f"after {duration(event.duration or 0)} {event.previous.value}"
    return "" if isinstance(event, StreamingTransition) else words_of(event)


def style_of(event: SupervisorEvent) -> str:
    """A style of rich."""
    if isinstance(event, GaveUp):
        return "red"
    return "yellow" if isinstance(event, RestartAttempted | ExternallyStopped | Flapping | Unreachable) else ""


def is_notable(event: SupervisorEvent) -> bool:
    """As the table of this module says."""
    if isinstance(event, StreamingTransition):
        return event.previous is not None and event.current is StreamingState.NOT_RUNNING
    return not (isinstance(event, StartAttempted) and event.accepted)


def document_of_event(event: SupervisorEvent, name: str) -> dict[str, Any]:
    """One JSON line: the event's kind, the pipeline, and the event's own fields, those that are None left out."""
    fields = {item.name: getattr(event, item.name) for item in attrs.fields(type(event))}
    own = {
        key: str(value) if isinstance(value, BaseException) else value for key, value in fields.items() if key not in {"at", "pipeline_id"}
    }
    document = {"event": type(event).__name__, "at": as_json(event.at), "streamingPipelineId": event.pipeline_id, "name": name}
    return {**document, **{camel(key): as_json(value) for key, value in own.items() if value is not None}}


def duration(seconds: float) -> str:
    """0.8 s, 12 s, 5 min, 3 min 12 s, 2 h 5 min, 3 d 2 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    for unit, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def _attempt(what: str, done: str, event: StartAttempted | RestartAttempted) -> str:
    if event.accepted:
        return what + done
    return f"{what} {'refused' if event.accepted is False else 'sent, outcome unknown'}: {_why(event.error)}"


def _why(error: BaseException | None) -> str:
    if isinstance(error, ResponseError):
        return f"{error.status} {error.problem}".rstrip()  # which request it was, the line says
    return str(error) if error is not None else "no reason was given"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
