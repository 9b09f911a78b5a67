"""Refusals of the API and their bodies: `violations` as the complete operation prints them, `validation-errors` as a guide; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class Refused(Exception):
    """A request that is answered with an error status. State modules raise it; the door of HTTP renders it."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        violations: Iterable[str] = (),
        fields: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        kind: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.violations = tuple(violations)
        self.fields = tuple(fields)
        self.headers = dict(headers or {})
        self.kind = kind

    def body(self, instance: str) -> dict[str, Any]:
        """The ProblemDetail. The form of `type` is that of the agent pages."""
        title = TITLES.get(self.status, "Error")
        problem: dict[str, Any] = {
            "type": f"https://api.matillion.com/problems/{title.lower().replace(' ', '-')}",
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
        }
        if self.violations:
            problem["violations"] = list(self.violations)
        return problem

    def fields_body(self, instance: str) -> dict[str, Any]:
        """The body of the streaming guide, which has no `type`, and a path to each field."""
        return {
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "validation-errors": [{"field": name, "message": message} for name, message in self.fields],
        }


def invalid(*violations: str) -> Refused:
    """400 with the fields that do not fit."""
    return Refused(400, "Validation failed", violations=violations)


def unknown(what: str, name: str) -> Refused:
    """404. The name is shown in part: it may be ten kilobytes long."""
    return Refused(404, f"{what} {name[:100]!r} was not found")
