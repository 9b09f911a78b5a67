"""The check of a request before it is sent: one test row for each thing that can be wrong with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from maia_async.models import AUTO, ExecutionRequest
from maia_async.problems import FieldProblem

GOOD = ExecutionRequest(pipeline_name="Load", environment_name="Prod")
AS_TEXT = "must be text, is int: write it as text, Maia converts it"

ROWS: list[tuple[dict[str, Any], str, str]] = [
    ({"pipeline_name": ""}, "pipelineName", "must not be empty"),
    ({"pipeline_name": None}, "pipelineName", "must be text, is null"),
    ({"pipeline_name": 7}, "pipelineName", "must be text, is int"),
    ({"environment_name": ""}, "environmentName", "must not be empty"),
    ({"environment_name": "x" * 256}, "environmentName", "must have at most 255 characters, has 256"),
    ({"environment_name": b"Prod"}, "environmentName", "must be text, is bytes"),
    ({"agent_id": ""}, "agentId", "must not be empty"),
    ({"agent_id": 1}, "agentId", "must be text, is int"),
    ({"version_name": ""}, "versionName", "must not be empty"),
    ({"version_name": 1.5}, "versionName", "must be text, is float"),
    ({"execution_tag": ""}, "executionTag", "must not be empty"),
    ({"execution_tag": True}, "executionTag", "must be text, is bool"),
    ({"scalar_variables": ["a"]}, "scalarVariables", "must map names to texts, is list"),
    ({"scalar_variables": "a=1"}, "scalarVariables", "must map names to texts, is str"),
    ({"scalar_variables": {"": "x"}}, "scalarVariables", "a variable name must be text, '' is not"),
    ({"scalar_variables": {3: "x"}}, "scalarVariables", "a variable name must be text, 3 is not"),
    ({"scalar_variables": {"day": 3}}, "scalarVariables.day", AS_TEXT),
    ({"scalar_variables": {"day": None}}, "scalarVariables.day", AS_TEXT.replace("int", "null")),
    ({"grid_variables": [["a"]]}, "gridVariables", "must map names to rows, is list"),
    ({"grid_variables": {"": [["a"]]}}, "gridVariables", "a variable name must be text, '' is not"),
    ({"grid_variables": {None: [["a"]]}}, "gridVariables", "a variable name must be text, None is not"),
    ({"grid_variables": {"g": "rows"}}, "gridVariables.g", "must be a list of rows, is str"),
    ({"grid_variables": {"g": None}}, "gridVariables.g", "must be a list of rows, is null"),
    ({"grid_variables": {"g": {"a": "b"}}}, "gridVariables.g", "must be a list of rows, is dict"),
    ({"grid_variables": {"g": ["ab"]}}, "gridVariables.g[0]", "a row must be a list of texts, is str"),
    ({"grid_variables": {"g": [["a"], b"b"]}}, "gridVariables.g[1]", "a row must be a list of texts, is bytes"),
    ({"grid_variables": {"g": [["a", "b"], ["c"]]}}, "gridVariables.g[1]", "has 1 columns where the first row has 2"),
    ({"grid_variables": {"g": [["a"], ["b", "c"]]}}, "gridVariables.g[1]", "has 2 columns where the first row has 1"),
    ({"grid_variables": {"g": [["a", 1]]}}, "gridVariables.g[0][1]", "must be text, is int"),
]


@pytest.mark.parametrize(("change", "field", "message"), ROWS)
def test_each_thing_that_is_wrong_is_named_by_the_apis_field(change: dict[str, Any], field: str, message: str) -> None:
    assert evolve(GOOD, **change).problems() == (FieldProblem(field, message),)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"environment_name": "x" * 255},
        {"environment_name": "\N{PILE OF POO}" * 255},
        {"pipeline_name": "folder/load.orch.yaml"},
        {"pipeline_name": "x" * 10_000},
        {"agent_id": "a", "version_name": "v", "execution_tag": "t"},
        {"execution_tag": None},
        {"execution_tag": AUTO},
        {"scalar_variables": {}},
        {"scalar_variables": {"day": ""}},
        {"grid_variables": {}},
        {"grid_variables": {"g": []}},
        {"grid_variables": {"g": [[]]}},
        {"grid_variables": {"g": [("a", "b"), ["c", ""]]}},
    ],
)
def test_what_the_limits_allow_has_no_problem(change: dict[str, Any]) -> None:
    assert evolve(GOOD, **change).problems() == ()


def test_all_problems_are_reported_at_once() -> None:
    request = ExecutionRequest(
        pipeline_name="",
        environment_name="",
        agent_id="",
        scalar_variables={"a": 1, "b": 2},  # type: ignore[dict-item]  # the material of this test
        grid_variables={"g": [["a"], ["b", "c"], [1, "d"]]},  # type: ignore[list-item]  # the same
    )
    assert [problem.field for problem in request.problems()] == [
        "pipelineName",
        "environmentName",
        "agentId",
        "scalarVariables.a",
        "scalarVariables.b",
        "gridVariables.g[1]",
        "gridVariables.g[2]",
        "gridVariables.g[2][0]",
    ]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.builds(
        ExecutionRequest,
        pipeline_name=ANYTHING,
        environment_name=ANYTHING,
        agent_id=ANYTHING,
        version_name=ANYTHING,
        execution_tag=ANYTHING,
        scalar_variables=ANYTHING,
        grid_variables=ANYTHING,
    )
)
def test_whatever_the_values_are_the_check_lists_problems_and_never_raises(request_: ExecutionRequest) -> None:
    for problem in request_.problems():
        assert re.match(r"(pipelineName|environmentName|agentId|versionName|executionTag|scalarVariables|gridVariables)", problem.field)
        assert problem.message


def test_auto_gives_every_trigger_a_tag_of_its_own() -> None:
    tags = {GOOD.with_tag().execution_tag for _ in range(100)}
    assert len(tags) == 100
    assert all(isinstance(tag, str) and re.fullmatch(r"maia-async-[0-9a-f]{32}", tag) for tag in tags)
    assert repr(AUTO) == "AUTO"


@pytest.mark.parametrize("tag", ["mine", None])
def test_the_callers_own_tag_and_none_stay(tag: str | None) -> None:
    request = evolve(GOOD, execution_tag=tag)
    assert request.with_tag() is request
