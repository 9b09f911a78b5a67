"""What an answer means, and whether the request may be sent again: each row of both tables of the module."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async import errors
from maia_async.problems import ProblemDetail
from maia_async.wire.answers import error_of, is_failure, may_send_again
from maia_async.wire.requests import Reply, RequestSpec

REPEATABLE = RequestSpec(method="GET", path="/v1/x", repeatable=True)
OTHER = RequestSpec(method="POST", path="/v1/x")


def reply(status: int, body: bytes = b"", /, **headers: str) -> Reply:
    return Reply(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


def error(status: int) -> errors.ResponseError | None:
    return error_of(reply(status), method="GET", path="/v1/x")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_2xx_is_no_error(status: int) -> None:
    assert error(status) is None


@pytest.mark.parametrize(
    ("status", "kind", "repeatable", "other"),
    [
        # 401 is sent again by the session, once, because only it knows whether the token was fresh.
        (401, errors.Unauthorized, False, False),
        (429, errors.RateLimited, True, True),
        (400, errors.BadRequest, False, False),
        (422, errors.BadRequest, False, False),
        (403, errors.Forbidden, False, False),
        (404, errors.NotFound, False, False),
        (409, errors.Conflict, False, False),
        (410, errors.PipelineDisabled, False, False),
        (408, errors.ResponseError, True, False),
        (425, errors.ResponseError, True, False),
        (501, errors.ServerError, False, False),
        (505, errors.ServerError, False, False),
        (504, errors.GatewayTimeout, True, False),
        (500, errors.ServerError, True, False),
        (502, errors.ServerError, True, False),
        (503, errors.ServerError, True, False),
        (520, errors.ServerError, True, False),
        (599, errors.ServerError, True, False),
        (100, errors.ResponseError, False, False),
        (301, errors.ResponseError, False, False),
        (302, errors.ResponseError, False, False),
        (307, errors.ResponseError, False, False),
        (304, errors.ResponseError, False, False),
        (402, errors.ResponseError, False, False),
        (405, errors.ResponseError, False, False),
        (418, errors.ResponseError, False, False),
        (499, errors.ResponseError, False, False),
    ],
)
def test_each_status_is_its_error_and_says_whether_to_send_again(
    status: int, kind: type[errors.ResponseError], repeatable: bool, other: bool
) -> None:
    found = error(status)
    assert found is not None
    assert type(found) is kind
    assert found.status == status
    assert may_send_again(REPEATABLE, found) is repeatable
    assert may_send_again(OTHER, found) is other


@pytest.mark.parametrize(
    ("broken", "repeatable", "other"),
    [
        (errors.ConnectFailed("refused"), True, True),
        (errors.ConnectFailed("certificate", final=True), False, False),
        (errors.RequestTimedOut("slow"), True, False),
        (errors.Disconnected("reset"), True, False),
        (errors.DecodeError(["$: too large"]), False, False),
        (errors.SessionClosed(), False, False),
        (errors.ConfigurationError("none"), False, False),
        (errors.InvalidRequest([]), False, False),
    ],
)
def test_without_an_answer_only_what_was_never_sent_goes_again_for_any_request(
    broken: errors.MaiaError, repeatable: bool, other: bool
) -> None:
    assert may_send_again(REPEATABLE, broken) is repeatable
    assert may_send_again(OTHER, broken) is other


def test_the_error_holds_the_body_the_wait_and_the_requests_id() -> None:
    answer = reply(429, b'{"detail": "slow down"}', retry_after="12", x_request_id="r-1\x1b[31m")
    found = error_of(answer, method="POST", path="/v1/x")
    assert found is not None
    assert (found.method, found.path) == ("POST", "/v1/x")
    assert found.problem == ProblemDetail(detail="slow down")
    assert found.retry_after == 12.0
    assert found.request_id == "r-1 [31m"
    assert str(found) == "POST /v1/x: 429 slow down (retry after 12 s) [request r-1 [31m]"


def test_a_date_in_retry_after_counts_from_the_replys_own_date() -> None:
    later, sent = "Sun, 06 Nov 1994 08:50:07 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"
    found = error_of(reply(503, retry_after=later, date=sent), method="GET", path="/")
    assert found is not None
    assert found.retry_after == 30.0
    without = error_of(reply(503, retry_after=later), method="GET", path="/")
    assert without is not None
    assert without.retry_after is None


@pytest.mark.parametrize("header", ["x_request_id", "x_correlation_id", "request_id", "x_amzn_requestid", "x_amz_cf_id", "cf_ray"])
def test_the_requests_id_is_read_from_every_header_that_carries_one(header: str) -> None:
    found = error_of(reply(500, **{header: "abc"}), method="GET", path="/")
    assert found is not None
    assert found.request_id == "abc"


def test_of_several_ids_the_apis_own_wins_and_an_empty_one_is_none() -> None:
    first = error_of(reply(500, cf_ray="edge", x_request_id="own"), method="GET", path="/")
    empty = error_of(reply(500, x_request_id="  "), method="GET", path="/")
    assert first is not None
    assert empty is not None
    assert (first.request_id, empty.request_id) == ("own", None)


@given(st.integers(100, 999), st.binary(max_size=50))
def test_any_answer_is_a_success_or_an_error_of_the_tree(status: int, body: bytes) -> None:
    found = error_of(reply(status, body), method="GET", path="/v1/x")
    if 200 <= status < 300:
        assert found is None
    else:
        assert isinstance(found, errors.ResponseError)
        assert f"GET /v1/x: {status}" in str(found)
        assert may_send_again(REPEATABLE, found) or not may_send_again(OTHER, found)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (errors.ConnectFailed("refused"), True),
        (errors.ConnectFailed("certificate", final=True), True),
        (errors.RequestTimedOut("late"), True),
        (errors.Disconnected("reset"), True),
        (errors.ServerError(500, method="GET", path="/"), True),
        (errors.ServerError(503, method="GET", path="/"), True),
        (errors.GatewayTimeout(504, method="GET", path="/"), True),
        (errors.ServerError(501, method="GET", path="/"), False),
        (errors.ServerError(505, method="GET", path="/"), False),
        (errors.RateLimited(429, method="GET", path="/"), False),
        (errors.Unauthorized(401, method="GET", path="/"), False),
        (errors.NotFound(404, method="GET", path="/"), False),
        (errors.ResponseError(408, method="GET", path="/"), False),
        (errors.DecodeError(["$: too large"]), False),
    ],
)
def test_what_is_no_sign_of_life(error: errors.MaiaError, failure: bool) -> None:
    assert is_failure(error) is failure
