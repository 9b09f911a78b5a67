"""From rows to evidence: one case for each line of the table."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from maia_async.errors import DecodeError
from maia_async.orchestration.trigger.evidence import LOOK_BACK, Evidence, LaneName, Row, Window, read_rows, weigh

LANE = LaneName(project="6c8d6f1e-0000-4000-8000-000000000001", environment="Dev", pipeline="load")
WINDOW = Window(first=1_000_000)
ROW = Row(id="r-1", name="load", environment="Dev", project=LANE.project, start=1_000_003)
OTHERS = "ours_listed", "unexplained", "spelled_otherwise", "before"


def weighed(*rows: Row, window: Window = WINDOW, **known: Any) -> Evidence:
    return weigh(rows, LANE, window, **{"mine": (), "ours": lambda _: False, **known})


@pytest.mark.parametrize(
    ("changes", "counts_as"),
    [
        ({}, "unexplained"),
        ({"name": "Load"}, "spelled_otherwise"),
        ({"name": "reload"}, None),
        ({"name": None}, "spelled_otherwise"),
        ({"environment": "Prod"}, None),
        ({"environment": None}, "unexplained"),
        ({"environment": "dev"}, "spelled_otherwise"),
        ({"project": "other"}, None),
        ({"project": None}, "unexplained"),
        ({"project": LANE.project.upper()}, "unexplained"),
        ({"may_be_api": False}, None),
        ({"start": None}, "unexplained"),
        ({"start": WINDOW.first}, "unexplained"),
        ({"start": WINDOW.first - 1}, "before"),
        ({"start": WINDOW.first - LOOK_BACK}, "before"),
        ({"start": WINDOW.first - LOOK_BACK - 1}, None),
        ({"start": WINDOW.first - 1, "name": "a/load"}, "before"),
        ({"start": WINDOW.first - 1, "may_be_api": False}, None),
    ],
)
def test_each_line_of_the_table(changes: dict[str, Any], counts_as: str | None) -> None:
    evidence = weighed(evolve(ROW, **changes))
    assert {name: len(getattr(evidence, name)) for name in OTHERS} == {name: int(name == counts_as) for name in OTHERS}


def test_a_row_whose_id_is_ours_is_explained_in_whatever_spelling_of_the_id() -> None:
    shown = evolve(ROW, id="{ABCD-EF}")
    assert weighed(shown, mine={"abcdef"}).ours_listed == ("{ABCD-EF}",)
    assert weighed(shown, ours=lambda key: key == "abcdef").unexplained == ()


def test_the_name_that_a_run_of_this_lane_shows_is_learned_and_that_of_another_lane_is_not() -> None:
    path = "daily/load.orch.yaml"
    mine, stranger = evolve(ROW, id="mine", name=path), evolve(ROW, name=path)
    assert weighed(mine, stranger, mine={"mine"}).unexplained == (stranger,)
    assert weighed(mine, stranger, ours=lambda key: key == "mine").spelled_otherwise == (stranger,)
    assert weighed(stranger, learned={path}).unexplained == (stranger,)


def test_a_run_that_began_after_the_window_is_not_counted() -> None:
    window = Window(first=WINDOW.first, last=WINDOW.first + 10)
    assert weighed(evolve(ROW, start=window.last), window=window).unexplained
    assert not weighed(evolve(ROW, start=window.first + 11), window=window).unexplained


def test_ids_that_should_be_listed_and_are_not_are_missing() -> None:
    assert weighed(evolve(ROW, id="A-1"), mine={"a1", "b2"}, expected=["a1", "b2"]).missing == ("b2",)


def test_a_row_that_comes_twice_counts_once() -> None:
    assert len(weighed(ROW, evolve(ROW, id="R1")).unexplained) == 1


RAW = {
    "pipelineExecutionId": "r-1",
    "pipelineName": "load",
    "environmentName": "Dev",
    "status": "RUNNING",
    "startedAt": "2026-11-22T10:00:00Z",
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"id": "r-1", "may_be_api": True, "end": None}),
        ({"trigger": "API"}, {"may_be_api": True}),
        ({"trigger": "api"}, {"may_be_api": True}),
        ({"trigger": None}, {"may_be_api": True}),
        ({"trigger": "UNKNOWN"}, {"may_be_api": True}),
        ({"trigger": "WEBHOOK"}, {"may_be_api": True}),
        ({"trigger": 5}, {"may_be_api": True}),
        ({"trigger": "SCHEDULE"}, {"may_be_api": False}),
        ({"trigger": "schedule_run_now"}, {"may_be_api": False}),
        ({"trigger": "DESIGNER"}, {"may_be_api": False}),
        ({"startedAt": "soon"}, {"start": None}),
        ({"finishedAt": "2026-11-22T10:00:09Z"}, {"end": None}),  # the guide prints one beside RUNNING
        ({"finishedAt": "2026-11-22T10:00:09Z", "status": "success"}, {"end": 1795341609}),
        ({"pipelineExecutionId": 17}, {"id": "17"}),
        ({"pipelineExecutionId": None, "id": "x"}, {"id": "x"}),
        ({"pipelineName": 3, "environmentName": ""}, {"name": None, "environment": None}),
    ],
)
def test_what_a_row_says(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    (row,), legible, more = read_rows({"results": [{**RAW, **changes}], "more": "next"})
    assert {name: getattr(row, name) for name in expected} == expected
    assert (legible, more) == (True, "next")


@pytest.mark.parametrize("raw", [{}, {"pipelineExecutionId": ""}, {"pipelineExecutionId": True}, {"pipelineExecutionId": {}}])
def test_a_row_without_an_id_makes_the_page_illegible(raw: dict[str, Any]) -> None:
    assert read_rows({"results": [raw, RAW]})[1] is False


@pytest.mark.parametrize("data", [None, {}, {"results": None}, {"results": {}}, "page"])
def test_what_is_no_list_is_an_error(data: Any) -> None:
    with pytest.raises(DecodeError):
        read_rows(data)


ROWS = st.lists(
    st.builds(
        Row,
        id=st.sampled_from(["a", "B", "{c}", "d-1", "e"]),
        name=st.sampled_from(["load", "Load", "a/load", "other", None]),
        environment=st.sampled_from(["Dev", "dev", None, "Prod"]),
        may_be_api=st.booleans(),
        start=st.none() | st.integers(WINDOW.first - LOOK_BACK - 2, WINDOW.first + 30),
    ),
    max_size=8,
)
KEYS = st.frozensets(st.sampled_from(["a", "b", "c", "d1", "e"]))


@given(rows=ROWS, mine=KEYS, others=KEYS, expected=KEYS)
def test_what_holds_for_any_rows(rows: list[Row], mine: frozenset[str], others: frozenset[str], expected: frozenset[str]) -> None:
    evidence = weighed(*rows, mine=mine, ours=others.__contains__, expected=expected)
    doubtful = [*evidence.unexplained, *evidence.spelled_otherwise, *evidence.before]
    assert len({row.key for row in doubtful}) == len(doubtful)
    assert not {row.key for row in doubtful} & (mine | others), "a run that is known to be ours is unexplained"
    assert set(evidence.missing) == expected - {row.key for row in rows}
    assert set(evidence.candidates) == {row.id for row in doubtful} - {row.id for row in evidence.before}
