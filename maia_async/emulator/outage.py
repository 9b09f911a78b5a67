"""`Outage`: a time in which the port is closed, as a value; it closes nothing by itself."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from attrs import field, frozen

from maia_async.emulator import checks
from maia_async.errors import ConfigurationError


@frozen(kw_only=True)
class Outage:
    """Connections are refused, and open ones reset, from `after` API seconds after the start of the emulator, for `seconds` of them."""

    after: float = field(default=0.0, validator=checks.number(0))
    seconds: float = field(validator=checks.number(0, above=True))


def outages(value: Iterable[Outage]) -> tuple[Outage, ...]:
    """What a scenario keeps of them: in order. Raises ConfigurationError when one begins before another has ended."""
    found = tuple(sorted(value, key=lambda outage: outage.after))
    for one, next_one in pairwise(found):
        if next_one.after < one.after + one.seconds:
            raise ConfigurationError(f"outages must not overlap: one begins after {next_one.after:g} s, in another")
    return found
