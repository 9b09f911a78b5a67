"""The life of one execution, computed from its plan when it is asked for; no timer, no clock, no HTTP.

A run is created with its end planned. Events change the plan; the status follows from the plan and `now`:

    | plan                               | now                     | status                                  |
    | ---------------------------------- | ----------------------- | --------------------------------------- |
    | held at a word                     | any                     | the word (never a terminal one)         |
    | cancel accepted at c, done at d    | before d                | CANCELLING                              |
    | cancel accepted at c, done at d    | d and later             | CANCELLED                               |
    | ends at e                          | before e                | RUNNING                                 |
    | ends at e                          | e and later             | the outcome                             |

Events, all refused once the status is terminal:

    | event            | effect on the plan                                                               |
    | ---------------- | -------------------------------------------------------------------------------- |
    | cancel           | not held; done after the pipeline's cancel time; again: the earlier of both ends |
    | hold at a word   | held (CANCELLING and UNKNOWN are words too, and so is one that nobody knows)     |
    | release          | not held: the plan goes on as if it had never been                               |
    | finish           | ends now with this outcome; not held, no cancel                                  |

Whoever shows runs late (lists may) calls `remember` before an event, and reads the run `as_of` an earlier instant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import define, evolve

from maia_async.emulator.times import floored

TERMINAL: Final = frozenset({"SUCCESS", "FAILED", "CANCELLED", "SKIPPED", "FORBIDDEN"})
STATUSES: Final = TERMINAL | {"RUNNING", "CANCELLING", "UNKNOWN"}
# Until when it was in force; then held, cancel_done, ends, outcome and message.
Plan = tuple[float, str | None, float | None, float, str, str | None]
TRIGGERS: Final = ("DESIGNER", "API", "SCHEDULE", "SCHEDULE_RUN_NOW", "UNKNOWN")


@define(kw_only=True, eq=False)
class Run:
    """One execution on the server. Instants are API seconds in whole milliseconds.

    past: plans that were in force until the instant that each begins with. shelf: where the index of the list keeps it.
    """

    id: str
    sequence: int
    project_id: str
    pipeline_name: str
    environment_name: str
    created: float
    started: float
    ends: float
    outcome: str = "SUCCESS"
    message: str | None = None
    pipeline_type: str = "ORCHESTRATION"
    trigger: str = "API"
    schedule_id: str | None = None
    user: str | None = None
    agent_id: str | None = None
    version_name: str | None = None
    execution_tag: str | None = None
    scalar_variables: Mapping[str, str] | None = None
    grid_variables: Mapping[str, Sequence[Sequence[str]]] | None = None
    children: Mapping[str, str] | None = None
    held: str | None = None
    cancel_done: float | None = None
    past: tuple[Plan, ...] | None = None
    shelf: str = ""

    @property
    def key(self) -> tuple[float, int]:
        """The position in the list of executions: unique, and in the order of starts."""
        return self.started, self.sequence


def status_at(run: Run, now: float) -> str:
    """The first table above."""
    if run.held is not None:
        return run.held
    if run.cancel_done is not None:
        return "CANCELLING" if now < run.cancel_done else "CANCELLED"
    return "RUNNING" if now < run.ends else run.outcome


def is_terminal(run: Run, now: float) -> bool:
    """Whether the run has ended: from then on nothing changes it."""
    return run.held is None and now >= (run.ends if run.cancel_done is None else run.cancel_done)


def finished_at(run: Run, now: float) -> float | None:
    """When it ended, or None."""
    return end_of(run) if is_terminal(run, now) else None


def message_at(run: Run, now: float) -> str | None:
    """What Maia says about the end; nothing before it."""
    if not is_terminal(run, now):
        return None
    return "Cancelled by request" if run.cancel_done is not None else run.message


def end_of(run: Run) -> float | None:
    """When it ended or will end by its plan; None while it is held."""
    if run.held is not None:
        return None
    return run.ends if run.cancel_done is None else run.cancel_done


def last_word(run: Run) -> str:
    """The status that it has ended with, or will by its plan."""
    return run.outcome if run.cancel_done is None else "CANCELLED"


def remember(run: Run, now: float) -> None:
    """Keep the plan that is in force until now, for those who see the run late."""
    run.past = (*(run.past or ()), (floored(now), run.held, run.cancel_done, run.ends, run.outcome, run.message))


def as_of(run: Run, then: float) -> Run:
    """The run with the plan that was in force at that instant."""
    for until, held, cancel_done, ends, outcome, message in run.past or ():
        if then < until:
            return evolve(run, held=held, cancel_done=cancel_done, ends=ends, outcome=outcome, message=message)
    return run


def cancel(run: Run, now: float, *, seconds: float) -> None:
    """Accept a cancel that takes `seconds`. The run must not have ended."""
    run.held = None
    done = floored(now + seconds)
    run.cancel_done = done if run.cancel_done is None else min(run.cancel_done, done)


def hold(run: Run, word: str | None) -> None:
    """Hold at a word that is no end, or release with None. The run must not have ended."""
    run.held = word


def finish(run: Run, now: float, *, status: str, message: str | None) -> None:
    """End it now. The run must not have ended."""
    run.held = None
    run.cancel_done = None
    run.ends = max(floored(now), run.started)
    run.outcome = status
    run.message = message
