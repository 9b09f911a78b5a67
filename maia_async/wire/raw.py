"""The raw door's two ends: plain arguments to a RequestSpec, a reply to a Response. It knows no operation and sends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from maia_async.errors import DecodeError, InvalidRequest
from maia_async.models import Response
from maia_async.problems import FieldProblem
from maia_async.wire.codec import parse_json
from maia_async.wire.requests import Reply, RequestSpec
from maia_async.wire.segments import check_path

METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
Params = Mapping[str, Any] | Sequence[tuple[str, Any]]


def raw_request(method: str, path: str, params: Params | None, json: Any) -> RequestSpec:
    """A RequestSpec from plain arguments. Raises InvalidRequest for an unknown method, a bad path, or parameters that are no scalars."""
    verb = method.upper() if isinstance(method, str) else ""
    if verb not in METHODS:
        raise InvalidRequest([FieldProblem("method", f"must be one of {', '.join(sorted(METHODS))}")])
    # POST and PATCH may do more when they are carried out twice; the others may not, by RFC 9110.
    return RequestSpec(method=verb, path=check_path(path), query=tuple(_query(params)), json=json, repeatable=verb not in {"POST", "PATCH"})


def raw_response(reply: Reply) -> Response:
    """A reply with its body as JSON, else as text, else None."""
    body: Any
    try:
        body = parse_json(reply.body)
    except DecodeError:
        body = reply.body.decode("utf-8", errors="replace") or None
    return Response(status=reply.status, headers=reply.headers, body=body)


def _query(params: Params | None) -> Iterator[tuple[str, str]]:
    if params is None:
        return
    for name, value in params.items() if isinstance(params, Mapping) else params:
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is None:
                continue
            if not isinstance(one, str | int | float):
                raise InvalidRequest([FieldProblem(f"params.{name}", f"must be text or a number, is {type(one).__name__}")])
            yield str(name), str(one).lower() if isinstance(one, bool) else str(one)
