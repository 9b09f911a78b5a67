"""Open enums: the API's words in any letter case, and words that we have never seen kept as they came; nothing is refused.

The API adds values without notice and its sources disagree about the case, so a closed enum would turn a new word
into a crash in the middle of a wait.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """A str enum that makes a member of its own for an unknown word; members compare equal to their plain text."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        known = cls.__members__.get(value.upper().replace("-", "_"))
        if known is not None:
            return known
        # Not stored in the class: a server that sends a new word in every answer must not make it grow.
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    def __reduce_ex__(self, _: object) -> tuple[type[Self], tuple[str]]:
        # By value: Python 3.11.0 to 3.11.3 pickle and copy a member by its name, and the class knows no unknown one.
        return type(self), (self.value,)

    @property
    def is_known(self) -> bool:
        """Whether this is one of the words that we know."""
        return type(self).__members__.get(self._name_) is self


class ExecutionStatus(OpenEnum):
    """The status of a pipeline execution (guide "Executing and managing a pipeline"; UNKNOWN from the list filter)."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"
    FORBIDDEN = "FORBIDDEN"
    UNKNOWN = "UNKNOWN"

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended. A word that we have never seen is not an end."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {
        ExecutionStatus.SUCCESS,
        ExecutionStatus.FAILED,
        ExecutionStatus.CANCELLED,
        ExecutionStatus.SKIPPED,
        ExecutionStatus.FORBIDDEN,
    }
)


class ExecutionTrigger(OpenEnum):
    """What started a run (reference page of the execution details)."""

    DESIGNER = "DESIGNER"
    API = "API"
    SCHEDULE = "SCHEDULE"
    SCHEDULE_RUN_NOW = "SCHEDULE_RUN_NOW"
    UNKNOWN = "UNKNOWN"


class OutcomeState(StrEnum):
    """What became of one request of a batch; ours, hence closed.

    The first five are the run's own end. REJECTED: the trigger was refused. LEFT_RUNNING: the id is known, the end was not
    seen. UNKNOWN: we cannot tell whether it ran. NOT_STARTED: it was read from the input and never landed.
    """

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"
    FORBIDDEN = "FORBIDDEN"
    REJECTED = "REJECTED"
    LEFT_RUNNING = "LEFT_RUNNING"
    UNKNOWN = "UNKNOWN"
    NOT_STARTED = "NOT_STARTED"
