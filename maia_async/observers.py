"""Tells the observers what happened: in the loop, one after the other; what they raise is logged and goes no further."""

from __future__ import annotations

from collections.abc import Sequence

from maia_async.clock import utc_now
from maia_async.events import Event, Observer, UnknownValueSeen
from maia_async.logs import logger
from maia_async.models import OpenEnum


class Observers:
    """The callables that the client was given."""

    _MOST_WORDS = 1000

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = tuple(observers)
        self._words: set[tuple[str, str]] = set()

    def __bool__(self) -> bool:
        """Whether anybody listens: building an event for nobody costs more than sending a small request should."""
        return bool(self._observers)

    def emit(self, event: Event) -> None:
        """Tell everybody."""
        for observer in self._observers:
            try:
                observer(event)
            except Exception:  # an observer's bug must not end a wait
                logger.exception("observer %r failed on %s", observer, type(event).__name__)

    def note_word(self, word: OpenEnum) -> None:
        """Warn and tell once about a word that this version does not know."""
        if word.is_known:
            return
        key = (type(word).__name__, word.value)
        if key in self._words or len(self._words) >= self._MOST_WORDS:
            return
        self._words.add(key)
        logger.warning("unknown %s %.100r: it is kept as it came and is not an end", *key)
        if self:
            self.emit(UnknownValueSeen(at=utc_now(), kind=key[0], value=key[1]))
