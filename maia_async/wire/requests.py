"""What is sent, as a value: method, path, query, body, and whether sending it twice is harmless. It sends nothing.

Which operation is which: `operations.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from maia_async.secrets import Secret


@frozen(kw_only=True)
class RequestSpec:
    """One request to the API. `path` is percent-encoded already and starts with `/v1`.

    `repeatable`: carrying it out twice does no more than once, so it may be sent again after an ambiguous failure.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    json: Any = None
    repeatable: bool = False


@frozen(kw_only=True)
class Reply:
    """An answer as bytes: headers are looked up in lower case, the body is within the size bound.

    secret: what no error may quote of it.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)  # a server may have echoed ours
    body: bytes = field(repr=False)  # a token answer holds the token
    secret: Secret | None = field(default=None, repr=False, eq=False)

    def masked(self, text: str) -> str:
        """A text that was decoded from it, without the secret: whatever of an answer gets into an error passes here."""
        return text if self.secret is None else self.secret.mask(text)
