"""Changes to a JSON value that a fault makes: fields merged, set or removed by path; pure, and the value itself is never changed.

    | path               | means                                     |
    | ------------------ | ----------------------------------------- |
    | expires_in         | a field                                   |
    | result.status      | a field of a field                        |
    | results.0.status   | the first item of a list (-1 is the last) |
    | results.*.status   | every item of a list, or every field      |

A path that leads nowhere changes nothing, but its last field is made when it is set. A name with a dot in it has no path: use a merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_GONE = object()


def steps_of(path: str) -> list[str]:
    """The parts of a path; an empty one among them makes it wrong."""
    return path.split(".")


def merged(value: Any, patch: Mapping[str, Any]) -> Any:
    """The object with the patch laid over it, objects into objects; null is a value here. What is no object is replaced."""
    # Not RFC 7396, where null removes a field: nulls are one of the faults, and removing has a word of its own.
    if not isinstance(value, Mapping):
        return dict(patch)
    return {**value, **{key: merged(value.get(key), item) if isinstance(item, Mapping) else item for key, item in patch.items()}}


def put(value: Any, path: str, new: Any) -> Any:
    """The value with the field at the path set."""
    return _changed(value, steps_of(path), new)


def removed(value: Any, paths: Iterable[str]) -> Any:
    """The value without the fields at the paths."""
    for path in paths:
        value = _changed(value, steps_of(path), _GONE)
    return value


def _changed(value: Any, steps: list[str], new: Any) -> Any:
    step, rest = steps[0], steps[1:]
    if isinstance(value, Mapping):
        return dict(_fields(value, step, rest, new))
    if isinstance(value, list):
        items = ((item, step in {"*", str(place), str(place - len(value))}) for place, item in enumerate(value))
        changed = (_next(item, rest, new) if hit else item for item, hit in items)
        return [item for item in changed if item is not _GONE]
    return value


def _fields(value: Mapping[str, Any], step: str, rest: list[str], new: Any) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        kept = _next(item, rest, new) if step in {"*", key} else item
        if kept is not _GONE:
            yield key, kept
    if step != "*" and step not in value and not rest and new is not _GONE:
        yield step, new


def _next(item: Any, rest: list[str], new: Any) -> Any:
    return _changed(item, rest, new) if rest else new
