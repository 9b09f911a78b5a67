"""HTTP around the routes: arrival, latency, limit, authorization, faults, log, answer; the routes themselves decide everything else.

    request -> latency in -> log -> ARRIVAL -> hooks before -> whose it is -> limit -> body -> GATE -> authorization -> ROUTE -> route
            -> hooks after -> latency out -> delivery

A scripted fault is met at one of the stages in capitals (see `faults`). On ARRIVAL nothing was read: a reset there does not count against
the limit. At the GATE the request has cost what any other costs, as when a gateway answers 504 for a service that never saw it. At
the ROUTE nothing can refuse it any more but the route, so a fault for one trigger is not spent on a request without a good token.

aiohttp's low-level server is used and not its application: ids with `%2F` and `..` reach the routes as they were sent, every answer has
a `Date` of the emulator's clock, and no router or signal is paid for in a server that benchmarks lean on. Only what is not HTTP at all
is answered by aiohttp itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from aiohttp import web

from maia_async.emulator.definitions import without_secrets
from maia_async.emulator.dice import draw
from maia_async.emulator.door import Door
from maia_async.emulator.exchange import API, Call, Reply, encoded, refusal
from maia_async.emulator.faultanswers import Answer, answer_of
from maia_async.emulator.faultrules import Scripted, Stage, met, parsed
from maia_async.emulator.lines import Lines
from maia_async.emulator.misbehaviour import Delivery, deliver, drop
from maia_async.emulator.problems import Refused
from maia_async.emulator.ratelimit import retry_after
from maia_async.emulator.requestlog import LoggedRequest
from maia_async.emulator.routes import Handler, executions, resource, token
from maia_async.emulator.scenario import Credential
from maia_async.emulator.service import Service
from maia_async.emulator.times import http_date
from maia_async.logs import logger_named

TOKEN: Final = "/oauth/dpc/token"  # noqa: S105 - a path
DOOR: Final = "/_emulator"
# Lists of a hundred thousand lengths or ids come through the door.
_DOOR_BODY: Final = 32 * 1024 * 1024
_LOGGED_BODY: Final = 64 * 1024
_logger = logger_named("maia_async.emulator")


class App:
    """The handler of every request; `in_flight` counts those not yet answered."""

    def __init__(self, service: Service, door: Door, lines: Lines) -> None:
        self.in_flight = 0
        self._service = service
        self._door = door
        self._lines = lines
        self._date = (-1, "")

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever it is."""
        self.in_flight += 1
        try:
            path = request.rel_url.raw_path
            if path == DOOR or path.startswith(DOOR + "/"):
                return self._response(await self._at_door(request, path))
            return await self._answer(request, path)
        except ConnectionError:
            # The client has left while its body was read: there is nobody to answer, and nothing is wrong with us.
            return drop(request, "closed")
        finally:
            self.in_flight -= 1

    async def _at_door(self, request: web.BaseRequest, path: str) -> Reply:
        # Whoever tells the emulator to reset all connections is to hear that it did.
        self._lines.at_door.add(request.protocol)
        try:
            body = await _body(request.clone(client_max_size=_DOOR_BODY))
            return self._door.answer(request.method, path[len(DOOR) :], request.rel_url.query, body, instance=path)
        except Refused as error:
            return refusal(error, path, self._service.readings)
        finally:
            self._lines.at_door.discard(request.protocol)

    async def _answer(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        service = self._service
        await self._pause(service.latency_in)
        entry = service.log.add(at=service.clock.now(), method=request.method, path=path, query=request.rel_url.raw_query_string)
        entry.fault = self._lines.doomed(request.protocol)
        if entry.fault is not None:
            return drop(request, "closed")
        reply, hit = await self._reply(request, path, entry)
        if hit is None:
            assert reply is not None  # noqa: S101 - for the type checker: only a fault leaves a request without a reply
            entry.status = reply.status
            self._count(entry)
            await self._pause(service.latency_out)
            return self._response(reply)
        return await self._misbehave(request, reply, hit, entry)

    async def _reply(self, request: web.BaseRequest, path: str, entry: LoggedRequest) -> tuple[Reply | None, Scripted | None]:
        """The real reply, if the request is handled, and the fault that it meets, if any."""
        service, hit = self._service, None
        reply: Reply | None = None
        try:
            hit = await self._met(Stage.ARRIVAL, request)
            if hit is not None:
                return None, hit
            reply = await service.faults.before(request) if service.faults.rules else None
            if reply is None:
                reply, hit = await self._handle(request, path, entry)
        except Refused as error:
            reply = refusal(error, path, service.readings)
        except ConnectionError:
            raise
        except Exception:
            _logger.exception("the emulator failed to answer %s %s", request.method, path)
            reply = refusal(Refused(500, "Unexpected error occurred"), path, service.readings)
        if service.faults.rules and reply is not None:
            reply = await service.faults.after(request, reply)
        return reply, hit

    async def _misbehave(self, request: web.BaseRequest, reply: Reply | None, hit: Scripted, entry: LoggedRequest) -> web.StreamResponse:
        service, fault = self._service, hit.fault
        entry.fault = fault.label
        if reply is None and fault.lands:
            # The emulator ended before it could land.
            return drop(request, "closed")
        if reply is not None:
            entry.handled = reply.status
            if fault.replay:
                hit.kept = reply = hit.kept or reply
        now = service.clock.now() + service.skew.date
        answer = answer_of(fault, reply, now=now, speed=service.speed, instance=entry.path)
        entry.status = answer.status if answer is not None else None
        self._count(entry)
        await self._pause(service.latency_out)
        delivery = Delivery(
            fault=fault,
            request=request,
            answer=answer,
            lines=self._lines,
            pause=lambda: hit.seconds(fault.delay, speed=service.speed),
            respond=self._raw_response,
            second=1 / service.speed,
        )
        return await deliver(delivery)

    async def _handle(self, request: web.BaseRequest, path: str, entry: LoggedRequest) -> tuple[Reply | None, Scripted | None]:
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
        segments = tuple(unquote(segment) for segment in path[len(API) + 1 :].split("/")) if api else ()
        if client is not None and body:
            entry.body = _loggable(body, hook=without_secrets if "streaming-pipelines" in segments else None)
        hit = await self._met(Stage.GATE, request)
        if hit is not None:
            return None, hit
        # Read again: a body may take its time.
        now = service.clock.now()
        call = Call(
            method=request.method,
            path=path,
            segments=segments,
            query=parse_qs(entry.query, keep_blank_values=True) if entry.query else {},
            body=body,
            content_type=request.headers.get("Content-Type", ""),
            now=now,
        )
        handler = self._handler(request, call, entry, api=api)
        hit = await self._met(Stage.ROUTE, request)
        if hit is None:
            return handler(service, call), None
        return await self._landed(request, handler, call, hit), hit

    def _handler(self, request: web.BaseRequest, call: Call, entry: LoggedRequest, *, api: bool) -> Handler:
        """What answers the call once nothing else can refuse it."""
        if call.path == TOKEN:
            if call.method != "POST":
                raise _wrong_method(["POST"])
            return partial(_token, entry)
        if not api:
            raise Refused(404, "No such path")
        # Again: a token may end while a body is read.
        call.client = self._bearer(request, call.now)
        if call.client is None:
            raise Refused(401, "A valid bearer token is required", headers={"WWW-Authenticate": "Bearer"})
        methods = resource(call.segments)
        if methods is None:
            raise Refused(404, "No such path")
        handler = methods.get(call.method)
        if handler is None:
            raise _wrong_method(list(methods))
        return handler

    async def _landed(self, request: web.BaseRequest, handler: Handler, call: Call, hit: Scripted) -> Reply | None:
        """The real reply to a call that meets a fault all the same; None when the emulator ended before it landed."""
        service = self._service
        wait = hit.seconds(hit.fault.lands_after, speed=service.speed)
        if wait is not None:
            if not await self._lines.hold(request, wait, whoever_leaves=True):
                return None
            call.now = service.clock.now()
        try:
            reply = handler(service, call)
        except Refused as error:
            return refusal(error, call.path, service.readings)
        if hit.fault.ends is not None:
            executions.end_started(service, reply, hit.fault.ends)
        return reply

    async def _met(self, stage: Stage, request: web.BaseRequest) -> Scripted | None:
        faults = self._service.faults
        if not faults.scripted:
            return None
        candidates = faults.candidates(stage, request.method, unquote(request.rel_url.raw_path))
        body = None
        if any(item.fault.request is not None for item in candidates):
            body = parsed(await _body(request), request.headers.get("Content-Type", ""))
        return met(candidates, body)

    def _admit(self, now: float, client: Credential | None) -> None:
        """One request on the account of the client, or on the first account for those that nobody answers for."""
        service = self._service
        window = next(iter(service.windows.values())) if client is None else service.windows[client.account]
        wait = window.arrive(now)
        if wait is not None:
            date = now + service.skew.date
            value = retry_after(wait, now=date, speed=service.speed, reading=service.readings.retry_after)
            raise Refused(429, "Rate limit exceeded", headers=None if value is None else {"Retry-After": value})

    def _bearer(self, request: web.BaseRequest, now: float) -> Credential | None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return self._service.tokens.check(given.strip(), now) if scheme.lower() == "bearer" else None

    async def _pause(self, latency: tuple[float, float]) -> None:
        if latency[1]:
            await asyncio.sleep(draw(self._service.chance, latency) / self._service.speed)

    def _count(self, entry: LoggedRequest) -> None:
        service = self._service
        if entry.status is not None:
            service.answers[entry.status] = service.answers.get(entry.status, 0) + 1
        if entry.client_id is not None:
            calls = service.calls.setdefault(entry.client_id, [0, 0])
            calls[0] += 1
            calls[1] += entry.status == 429

    def _response(self, reply: Reply) -> web.Response:
        headers = {**self._dated(), **(reply.headers or {})}
        if reply.payload is None:
            return web.Response(status=reply.status, headers=headers)
        headers["Content-Type"] = reply.content_type
        return web.Response(status=reply.status, body=encoded(reply.payload), headers=headers)

    def _raw_response(self, answer: Answer) -> web.Response:
        headers = {**self._dated(), **answer.headers}
        if answer.content_type is not None:
            headers["Content-Type"] = answer.content_type
        return web.Response(status=answer.status, body=answer.body or None, headers=headers)

    def _dated(self) -> dict[str, str]:
        now = self._service.clock.now() + self._service.skew.date
        second = int(now)
        if self._date[0] != second:
            self._date = (second, http_date(now))
        return {"Date": self._date[1]}


def _token(entry: LoggedRequest, service: Service, call: Call) -> Reply:
    reply, entry.body = token.issue(service, call)
    return reply


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
