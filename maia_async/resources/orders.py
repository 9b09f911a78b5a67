"""What this client has commanded a streaming pipeline, as far as that may have an effect: pure memory, in the order of sending.

    a command                                  is remembered as
    goes out                                   in flight: it may take effect from now on, long before its answer
    2xx, no usable answer, torn off            given: its effect began when that came, at the latest
    409 to a STOP                              a wish: whoever sent it wants the pipeline stopped, but it ended no START
    409 to a START, any other refusal          nothing: what was sent before it counts again
    withdrawn, or not landed after all         nothing

    question                                   answer
    is a stop asked for?                       the last that was sent is a STOP: in flight, or no read that went out later than `grace`
                                               after its end showed the pipeline running. Not for `grace` only: an outage, or UNKNOWN,
                                               may hide for longer what became of it
    may a START still show NOT_RUNNING?        there is one in flight, or given at most `grace` ago; no read that went out later showed
                                               the pipeline running; and no STOP that was given was sent later
    how long ago was the last command?         from its end; in flight it is not over

Not in the order of the answers: a STOP that takes effect before it is answered would look like a drop, and the late answer to an older
command would hide a newer one. Times are seconds of one clock, handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from maia_async.errors import Conflict
from maia_async.wire.landing import Landing, landing_of

if TYPE_CHECKING:
    from maia_async.wire.streaming import Command


@define(eq=False, slots=True)
class Order:
    """One command: when it went out, and when it ended, if it has."""

    word: Command
    number: int
    sent_at: float
    ended_at: float | None = None
    given: bool = True  # else a wish
    shown: bool = False  # a START that went out before a read that showed the pipeline running
    ran_at: float = float("-inf")  # when the last such read went out

    def recent(self, at: float, grace: float) -> bool:
        """Whether it is in flight, or ended at most `grace` before `at`."""
        return self.ended_at is None or at - self.ended_at <= grace


@define(eq=False, slots=True)
class Orders:
    """The commands of this client to one pipeline, oldest first."""

    _sent: list[Order] = field(factory=list)
    mark: int = 0  # the number of the last one

    def goes_out(self, word: Command, now: float) -> Order:
        """A command is sent now."""
        self.mark += 1
        order = Order(word, self.mark, now)
        self._sent.append(order)
        return order

    def forget(self, order: Order) -> None:
        """It has no effect, and had none."""
        if order in self._sent:
            self._sent.remove(order)

    def ended(self, order: Order, now: float, error: BaseException | None = None) -> None:
        """It was answered, or `error` ended it: what that leaves of it is the first table above."""
        refused = error is not None and landing_of(error) in {Landing.REFUSED, Landing.NOT_LANDED}
        if refused and not (order.word == "STOP" and isinstance(error, Conflict)):
            self.forget(order)
            return
        order.ended_at, order.given = now, not refused
        # Of those that have ended, the last of each kind says all: no list grows with the years.
        at = self._sent.index(order)
        older = [one for one in self._sent[:at] if one.ended_at is None or (one.word, one.given) != (order.word, order.given)]
        self._sent[:at] = older

    def ran(self, asked_at: float) -> None:
        """A read that went out `asked_at` showed the pipeline running."""
        for order in self._sent:
            order.shown = order.shown or order.sent_at <= asked_at
            order.ran_at = max(order.ran_at, asked_at)

    def stop_asked(self, *, grace: float, after: int = 0) -> bool:
        """The first question above, about what was sent later than when `mark` was `after`."""
        last = self._sent[-1] if self._sent else None
        return last is not None and last.word == "STOP" and last.number > after and last.recent(last.ran_at, grace)

    def start_pends(self, at: float, *, grace: float) -> bool:
        """The second question above, about a read that went out at `at`."""
        for order in reversed(self._sent):
            if order.word == "START":
                return not order.shown and order.recent(at, grace)
            if order.given:
                return False
        return False

    def last_end(self, word: Command) -> float | None:
        """When the last command that was sent ended, if it is a `word`: infinity in flight, else None."""
        last = next((order for order in reversed(self._sent) if order.given), None)
        if last is None or last.word != word:
            return None
        return float("inf") if last.ended_at is None else last.ended_at
