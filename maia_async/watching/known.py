"""Everything that this client watches or has handles of, by kind, project and id. What nobody waits for is held weakly."""

from __future__ import annotations

from collections import defaultdict
from weakref import WeakValueDictionary

from attrs import define, field

from maia_async.watching.watched import Subject, Watched


@define(eq=False)
class _Place:
    # A weak reference to each of a hundred thousand awaited runs would cost more than its id.
    awaited: dict[str, Watched] = field(factory=dict)
    others: WeakValueDictionary[str, Watched] = field(factory=WeakValueDictionary)


class Known:
    """One client's things."""

    def __init__(self) -> None:
        self._places: defaultdict[tuple[str, ...], _Place] = defaultdict(_Place)

    def of(self, subject: Subject) -> Watched:
        """The state of `subject`, shared by all that have the same key."""
        place, name = self._place_of(subject)
        found = place.awaited.get(name) or place.others.get(name)
        if found is None:
            found = place.others[name] = Watched(subject)
        return found

    def awaited(self, kind: tuple[str, ...], name: str) -> Watched | None:
        """The one that somebody waits for, by its id in this or in lower case."""
        place = self._places.get(kind)
        if place is None:
            return None
        found = place.awaited.get(name)
        return found if found is not None else place.awaited.get(name.lower())

    def await_(self, watched: Watched) -> None:
        """Somebody waits for it from now on."""
        place, name = self._place_of(watched.subject)
        place.awaited[name] = watched
        place.others.pop(name, None)

    def leave(self, watched: Watched) -> None:
        """Nobody waits for it any more."""
        place, name = self._place_of(watched.subject)
        if place.awaited.pop(name, None) is not None:
            place.others[name] = watched

    def active(self) -> list[Watched]:
        """Everything that somebody waits for."""
        return [watched for place in self._places.values() for watched in place.awaited.values()]

    def _place_of(self, subject: Subject) -> tuple[_Place, str]:
        key = subject.key
        return self._places[key[:-1]], key[-1]
