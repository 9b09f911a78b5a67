"""The list of executions: against a slow model, and over HTTP with every filter."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from maia_async.emulator.executions import Run, status_at
from maia_async.emulator.listing import Filter, RunIndex
from maia_async.emulator.pagetoken import Place, parsed, token
from maia_async.emulator.times import timestamp


def make_run(sequence: int, started: float, length: float, name: str, place: str) -> Run:
    return Run(
        id=str(sequence),
        sequence=sequence,
        project_id="p",
        pipeline_name=name,
        environment_name=place,
        created=started,
        started=started,
        ends=started + length,
    )


RUNS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.sampled_from(["Load", "unload", "x"]), st.sampled_from(["A", "B"])), max_size=40
)
FILTERS = st.builds(
    Filter,
    pipeline_name=st.sampled_from([None, "LOAD", "x"]),
    environment_name=st.sampled_from([None, "A"]),
    started_after=st.sampled_from([None, 5.0]),
    started_before=st.sampled_from([None, 15.0]),
    statuses=st.sampled_from([None, frozenset({"RUNNING"}), frozenset({"SUCCESS"}), frozenset({"RUNNING", "SUCCESS"})]),
)


@settings(max_examples=150)
@given(RUNS, FILTERS, st.integers(1, 7), st.integers(0, 30), st.booleans())
def test_pages_joined_are_what_a_slow_model_finds(
    rows: list[tuple[int, int, str, str]], wanted: Filter, limit: int, now: int, bulk: bool
) -> None:
    index = RunIndex()
    runs = [make_run(number, float(start), float(length), name, place) for number, (start, length, name, place) in enumerate(rows)]
    index.extend(runs) if bulk else [index.add(run) for run in runs]
    expected = [
        run
        for run in sorted(runs, key=lambda run: run.key, reverse=True)
        if run.created <= now
        and (wanted.pipeline_name is None or wanted.pipeline_name.lower() in run.pipeline_name.lower())
        and (wanted.environment_name is None or run.environment_name == wanted.environment_name)
        and (wanted.started_after is None or run.started >= wanted.started_after)
        and (wanted.started_before is None or run.started <= wanted.started_before)
        and (wanted.statuses is None or status_at(run, now) in wanted.statuses)
    ]

    found: list[Run] = []
    more = True
    while more:
        place = parsed(token(Place(before=found[-1].key))) if found else Place()
        assert place is not None
        page, more = index.select(evolve(wanted, before=place.before), limit=limit, now=now)
        assert len(page) == limit or not more
        found += page

    assert found == expected


@pytest.mark.parametrize("text", ["x", "!!!!", "é", "MTIz", "MS4", "A" * 100, "LjE"])
def test_a_token_of_somebody_else_is_no_place(text: str) -> None:
    assert parsed(text) is None


async def listed(api: Any, query: str) -> list[str]:
    answer = await api.get(f"/v1/pipeline-executions?{query}")
    assert answer.status == 200, answer.body
    return [item["pipelineExecutionId"] for item in answer.body["results"]]


async def test_each_filter_over_http(api: Any) -> None:
    control = api.emulator.control
    (old,) = control.add_execution("folder/load.orch.yaml", "Dev Env", started_ago=3600 * 3, trigger="SCHEDULE", schedule_id="s1")
    (failed,) = control.add_execution("Other", "Dev Environment", started_ago=600, status="FAILED")
    (elsewhere,) = control.add_execution("My pipeline", project_id="3dda0acf-e646-4f4b-b4f6-e00449b69427", started_ago=60, user="ann")
    run = await api.started()
    at = timestamp(control.execution(failed).started_at)

    assert await listed(api, "") == [run, elsewhere, failed, old]
    assert await listed(api, f"projectId={api.project}") == [run, failed, old]
    assert await listed(api, "pipelineName=LOAD.orch") == [old]
    assert await listed(api, "environmentName=Dev%20Env") == [old]
    assert await listed(api, f"startedAfter={at}") == [run, elsewhere, failed]
    assert await listed(api, f"startedBefore={at}") == [failed, old]
    assert await listed(api, "timeFrame=PT1H") == [run, elsewhere, failed]
    assert await listed(api, "timeFrame=LAST_DAY&status=SUCCESS") == [elsewhere, old]
    assert await listed(api, "status=RUNNING") == [run]
    assert await listed(api, "status=FAILED&status=RUNNING") == [run, failed]
    assert await listed(api, "scheduleId=s1") == [old]
    assert await listed(api, "status=FORBIDDEN") == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=QUEUED", "status"),
        ("startedAfter=yesterday", "startedAfter"),
        ("startedBefore=2026-01-01T00:00:00", "startedBefore"),
        ("timeFrame=soon", "timeFrame"),
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("limit=99999999999", "limit"),
        ("paginationToken=guess", "paginationToken"),
    ],
)
async def test_a_filter_that_does_not_fit_is_400_with_its_name(api: Any, query: str, said: str) -> None:
    answer = await api.get(f"/v1/pipeline-executions?{query}")

    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert [text.partition(":")[0] for text in answer.body["violations"]] == [said]


async def test_token_pages_hold_25_by_default_and_100_at_most_and_end_without_more(api: Any) -> None:
    ids = api.emulator.control.add_execution("crowd", count=230, started_ago=[0, 1000])
    first = await api.get("/v1/pipeline-executions")
    assert len(first.body["results"]) == 25

    seen: list[str] = []
    sizes = []
    query = "limit=500"
    while query:
        answer = await api.get(f"/v1/pipeline-executions?{query}")
        sizes.append(len(answer.body["results"]))
        seen += [item["pipelineExecutionId"] for item in answer.body["results"]]
        query = f"limit=500&paginationToken={answer.body['more']}" if "more" in answer.body else ""

    assert sizes == [100, 100, 30]
    assert sorted(seen) == sorted(ids)
    assert len(set(seen)) == 230


async def test_runs_that_start_between_two_pages_neither_repeat_nor_hide_a_row(api: Any) -> None:
    ids = api.emulator.control.add_execution("crowd", count=30, started_ago=[1, 1000])
    first = await api.get("/v1/pipeline-executions?limit=20")
    await api.started()
    second = await api.get(f"/v1/pipeline-executions?limit=20&paginationToken={first.body['more']}")

    rows = [item["pipelineExecutionId"] for answer in (first, second) for item in answer.body["results"]]
    assert sorted(rows) == sorted(ids)


async def test_with_a_lag_a_run_is_readable_before_it_is_listed(api: Any) -> None:
    api.emulator.control.set_network(list_lag=4)
    run = await api.started()
    assert await api.status(run) == "RUNNING"
    assert await listed(api, "") == []

    api.emulator.control.advance(4)

    assert await listed(api, "") == [run]
