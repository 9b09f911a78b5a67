"""Several ids in one command: where they come from, and how they are worked on side by side. What is done with each, it does not know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

import anyio

from maia_async import MaiaError, Unauthorized
from maia_async.cli.exits import ExitStatus, UsageProblem, exit_status_of, explain
from maia_async.cli.program import Program

T = TypeVar("T")
_AT_ONCE: Final = 20


def ids_of(program: Program, words: Sequence[str]) -> list[str]:
    """The ids that the words are, each once; a single `-` stands for those on stdin, one a line. Raises UsageProblem."""
    if "-" not in words:
        return list(dict.fromkeys(words))
    if len(words) > 1:
        raise UsageProblem("`-` reads the ids from stdin: give it alone, without other ids")
    try:
        text = program.read_stdin("ids").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageProblem("stdin: is not UTF-8 text") from error
    found = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if not found:
        raise UsageProblem("stdin: has no ids")
    return found


async def each(program: Program, items: Iterable[T], work: Callable[[T], Awaitable[ExitStatus]], *, at_once: int = _AT_ONCE) -> ExitStatus:
    """`work` on every item; the highest exit code. What is wrong with one is said and does not keep the others.

    Refused credentials, and what is no error of the API (a reader of stdout that has left), end all, and are raised as they are.
    """
    statuses = [ExitStatus.OK]
    failures: list[Exception] = []
    limiter = anyio.Semaphore(at_once)

    async def one(item: T) -> None:
        async with limiter:
            try:
                statuses.append(await work(item))
            except Exception as error:  # noqa: BLE001 - raised below: from inside it would leave the task group wrapped in an exception group
                if not isinstance(error, MaiaError) or isinstance(error, Unauthorized):
                    failures.append(error)
                    tasks.cancel_scope.cancel()
                    return
                statuses.append(exit_status_of(error))
                for line in explain(error):
                    program.talk.say(f"maia: {line}", "red")

    async with anyio.create_task_group() as tasks:
        for item in items:
            tasks.start_soon(one, item)
    if failures:
        raise failures[0]
    return max(statuses)
