"""The streaming pipelines of a project: list, find, create. A create is sent once; when its answer is lost, the list is asked.

    the POST's end                          then
    2xx with an id                          the handle
    refused, or never sent                  the error
    ambiguous (wire/landing.py), and the    for `TriggerPolicy.settle` seconds the list is read, through failures of its own:
      list shows by that name
        one with our definition             adopted: the handle. A row may show less than was sent: then it is read by its id
        several with our definition         CreateOutcomeUnknown with their ids
        none with ours, to the end          CreateOutcomeUnknown with the ids of the others, if any; it was not sent again

A `create` that is cancelled before its POST goes out is withdrawn. Later it goes on for at most 10 s in a task of the client, so that the
id is told: StreamingPipelineCreated to the observers, and a line in the log. Not told apart: a pipeline that somebody else made of the
same definition under the same name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio
from attrs import define

from maia_async.clock import utc_now
from maia_async.errors import CreateOutcomeUnknown, DecodeError, InvalidRequest, MaiaError
from maia_async.events import StreamingPipelineCreated
from maia_async.governor import Lane
from maia_async.logs import logger
from maia_async.models.streaming import StreamingPipelineDefinition
from maia_async.resources.lists import by_name, pager
from maia_async.resources.pager import Pager
from maia_async.resources.runtime import Runtime
from maia_async.resources.streaming import StreamingPipeline, check_definition, stream_of
from maia_async.tasks import sheltered
from maia_async.wire import streaming
from maia_async.wire.bodies import decoded
from maia_async.wire.landing import Landing, landing_of
from maia_async.wire.paging import PAGE_SIZE

LOOK_AGAIN: Final = 2.0
LAST_LOOK: Final = 5.0  # for a look at the list that began before the end of `settle`


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
        name, document, doubt = definition.name or "", definition.to_dict(), Doubt()
        coroutine = self._create(name, document, doubt)
        pipeline_id = await sheltered(self._runtime.owner, coroutine, name="create", sent=lambda: doubt.sent, orphan=_tell)
        return stream_of(self._runtime, self._project_id, pipeline_id, created_at=created)

    async def _create(self, name: str, document: Mapping[str, Any], doubt: Doubt) -> str:
        try:
            pipeline_id = await self._post(name, document, doubt)
        except asyncio.CancelledError:
            # Of this task, which is ours: the client was closed, or the bound of a cancelled caller has passed.
            if not doubt.sent:
                raise
            raise CreateOutcomeUnknown(name) from None
        if self._runtime.observers:
            event = StreamingPipelineCreated(at=utc_now(), project_id=self._project_id, pipeline_id=pipeline_id, name=name)
            self._runtime.observers.emit(event)
        return pipeline_id

    async def _post(self, name: str, document: Mapping[str, Any], doubt: Doubt) -> str:
        spec = streaming.create_streaming_pipeline(self._project_id, document)
        try:
            reply = await self._runtime.exchange.call(spec, Lane.TRIGGER, in_doubt=doubt)
            return decoded(spec, reply, _created_id)
        except MaiaError as error:
            if not doubt.sent or landing_of(error) is not Landing.AMBIGUOUS:
                raise
            lost = error
        return await self._look_for(name, document, lost)

    async def _look_for(self, name: str, document: Mapping[str, Any], lost: MaiaError) -> str:
        deadline = anyio.current_time() + self._runtime.settle
        others: set[str] = set()
        while True:
            found: Sequence[StreamingPipelineDefinition] = ()
            with anyio.CancelScope(deadline=deadline + LAST_LOOK):
                found = await self._called(name)
            ours = [str(one.streaming_pipeline_id) for one in found if await self._is_ours(document, one)]
            if len(ours) == 1:
                return ours[0]
            others |= {str(one.streaming_pipeline_id) for one in found}
            if ours or anyio.current_time() >= deadline:
                raise CreateOutcomeUnknown(name, candidates=ours or sorted(others)) from lost
            await anyio.sleep(min(LOOK_AGAIN, self._runtime.settle))

    async def _is_ours(self, document: Mapping[str, Any], found: StreamingPipelineDefinition) -> bool:
        if _is(document, found):
            return True
        if not _is(document, found, partly=True):
            return False
        try:
            return _is(document, await stream_of(self._runtime, self._project_id, str(found.streaming_pipeline_id)).definition())
        except MaiaError as error:
            logger.warning("cannot read %s after a lost answer to create(): %s", found.streaming_pipeline_id, error)
            return False

    async def _called(self, name: str) -> Sequence[StreamingPipelineDefinition]:
        """Those of that name; none when the list cannot be read, which is no answer either."""
        try:
            return [one async for one in self.list() if one.name == name and one.streaming_pipeline_id]
        except MaiaError as error:
            logger.warning("cannot read the list after a lost answer to create(): %s", error)
            return []


@define
class Doubt:
    """Whether a POST may have landed, as the exchange tells it."""

    sent: bool = False

    def __call__(self, sent: bool) -> None:
        """Told before and after each attempt."""
        self.sent = sent


def _is(document: Mapping[str, Any], found: StreamingPipelineDefinition, *, partly: bool = False) -> bool:
    try:
        return same(document, found.to_dict(), partly=partly)
    except InvalidRequest:
        return False  # it shows a text where we sent a reference


def same(ours: Any, theirs: Any, *, partly: bool = False) -> bool:
    """Whether `theirs` is what `ours` would look like when the API tells it: more keys, and texts in other letters, are no difference.

    partly: nor are fewer keys.
    """
    if isinstance(ours, Mapping):
        if not isinstance(theirs, Mapping):
            return False
        return all(same(value, theirs[key], partly=partly) if key in theirs else partly for key, value in ours.items())
    if isinstance(ours, list):
        alike = isinstance(theirs, list) and len(ours) == len(theirs)
        return alike and all(same(mine, other, partly=partly) for mine, other in zip(ours, theirs, strict=True))
    return str(ours).casefold() == str(theirs).casefold()


def _created_id(data: Any) -> str:
    found = streaming.read_definition(data).streaming_pipeline_id
    if not isinstance(found, str) or not found:
        raise DecodeError(["$.streamingPipelineId: expected text"])
    return found


def _tell(task: asyncio.Task[str]) -> None:
    if task.cancelled():
        return  # withdrawn
    error = task.exception()
    if error is None:
        logger.warning("create() was cancelled after its POST had gone out: streaming pipeline %s was created", task.result())
    elif isinstance(error, CreateOutcomeUnknown):
        # Not for how long: its lookup may have come to an end before the bound, and closing the client ends it earlier still.
        logger.warning("create() was cancelled after its POST had gone out, and no answer settled what became of it: %s", error)
