"""Rows to requests: the two tables of the module, and every way to be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from maia_async import AUTO, ExecutionRequest
from maia_async.cli.batchrows import MOST_PROBLEMS, read_requests, requests_of
from maia_async.cli.exits import UsageProblem

WHOLE = ExecutionRequest(
    pipeline_name="load",
    environment_name="Dev",
    agent_id="agent",
    version_name="1.1",
    execution_tag="tag",
    scalar_variables={"day": "1"},
    grid_variables={"rows": [["a", "1"]]},
)
WHOLE_JSON = (
    '{"pipelineName": "load", "environmentName": "Dev", "agentId": "agent", "versionName": "1.1", "executionTag": "tag",'
    ' "scalarVariables": {"day": "1"}, "gridVariables": {"rows": [["a", "1"]]}}'
)
WHOLE_CSV = (
    "pipelineName,environmentName,agentId,versionName,executionTag,scalarVariables.day,gridVariables.rows\n"
    'load,Dev,agent,1.1,tag,1,"[[""a"", ""1""]]"\n'
)


def problems(text: str, form: str) -> list[str]:
    with pytest.raises(UsageProblem) as caught:
        requests_of(text, form)  # type: ignore[arg-type]  # parametrised
    return list(caught.value.lines)


@pytest.mark.parametrize(
    ("form", "text"), [("json", f"[{WHOLE_JSON}]"), ("yaml", f"- {WHOLE_JSON}"), ("jsonl", WHOLE_JSON), ("csv", WHOLE_CSV)]
)
def test_every_format_says_every_field(form: str, text: str) -> None:
    assert requests_of(text, form) == [WHOLE]  # type: ignore[arg-type]  # parametrised


def test_an_absent_tag_is_automatic_and_null_is_none() -> None:
    rows = requests_of(
        '{"pipelineName": "p", "environmentName": "e"}\n{"pipelineName": "p", "environmentName": "e", "executionTag": null}', "jsonl"
    )

    assert [row.execution_tag for row in rows] == [AUTO, None]


def test_an_empty_csv_cell_is_an_absent_field() -> None:
    rows = requests_of("pipelineName,environmentName,executionTag,scalarVariables.a,scalarVariables.b\np,e,,,2\np,e,t,,\n", "csv")

    assert rows[0].execution_tag is AUTO
    assert rows[0].scalar_variables == {"b": "2"}
    assert rows[1].scalar_variables is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"environmentName": "e"}', "pipelineName: is missing"),
        ('{"pipelineName": "p", "environmentName": ""}', "environmentName: must not be empty"),
        (f'{{"pipelineName": "p", "environmentName": "{"e" * 256}"}}', "environmentName: must have at most 255 characters, has 256"),
        ('{"pipelineName": "p", "environmentName": "e", "Tag": "x"}', "Tag: is not a field of a request"),
        ('{"pipelineName": "p", "environmentName": "e", "scalarVariables": {"day": 1}}', "scalarVariables.day: must be text, is int"),
        ('{"pipelineName": "p", "environmentName": "e", "gridVariables": {"g": [["a"], ["b", "c"]]}}', "gridVariables.g[1]: has 2 columns"),
        ('{"pipelineName": "p", "environmentName": "e", "gridVariables": {"g": [[1]]}}', "gridVariables.g[0][0]: must be text, is int"),
        ("[]", "must be an object"),
        ("null", "must be an object"),
    ],
)
def test_a_wrong_row_is_named_with_its_field(row: str, said: str) -> None:
    lines = problems(f'{{"pipelineName": "p", "environmentName": "e"}}\n{row}', "jsonl")

    assert lines[0] == "1 problem, and nothing was sent:"
    assert lines[1].startswith("line 2: ")
    assert said in lines[1]


def test_all_problems_of_all_rows_come_at_once() -> None:
    lines = problems('[{"pipelineName": "", "environmentName": "", "x": 1}, {}, 3]', "json")

    assert lines[0] == "6 problems, and nothing was sent:"
    assert [line.partition(":")[0] for line in lines[1:]] == ["row 1", "row 1", "row 1", "row 2", "row 2", "row 3"]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("scalarVariables: {day: 1}", "scalarVariables.day"),
        ("scalarVariables: {on: yes}", "scalarVariables.True"),
        ("scalarVariables: {day: 2024-01-01}", "scalarVariables.day"),
        ("agentId: 12", "agentId"),
        ("gridVariables: {g: [[a, 1]]}", "gridVariables.g[0][1]"),
    ],
)
def test_yaml_values_that_lack_quotes_are_told(value: str, field: str) -> None:
    lines = problems(f"- pipelineName: p\n  environmentName: e\n  {value}\n", "yaml")

    if field != "scalarVariables.True":  # a name that YAML read as a truth value is refused as a name
        assert lines[1].startswith(f"row 1: {field}: must be text")
        assert lines[1].endswith("in YAML, put it in quotes")
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("pipelineName,environmentName,Day", "column 3 'Day': is not a field"),
        ("pipelineName,environmentName,scalarVariables", "column 3 'scalarVariables': is not a field"),
        ("pipelineName,environmentName,scalarVariables.", "column 3 'scalarVariables.': is not a field"),
        ("pipelineName,environmentName,agentId.x", "column 3 'agentId.x': is not a field"),
        ("pipelineName", "column 'environmentName': is missing"),
        ("pipelineName,environmentName,agentId,agentId", "column 'agentId': is given 2 times"),
        ("pipelineName;environmentName", "separated by commas"),
    ],
)
def test_a_wrong_column_is_named_once(header: str, said: str) -> None:
    text = header + "\n" + "\n".join(",".join("x" for _ in header.split(",")) for _ in range(5))

    lines = problems(text, "csv")

    assert sum(said in line for line in lines) == 1


def test_wrong_csv_rows_are_named() -> None:
    lines = problems("pipelineName,environmentName,gridVariables.g\np,e\n,e,\np,e,[[\np,e,[1]\n", "csv")

    text = "\n".join(lines)
    assert "row 1 (line 2): has 2 cells where the header has 3" in text
    assert "row 2 (line 3): pipelineName: must not be empty" in text
    assert "row 3 (line 4): gridVariables.g: is not JSON" in text
    assert "row 4 (line 5): gridVariables.g[0]: a row must be a list of texts" in text


@pytest.mark.parametrize(("form", "text"), [("json", "[]"), ("yaml", "requests: []"), ("csv", "pipelineName,environmentName\n")])
def test_no_rows_is_a_problem(form: str, text: str) -> None:
    assert "has no rows" in problems(text, form)[0]


def test_a_thousand_problems_are_counted_and_not_all_printed() -> None:
    lines = problems("\n".join("3" for _ in range(1000)), "jsonl")

    assert lines[0].startswith("1000 problems")
    assert len(lines) == MOST_PROBLEMS + 2
    assert lines[-1] == "and 900 more"


def test_yaml_that_nests_without_end_is_refused_and_not_followed() -> None:
    lines = problems("- &a\n  pipelineName: p\n  environmentName: e\n  gridVariables: {g: &g [*g, [*g]]}\n", "yaml")

    assert "gridVariables.g" in lines[1]


def test_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text("[]")

    with pytest.raises(UsageProblem, match=r"rows\.json: has no rows"):
        read_requests(file)
