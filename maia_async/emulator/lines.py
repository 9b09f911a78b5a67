"""The open connections: requests held on them, resets, and those that are dead without knowing it; it decides nothing.

aiohttp lets a handler go on when its client has left, which is right here: what has arrived lands. Whoever holds an answer back asks
`hold`, which also ends when the client leaves and when the emulator does, so that no held request outlives either.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Any, Final

from aiohttp import web

_AT_ONCE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Lines:
    """What is known of connections beside what aiohttp knows.

    refusing: new connections are reset. at_door: those with a request at the control door.
    """

    def __init__(self) -> None:
        self.refusing = False
        self.at_door: set[web.RequestHandler] = set()
        self._ended = False
        self._waiting: dict[web.RequestHandler | None, set[asyncio.Future[bool]]] = {}
        self._doomed: dict[web.RequestHandler, str] = {}

    async def hold(self, request: web.BaseRequest, seconds: float | None, *, whoever_leaves: bool = False) -> bool:
        """Wait for so many seconds of the loop (None: without end). False when the client has left, or the emulator ends, before."""
        if self._ended or (request.transport is None and not whoever_leaves):
            return False
        if seconds is not None and seconds <= 0:
            return True
        line = None if whoever_leaves else request.protocol
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(seconds, _wake, waiter, True) if seconds is not None else None
        self._waiting.setdefault(line, set()).add(waiter)
        try:
            return await waiter
        finally:
            if timer is not None:
                timer.cancel()
            waiters = self._waiting.get(line, set())
            waiters.discard(waiter)
            if not waiters:
                self._waiting.pop(line, None)

    def lost(self, line: web.RequestHandler) -> None:
        """The connection is gone."""
        self._doomed.pop(line, None)
        for waiter in self._waiting.get(line, ()):
            _wake(waiter, False)

    def doom(self, line: web.RequestHandler, name: str) -> None:
        """Let the next request on the connection find it closed, because of the fault of this name."""
        self._doomed[line] = name

    def doomed(self, line: web.RequestHandler) -> str | None:
        """The name of the fault that has closed the connection, in a manner of speaking."""
        return self._doomed.get(line) if self._doomed else None

    def end(self) -> None:
        """Let go of everything that is held, and hold nothing from now on."""
        self._ended = True
        for waiters in self._waiting.values():
            for waiter in waiters:
                _wake(waiter, False)


class Server(web.Server):
    """aiohttp's server, which also says when a connection is gone, and can reset new ones."""

    def __init__(self, handler: Any, lines: Lines, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._lines = lines

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Called by each connection when it begins."""
        super().connection_made(handler, transport)
        if self._lines.refusing:
            # The system, or the loop, took it in just before the gate was closed. Not at once: aiohttp has yet to start its task.
            asyncio.get_running_loop().call_soon(reset, transport)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Called by each connection when it ends."""
        super().connection_lost(handler, exc)
        self._lines.lost(handler)


def reset(transport: asyncio.Transport | None) -> None:
    """End a connection with RST, whatever was not sent yet."""
    if transport is None:
        return
    endpoint = transport.get_extra_info("socket")
    if endpoint is not None:
        # `abort` alone ends with FIN when everything has been read.
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


def _wake(waiter: asyncio.Future[bool], passed: bool) -> None:
    if not waiter.done():
        waiter.set_result(passed)
