"""A value that stands where a reference to a secret belongs: it is kept, so that it can be refused, and it shows itself to nobody."""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

from maia_async.secrets import MASK

EXAMPLE: Final = '{"secretType": "AZURE_KEY_VAULT", "secretLocation": "my-vault", "secretName": "my-password"}'
# So end the keys that hold a secret, in any letters: `ssl_key_passphrase`, `clientSecret`, `sasToken`; not `accessKeyId`, `secretName`.
SECRET_ENDINGS: Final = (
    *("password", "passwd", "pwd", "passphrase", "secret", "token"),
    *("secretkey", "accesskey", "privatekey", "accountkey", "sharedkey", "apikey"),
)
REFERENCE_KEYS: Final = frozenset({"secrettype", "secretname", "secretlocation"})
_BETWEEN: Final = re.compile(r"[^a-z0-9]")


def names_secret(key: Any) -> bool:
    """Whether a text under `key` is a secret, by its name."""
    return isinstance(key, str) and _plain(key).endswith(SECRET_ENDINGS)


def is_reference(key: Any, document: Any) -> bool:
    """Whether an object under `key` is a reference, or the beginning of one: what its `secretKey` holds is the name of a key."""
    keys = {_plain(inner) for inner in document if isinstance(inner, str)}
    return bool(keys & REFERENCE_KEYS) or (names_secret(key) and "secretkey" in keys)


def _plain(key: str) -> str:
    return _BETWEEN.sub("", key.lower())


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
