"""Which fault a request meets, and how often each has been met; pure but for the counts and dice, and it answers nothing.

A request is looked at in three stages (`Stage`), and meets one fault at most: the first in the order of addition that matches it, is past
its `skip`, within its `times`, and has luck. A fault after that one does not see the request. The hooks beside it, for tests that
need code and not data, see every exchange twice, as ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, Protocol

from aiohttp import web
from attrs import define, field

from maia_async.emulator.checks import Span
from maia_async.emulator.dice import Dice, dice, draw
from maia_async.emulator.exchange import Reply, parsed_form
from maia_async.emulator.faults import Fault
from maia_async.emulator.problems import unknown


class Stage(Enum):
    """When a fault is met; see the second table of `faults`."""

    ARRIVAL = "arrival"
    GATE = "gate"
    ROUTE = "route"


def stage_of(fault: Fault) -> Stage:
    """The stage in which it is met."""
    if fault.lands:
        return Stage.ROUTE
    return Stage.ARRIVAL if fault.kind in {"reset", "closed"} else Stage.GATE


class Rule(Protocol):
    """A hook in code. Returning None leaves things as they are; a reply takes the place of the real one."""

    async def before(self, request: web.BaseRequest) -> Reply | None:
        """Once the request has arrived and before its body is read. A reply: the request does not land."""

    async def after(self, request: web.BaseRequest, reply: Reply) -> Reply | None:
        """When the reply is known: the request has landed."""


@define(eq=False, kw_only=True)
class Scripted:
    """A fault in force. matched: requests that fit. hits: those that met it. kept: the first real answer, for `replay`."""

    id: str
    fault: Fault
    stage: Stage
    chance: Dice
    matched: int = 0
    hits: int = 0
    kept: Reply | None = None

    def seconds(self, span: Span | None, *, speed: float) -> float | None:
        """A delay in seconds of the loop."""
        return None if span is None else draw(self.chance, span) / speed

    def meets(self) -> bool:
        """Count a request that fits; whether the fault happens to it."""
        self.matched += 1
        fault = self.fault
        if self.matched <= fault.skip or (fault.times is not None and self.hits >= fault.times):
            return False
        if fault.probability < 1 and self.chance.random() >= fault.probability:
            return False
        self.hits += 1
        return True


@define
class Faults:
    """Hooks in the order of `rules`, the first that answers winning; and scripted faults, in the order of their addition."""

    seed: int = 0
    rules: list[Rule] = field(factory=list)
    scripted: dict[str, Scripted] = field(factory=dict)
    added: int = 0

    def add(self, fault: Fault) -> str:
        """Put a fault in force; its id. Ids are not used again, so that each fault has dice of its own."""
        self.added += 1
        fault_id = f"fault-{self.added}"
        self.scripted[fault_id] = Scripted(id=fault_id, fault=fault, stage=stage_of(fault), chance=dice(self.seed, fault_id))
        return fault_id

    def one(self, fault_id: str) -> Scripted:
        """The fault in force, or 404."""
        found = self.scripted.get(fault_id)
        if found is None:
            raise unknown("fault", fault_id)
        return found

    def candidates(self, stage: Stage, method: str, path: str) -> list[Scripted]:
        """Those of the stage that fit the method and the decoded path."""
        return [
            item
            for item in self.scripted.values()
            if item.stage is stage
            and (item.fault.method is None or item.fault.method.upper() == method)
            and (item.fault.path is None or glob(item.fault.path, segments=True).fullmatch(path) is not None)
        ]

    async def before(self, request: web.BaseRequest) -> Reply | None:
        """The first reply of a hook, or None."""
        for rule in self.rules:
            reply = await rule.before(request)
            if reply is not None:
                return reply
        return None

    async def after(self, request: web.BaseRequest, reply: Reply) -> Reply:
        """The reply, replaced by the first hook that wants to."""
        for rule in self.rules:
            other = await rule.after(request, reply)
            if other is not None:
                return other
        return reply


def met(candidates: Iterable[Scripted], body: object) -> Scripted | None:
    """The first candidate whose pattern the body holds and that happens."""
    for item in candidates:
        if (item.fault.request is None or holds(item.fault.request, body)) and item.meets():
            return item
    return None


def holds(wanted: Any, given: Any) -> bool:
    """Whether a JSON value holds a pattern.

    | pattern        | fits                                             |
    | -------------- | ------------------------------------------------ |
    | a text         | a text that it is a glob of (`*`, `?`)           |
    | an object      | an object in which each of its fields fits       |
    | null           | null, or no such field                           |
    | anything else  | the same value of the same type                  |
    """
    if isinstance(wanted, str):
        return isinstance(given, str) and glob(wanted, segments=False).fullmatch(given) is not None
    if isinstance(wanted, Mapping):
        return isinstance(given, Mapping) and all(holds(item, given.get(key)) for key, item in wanted.items())
    return type(wanted) is type(given) and bool(wanted == given)


def parsed(body: bytes, content_type: str) -> object:
    """The body to hold a pattern against: JSON, the first values of a form, or None."""
    form = parsed_form(content_type, body)
    if form is not None:
        return form
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


@lru_cache(maxsize=1024)
def glob(pattern: str, *, segments: bool) -> re.Pattern[str]:
    """A glob as a regular expression. In paths (`segments`) only `**` crosses a slash. There are no classes: `[` is a letter."""
    inside = "[^/]" if segments else "."
    words = {"**": ".*", "*": f"{inside}*", "?": inside}
    return re.compile("".join(words.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*|\?)", pattern)), re.DOTALL)
