"""How a streaming pipeline behaves once it is started: a frozen value from Python or from a scenario file; it decides nothing.

streams:                                        # in a scenario; the first whose `name` fits is the pipeline's script
  - {name: "orders-*", drop_after: 300}         # dies once, five minutes after it began to stream
  - {name: "lab-?", flaps_every: 60}            # no start lives longer than a minute
  - {name: broken, refuses_to_start: returns}   # STARTING, and NOT_RUNNING again
  - {unreachable: [[90, 60]]}                   # all others: UNKNOWN for a minute, 90 s after the first start
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from attrs import field, frozen

from maia_async.emulator import checks
from maia_async.emulator.checks import Span
from maia_async.errors import ConfigurationError

# `None` is a word here: it means that starts are not refused.
REFUSALS: Final = (None, "stays", "returns", 409, 500)


def _optional_span(value: Any) -> Span | None:
    return None if value is None else checks.span(value)


def _gaps(value: Any) -> tuple[tuple[float, float], ...]:
    """Pairs of seconds: from when, for how long."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigurationError(f"unreachable must be a list of [from, for], is {value!r}")
    gaps = []
    for pair in value:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ConfigurationError(f"unreachable must be a list of [from, for], holds {pair!r}")
        (begin, _), (length, _) = checks.span(pair[0]), checks.span(pair[1])
        gaps.append((begin, length))
    return tuple(gaps)


def _number_or_none(least: float, *, above: bool = False) -> Any:
    check = checks.number(least, above=above)

    def optional(instance: Any, attribute: Any, value: Any) -> None:
        if value is not None:
            check(instance, attribute, value)

    return optional


@frozen(kw_only=True)
class StreamScript:
    """The behaviour of the streaming pipelines whose name fits `name` (`*` and `?` as in file names). Seconds; [least, most] is uniform.

    starting, snapshotting: time spent in these states. snapshot: which starts take one: the "first" (again, until one has been
        completed), "every", or "never".
    start_lag: a reader sees NOT_RUNNING for so long after an accepted START, as long as the state is STARTING.
    drop_after, drops: dies so long after it began to stream, "once" (until it has dropped for any reason) or on "every" start.
    flaps_every: no start lives longer, whatever state it has reached.
    unreachable: [from, for] pairs, counted from the first accepted START: the state reads UNKNOWN.
    refuses_to_start: an accepted START that "stays" NOT_RUNNING, or "returns" to it after `starting`; or its answer, 409 or 500.
    refusals: how many starts are refused so; None is all of them.
    stuck_starting: never leaves STARTING by itself.
    stop_seconds: time spent in STOPPING.
    """

    name: str = field(default="*", validator=checks.text)
    starting: Span = field(default=(2.0, 2.0), converter=checks.span)
    snapshotting: Span = field(default=(30.0, 30.0), converter=checks.span)
    snapshot: str = field(default="first", validator=checks.one_of("first", "every", "never"))
    start_lag: float = field(default=0.0, validator=checks.number(0))
    drop_after: Span | None = field(default=None, converter=_optional_span)
    drops: str = field(default="once", validator=checks.one_of("once", "every"))
    flaps_every: float | None = field(default=None, validator=_number_or_none(0, above=True))
    unreachable: tuple[tuple[float, float], ...] = field(default=(), converter=_gaps)
    refuses_to_start: str | int | None = field(default=None, validator=checks.one_of(*REFUSALS))
    refusals: int | None = field(default=None, validator=_number_or_none(0))
    stuck_starting: bool = field(default=False, validator=checks.flag)
    stop_seconds: Span = field(default=(2.0, 2.0), converter=checks.span)

    def fits(self, name: str) -> bool:
        """Whether a pipeline of this name follows the script."""
        return fnmatchcase(name, self.name)
