"""What may be written to a row next: one pure table, so that no bug of a caller makes a journal that says two things. No I/O.

    the row                    plan   intent              started             ended
    none                       yes    yes                 no                  yes
    PLANNED                    same   yes                 no                  yes
    INTENT                     same   with the same tag   yes                 yes
    INTENT, sent again         same   with the same tag   yes                 but as NOT_STARTED or REJECTED
    STARTED                    same   no                  with the same id    with the same id
    DONE as NOT_STARTED        same   yes                 no                  yes
    DONE as UNKNOWN            same   no                  yes                 yes
    DONE as LEFT_RUNNING       same   no                  with the same id    with the same id
    DONE as anything else      same   no                  no                  no

"same": nothing is changed by it. Sent again: while an earlier POST of it was in doubt, of which no refusal of a later one tells. UNKNOWN
never takes another intent: a second POST could be a second run. Once an id is known it stays. That the request is the same one is checked
before this, by its digest.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from maia_async.models import OutcomeState


class Stage(StrEnum):
    """How far a request has come. PLANNED: it was read. INTENT: its POST may be under way, or have been. DONE: it has an outcome."""

    PLANNED = "PLANNED"
    INTENT = "INTENT"
    STARTED = "STARTED"
    DONE = "DONE"


@frozen
class Standing:
    """A row as far as the table needs it. `text`: the request as it was announced, with its tag. `again`: an INTENT that was sent again."""

    stage: Stage
    state: OutcomeState | None = None
    execution_id: str | None = None
    text: str = ""
    again: bool = False


def may_intend(found: Standing | None, text: str) -> bool:
    """Whether a POST of the request `text` may be announced."""
    if found is None or found.stage is Stage.PLANNED or found.state is OutcomeState.NOT_STARTED:
        return True
    return found.stage is Stage.INTENT and found.text == text


def may_start(found: Standing | None, execution_id: str) -> bool:
    """Whether the run's id may be written."""
    return found is not None and _runs(found) and found.execution_id in {None, execution_id}


def may_end(found: Standing | None, execution_id: str | None, state: OutcomeState) -> bool:
    """Whether an outcome may be written; one of a run that never was has no id."""
    if found is None or found.stage is Stage.PLANNED or found.state is OutcomeState.NOT_STARTED:
        return True
    if found.again and state in {OutcomeState.NOT_STARTED, OutcomeState.REJECTED}:
        return False
    return _runs(found) and found.execution_id in {None, execution_id}


def _runs(found: Standing) -> bool:
    """Whether there is, or may be, a run whose end is not known."""
    return found.stage in {Stage.INTENT, Stage.STARTED} or found.state in {OutcomeState.UNKNOWN, OutcomeState.LEFT_RUNNING}
