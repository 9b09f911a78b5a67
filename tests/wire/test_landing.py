"""Whether a POST that starts a run has landed: each row of the module's table."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async import errors
from maia_async.wire.answers import error_of, may_send_again
from maia_async.wire.landing import Landing, landing_of
from maia_async.wire.requests import Reply, RequestSpec


def response(status: int) -> errors.ResponseError:
    found = error_of(Reply(status=status, headers={}, body=b""), method="POST", path="/v1/x")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("error", "landing"),
    [
        (None, Landing.STARTED),
        (errors.ConnectFailed("refused"), Landing.NOT_LANDED),
        (errors.ConnectFailed("certificate", final=True), Landing.NOT_LANDED),
        (response(429), Landing.NOT_LANDED),
        (response(401), Landing.NOT_LANDED),
        (errors.InvalidRequest([]), Landing.NOT_LANDED),
        (errors.SessionClosed(), Landing.NOT_LANDED),
        (errors.MisuseError("other loop"), Landing.NOT_LANDED),
        (errors.ConfigurationError("none"), Landing.NOT_LANDED),
        *((response(status), Landing.REFUSED) for status in (400, 402, 403, 404, 405, 409, 410, 413, 422, 451, 499)),
        *((response(status), Landing.AMBIGUOUS) for status in (408, 425, 500, 501, 502, 503, 504, 599, 301, 302, 307, 100)),
        (errors.RequestTimedOut("slow"), Landing.AMBIGUOUS),
        (errors.Disconnected("reset"), Landing.AMBIGUOUS),
        (errors.TransportError("anything"), Landing.AMBIGUOUS),
        (errors.DecodeError(["$.pipelineExecutionId: missing"]), Landing.AMBIGUOUS),
        (asyncio.CancelledError(), Landing.AMBIGUOUS),
        (RuntimeError("a bug"), Landing.AMBIGUOUS),
    ],
    ids=repr,
)
def test_each_row_of_the_table(error: BaseException | None, landing: Landing) -> None:
    assert landing_of(error) is landing


@given(st.integers(100, 199) | st.integers(300, 999))
def test_whatever_is_sent_again_at_once_is_known_not_to_have_landed(status: int) -> None:
    error = response(status)
    if may_send_again(RequestSpec(method="POST", path="/v1/x"), error):
        assert landing_of(error) is Landing.NOT_LANDED
