"""The place where faults will be injected: two hooks around the handling of a request, and an empty list of rules; it has no faults.

A rule sees every exchange twice. `before` runs once the request has arrived and before its body is read; `after` runs when the reply
is known, so the run may exist already: that is how an answer gets lost after its request landed.
"""

from __future__ import annotations

from typing import Protocol

from aiohttp import web
from attrs import define, field

from maia_async.emulator.exchange import Reply


class Fault(Protocol):
    """A scripted misbehaviour. Returning None leaves things as they are; a reply takes the place of the real one."""

    async def before(self, request: web.BaseRequest) -> Reply | None:
        """Instead of handling: the request does not land."""

    async def after(self, request: web.BaseRequest, reply: Reply) -> Reply | None:
        """Instead of the real reply: the request has landed."""


@define
class Faults:
    """The rules in force, asked in order; the first that answers wins."""

    rules: list[Fault] = field(factory=list)

    async def before(self, request: web.BaseRequest) -> Reply | None:
        """The first reply of a rule, or None."""
        for rule in self.rules:
            reply = await rule.before(request)
            if reply is not None:
                return reply
        return None

    async def after(self, request: web.BaseRequest, reply: Reply) -> Reply:
        """The reply, replaced by the first rule that wants to."""
        for rule in self.rules:
            other = await rule.after(request, reply)
            if other is not None:
                return other
        return reply
