"""A request and a reply as plain values, so that the routes are functions of values; no HTTP library is imported here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from attrs import define

from maia_async.emulator.problems import Refused
from maia_async.emulator.readings import Readings
from maia_async.emulator.scenario import Credential

API: Final = "/dpc"
JSON = "application/json"
PROBLEM = "application/problem+json"
_encode = json.JSONEncoder(separators=(",", ":")).encode


@define(kw_only=True)
class Call:
    """A request that passed the limit (and, under the API, authorization). `segments` are decoded one by one; `query` keeps repeats."""

    method: str
    path: str
    segments: tuple[str, ...]
    query: Mapping[str, list[str]]
    body: bytes
    content_type: str
    now: float
    client: Credential | None = None


@define
class Reply:
    """A status and a payload for JSON; None is an empty body."""

    status: int
    payload: Any = None
    content_type: str = JSON
    headers: Mapping[str, str] | None = None


def refusal(error: Refused, instance: str, readings: Readings) -> Reply:
    """The reply that a refusal becomes; a tag conflict (#8) and the problems of a definition (#7) may have the guides' shapes."""
    headers = error.headers or None
    if error.fields:
        if readings.definition_errors == "validation-errors":
            # The guide prints the path as its pages do, from the version on.
            return Reply(error.status, error.fields_body(instance.removeprefix(API)), JSON, headers)
        error.violations = tuple(f"{name}: {message}" for name, message in error.fields)
    if error.kind == "tag" and readings.conflict_body == "error":
        return Reply(error.status, {"error": error.detail, "status": error.status}, JSON, headers)
    return Reply(error.status, error.body(instance), PROBLEM, headers)


def shaped(fields: dict[str, Any], readings: Readings) -> dict[str, Any]:
    """An object as this reading prints it: without its absent fields, or with nulls, and perhaps with fields that nobody knows."""
    shape = fields if readings.null_fields == "null" else {name: value for name, value in fields.items() if value is not None}
    return extended(shape, readings)


def extended(fields: dict[str, Any], readings: Readings) -> dict[str, Any]:
    """An object with fields that nobody knows, in the reading that has them."""
    return {**fields, "futureField": {"nested": [1, None, "x"]}, "_links": []} if readings.extra_fields else fields


def parsed_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; anything else is 400."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "Failed to read request: the body is not JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "Failed to read request: the body is not a JSON object")
    return value


def parsed_form(content_type: str, body: bytes) -> dict[str, str] | None:
    """The first value of each field of a form; None for a body that is none."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return None
    try:
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return None
    return {name: values[0] for name, values in fields.items()}


def encoded(payload: Any) -> bytes:
    """JSON as the emulator writes it."""
    return _encode(payload).encode()


def parameter(call: Call, name: str) -> str | None:
    """A query parameter that is given once; of repeats the first counts. An empty one counts as absent."""
    values = call.query.get(name)
    return values[0] if values and values[0] else None
