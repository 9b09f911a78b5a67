"""Page-numbered lists: the two query parameters and the envelope, as the reading in force has them; pure.

| query                            | answer                                                      |
| -------------------------------- | ----------------------------------------------------------- |
| `page` absent                    | the first page                                              |
| `size` absent                    | 25, or the most that a page holds when that is less         |
| `page` negative or no number     | 400                                                         |
| `size` below 1 or no number      | 400                                                         |
| `size` above the most            | cut, or 400 (`page_size_over`)                              |
| `page` after the last            | an empty page                                               |
| `page=0` where pages start at 1  | the first page                                              |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from maia_async.emulator.exchange import Call, parameter, shaped
from maia_async.emulator.problems import invalid
from maia_async.emulator.readings import Readings

T = TypeVar("T")
DEFAULT_SIZE: Final = 25
_WHOLE: Final = re.compile(r"-?[0-9]{1,10}", re.ASCII)


def whole(call: Call, name: str, *, default: int, least: int) -> int:
    """A whole number of the query within int32 and not below `least`, or 400."""
    given = parameter(call, name)
    if given is None:
        return default
    if not _WHOLE.fullmatch(given) or not -(2**31) <= int(given) < 2**31:
        raise invalid(f"{name}: must be a number")
    if int(given) < least:
        raise invalid(f"{name}: must be greater than or equal to {least}")
    return int(given)


def paged(call: Call, items: Sequence[T], render: Callable[[T], Any], readings: Readings, *, key: str = "results") -> dict[str, Any]:
    """The page that the call asks for, in its envelope."""
    page = max(whole(call, "page", default=0, least=0), readings.page_index_base)
    size = whole(call, "size", default=min(DEFAULT_SIZE, readings.max_page_size), least=1)
    if size > readings.max_page_size:
        if readings.page_size_over == "refuse":
            raise invalid(f"size: must be less than or equal to {readings.max_page_size}")
        size = readings.max_page_size
    first = (page - readings.page_index_base) * size
    true = readings.page_numbers == "true"
    envelope = {
        "page": page,
        key: [render(item) for item in items[first : first + size]],
        "size": size if true else 0,
        "total": len(items) if true else 0,
    }
    return shaped(envelope, readings)
