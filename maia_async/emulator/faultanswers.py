"""What a fault answers, as a status, headers and bytes; pure, and how it goes over the wire is another matter (`misbehaviour`).

| kind                                    | status without `status`     | body without `body`                              |
| --------------------------------------- | --------------------------- | ------------------------------------------------ |
| reset, closed, silence, garbage         | there is no answer          |                                                  |
| html                                    | 200                         | the page of a login                              |
| redirect                                | 302                         | none                                             |
| bomb, huge                              | 200                         | `size` bytes of JSON (64 MiB), packed or not yet |
| others, with `merge`, `put` …           | the real one                | the real one, changed                            |
| others, landed, without `status`        | the real one                | the real one                                     |
| others                                  | 503                         | a problem with the status                        |
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from attrs import field, frozen

from maia_async.emulator.exchange import JSON, PROBLEM, Reply, encoded
from maia_async.emulator.faults import SENDING, Fault
from maia_async.emulator.problems import Refused
from maia_async.emulator.ratelimit import retry_after
from maia_async.emulator.transforms import merged, put, removed

DEFAULT_SIZE: Final = 64 * 1024 * 1024
_ELSEWHERE: Final = "https://another-host.invalid/dpc/login"
_STATUS: Final = {"html": 200, "redirect": 302, "bomb": 200, "huge": 200}
_DETAILS: Final = {429: "Rate limit exceeded", 500: "Unexpected error occurred", 504: "The service did not answer in time"}
_LOGIN: Final = (
    "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n"
    '<body><form method="post" action="/login"><input name="username"><input name="password" type="password"></form></body></html>\n'
)
_BLOCK: Final = 1024 * 1024
_BEFORE: Final = b'{"results":[],"padding":"'
_AFTER: Final = b'"}'


@frozen(kw_only=True)
class Answer:
    """An answer in bytes. `content_type` is None where there is no body."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str | None = None
    headers: Mapping[str, str] = field(factory=dict)


def answer_of(fault: Fault, reply: Reply | None, *, now: float, speed: float, instance: str) -> Answer | None:
    """The table. `reply` is the real one, if the request landed; `now` that of the clock that writes dates."""
    if fault.kind not in SENDING:
        return None
    status, body, content_type = _content(fault, reply, instance)
    if status in {204, 304}:
        body, content_type = b"", None
    real = reply.headers if reply is not None and fault.status is None and fault.body is None else None
    headers = {**(real or {}), **_extra(fault, now=now, speed=speed), **(fault.headers or {})}
    return Answer(status=status, body=body, content_type=fault.content_type or content_type, headers=headers)


def garbage_of(fault: Fault) -> bytes:
    """What kind "garbage" writes."""
    return fault.body.encode(fault.encoding) if isinstance(fault.body, str) else b"\x00\xffnot HTTP \x16\x03\x01\r\n\r\n"


def huge(size: int) -> Iterator[bytes]:
    """JSON of about so many bytes, in blocks."""
    left = max(0, size - len(_BEFORE) - len(_AFTER))
    yield _BEFORE
    while left > 0:
        yield b"0" * min(left, 65536)
        left -= 65536
    yield _AFTER


@lru_cache(maxsize=4)
def bomb(size: int) -> bytes:
    """Some kilobytes of gzip that become JSON of about `size` bytes. It takes 3 ms for each megabyte, once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    blocks, rest = divmod(max(0, size - len(_BEFORE) - len(_AFTER)), _BLOCK)
    block = b"0" * _BLOCK
    pieces = [_BEFORE, *(block for _ in range(blocks)), b"0" * rest, _AFTER]
    return b"".join([*map(packer.compress, pieces), packer.flush()])


def _content(fault: Fault, reply: Reply | None, instance: str) -> tuple[int, bytes, str | None]:
    asked = fault.status or _STATUS.get(fault.kind)
    status = asked or (reply.status if reply is not None else 503)
    if fault.body is not None:
        return status, *_given(fault)
    if fault.kind == "html":
        return status, _LOGIN.encode(), "text/html; charset=utf-8"
    if fault.kind == "redirect":
        return status, b"", None
    if fault.kind == "bomb":
        return status, bomb(fault.size or DEFAULT_SIZE), JSON
    if fault.kind == "huge":
        return status, b"", JSON
    if reply is not None and (asked is None or fault.bends):
        payload = _bent(fault, reply.payload)
        return status, b"" if payload is None else encoded(payload), None if payload is None else reply.content_type
    problem = Refused(status, _DETAILS.get(status, "The service is not available"))
    return status, encoded(problem.body(instance)), PROBLEM


def _given(fault: Fault) -> tuple[bytes, str | None]:
    if not isinstance(fault.body, str):
        return encoded(fault.body), JSON
    return fault.body.encode(fault.encoding), f"text/plain; charset={fault.encoding}" if fault.body else None


def _bent(fault: Fault, payload: Any) -> Any:
    if fault.merge is not None:
        payload = merged(payload, fault.merge)
    for path, value in (fault.put or {}).items():
        payload = put(payload, path, value)
    return removed(payload, fault.remove or ())


def _extra(fault: Fault, *, now: float, speed: float) -> dict[str, str]:
    """The headers that the kind, or `retry_after`, asks for."""
    if fault.kind == "redirect":
        return {"Location": fault.location or _ELSEWHERE}
    if fault.kind == "bomb":
        return {"Content-Encoding": "gzip"}
    if fault.retry_after is None:
        return {}
    if isinstance(fault.retry_after, str):
        return {"Retry-After": fault.retry_after}
    value = retry_after(fault.retry_after, now=now, speed=speed, reading=fault.retry_after_form)
    return {} if value is None else {"Retry-After": value}
