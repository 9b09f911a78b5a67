"""The streaming pipelines of a project: list, find, create. A create is sent once; when its answer is lost, the list is asked.

    the POST's end                          then
    2xx with an id                          the handle
    refused, or never sent                  the error
    ambiguous (wire/landing.py), and the    for `TriggerPolicy.settle` seconds the list is read:
      list shows by that name
        one with our definition             adopted: the handle
        several, or one with another        CreateOutcomeUnknown with their ids
        none, to the end                    CreateOutcomeUnknown without any; it was not sent again

A cancelled `create` goes on for at most 10 s in a task of the client, so that the id is told: StreamingPipelineCreated to the observers,
and a line in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

import anyio
from attrs import define

from maia_async.clock import utc_now
from maia_async.errors import CreateOutcomeUnknown, DecodeError, MaiaError
from maia_async.events import StreamingPipelineCreated
from maia_async.exchange import decoded
from maia_async.governor import Lane
from maia_async.models.streaming import StreamingPipelineDefinition
from maia_async.resources.lists import PAGE_SIZE, by_name, pager
from maia_async.resources.pager import Pager
from maia_async.resources.runtime import Runtime
from maia_async.resources.streaming import StreamingPipeline, check_definition, stream_of
from maia_async.tasks import sheltered
from maia_async.wire import streaming
from maia_async.wire.landing import Landing, landing_of

FINISH_BOUND: Final = 10.0
logger = logging.getLogger("maia_async")


@define(slots=True, repr=False)
class StreamingPipelines:
    """The streaming pipelines of one project."""

    _runtime: Runtime
    _project_id: str

    def list(self, *, page_size: int = PAGE_SIZE) -> Pager[StreamingPipelineDefinition]:
        """All definitions, with their `streaming_pipeline_id`."""
        return pager(
            self._runtime,
            lambda query: streaming.list_streaming_pipelines(self._project_id, query),
            StreamingPipelineDefinition,
            lambda definition: definition.streaming_pipeline_id,
            size=page_size,
        )

    async def get(self, name: str) -> StreamingPipeline:
        """The pipeline called `name`. Raises NotFound, or MisuseError when several are called so."""
        path = f"/v1/projects/{self._project_id}/streaming-pipelines"
        found = await by_name(self.list(), name, what="streaming pipeline", path=path)
        if found.streaming_pipeline_id is None:
            raise DecodeError(["$.results: a streaming pipeline without streamingPipelineId"], method="GET", path=path)
        return stream_of(self._runtime, self._project_id, found.streaming_pipeline_id)

    async def create(self, definition: StreamingPipelineDefinition) -> StreamingPipeline:
        """Create a pipeline and return its handle; it does not run yet.

        Raises InvalidRequest with every problem before anything is sent, BadRequest with the same dotted paths, and CreateOutcomeUnknown
        when it may have been created and cannot be told from others: it is never sent again.
        """
        check_definition(definition)
        created = asyncio.get_running_loop().time()
        pipeline_id = await sheltered(
            self._runtime.owner, self._create(definition.name or "", definition.to_dict()), name="create", bound=FINISH_BOUND, orphan=_tell
        )
        return stream_of(self._runtime, self._project_id, pipeline_id, created_at=created)

    async def _create(self, name: str, document: Mapping[str, Any]) -> str:
        spec = streaming.create_streaming_pipeline(self._project_id, document)
        in_doubt = False

        def doubt(sent: bool) -> None:
            nonlocal in_doubt
            in_doubt = sent

        try:
            reply = await self._runtime.exchange.call(spec, Lane.TRIGGER, in_doubt=doubt)
            pipeline_id = decoded(spec, reply, _created_id)
        except MaiaError as error:
            if not in_doubt or landing_of(error) is not Landing.AMBIGUOUS:
                raise
            pipeline_id = await self._look_for(name, document, error)
        if self._runtime.observers:
            event = StreamingPipelineCreated(at=utc_now(), project_id=self._project_id, pipeline_id=pipeline_id, name=name)
            self._runtime.observers.emit(event)
        return pipeline_id

    async def _look_for(self, name: str, document: Mapping[str, Any], lost: MaiaError) -> str:
        deadline = anyio.current_time() + self._runtime.settle
        while True:
            found = [one async for one in self.list() if one.name == name and one.streaming_pipeline_id]
            ours = [one for one in found if same(document, one.to_dict())]
            if len(found) == 1 and ours:
                return str(ours[0].streaming_pipeline_id)
            late = anyio.current_time() >= deadline
            if found or late:
                raise CreateOutcomeUnknown(name, candidates=[str(one.streaming_pipeline_id) for one in found]) from lost
            await anyio.sleep(min(2.0, self._runtime.settle))


def same(ours: Any, theirs: Any) -> bool:
    """Whether `theirs` is what `ours` would look like when the API tells it: more keys, and texts in other letters, are no difference."""
    if isinstance(ours, Mapping):
        return isinstance(theirs, Mapping) and all(key in theirs and same(value, theirs[key]) for key, value in ours.items())
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    return str(ours).casefold() == str(theirs).casefold()


def _created_id(data: Any) -> str:
    found = streaming.read_definition(data).streaming_pipeline_id
    if not isinstance(found, str) or not found:
        raise DecodeError(["$.streamingPipelineId: expected text"])
    return found


def _tell(task: asyncio.Task[str]) -> None:
    if task.cancelled():
        logger.warning("create() was cancelled and its answer did not come within %g s: the pipeline may exist", FINISH_BOUND)
    elif task.exception() is None:
        logger.warning("create() was cancelled after its POST had gone out: streaming pipeline %s was created", task.result())
