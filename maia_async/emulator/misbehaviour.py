"""How an answer goes over the wire under a fault: late, cut, in pieces, as garbage, or not at all; what it says is decided elsewhere.

Each function leaves the connection as its fault wants it, and returns a response for aiohttp to finish: one that was sent already, or
one that cannot be sent any more. A client that leaves, and an emulator that ends, cut everything short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web
from attrs import frozen

from maia_async.emulator.faultanswers import DEFAULT_SIZE, Answer, garbage_of, huge
from maia_async.emulator.faults import Fault
from maia_async.emulator.lines import Lines, reset

Respond = Callable[[Answer], web.Response]


@frozen(kw_only=True)
class Delivery:
    """One answer to be misdelivered. `pause`: draws the fault's delay, in seconds of the loop; None when it has none.

    `second`: an API second, in seconds of the loop.
    """

    fault: Fault
    request: web.BaseRequest
    answer: Answer | None
    lines: Lines
    pause: Callable[[], float | None]
    respond: Respond
    second: float = 1.0

    async def hold(self, *, default: float = 0.0) -> None:
        """Wait for the delay before whatever comes; ConnectionAbortedError when it must not come any more."""
        pause = self.pause()
        if not await self.lines.hold(self.request, default if pause is None else pause):
            raise ConnectionAbortedError

    async def start(self, response: web.StreamResponse, *, length: int | None = None) -> web.StreamResponse:
        """Send a head like that of the answer, and promise so many bytes (None: in chunks)."""
        answer = self.answer
        assert answer is not None  # noqa: S101 - for the type checker: kinds that begin to send have one
        whole = self.respond(answer)
        response.set_status(whole.status)
        response.headers.update({name: value for name, value in whole.headers.items() if name != "Content-Length"})
        if length is None:
            response.enable_chunked_encoding()
        else:
            response.content_length = length
        await response.prepare(self.request)
        return response


async def deliver(delivery: Delivery) -> web.StreamResponse:
    """Send it, or do not, as the kind says."""
    try:
        return await _WAYS.get(delivery.fault.kind, _whole)(delivery)
    except ConnectionError:
        # The client has left in the middle, or the emulator ends: an answer before its time would be another fault.
        return drop(delivery.request, "closed")


def drop(request: web.BaseRequest, kind: str) -> web.StreamResponse:
    """End the connection without an answer, at once: with a reset, or in order."""
    if kind == "reset":
        reset(request.transport)
    elif request.transport is not None:
        request.transport.close()
    return web.StreamResponse()


async def _whole(delivery: Delivery) -> web.StreamResponse:
    await delivery.hold()
    answer = delivery.answer
    return web.StreamResponse() if answer is None else delivery.respond(answer)


async def _nothing(delivery: Delivery) -> web.StreamResponse:
    await delivery.hold()
    return drop(delivery.request, delivery.fault.kind)


async def _silence(delivery: Delivery) -> web.StreamResponse:
    await delivery.lines.hold(delivery.request, delivery.pause())
    return drop(delivery.request, "closed")


async def _truncated(delivery: Delivery) -> web.StreamResponse:
    await delivery.hold()
    await _begun(delivery, share=0.5)
    return drop(delivery.request, "reset")


async def _stalled(delivery: Delivery) -> web.StreamResponse:
    await _begun(delivery, share=0.0)
    return await _silence(delivery)


async def _begun(delivery: Delivery, *, share: float) -> None:
    """The head, and a share of the body."""
    # Nothing cannot be cut: an empty body is promised as an empty object.
    body = (delivery.answer.body if delivery.answer is not None else b"") or b"{}"
    share = share if delivery.fault.share is None else delivery.fault.share
    response = await delivery.start(web.StreamResponse(), length=len(body))
    await response.write(body[: int(len(body) * share)])


async def _trickled(delivery: Delivery) -> web.StreamResponse:
    body = delivery.answer.body if delivery.answer is not None else b""
    response = await delivery.start(web.StreamResponse(), length=len(body))
    piece = delivery.fault.piece or 1
    for place in range(0, len(body), piece):
        await delivery.hold(default=delivery.second)
        await response.write(body[place : place + piece])
    return response


async def _huge(delivery: Delivery) -> web.StreamResponse:
    await delivery.hold()
    response = await delivery.start(web.StreamResponse())
    for block in huge(delivery.fault.size or DEFAULT_SIZE):
        await response.write(block)
        # A fast reader would have the loop to itself and us.
        await asyncio.sleep(0)
    return response


async def _garbage(delivery: Delivery) -> web.StreamResponse:
    content = garbage_of(delivery.fault)
    piece = delivery.fault.piece or len(content) or 1
    for place in range(0, len(content), piece):
        await delivery.hold()
        if delivery.request.transport is not None:
            delivery.request.transport.write(content[place : place + piece])
    return drop(delivery.request, "closed")


async def _closed_after(delivery: Delivery) -> web.StreamResponse:
    response = await _whole(delivery)
    await response.prepare(delivery.request)
    await response.write_eof()
    drop(delivery.request, "closed")
    return response


async def _closed_on_reuse(delivery: Delivery) -> web.StreamResponse:
    response = await _whole(delivery)
    if delivery.request.transport is not None:
        delivery.lines.doom(delivery.request.protocol, delivery.fault.label)
    return response


_WAYS: Final[Mapping[str, Callable[[Delivery], Awaitable[web.StreamResponse]]]] = {
    "reset": _nothing,
    "closed": _nothing,
    "silence": _silence,
    "truncated": _truncated,
    "stalled": _stalled,
    "trickled": _trickled,
    "huge": _huge,
    "garbage": _garbage,
    "closed_after": _closed_after,
    "closed_on_reuse": _closed_on_reuse,
}
