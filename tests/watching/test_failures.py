"""What a failed own read means for a wait: each row of the table."""

from __future__ import annotations

import pytest

from maia_async import errors
from maia_async.watching.failures import ends_wait


def said(kind: type[errors.ResponseError], status: int) -> errors.ResponseError:
    return kind(status, method="GET", path="/v1/x")


@pytest.mark.parametrize(
    ("error", "since_trigger", "ends"),
    [
        (said(errors.Unauthorized, 401), 1.0, True),
        (said(errors.Forbidden, 403), 1.0, True),
        (said(errors.NotFound, 404), 59.0, False),
        (said(errors.NotFound, 404), 61.0, True),
        (said(errors.NotFound, 404), None, True),
        (errors.InvalidRequest([]), None, True),
        (errors.SessionClosed(), None, True),
        (errors.ConfigurationError("x"), None, True),
        (said(errors.BadRequest, 400), None, False),
        (said(errors.Conflict, 409), None, False),
        (said(errors.RateLimited, 429), None, False),
        (said(errors.ServerError, 503), None, False),
        (said(errors.ResponseError, 302), None, False),
        (errors.ConnectFailed("x"), None, False),
        (errors.RequestTimedOut("x"), None, False),
        (errors.Disconnected("x"), None, False),
        (errors.DecodeError(["$: x"]), None, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_a_failed_read_ends_a_wait_as_the_table_says(error: Exception, since_trigger: float | None, ends: bool) -> None:
    assert ends_wait(error, since_trigger=since_trigger, grace=60.0) is ends
