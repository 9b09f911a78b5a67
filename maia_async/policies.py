"""How hard to try, how fast, how long: frozen values that refuse nonsense with the field named. Seconds everywhere. They decide nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from attrs import Attribute, field, frozen

from maia_async.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable


def _number(least: float, *, above: bool = False, whole: bool = False) -> Callable[[Any, Attribute[Any], Any], None]:
    """A validator: a finite number of at least (or `above`) `least`; `whole` refuses fractions."""

    def check(instance: Any, attribute: Attribute[Any], value: Any) -> None:
        name = f"{type(instance).__name__}.{attribute.name}"
        kind = "a whole number" if whole else "a number"
        # abs() and not isfinite(), which overflows on a huge int; NaN compares false.
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not abs(value) <= sys.float_info.max:
            raise ConfigurationError(f"{name} must be {kind}, is {value!r}")
        if value < least or (above and value == least):
            raise ConfigurationError(f"{name} must be {'above' if above else 'at least'} {least:g}, is {value!r}")

    return check


def _in_order(policy: object, lower: str, upper: str) -> None:
    least, most, kind = getattr(policy, lower), getattr(policy, upper), type(policy).__name__
    if most < least:
        raise ConfigurationError(f"{kind}.{upper} ({most!r}) must not be below {kind}.{lower} ({least!r})")


@frozen(kw_only=True)
class RetryPolicy:
    """How often one request is tried. `max_tries` counts the first; waits are full jitter over base, 2 base, 4 base … up to `cap`."""

    max_tries: int = field(default=5, validator=_number(1, whole=True))
    base: float = field(default=0.5, validator=_number(0, above=True))
    cap: float = field(default=30.0, validator=_number(0, above=True))

    def __attrs_post_init__(self) -> None:
        _in_order(self, "base", "cap")


@frozen(kw_only=True)
class RateLimit:
    """The account's budget: `requests` in any `per` seconds (1000 a minute, Maia API overview).

    A pause that the API orders and that is longer than `max_pause` raises `RateLimited` to calls; waits ride it out.
    """

    requests: int = field(default=1000, validator=_number(1, whole=True))
    per: float = field(default=60.0, validator=_number(0, above=True))
    max_pause: float = field(default=120.0, validator=_number(0, above=True))


@frozen(kw_only=True)
class PollPolicy:
    """How a run is watched.

    min_interval, max_interval: bounds of the time between two looks at one run; load may stretch it beyond.
    max_unreachable: how long reads may fail before a wait ends with `StatusUnavailable` (pauses of ours not counted).
    not_found_grace: how long after our own trigger a 404 means "not visible yet".
    """

    min_interval: float = field(default=1.0, validator=_number(0, above=True))
    max_interval: float = field(default=30.0, validator=_number(0, above=True))
    max_unreachable: float = field(default=600.0, validator=_number(0, above=True))
    not_found_grace: float = field(default=60.0, validator=_number(0, above=True))

    def __attrs_post_init__(self) -> None:
        _in_order(self, "min_interval", "max_interval")


@frozen(kw_only=True)
class TriggerPolicy:
    """`settle`: how long after a POST that got no usable answer its run may still appear in the list of executions.

    For so long at least such a trigger takes to find out what became of it. Runs that a list first shows later are taken for absent.
    """

    settle: float = field(default=15.0, validator=_number(0, above=True))


@frozen(kw_only=True)
class RestartPolicy:
    """How often `supervise` restarts a streaming pipeline that stopped.

    max_restarts, within: after so many accepted restarts in so many seconds it gives up on the pipeline.
    base, cap: the wait before a restart is full jitter over base, 2 base, 4 base … up to `cap`, counted within the same seconds.
    """

    max_restarts: int = field(default=3, validator=_number(1, whole=True))
    within: float = field(default=600.0, validator=_number(0, above=True))
    base: float = field(default=1.0, validator=_number(0, above=True))
    cap: float = field(default=60.0, validator=_number(0, above=True))

    def __attrs_post_init__(self) -> None:
        _in_order(self, "base", "cap")


@frozen(kw_only=True)
class Timeouts:
    """Bounds of one attempt: `connect` until the connection stands, `total` until the whole answer is read."""

    connect: float = field(default=10.0, validator=_number(0, above=True))
    total: float = field(default=60.0, validator=_number(0, above=True))

    def __attrs_post_init__(self) -> None:
        _in_order(self, "connect", "total")
