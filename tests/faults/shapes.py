"""What a row of the table of faults is made of: plain values, which `world.py` acts out and `render.py` prints. It does nothing.

A fault without a path is aimed at the request of the operation that it is tried on, so that one row serves many operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import Factory, field, frozen

from maia_async.emulator import Fault, StreamScript

# What recovering an ambiguous trigger may cost: the settling time of 15 s, one more sending, and the reads of the list on the way.
RECOVERY_REQUESTS: Final = 30
RECOVERY_SECONDS: Final = 40.0
RECOVERED_TRIES: Final = 5
RECOVERY_SETTLE: Final = 15.0


@frozen(kw_only=True)
class Expect:
    """What must come out of one operation.

    error: the class, by name; None is success. fields: attributes of the error, or facts that the operation reports. requests, seconds:
    at most so many reach the server, and pass; `least`: no sooner. runs: how many were started on the server, when that is the point.
    says: a part of the error's text. cause: the class of the error's `__cause__`.
    """

    error: str | None = None
    fields: Mapping[str, Any] = Factory(dict)
    requests: int = 1
    seconds: float = 0.0
    least: float = 0.0
    runs: int | None = None
    says: str | None = None
    cause: str | None = None


@frozen(kw_only=True)
class Act:
    """A power of the emulator's control that is used `at` so many seconds after the operation began; at 0, just before it."""

    call: str
    at: float = 0.0
    given: tuple[Any, ...] = ()
    options: Mapping[str, Any] = Factory(dict)


def _cases(value: Mapping[str, Expect]) -> Mapping[str, Expect]:
    """Keys may name several operations, with spaces between them."""
    found: dict[str, Expect] = {}
    for names, expect in value.items():
        for name in names.split():
            if name in found:
                raise ValueError(f"operation {name!r} is there twice")
            found[name] = expect
    return found


def _many(value: Fault | Iterable[Fault]) -> tuple[Fault, ...]:
    return (value,) if isinstance(value, Fault) else tuple(value)


@frozen(kw_only=True)
class Row:
    """One fault. numbers: of the catalogue; texts such as "C8" are complaints of other clients' users.

    Then how it is done: faults, acts, or settings of the emulator (readings, list_faults, network, skew, scenario, script of the streams),
    settings of the client, or `around`: a name in `surroundings.py` for what is no server's doing. cold: no token and no connection yet.
    """

    name: str
    what: str
    cases: Mapping[str, Expect] = field(converter=_cases)
    numbers: tuple[int | str, ...] = ()
    faults: tuple[Fault, ...] = field(default=(), converter=_many)
    acts: tuple[Act, ...] = ()
    readings: Mapping[str, Any] = Factory(dict)
    list_faults: Mapping[str, Any] = Factory(dict)
    network: Mapping[str, Any] = Factory(dict)
    skew: Mapping[str, float] = Factory(dict)
    scenario: Mapping[str, Any] = Factory(dict)
    script: StreamScript | None = None
    pipeline: Mapping[str, Any] = Factory(dict)
    client: Mapping[str, Any] = Factory(dict)
    around: str | None = None
    cold: bool = False


def ok(requests: int = 1, seconds: float = 0.0, *, least: float = 0.0, runs: int | None = None, **fields: Any) -> Expect:
    """Success, within so many requests and seconds."""
    return Expect(requests=requests, seconds=seconds, least=least, runs=runs, fields=fields)


def fails(
    error: str,
    requests: int = 1,
    seconds: float = 0.0,
    *,
    least: float = 0.0,
    runs: int | None = None,
    says: str | None = None,
    cause: str | None = None,
    **fields: Any,
) -> Expect:
    """An error of this class, within so many requests and seconds."""
    return Expect(error=error, requests=requests, seconds=seconds, least=least, runs=runs, says=says, cause=cause, fields=fields)


def in_doubt(
    *, landed: bool, seconds: float = 0.0, cause: str | None = None, tag: str = "auto", always: bool = False, **fields: Any
) -> Expect:
    """The end of one ambiguous trigger. `seconds`: until it was ambiguous. always: a second sending would end like the first.

    The run that landed is found and adopted; one that did not is started by a second sending if it has an AUTO tag, and stays unknown
    otherwise, because nothing would stop a double run.
    """
    if landed or (tag == "auto" and not always):
        return ok(RECOVERY_REQUESTS, seconds + RECOVERY_SECONDS, runs=1, **fields)
    # With an AUTO tag it is sent as often as any request is tried, and looked for after each sending.
    seconds = RECOVERED_TRIES * (seconds + RECOVERY_SETTLE) if tag == "auto" else seconds
    return fails("TriggerOutcomeUnknown", RECOVERY_REQUESTS, seconds + RECOVERY_SECONDS, runs=0, candidates=(), cause=cause, **fields)


def batch_in_doubt(*, of: int = 3, seconds: float = 0.0) -> Expect:
    """The end of a batch in which one of `of` triggers was ambiguous, whether it landed or not."""
    return ok(RECOVERY_REQUESTS + 20 * of, seconds + RECOVERY_SECONDS + 15, runs=of, states={"SUCCESS": of})
