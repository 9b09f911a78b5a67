"""The codec: every reading of the API, hostile answers with the path of what does not fit, and both JSON parsers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.errors import DecodeError, InvalidRequest
from maia_async.models import (
    AUTO,
    ChildPipeline,
    Environment,
    ExecutionDetails,
    ExecutionRequest,
    ExecutionStatus,
    ExecutionStep,
    ExecutionTrigger,
    Page,
    ProjectSummary,
    PublishedPipeline,
    StepResult,
)
from maia_async.wire import codec

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
FLAT = {
    "pipelineExecutionId": "e-1",
    "projectId": "p-1",
    "pipelineName": "Load",
    "environmentName": "Prod",
    "status": "FAILED",
    "message": "no such table",
    "startedAt": "2026-01-02T12:00:00Z",
    "finishedAt": "2026-01-02T12:00:10.5Z",
    "pipelineType": "ORCHESTRATION",
    "trigger": "SCHEDULE_RUN_NOW",
    "scheduleId": "s-1",
    "user": "me",
}
READ = ExecutionDetails(
    pipeline_execution_id="e-1",
    project_id="p-1",
    pipeline_name="Load",
    environment_name="Prod",
    status=ExecutionStatus.FAILED,
    message="no such table",
    started_at=NOON,
    finished_at=NOON + timedelta(seconds=10.5),
    pipeline_type="ORCHESTRATION",
    trigger=ExecutionTrigger.SCHEDULE_RUN_NOW,
    schedule_id="s-1",
    user="me",
)


@pytest.fixture(params=["orjson", "json"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers: the one of the `speed` extra, and the standard library's."""
    if request.param == "json":
        monkeypatch.setattr("maia_async.wire.codec.orjson", None)
    else:
        pytest.importorskip("orjson")
    return str(request.param)


def problems(call: Any, *args: Any, **kwargs: Any) -> tuple[str, ...]:
    with pytest.raises(DecodeError) as caught:
        call(*args, **kwargs)
    # A chained exception of the parser or of cattrs would print the data, and twice the text.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value.problems


# Execution details.


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(FLAT, id="flat"),
        pytest.param({"result": FLAT}, id="under result"),
        pytest.param({"result": FLAT, "status": "RUNNING", "message": "outer"}, id="under result, which wins"),
        pytest.param({**FLAT, "result": None}, id="flat beside a null result"),
        pytest.param({"projectId": "p-1", "result": {key: value for key, value in FLAT.items() if key != "projectId"}}, id="divided"),
        pytest.param({**FLAT, "brandNew": {"deep": [1]}, "": None, "pipeline_name": "snake"}, id="unknown fields"),
        pytest.param({**FLAT, "status": "failed", "trigger": "schedule-run-now"}, id="lower case"),
    ],
)
def test_details_are_read_flat_or_under_result_with_unknown_fields_ignored(data: Any) -> None:
    assert codec.details(data) == READ
    assert codec.peek(data) is ExecutionStatus.FAILED


def test_null_and_missing_are_the_same_and_an_empty_time_is_no_time() -> None:
    nulls = {**dict.fromkeys(FLAT), "startedAt": "", "finishedAt": ""}
    assert codec.details(nulls) == ExecutionDetails()
    assert codec.details({"status": None}) == ExecutionDetails()
    assert codec.peek(nulls) is ExecutionStatus.UNKNOWN


def test_ids_that_the_answer_leaves_out_are_filled_in_and_others_stay() -> None:
    filled = codec.details({"status": "RUNNING"}, project_id="p", execution_id="e")
    assert (filled.project_id, filled.pipeline_execution_id) == ("p", "e")
    told = codec.details({**FLAT, "pipelineExecutionId": "E-1"}, project_id="other", execution_id="e-1")
    assert (told.project_id, told.pipeline_execution_id) == ("p-1", "E-1")


def test_an_answer_about_another_execution_is_an_error() -> None:
    found = problems(codec.details, FLAT, execution_id="e-2")
    assert found == ("$.pipelineExecutionId: the answer is about another execution",)


def test_an_unknown_status_is_kept_as_it_came_and_is_no_end() -> None:
    found = codec.details({"status": "Paused"}).status
    assert (found.value, found.is_known, found.is_terminal) == ("Paused", False, False)
    assert codec.peek({"status": "Paused"}) == "Paused"


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-02T12:00:00Z", NOON),
        ("2026-01-02T12:00:00", NOON),
        ("2026-01-02 12:00:00", NOON),
        ("2026-01-02T14:00:00+02:00", NOON),
        ("2026-01-02T12:00:00.5Z", NOON + timedelta(seconds=0.5)),
        ("2026-01-02T12:00:00.123456Z", NOON + timedelta(microseconds=123_456)),
        ("2026-01-02T12:00:00.123456789Z", NOON + timedelta(microseconds=123_456)),
        (NOON.timestamp(), NOON),
        (int(NOON.timestamp()) * 1000, NOON),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_every_spelling_and_is_aware(written: Any, moment: datetime) -> None:
    found = codec.details({"status": "RUNNING", "startedAt": written}).started_at
    assert found == moment
    assert found is not None
    assert found.tzinfo is not None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "$: expected an object, found null"),
        ([], "$: expected an object, found an array"),
        ("RUNNING", "$: expected an object, found text"),
        (3, "$: expected an object, found a number"),
        (True, "$: expected an object, found true or false"),
        ({}, "$: none of the fields of an execution in it"),
        ({"hello": 1}, "$: none of the fields of an execution in it"),
        ({"result": {}}, "$: none of the fields of an execution in it"),
        ({"result": "RUNNING"}, "$: none of the fields of an execution in it"),
        ({"result": []}, "$: none of the fields of an execution in it"),
        ({"status": 3}, "$.status: expected text, found a number"),
        ({"status": ["RUNNING"]}, "$.status: expected text, found an array"),
        ({"status": {}}, "$.status: expected text, found an object"),
    ],
)
def test_what_is_no_execution_is_refused_by_details_and_peek_alike(data: Any, expected: str) -> None:
    assert problems(codec.details, data) == (expected,)
    assert problems(codec.peek, data) == (expected,)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"status": False}, "$.status: expected text, found true or false"),
        ({"pipelineName": 5}, "$.pipelineName: expected text, found a number"),
        ({"environmentName": {"name": "Prod"}}, "$.environmentName: expected text, found an object"),
        ({"message": ["a"]}, "$.message: expected text, found an array"),
        ({"trigger": 1.5}, "$.trigger: expected text, found a number"),
        ({"pipelineExecutionId": 7}, "$.pipelineExecutionId: expected text, found a number"),
        ({"startedAt": True}, "$.startedAt: expected text, found true or false"),
        ({"startedAt": {"seconds": 1}}, "$.startedAt: expected text, found an object"),
        ({"startedAt": "yesterday"}, "$.startedAt: Invalid isoformat string: 'yesterday'"),
        ({"finishedAt": "a @ b"}, "$.finishedAt: Invalid isoformat string: 'a @ b'"),
    ],
)
def test_a_field_of_the_wrong_type_is_named_by_its_path(change: dict[str, Any], expected: str) -> None:
    assert problems(codec.details, {**FLAT, **change}) == (expected,)
    assert problems(codec.details, {"result": {**FLAT, **change}}) == (expected.replace("$.", "$.result."),)
    rows = {"results": [FLAT, FLAT, FLAT, {**FLAT, **change}]}
    assert problems(codec.page, rows, ExecutionDetails) == (expected.replace("$.", "$.results[3]."),)


@pytest.mark.parametrize(
    "value", [1e300, -1e300, float("inf"), float("-inf"), float("nan"), 10**30, -(10**30), "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z"]
)
def test_a_number_or_a_date_that_is_no_time_is_refused(value: Any) -> None:
    (problem,) = problems(codec.details, {**FLAT, "startedAt": value})
    assert problem.startswith("$.startedAt: ")


def test_all_problems_come_at_once_and_not_more_than_twenty() -> None:
    both = problems(codec.details, {**FLAT, "message": 1, "user": 2})
    assert sorted(both) == ["$.message: expected text, found a number", "$.user: expected text, found a number"]
    assert len(problems(codec.page, [{"status": 1}] * 50, ExecutionDetails)) == 20


def test_the_duration_is_by_maias_own_clock_and_unknown_until_both_times_are() -> None:
    assert codec.details(FLAT).duration == 10.5
    assert codec.details({**FLAT, "finishedAt": None}).duration is None
    assert codec.details({**FLAT, "startedAt": None}).duration is None
    assert codec.details(FLAT).is_terminal
    assert not codec.details({**FLAT, "status": "CANCELLING"}).is_terminal


# The status, and the answer to a trigger.


@pytest.mark.parametrize(
    "data", ["SUCCESS", "success", {"status": "SUCCESS"}, {"result": {"status": "Success"}}, {"status": "SUCCESS", "result": None, "x": 1}]
)
def test_the_status_is_read_from_each_shape(data: Any) -> None:
    assert codec.status_only(data) is ExecutionStatus.SUCCESS


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, "$.status: expected text, found null"),
        ("", "$.status: expected text, found text"),
        ({"status": ""}, "$.status: expected text, found text"),
        ({"status": 4}, "$.status: expected text, found a number"),
        ({"result": {"status": None}}, "$.status: expected text, found null"),
        (None, "$: expected an object, found null"),
        (["SUCCESS"], "$: expected an object, found an array"),
    ],
)
def test_an_answer_without_a_status_is_an_error(data: Any, expected: str) -> None:
    assert problems(codec.status_only, data) == (expected,)


@pytest.mark.parametrize(
    "data",
    [
        {"pipelineExecutionId": "e-1"},
        {"id": "e-1"},
        {"pipelineExecutionId": None, "id": "e-1"},
        {"pipelineExecutionId": "e-1", "id": "other"},
        {"result": {"pipelineExecutionId": "e-1"}},
        {"result": {"id": "e-1"}, "status": 201},
    ],
)
def test_the_id_of_a_started_run_is_read_from_each_shape(data: Any) -> None:
    assert codec.started_id(data) == "e-1"


def test_a_number_as_id_still_names_the_run() -> None:
    assert codec.started_id({"pipelineExecutionId": 12}) == "12"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, "$.pipelineExecutionId: expected text, found null"),
        ({"pipelineExecutionId": ""}, "$.pipelineExecutionId: expected text, found null"),
        ({"pipelineExecutionId": True}, "$.pipelineExecutionId: expected text, found true or false"),
        ({"id": ["e-1"]}, "$.pipelineExecutionId: expected text, found an array"),
        ("e-1", "$: expected an object, found text"),
        (None, "$: expected an object, found null"),
    ],
)
def test_an_answer_without_an_id_is_an_error_and_no_guess(data: Any, expected: str) -> None:
    assert problems(codec.started_id, data) == (expected,)


# Lists.


@pytest.mark.parametrize(
    ("kind", "row", "item"),
    [
        (ProjectSummary, {"id": "p", "name": "One", "description": None}, ProjectSummary(id="p", name="One")),
        (
            Environment,
            {"name": "Prod", "defaultAgentId": "a", "defaultAgentName": "Agent"},
            Environment(name="Prod", default_agent_id="a", default_agent_name="Agent"),
        ),
        (
            PublishedPipeline,
            {"name": "folder/load", "publishedTime": "2026-01-02T12:00:00Z"},
            PublishedPipeline(name="folder/load", published_time=NOON),
        ),
        (ExecutionDetails, FLAT, READ),
        (
            ExecutionStep,
            {
                "id": "s",
                "name": "Start",
                "result": {"status": "SUCCESS", "message": "", "startedAt": "", "finishedAt": None},
                "childPipeline": {"id": "e-2", "name": "Child"},
            },
            ExecutionStep(
                id="s",
                name="Start",
                result=StepResult(status=ExecutionStatus.SUCCESS, message=""),
                child_pipeline=ChildPipeline(id="e-2", name="Child"),
            ),
        ),
        (ExecutionStep, {}, ExecutionStep()),
        (ExecutionStep, {"result": {}, "childPipeline": None}, ExecutionStep(result=StepResult())),
    ],
)
def test_each_kind_of_row_is_read_from_a_page_and_from_a_bare_array(kind: type[Any], row: dict[str, Any], item: Any) -> None:
    full = {"page": 2, "results": [row, {**row, "brandNew": 1}], "size": 10, "total": 22, "more": "next"}
    assert codec.page(full, kind) == Page(items=(item, item), page=2, size=10, total=22, more="next")
    bare = codec.page([row], kind)
    assert bare == Page(items=(item,))
    assert (list(bare), len(bare)) == ([item], 1)


@pytest.mark.parametrize(
    ("envelope", "page"),
    [
        ({}, Page[Any](items=())),
        ({"page": 0, "size": 0, "total": 0}, Page[Any](items=(), page=0, size=0, total=0)),
        ({"page": "1", "size": 2.5, "total": True}, Page[Any](items=())),
        ({"page": None, "total": []}, Page[Any](items=())),
        ({"more": ""}, Page[Any](items=())),
        ({"more": None}, Page[Any](items=())),
        ({"more": 5}, Page[Any](items=())),
    ],
)
def test_envelope_numbers_are_numbers_or_none(envelope: dict[str, Any], page: Page[Any]) -> None:
    assert codec.page({"results": [], **envelope}, ProjectSummary) == page
    assert codec.page({"results": None, **envelope}, ProjectSummary) == page


def test_steps_may_come_under_their_own_name_and_only_steps() -> None:
    assert codec.page({"steps": [{"id": "s"}]}, ExecutionStep) == Page(items=(ExecutionStep(id="s"),))
    assert codec.page({"steps": [{"id": "x"}], "results": [{"id": "s"}]}, ExecutionStep) == Page(items=(ExecutionStep(id="s"),))
    assert problems(codec.page, {"steps": []}, ProjectSummary) == ("$.results: missing",)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "$: expected an object, found null"),
        ("[]", "$: expected an object, found text"),
        ({}, "$.results: missing"),
        ({"results": {}}, "$.results: expected an array, found an object"),
        ({"results": "none"}, "$.results: expected an array, found text"),
        ({"results": [{"id": "p"}, None]}, "$.results[1]: expected an object, found null"),
        ({"results": [[]]}, "$.results[0]: expected an object, found an array"),
        ({"results": [{"id": "p"}, {"id": "q"}, {}]}, "$.results[2].id: missing"),
        ({"results": [{"id": None}]}, "$.results[0].id: missing"),
        ({"results": [{"id": 3}]}, "$.results[0].id: expected text, found a number"),
        ([{"name": "x"}], "$.results[0].id: missing"),
    ],
)
def test_a_list_that_does_not_fit_is_refused_with_the_path_of_the_row(data: Any, expected: str) -> None:
    assert problems(codec.page, data, ProjectSummary) == (expected,)


def test_the_path_goes_down_into_a_row() -> None:
    rows = {"results": [{}, {"result": {"startedAt": "soon"}}, {"childPipeline": {"id": 1}}, {"result": []}]}
    assert problems(codec.page, rows, ExecutionStep) == (
        "$.results[1].result.startedAt: Invalid isoformat string: 'soon'",
        "$.results[2].childPipeline.id: expected text, found a number",
        "$.results[3].result: expected an object, found an array",
    )
    assert problems(codec.page, {"steps": [3]}, ExecutionStep) == ("$.steps[0]: expected an object, found a number",)


# Bytes.


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.5, null, true, "\xc3\xa9"]}', {"a": [1, 2.5, None, True, "é"]}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b' \n "x" \n', "x"),
        (b"0", 0),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_json_is_parsed_with_or_without_a_byte_order_mark(parser: str, body: bytes, value: Any) -> None:
    assert codec.parse_json(body) == value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ["empty"]),
        (b" \r\n\t", ["empty"]),
        (b"\xef\xbb\xbf", ["empty"]),
        (b"\xef\xbb\xbf<html>Hello", ["HTML", "Hello"]),
        ('{"a": 1}'.encode("utf-16"), ["not JSON"]),
        (b"<html><head><title>Sign in</title>", ["HTML", "Sign in"]),
        (b"\n<!doctype html>\n<p>Down for maintenance", ["HTML", "Down for maintenance"]),
        (b"Bad gateway\nmore", ["not JSON", "Bad gateway"]),
        (b'{"results": [{"id": "p', ["not JSON"]),
        (b'{"a": 1} trailing', ["not JSON"]),
        (b'{"a": NaN}', ["not JSON"]),
        (b"[Infinity]", ["not JSON"]),
        (b"[-Infinity]", ["not JSON"]),
        (b"{'a': 1}", ["not JSON"]),
        (b'{"a": "\xff"}', ["not JSON"]),
        (b"[" * 200_000, ["$: the "]),
        (b'{"a":' * 100_000, ["$: the "]),
        (b"[" * 100_000 + b"]" * 100_000, ["$: the "]),
        (b"1" * 10_000 + b"x", ["not JSON"]),
        (b"\x1b[2J\x1b[31mred", ["not JSON"]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_bytes_that_are_no_json_are_an_error_that_shows_the_first_line(parser: str, body: bytes, words: list[str]) -> None:
    (problem,) = problems(codec.parse_json, body)
    assert problem.startswith("$: the ")
    assert [word for word in words if word not in problem] == []
    assert len(problem) < 600
    assert problem.isprintable()


def test_a_number_with_thousands_of_digits_is_a_value_or_an_error(parser: str) -> None:
    try:
        value = codec.parse_json(b"1" * 10_000)
    except DecodeError:
        return
    assert isinstance(value, int | float)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*FLAT, "result", "results", "steps", "id", "name", "more", "total", "childPipeline"]), inner)
    ),
    max_leaves=12,
)
KINDS = st.sampled_from([ProjectSummary, Environment, PublishedPipeline, ExecutionDetails, ExecutionStep])


@given(JSON)
def test_what_json_writes_is_read_back_by_the_parser_in_use(data: Any) -> None:
    assert codec.parse_json(json.dumps(data).encode()) == data


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_value_or_a_decode_error(body: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            try:
                codec.parse_json(body)
            except DecodeError as error:
                said = str(error)
            else:
                said = ""
            assert not said or said.startswith("cannot read the answer: $: the answer is ")
            patch.setattr("maia_async.wire.codec.orjson", None)


@given(JSON, KINDS)
def test_any_json_is_a_value_or_a_decode_error_with_paths(data: Any, kind: type[Any]) -> None:
    for read, expected in (
        (codec.details, ExecutionDetails),
        (codec.peek, ExecutionStatus),
        (codec.status_only, ExecutionStatus),
        (codec.started_id, str),
        (lambda value: codec.page(value, kind), Page),
        (lambda value: codec.structure(value, kind), kind),
    ):
        try:
            value = read(data)
        except DecodeError as error:
            found = error.problems
        else:
            assert isinstance(value, expected)
            found = ()
        assert all(problem.startswith("$") and ": " in problem for problem in found)


@given(st.dictionaries(st.sampled_from(list(FLAT)), st.none() | st.sampled_from(list(FLAT.values())) | st.integers(), min_size=1))
def test_peek_says_the_same_status_as_the_whole(data: dict[str, Any]) -> None:
    try:
        whole = codec.details(data)
    except DecodeError:
        return
    assert codec.peek(data) == whole.status


# What we send.


def test_a_request_is_sent_in_camel_case_without_what_is_not_set() -> None:
    least = ExecutionRequest(pipeline_name="Load", environment_name="Prod", execution_tag=None)
    assert codec.encode_request(least) == {"pipelineName": "Load", "environmentName": "Prod"}
    full = ExecutionRequest(
        pipeline_name="Load",
        environment_name="Prod",
        agent_id="a",
        version_name="v",
        execution_tag="t",
        scalar_variables={"snake_name": "x", "camelName": ""},
        grid_variables={"g": (("a", "b"), ["c", "d"])},
    )
    assert json.loads(json.dumps(codec.encode_request(full))) == {
        "pipelineName": "Load",
        "environmentName": "Prod",
        "agentId": "a",
        "versionName": "v",
        "executionTag": "t",
        "scalarVariables": {"snake_name": "x", "camelName": ""},
        "gridVariables": {"g": [["a", "b"], ["c", "d"]]},
    }


def test_a_row_with_the_apis_keys_becomes_a_request_with_its_values_as_they_are() -> None:
    row = {"pipelineName": "Load", "environmentName": 5, "scalarVariables": {"day": 3}}
    found = codec.decode_request(row)
    assert attrs.asdict(found, recurse=False) == {
        "pipeline_name": "Load",
        "environment_name": 5,
        "agent_id": None,
        "version_name": None,
        "execution_tag": AUTO,
        "scalar_variables": {"day": 3},
        "grid_variables": None,
    }
    assert [problem.field for problem in found.problems()] == ["environmentName", "scalarVariables.day"]


@given(
    st.builds(
        ExecutionRequest,
        pipeline_name=st.text(min_size=1),
        environment_name=st.text(min_size=1, max_size=255),
        agent_id=st.none() | st.text(min_size=1),
        execution_tag=st.none() | st.text(min_size=1),
        scalar_variables=st.none() | st.dictionaries(st.text(min_size=1), st.text()),
        grid_variables=st.none() | st.dictionaries(st.text(min_size=1), st.lists(st.lists(st.text(), min_size=2, max_size=2))),
    )
)
def test_what_is_encoded_decodes_to_the_same_request(request_: ExecutionRequest) -> None:
    body = codec.encode_request(request_)
    again = codec.decode_request({"executionTag": None, **body})
    assert again == request_
    assert codec.encode_request(again) == body


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        (None, [""]),
        ([], [""]),
        ("Load", [""]),
        ({}, ["pipelineName", "environmentName"]),
        ({"pipelineName": "Load"}, ["environmentName"]),
        ({"pipeline_name": "Load", "environmentName": "Prod"}, ["pipeline_name", "pipelineName"]),
        ({"pipelineName": "Load", "environmentName": "Prod", "tag": "x", "7": 1}, ["tag", "7"]),
        ({7: 1}, ["7", "pipelineName", "environmentName"]),
    ],
)
def test_a_row_with_unknown_or_missing_keys_is_refused_with_all_of_them(row: Any, fields: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        codec.decode_request(row)
    assert [problem.field for problem in caught.value.problems] == fields


def test_an_unknown_key_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match=r"tag: is not a field .* known are pipelineName, environmentName, .*gridVariables$"):
        codec.decode_request({"pipelineName": "Load", "environmentName": "Prod", "tag": "x"})


@pytest.mark.parametrize(("name", "written"), [("id", "id"), ("started_at", "startedAt"), ("pipeline_execution_id", "pipelineExecutionId")])
def test_names_are_written_as_the_api_does(name: str, written: str) -> None:
    assert codec.camel(name) == written


def test_a_time_with_an_offset_keeps_its_moment() -> None:
    found = codec.details({"startedAt": "2026-01-02T14:00:00+02:00"}).started_at
    assert found == datetime(2026, 1, 2, 14, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("field", "odd"), [("user", {"id": "u-1"}), ("startedAt", "2026-11-22T10:00:00Z[UTC]"), ("message", {}), ("finishedAt", ["x"])]
)
def test_an_odd_field_is_left_out_where_the_status_is_what_counts(field: str, odd: Any) -> None:
    data = {"result": {"status": "SUCCESS", "pipelineName": "Load", field: odd}}
    with pytest.raises(DecodeError, match=field):
        codec.details(data)
    found = codec.details(data, execution_id="e-1", salvage=True)
    assert found.status is ExecutionStatus.SUCCESS
    assert found.pipeline_name == "Load"
    assert found.pipeline_execution_id == "e-1"


def test_an_id_in_another_spelling_is_the_same_execution() -> None:
    spelled = "1398AA31AF574A6A975227C2E8556C3F"
    data = {"status": "RUNNING", "pipelineExecutionId": "1398aa31-af57-4a6a-9752-27c2e8556c3f"}
    assert codec.details(data, execution_id=spelled).status is ExecutionStatus.RUNNING
