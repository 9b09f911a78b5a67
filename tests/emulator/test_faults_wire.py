"""Every kind of fault on the wire, seen by a client that knows nothing but sockets, in virtual time."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from attrs import define, frozen

from maia_async.emulator import Fault


@frozen
class Heard:
    """What came over a connection until it ended, or until a whole answer was there: bytes, how it ended, seconds of the loop."""

    raw: bytes
    end: str
    after: float

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def status(self) -> int:
        return int(self.raw.split(b" ", 2)[1])


@define
class Wire:
    """One connection to an emulator."""

    api: Any
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, method: str = "GET", path: str = "/dpc/v1/projects", body: object = None, *, patience: float = 1e6) -> Heard:
        """Send a request; read until the connection ends, or until the promised length is there."""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {self.api.token}"]
        lines += [f"Content-Length: {len(content)}", "Content-Type: application/json"] if content else []
        start, loop = asyncio.get_running_loop().time(), asyncio.get_running_loop()
        raw, end = b"", "whole"
        try:
            self.writer.write("\r\n".join([*lines, "", ""]).encode() + content)
            async with asyncio.timeout(patience):
                while not _is_whole(raw):
                    piece = await self.reader.read(65536)
                    if not piece:
                        end = "closed"
                        break
                    raw += piece
        except ConnectionResetError:
            end = "reset"
        except TimeoutError:
            end = "silence"
        return Heard(raw, end, loop.time() - start)

    async def trigger(self, **fields: Any) -> Heard:
        body = {"pipelineName": "Pipeline 1", "environmentName": "Dev Environment", **fields}
        return await self.ask("POST", f"/dpc{self.api.runs}", body)

    def close(self) -> None:
        self.writer.transport.abort()


def _is_whole(raw: bytes) -> bool:
    head, found, body = raw.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return bool(found) and len(body) >= int(value)
        if name.lower() == b"transfer-encoding":
            return body.endswith(b"0\r\n\r\n")
    return bool(found) and b" 204 " in head


@pytest.fixture
async def wire(api: Any) -> Any:
    """Connections to one emulator."""
    opened: list[Wire] = []

    async def open_one() -> Wire:
        port = int(api.emulator.url.rsplit(":", 1)[1])
        opened.append(Wire(api, *await asyncio.open_connection("127.0.0.1", port)))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def log(api: Any) -> list[tuple[str | None, int | None, int | None]]:
    return [(entry.fault, entry.status, entry.handled) for entry in api.emulator.control.requests()]


def runs(api: Any) -> int:
    return len(api.emulator.control.executions())


def counted(api: Any) -> int:
    return int(api.emulator.control.statistics()["requests"])


REAL_BODY = b'{"pipelineExecutionId":"1398aa31-af57-4a6a-9752-27c2e8556c3f"}'
HALF = REAL_BODY[: len(REAL_BODY) // 2]


@pytest.mark.parametrize(
    ("fault", "end", "status", "body", "after", "counts"),
    [
        # fault, how it ends, the status that is sent, the body that comes, after how long, whether the limit counts it
        ({"status": 504}, "whole", 504, None, 0, 1),
        ({"status": 504, "landed": True}, "whole", 504, None, 0, 1),
        ({"status": 502, "body": "<h1>Bad", "content_type": "text/html"}, "whole", 502, b"<h1>Bad", 0, 1),
        ({"status": 500, "body": ""}, "whole", 500, b"", 0, 1),
        ({"status": 200, "body": "\xff\xfe", "encoding": "latin-1"}, "whole", 200, b"\xff\xfe", 0, 1),
        ({"status": 204}, "whole", 204, b"", 0, 1),
        ({"delay": 90}, "whole", 201, REAL_BODY, 90, 1),
        ({"status": 504, "delay": 90}, "whole", 504, None, 90, 1),
        ({"content_type": "text/plain"}, "whole", 201, REAL_BODY, 0, 1),
        ({"kind": "reset"}, "reset", None, b"", 0, 0),
        ({"kind": "reset", "landed": True}, "reset", None, b"", 0, 1),
        ({"kind": "reset", "landed": True, "delay": 3}, "reset", None, b"", 3, 1),
        ({"kind": "closed"}, "closed", None, b"", 0, 0),
        ({"kind": "closed", "landed": True}, "closed", None, b"", 0, 1),
        ({"kind": "silence"}, "silence", None, b"", 1e6, 1),
        ({"kind": "silence", "landed": True}, "silence", None, b"", 1e6, 1),
        ({"kind": "silence", "delay": 45}, "closed", None, b"", 45, 1),
        ({"kind": "truncated"}, "reset", 201, HALF, 0, 1),
        ({"kind": "truncated", "share": 0}, "reset", 201, b"", 0, 1),
        ({"kind": "truncated", "landed": False, "body": "abcd", "status": 200}, "reset", 200, b"ab", 0, 1),
        ({"kind": "truncated", "body": ""}, "reset", 503, b"{", 0, 1),
        ({"kind": "stalled"}, "silence", 201, b"", 1e6, 1),
        ({"kind": "stalled", "share": 0.5, "delay": 30}, "closed", 201, HALF, 30, 1),
        ({"kind": "trickled", "piece": 10}, "whole", 201, REAL_BODY, 7, 1),
        ({"kind": "trickled", "piece": 10, "delay": 20}, "whole", 201, REAL_BODY, 140, 1),
        ({"kind": "garbage"}, "closed", None, None, 0, 1),
        ({"kind": "garbage", "landed": True}, "closed", None, None, 0, 1),
        ({"kind": "garbage", "body": "HTTP/1.1 200 OK\r\nContent-Le", "piece": 9, "delay": 2}, "closed", None, None, 6, 1),
        ({"kind": "html"}, "whole", 200, None, 0, 1),
        ({"kind": "redirect"}, "whole", 302, b"", 0, 1),
        ({"kind": "redirect", "landed": True, "location": "/x", "status": 307}, "whole", 307, b"", 0, 1),
        ({"kind": "closed_after"}, "whole", 201, REAL_BODY, 0, 1),
        ({"kind": "closed_on_reuse"}, "whole", 201, REAL_BODY, 0, 1),
    ],
    ids=str,
)
async def test_each_kind(
    api: Any, wire: Any, fault: dict[str, Any], end: str, status: int | None, body: bytes | None, after: float, counts: int
) -> None:
    api.emulator.control.add_fault(fault)
    connection = await wire()

    heard = await connection.trigger()

    value = Fault(**fault)
    assert (heard.end, round(heard.after, 6)) == (end, after)
    if status is not None:
        assert heard.status == status
    if body is not None:
        assert heard.body == body
    assert runs(api) == value.lands
    assert counted(api) == counts
    assert log(api) == [(value.label, status, 201 if value.lands else None)]
    assert b"Connection: close" not in heard.head


async def test_garbage_is_what_is_on_the_wire(api: Any, wire: Any) -> None:
    api.emulator.control.add_fault(Fault(kind="garbage", times=1))
    assert (await (await wire()).ask()).raw.startswith(b"\x00\xffnot HTTP")
    api.emulator.control.add_fault(Fault(kind="garbage", body="HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"))
    assert (await (await wire()).ask()).body == b"abc"


async def test_headers_of_the_faults_own(api: Any, wire: Any) -> None:
    control, connection = api.emulator.control, await wire()
    for fault in (
        Fault(times=1, kind="redirect", location="https://elsewhere.invalid/x"),
        Fault(times=1, kind="html"),
        Fault(times=1, status=429, retry_after=86400),
        Fault(times=1, status=429, retry_after=60, retry_after_form="date"),
        Fault(times=1, status=503, headers={"X-Amzn-RequestId": "r-1"}),
        Fault(times=1, content_type="text/html"),
    ):
        control.add_fault(fault)
    heads = [(await connection.ask()).head.decode() for _ in range(6)]

    wanted = [
        "Location: https://elsewhere.invalid/x",
        "Content-Type: text/html; charset=utf-8",
        "Retry-After: 86400",
        "Retry-After: Thu, 01 Jan 2026 00:01:00 GMT",
        "X-Amzn-RequestId: r-1",
        "Content-Type: text/html",
    ]
    assert [line in head for line, head in zip(wanted, heads, strict=True)] == [True] * 6
    assert all("Date: Thu, 01 Jan 2026 00:00:00 GMT" in head for head in heads)


async def test_a_small_bomb_and_a_huge_body(api: Any, wire: Any) -> None:
    control = api.emulator.control
    control.add_fault(Fault(kind="bomb", size=5_000_000, times=1))
    control.add_fault(Fault(kind="huge", size=500_000, times=1))

    packed, large = await (await wire()).ask(), await (await wire()).ask()

    assert b"Content-Encoding: gzip" in packed.head
    assert len(packed.body) < 10_000
    assert len(gzip.decompress(packed.body)) == 5_000_000
    assert b"Transfer-Encoding: chunked" in large.head
    assert 500_000 < len(large.body) < 501_000
    async with api.session.get(f"{api.emulator.url}/elsewhere") as response:
        assert response.status == 404


async def test_a_huge_body_ends_when_nobody_reads_it(api: Any) -> None:
    api.emulator.control.add_fault(Fault(kind="huge", size=2**30))
    async with api.session.get(f"{api.emulator.base_url}/v1/projects") as response:
        assert await response.content.read(1000)
        response.close()
    for _ in range(20):
        await asyncio.sleep(0)
    assert api.emulator._app.in_flight == 0


async def test_a_connection_closed_after_its_answer_is_closed_at_once(api: Any, wire: Any) -> None:
    api.emulator.control.add_fault(Fault(kind="closed_after", times=1))
    connection = await wire()
    assert (await connection.ask()).status == 200
    assert await connection.reader.read() == b""
    assert counted(api) == 1


async def test_a_connection_closed_on_reuse_is_found_closed_by_the_next_request(api: Any, wire: Any) -> None:
    api.emulator.control.add_fault(Fault(name="race", kind="closed_on_reuse", times=1))
    connection, other = await wire(), await wire()

    assert (await connection.ask()).status == 200
    assert (await other.ask()).status == 200
    heard = await connection.trigger()

    assert (heard.end, heard.raw) == ("closed", b"")
    assert (runs(api), counted(api)) == (0, 2)
    assert log(api) == [("race", 200, 200), (None, 200, None), ("race", None, None)]
    assert (await (await wire()).trigger()).status == 201


async def test_pieces_come_when_they_are_due(api: Any, wire: Any, now: Callable[[], float]) -> None:
    api.emulator.control.add_fault(Fault(kind="trickled", body="abcdef", piece=2, delay=5, landed=True))
    connection = await wire()
    connection.writer.write(f"GET /dpc/v1/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\n\r\n".encode())
    await connection.reader.readuntil(b"\r\n\r\n")
    seen = [(await connection.reader.read(10), round(now(), 6)) for _ in range(3)]
    start = seen[0][1]
    assert [(piece, at - start) for piece, at in seen] == [(b"ab", 0), (b"cd", 5), (b"ef", 10)]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "silence"},
        {"delay": 1e5},
        {"kind": "stalled"},
        {"kind": "trickled", "delay": 1e5},
        {"kind": "garbage", "delay": 1e5},
        {"kind": "reset", "landed": True, "delay": 1e5},
        {"kind": "closed_after", "delay": 1e5},
        {"kind": "truncated", "delay": 1e5},
    ],
    ids=str,
)
async def test_nothing_is_held_for_a_client_that_has_left(api: Any, wire: Any, now: Callable[[], float], fault: dict[str, Any]) -> None:
    api.emulator.control.add_fault(fault)
    connection = await wire()
    start = now()
    assert (await connection.ask(patience=10)).end == "silence"
    assert api.emulator._app.in_flight == 1
    connection.close()
    await asyncio.sleep(1)

    assert api.emulator._app.in_flight == 0
    assert api.emulator._lines._waiting == {}
    assert now() - start == 11


async def test_a_client_sees_what_its_library_makes_of_it(api: Any) -> None:
    seen = []
    for fault in ({"kind": "reset"}, {"kind": "closed"}, {"kind": "truncated"}, {"kind": "garbage"}, {"kind": "html"}):
        fault_id = api.emulator.control.add_fault({**fault, "method": "POST"})
        try:
            await api.trigger()
            seen.append("answer")
        except aiohttp.ClientError as error:
            seen.append(type(error).__name__)
        api.emulator.control.remove_fault(fault_id)
    assert seen == ["ClientOSError", "ServerDisconnectedError", "ClientPayloadError", "ClientResponseError", "answer"]
