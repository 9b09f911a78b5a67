"""What was asked, in order, within a bound; it never holds a token or a secret, because nobody hands it one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from attrs import define

BOUND: Final = 100_000


@define(kw_only=True)
class LoggedRequest:
    """One request: `at` in API seconds at arrival, `path` and `query` as sent, `status` None until answered.

    `client_id` is known when the token was good, even if the request was refused with 429. `body` is the parsed body; for the token
    endpoint its grant, client id and audience only, and without texts in the place of secret references for streaming definitions.

    `fault` names the scripted fault that it met. Then `status` is what was sent, None where no answer was, and `handled` the status that
    the request had in truth, None where it did not land.
    """

    sequence: int
    at: float
    method: str
    path: str
    query: str
    status: int | None = None
    client_id: str | None = None
    body: Any = None
    fault: str | None = None
    handled: int | None = None


class RequestLog:
    """The last `bound` requests."""

    def __init__(self, bound: int = BOUND) -> None:
        self._entries: deque[LoggedRequest] = deque(maxlen=bound)
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self._entries)

    def add(self, *, at: float, method: str, path: str, query: str) -> LoggedRequest:
        """A new entry; the caller fills in how it ended."""
        self._sequence += 1
        entry = LoggedRequest(sequence=self._sequence, at=at, method=method, path=path, query=query)
        self._entries.append(entry)
        return entry

    def matching(self, *, method: str | None = None, path_contains: str | None = None) -> list[LoggedRequest]:
        """The entries with this method and this text in their path, oldest first."""
        return [
            entry
            for entry in self._entries
            if (method is None or entry.method == method.upper()) and (path_contains is None or path_contains in entry.path)
        ]

    def clear(self) -> None:
        """Forget them; the sequence goes on."""
        self._entries.clear()
