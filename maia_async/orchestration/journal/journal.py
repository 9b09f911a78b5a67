"""The journal as a batch uses it: every call returns, and every callback comes, when its write is durable; writes share commits.

What is written while a commit runs goes into the next one, all of it, with one fsync. After a commit that failed nothing more is written
until the journal is opened again: after an I/O error nobody knows what a second attempt would mean.

It holds one thread (`maia_async/offload.py`) and one lock from `open` to `close`. Use it in the loop and in the process that opened it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from os import PathLike
from types import TracebackType
from typing import Any, Self

from maia_async.clock import utc_now
from maia_async.errors import JournalWriteFailed, MisuseError
from maia_async.models import ExecutionRequest
from maia_async.offload import Thread
from maia_async.orchestration.journal.rows import Row
from maia_async.orchestration.journal.schema import Meta
from maia_async.orchestration.journal.store import Store
from maia_async.orchestration.journal.writes import Ended, InputEnded, Intent, Plan, Started, Write
from maia_async.orchestration.outcomes import Outcome
from maia_async.tasks import settle

Done = Callable[[BaseException | None], None]


class Journal:
    """An open journal. `rows` are those of earlier processes, by index; empty when it is new. `meta` is what it said when it was opened."""

    def __init__(self, store: Store, thread: Thread) -> None:
        self._store = store
        self._thread = thread
        self._queued: list[tuple[Write, Done]] = []
        self._busy = False
        self._closed = False
        self._broken: str | None = None
        self.commits = 0

    @classmethod
    async def open(cls, path: str | PathLike[str], *, project_id: str, base_url: str, options: str = "", create: bool = True) -> Self:
        """Open the journal at `path`, or make it unless `create` is false.

        Raises JournalInUse, JournalMismatch (it is about another project or another address of the API), JournalCorrupt,
        JournalWriteFailed (it could not be made), and JournalError for a path that no journal can be at, or that lies beside the log of a
        removed one. Whatever was there before is as it was then.
        """
        store = Store(path)  # before the thread: it refuses a path that no file can have
        thread = Thread("journal")
        thread.keep(store)
        journal = cls(store, thread)
        try:
            await thread.run(partial(store.open, Meta(project_id=project_id, base_url=base_url, options=options), create=create))
        except BaseException:
            await journal.close()
            raise
        return journal

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    @property
    def path(self) -> str:
        """Where it is, with symbolic links resolved."""
        return str(self._store.path)

    @property
    def meta(self) -> Meta:
        """What the journal said about itself when it was opened."""
        return self._store.meta

    @property
    def rows(self) -> tuple[Row, ...]:
        """What earlier processes wrote, when it was opened."""
        return self._store.rows

    async def plan(self, requests: Iterable[ExecutionRequest]) -> None:
        """Write a whole input down. Raises JournalMismatch when the journal is about another one; rows that it has already stay."""
        await self.write(Plan.of(requests))

    async def intent(self, index: int, request: ExecutionRequest, *, tag: str | None = None, server_time: float | None = None) -> None:
        """A POST is about to go out: `request` as the caller gave it, and the tag that is sent in the place of AUTO."""
        await self.write(Intent.of(index, request, at=utc_now().isoformat(), tag=tag, server_time=server_time))

    async def started(self, index: int, execution_id: str) -> None:
        """The request's run has this id."""
        await self.write(Started(index, execution_id, utc_now().isoformat()))

    async def outcome(self, outcome: Outcome) -> None:
        """What became of a request."""
        await self.write(Ended.of(outcome))

    async def input_ended(self, size: int) -> None:
        """An input whose size was not known has come to its end."""
        await self.write(InputEnded(size))

    async def write(self, write: Write) -> None:
        """Return when it is durable. Raises what `submit` tells; a cancelled caller is held until it is known."""
        told: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self.submit(write, told.set_result)
        await settle(told)
        error = told.result()
        if error is not None:
            raise error

    def submit(self, write: Write, done: Done) -> None:
        """Write it, and call `done` in the loop: with None once it is durable, else with the reason why it never will be.

        the reason               meaning
        JournalWriteFailed       the disk refused; so it will for every later write
        JournalMismatch          the row is another request's
        MisuseError              the row cannot take it: see the table in `steps.py`
        """
        self._thread.check()
        if self._closed:
            raise MisuseError(f"journal {self.path!r} is closed")
        self._queued.append((write, done))
        if not self._busy:
            self._busy = True
            asyncio.get_running_loop().call_soon(self._flush)  # what is written in the same step shares the commit

    async def close(self) -> None:
        """Commit what was submitted, close the file and end the thread. Twice is once."""
        self._thread.check()
        if not self._closed:
            self._closed = True
            self._flush()
            self._thread.submit(self._store.close, lambda _, __: None)
        await self._thread.aclose()

    def _flush(self) -> None:
        batch, self._queued = self._queued, []
        if not batch:
            self._busy = False
        elif self._broken is not None:
            self._committed(batch, None, None)
        else:
            self._thread.submit(partial(self._store.commit, [write for write, _ in batch]), partial(self._committed, batch))

    def _committed(self, batch: list[tuple[Write, Done]], refusals: Any, error: BaseException | None) -> None:
        if error is not None:
            self._broken = error.reason if isinstance(error, JournalWriteFailed) else f"cannot be written: {error!r}"
        self.commits += error is None and self._broken is None
        for place, (_, done) in enumerate(batch):
            # An error of his own for each: the one that is raised collects the tracebacks of all who raise it.
            failed = None if self._broken is None else JournalWriteFailed(self._broken, path=self.path)
            try:
                done(refusals[place] if failed is None else failed)
            except Exception as bug:  # noqa: BLE001 - one listener's bug must not keep the news from the others
                context = {"message": "a listener of the journal failed", "exception": bug}
                asyncio.get_running_loop().call_exception_handler(context)
        if not self._closed:
            self._flush()
