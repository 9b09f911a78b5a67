"""The operations on streaming pipelines: each request as the API survey has it, and each shape of answer."""

from __future__ import annotations

from typing import Any

import pytest

from maia_async import DecodeError, InvalidRequest, StreamingPipelineDefinition, StreamingState
from maia_async.wire import streaming
from maia_async.wire.requests import RequestSpec

ROOT = "/v1/projects/p/streaming-pipelines"


@pytest.mark.parametrize(
    ("spec", "method", "path", "body", "repeatable"),
    [
        (streaming.list_streaming_pipelines("p"), "GET", ROOT, None, True),
        (streaming.create_streaming_pipeline("p", {"name": "n"}), "POST", ROOT, {"name": "n"}, False),
        (streaming.get_streaming_pipeline("p", "s"), "GET", f"{ROOT}/s", None, True),
        (streaming.replace_streaming_pipeline("p", "s", {"name": "n"}), "PUT", f"{ROOT}/s", {"name": "n"}, True),
        (streaming.delete_streaming_pipeline("p", "s"), "DELETE", f"{ROOT}/s", None, True),
        (streaming.streaming_pipeline_status("p", "s"), "GET", f"{ROOT}/s/status", None, True),
        (streaming.command_streaming_pipeline("p", "s", "START"), "POST", f"{ROOT}/s/commands", {"command": "START"}, False),
        (streaming.command_streaming_pipeline("p", "s", "STOP"), "POST", f"{ROOT}/s/commands", {"command": "STOP"}, False),
    ],
)
def test_each_operation_is_one_request(spec: RequestSpec, method: str, path: str, body: Any, repeatable: bool) -> None:
    """What changes a state and has no idempotency key is never sent again by itself."""
    assert (spec.method, spec.path, spec.json, spec.repeatable) == (method, path, body, repeatable)


def test_a_list_takes_its_page() -> None:
    assert streaming.list_streaming_pipelines("p", (("page", "1"),)).query == (("page", "1"),)


def test_ids_are_data_in_the_path() -> None:
    assert streaming.streaming_pipeline_status("a/b", "c?d#..").path == "/v1/projects/a%2Fb/streaming-pipelines/c%3Fd%23../status"
    for wrong in ("", ".", ".."):
        with pytest.raises(InvalidRequest, match="streaming_pipeline_id"):
            streaming.get_streaming_pipeline("p", wrong)
        with pytest.raises(InvalidRequest, match="project_id"):
            streaming.list_streaming_pipelines(wrong)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        *(({"status": state.value}, state) for state in StreamingState),
        *(({"status": state.value.lower()}, state) for state in StreamingState),
        ({"status": "Not-Running"}, StreamingState.NOT_RUNNING),
        ({"result": {"status": "streaming"}}, StreamingState.STREAMING),
        ("STOPPING", StreamingState.STOPPING),
    ],
)
def test_a_state_is_read_in_every_shape_and_case(answer: Any, state: StreamingState) -> None:
    assert streaming.read_state(answer) is state


def test_a_state_that_nobody_knows_is_kept_as_it_came() -> None:
    word = streaming.read_state({"status": "Paused"})
    assert (word, word.is_known, word.is_running) == ("Paused", False, False)


@pytest.mark.parametrize("answer", [{}, {"status": None}, {"status": ""}, {"status": 5}, {"result": {}}, {"result": []}, [], None, 5, ""])
def test_an_answer_without_a_state_is_a_decode_error_with_its_path(answer: Any) -> None:
    with pytest.raises(DecodeError, match=r"\$\.status: expected text"):
        streaming.read_state(answer)


@pytest.mark.parametrize("state", StreamingState)
def test_which_states_are_running(state: StreamingState) -> None:
    assert state.is_running is (state.value in {"STARTING", "SNAPSHOTTING", "STREAMING"})


def test_a_definition_is_read_whatever_it_holds() -> None:
    found = streaming.read_definition({"streamingPipelineId": "s", "name": 5, "streamingSource": "x", "future": [1]})
    assert found.streaming_pipeline_id == "s"
    assert found.to_dict() == {"name": 5, "streamingSource": "x", "future": [1]}
    assert streaming.read_definition({}) == StreamingPipelineDefinition()


@pytest.mark.parametrize("answer", [None, [], "text", 5])
def test_an_answer_that_is_no_definition_is_a_decode_error(answer: Any) -> None:
    with pytest.raises(DecodeError, match=r"\$: expected an object"):
        streaming.read_definition(answer)
