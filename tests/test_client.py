"""The root object: how it is set up, what it refuses, the raw door, and that it closes from anywhere, twice, and under load."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from scripted import Scripted, answer, html, stall, texts

from maia_async import ClientCredentials, Maia, Region, StaticToken, errors
from maia_async.emulator import Emulator, Pipeline, Scenario
from maia_async.emulator.scenario import DEFAULT_PROJECT
from maia_async.policies import RateLimit, RetryPolicy

Now = Callable[[], float]
PAIR = {"MAIA_CLIENT_ID": "emulator", "MAIA_CLIENT_SECRET": "emulator"}


# Set-up from the environment.


@pytest.mark.parametrize(
    ("environ", "base_url", "project_id"),
    [
        ({"MAIA_TOKEN": "t"}, "https://eu1.api.matillion.com/dpc", None),
        ({**PAIR, "MAIA_REGION": "US1"}, "https://us1.api.matillion.com/dpc", None),
        ({"MAIA_TOKEN": "t", "MAIA_REGION": "us1", "MAIA_BASE_URL": "https://maia.test/dpc/v1/"}, "https://maia.test/dpc", None),
        ({"MAIA_TOKEN": "t", "MAIA_PROJECT_ID": "p"}, "https://eu1.api.matillion.com/dpc", "p"),
        ({"MAIA_TOKEN": "t", "MAIA_PROJECT_ID": "", "MAIA_CLIENT_ID": " "}, "https://eu1.api.matillion.com/dpc", None),
    ],
)
def test_the_environment_says_where_and_who(environ: dict[str, str], base_url: str, project_id: str | None) -> None:
    maia = Maia.from_env(environ)
    assert (maia.base_url, maia.project_id) == (base_url, project_id)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "set MAIA_CLIENT_ID and MAIA_CLIENT_SECRET, or MAIA_TOKEN"),
        ({"MAIA_REGION": "eu1"}, "no credentials"),
        ({"MAIA_TOKEN": "t", **PAIR}, "both MAIA_TOKEN and MAIA_CLIENT_ID/MAIA_CLIENT_SECRET are set"),
        ({"MAIA_TOKEN": "t", "MAIA_CLIENT_ID": "x"}, "both"),
        ({"MAIA_CLIENT_ID": "x"}, "MAIA_CLIENT_SECRET is not set"),
        ({"MAIA_CLIENT_SECRET": "x"}, "MAIA_CLIENT_ID is not set"),
        ({"MAIA_TOKEN": "t", "MAIA_REGION": "mars"}, "region must be one of 'eu1', 'us1', 'au1', is 'mars'"),
        ({"MAIA_TOKEN": "t", "MAIA_BASE_URL": "http://maia.test"}, "base_url must be https"),
        ({**PAIR, "MAIA_TOKEN_URL": "http://id.test/token"}, "token_url must be https"),
        ({"MAIA_TOKEN": "two words"}, "token must be text without spaces"),
    ],
)
def test_what_the_environment_may_not_say(environ: dict[str, str], words: str) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        Maia.from_env(environ)
    assert words in str(caught.value)
    assert "two words" not in str(caught.value)


def test_the_processs_own_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.ConfigurationError):
        Maia.from_env()
    monkeypatch.setenv("MAIA_TOKEN", "t")
    monkeypatch.setenv("MAIA_REGION", "au1")
    assert Maia.from_env().base_url == Region.AU1.base_url


def test_arguments_win_over_the_environment() -> None:
    maia = Maia.from_env({"MAIA_REGION": "us1", "MAIA_PROJECT_ID": "p"}, auth=StaticToken("t"), project_id="q", region="eu1")
    assert (maia.base_url, maia.project_id) == (Region.EU1.base_url, "q")


async def test_a_client_from_the_environment_works(emulator: Emulator) -> None:
    environ = {**PAIR, "MAIA_BASE_URL": emulator.base_url, "MAIA_TOKEN_URL": emulator.token_url, "MAIA_PROJECT_ID": DEFAULT_PROJECT}
    async with Maia.from_env(environ) as maia:
        assert [row.name async for row in maia.project().environments.list()] == ["Environment-1", "Dev Environment", "Dev Env"]


# Set-up by arguments.


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"auth": None}, "auth must be"),
        ({"auth": "token"}, "auth must be"),
        ({"auth": {"authorization": "x"}}, "auth must be"),
        ({"region": "mars"}, "region must be one of"),
        ({"region": None}, "region must be one of"),
        ({"region": 1}, "region must be one of"),
        ({"base_url": "http://maia.test/dpc"}, "base_url must be https"),
        ({"base_url": "http://127.0.0.1.maia.test/dpc"}, "base_url must be https"),
        ({"base_url": "ftp://127.0.0.1/"}, "base_url must be an https URL"),
        ({"base_url": "maia.test"}, "base_url must be an https URL"),
        ({"base_url": ""}, "base_url must be an https URL"),
        ({"base_url": "https://maia.test/dpc?x=1"}, "query"),
        ({"base_url": "https://maia.test/dpc#x"}, "fragment"),
        ({"base_url": "https://user:hidden@maia.test"}, "must not contain a user name or password"),
        ({"base_url": "https://maia.test\n/"}, "base_url must be an https URL"),
        ({"base_url": 5}, "base_url"),
        ({"token_url": "http://maia.test/token"}, "token_url must be https"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        Maia(**{"auth": StaticToken("t"), **settings})
    assert words in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1.2.3"])
def test_http_is_accepted_on_loopback(host: str) -> None:
    assert Maia(auth=StaticToken("t"), base_url=f"http://{host}:8484/dpc/").base_url == f"http://{host}:8484/dpc"


@pytest.mark.parametrize("region", [Region.US1, "us1", "US1"])
def test_a_region_in_any_form(region: Any) -> None:
    assert Maia(auth=StaticToken("t"), region=region).base_url == "https://us1.api.matillion.com/dpc"


def test_a_client_is_made_without_a_loop_and_its_repr_shows_no_credentials() -> None:
    maia = Maia(auth=ClientCredentials("who", "secret-secret"), base_url="https://maia.test/dpc")
    assert repr(maia) == "<Maia https://maia.test/dpc>"
    assert "secret-secret" not in repr(vars(maia))
    asyncio.run(maia.aclose())
    assert repr(maia) == "<Maia https://maia.test/dpc closed>"


def test_the_token_url_of_the_credentials_wins_over_the_clients() -> None:
    own = ClientCredentials("a", "b", token_url="http://127.0.0.1:1/own")
    with pytest.raises(errors.ConfigurationError, match="token_url must be https"):
        ClientCredentials("a", "b", token_url="http://maia.test/own")
    assert own.token_url == "http://127.0.0.1:1/own"


async def test_which_token_endpoint_is_asked() -> None:
    token = answer(body={"access_token": "T", "expires_in": 1800})
    async with Scripted(then=token) as desk, Scripted(then=answer()) as server:
        for own, expected in ((None, "POST /of/client"), (f"{desk.url}/of/credentials", "POST /of/credentials")):
            auth = ClientCredentials("a", "b", token_url=own)
            async with Maia(auth=auth, base_url=server.url, token_url=f"{desk.url}/of/client") as maia:
                await maia.request("GET", "/v1/x")
            assert texts(desk.requests)[-1] == expected


class OwnAuth:
    """The caller's own credentials: a new token whenever one was refused."""

    def __init__(self) -> None:
        self.number = 1
        self.forgotten: list[str] = []

    async def authorization(self) -> str:
        await asyncio.sleep(0)
        return f"Bearer own-{self.number}"

    def forget(self, authorization: str) -> None:
        self.forgotten.append(authorization)
        self.number += 1


async def test_any_object_with_the_two_methods_is_credentials(emulator: Emulator) -> None:
    auth = OwnAuth()
    emulator.control.add_token("own-2")
    async with emulator.client(auth=auth) as maia:
        assert len(await maia.projects.list()) == 2
        assert len(await maia.projects.list()) == 2
    assert auth.forgotten == ["Bearer own-1"]
    assert [seen.status for seen in emulator.control.requests()] == [401, 200, 200]


async def test_what_the_callers_credentials_raise_is_raised_as_it_is() -> None:
    class Broken(OwnAuth):
        async def authorization(self) -> str:
            raise LookupError("the vault is sealed")

    async with Scripted() as server, Maia(auth=Broken(), base_url=server.url) as maia:
        with pytest.raises(LookupError, match="the vault is sealed"):
            await maia.request("GET", "/v1/x")
        assert server.connections == 0
        assert maia.statistics().in_flight == 0


# Projects.


def test_a_project_needs_an_id() -> None:
    maia = Maia(auth=StaticToken("t"))
    with pytest.raises(errors.ConfigurationError, match="give project_id, or set MAIA_PROJECT_ID"):
        maia.project()
    for wrong in ("", 5):
        with pytest.raises(errors.InvalidRequest, match="project_id: must be text and not empty"):
            maia.project(wrong)  # type: ignore[arg-type]  # what a program without types may pass


def test_the_clients_project_is_the_default() -> None:
    maia = Maia(auth=StaticToken("t"), project_id="p")
    assert (maia.project().id, maia.project("q").id, repr(maia.project())) == ("p", "q", "<Project p>")


# The raw door.


@pytest.mark.parametrize(
    ("step", "body"),
    [
        (answer(body={"results": [1, None]}), {"results": [1, None]}),
        (answer(body=b"[]"), []),
        (answer(body=b'"text"'), "text"),
        (answer(body=b"null"), None),
        (answer(body="plain é"), "plain é"),
        (html(), "<html><head><title>Proxy sign-in</title></head></html>"),
        (answer(body=b"\xff\xfe"), "\ufffd\ufffd"),
        (answer(body=b""), None),
        (answer(204), None),
        (answer(body=b"[" * 100_000), "[" * 100_000),
    ],
    ids=range(10),
)
async def test_the_raw_door_gives_the_body_as_it_came(step: Any, body: Any) -> None:
    async with Scripted(step) as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        response = await maia.request("GET", "/v1/anything")
    assert response.body == body
    assert response.status in {200, 204}


async def test_the_raw_door_gives_status_and_headers() -> None:
    async with Scripted(answer(202, x_request_id="r-1")) as server, Maia(auth=StaticToken("t"), base_url=f"{server.url}/dpc") as maia:
        response = await maia.request("post", "/v1/a%2Fb/c d".replace(" ", "%20"), params={"q": "ü &+", "n": [1, 2]}, json={"é": [1]})
        [seen] = server.requests
    assert (seen.method, seen.target) == ("POST", "/dpc/v1/a%2Fb/c%20d?q=%C3%BC+%26%2B&n=1&n=2")
    assert json.loads(seen.body) == {"é": [1]}
    assert seen.headers["content-type"] == "application/json"
    assert response.status == 202
    assert {name.lower(): value for name, value in response.headers.items()}["x-request-id"] == "r-1"


@pytest.mark.parametrize("value", [0, False, [], {}, ""])
async def test_a_falsy_json_is_a_body(value: Any) -> None:
    async with Scripted(answer()) as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        await maia.request("PUT", "/v1/x", json=value)
        assert json.loads(server.requests[0].body) == value


async def test_a_get_has_no_body_and_no_content_type() -> None:
    async with Scripted(answer()) as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        await maia.request("GET", "/v1/x")
        assert server.requests[0].body == b""
        assert "content-type" not in server.requests[0].headers


async def test_the_raw_door_raises_what_the_others_raise(emulator: Emulator) -> None:
    async with emulator.client() as maia:
        with pytest.raises(errors.NotFound) as caught:
            await maia.request("GET", "/v1/nothing")
        assert (caught.value.method, caught.value.path) == ("GET", "/v1/nothing")
        with pytest.raises(errors.BadRequest) as bad:
            await maia.request("POST", f"/v1/projects/{DEFAULT_PROJECT}/pipeline-executions", json={"environmentName": "x" * 256})
        assert bad.value.problems


async def test_the_raw_door_sends_a_get_again_and_a_post_not() -> None:
    async with Scripted(answer(503), answer(), answer(503), answer()) as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        await maia.request("GET", "/v1/x")
        with pytest.raises(errors.ServerError):
            await maia.request("POST", "/v1/x")
        assert texts(server.requests) == ["GET /v1/x", "GET /v1/x", "POST /v1/x"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "v1/projects",
        "//evil.test/v1",
        "https://evil.test/v1",
        "/v1/../../admin",
        "/v1/%2e%2E/admin",
        "/v1/./x",
        "/v1/x?page=1",
        "/v1/x#y",
        "/v1\\..\\x",
        "/v1/x y",
        "/v1/x\r\nX-Evil: 1",
        "/v1/\ud800",
        None,
        5,
    ],
)
async def test_a_path_that_could_lead_elsewhere_is_refused_unsent(path: Any) -> None:
    async with Scripted() as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        with pytest.raises(errors.InvalidRequest, match="path: "):
            await maia.request("GET", path)
        assert server.connections == 0


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("TRACE", {}, "method: must be one of"),
        ("GET\r\n", {}, "method: must be one of"),
        ("GET", {"params": {"a": object()}}, "params.a"),
        ("POST", {"json": {"a": object()}}, "json"),
        ("POST", {"json": {"a": float("nan")}}, "json"),
    ],
)
async def test_arguments_that_cannot_be_sent_are_refused_by_name(method: str, options: dict[str, Any], words: str) -> None:
    async with Scripted() as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        with pytest.raises(errors.InvalidRequest) as caught:
            await maia.request(method, "/v1/x", **options)
        assert words in str(caught.value)
        assert server.connections == 0
        assert maia.statistics().in_flight == 0


# Closing.


async def test_it_may_be_closed_in_another_task_than_the_one_that_opened_it(emulator: Emulator) -> None:
    before = asyncio.all_tasks()
    maia: Maia | None = None

    async def startup() -> None:
        nonlocal maia
        maia = emulator.client()
        await maia.__aenter__()
        await maia.projects.list()

    async def shutdown() -> None:
        assert maia is not None
        await maia.aclose()

    for part in (startup, shutdown):
        async with anyio.create_task_group() as group:
            group.start_soon(part)
    assert {task for task in asyncio.all_tasks() - before if "maia_async" in task.get_name()} == set()


async def test_closing_twice_and_at_once_and_unopened_is_fine(emulator: Emulator) -> None:
    unused = emulator.client()
    await unused.aclose()
    await unused.aclose()
    used = emulator.client()
    await used.projects.list()
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(used.aclose)
    await used.aclose()
    assert [repr(client).endswith("closed>") for client in (unused, used)] == [True, True]


async def test_after_closing_every_use_is_refused(emulator: Emulator) -> None:
    async with emulator.client() as maia:
        project = maia.project()
        execution = project.execution("3fa85f64-5717-4562-b3fc-2c963f66afa6")
        pager = project.pipelines.list()
    emulator.control.clear_requests()

    async def enter() -> None:
        async with maia:
            pass

    for use in (
        enter,
        lambda: maia.request("GET", "/v1/projects"),
        pager.collect,
        maia.projects.list().collect,
        lambda: maia.projects.get("x"),
        lambda: project.execute("My pipeline", "Environment-1"),
        execution.details,
        execution.status,
        execution.cancel,
        execution.wait,
    ):
        with pytest.raises(errors.SessionClosed):
            await use()
    assert emulator.control.requests() == []
    assert maia.statistics().waits == 0


async def test_closing_under_load_ends_every_call_with_an_error_of_ours(now: Now) -> None:
    """Calls in the air, waiting for a slot, sleeping before a retry, and waiting for a token."""
    before = asyncio.all_tasks()
    ended: list[BaseException] = []

    async def ask(maia: Maia, path: str) -> None:
        try:
            await maia.request("GET", path)
        except errors.MaiaError as error:
            ended.append(error)

    async with Scripted(then=lambda seen: stall() if "stall" in seen.target else answer(503)) as server:
        few = RateLimit(requests=20)
        retry = RetryPolicy(base=100, cap=100)
        maia = Maia(auth=StaticToken("t"), base_url=server.url, rate_limit=few, retry=retry)
        slow = Maia(auth=ClientCredentials("a", "b", token_url=f"{server.url}/stall"), base_url=server.url)
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(ask, maia, "/v1/stall" if number % 2 else "/v1/busy")
            group.start_soon(ask, slow, "/v1/x")
            await anyio.sleep(1)
            start = now()
            await maia.aclose()
            await slow.aclose()
            assert now() - start < 1
        assert now() - start < 1  # whoever slept before a retry hears of it, too
    assert len(ended) == 41
    assert {type(error) for error in ended} <= {errors.SessionClosed, errors.Disconnected, errors.ServerError}
    assert asyncio.all_tasks() == before


async def test_closing_gives_a_trigger_under_way_its_answer() -> None:
    scenario = Scenario.of(Pipeline(name="p"), latency_out=5)
    async with Emulator(scenario) as emulator:
        maia = emulator.client()
        ids: list[str] = []

        async def start() -> None:
            ids.append((await maia.project().execute("p", "Environment-1")).id)

        async with anyio.create_task_group() as group:
            group.start_soon(start)
            await anyio.sleep(7)  # the token's answer takes 5 s, the trigger's the same
            await maia.aclose()
        assert ids == [run.id for run in emulator.control.executions()]
        assert len(ids) == 1


async def test_a_wait_that_is_cut_off_says_which_run_goes_on(emulator: Emulator) -> None:
    maia = emulator.client()
    execution = await maia.project().execute("My pipeline", "Environment-1")
    emulator.control.set_status(execution.id, "RUNNING")

    async def wait() -> None:
        with pytest.raises(errors.SessionClosed, match=execution.id) as caught:
            await execution
        assert caught.value.execution_id == execution.id

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.sleep(3)
        await maia.aclose()


async def test_a_cancelled_call_gives_its_slot_back() -> None:
    async with Scripted(then=stall()) as server, Maia(auth=StaticToken("t"), base_url=server.url) as maia:
        for _ in range(3):
            with anyio.move_on_after(1):
                await maia.request("GET", "/v1/x")
        assert maia.statistics().in_flight == 0
        assert maia.statistics().budget_in_use == 3
