"""Iterates over the observed changes of one execution. It looks only while somebody awaits the next change."""

from __future__ import annotations

from typing import Any

from maia_async.errors import MaiaError
from maia_async.models import ExecutionDetails
from maia_async.resources.handover import about
from maia_async.watching.watched import Watched
from maia_async.watching.watcher import Watcher


class Watch:
    """An async iterator of ExecutionDetails: the state at the first look, then every observed change, the last one being the end.

    Raises what `PipelineExecution.wait` raises, but an unsuccessful end is a value here. The last 64 changes are kept for a slow reader.
    """

    def __init__(self, watcher: Watcher, watched: Watched, execution: object) -> None:
        self._watcher = watcher
        self._watched = watched
        self._execution = execution
        self._version = 0
        self._ended = False
        watched.keep_changes()

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> ExecutionDetails:
        if self._ended:
            raise StopAsyncIteration
        try:
            await self._watcher.wait(self._watched, self._has_change)
        except MaiaError as error:
            raise about(error, self._execution) from error.__cause__
        change = self._watched.change_after(self._version)
        if change is None:
            raise AssertionError("the watcher saw a change that was not kept")
        self._version, sighting = change
        self._ended = sighting.ends
        value: ExecutionDetails = sighting.value(self._watched)
        return value

    def _has_change(self, watched: Any) -> bool:
        return watched.change_after(self._version) is not None
