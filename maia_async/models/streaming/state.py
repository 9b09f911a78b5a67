"""The states of a streaming pipeline: an open enum in any letter case. What a change of state means is decided elsewhere."""

from __future__ import annotations

from maia_async.models.enums import OpenEnum


class StreamingState(OpenEnum):
    """A state as the status operation prints it (reference: upper case, guide: lower case).

    There is no FAILED: a stream that dies shows NOT_RUNNING, which is also what one shows before it starts.
    """

    STARTING = "STARTING"
    SNAPSHOTTING = "SNAPSHOTTING"
    STREAMING = "STREAMING"
    STOPPING = "STOPPING"
    NOT_RUNNING = "NOT_RUNNING"
    UNKNOWN = "UNKNOWN"

    @property
    def is_running(self) -> bool:
        """Whether the pipeline runs or is about to: a START would be refused."""
        return self in {StreamingState.STARTING, StreamingState.SNAPSHOTTING, StreamingState.STREAMING}
