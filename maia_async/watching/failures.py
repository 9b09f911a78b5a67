"""What a failed own read means for a wait: one table for every kind of thing that is awaited. Pure.

a failed read                                               the wait
401 with a fresh token, credentials refused                 ends
403                                                         ends
404 within `grace` seconds of our own trigger or create     goes on: not visible yet
any other 404                                               ends
an id that cannot be put into a path, a closed client       ends
anything else (5xx, 429, timeouts, disconnects, garbage)    goes on until `PollPolicy.max_unreachable`
"""

from __future__ import annotations

from maia_async.errors import ConfigurationError, Forbidden, InvalidRequest, MisuseError, NotFound, ResponseError, Unauthorized


def ends_wait(error: Exception, *, since_trigger: float | None, grace: float) -> bool:
    """Whether `error` ends the wait, `since_trigger` seconds after our own trigger (None: it was not ours)."""
    if isinstance(error, NotFound):
        return since_trigger is None or since_trigger > grace
    if isinstance(error, ResponseError):  # before InvalidRequest, which a 400 is too
        return isinstance(error, Unauthorized | Forbidden)
    return isinstance(error, InvalidRequest | MisuseError | ConfigurationError)
