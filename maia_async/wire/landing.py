"""Whether a POST that starts a run has landed, from what came back or broke; pure, it concludes and does nothing.

what came back or broke                                landing
2xx with an id                                         STARTED
ConnectFailed                                          NOT_LANDED    the connection was never made
429                                                    NOT_LANDED    refused before it was looked at
401                                                    NOT_LANDED    the same
RateLimited without sending (our own pause)            NOT_LANDED
InvalidRequest before sending, SessionClosed           NOT_LANDED
400, 403, 404, 409, 410 and other 4xx, but not 408     REFUSED       the API's answer: no run was started
408, 425, any 5xx, any 3xx, 2xx without a usable id    AMBIGUOUS
RequestTimedOut, Disconnected, DecodeError             AMBIGUOUS
"""

from __future__ import annotations

from enum import Enum

from maia_async import errors


class Landing(Enum):
    """What may be concluded about a trigger."""

    STARTED = "STARTED"
    NOT_LANDED = "NOT_LANDED"
    REFUSED = "REFUSED"
    AMBIGUOUS = "AMBIGUOUS"


def landing_of(error: BaseException | None) -> Landing:
    """The conclusion from the error that ended the POST; None means that an id came back."""
    if error is None:
        return Landing.STARTED
    if isinstance(error, errors.ConnectFailed | errors.RateLimited | errors.Unauthorized | errors.MisuseError | errors.ConfigurationError):
        return Landing.NOT_LANDED
    if isinstance(error, errors.ResponseError):
        definite = 400 <= error.status < 500 and error.status not in {408, 425}
        return Landing.REFUSED if definite else Landing.AMBIGUOUS
    if isinstance(error, errors.InvalidRequest):
        return Landing.NOT_LANDED
    return Landing.AMBIGUOUS
