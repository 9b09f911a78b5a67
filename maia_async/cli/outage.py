"""Says on stderr that the API does not answer while the client tries again, so that a silent wait is no riddle. It tries nothing itself.

It is an observer of the client:

    event                                                said
    a failed look at a run, the first of an outage       cannot read the status (no connection): trying for 10 min more
    more of them                                         the same, 60 s after the last such line
    a look that succeeds after such a line               the status can be read again; a new outage counts the 60 s on
    another failed request that is sent again            retrying: ..., once it has not succeeded for a second; 60 s between two
    a pause of a second or more, after a 429             retrying: ..., at once; in the same 60 s

A failed look: no whole answer, or 5xx. Sent again: a read or a token after the same, anything else when no connection was made.
"""

from __future__ import annotations

import asyncio
from typing import Final

from attrs import define, field

from maia_async import Event, PollPolicy, RateLimitPaused, RequestFinished
from maia_async.cli.talk import Talk

EVERY: Final = 60.0
PATIENCE: Final = 1.0
_WORDS: Final = {
    "ConnectFailed": "no connection",
    "RequestTimedOut": "no answer in time",
    "Disconnected": "the connection broke",
    "DecodeError": "an answer that cannot be read",
}


@define
class Outage:
    """`watches`: whether looks at a run end after `PollPolicy.max_unreachable`; a supervision goes on for ever and says so itself."""

    talk: Talk
    watches: bool = True
    _unreadable_since: float | None = None
    _status_said: float | None = None
    _told: bool = False
    _retry_said: float | None = None
    _waiting: dict[tuple[str, str], asyncio.TimerHandle] = field(factory=dict)

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, RateLimitPaused):
            if event.seconds >= PATIENCE:
                self._say_retry(f"429, the API asks to wait for {event.seconds:.0f} s")
        elif isinstance(event, RequestFinished):
            if event.lane == "POLL":
                self._looked(event)
            else:
                self._sent(event)

    def close(self) -> None:
        """Nothing is said any more: the client is closed, and what failed is an error by now."""
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()

    def _looked(self, event: RequestFinished) -> None:
        if not self.watches:
            return
        reason, now = failure(event), asyncio.get_running_loop().time()
        if reason is None:
            if self._told:
                self.talk.say("the status can be read again", "green")
            self._unreadable_since, self._told = None, False
            return
        if self._unreadable_since is None:
            self._unreadable_since = now
        if self._status_said is None or now - self._status_said >= EVERY:
            self._status_said, self._told = now, True
            left = PollPolicy().max_unreachable - (now - self._unreadable_since)
            self.talk.say(f"cannot read the status ({reason}): trying for {max(1, round(left / 60))} min more", "yellow")

    def _sent(self, event: RequestFinished) -> None:
        key, reason = (event.method, event.path), failure(event)
        if reason is None or not is_sent_again(event):
            timer = self._waiting.pop(key, None)
            if timer is not None:
                timer.cancel()
        elif key not in self._waiting:
            said = f"{event.method} {event.path}: {reason}"
            self._waiting[key] = asyncio.get_running_loop().call_later(PATIENCE, self._say_retry, said)

    def _say_retry(self, said: str) -> None:
        now = asyncio.get_running_loop().time()
        if self._retry_said is None or now - self._retry_said >= EVERY:
            self._retry_said = now
            self.talk.say(f"retrying: {said}", "yellow")


def failure(event: RequestFinished) -> str | None:
    """Why this attempt says nothing about what was asked, in a few words; None when it is an answer, a refusal among them."""
    if event.status is not None:
        return f"answered with {event.status}" if event.status >= 500 else None
    return None if event.error is None else _WORDS.get(event.error, event.error)


def is_sent_again(event: RequestFinished) -> bool:
    """Whether the client tries once more, unless it has done so often enough."""
    return event.method == "GET" or event.lane == "TOKEN" or event.error == "ConnectFailed"
