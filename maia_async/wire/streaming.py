"""The operations on streaming pipelines as RequestSpecs, and the reading of their answers; no I/O.

Paths and fields: API survey, section 3. Commands go out in upper case (operation `commandStreamingPipeline`); the guide prints lower case,
and 200 instead of 202: any 2xx is success. A create has no idempotency key and a command changes a state, so neither is repeatable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from maia_async.errors import DecodeError
from maia_async.models.streaming import StreamingPipelineDefinition, StreamingState
from maia_async.wire.operations import Query
from maia_async.wire.requests import RequestSpec
from maia_async.wire.segments import segment

Command = Literal["START", "STOP"]


def list_streaming_pipelines(project_id: str, query: Query = ()) -> RequestSpec:
    """GET /v1/projects/{projectId}/streaming-pipelines."""
    return RequestSpec(method="GET", path=_pipelines(project_id), query=query, repeatable=True)


def create_streaming_pipeline(project_id: str, document: Mapping[str, Any]) -> RequestSpec:
    """POST /v1/projects/{projectId}/streaming-pipelines."""
    return RequestSpec(method="POST", path=_pipelines(project_id), json=document)


def get_streaming_pipeline(project_id: str, pipeline_id: str) -> RequestSpec:
    """GET …/{streamingPipelineId}."""
    return RequestSpec(method="GET", path=_pipeline(project_id, pipeline_id), repeatable=True)


def replace_streaming_pipeline(project_id: str, pipeline_id: str, document: Mapping[str, Any]) -> RequestSpec:
    """PUT …/{streamingPipelineId}: the full definition."""
    return RequestSpec(method="PUT", path=_pipeline(project_id, pipeline_id), json=document, repeatable=True)


def delete_streaming_pipeline(project_id: str, pipeline_id: str) -> RequestSpec:
    """DELETE …/{streamingPipelineId} (the vendor's Terraform provider; 204)."""
    return RequestSpec(method="DELETE", path=_pipeline(project_id, pipeline_id), repeatable=True)


def streaming_pipeline_status(project_id: str, pipeline_id: str) -> RequestSpec:
    """GET …/{streamingPipelineId}/status."""
    return RequestSpec(method="GET", path=f"{_pipeline(project_id, pipeline_id)}/status", repeatable=True)


def command_streaming_pipeline(project_id: str, pipeline_id: str, command: Command) -> RequestSpec:
    """POST …/{streamingPipelineId}/commands. A START that landed twice is a 409, which the caller sorts out."""
    return RequestSpec(method="POST", path=f"{_pipeline(project_id, pipeline_id)}/commands", json={"command": command})


def read_state(data: Any) -> StreamingState:
    """The state in an answer of the status operation: {"status": …}, or a bare text. Raises DecodeError."""
    word = data.get("status") if isinstance(data, Mapping) else data
    if isinstance(data, Mapping) and isinstance(data.get("result"), Mapping) and word is None:
        word = data["result"].get("status")
    if not isinstance(word, str) or not word:
        raise DecodeError(["$.status: expected text"])
    return StreamingState(word)


def read_definition(data: Any) -> StreamingPipelineDefinition:
    """A definition that the API answers with; whatever it holds is kept. Raises DecodeError."""
    if not isinstance(data, Mapping):
        raise DecodeError(["$: expected an object"])
    return StreamingPipelineDefinition.from_dict(data)


def _pipelines(project_id: str) -> str:
    return f"/v1/projects/{segment(project_id, name='project_id')}/streaming-pipelines"


def _pipeline(project_id: str, pipeline_id: str) -> str:
    return f"{_pipelines(project_id)}/{segment(pipeline_id, name='streaming_pipeline_id')}"
