"""Checks of scenario values, and the walk from a mapping to attrs values; every refusal is a ConfigurationError that names the field.

cattrs is not used: only the wire codec may, and a scenario wants messages for people (`projects[0].pipelines[2]: unknown key 'durration'`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

import attrs

from maia_async.emulator.times import parsed_timestamp
from maia_async.errors import ConfigurationError

T = TypeVar("T")
Span = tuple[float, float]
Loader = Callable[[Any, str], Any]


def text(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: a text of at least one character."""
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{attribute.name} must be a text that is not empty, is {value!r}")


def optional_text(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: the same, or None."""
    if value is not None:
        text(instance, attribute, value)


def flag(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: True or False."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} must be true or false, is {value!r}")


def number(least: float, *, above: bool = False) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """A validator: a finite number of at least (or `above`) `least`."""

    def check(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not _is_number(value) or value < least or (above and value == least):
            raise ConfigurationError(f"{attribute.name} must be a number {'above' if above else 'of at least'} {least:g}, is {value!r}")

    return check


def one_of(*values: Any) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """A validator: one of the values."""

    def check(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not any(value == known and type(value) is type(known) for known in values):
            raise ConfigurationError(f"{attribute.name} must be one of {', '.join(map(repr, values))}, is {value!r}")

    return check


def span(value: Any) -> Span:
    """A converter: seconds, from one number or from [least, most]."""
    ends = [value, value] if _is_number(value) else value
    if not isinstance(ends, Sequence) or isinstance(ends, str) or len(ends) != 2 or not all(map(_is_number, ends)):
        raise ConfigurationError(f"seconds must be a number or [least, most], are {value!r}")
    least, most = float(ends[0]), float(ends[1])
    if not 0 <= least <= most:
        raise ConfigurationError(f"seconds must be at least 0 and in order, are {value!r}")
    return least, most


def seconds(value: Any) -> float:
    """A converter: one number of seconds, at least 0."""
    if not _is_number(value) or value < 0:
        raise ConfigurationError(f"seconds must be a number of at least 0, are {value!r}")
    return float(value)


def sequence(value: Any) -> Sequence[Any]:
    """The value, which must be a list."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigurationError(f"must be a list, is {value!r}")
    return value


def instant(value: Any) -> float:
    """A converter: seconds since 1970, from a number, an aware datetime (YAML makes them) or an RFC 3339 text."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.timestamp()
    seconds = parsed_timestamp(value) if isinstance(value, str) else value
    if seconds is None or not _is_number(seconds):
        raise ConfigurationError(f"a time must be written like 2023-11-24T10:39:02.182Z, is {value!r}")
    return float(seconds)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def load(kind: type[T], data: Any, path: str, *, also: Iterable[str] = ()) -> T:
    """An attrs value from a mapping with its field names as keys; `metadata={"load": loader}` on a field handles nested ones.

    A value of the kind is taken as it is: in Python they are mixed with mappings. also: keys that the caller knows, for the message.
    """
    if isinstance(data, kind):
        return data
    where = f"{path}: " if path else ""
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"{where}must be a mapping, is {type(data).__name__}")
    fields = {item.name: item for item in attrs.fields(cast("Any", kind))}
    for key in data:
        if key not in fields:
            raise ConfigurationError(f"{where}unknown key {key!r}; known are {', '.join(sorted([*fields, *also]))}")
    values = {}
    for key, value in data.items():
        loader = fields[key].metadata.get("load")
        values[key] = loader(value, f"{path}.{key}" if path else key) if loader else value
    try:
        return kind(**values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}{error}") from None
    except TypeError:
        missing = [name for name, field in fields.items() if field.init and field.default is attrs.NOTHING and name not in values]
        raise ConfigurationError(f"{where}missing {', '.join(missing)}") from None


def one(kind: type[Any], *, short: str | None = None) -> Loader:
    """A loader of one value; with `short`, a bare text stands for a mapping with only that key."""

    def loader(value: Any, path: str) -> Any:
        return load(kind, {short: value} if short and isinstance(value, str) else value, path)

    return loader


def many(kind: type[Any], *, short: str | None = None) -> Loader:
    """A loader of a list of values."""
    item = one(kind, short=short)

    def loader(value: Any, path: str) -> Any:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ConfigurationError(f"{path}: must be a list, is {type(value).__name__}")
        return tuple(item(entry, f"{path}[{number_}]") for number_, entry in enumerate(value))

    return loader


def optional(loader: Loader) -> Loader:
    """A loader that lets null through."""
    return lambda value, path: None if value is None else loader(value, path)


def texts(value: Any) -> Any:
    """A converter: None, or a tuple of texts that are not empty."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(item, str) and item for item in value):
        raise ConfigurationError(f"must be a list of texts, is {value!r}")
    return tuple(value)
