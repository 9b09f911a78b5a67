"""Keeps streaming pipelines streaming: restarts those that drop, gives up on those that will not stay, and tells what it sees and does.

It owns one task of the client while its block is open, shares the client's one watcher and one budget with everything else, and never
wraps an exception in a group. It stops nothing unless asked, and it starts nothing that somebody else has stopped, unless asked.

    what happens                                 what it does
    one is added and runs                        adopts it: tells its state
    one is added and does not run                starts it (no restart)
    one shows NOT_RUNNING after running          restarts it, after a delay that doubles with each restart (`RestartPolicy`)
    it does so too often                         gives up on it, and on no other
    one reads UNKNOWN                            waits; after `unreachable_after` restarts it
    one is refused (401, 403, 404)               tells it and tries on for a minute before it gives up on it
    somebody else stops one, and a read shows    respects it: leaves it alone until it is added again; or restarts it
      STOPPING
    the API cannot be read                       tells it after `unreachable_after`, and reads on
    the events are not taken                     goes on; see `mailbox.py`
    the block is left                            leaves them streaming, or stops them (`on_exit`), within 10 s and 0.1 s for each; a
                                                 START that has gone out is waited for as long, and told
    the client is closed                         ends with SessionClosed and stops nothing
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Final, Literal, Self

from maia_async.errors import MisuseError, SessionClosed
from maia_async.orchestration.supervision.events import SupervisedState, SupervisorEvent
from maia_async.orchestration.supervision.keeper import Keeper, another_client, another_project, check_free
from maia_async.orchestration.supervision.mailbox import Mailbox
from maia_async.orchestration.supervision.rules import SuperviseRules
from maia_async.policies import RestartPolicy
from maia_async.resources.streaming import StreamingPipeline
from maia_async.tasks import settle

UNREAD: Final = 1000


def supervise(
    pipelines: Iterable[StreamingPipeline] = (),
    *,
    restart: RestartPolicy = RestartPolicy(),
    start_grace: float = 60.0,
    unreachable_after: float = 300.0,
    on_external_stop: Literal["respect", "restart"] = "respect",
    on_exit: Literal["leave", "stop"] = "leave",
) -> Supervisor:
    """Keep `pipelines`, all of one client, streaming for as long as an `async with` block of the result lasts.

    start_grace: seconds after a START in which NOT_RUNNING means "not yet". unreachable_after: seconds of UNKNOWN, or of failing reads,
    that are waited for.
    on_external_stop: what a stop by somebody else means. on_exit: what becomes of them when the block is left. The module's table has the
    rest. Raises ConfigurationError, and MisuseError for what is no streaming pipeline.
    """
    rules = SuperviseRules(
        restart=restart,
        start_grace=start_grace,
        unreachable_after=unreachable_after,
        on_external_stop=on_external_stop,
        on_exit=on_exit,
    )
    return Supervisor(pipelines, rules)


class Supervisor:
    """An async context manager and an async iterator of SupervisorEvent; made by `supervise`.

    The iteration waits for events as long as the block lasts, whatever became of the pipelines; then it ends. It raises SessionClosed when
    the client is closed. One that was made without pipelines has no client before its first `add`: until then only the end of its block
    ends the iteration.
    """

    def __init__(self, pipelines: Iterable[StreamingPipeline], rules: SuperviseRules) -> None:
        self._pipelines = tuple(pipelines)
        for pipeline in self._pipelines:
            _check(pipeline)
        self._rules = rules
        self._mailbox = Mailbox(UNREAD)
        self._keeper: Keeper | None = None
        self._task: asyncio.Task[None] | None = None
        self._entered = False
        self._left = False

    async def __aenter__(self) -> Self:
        if self._entered:
            raise MisuseError("this supervisor has been used: make a new one")
        by_id: dict[str, StreamingPipeline] = {}
        for pipeline in self._pipelines:  # all before the first is added: on_exit="stop" must not stop any because another was wrong
            if pipeline.runtime is not self._pipelines[0].runtime:
                raise another_client(pipeline)
            check_free(pipeline)
            if by_id.setdefault(pipeline.id, pipeline).watched is not pipeline.watched:
                raise another_project(pipeline)
        self._entered = True
        try:
            for pipeline in self._pipelines:
                self.add(pipeline)
        except BaseException:
            await self._leave()
            raise
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SupervisorEvent:
        if not self._entered:
            raise _not_entered()
        return await self._mailbox.next()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self._leave()
        bug = self._mailbox.untold()
        if error is None and bug is not None and not isinstance(bug, SessionClosed):
            raise bug

    def add(self, pipeline: StreamingPipeline) -> None:
        """Supervise one more. One that is supervised is left as it is; one that was given up, or whose stop was respected, begins anew.

        Raises MisuseError for a pipeline of another client or another supervisor, and outside the block; SessionClosed after close.
        """
        _check(pipeline)
        if not self._entered:
            raise _not_entered()
        if self._left:
            raise MisuseError("the block of this supervisor was left: make a new one")
        if self._keeper is None or self._task is None:
            pipeline.runtime.owner.home.check()
            self._keeper = Keeper(pipeline.runtime, self._rules, self._mailbox)
            self._task = pipeline.runtime.owner.start(self._keeper.run(), name="supervisor", finishes=self._keeper.is_sending)
            self._task.add_done_callback(self._keeper.ended)
        elif self._task.done():
            raise SessionClosed("this supervisor has ended")
        self._keeper.add(pipeline)

    def remove(self, pipeline: StreamingPipeline | str) -> None:
        """Supervise it (or the one with this id) no more and leave it as it is. One that is not supervised is ignored."""
        if self._keeper is not None:
            self._keeper.remove(pipeline if isinstance(pipeline, str) else pipeline.id)

    @property
    def states(self) -> Mapping[str, SupervisedState]:
        """Every supervised pipeline by id, now; after the block, as it was left."""
        return {} if self._keeper is None else self._keeper.states()

    async def _leave(self) -> None:
        self._left = True
        if self._keeper is None or self._task is None:
            self._mailbox.close()
        else:
            self._keeper.leave()
            await settle(self._task)


def _check(pipeline: object) -> None:
    if not isinstance(pipeline, StreamingPipeline):
        raise MisuseError(f"supervise() takes streaming pipelines, not {type(pipeline).__name__}")


def _not_entered() -> MisuseError:
    return MisuseError("enter the supervisor first: async with supervise(...) as supervisor")
