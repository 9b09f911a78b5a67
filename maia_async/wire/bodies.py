"""What goes out as URL and body, and what an answer's body is taken for; pure, it sends nothing and knows no operation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from maia_async.errors import DecodeError, InvalidRequest
from maia_async.problems import FieldProblem
from maia_async.wire.codec import parse_json
from maia_async.wire.operations import Query
from maia_async.wire.problem import plain
from maia_async.wire.requests import Reply, RequestSpec

T = TypeVar("T")
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False)  # `json.dumps` would make one for each request


def decoded(spec: RequestSpec, reply: Reply, decode: Callable[[Any], T]) -> T:
    """`decode` of the reply's JSON; a DecodeError then says which operation it was, and quotes no secret of it."""
    try:
        return decode(parse_json(reply.body))
    except DecodeError as error:
        failure = DecodeError(masked_lines(error, reply), method=spec.method, path=spec.path, status=error.status or reply.status)
    # A broken answer may hold anything: it is in the parser's own error and frames, and perhaps in `decode`.
    del decode
    raise failure


def masked_lines(error: DecodeError, reply: Reply) -> list[str]:
    """The problems of an error about this reply, which quote keys and values, without its secret."""
    return [line if (shown := reply.masked(line)) == line else plain(shown) for line in error.problems]


def accepted(spec: RequestSpec, reply: Reply) -> None:
    """For a command, whose 2xx promises no body: any will do, but a page (a proxy's sign-in) is no answer of the API.

    Raises DecodeError then: nobody says that it was carried out.
    """
    if reply.body.lstrip()[:1] == b"<":
        decoded(spec, reply, lambda _: None)  # a page is no JSON, and is told as it is everywhere


def written(query: Query) -> str:
    """A query as it stands in a URL. Raises InvalidRequest for what no URL can carry."""
    try:
        return f"?{urlencode(query)}"
    except UnicodeEncodeError:
        raise InvalidRequest([FieldProblem("query", "contains characters that no URL can carry")]) from None


def encoded(value: Any) -> bytes:
    """A body as JSON. Raises InvalidRequest for what is none."""
    try:
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error)
    raise InvalidRequest([FieldProblem("json", f"cannot be written as JSON: {reason}")])
