"""How far clocks of the service are apart; a value that decides nothing by itself."""

from __future__ import annotations

import math
from typing import Any

from attrs import Attribute, field, frozen

from maia_async.errors import ConfigurationError

_MOST = 10 * 366 * 86400


def _seconds(_instance: Any, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > _MOST:
        raise ConfigurationError(f"{attribute.name} must be seconds within ten years, before or ahead, is {value!r}")


@frozen(kw_only=True)
class Skew:
    """API seconds by which a clock is ahead of the one that stamps executions; below 0 it is behind.

    date: of the gateway, which writes the `Date` header and dates in `Retry-After`.
    expiry: of the machine that checks tokens: they end so much earlier than `expires_in` says, or later.
    """

    date: float = field(default=0.0, validator=_seconds)
    expiry: float = field(default=0.0, validator=_seconds)
