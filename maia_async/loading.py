"""Names of a package that are loaded when they are first used, and not before. It knows no name and no package itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any


def home_of(homes: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The module of each name, from the names of each module."""
    return {name: module for module, names in homes.items() for name in names}


def load(namespace: dict[str, Any], home: Mapping[str, str], name: str) -> Any:
    """The value of `name`, for the `__getattr__` of a package with this `namespace`. Raises AttributeError when it has no home."""
    if name not in home:
        raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
    value = namespace[name] = getattr(import_module(home[name]), name)
    return value
