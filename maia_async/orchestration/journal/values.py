"""Requests and details as JSON and back, the same text for the same value every time. It does no I/O.

All of it is ASCII: lone surrogates, NUL and line breaks are escapes, so that no text of a user can meet the limits of a file. Two lone
surrogates that make a pair come back as the one character that they are on the wire.

A request that is not valid can be written too, since a batch reports it as REJECTED: a value that is no text is kept as its kind only, in
a shape that stays invalid (`{"notText": ["int"]}`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from maia_async.errors import MaiaError, ReplayedError
from maia_async.models import AUTO, ExecutionDetails, ExecutionRequest
from maia_async.models.case import camel
from maia_async.wire import codec

_DEEPEST: Final = 4  # a cell in a row in a grid in the variables
_LONGEST_ERROR: Final = 4000
_KIND: Final = "notText"
_TAG: Final = "executionTag"
_REQUIRED: Final = frozenset({"pipeline_name", "environment_name"})
_FIELDS: Final = tuple((field.name, camel(field.name)) for field in attrs.fields(ExecutionRequest) if field.name != "execution_tag")
_DETAILS: Final = tuple((field.name, camel(field.name)) for field in attrs.fields(ExecutionDetails))


def to_json(value: Any) -> str:
    """Canonical JSON, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def escaped(text: str) -> str:
    """A text that is mostly plain, such as an id, without what a file cannot hold: as in JSON, without the quotes."""
    return text if text.isalnum() and text.isascii() else json.dumps(text)[1:-1]


def unescaped(text: str) -> str:
    """It back. Raises ValueError for what is none."""
    return str(json.loads(f'"{text}"'))


def form_of(request: ExecutionRequest) -> dict[str, Any]:
    """The request as JSON values under the API's keys. A tag that is AUTO is left out; that there is none is a null."""
    form: dict[str, Any] = {}
    for name, key in _FIELDS:
        value = getattr(request, name)
        if value is not None or name in _REQUIRED:
            form[key] = _plain(value, _DEEPEST)
    if request.execution_tag is not AUTO:
        form[_TAG] = _plain(request.execution_tag, _DEEPEST)
    return form


def request_of(form: Mapping[str, Any]) -> ExecutionRequest:
    """The request of a form. Raises InvalidRequest for what is none."""
    return codec.decode_request({_TAG: AUTO, **form})


def digest_of(text: str) -> bytes:
    """What tells the same request from another one; `text` is `to_json` of its form as the caller gave it."""
    return hashlib.sha256(text.encode()).digest()


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields in which two forms differ, variables each by its name; no values."""
    found = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if old == new and (key in before) == (key in now):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found += [f"{key}.{name}" for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        else:
            found.append(key)
    return tuple(found)


def details_form(details: ExecutionDetails | None) -> dict[str, Any] | None:
    """Details as JSON values under the API's keys; what is None is left out."""
    if details is None:
        return None
    values = ((key, getattr(details, name)) for name, key in _DETAILS)
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values if value is not None}


def details_of(form: Mapping[str, Any] | None) -> ExecutionDetails | None:
    """The details of a form. Raises DecodeError for what is none."""
    return None if form is None else codec.structure(form, ExecutionDetails)


def error_form(error: Exception | None) -> dict[str, str] | None:
    """An error as its kind and its text. Of an error that is not ours only the kind: its text may hold a secret of the caller's own."""
    if error is None:
        return None
    kind = error.kind if isinstance(error, ReplayedError) else type(error).__name__
    return {"kind": kind, "text": str(error)[:_LONGEST_ERROR] if isinstance(error, MaiaError) else ""}


def error_of(form: Mapping[str, str] | None) -> ReplayedError | None:
    """The error of a form."""
    return None if form is None else ReplayedError(form["kind"], form["text"])


def _plain(value: Any, deep: int) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or _is_kind(value):
        return value
    if deep and isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {str.__str__(name): _plain(item, deep - 1) for name, item in value.items()}
    if deep and isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(item, deep - 1) for item in value]
    return {_KIND: [type(value).__name__]}


def _is_kind(value: Any) -> bool:
    """Whether this stands for a value that is no text already: what was read back must give the same digest."""
    return (
        type(value) is dict and len(value) == 1 and isinstance(kind := value.get(_KIND), list) and len(kind) == 1 and type(kind[0]) is str
    )
