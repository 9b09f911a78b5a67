"""The table of what may be written next, and the one of what a resumed batch does: a test row for each line."""

from __future__ import annotations

import pytest
from orchestration.journal.kit import outcome, request

from maia_async.models import OutcomeState
from maia_async.orchestration.journal.rows import Resume, Row
from maia_async.orchestration.journal.steps import Stage, Standing, may_end, may_intend, may_start

ENDED = [state for state in OutcomeState if state.name not in {"NOT_STARTED", "UNKNOWN", "LEFT_RUNNING"}]
# the row, then: intent with the same text, with another, started with the same id, with another, ended with the same id, with another,
# ended as refused
ROWS: list[tuple[Standing | None, str]] = [
    (None, "yy nn yyy"),
    (Standing(Stage.PLANNED, text="same"), "yy nn yyy"),
    (Standing(Stage.INTENT, text="same"), "yn yy yyy"),
    (Standing(Stage.INTENT, text="same", again=True), "yn yy yyn"),
    (Standing(Stage.STARTED, None, "same", "same"), "nn yn ynn"),
    (Standing(Stage.DONE, OutcomeState.NOT_STARTED, None, "same"), "yy nn yyy"),
    (Standing(Stage.DONE, OutcomeState.UNKNOWN, None, "same"), "nn yy yyy"),
    (Standing(Stage.DONE, OutcomeState.LEFT_RUNNING, "same", "same"), "nn yn ynn"),
    *((Standing(Stage.DONE, state, "same", "same"), "nn nn nnn") for state in ENDED),
]


@pytest.mark.parametrize(("found", "answers"), ROWS)
def test_what_may_be_written_next(found: Standing | None, answers: str) -> None:
    said = [rule(found, text) for rule in (may_intend, may_start) for text in ("same", "other")]
    said += [may_end(found, text, OutcomeState.SUCCESS) for text in ("same", "other")]
    said.append(may_end(found, None, OutcomeState.REJECTED) and may_end(found, None, OutcomeState.NOT_STARTED))
    assert said == [answer == "y" for answer in answers.replace(" ", "")]


def test_a_known_id_is_not_forgotten_by_an_outcome() -> None:
    assert not may_end(Standing(Stage.STARTED, None, "e-1"), None, OutcomeState.UNKNOWN)
    assert may_end(Standing(Stage.INTENT), None, OutcomeState.UNKNOWN)


@pytest.mark.parametrize(
    ("stage", "state", "resume"),
    [
        (Stage.PLANNED, None, Resume.RUN),
        (Stage.INTENT, None, Resume.LOOK_UP),
        (Stage.STARTED, None, Resume.ATTACH),
        (Stage.DONE, OutcomeState.NOT_STARTED, Resume.RUN),
        (Stage.DONE, OutcomeState.LEFT_RUNNING, Resume.ATTACH),
        (Stage.DONE, OutcomeState.UNKNOWN, Resume.REPLAY),
        *((Stage.DONE, state, Resume.REPLAY) for state in ENDED),
    ],
)
def test_what_a_resumed_batch_does(stage: Stage, state: OutcomeState | None, resume: Resume) -> None:
    told = None if state is None else outcome(0, state)
    row = Row(index=0, request=request(), given=request(), digest=b"", stage=stage, outcome=told)
    assert row.resume is resume
