"""A value that stands where a reference to a secret belongs: it is kept, so that it can be refused, and it shows itself to nobody."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from maia_async.secrets import MASK

EXAMPLE: Final = '{"secretType": "AZURE_KEY_VAULT", "secretLocation": "my-vault", "secretName": "my-password"}'
# The fields of known types that hold references. Under an unknown type a text in one of them is a secret, too.
SECRET_KEYS: Final = frozenset({"password", "passphrase", "privatekey", "accountkey"})


class PlainText:
    """A secret itself instead of a reference to one. No definition that holds one is sent."""

    why = f"must be a reference to a secret, not a plain value (it is not shown), for example {EXAMPLE}"

    def __init__(self, text: Any) -> None:
        self._text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlainText) and bool(self._text == other._text)

    def __hash__(self) -> int:
        return hash(PlainText)  # it may be a list

    def __repr__(self) -> str:
        return f"PlainText({MASK})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
