"""Between JSON objects and our values, for definitions: every key survives, known or not. It refuses only what is no object at all.

Not by cattrs' typed hooks: those would refuse a port that is a text, and the user would get one decode error instead of every problem
of the file at once. A value of a wrong type is kept as it came, and `definition_problems` names it. null is the same as missing.

    field's metadata       in the document
    NESTED: kind           an object of that kind; anything else is kept as it came
    MANY: kind             an array of such objects; anything else stays under its key in `extra`
    none                   a plain value
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, TypeVar

import attrs

from maia_async.errors import InvalidRequest
from maia_async.problems import FieldProblem

T = TypeVar("T")


class Unsendable:
    """A value that must not leave this process; `why` says so without showing it."""

    why: str


NESTED: Final = "nested"
MANY: Final = "many"


def camel(name: str) -> str:
    """`host_name` as the API writes it: `hostName`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def read(kind: Callable[..., T], document: Mapping[str, Any]) -> T:
    """`document` as `kind` (an attrs class with `extra`)."""
    attrs_class: Any = kind
    fields = {camel(field.name): field for field in attrs.fields(attrs_class) if field.name != "extra"}
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in document.items():
        field = fields.get(key)
        if field is None or (MANY in field.metadata and not isinstance(value, list)):
            extra[key] = value
        elif value is not None:
            values[field.name] = _value(field.metadata, value)
    return kind(**values, extra=extra)


def write(value: Any, path: str = "") -> Any:
    """The document of a value that `read` made or a program built. Raises InvalidRequest where a secret is a plain text."""
    if isinstance(value, Unsendable):
        raise InvalidRequest([FieldProblem(path, value.why)], what="streaming pipeline definition")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [write(item, f"{path}[{number}]") for number, item in enumerate(value)]
    if not attrs.has(type(value)):
        return dict(value) if isinstance(value, Mapping) else value
    document = {"type": value.type} if isinstance(getattr(type(value), "type", None), str) else {}
    for field in attrs.fields(type(value)):
        item = getattr(value, field.name)
        if field.name != "extra" and item is not None:
            key = camel(field.name)
            document[key] = write(item, f"{path}.{key}" if path else key)
    return {**document, **value.extra}


def _value(metadata: Mapping[Any, Any], value: Any) -> Any:
    if NESTED in metadata and isinstance(value, Mapping):
        kind = metadata[NESTED]
        return kind(value) if not isinstance(kind, type) else read(kind, value)
    if MANY in metadata:
        return tuple(read(metadata[MANY], item) if isinstance(item, Mapping) else item for item in value)
    return value
