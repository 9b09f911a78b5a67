"""A secret that shows itself to nobody by accident: masked in `repr`, `str` and formatting, not picklable. It encrypts nothing.

It exists so that a traceback that prints local variables, as error trackers do, prints a mask.
"""

from __future__ import annotations

import json
from html import escape
from typing import Final, NoReturn
from urllib.parse import quote, quote_plus

MASK: Final = "***"


class Secret:
    """Holds one text; `reveal()` is the only way to read it."""

    __slots__ = ("_forms", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._forms: tuple[bytes, ...] | None = None

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
        of these inside another. Very short ones are not looked for.
        """  # noqa: D205 - the forms belong to the rule
        if self._forms is None:  # kept: they are looked for in each header of an answer, and writing them takes longer than looking
            bare = self._text.removeprefix("Bearer ")
            self._forms = tuple(_twice_written(bare)) if len(bare) >= 8 else ()
        for form in self._forms:
            body = body.replace(form, MASK.encode())
        return body

    def scrub_text(self, text: str) -> str:
        """The same for a text, such as a header."""
        return self.scrub(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

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
