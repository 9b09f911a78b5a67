"""A row as it was read back, and what a resumed batch does with it; decoding and one pure table, no I/O.

the row                                      on resuming
PLANNED; DONE as NOT_STARTED                 RUN        nothing was sent, or what was sent is known not to have landed
INTENT                                       LOOK_UP    its POST may have landed
STARTED; DONE as LEFT_RUNNING                ATTACH     by its id
DONE as anything else, also as UNKNOWN       REPLAY     the outcome is given again, marked
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final

from attrs import evolve, frozen

from maia_async.errors import JournalMismatch
from maia_async.models import AUTO, ExecutionRequest, OutcomeState
from maia_async.orchestration.journal.steps import Stage
from maia_async.orchestration.journal.values import details_of, differing, digest_of, error_of, form_of, request_of, to_json, unescaped
from maia_async.orchestration.outcomes import Outcome

_AGAIN: Final = "sentAgain"


class Resume(Enum):
    """What a resumed batch does with a row."""

    RUN = "send it"
    LOOK_UP = "find out whether it landed"
    ATTACH = "await its run"
    REPLAY = "give its outcome again"


@frozen(kw_only=True)
class Row:
    """One request of an earlier process.

    request: with the tag that was sent. given: as the caller gave it. server_time, last_time: see `Intent`. sent_at (of the last POST),
    started_at: our wall clock.
    """

    index: int
    request: ExecutionRequest
    given: ExecutionRequest
    digest: bytes
    stage: Stage
    server_time: float | None = None
    last_time: float | None = None
    sent_at: datetime | None = None
    execution_id: str | None = None
    started_at: datetime | None = None
    outcome: Outcome | None = None

    @property
    def resume(self) -> Resume:
        """What to do with it; see the table of this module."""
        state = None if self.outcome is None else self.outcome.state
        if self.stage is Stage.PLANNED or state is OutcomeState.NOT_STARTED:
            return Resume.RUN
        if self.stage is Stage.INTENT:
            return Resume.LOOK_UP
        return Resume.ATTACH if self.stage is Stage.STARTED or state is OutcomeState.LEFT_RUNNING else Resume.REPLAY

    def check(self, request: ExecutionRequest, *, path: str) -> None:
        """Raises JournalMismatch when `request`, as the caller gives it now, is another one."""
        form = form_of(request)
        if digest_of(to_json(form)) != self.digest:
            raise mismatch(self.index, differing(form_of(self.given), form), path=path)


def mismatch(index: int, fields: Sequence[str], *, path: str) -> JournalMismatch:
    """The refusal of another request in the place of one that the journal has."""
    reason = (
        f"has another request at index {index} (differing: {', '.join(fields)}): resume with the input that it was made from, "
        "or give a new journal"
    )
    return JournalMismatch(reason, path=path, index=index, fields=fields)


def row_of(cells: Sequence[Any]) -> Row:
    """A row of the table. Raises what decoding raises: ValueError, TypeError, KeyError, MaiaError."""
    index, text, auto, digest, stage, server_time, sent_at, execution_id, started_at, state, told, triggered_at, finished_at = cells
    form = json.loads(text)
    request = request_of(form)
    given = evolve(request, execution_tag=AUTO) if auto else request
    if digest_of(to_json(form_of(given))) != digest:
        raise ValueError("the request does not fit its digest")
    execution_id = None if execution_id is None else unescaped(execution_id)
    outcome = None
    if state is not None:
        more = json.loads(told)
        outcome = Outcome(
            index=index,
            request=request,
            state=OutcomeState(state),
            execution_id=execution_id,
            details=details_of(more.get("details")),
            error=error_of(more.get("error")),
            candidates=tuple(more.get("candidates", ())),
            triggered_at=_moment(triggered_at),
            finished_at=_moment(finished_at),
            replayed=True,
        )
    return Row(
        index=index,
        request=request,
        given=given,
        digest=digest,
        stage=Stage(stage),
        server_time=server_time,
        last_time=_last_of(told) if stage == Stage.INTENT else None,
        sent_at=_moment(sent_at),
        execution_id=execution_id,
        started_at=_moment(started_at),
        outcome=outcome,
    )


def again_text(last: float) -> str:
    """What an INTENT has in the place of an outcome when its POST is sent again: when, by the server's clock."""
    return to_json({_AGAIN: last})


def _last_of(told: str | None) -> float | None:
    return None if told is None else float(json.loads(told)[_AGAIN])


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
