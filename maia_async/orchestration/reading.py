"""How somebody iterates over what others write: waits for the next, and how it all ends. It holds nothing that is read.

nothing is unread, and                     the reader
more may come                              waits
it is closed, after a failure              gets the error, which is given away once
it is closed                               gets StopAsyncIteration
"""

from __future__ import annotations

import asyncio
from collections.abc import Sized

from attrs import define, field


@define(eq=False)
class Reading:
    """The reader's side of a `Mailbox` or a `Ledger`, for any number of readers."""

    _news: asyncio.Event = field(init=False, factory=asyncio.Event)
    _error: BaseException | None = field(init=False, default=None)
    _closed: bool = field(init=False, default=False)

    def fail(self, error: BaseException) -> None:
        """What the iteration ends with; the first one counts."""
        self._error = self._error or error

    def close(self) -> None:
        """Nothing comes any more."""
        self._closed = True
        self._news.set()

    def untold(self) -> BaseException | None:
        """The error that no reader has been given; it is given away once."""
        error, self._error = self._error, None
        return error

    async def _wait_for(self, unread: Sized) -> None:
        while not unread:
            if self._closed:
                error = self.untold()
                raise StopAsyncIteration if error is None else error
            self._news.clear()
            await self._news.wait()
