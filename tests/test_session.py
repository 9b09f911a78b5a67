"""One attempt over HTTP: what breaks becomes which error, nothing is sent twice or elsewhere, and nothing of the token shows."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from aiohttp.client_reqrep import ConnectionKey
from faults.surroundings import Names
from leaks import told_by
from scripted import Scripted, Step, answer, close, garbage, gzip_bomb, html, redirect, reset, stall, texts, truncated
from virtual_time import VirtualLoop

from maia_async import ClientCredentials, Maia, RetryPolicy, StaticToken
from maia_async.emulator import Emulator
from maia_async.errors import (
    ConfigurationError,
    ConnectFailed,
    DecodeError,
    Disconnected,
    MaiaError,
    MisuseError,
    RequestTimedOut,
    ResponseError,
    SessionClosed,
    TransportError,
)
from maia_async.policies import Timeouts
from maia_async.secrets import Secret
from maia_async.session import Session, _ours

Now = Callable[[], float]
CANARY = "canary-1f6e2d3c4b5a"
ONCE = RetryPolicy(max_tries=1)


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    made = Session(timeout=Timeouts())
    yield made
    await made.aclose()


@pytest.fixture
def refused() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


# What breaks, and which error it is.


def chunks(*parts: bytes) -> Step:
    return Step(data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts), end="close")


@pytest.mark.parametrize(
    ("step", "kind", "words"),
    [
        (reset(unread=True), Disconnected, "the connection broke"),
        (reset(), Disconnected, "the connection broke"),
        (close(), Disconnected, "the connection broke"),
        (Step(data=b"HTTP/1.1 200 OK\r\nConten", end="close"), Disconnected, "the connection broke"),
        (truncated(answer(body=b"0123456789")), Disconnected, "the connection broke"),
        (chunks(b"5\r\nabc"), Disconnected, "the connection broke"),
        (chunks(b"5\r\nabcde\r\n"), Disconnected, "the connection broke"),
        (answer(body=b"no gzip", content_encoding="gzip"), Disconnected, "the connection broke"),
        (garbage(), Disconnected, "not valid HTTP"),
        (garbage(b"HTTP/1.1 abc Fine\r\n\r\n"), Disconnected, "not valid HTTP"),
        (chunks(b"zz\r\nabc"), Disconnected, "not valid HTTP"),
        (answer(x_large="y" * 100_000), Disconnected, "not valid HTTP"),
        (stall(), RequestTimedOut, "no complete answer in time"),
        (truncated(answer(body=b"0123456789"), end="stall"), RequestTimedOut, "no complete answer in time"),
    ],
)
async def test_a_broken_answer_becomes_one_of_our_errors(session: Session, step: Step, kind: type[TransportError], words: str) -> None:
    async with Scripted(step) as server:
        with pytest.raises(kind, match=words) as caught:
            await session.send("GET", f"{server.url}/x")
        assert server.connections == 1
    assert type(caught.value) is kind
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


async def test_a_refused_connection(session: Session, refused: str) -> None:
    with pytest.raises(ConnectFailed, match=r"cannot connect to 127\.0\.0\.1: ") as caught:
        await session.send("GET", f"{refused}/x")
    assert not caught.value.final


async def test_a_server_that_speaks_no_tls(session: Session) -> None:
    async with Scripted(Step(data=b"HTTP/1.1 400 Bad Request\r\n\r\n", end="close", unread=True)) as server:
        with pytest.raises(ConnectFailed, match=r"cannot connect to 127\.0\.0\.1") as caught:
            await session.send("GET", f"https://127.0.0.1:{server.port}/x")
    assert not caught.value.final


async def test_a_certificate_that_nobody_vouches_for_is_final(session: Session) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Path(__file__).with_name("self_signed.pem"))
    async with Scripted(answer(), tls=tls) as server:
        with pytest.raises(ConnectFailed, match="certificate was refused") as caught:
            await session.send("GET", f"{server.url}/x")
        assert server.requests == []
    assert caught.value.final


KEY = ConnectionKey("maia.test", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "kind", "final"),
    [
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("bad")), ConnectFailed, True),
        (aiohttp.ServerFingerprintMismatch(b"a", b"b", "maia.test", 443), ConnectFailed, True),
        (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known")), ConnectFailed, False),
        (aiohttp.ClientConnectorError(KEY, OSError(113, "No route to host")), ConnectFailed, False),
        (aiohttp.ConnectionTimeoutError(), ConnectFailed, False),
        (aiohttp.ClientHttpProxyError(None, (), status=407), ConnectFailed, False),  # type: ignore[arg-type]  # the request's data is not looked at
        (aiohttp.SocketTimeoutError(), RequestTimedOut, None),
        (TimeoutError(), RequestTimedOut, None),
        (aiohttp.ClientResponseError(None, ()), Disconnected, None),  # type: ignore[arg-type]  # the same
        (aiohttp.ServerDisconnectedError(), Disconnected, None),
        (aiohttp.ClientOSError(104, "Connection reset by peer"), Disconnected, None),
        (ConnectionResetError(104, "Connection reset by peer"), Disconnected, None),
        (aiohttp.ClientPayloadError(), Disconnected, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_row_of_the_table_of_errors(error: Exception, kind: type[TransportError], final: bool | None) -> None:
    ours = _ours(error)
    assert type(ours) is kind
    assert getattr(ours, "final", None) is final


async def test_a_proxy_that_refuses_is_a_connection_that_was_never_made() -> None:
    async with Scripted(answer(407)) as proxy, aiohttp.ClientSession(proxy=proxy.url) as theirs:
        with pytest.raises(ConnectFailed, match="the proxy refused the connection with 407"):
            await Session(timeout=Timeouts(), http=theirs).send("GET", "https://127.0.0.1:1/x")
        assert texts(proxy.requests) == ["CONNECT 127.0.0.1:1"]


# Time.


@pytest.mark.parametrize("total", [0.5, 7.25, 60])
async def test_the_total_timeout_is_exact(now: Now, total: float) -> None:
    session = Session(timeout=Timeouts(connect=0.5, total=total))
    async with Scripted(stall()) as server:
        start = now()
        with pytest.raises(RequestTimedOut):
            await session.send("GET", f"{server.url}/x")
        assert now() - start == pytest.approx(total, abs=1e-6)
    await session.aclose()


async def test_it_covers_the_body_that_trickles_in(now: Now) -> None:
    session = Session(timeout=Timeouts(connect=1, total=5))
    async with Scripted(answer(body=b"x" * 10, delay=4.9), truncated(answer(body=b"x" * 10, delay=4.9), end="stall")) as server:
        assert (await session.send("GET", f"{server.url}/x")).body == b"x" * 10
        start = now()
        with pytest.raises(RequestTimedOut):
            await session.send("GET", f"{server.url}/x")
        assert now() - start == pytest.approx(5, abs=1e-6)
    await session.aclose()


@contextmanager
def full_backlog() -> Iterator[str]:
    """A listener that answers no connection attempt any more."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


async def test_the_connect_timeout_is_exact(session: Session, now: Now) -> None:
    with full_backlog() as url:
        start = now()
        with pytest.raises(ConnectFailed, match="not made in time"):
            await session.send("GET", f"{url}/x")
        assert now() - start == pytest.approx(10, abs=1e-6)


# Nothing twice, nothing elsewhere.


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize("end", [close(), reset()], ids=["closed", "reset"])
async def test_a_reused_connection_that_ends_without_answer_is_one_attempt(session: Session, method: str, end: Step) -> None:
    async with Scripted(answer(), end, then=answer()) as server:
        await session.send("GET", f"{server.url}/first")
        with pytest.raises(Disconnected):
            await session.send(method, f"{server.url}/second")
        assert texts(server.requests) == ["GET /first", f"{method} /second"]
        assert [seen.connection for seen in server.requests] == [0, 0]


async def test_aiohttp_alone_would_have_sent_it_twice() -> None:
    """The reason for the guard: if this fails, it may go."""
    async with Scripted(answer(), close(), answer()) as server, aiohttp.ClientSession() as bare:
        for path in ("first", "second"):
            async with bare.get(f"{server.url}/{path}") as response:
                await response.read()
        assert texts(server.requests) == ["GET /first", "GET /second", "GET /second"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_is_an_answer_and_nothing_goes_to_where_it_points(session: Session, method: str, status: int) -> None:
    async with Scripted() as other, Scripted(redirect(f"{other.url}/v1/x", status)) as server:
        reply = await session.send(method, f"{server.url}/x", authorization=Secret("Bearer t"))
        assert reply.status == status
        assert (len(server.requests), other.connections) == (1, 0)


async def test_no_cookie_and_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    async with Scripted() as proxy, Scripted(answer(set_cookie="sticky=1"), answer()) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for _ in range(2):
            await session.send("GET", f"{server.url}/x")
        assert server.sent("cookie") == [None, None]
        # aiohttp keeps no cookies of bare addresses, so a request cannot show it here.
        assert session._http is not None
        assert isinstance(session._http.cookie_jar, aiohttp.DummyCookieJar)
        assert proxy.connections == 0


async def test_what_our_own_session_sends(session: Session) -> None:
    async with Scripted(answer(), answer()) as server:
        await session.send("GET", f"{server.url}/a%2Fb%0A?q=%2F+x", authorization=Secret("Bearer t"))
        await session.send("POST", f"{server.url}/x", headers={"Content-Type": "application/json"}, body=b'{"a":1}')
        first, second = server.requests
    assert first.target == "/a%2Fb%0A?q=%2F+x"
    assert first.headers["authorization"] == "Bearer t"
    assert first.headers["accept"] == "application/json"
    assert first.headers["user-agent"].startswith("maia-async/")
    assert (second.body, second.headers["content-type"]) == (b'{"a":1}', "application/json")
    assert "authorization" not in second.headers


async def test_a_secret_body_is_sent_as_it_is(session: Session) -> None:
    async with Scripted(answer()) as server:
        await session.send("POST", f"{server.url}/t", headers={"Content-Type": "application/x-www-form-urlencoded"}, body=Secret("a=b"))
        seen = server.requests[0]
    assert (seen.body, seen.headers["content-type"]) == (b"a=b", "application/x-www-form-urlencoded")


# Size.


@pytest.mark.parametrize(
    "step",
    [answer(body=b"x" * 1001), gzip_bomb(1001), gzip_bomb(100_000_000), chunks(b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n")],
    ids=["plain", "small gzip", "bomb", "chunked"],
)
async def test_a_body_over_the_bound_is_refused_before_it_is_in_memory(step: Step) -> None:
    session = Session(timeout=Timeouts(), max_body=1000)
    async with Scripted(step) as server:
        tracemalloc.start()
        try:
            with pytest.raises(DecodeError, match="larger than 1000 bytes") as caught:
                await session.send("GET", f"{server.url}/x")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    await session.aclose()
    assert caught.value.status == 200
    assert peak < 8_000_000


def test_the_bound_is_32_mib_unless_told() -> None:
    assert Session(timeout=Timeouts())._max_body == 32 * 1024 * 1024


@pytest.mark.parametrize("step", [answer(body=b"x" * 1000), gzip_bomb(1000)], ids=["plain", "gzip"])
async def test_a_body_at_the_bound_is_read(step: Step) -> None:
    session = Session(timeout=Timeouts(), max_body=1000)
    async with Scripted(step) as server:
        assert len((await session.send("GET", f"{server.url}/x")).body) == 1000
    await session.aclose()


# Opening, borrowing, closing.


async def test_an_injected_session_is_used_as_it_is_and_never_closed() -> None:
    async with Scripted(answer(), answer(), answer(404)) as server, aiohttp.ClientSession(headers={"X-Team": "data"}) as theirs:
        async with Maia(auth=StaticToken("t"), base_url=server.url, http=theirs) as maia:
            await maia.request("GET", "/v1/projects")
        assert not theirs.closed
        async with theirs.get(f"{server.url}/own") as response:
            assert response.status == 200
        assert server.sent("x-team") == ["data", "data"]


async def test_its_habits_do_not_change_what_an_answer_means() -> None:
    """A session that raises for a status, or leaves bodies packed, is common in services."""
    async with (
        Scripted(answer(404, {"detail": "no such project"}), gzip_bomb(10)) as server,
        aiohttp.ClientSession(raise_for_status=True, auto_decompress=False) as theirs,
    ):
        session = Session(timeout=Timeouts(), http=theirs)
        reply = await session.send("GET", f"{server.url}/x")
        assert (reply.status, reply.body) == (404, b'{"detail": "no such project"}')
        assert (await session.send("GET", f"{server.url}/x")).body == bytes(10)


async def test_its_own_middlewares_run_inside_ours() -> None:
    seen: list[Any] = []

    async def theirs(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        request.headers["X-Signed"] = request.headers["Authorization"].removeprefix("Bearer ")
        try:
            response: aiohttp.ClientResponse = await handler(request)
        except aiohttp.ClientError as error:
            seen.append(type(error))
            raise
        seen.append(response.status)
        return response

    async with Scripted(answer(), close(), answer()) as server, aiohttp.ClientSession(middlewares=(theirs,)) as http:
        session = Session(timeout=Timeouts(), http=http)
        await session.send("GET", f"{server.url}/x", authorization=Secret("Bearer t"))
        with pytest.raises(Disconnected):
            await session.send("GET", f"{server.url}/x", authorization=Secret("Bearer t"))
        assert server.sent("x-signed") == ["t", "t"]
    assert seen == [200, aiohttp.ServerDisconnectedError]


async def test_a_middleware_that_answers_itself_is_believed() -> None:
    """Somebody's retrying middleware decides before us: we see one attempt."""

    async def retries(request: aiohttp.ClientRequest, handler: Any) -> Any:
        try:
            return await handler(request)
        except aiohttp.ClientError:
            return await handler(request)

    async with Scripted(close(), answer()) as server, aiohttp.ClientSession(middlewares=(retries,)) as http:
        assert (await Session(timeout=Timeouts(), http=http).send("GET", f"{server.url}/x")).status == 200
        assert len(server.requests) == 2


async def test_an_injected_session_that_its_owner_closed() -> None:
    async with Scripted() as server:
        async with aiohttp.ClientSession() as theirs:
            session = Session(timeout=Timeouts(), http=theirs)
        with pytest.raises(SessionClosed, match="the aiohttp session of this client is closed"):
            await session.send("GET", f"{server.url}/x")
        assert server.connections == 0


async def test_closing_ends_requests_on_a_borrowed_session_and_leaves_it_open() -> None:
    async with Scripted(stall(), answer()) as server, aiohttp.ClientSession() as theirs, anyio.create_task_group() as group:
        session = Session(timeout=Timeouts(), http=theirs)
        start = anyio.current_time()

        async def ask() -> None:
            with pytest.raises(SessionClosed):
                await session.send("GET", f"{server.url}/x")
            assert anyio.current_time() - start == pytest.approx(1)

        group.start_soon(ask)
        await anyio.sleep(1)
        await session.aclose()
        async with theirs.get(f"{server.url}/own") as response:
            assert response.status == 200


@pytest.mark.parametrize("whose", ["ours", "theirs"])
async def test_closing_under_a_lookup_of_a_name_is_no_cancellation_of_who_asked(whose: str) -> None:
    """The library below cancels the lookups of a connector that is closed, and passes that on to whoever waits for one."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Names(["never"]))) as http:
        session = Session(timeout=Timeouts(), http=None if whose == "ours" else http)
        session._http = http
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                with pytest.raises(SessionClosed, match="this Maia client" if whose == "ours" else "the aiohttp session"):
                    await session.send("GET", "https://maia.test/x")

            group.start_soon(ask)
            await anyio.sleep(1)
            await (session.aclose() if whose == "ours" else http.close())


async def test_its_own_session_opens_late_and_closes_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    async with Scripted(answer(), answer()) as server:
        session = Session(timeout=Timeouts())
        assert session._http is None
        await session.send("GET", f"{server.url}/x")
        http = session._http
        assert http is not None
        await session.aclose()
        await session.aclose()
        assert http.closed
        assert session.closed
    await asyncio.sleep(0)
    assert [str(warning.message) for warning in recwarn] == []


async def test_after_close_nothing_is_sent() -> None:
    async with Scripted() as server:
        session = Session(timeout=Timeouts())
        await session.aclose()
        with pytest.raises(SessionClosed, match="this Maia client is closed"):
            await session.send("GET", f"{server.url}/x")
        assert server.connections == 0


async def test_closing_under_a_request_ends_it_with_an_error_of_ours() -> None:
    async with Scripted(stall()) as server, anyio.create_task_group() as group:
        session = Session(timeout=Timeouts())

        async def ask() -> None:
            with pytest.raises(MaiaError):
                await session.send("GET", f"{server.url}/x")

        group.start_soon(ask)
        await anyio.sleep(1)
        await session.aclose()


def test_another_event_loop_is_a_misuse() -> None:
    first, second = VirtualLoop(), VirtualLoop()
    session = Session(timeout=Timeouts())

    async def use() -> None:
        async with Scripted(answer()) as server:
            await session.send("GET", f"{server.url}/x")

    try:
        first.run_until_complete(use())
        with pytest.raises(MisuseError, match="another event loop") as caught:
            second.run_until_complete(use())
        assert not isinstance(caught.value, SessionClosed)
        first.run_until_complete(session.aclose())
    finally:
        first.close()
        second.close()


# The token.


class Given:
    """Credentials of the caller's own."""

    async def authorization(self) -> str:
        return f"Bearer {CANARY}"

    def forget(self, authorization: str) -> None:
        pass


ECHO = {"detail": f"the token {CANARY} is not known", "violations": [CANARY], "title": f"Bearer {CANARY}"}
BROKEN = [
    *(answer(status, ECHO) for status in (302, 400, 401, 403, 404, 409, 410, 429, 500, 504)),
    html(403, f"<html>{CANARY}</html>"),
    stall(),
    close(),
    reset(),
    garbage(),
    truncated(answer(body=b"12345")),
    gzip_bomb(2000),
]


@pytest.mark.parametrize("step", BROKEN, ids=lambda step: f"{step.data[9:12]!r} {step.end} {len(step.data)}")
@pytest.mark.parametrize("kind", [StaticToken, Given])
async def test_no_error_shows_the_token(step: Step, kind: type[Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    auth = kind(CANARY) if kind is StaticToken else kind()
    async with Scripted(then=step) as server:
        maia = Maia(auth=auth, base_url=server.url, retry=ONCE)
        maia._session._max_body = 1000
        assert CANARY not in f"{auth!r} {maia!r} {maia!s} {vars(maia)!r}"
        with pytest.raises(MaiaError) as caught:
            await maia.request("POST", "/v1/x", json={"a": 1})
        await maia.aclose()
        assert server.sent("authorization") == [f"Bearer {CANARY}"]
        server.requests.clear()
    assert CANARY not in told_by(caught.value)
    assert CANARY not in caplog.text


async def test_nor_does_a_refused_connection(refused: str) -> None:
    async with Maia(auth=StaticToken(CANARY), base_url=refused, retry=ONCE) as maia:
        with pytest.raises(ConnectFailed) as caught:
            await maia.request("GET", "/v1/x")
    assert CANARY not in told_by(caught.value)


async def test_nor_does_a_timeout_of_the_caller() -> None:
    async with Scripted(then=stall()) as server, Maia(auth=StaticToken(CANARY), base_url=server.url) as maia:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(1):
                await maia.request("GET", "/v1/x")
        server.requests.clear()
    assert CANARY not in told_by(caught.value)


@pytest.mark.parametrize(
    "step",
    [
        *BROKEN,
        answer(200, {"access_token": CANARY, "token_type": "mac"}),
        answer(200, {"access_token": f"{CANARY}\r\nX-Evil: 1"}),
        answer(200, {"access_token": [CANARY]}),
        answer(200, [CANARY]),
        answer(200, f'{{"access_token": "{CANARY}'),
        answer(200, CANARY),
        answer(200, b'\xff"' + CANARY.encode()),
    ],
    ids=lambda step: f"{step.data[9:12]!r} {step.end} {len(step.data)}",
)
async def test_no_error_of_the_token_endpoint_shows_secret_or_token(step: Step) -> None:
    auth = ClientCredentials("id", CANARY)
    async with Scripted(then=step) as server:
        maia = Maia(auth=auth, base_url=server.url, token_url=f"{server.url}/token", retry=ONCE)
        maia._session._max_body = 1000
        with pytest.raises(MaiaError) as caught:
            await maia.request("GET", "/v1/x")
        await maia.aclose()
        assert [CANARY.encode() in seen.body for seen in server.requests] == [True]
        server.requests.clear()
    assert CANARY not in f"{auth!r} {maia!r} {vars(maia)!r}"
    assert CANARY not in told_by(caught.value)


async def test_nor_does_a_timeout_of_the_caller_while_the_token_is_fetched() -> None:
    auth = ClientCredentials("id", CANARY)
    async with Scripted(then=stall()) as server, Maia(auth=auth, base_url=server.url, token_url=f"{server.url}/token") as maia:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(1):
                await maia.request("GET", "/v1/x")
        server.requests.clear()
    assert CANARY not in told_by(caught.value)


async def test_nor_does_the_end_of_a_wait(emulator: Emulator) -> None:
    emulator.control.add_token(CANARY)
    [run] = emulator.control.add_execution("p", status="FAILED", started_ago=10)
    async with emulator.client(auth=StaticToken(CANARY)) as maia:
        execution = maia.project().execution(run)
        with pytest.raises(MaiaError) as caught:
            await execution
    emulator.control.revoke_tokens()
    assert CANARY not in told_by(caught.value)


@pytest.mark.parametrize("end", ["\r\nX-Evil: 1", "\n", "\x00", "\x7f", "é", " "])
async def test_a_token_that_would_inject_a_header_is_refused_unsent(end: str) -> None:
    class Auth:
        async def authorization(self) -> str:
            return f"Bearer {CANARY}{end or ''}"

        def forget(self, authorization: str) -> None:
            pass

    if end not in {"\n", " "}:  # white space around a token, as files end with it, is taken off
        with pytest.raises(ConfigurationError) as caught:
            StaticToken(CANARY + end)
        assert CANARY not in str(caught.value)
    if end == " ":
        return
    async with Scripted() as server, Maia(auth=Auth(), base_url=server.url) as maia:
        with pytest.raises(ConfigurationError, match="printable ASCII") as caught:
            await maia.request("GET", "/v1/x")
        assert server.connections == 0
        assert (maia.statistics().in_flight, maia.statistics().budget_in_use) == (0, 0)
    assert CANARY not in told_by(caught.value)


@pytest.mark.parametrize("value", [None, "", b"Bearer x", 5])
async def test_an_authorization_that_is_no_text_is_refused_unsent(value: Any) -> None:
    class Auth:
        async def authorization(self) -> Any:
            return value

        def forget(self, authorization: str) -> None:
            pass

    async with Scripted() as server, Maia(auth=Auth(), base_url=server.url) as maia:
        with pytest.raises(ConfigurationError, match=r"auth\.authorization\(\) must give"):
            await maia.request("GET", "/v1/x")
        assert server.connections == 0


async def test_a_redirect_shows_where_it_points_to_nobody_but_the_caller() -> None:
    async with Scripted() as other, Scripted(redirect(other.url)) as server:
        async with Maia(auth=StaticToken("t"), base_url=server.url) as maia:
            with pytest.raises(ResponseError) as caught:
                await maia.request("GET", "/v1/x")
        assert caught.value.status == 302
        assert other.connections == 0
