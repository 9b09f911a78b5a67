"""A secret shows itself to nobody by accident: not in text, copies, pickles, or a traceback that prints local variables."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest

from maia_async.auth import ClientCredentials, StaticToken, Token
from maia_async.secrets import Secret

HUSH = "hush-hush-1234567890"
HOLDERS = [
    Secret(HUSH),
    StaticToken(HUSH),
    ClientCredentials("id", HUSH),
    Token(Secret(f"Bearer {HUSH}"), 1800.0),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_no_way_of_printing_shows_it(holder: object, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").debug("%s %r", holder, holder)
    shown = [repr(holder), str(holder), f"{holder}", f"{holder!r}", repr([holder]), repr({"x": holder}), caplog.text]
    assert all(HUSH not in text for text in shown)


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_it_is_not_pickled_nor_copied_nor_written_as_json(holder: object) -> None:
    with pytest.raises(TypeError, match="a secret is not pickled") as caught:
        pickle.dumps(holder)
    assert HUSH not in str(caught.value)
    with pytest.raises(TypeError, match="a secret is not pickled"):
        copy.deepcopy(holder)
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps({"x": holder}, default=None)


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_a_traceback_with_local_variables_shows_a_mask(holder: object) -> None:
    held = holder
    try:
        raise RuntimeError("something else")  # noqa: TRY301 - the frame with the local variable is the material
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert held is holder
    assert "held = " in shown
    assert HUSH not in shown


def test_reveal_is_the_way_to_read_it() -> None:
    assert Secret(HUSH).reveal() == HUSH
    assert not hasattr(Secret(HUSH), "__dict__")


@pytest.mark.parametrize(
    ("text", "fits"), [(HUSH, True), (f"Bearer {HUSH}", True), ("", False), ("a\r\nX: b", False), ("\x00", False), ("é", False)]
)
def test_only_printable_ascii_fits_a_header(text: str, fits: bool) -> None:
    assert Secret(text).fits_header is fits


def test_equality_and_hash_are_those_of_the_text() -> None:
    assert Secret(HUSH) == Secret(HUSH)
    assert Secret(HUSH) != Secret("other")
    assert Secret(HUSH) != HUSH
    assert len({Secret(HUSH), Secret(HUSH)}) == 1


@pytest.mark.parametrize("text", [HUSH, f"Bearer {HUSH}"])
def test_an_answer_that_echoes_it_is_masked(text: str) -> None:
    body = f"token {HUSH} and Bearer {HUSH} are wrong".encode()
    assert Secret(text).scrub(body) == b"token *** and Bearer *** are wrong"


def test_a_body_without_it_stays_and_a_very_short_secret_is_not_looked_for() -> None:
    assert Secret(HUSH).scrub(b"nothing here") == b"nothing here"
    assert Secret("abc").scrub(b"abcabc") == b"abcabc"
