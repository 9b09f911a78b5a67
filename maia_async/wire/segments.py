"""One value, one path segment: whatever an id or a name contains, it cannot change the path. It builds text and sends nothing.

`yarl`'s `/` and `urllib.parse.quote(safe="")` both let `..` through, and a server or proxy then resolves it (CVE-2026-76842 is this bug in
another client), so dot segments are refused and everything else is encoded.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from maia_async.errors import InvalidRequest
from maia_async.problems import FieldProblem

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")


def segment(value: str, *, name: str) -> str:
    """`value` percent-encoded as one path segment.

    Raises InvalidRequest, which names the field and does not repeat the value, for anything but text, for "", "." and "..".
    """
    if not isinstance(value, str):
        raise InvalidRequest([FieldProblem(name, f"must be text, is {type(value).__name__}")])
    if value in {"", ".", ".."}:
        raise InvalidRequest([FieldProblem(name, "must not be empty, '.' or '..'")])
    if _PLAIN.fullmatch(value):
        return value  # every id there is; quoting one takes longer than all the rest of a request's description
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise InvalidRequest([FieldProblem(name, "contains characters that no URL can carry")]) from None


def check_path(path: str) -> str:
    """A raw path for `maia.request`: it starts with one `/`, and holds no query, no dot segment and no control character.

    Raises InvalidRequest.
    """
    wrong = ""
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
        wrong = "must start with one '/', for example /v1/projects"
    elif "?" in path or "#" in path or "\\" in path:
        wrong = "must not contain '?', '#' or a backslash: give query parameters as params="
    elif any(part.lower().replace("%2e", ".") in {".", ".."} for part in path.split("/")):
        wrong = "must not contain '.' or '..' as a segment"
    elif any(ord(char) <= 32 or ord(char) == 127 for char in path):
        wrong = "must not contain spaces or control characters: percent-encode them"
    if wrong:
        raise InvalidRequest([FieldProblem("path", wrong)])
    try:
        return quote(path, safe="/%:@!$&'()*+,;=~-._")
    except UnicodeEncodeError:
        raise InvalidRequest([FieldProblem("path", "contains characters that no URL can carry")]) from None
