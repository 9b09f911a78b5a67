"""A secret that shows itself to nobody by accident: masked in `repr`, `str` and formatting, not picklable. It encrypts nothing.

It exists so that a traceback that prints local variables, as error trackers do, prints a mask.
"""

from __future__ import annotations

from typing import Final, NoReturn

MASK: Final = "***"


class Secret:
    """Holds one text; `reveal()` is the only way to read it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: use it in the expression that needs it and keep it in no variable."""
        return self._text

    @property
    def fits_header(self) -> bool:
        """Whether it can be sent in a header as it is; a line break in it would begin another header."""
        return isinstance(self._text, str) and bool(self._text) and self._text.isascii() and self._text.isprintable()

    def scrub(self, body: bytes) -> bytes:
        """`body` with the secret masked, for answers that echo what was sent. Very short secrets are not looked for."""
        bare = self._text.removeprefix("Bearer ").encode()
        return body.replace(bare, MASK.encode()) if len(bare) >= 8 else body

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
