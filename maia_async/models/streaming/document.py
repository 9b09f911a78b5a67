"""Between JSON objects and our values, for definitions: every key survives, known or not. It refuses what no JSON can carry, and secrets.

Not by cattrs' typed hooks: those would refuse a port that is a text, and the user would get one decode error instead of every problem
of the file at once. A value of a wrong type is kept as it came, and `definition_problems` names it. null is the same as missing.

    field's metadata       in the document
    NESTED: kind           an object of that kind; anything else is kept as it came
    MANY: kind             an array of such objects; anything else, an empty one included, stays under its key in `extra`
    none                   a plain value

Under keys that we do not know, a text with the name of a secret (`password`, `clientSecret`) becomes a PlainText, unless it is part of a
reference. The user's own maps (`jdbcProperties`, `advancedProperties`) may hold any names and values, so nothing is refused there; `repr`
shows the names only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, TypeVar

import attrs

from maia_async.models.case import camel
from maia_async.models.streaming.plaintext import PlainText, is_reference, names_secret
from maia_async.problems import FieldProblem

T = TypeVar("T")

NESTED: Final = "nested"
MANY: Final = "many"
FREE: Final = ("jdbcProperties", "advancedProperties")
DEEPEST: Final = 100  # levels; json.dumps fails at about a thousand, and a definition has six


def names_only(value: Any) -> str:
    """A `repr` for maps of the user or of keys that we do not know: a secret may stand there."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: …" for key in value) + "}"
    return "None" if value is None else f"<{type(value).__name__}>"


def nested_only(value: Any) -> str:
    """A `repr` for places of objects: what is none there is not shown, since it may be a connection string with a password."""
    return repr(value) if value is None or attrs.has(type(value)) else f"<{type(value).__name__}>"


def read(kind: Callable[..., T], document: Mapping[str, Any]) -> T:
    """`document` as `kind` (an attrs class with `extra`)."""
    attrs_class: Any = kind
    fields = {camel(field.name): field for field in attrs.fields(attrs_class) if field.name != "extra"}
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in document.items():
        field = fields.get(key)
        if field is None:
            extra[key] = _sealed(key, value)
        elif value is None:
            continue
        elif MANY in field.metadata and not (isinstance(value, list) and value):
            extra[key] = value
        else:
            values[field.name] = _value(field.metadata, value)
    return kind(**values, extra=extra)


def write(value: Any) -> Any:
    """The document of a value that `read` made or a program built, and that has no `unwritable` part."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [write(item) for item in value]
    if isinstance(value, Mapping):
        return {key: write(item) for key, item in value.items()}
    if not attrs.has(type(value)):
        return value
    kind = getattr(type(value), "type", None)
    document = {"type": value.extra.get("type", kind)} if isinstance(kind, str) else {}
    for field in attrs.fields(type(value)):
        item = getattr(value, field.name)
        if field.name != "extra" and item is not None and not (MANY in field.metadata and not item):
            document[camel(field.name)] = write(item)
    # A field that was set since (attrs.evolve) wins over what was read under its key.
    return document | {key: write(item) for key, item in value.extra.items() if key not in document}


def unwritable(value: Any, path: str = "", *, depth: int = 0) -> Iterator[FieldProblem]:
    """Every part that must not or cannot be sent, by its path: plain secrets, what is no JSON (YAML has dates), what is too deep."""
    if isinstance(value, PlainText):
        yield FieldProblem(path, value.why)
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            inner = path if field.name == "extra" else _below(path, camel(field.name))
            yield from unwritable(getattr(value, field.name), inner, depth=depth)
    elif depth > DEEPEST:
        yield FieldProblem(path[:100], "is nested too deeply")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str):
                yield from unwritable(item, _below(path, key), depth=depth + 1)
            else:
                yield FieldProblem(_below(path, str(key)), f"must have text as its key, has {type(key).__name__}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from unwritable(item, f"{path}[{number}]", depth=depth + 1)
    elif value is not None and not isinstance(value, str | int | float):
        yield FieldProblem(path, f"cannot be written as JSON, is {type(value).__name__}")
    elif isinstance(value, float) and not math.isfinite(value):
        yield FieldProblem(path, f"cannot be written as JSON, is {value}")


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _value(metadata: Mapping[Any, Any], value: Any) -> Any:
    if NESTED in metadata and isinstance(value, Mapping):
        kind = metadata[NESTED]
        return kind(value) if not isinstance(kind, type) else read(kind, value)
    if MANY in metadata:
        return tuple(read(metadata[MANY], item) if isinstance(item, Mapping) else item for item in value)
    return value


def _sealed(key: Any, value: Any, depth: int = 0) -> Any:
    """`value` with every text masked that stands under the name of a secret. What is deeper than anything sent is left as it is."""
    if isinstance(value, str):
        return PlainText(value) if names_secret(key) else value
    if depth > DEEPEST or key in FREE:
        return value
    if isinstance(value, Mapping):
        return value if is_reference(key, value) else {inner: _sealed(inner, item, depth + 1) for inner, item in value.items()}
    if isinstance(value, list):
        return [_sealed(key, item, depth + 1) for item in value]
    return value
