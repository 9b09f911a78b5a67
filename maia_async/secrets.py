"""A secret that shows itself to nobody by accident: masked in `repr`, `str` and formatting, not picklable. It encrypts nothing.

It exists so that a traceback that prints local variables, as error trackers do, prints a mask.
"""

from __future__ import annotations

import json
import re
from html import escape, unescape
from typing import Final, NoReturn
from urllib.parse import quote, quote_plus, unquote

MASK: Final = "***"
_SHORTEST: Final = 8  # shorter ones are not looked for: they would be found everywhere
_CUT: Final = 12  # so much of a secret's beginning is masked too where a text ends in it: texts are cut
_DEEPEST: Final = 4  # JSON in JSON in a form, and one more
_BACKSLASHES: Final = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))?")


class Secret:
    """Holds one text; `reveal()` is the only way to read it."""

    __slots__ = ("_forms", "_readings", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._forms: tuple[bytes, ...] | None = None
        self._readings: tuple[str, ...] | None = None

    def reveal(self) -> str:
        """The text itself: use it in the expression that needs it and keep it in no variable."""
        return self._text

    @classmethod
    def of(cls, value: object) -> Secret:
        """`value` without the white space around it; what is no text becomes an empty one. It raises nothing, and so is in no traceback."""
        return value if isinstance(value, Secret) else cls(value.strip() if isinstance(value, str) else "")

    @property
    def fits_header(self) -> bool:
        """Whether it can be sent in a header as it is; a line break in it would begin another header."""
        return isinstance(self._text, str) and bool(self._text) and self._text.isascii() and self._text.isprintable()

    @property
    def is_one_word(self) -> bool:
        """Whether it is ASCII without spaces and control characters, as every token is."""
        return self.fits_header and " " not in self._text

    def scrub(self, body: bytes) -> bytes:
        """`body` with the secret masked, for answers that echo what was sent: as it is, in JSON, in a form or a page, or in one
        of these inside another. Very short ones are not looked for. It knows the usual spellings only, and is the first pass:
        what a person gets to see of the body is decoded, and goes through `mask`.
        """  # noqa: D205 - the forms belong to the rule
        if self._forms is None:  # kept: they are looked for in each header of an answer, and writing them takes longer than looking
            bare = self._bare
            self._forms = tuple(_twice_written(bare)) if len(bare) >= _SHORTEST else ()
        for form in self._forms:
            body = body.replace(form, MASK.encode())
        return body

    def scrub_text(self, text: str) -> str:
        """The same for a text, such as a header."""
        return self.scrub(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def mask(self, text: str) -> str:
        """A text out of a decoded answer, with the secret masked in whatever spelling of JSON, HTML or percents it stands in it.

        the secret stands in it                                 returned
        not                                                     the text as it is
        as it is                                                the text with a mask
        escaped, any number of its characters, up to 4 deep     the text without its escapes, with a mask
        at the end, cut, with 12 characters or more of it       the same, with a mask in their place
        """
        if self._readings is None:
            self._readings = tuple(reading for reading in _readings(self._bare) if len(reading) >= _SHORTEST)
        found, read = text, text
        for _ in range(_DEEPEST + 1):
            shown = _without(self._readings, read)
            if shown != read:
                found = shown
            if (read := _read(shown)) == shown:
                break
        return found

    @property
    def _bare(self) -> str:
        return self._text.removeprefix("Bearer ")

    def __bool__(self) -> bool:
        """Whether there is any text."""
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def _written(text: str) -> set[str]:
    """How a server may write it. One of letters and digits has one form only."""
    return {text, json.dumps(text)[1:-1], repr(text)[1:-1], escape(text), quote(text), quote(text, safe=""), quote_plus(text)}


def _twice_written(text: str) -> list[bytes]:
    """The longest first: a shorter one may be a part of it."""
    forms = {outer for inner in _written(text) for outer in _written(inner)}
    return [form.encode(errors="replace") for form in sorted(forms, key=len, reverse=True)]


def _readings(text: str) -> list[str]:
    """The text, and what it is with its escapes undone, once and again, until there are none."""
    found = [text]
    while len(found) <= _DEEPEST and (read := _read(found[-1])) != found[-1]:
        found.append(read)
    return found


def _read(text: str) -> str:
    """Without one layer of escapes. "+" is a space in a form: so it is here, in the secret and in the text alike."""
    return unquote(_BACKSLASHES.sub(_meant, unescape(text))).replace("+", " ")


def _meant(escape: re.Match[str]) -> str:
    return chr(int(escape[1] or escape[2], 16)) if escape.lastindex else ""


def _without(readings: tuple[str, ...], text: str) -> str:
    for reading in readings:
        text = text.replace(reading, MASK)
        at = text.rfind(reading[:_CUT])
        if at >= 0 and reading.startswith(text[at : len(text) - _CUT + 1]):  # the last of it may be half an escape
            text = text[:at] + MASK
    return text
