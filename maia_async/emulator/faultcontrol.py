"""The powers over faults: scripted ones, refused connections, clocks that are apart.

What it is asked wrongly it refuses with ConfigurationError, or with `Refused` (404) for a fault that is not in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from maia_async.emulator import checks
from maia_async.emulator.faultrules import Scripted
from maia_async.emulator.faults import Fault
from maia_async.emulator.gate import Gate
from maia_async.emulator.service import Service
from maia_async.emulator.skew import Skew
from maia_async.errors import ConfigurationError, MisuseError


@frozen(kw_only=True)
class FaultInForce:
    """A scripted fault with its counts. matched: requests that fit, `skip` ones included. hits: those that it happened to."""

    id: str
    fault: Fault
    matched: int
    hits: int


class FaultPowers:
    """The part of `emulator.control` that is about faults."""

    _service: Service

    def add_fault(self, fault: Fault | Mapping[str, Any]) -> str:
        """Put a fault in force, given as a value or as a mapping of its fields; its id. Earlier faults are met first."""
        return self._service.faults.add(checks.load(Fault, fault, ""))

    def remove_fault(self, fault_id: str) -> None:
        """End a fault for requests that are still to come."""
        self._service.faults.one(fault_id)
        del self._service.faults.scripted[fault_id]

    def clear_faults(self) -> None:
        """End all scripted faults."""
        self._service.faults.scripted.clear()

    def faults(self) -> list[FaultInForce]:
        """The scripted faults in force, in the order of their addition."""
        return [_snapshot(item) for item in self._service.faults.scripted.values()]

    def fault(self, fault_id: str) -> FaultInForce:
        """One of them."""
        return _snapshot(self._service.faults.one(fault_id))

    def refuse_connections(self, seconds: float | None = None) -> None:
        """Stop listening for so many API seconds, or until `accept_connections`, and reset the connections that are open."""
        if seconds is not None:
            try:
                seconds = checks.seconds(seconds)
            except ConfigurationError:
                raise ConfigurationError(f"seconds must be a number of at least 0, or None, is {seconds!r}") from None
        self._gate().refuse(None if seconds is None else seconds / self._service.speed)

    def accept_connections(self) -> None:
        """Listen again, on the same port."""
        self._gate().accept()

    @property
    def listens(self) -> bool:
        """Whether connections are accepted."""
        return self._gate().is_open

    def set_skew(self, date: float | None = None, *, expiry: float | None = None) -> Skew:
        """Replace the skew of the clock behind `Date`, or of the one that ends tokens (see `Skew`); None leaves one as it is."""
        given = {name: value for name, value in (("date", date), ("expiry", expiry)) if value is not None}
        self._service.skew = evolve(self._service.skew, **given)
        self._service.tokens.skew = self._service.skew.expiry
        return self._service.skew

    def _gate(self) -> Gate:
        if self._service.gate is None:
            raise MisuseError("the emulator listens inside `async with Emulator()` only")
        return self._service.gate


def _snapshot(item: Scripted) -> FaultInForce:
    return FaultInForce(id=item.id, fault=item.fault, matched=item.matched, hits=item.hits)
