"""What an answer means: a success, or which error; and whether the request may be sent again. Pure: it sends and waits for nothing.

status      error                    send again (a repeatable request)   send again (any other)
2xx         none                     -                                   -
401         Unauthorized             once, with a fresh token            once, with a fresh token: it was not carried out
429         RateLimited              after the pause                     after the pause: it was not carried out
400, 422    BadRequest               no                                  no
403         Forbidden                no                                  no
404         NotFound                 no                                  no
409         Conflict                 no                                  no
410         PipelineDisabled         no                                  no
408, 425    ResponseError            yes                                 no: it may have been carried out
501, 505    ServerError              no                                  no
504         GatewayTimeout           yes                                 no
other 5xx   ServerError              yes                                 no
1xx, 3xx    ResponseError            no: redirects are not followed      no
other       ResponseError            no                                  no

Each text of an error passes `Reply.masked`, decoded: only there has a secret that was echoed one spelling.

no answer
ConnectFailed                        yes, not after a refused certificate   the same: nothing was sent
RequestTimedOut, Disconnected        yes                                 no
DecodeError                          no                                  no
"""

from __future__ import annotations

from typing import Final

from maia_async import errors
from maia_async.wire.problem import plain, read_problem
from maia_async.wire.requests import Reply, RequestSpec
from maia_async.wire.retry_after import parse_retry_after

_BY_STATUS: Final[dict[int, type[errors.ResponseError]]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.PipelineDisabled,
    422: errors.BadRequest,
    429: errors.RateLimited,
    504: errors.GatewayTimeout,
}
_NEVER_AGAIN: Final = frozenset({501, 505})
_REQUEST_ID_HEADERS: Final = ("x-request-id", "x-correlation-id", "request-id", "x-amzn-requestid", "x-amz-cf-id", "cf-ray")


def error_of(reply: Reply, *, method: str, path: str) -> errors.ResponseError | None:
    """The error that `reply` is, or None for a 2xx."""
    if 200 <= reply.status < 300:
        return None
    kind = _BY_STATUS.get(reply.status, errors.ServerError if reply.status >= 500 else errors.ResponseError)
    return kind(
        reply.status,
        method=method,
        path=path,
        problem=read_problem(reply.body, reply.masked),
        request_id=_request_id(reply),
        retry_after=parse_retry_after(reply.headers.get("retry-after"), reply.headers.get("date")),
    )


def may_send_again(spec: RequestSpec, error: errors.MaiaError) -> bool:
    """Whether `spec` may be sent once more after `error`, as the table says; 401 is the session's, which knows the token."""
    if isinstance(error, errors.RateLimited):
        return True
    if isinstance(error, errors.ConnectFailed):
        return not error.final
    if not spec.repeatable:
        return False
    return is_failure(error) or (isinstance(error, errors.ResponseError) and error.status in {408, 425})


def is_failure(error: errors.MaiaError) -> bool:
    """Whether `error` is no sign of life of the server: it did not answer, or with a 5xx that may pass."""
    if isinstance(error, errors.ServerError):
        return error.status not in _NEVER_AGAIN
    return isinstance(error, errors.TransportError)


def _request_id(reply: Reply) -> str | None:
    for name in _REQUEST_ID_HEADERS:
        if name in reply.headers:
            return plain(reply.masked(reply.headers[name]))[:200] or None
    return None
