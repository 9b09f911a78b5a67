"""A secret shows itself to nobody by accident: not in text, copies, pickles, or a traceback that prints local variables."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from html import unescape
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


KEY = "Ab1+cd2/ef3==gh4"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.aGVsbG8"


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        (KEY, "nothing+here \\ &amp; %41", "nothing+here \\ &amp; %41"),
        (KEY, f"Bearer {KEY} + 1", "Bearer *** + 1"),
        (f"Bearer {KEY}", f"Bearer {KEY}", "Bearer ***"),
        (KEY, "secret Ab1&#43;cd2&#x2F;ef3&equals;=gh4.", "secret ***."),
        (KEY, "secret Ab1%2bcd2%2Fef3%3d=gh4.", "secret ***."),
        (KEY, "secret Ab1\\u002Bcd2\\/ef3\\u003d\\u003Dgh4.", "secret ***."),
        (KEY, "secret Ab1%252bcd2&amp;#47;ef3\\\\u003d=gh4.", "secret ***."),
        ("a%2Bb&c-12345", "a%2Bb&amp;c-12345.", "***."),
        ("a%2Bb&c-12345", "a%252Bb%26c-12345.", "***."),
        ("two words, one key", "two+words%2C+one+key.", "***."),
        (f"{KEY}%", f"{KEY}%2541 and {KEY}%41.", "***2541 and ***41."),
        (JWT, f"no right for {JWT[:20]}", "no right for ***"),
        (JWT, f"no right for {JWT[:20]}&#4", "no right for ***"),
        (JWT, f"no right for {JWT[:20]} or the like", f"no right for {JWT[:20]} or the like"),
        (JWT, f"no right for {JWT[:11]}", f"no right for {JWT[:11]}"),
        ("abc", "abcabc", "abcabc"),
        ("", "abc", "abc"),
    ],
)
def test_a_decoded_text_is_masked_in_each_spelling(secret: str, text: str, shown: str) -> None:
    assert Secret(secret).mask(text) == shown


SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda char: f"&#{ord(char)};",
    lambda char: f"&#x{ord(char):X};",
    lambda char: f"%{ord(char):02X}",
    lambda char: f"%{ord(char):02x}",
    lambda char: f"\\u{ord(char):04X}",
    lambda char: f"\\\\u{ord(char):04x}",
    lambda char: f"%25{ord(char):02x}",
    lambda char: char if char.isalnum() else f"\\{char}",
)


@given(
    st.data(),
    st.text(st.sampled_from("abcXYZ019+/=-_.~%&<>'\" "), min_size=30, max_size=50).map(str.strip).filter(lambda key: len(key) > 28),
)
def test_no_mixture_of_escapes_hides_it(data: st.DataObject, secret: str) -> None:
    written = "".join(data.draw(st.sampled_from(SPELLINGS))(char) for char in secret)
    shown = Secret(f"Bearer {secret}").mask(f"[Bearer {written}]")
    assert "***" in shown
    assert secret not in {shown, unescape(shown), unquote(shown), unquote(unescape(shown)), shown.replace("\\", "")}
    assert written not in shown


@given(st.text(), st.text(st.characters(), min_size=8))
def test_any_text_is_masked_or_left(text: str, secret: str) -> None:
    shown = Secret(secret).mask(text)
    assert shown == text or "***" in shown
