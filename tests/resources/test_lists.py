"""Projects, environments, pipelines and executions as lists: under every reading of the API, with every filter, with hostile names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Scripted, answer, html, texts

from maia_async import Maia, StaticToken, errors
from maia_async.emulator import Clock, Emulator, Pipeline, Readings, Scenario
from maia_async.emulator.scenario import DEFAULT_PROJECT, STREAMING_PROJECT, Credential, Environment, Project
from maia_async.models import ExecutionStatus, ExecutionTrigger

BASE = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRONMENTS = [f"env-{number:02}" for number in range(23)]
PIPELINES = [f"folder/load {number:02}.orch.yaml" for number in range(31)]
COMMON = ["everywhere", "elsewhere"]


def account() -> Scenario:
    """Two projects; 23 environments; 31 pipelines of one environment and two of all."""
    pipelines = [Pipeline(name=name, environments=(ENVIRONMENTS[0],)) for name in PIPELINES]
    return Scenario(
        projects=[
            Project(
                id=DEFAULT_PROJECT,
                name="first",
                environments=[Environment(name=name) for name in ENVIRONMENTS],
                pipelines=[*pipelines, *[Pipeline(name=name) for name in COMMON]],
            ),
            Project(id=STREAMING_PROJECT, name="second", description=None),
        ]
    )


def told(emulator: Emulator, path_contains: str = "/v1/") -> list[list[tuple[str, str]]]:
    """The queries that were sent, in order."""
    return [parse_qsl(seen.query, keep_blank_values=True) for seen in emulator.control.requests(path_contains=path_contains)]


def size_for(readings: Readings) -> int:
    """A page size that this reading accepts: one that refuses larger pages must be asked for smaller ones."""
    return min(100, readings.max_page_size) if readings.page_size_over == "refuse" else 100


# Under every reading.


@pytest.mark.parametrize("readings", Readings.every(), ids=lambda readings: str(readings.differences() or "default"))
async def test_every_list_is_whole_under_every_reading(readings: Readings) -> None:
    size = size_for(readings)
    async with Emulator(account(), readings=readings, clock=Clock(base=BASE), rate_limit=None) as emulator:
        ids = emulator.control.add_execution("p", "env-01", count=37, started_ago=[10, 600], status="FAILED", message="no such table")
        async with emulator.client(rate_limit=None) as maia:
            project = maia.project()

            projects = await maia.projects.list(page_size=size).collect()
            assert [(row.id, row.name, row.description) for row in projects] == [
                (DEFAULT_PROJECT, "first", "project-1"),
                (STREAMING_PROJECT, "second", None),
            ]

            environments = await project.environments.list(page_size=size).collect()
            assert [row.name for row in environments] == ENVIRONMENTS
            assert {row.default_agent_name for row in environments} == {"Dev Agent"}

            pipelines = await project.pipelines.list(ENVIRONMENTS[0], page_size=size).collect()
            assert sorted(row.name for row in pipelines) == sorted([*PIPELINES, *COMMON])
            assert {row.published_time for row in pipelines} == {datetime(2023, 11, 24, 10, 39, 2, 182000, tzinfo=UTC)}
            elsewhere = await project.pipelines.list("env-05", page_size=size).collect()
            assert sorted(row.name for row in elsewhere) == sorted(COMMON)

            for executions in (maia.executions.list(page_size=size), project.executions.list(page_size=size)):
                rows = await executions.collect()
                assert {row.pipeline_execution_id for row in rows} == set(ids)
                assert len(rows) == 37
                starts = [row.started_at for row in rows]
                assert starts == sorted(starts, reverse=True)
                assert {(row.status, row.message) for row in rows} == {(ExecutionStatus.FAILED, "no such table")}
                assert {row.trigger for row in rows} == {ExecutionTrigger.DESIGNER}
                assert all(row.is_terminal and row.finished_at is not None for row in rows)


def serves_100(readings: Readings) -> bool:
    """Whether pages of 100 can be asked for: the largest that the API is known to give, and what get() uses."""
    return size_for(readings) == 100


@pytest.mark.parametrize(
    "readings", list(filter(serves_100, Readings.every())), ids=lambda readings: str(readings.differences() or "default")
)
async def test_getting_by_name_under_every_reading(readings: Readings) -> None:
    async with Emulator(account(), readings=readings, rate_limit=None) as emulator, emulator.client(rate_limit=None) as maia:
        project = maia.project()
        assert (await maia.projects.get("second")).id == STREAMING_PROJECT
        assert (await project.environments.get("env-22")).name == "env-22"
        assert (await project.pipelines.get(PIPELINES[30], ENVIRONMENTS[0])).name == PIPELINES[30]
        for missing in (maia.projects.get("Second"), project.environments.get("env"), project.pipelines.get("nothing", "env-03")):
            with pytest.raises(errors.NotFound, match=r"called '.*' among"):
                await missing


async def test_a_published_pipeline_list_without_its_environment_where_one_is_required() -> None:
    async with Emulator(account(), readings=Readings(published_pipelines_environment="required")) as emulator, emulator.client() as maia:
        with pytest.raises(errors.BadRequest, match="environmentName"):
            await maia.project().pipelines.list()


async def test_a_server_that_refuses_pages_of_100_says_so() -> None:
    """The limit of get(); list(page_size=...) works there, see above."""
    refusing = Readings(max_page_size=10, page_size_over="refuse")
    async with Emulator(readings=refusing) as emulator, emulator.client() as maia:
        with pytest.raises(errors.BadRequest, match="size: must be less than or equal to 10"):
            await maia.projects.get("Test-project")


# Getting by name.


async def test_a_name_that_is_missing_says_among_how_many(maia: Maia) -> None:
    with pytest.raises(errors.NotFound, match=r"GET /v1/projects: 404 no project called 'x' among 2$"):
        await maia.projects.get("x")


async def test_credentials_without_a_role_get_a_hint() -> None:
    blind = Scenario(credentials=[Credential(client_id="emulator", client_secret="emulator", projects=())])
    async with Emulator(blind) as emulator, emulator.client() as maia:
        assert len(await maia.projects.list()) == 0
        with pytest.raises(errors.NotFound, match="among 0; credentials without a role see an empty list"):
            await maia.projects.get("Test-project")


async def test_two_of_one_name_are_for_the_caller_to_tell_apart() -> None:
    async with Emulator() as emulator, emulator.client() as maia:
        with pytest.raises(errors.MisuseError, match="2 projects are called 'Test-project': use the id"):
            await maia.projects.get("Test-project")


# Pages.


async def test_awaiting_a_list_reads_one_page_and_iterating_it_reads_all() -> None:
    async with Emulator(account()) as emulator, emulator.client() as maia:
        pager = maia.project().environments.list(page_size=10)
        assert emulator.control.requests() == []
        page = await pager
        assert ([row.name for row in page], page.page, page.size, page.total) == (ENVIRONMENTS[:10], 0, 10, 23)
        assert told(emulator) == [[("size", "10")]]
        emulator.control.clear_requests()
        assert [row.name async for row in pager] == ENVIRONMENTS
        assert told(emulator) == [[("size", "10")], [("page", "1"), ("size", "10")], [("page", "2"), ("size", "10")]]
        assert [len(part) async for part in pager.pages()] == [10, 10, 3]


async def test_an_iteration_that_is_left_early_reads_no_further_page() -> None:
    async with Emulator(account()) as emulator, emulator.client() as maia:
        pages = maia.project().environments.list(page_size=5).pages()
        assert [row.name for row in await anext(pages)] == ENVIRONMENTS[:5]
        await pages.aclose()  # type: ignore[attr-defined]  # an async generator behind its protocol
        assert len(told(emulator)) == 1


@pytest.mark.parametrize("size", [1, 3, 100, 500])
async def test_executions_page_by_token(size: int) -> None:
    async with Emulator(clock=Clock(base=BASE)) as emulator, emulator.client() as maia:
        ids = emulator.control.add_execution("p", count=7, started_ago=[10, 600])
        assert [row.pipeline_execution_id async for row in maia.executions.list(page_size=size)] == list(reversed(ids))
        queries = [dict(query) for query in told(emulator, "pipeline-executions")]
        assert len(queries) == -(-7 // min(size, 100))
        assert {query["limit"] for query in queries} == {str(size)}
        assert ["paginationToken" in query for query in queries] == [False] + [True] * (len(queries) - 1)


@pytest.mark.parametrize("size", [0, -1, 2.5, "10", None, True])
def test_a_page_size_that_is_none_is_refused_at_once(size: Any) -> None:
    maia = Maia(auth=StaticToken("t"), project_id="p")
    for start in (
        lambda: maia.projects.list(page_size=size),
        lambda: maia.project().environments.list(page_size=size),
        lambda: maia.project().pipelines.list(page_size=size),
        lambda: maia.executions.list(page_size=size),
        lambda: maia.project().execution("x").steps(page_size=size),
    ):
        with pytest.raises(errors.InvalidRequest, match="page_size: must be a whole number of at least 1"):
            start()


async def test_a_list_that_grows_while_it_is_read_gives_no_row_twice() -> None:
    async with Emulator(clock=Clock(base=BASE)) as emulator, emulator.client() as maia:
        emulator.control.add_execution("old", count=30, started_ago=[100, 600])
        seen: list[str | None] = []
        async for row in maia.executions.list(page_size=7):
            if len(seen) % 7 == 0:
                emulator.control.add_execution("new")
            seen.append(row.pipeline_execution_id)
        assert len(seen) == len(set(seen)) == 30


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (html(), r"HTML: Proxy sign-in"),
        (answer(body=b""), "empty"),
        (answer(body=b'{"results": [{"na'), "not JSON"),
        (answer(body={"results": [{"name": "a"}, {"defaultAgentId": "x"}]}), r"\$\.results\[1\]\.name: missing"),
        (answer(body={"results": [{"name": 5}]}), r"\$\.results\[0\]\.name"),
        (answer(body={"results": "none"}), r"\$\.results: expected an array, found text"),
        (answer(body={"items": []}), r"\$\.results: missing"),
        (answer(body=b"null"), r"\$: expected an object, found null"),
        (answer(body=b'{"results": ' + b"[" * 100_000), r"nested too deeply|not JSON"),
    ],
)
async def test_a_page_that_is_none_says_what_and_where(step: Any, words: str) -> None:
    async with Scripted(step) as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        with pytest.raises(errors.DecodeError, match=f"GET /v1/projects/p/environments: .*(?:{words})"):
            await maia.project("p").environments.list().collect()


async def test_null_results_unknown_fields_and_a_bare_array_are_read() -> None:
    said = [answer(body={"results": None}), answer(body={"results": [{"name": "a", "new": {}}], "more": 5}), answer(body=[{"name": "b"}])]
    async with Scripted(*said, then=answer(body=[])) as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        lists = [[row.name for row in await maia.project("p").environments.list()] for _ in range(3)]
    assert lists == [[], ["a"], ["b"]]


async def test_a_server_that_never_ends_a_list_is_not_followed_for_ever() -> None:
    """It ignores `page`, counts nothing, and repeats its only page; or gives the same token again and again."""
    same = answer(body={"results": [{"name": "a"}, {"name": "b"}], "size": 0, "total": 0})
    async with Scripted(then=same) as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        assert [row.name async for row in maia.project("p").environments.list()] == ["a", "b"]
        assert len(server.requests) == 3
    loop = answer(body={"results": [{"pipelineExecutionId": "x", "status": "SUCCESS"}], "more": "again"})
    async with Scripted(then=loop) as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        assert [row.pipeline_execution_id async for row in maia.executions.list()] == ["x"]
        assert len(server.requests) == 2


# Filters.

CET = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("filters", "sent"),
    [
        ({}, []),
        ({"environment_name": "Prod & Co"}, [("environmentName", "Prod & Co")]),
        ({"pipeline_name": "a=b+c d/é"}, [("pipelineName", "a=b+c d/é")]),
        ({"status": "RUNNING"}, [("status", "RUNNING")]),
        ({"status": ExecutionStatus.FAILED}, [("status", "FAILED")]),
        ({"status": ["SUCCESS", ExecutionStatus.FORBIDDEN]}, [("status", "SUCCESS"), ("status", "FORBIDDEN")]),
        ({"status": ()}, []),
        ({"started_after": datetime(2026, 1, 1, 12, 30, tzinfo=UTC)}, [("startedAfter", "2026-01-01T12:30:00Z")]),
        ({"started_after": datetime(2026, 1, 1, 0, 30, tzinfo=CET)}, [("startedAfter", "2025-12-31T23:30:00Z")]),
        ({"started_before": datetime(2026, 1, 1, 1, 2, 3, 456789, UTC)}, [("startedBefore", "2026-01-01T01:02:03.456Z")]),
        ({"started_before": "2026-01-01T00:00:00+00:00"}, [("startedBefore", "2026-01-01T00:00:00+00:00")]),
        ({"time_frame": "LAST_HOUR"}, [("timeFrame", "LAST_HOUR")]),
        ({"schedule_id": "s-1"}, [("scheduleId", "s-1")]),
    ],
    ids=str,
)
async def test_each_filter_is_sent_under_its_name_with_every_page(filters: dict[str, Any], sent: list[tuple[str, str]]) -> None:
    row = {"pipelineExecutionId": "x", "status": "SUCCESS"}
    said = [answer(body={"results": [row], "more": "t1"}), answer(body={"results": []})]
    for of_project in (False, True):
        async with Scripted(*said) as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
            executions = maia.project("the id").executions if of_project else maia.executions
            await executions.list(**filters, page_size=9).collect()
            own = [("projectId", "the id")] if of_project else []
            queries = [parse_qsl(seen.target.partition("?")[2], strict_parsing=True) for seen in server.requests]
            assert {seen.target.partition("?")[0] for seen in server.requests} == {"/v1/pipeline-executions"}
            assert queries == [[*own, *sent, ("limit", "9")], [*own, *sent, ("limit", "9"), ("paginationToken", "t1")]]


async def test_every_filter_selects(now: Callable[[], float]) -> None:
    async with Emulator(account(), clock=Clock(base=BASE)) as emulator, emulator.client() as maia:
        control = emulator.control
        [odd] = control.add_execution("Nightly Load", "env-02", trigger="SCHEDULE", schedule_id="s-1", started_ago=3000, status="FAILED")
        [other] = control.add_execution("weekly load", "env-03", started_ago=300, project_id=STREAMING_PROJECT)
        [going] = control.add_execution("hourly", "env-02", started_ago=30, duration=600)

        async def found(**filters: Any) -> list[str | None]:
            return [row.pipeline_execution_id async for row in maia.executions.list(**filters)]

        assert await found() == [going, other, odd]
        assert await found(project_id=DEFAULT_PROJECT) == [going, odd]
        assert await found(environment_name="env-02") == [going, odd]
        assert await found(pipeline_name="LOAD") == [other, odd]
        assert await found(status="RUNNING") == [going]
        assert await found(status=["FAILED", "RUNNING"]) == [going, odd]
        assert await found(started_after=BASE - timedelta(seconds=300)) == [going, other]
        assert await found(started_before=BASE - timedelta(seconds=300)) == [other, odd]
        assert await found(time_frame="PT10M") == [going, other]
        assert await found(schedule_id="s-1") == [odd]
        assert await found(schedule_id="s-1", status="SUCCESS") == []
        assert [row.pipeline_execution_id async for row in maia.project(STREAMING_PROJECT).executions.list()] == [other]
        with pytest.raises(errors.BadRequest, match="status: must be one of"):
            await found(status="FINISHED")


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"started_after": datetime(2026, 1, 1)}, "started_after: must be a datetime with a time zone"),  # noqa: DTZ001 - the mistake itself
        ({"started_before": 5}, "started_before: must be a datetime with a time zone"),
        ({"pipeline_name": 5}, "pipelineName: must be text, is int"),
        ({"environment_name": b"x"}, "environmentName: must be text, is bytes"),
        ({"project_id": ["p"]}, "projectId: must be text, is list"),
    ],
)
def test_a_filter_that_cannot_be_sent_is_refused_at_once(filters: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        Maia(auth=StaticToken("t")).executions.list(**filters)
    assert words in str(caught.value)


# Hostile names.

HOSTILE = [
    "/",
    "a/b",
    "../..",
    "../admin",
    "..%2f..",
    "%2e%2e",
    "%",
    "%2F",
    "?x=1",
    "a?b",
    "#",
    "a#b",
    ";a=b",
    "a&b=c",
    " ",
    "a b",
    "\\",
    "\n",
    "a\r\nX-Evil: 1\r\n\r\nGET /v1/admin HTTP/1.1",
    "\x00",
    "\x7f",
    "é",
    "\u2028",
    "\U0001f600",
    "...",
    "~",
    ".a",
    "a" * 10_000,
    "/" * 3_000,
]
REFUSED = [".", "..", "\ud800", "a\udfff"]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: f"{name[:12]!a}-{len(name)}")
async def test_a_hostile_id_stays_one_segment(emulator: Emulator, maia: Maia, name: str) -> None:
    project = maia.project(name)
    for use in (
        lambda: project.environments.list().collect(),
        lambda: project.pipelines.list().collect(),
        lambda: project.execution(name).details(),
        lambda: project.execution(name).cancel(),
        lambda: project.execution(name).steps().collect(),
        lambda: project.execute("p", "e"),
    ):
        with pytest.raises(errors.NotFound):
            await use()
    paths = [seen.path for seen in emulator.control.requests(path_contains="/v1/")]
    expected = [["environments"], ["published-pipelines"], *[["pipeline-executions", name]] * 2, ["pipeline-executions", name, "steps"]]
    assert [[unquote(part) for part in path.split("/")] for path in paths] == [
        ["", "dpc", "v1", "projects", name, *rest] for rest in [*expected, ["pipeline-executions"]]
    ]
    assert all(path.isascii() and path.isprintable() and " " not in path for path in paths)


@pytest.mark.parametrize("name", REFUSED, ids=ascii)
async def test_an_id_that_cannot_be_a_segment_is_refused_unsent(emulator: Emulator, maia: Maia, name: str) -> None:
    good = maia.project(DEFAULT_PROJECT)
    bad = maia.project(name)
    for use in (
        lambda: bad.environments.list().collect(),
        lambda: bad.pipelines.get("x"),
        lambda: bad.execute("My pipeline", "Environment-1"),
        lambda: good.execution(name).details(),
        lambda: good.execution(name).status(),
        lambda: good.execution(name).cancel(),
    ):
        with pytest.raises(errors.InvalidRequest, match=r"project_id|execution_id"):
            await use()
    assert emulator.control.requests() == []


@pytest.mark.parametrize("name", [name for name in HOSTILE if len(name) < 5000], ids=lambda name: f"{name[:12]!a}-{len(name)}")
async def test_a_hostile_name_in_a_query_stays_its_value(emulator: Emulator, maia: Maia, name: str) -> None:
    project = maia.project()
    with pytest.raises(errors.NotFound):  # no such environment
        await project.pipelines.list(name)
    await project.executions.list(pipeline_name=name, environment_name=name, schedule_id=name)
    first, second = told(emulator)
    assert first == [("environmentName", name), ("size", "100")]
    assert second == [
        ("projectId", DEFAULT_PROJECT),
        ("environmentName", name),
        ("pipelineName", name),
        ("scheduleId", name),
        ("limit", "100"),
    ]


async def test_a_text_that_no_url_can_carry_is_refused_unsent(emulator: Emulator, maia: Maia) -> None:
    for start in (
        lambda: maia.executions.list(pipeline_name="\ud800"),
        lambda: maia.project().pipelines.list("a\udfff"),
        lambda: maia.executions.list(status=["\ud800"]),
    ):
        with pytest.raises(errors.InvalidRequest, match="characters that no URL can carry"):
            await start()
    with pytest.raises(errors.InvalidRequest, match="characters that no URL can carry"):
        await maia.request("GET", "/v1/projects", params={"\ud800": "x"})
    assert emulator.control.requests() == []


@given(name=st.text(min_size=1))
async def test_any_id_is_one_segment_or_refused(name: str) -> None:
    async with Scripted(then=answer(404)) as server, Maia(auth=StaticToken("t"), base_url=f"{server.url}/dpc") as maia:
        try:
            with pytest.raises(errors.NotFound):
                await maia.project(name).environments.list()
        except errors.InvalidRequest:
            assert name in {".", ".."} or any("\ud800" <= char <= "\udfff" for char in name)
            assert server.requests == []
        else:
            [line] = texts(server.requests)
            start, middle, end = line.partition("/environments")
            assert [start.count("/"), end] == [4, "?size=100"]
            assert unquote(start.removeprefix("GET /dpc/v1/projects/")) == name
            assert middle
