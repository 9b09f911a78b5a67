"""The raw door's two ends: what is accepted, how it is encoded, and that any answer becomes a Response."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.errors import InvalidRequest
from maia_async.models import Response
from maia_async.wire.raw import METHODS, raw_request, raw_response
from maia_async.wire.requests import Reply, RequestSpec


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_but_post_and_patch_may_be_sent_twice(method: str) -> None:
    expected = RequestSpec(method=method, path="/v1/x", repeatable=method not in {"POST", "PATCH"})
    assert raw_request(method, "/v1/x", None, None) == expected
    assert raw_request(method.lower(), "/v1/x", None, None) == expected


@pytest.mark.parametrize("method", ["", "TRACE", "CONNECT", "GET /v1", "GET\r\n", None, 5, b"GET"])
def test_any_other_method_is_refused(method: Any) -> None:
    with pytest.raises(InvalidRequest, match="method: must be one of DELETE, GET"):
        raw_request(method, "/v1/x", None, None)


def test_a_bad_path_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="path: must not contain"):
        raw_request("GET", "/v1/x?page=1", None, None)


@pytest.mark.parametrize(
    ("params", "query"),
    [
        (None, ()),
        ({}, ()),
        ({"a": "x", "b": 2, "c": 0.5}, (("a", "x"), ("b", "2"), ("c", "0.5"))),
        ({"a": True, "b": False}, (("a", "true"), ("b", "false"))),
        ({"a": None, "b": ""}, (("b", ""),)),
        ({"status": ["RUNNING", None, "FAILED"]}, (("status", "RUNNING"), ("status", "FAILED"))),
        ({"a": ()}, ()),
        ([("a", 1), ("a", 2)], (("a", "1"), ("a", "2"))),
    ],
)
def test_parameters_become_texts_in_their_order(params: Any, query: tuple[tuple[str, str], ...]) -> None:
    assert raw_request("GET", "/v1/x", params, None).query == query


@pytest.mark.parametrize("value", [{"x": 1}, object(), b"x", [["x"]], {1}])
def test_a_parameter_that_is_no_scalar_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"params\.filter: must be text or a number"):
        raw_request("GET", "/v1/x", {"filter": value}, None)


@pytest.mark.parametrize("json", [None, {}, {"a": [1]}, [], "text", 0, False])
def test_the_body_is_passed_as_it_is(json: Any) -> None:
    assert raw_request("POST", "/v1/x", None, json).json == json


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"[]", []),
        (b"null", None),
        (b"0", 0),
        (b"plain text", "plain text"),
        (b"<html>", "<html>"),
        (b'{"a": ', '{"a": '),
        (b"\xff", "\ufffd"),
        (b"", None),
    ],
)
def test_a_body_is_json_else_text_else_nothing(body: bytes, read: Any) -> None:
    found = raw_response(Reply(status=200, headers={"etag": "x"}, body=body))
    assert found == Response(status=200, headers={"etag": "x"}, body=read)


@given(st.binary())
def test_any_body_becomes_a_response(body: bytes) -> None:
    assert raw_response(Reply(status=200, headers={}, body=body)).status == 200
