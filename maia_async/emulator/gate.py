"""Where the emulator listens: it can stop, so that connections are refused, and listen again on the same port; it serves nobody itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from maia_async.emulator.lines import Lines, Server, reset

_BACKLOG: Final = 128
_Address = tuple[socket.AddressFamily, Any]


class Gate:
    """The listening sockets of one server."""

    def __init__(self, server: Server, lines: Lines) -> None:
        self._server = server
        self._lines = lines
        self._listening: list[asyncio.Server] = []
        self._closed: list[tuple[_Address, socket.socket | None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._planned: list[asyncio.TimerHandle] = []

    async def open(self, host: str, port: int) -> int:
        """Listen; the port."""
        self._listening = [await asyncio.get_running_loop().create_server(self._server, host, port, backlog=_BACKLOG)]
        return int(self._listening[0].sockets[0].getsockname()[1])

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return bool(self._listening)

    def refuse(self, seconds: float | None) -> None:
        """Stop listening for so many seconds of the loop, or until told, and reset what is connected, but for the control door."""
        self._lines.refusing = True
        closing, self._listening = self._listening, []
        for server in closing:
            addresses = [(item.family, item.getsockname()) for item in server.sockets]
            _stop(server)
            # The port stays ours: a client that connects to a free port of this machine may be given it as its own, and talk to itself.
            self._closed += [(address, _bound(address)) for address in addresses]
        for line in self._server.connections:
            if line not in self._lines.at_door:
                reset(line.transport)
        self._stop_timer()
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.accept)

    def plan(self, after: float, seconds: float) -> None:
        """`refuse` for so many seconds of the loop, when so many have passed."""
        self._planned.append(asyncio.get_running_loop().call_later(after, self.refuse, seconds))

    def accept(self) -> None:
        """Listen again; nothing happens when it does already."""
        self._stop_timer()
        loop = asyncio.get_running_loop()
        closed, self._closed = self._closed, []
        for address, kept in closed:
            endpoint = kept if kept is not None else _bound(address)
            if endpoint is None:
                raise OSError(f"the emulator cannot listen on {address[1]} again: the port was taken")
            self._listening.append(_done(loop.create_server(self._server, sock=endpoint, backlog=_BACKLOG)))
        self._lines.refusing = False

    async def close(self) -> None:
        """Stop listening for good."""
        self._stop_timer()
        for timer in self._planned:
            timer.cancel()
        for server in self._listening:
            _stop(server)
        for _, endpoint in self._closed:
            if endpoint is not None:
                endpoint.close()
        self._listening, self._closed = [], []
        # For the last step of `_stop`.
        await asyncio.sleep(0)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _stop(server: asyncio.Server) -> None:
    """Close the listening sockets at once, and the server after those connections that the loop has accepted and not yet made.

    Closed at once, those would fail in an assertion of asyncio (3.11) and be left open.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.SelectorEventLoop):
        server.close()
        return
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
        with suppress(OSError):
            # Linux refuses connections from here on; elsewhere they are taken in, and reset, for one round of the loop more.
            listening.shutdown(socket.SHUT_RDWR)
    loop.call_soon(server.close)


def _bound(address: _Address) -> socket.socket | None:
    """A socket that holds the port and does not listen; None where the old one is not gone yet."""
    family, name = address
    endpoint = socket.socket(family, socket.SOCK_STREAM)
    try:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            endpoint.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        endpoint.bind(name)
    except OSError:
        endpoint.close()
        return None
    endpoint.setblocking(False)
    return endpoint


def _done(starting: Coroutine[Any, Any, asyncio.Server]) -> asyncio.Server:
    """The result of a coroutine that waits for nothing.

    A timer has to listen again, and only a coroutine can. With a bound socket it yields once, to be polite; a task for that would need
    somebody who owns it.
    """
    try:
        for _ in range(3):
            starting.send(None)
    except StopIteration as ended:
        server: asyncio.Server = ended.value
        return server
    starting.close()
    raise RuntimeError("the event loop waits before it listens")
