"""The events of a supervisor on their way to the reader: whoever writes never waits, and what nobody takes stays bounded.

    an event comes                        fewer than `limit` unread   `limit` or more unread
    StreamingTransition                   appended                    joined with the last unread one of its pipeline, if there is one
    RestartAttempted, accepted or in      appended                    appended: these are never dropped
      doubt; GaveUp
    any other, a refused restart too      appended                    takes the place of the last unread one of its kind and pipeline

So beyond `limit` there are at most seven for each pipeline, and what was restarted and given up. The joined one stands at the end.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import count

from attrs import define, evolve, field

from maia_async.orchestration.reading import Reading
from maia_async.orchestration.supervision.events import GaveUp, RestartAttempted, StreamingTransition, SupervisorEvent


@define(eq=False)
class Mailbox(Reading):
    """Events in order, for any number of readers, each event for one of them."""

    limit: int
    _unread: OrderedDict[int, SupervisorEvent] = field(factory=OrderedDict)  # a dict is slow to give up its first, again and again
    _last: dict[tuple[str, type[SupervisorEvent], bool], int] = field(factory=dict)
    _numbers: count[int] = field(factory=count)

    @property
    def unread(self) -> int:
        """Events that nobody has taken yet."""
        return len(self._unread)

    def put(self, event: SupervisorEvent) -> None:
        """Take an event in, as the table of this module says."""
        kind = _kind(event)
        if len(self._unread) >= self.limit and not _is_kept(event):
            former = self._unread.pop(self._last.get(kind, -1), None)
            if isinstance(event, StreamingTransition) and isinstance(former, StreamingTransition):
                event = joined(former, event)
        number = next(self._numbers)
        self._unread[number], self._last[kind] = event, number
        self._news.set()

    async def next(self) -> SupervisorEvent:
        """The next event. After the last one raises the error that ended it all, once, and then StopAsyncIteration."""
        await self._wait_for(self._unread)
        number, event = self._unread.popitem(last=False)
        kind = _kind(event)
        if self._last[kind] == number:
            del self._last[kind]
        return event


def _is_kept(event: SupervisorEvent) -> bool:
    return isinstance(event, GaveUp) or (isinstance(event, RestartAttempted) and event.accepted is not False)


def _kind(event: SupervisorEvent) -> tuple[str, type[SupervisorEvent], bool]:
    return event.pipeline_id, type(event), _is_kept(event)


def joined(former: StreamingTransition, later: StreamingTransition) -> StreamingTransition:
    """Two transitions of one pipeline as one."""
    spent = None if former.previous is None else (former.duration or 0.0) + (later.duration or 0.0)
    return evolve(later, previous=former.previous, duration=spent)
