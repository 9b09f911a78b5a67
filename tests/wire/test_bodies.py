"""What an answer's body is taken for, with literals."""

from __future__ import annotations

import pytest

from maia_async.errors import DecodeError
from maia_async.wire.bodies import accepted
from maia_async.wire.requests import Reply, RequestSpec

COMMAND = RequestSpec(method="PATCH", path="/v1/x")


@pytest.mark.parametrize("body", [b"", b"{}", b"Accepted", b'"<b>"'])
def test_a_command_may_be_answered_with_anything_but_a_page(body: bytes) -> None:
    accepted(COMMAND, Reply(status=200, headers={}, body=body))


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"<html><title>Sign in</title></html>", "$: the answer is HTML: Sign in"),
        (b"\r\n <!DOCTYPE html>", "$: the answer is HTML: "),
        (b"<\xff>", "$: the answer is HTML: "),
        (b"<", "$: the answer is HTML: <"),
    ],
)
def test_a_page_is_no_answer_to_a_command(body: bytes, wrong: str) -> None:
    with pytest.raises(DecodeError) as caught:
        accepted(COMMAND, Reply(status=200, headers={}, body=body))

    assert caught.value.problems == (wrong,)
    assert (caught.value.method, caught.value.path, caught.value.status) == ("PATCH", "/v1/x", 200)
