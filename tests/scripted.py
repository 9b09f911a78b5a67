"""A server on loopback that plays a script, good answers and broken ones, and records what it was asked; it understands no request.

Each request takes the next step of the script; after the last one, `then` is played for ever, or 599 when there is none (a test that
asks more often than it planned then sees a status that it did not write). It speaks HTTP/1.1 by hand, because no HTTP library lets a
test send half an answer or a broken one.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self

from attrs import evolve, field, frozen


@frozen
class Seen:
    """One request as it arrived: `at` by the loop's clock, `connection` counts from 0, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: float
    connection: int


@frozen(kw_only=True)
class Step:
    """What is done with one request: `data` is written as it is, after `delay` seconds, and then the connection is kept or ended.

    unread: the step is taken by a connection as soon as it stands, before any request is read.
    """

    data: bytes = field(default=b"", repr=False)
    delay: float = 0.0
    end: Literal["keep", "close", "reset", "stall"] = "keep"
    unread: bool = False


Script = Step | Callable[[Seen], Step]


def answer(status: int = 200, body: bytes | str | dict[str, Any] | list[Any] = b"{}", *, delay: float = 0.0, **headers: str) -> Step:
    """A whole answer; a dict or list is sent as JSON. Header names are written with underscores."""
    content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    named = {"content-type": "application/json", "content-length": str(len(content))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return Step(data=f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + (b"" if status in {204, 304} else content), delay=delay)


def html(status: int = 200, text: str = "<html><head><title>Proxy sign-in</title></head></html>") -> Step:
    """A page where JSON was promised."""
    return answer(status, text, content_type="text/html")


def redirect(to: str, status: int = 302) -> Step:
    """A redirect."""
    return answer(status, b"", location=to)


def gzip_bomb(size: int) -> Step:
    """A small answer that becomes `size` bytes."""
    return answer(200, gzip.compress(bytes(size)), content_encoding="gzip")


def truncated(whole: Step, *, missing: int = 1, end: Literal["close", "stall"] = "close") -> Step:
    """An answer without its last bytes."""
    return evolve(whole, data=whole.data[:-missing], end=end)


def garbage(data: bytes = b"SSH-2.0-OpenSSH_9.6\r\n") -> Step:
    """What is no HTTP."""
    return Step(data=data, end="close")


def reset(*, unread: bool = False) -> Step:
    """A TCP reset instead of an answer, once the request was read or before that."""
    return Step(end="reset", unread=unread)


def close() -> Step:
    """An orderly close instead of an answer."""
    return Step(end="close")


def stall() -> Step:
    """No answer at all; the connection stays."""
    return Step(end="stall")


class Scripted:
    """`async with Scripted(answer(503), answer()) as server`: `server.url`, `server.requests`, `server.connections`."""

    def __init__(
        self,
        *steps: Script,
        then: Script | None = None,
        tls: ssl.SSLContext | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        self.requests: list[Seen] = []
        self.connections = 0
        self._steps: list[Script] = list(steps)
        self._then = then
        self._tls = tls
        self._listener = listener
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    def play(self, *steps: Script) -> None:
        """More steps."""
        self._steps += steps

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def times(self) -> list[float]:
        """When each request arrived, counted from the first."""
        return [seen.at - self.requests[0].at for seen in self.requests]

    def sent(self, name: str) -> list[str | None]:
        """One header of all requests."""
        return [seen.headers.get(name) for seen in self.requests]

    async def __aenter__(self) -> Self:
        listener = self._listener or socket.create_server(("127.0.0.1", 0), backlog=512)
        self._server = await asyncio.start_server(self._serve, sock=listener, ssl=self._tls, backlog=512)
        self.port = listener.getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        number, self.connections = self.connections, self.connections + 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._exchange(reader, writer, number):
                    pass
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        """One request and its step; whether the connection goes on."""
        ahead = self._steps[0] if self._steps else self._then
        if isinstance(ahead, Step) and ahead.unread:
            step = self._next()
        else:
            seen = await _read(reader, number)
            self.requests.append(seen)
            step = self._next()
            step = step if isinstance(step, Step) else step(seen)
        assert isinstance(step, Step)
        if step.delay:
            await asyncio.sleep(step.delay)
        writer.write(step.data)
        if step.end == "reset":
            # Zero seconds of lingering: the kernel sends RST and not FIN.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif step.end == "stall":
            await reader.read()
        else:
            await writer.drain()
        return step.end == "keep"

    def _next(self) -> Script:
        if self._steps:
            return self._steps.pop(0)
        return self._then or answer(599, {"detail": "the script is over"})


async def _read(reader: asyncio.StreamReader, number: int) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, target, headers, body, asyncio.get_running_loop().time(), number)


def texts(seen: Iterable[Seen]) -> list[str]:
    """`GET /path` of each request."""
    return [f"{request.method} {request.target}" for request in seen]
