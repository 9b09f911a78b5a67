"""HTTP around the routes: arrival, latency, limit, authorization, faults, log, answer; the routes themselves decide everything else.

    request -> latency in -> log -> faults before -> whose it is -> limit -> body -> authorization -> route -> faults after -> latency out

aiohttp's low-level server is used and not its application: ids with `%2F` and `..` reach the routes as they were sent, every answer has
a `Date` of the emulator's clock, and no router or signal is paid for in a server that benchmarks lean on. Only what is not HTTP at all
is answered by aiohttp itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from aiohttp import web

from maia_async.emulator.definitions import without_secrets
from maia_async.emulator.dice import draw
from maia_async.emulator.door import Door
from maia_async.emulator.exchange import API, Call, Reply, refusal
from maia_async.emulator.problems import Refused
from maia_async.emulator.ratelimit import retry_after
from maia_async.emulator.requestlog import LoggedRequest
from maia_async.emulator.routes import resource, token
from maia_async.emulator.scenario import Credential
from maia_async.emulator.service import Service
from maia_async.emulator.times import http_date

TOKEN: Final = "/oauth/dpc/token"  # noqa: S105 - a path
DOOR: Final = "/_emulator"
# Lists of a hundred thousand lengths or ids come through the door.
_DOOR_BODY: Final = 32 * 1024 * 1024
_LOGGED_BODY: Final = 64 * 1024
_encode = json.JSONEncoder(separators=(",", ":")).encode
_logger = logging.getLogger("maia_async.emulator")


class App:
    """The handler of every request; `in_flight` counts those not yet answered."""

    def __init__(self, service: Service, door: Door) -> None:
        self.in_flight = 0
        self._service = service
        self._door = door
        self._date = (-1, "")

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever it is."""
        self.in_flight += 1
        try:
            path = request.rel_url.raw_path
            if path == DOOR or path.startswith(DOOR + "/"):
                body = await _body(request.clone(client_max_size=_DOOR_BODY))
                reply = self._door.answer(request.method, path[len(DOOR) :], request.rel_url.query, body, instance=path)
            else:
                reply = await self._answer(request, path)
        except Refused as error:
            reply = refusal(error, request.rel_url.raw_path, self._service.readings)
        finally:
            self.in_flight -= 1
        return self._response(reply)

    async def _answer(self, request: web.BaseRequest, path: str) -> Reply:
        service = self._service
        await self._pause(service.latency_in)
        entry = service.log.add(at=service.clock.now(), method=request.method, path=path, query=request.rel_url.raw_query_string)
        try:
            reply = await service.faults.before(request) if service.faults.rules else None
            if reply is None:
                reply = await self._handle(request, path, entry)
        except Refused as error:
            reply = refusal(error, path, service.readings)
        except Exception:
            _logger.exception("the emulator failed to answer %s %s", request.method, path)
            reply = refusal(Refused(500, "Unexpected error occurred"), path, service.readings)
        if service.faults.rules:
            reply = await service.faults.after(request, reply)
        entry.status = reply.status
        service.answers[reply.status] = service.answers.get(reply.status, 0) + 1
        if entry.client_id is not None:
            calls = service.calls.setdefault(entry.client_id, [0, 0])
            calls[0] += 1
            calls[1] += reply.status == 429
        await self._pause(service.latency_out)
        return reply

    async def _handle(self, request: web.BaseRequest, path: str, entry: LoggedRequest) -> Reply:
        service = self._service
        api = path.startswith(API + "/")
        client = self._bearer(request, entry.at) if api else None
        if client is not None:
            entry.client_id = client.client_id
        if path == TOKEN and len(service.windows) > 1:
            # Only the body says whose budget it is. By then others may have arrived: a window takes arrivals in order.
            body = await _body(request)
            self._admit(service.clock.now(), token.client_of(service, request.headers.get("Content-Type", ""), body))
        else:
            if api or path == TOKEN:
                self._admit(entry.at, client)
            body = await _body(request)
        # Read again: a body may take its time.
        now = service.clock.now()
        call = Call(
            method=request.method,
            path=path,
            segments=tuple(unquote(segment) for segment in path[len(API) + 1 :].split("/")) if api else (),
            query=parse_qs(entry.query, keep_blank_values=True) if entry.query else {},
            body=body,
            content_type=request.headers.get("Content-Type", ""),
            now=now,
        )
        if path == TOKEN:
            if request.method != "POST":
                raise _wrong_method(["POST"])
            reply, entry.body = token.issue(service, call)
            return reply
        if not api:
            raise Refused(404, "No such path")
        # Again: a token may end while a body is read.
        call.client = self._bearer(request, now)
        if call.client is None:
            raise Refused(401, "A valid bearer token is required", headers={"WWW-Authenticate": "Bearer"})
        is_definition = "streaming-pipelines" in call.segments
        entry.body = _loggable(body, hook=without_secrets if is_definition else None) if body else None
        methods = resource(call.segments)
        if methods is None:
            raise Refused(404, "No such path")
        handler = methods.get(request.method)
        if handler is None:
            raise _wrong_method(list(methods))
        return handler(service, call)

    def _admit(self, now: float, client: Credential | None) -> None:
        """One request on the account of the client, or on the first account for those that nobody answers for."""
        service = self._service
        window = next(iter(service.windows.values())) if client is None else service.windows[client.account]
        wait = window.arrive(now)
        if wait is not None:
            value = retry_after(wait, now=now, speed=service.speed, reading=service.readings.retry_after)
            raise Refused(429, "Rate limit exceeded", headers=None if value is None else {"Retry-After": value})

    def _bearer(self, request: web.BaseRequest, now: float) -> Credential | None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return self._service.tokens.check(given.strip(), now) if scheme.lower() == "bearer" else None

    async def _pause(self, latency: tuple[float, float]) -> None:
        if latency[1]:
            await asyncio.sleep(draw(self._service.chance, latency) / self._service.speed)

    def _response(self, reply: Reply) -> web.Response:
        now = self._service.clock.now()
        second = int(now)
        if self._date[0] != second:
            self._date = (second, http_date(now))
        headers = {"Date": self._date[1]}
        if reply.headers:
            headers.update(reply.headers)
        if reply.payload is None:
            return web.Response(status=reply.status, headers=headers)
        headers["Content-Type"] = reply.content_type
        return web.Response(status=reply.status, body=_encode(reply.payload).encode(), headers=headers)


async def _body(request: web.BaseRequest) -> bytes:
    """The body, at most as much of it (after decompression) as the request allows: 1 MiB outside the control door."""
    if not request.body_exists:
        return b""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, "The body is too large") from None
    except web.RequestPayloadError:
        raise Refused(HTTPStatus.BAD_REQUEST, "Failed to read request: the body is broken") from None


def _loggable(body: bytes, *, hook: Callable[[dict[str, Any]], Any] | None) -> object:
    if len(body) > _LOGGED_BODY:
        return f"{len(body)} bytes"
    try:
        return json.loads(body, object_hook=hook)
    except (ValueError, RecursionError):
        return body.decode("utf-8", errors="replace")


def _wrong_method(allowed: list[str]) -> Refused:
    return Refused(405, f"Allowed here: {', '.join(allowed)}", headers={"Allow": ", ".join(allowed)})
