"""What this process has started and has in doubt at one place of the API, whichever of its clients did: read by each, decided by none.

Two clients of one process would else be strangers to each other, and each could take the other's run for its own. They may live in
different threads: only the list of lanes that are gone is written by several, under a lock, and the rest is read in copies.

    a client                          what others see of it
    open                              its ids; in lanes that may be theirs: POSTs out, in doubt, and given up in the last half hour
    closed                            its ids, and what it had given up, for half an hour, as open ones (see `lanes.py`)
    whose loop was closed under it    its ids
    of the process before a fork      nothing

A place on loopback is forgotten with its last client: its port is given to the next server, which may give the same ids.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from weakref import ref

from attrs import define, field, frozen

from maia_async.config import is_loopback
from maia_async.models.request import is_auto_tag
from maia_async.orchestration.trigger.evidence import LaneName
from maia_async.orchestration.trigger.spelling import Spelling, place_of, spelling_of
from maia_async.wire import codec
from maia_async.wire.reference import Place, place

if TYPE_CHECKING:
    from maia_async.orchestration.trigger.lanes import GivenUp, Lane, Lanes

MOST_PLACES: Final = 16  # that are remembered without a client: a process talks to one, its tests to thousands


@frozen
class Others:
    """What others have in lanes that may be this one. flying: POSTs that are out.

    doubts: `same_as` of requests that were given up; one that is still looked for is like no other, or two would take the same run.
    """

    flying: int = 0
    doubts: tuple[str, ...] = ()


@define(eq=False)
class Siblings:
    """The clients of this process at one place."""

    gone: Lanes
    _alive: dict[int, ref[Lanes]] = field(factory=dict)

    def join(self, lanes: Lanes) -> None:
        """One more client."""
        for number in [number for number, alive in list(self._alive.items()) if alive() is None]:
            self._alive.pop(number, None)
        self._alive[id(lanes)] = ref(lanes)

    def leave(self, lanes: Lanes) -> None:
        """A client was closed: keep what it knows."""
        with _lock:
            self._alive.pop(id(lanes), None)
            self.gone.take(lanes)

    def tidy(self, now: float) -> None:
        """Forget what is too old of those that are closed."""
        with _lock:
            self.gone.clear(now)

    def knows(self, key: str) -> bool:
        """Whether a client of this process has started the run with this key."""
        return any(lanes.has(key) for lanes in self._all())

    def run_of(self, tag: object) -> str | None:
        """The run of a request that was journalled in this process, by its AUTO tag."""
        return next((found for lanes in self._all() for lane in lanes.every() if (found := lane.run_of(tag)) is not None), None)

    def take_back(self, tag: object) -> GivenUp | None:
        """The request that some client has given up with this AUTO tag: it is being sent again."""
        found = [lane.take_back(tag) for lanes in self._all() for lane in lanes.every()]
        return next((gone for gone in found if gone is not None), None)

    def others(self, lane: Lane) -> Others:
        """What may be in the same lane of the server and is not in `lane`."""
        now = asyncio.get_running_loop().time()
        flying = 0
        doubts: list[str] = []
        # The same request, of a journal that is resumed beside the client that lost it.
        same = {case.request.execution_tag for case in lane.cases if is_auto_tag(case.request.execution_tag)}
        for lanes in self._all():
            for other in lanes.every():
                given_up = other.given_up(now)
                if other is lane or not (other.flying or other.cases or given_up) or not may_be_one(other.name, lane.name):
                    continue
                if not lanes.is_over():
                    flying += other.flying
                    rest = [case for case in list(other.cases) if case.request.execution_tag not in same]
                    doubts += [f"looked for elsewhere: {id(case)}" for case in rest]
                doubts += given_up
        return Others(flying, tuple(doubts))

    @property
    def is_empty(self) -> bool:
        """Whether there is no client."""
        return all(lanes is self.gone for lanes in self._all())

    def _all(self) -> Iterator[Lanes]:
        yield self.gone
        for found in list(self._alive.values()):
            lanes = found()
            if lanes is not None:
                yield lanes


def may_be_one(one: LaneName, other: LaneName) -> bool:
    """Whether two lanes may be the same one to the server: it may read ids, names and extensions in any spelling."""
    return (
        codec.plain_id(one.project) == codec.plain_id(other.project)
        and place_of(one.environment, other.environment) is not Spelling.OTHER
        and spelling_of(one.pipeline, other.pipeline) is not Spelling.OTHER
    )


_lock = threading.Lock()
_places: OrderedDict[Place, Siblings] = OrderedDict()


def siblings_at(base_url: str, gone: Lanes) -> Siblings:
    """Those at this address of the API; `gone` is where closed clients are remembered, if none were there before."""
    here = place(base_url)
    with _lock:
        idle = [name for name, siblings in _places.items() if siblings.is_empty]
        passing = {name for name in idle if is_loopback(name[1] or "")}
        for name in passing | {*idle[: max(0, len(idle) - MOST_PLACES)]}:
            del _places[name]
        found = _places.setdefault(here, Siblings(gone))
        _places.move_to_end(here)
        return found


def forget() -> None:
    """Begin as another process does: after a fork."""
    global _lock  # noqa: PLW0603 - of the process: a thread that is not in the child may have held it
    _lock = threading.Lock()
    _places.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
