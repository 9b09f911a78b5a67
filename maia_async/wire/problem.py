"""Reads a ProblemDetail from every shape of error body that the API prints; it refuses nothing and raises nothing.

    body                                                                     read as
    RFC 7807 with `violations`: ["text", ...]                  [seed]        title, detail, …, problems without a field
    RFC 7807 with `validation-errors`: [{field, message}]      [seed guide]  problems with dotted paths
    {"error": "text", "status": 409}                           [seed guide]  detail
    {"error": "code", "error_description": "text"}             OAuth         title, detail
    {"message": "text"}                                        gateways      detail
    HTML, plain text                                           gateways      title = `<title>`, else the first line
    nothing, or bytes that are no text                                       empty

Text from outside is cut to a sane length, and control characters (and halves of surrogate pairs, which no stream can encode) become
spaces: it ends up in logs and on terminals. Before that each text is given to `mask`, decoded, so that no escape in the body hides from it
what must not be shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from maia_async.problems import FieldProblem, ProblemDetail

Mask = Callable[[str], str]
_LONGEST: Final = 1000
_MOST_PROBLEMS: Final = 100
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")


def as_it_is(text: str) -> str:
    """The mask of a body in which there is nothing to hide."""
    return text


def read_problem(body: bytes, mask: Mask = as_it_is) -> ProblemDetail:
    """What `body` says is wrong; an empty ProblemDetail when it says nothing."""
    try:
        data = json.loads(body) if body else None
    except (ValueError, RecursionError):
        return ProblemDetail(title=first_line(body, mask) or None)
    if isinstance(data, str):
        return ProblemDetail(detail=plain(data, mask))
    if not isinstance(data, dict):
        return ProblemDetail()
    error, described = _text(data, "error", mask), _text(data, "error_description", mask)
    if isinstance(data.get("error"), dict):  # {"error": {"message": ...}}, seen at gateways
        described = _text(data["error"], "message", mask)
    status = data.get("status")
    return ProblemDetail(
        title=_text(data, "title", mask) or (error if described else None),
        detail=_text(data, "detail", mask) or described or error or _text(data, "message", mask),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        type=_text(data, "type", mask),
        instance=_text(data, "instance", mask),
        problems=tuple(_problems(data, mask)),
    )


def plain(text: str, mask: Mask = as_it_is) -> str:
    """`text` on one line, without control characters, at most 1000 characters long."""
    return _CONTROL.sub(" ", mask(text[: 2 * _LONGEST])).strip()[:_LONGEST]


def first_line(body: bytes, mask: Mask = as_it_is) -> str:
    """What a person would call the first line of a body that is not JSON: an HTML page's title, else the first line with words."""
    text = mask(body[:8192].decode("utf-8", errors="replace"))  # before its tags are taken out: they may be a part of what it hides
    title = _TITLE.search(text)
    candidates = [title.group(1)] if title else text.splitlines()
    for line in candidates:
        words = plain(_TAG.sub(" ", line))
        if words:
            return words[:200]
    return ""


def _text(data: dict[str, Any], key: str, mask: Mask) -> str | None:
    value = data.get(key)
    return plain(value, mask) or None if isinstance(value, str) else None


def _problems(data: dict[str, Any], mask: Mask) -> Iterator[FieldProblem]:
    for key in ("violations", "validation-errors", "validationErrors", "errors"):
        entries = data.get(key)
        for entry in entries[:_MOST_PROBLEMS] if isinstance(entries, list) else ():
            if isinstance(entry, str):
                yield FieldProblem("", plain(entry, mask))
            elif isinstance(entry, dict):
                message = _text(entry, "message", mask) or _text(entry, "detail", mask)
                yield FieldProblem(_text(entry, "field", mask) or "", message or "is not valid")
