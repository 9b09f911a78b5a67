"""Many runs at once: reads requests as there is room, starts each once, awaits all, and says of every one what became of it.

It owns one task of the client (the pump) while it is open; within it, tasks exist only for triggers and cancels under way, a run that is
awaited costs none. It never wraps an exception in a group, and never leaves anything running locally.

    what happens                       reading   triggers not sent   triggers in doubt   runs                            iteration ends with
    the input ends                     ends      go on               go on               awaited                         -
    a failure, on_failure="continue"   goes on   go on               go on               awaited                         -
    a failure, on_failure="stop"       ends      withdrawn           go on               awaited                         -
    a failure, on_failure="cancel"     ends      withdrawn           go on               cancelled, awaited for 60 s     -
    `timeout` passes                   ends      withdrawn           concluded           left                            -
    `stop_signal`, on_cancel="leave"   ends      withdrawn           concluded           left                            -
    `stop_signal`, with the others     ends      withdrawn           go on               cancelled, awaited for 60 s     -
    left early, on_cancel="leave"      ends      withdrawn           concluded           left                            -
    left early, on_cancel="cancel"     ends      withdrawn           concluded           cancelled, left                 -
    left early, on_cancel="confirm"    ends      withdrawn           concluded           cancelled, awaited for 60 s     -
    a 429 ends all tries of a trigger  held      held                go on               awaited                         -
    the API cannot be reached          held      held                go on               awaited                         -
    so for `max_unreachable`           ends      withdrawn           concluded           left                            that error
    401 with a fresh token             ends      withdrawn           concluded           left                            that error
    no token can be had                ends      withdrawn           concluded           left                            that error
    the client is closed               ends      withdrawn           concluded           left                            SessionClosed
    the input raises                   ends      go on               go on               awaited                         that error

withdrawn: NOT_STARTED. concluded: its answer is awaited for at most 10 s; one that goes on has `Timeouts.total`, and is looked up
after that. left: LEFT_RUNNING.
60 s: and 0.1 s for each run, PATCHes included; a PATCH without a usable answer is sent again. Each run is reported as what it is: one that
ended before its cancel by its own end, one that has not ended by then as LEFT_RUNNING. A failure is any outcome but SUCCESS.

on_cancel="confirm" differs from "cancel" only when the block is left early: that may then take 10 s and those 60, which no further
cancellation shortens. Who stays in the block awaits the ends in any case; hence on_failure="cancel" confirms, and has no third way.

held: nothing new is read, and all triggers share one pause, after which the same rows are tried again: they are known not to have landed.
After a 429 it lasts as long as `Retry-After` says, also beyond `RateLimit.max_pause`: a batch is patient, and `timeout` bounds it. When
the connection cannot be made, or the token endpoint is down, pauses grow up to 30 s, until `PollPolicy.max_unreachable` has passed since
the first failure in a row. No token can be had: the token endpoint refuses for good, a certificate is refused, or credentials of the
caller's own raise.

With a journal, what an earlier process was told is not told again: a replayed failure stops nothing, since who resumes after it asks for
the rest, and a run that was cancelled stays so. A run that was left is awaited like any other; its failure counts. UNKNOWN is for good,
but for what was in doubt when the batch or its client ended: that is looked up again. After `JournalWriteFailed` nothing more is sent.

What comes later in a batch overrides what came before, but leaving early takes no cancel back that has begun.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from os import PathLike
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from maia_async.errors import MisuseError
from maia_async.orchestration.batch.book import Book
from maia_async.orchestration.batch.input import BatchInput, Requests
from maia_async.orchestration.batch.pump import Pump
from maia_async.orchestration.batch.rules import Rules
from maia_async.orchestration.journal import Journal
from maia_async.orchestration.outcomes import BatchReport, Outcome, parting_words, summarize
from maia_async.resources.execution import PipelineExecution
from maia_async.resources.project import Project
from maia_async.tasks import settle

logger = logging.getLogger("maia_async")


class StopSignal(Protocol):
    """Anything with an awaitable `wait()`, such as asyncio.Event or anyio.Event."""

    async def wait(self) -> Any:
        """Return when the batch shall stop."""


class Batch:
    """An async context manager and an async iterator of Outcome, in the order in which they become known.

    max_running: runs and triggers under way at once. on_conflict: "wait" tries a request whose tag is running again, for at most
    `conflict_timeout` seconds; "raise" makes it REJECTED. timeout: seconds for the whole batch, from entering the block. on_cancel: what
    happens to runs when the block is left early or the stop signal comes. See the module's table for the rest.

    journal: the path of a file in which every request is durable before its POST, its id before it is awaited, and its outcome before it is
    shown. The same call resumes it after any end, kill -9 included: outcomes come again first (`replayed`), runs are awaited, a POST whose
    answer was lost is looked up (`trigger/decision.py`), the rest is sent. `requests` may be None then: the journal has them.
    max_unacknowledged: with a journal, POSTs under way at once for each pipeline and environment. With more than one a kill may leave
    several unexplained runs of one pipeline, which cannot be told apart: their requests become UNKNOWN. Those of all batches with a journal
    in this client count together, and POSTs of others (`execute()`, a batch without a journal) are awaited before one goes out; but these
    do not wait for those of a journal. After a kill nobody knows of theirs: do not start the same pipeline both ways at once.

    Entering raises InvalidRequest when a sized input has invalid rows: nothing was sent then. An invalid row of another input is REJECTED.
    """

    def __init__(
        self,
        project: Project,
        requests: Requests | None,
        *,
        max_running: int = 50,
        on_failure: Literal["continue", "stop", "cancel"] = "continue",
        on_conflict: Literal["raise", "wait"] = "raise",
        conflict_timeout: float = 600.0,
        on_cancel: Literal["leave", "cancel", "confirm"] = "leave",
        timeout: float | None = None,
        journal: str | PathLike[str] | None = None,
        max_unacknowledged: int = 1,
        stop_signal: StopSignal | None = None,
    ) -> None:
        self._project = project
        self._requests = requests
        self._rules = Rules(
            max_running=max_running,
            on_failure=on_failure,
            on_conflict=on_conflict,
            conflict_timeout=conflict_timeout,
            on_cancel=on_cancel,
            timeout=timeout,
            max_unacknowledged=max_unacknowledged,
        )
        if requests is None and journal is None:
            raise MisuseError("requests may only be None with a journal, which then has them")
        self._journal_path = journal
        self._journal: Journal | None = None
        self._stop_signal = stop_signal
        self._pump: Pump | None = None
        self._task: asyncio.Task[None] | None = None
        self._size: int | None = None

    async def __aenter__(self) -> Self:
        self._project.runtime.owner.home.check()
        if self._pump is not None:
            raise MisuseError("this batch has been used: make a new one")
        source = None if self._requests is None else BatchInput(self._requests)  # an invalid input makes no journal
        try:
            self._pump = await self._prepared(source)
            self._task = self._project.runtime.owner.start(self._pump.run(), name="batch")
        except BaseException:
            await self._close_journal()
            raise
        self._task.add_done_callback(self._pump.ended)
        return self

    async def _prepared(self, source: BatchInput | None) -> Pump:
        book, exchange = None, self._project.runtime.exchange
        if self._journal_path is not None:
            self._journal = await Journal.open(
                self._journal_path, project_id=self._project.id, base_url=exchange.base_url, create=source is not None
            )
            book = Book(self._journal, exchange.server_date)
            if source is None:
                source = BatchInput(book.requests())
            elif source.rows is not None:
                await book.plan(source.rows)
        if source is None:
            raise AssertionError("a batch without an input has a journal")
        self._size = source.size
        return Pump(self._project, source, self._rules, self._stop_signal, book)

    async def _close_journal(self) -> None:
        if self._journal is not None:
            await self._journal.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        return await self._running.ledger.next()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._task is not None:
            self._running.leave()
            try:
                await settle(self._task)
            finally:
                await self._close_journal()
            bug = None if self._task.cancelled() else self._task.exception()
            if bug is not None and error is None:
                raise bug

    @property
    def outstanding(self) -> tuple[PipelineExecution, ...]:
        """Handles of the runs that were started and whose end was not seen: while it runs, and for good after it."""
        return () if self._pump is None else self._pump.outstanding()

    def report(self) -> BatchReport:
        """Everything known so far; after the block, everything, whether or not it was iterated over."""
        if self._pump is None:
            return summarize((), not_read=None, requests_used=0, seconds=0.0)
        not_read = None if self._size is None else self._size - self._pump.ledger.taken
        return summarize(
            self._pump.ledger.outcomes.values(), not_read=not_read, requests_used=self._pump.requests_used(), seconds=self._pump.seconds()
        )

    @property
    def _running(self) -> Pump:
        if self._pump is None:
            raise MisuseError("enter the batch first: async with Batch(...) as batch")
        return self._pump


async def run_batch(
    project: Project, requests: Requests | None, on_outcome: Callable[[Outcome], Awaitable[None] | None] | None = None, **options: Any
) -> BatchReport:
    """Run a whole batch and return its report. `on_outcome` is told each outcome as it comes, and awaited when it returns an awaitable.

    `options` are those of Batch. Raises what entering and iterating over a Batch raise; what `on_outcome` raises leaves the batch early.

    However it raises, nothing is lost, though nobody holds the batch:

        told to                          what
        the exception's `batch`          the Batch, with `report()` and `outstanding`; an attribute, also of a CancelledError
        the exception's notes, the log   the ids of the runs that go on, and the rows that may have started one
        `on_outcome`                     the outcomes that it has not been told yet, unless it is async or has raised itself

    A cancellation that a scope turns into something else (`asyncio.timeout` into TimeoutError) is in that one's `__cause__`, if anywhere.
    """
    batch = Batch(project, requests, **options)
    told: set[int] = set()
    plain, telling = not inspect.iscoroutinefunction(on_outcome), False
    try:
        async with batch:
            async for outcome in batch:
                if on_outcome is not None:
                    telling = True
                    told.add(outcome.index)
                    awaitable = on_outcome(outcome)
                    if awaitable is not None:
                        plain = False
                        await awaitable
                    telling = False
    except BaseException as error:
        outcomes = batch.report().outcomes
        _say_farewell(error, batch, outcomes)
        if on_outcome is not None and plain and not telling:
            _tell_the_rest(on_outcome, [outcome for outcome in outcomes if outcome.index not in told])
        raise
    return batch.report()


def _say_farewell(error: BaseException, batch: Batch, outcomes: Iterable[Outcome]) -> None:
    vars(error)["batch"] = batch  # not setattr: an exception may be frozen
    words = parting_words(outcomes)
    if words:
        error.add_note(f"the batch ended early; {words}")
        logger.warning("a batch ended early; %s", words)


def _tell_the_rest(on_outcome: Callable[[Outcome], Awaitable[None] | None], outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        try:
            awaitable = on_outcome(outcome)
        except Exception:  # the error that is under way matters more
            logger.exception("on_outcome failed for request %d of a batch that ended early", outcome.index)
            return
        if awaitable is not None:  # not plain after all, and nobody can await it any more
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            return
