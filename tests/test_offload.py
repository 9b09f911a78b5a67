"""The one thread for blocking functions: results, order, what a cancelled caller learns, virtual time, and the end."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable

import anyio
import pytest

from maia_async import offload
from maia_async.errors import MisuseError
from maia_async.offload import Thread

Now = Callable[[], float]


@pytest.fixture
async def thread() -> AsyncIterator[Thread]:
    """A thread that is ended, and gone, at the end."""
    thread = Thread("under test")
    yield thread
    await thread.aclose()
    assert alive() == []


def alive() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("maia_async")]


async def test_a_function_runs_elsewhere_and_gives_its_result(thread: Thread) -> None:
    assert await thread.run(lambda a: (a, threading.current_thread().name), 7) == (7, "maia_async under test")


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
async def test_what_it_raises_is_raised_and_the_thread_goes_on(thread: Thread, error: BaseException) -> None:
    def fail() -> None:
        raise error

    told: list[BaseException | None] = []
    thread.submit(fail, lambda _, raised: told.append(raised))
    assert await thread.run(int) == 0
    assert told == [error]


async def test_a_stop_iteration_becomes_an_error_that_a_future_can_carry(thread: Thread) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await thread.run(next, iter(()))


async def test_jobs_run_one_after_another_in_their_order(thread: Thread) -> None:
    seen: list[int] = []
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(thread.run, seen.append, number)
    assert seen == list(range(20))


async def test_virtual_time_stands_still_while_the_thread_works(thread: Thread, now: Now) -> None:
    timers: list[float] = []
    asyncio.get_running_loop().call_later(3600, lambda: timers.append(now()))
    await thread.run(time.sleep, 0.12)
    assert now() == 0
    assert timers == []
    await anyio.sleep(3600)
    assert timers == [3600]


@pytest.mark.parametrize("native", [True, False])
async def test_a_cancelled_caller_is_held_until_it_is_known_whether_it_was_done(thread: Thread, native: bool) -> None:
    release, done = threading.Event(), []

    def work() -> None:
        assert release.wait(10)
        done.append("done")

    scope = anyio.CancelScope()

    async def caller() -> None:
        with scope:
            await thread.run(work)

    task = asyncio.get_running_loop().create_task(caller())
    await anyio.lowlevel.checkpoint()
    for _ in range(3):
        task.cancel() if native else scope.cancel()
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
    assert not task.done()
    release.set()
    await asyncio.wait([task])
    assert done == ["done"]
    assert task.cancelled() is native
    assert scope.cancelled_caught is not native


async def test_closing_lets_finish_what_was_submitted_and_may_be_repeated(now: Now) -> None:
    thread, told = Thread("under test"), []
    thread.submit(lambda: time.sleep(0.05), lambda *_: told.append("first"))
    thread.submit(lambda: 5, lambda value, _: told.append(value))
    await thread.aclose()
    await thread.aclose()
    assert told == ["first", 5]
    assert alive() == []
    assert now() == 0
    with pytest.raises(MisuseError, match="closed"):
        await thread.run(int)


def test_a_job_that_does_not_end_keeps_closing_for_a_bounded_time_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(offload, "CLOSE_BOUND", 0.05)
    release = threading.Event()

    async def main() -> None:
        thread = Thread("stuck")
        thread.submit(lambda: release.wait(10), lambda *_: None)
        await thread.aclose()

    with caplog.at_level(logging.WARNING, "maia_async"):
        asyncio.run(main())  # in real time: a virtual clock stands still for the thread
    release.set()
    assert "still at work" in caplog.text
    deadline = time.monotonic() + 5
    while alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert alive() == []


def test_another_loop_is_refused() -> None:
    async def make() -> Thread:
        return Thread("lost")

    async def use(thread: Thread) -> None:
        with pytest.raises(MisuseError, match="another event loop"):
            await thread.run(int)
        with pytest.raises(MisuseError, match="another event loop"):
            await thread.aclose()

    thread = asyncio.run(make())
    asyncio.run(use(thread))
    thread._jobs.put(None)
    thread._thread.join(5)
    assert alive() == []


async def test_what_a_finished_job_held_is_let_go(thread: Thread) -> None:
    import weakref

    class Thing: ...

    thing = Thing()
    seen = weakref.ref(thing)
    await thread.run(lambda given: None, thing)
    del thing
    await thread.run(int)
    assert seen() is None


FORGOTTEN = """
import asyncio, time
from maia_async.offload import Thread
async def main():
    thread = Thread("forgotten")
    thread.submit(lambda: time.sleep({busy}), lambda *_: None)
    await asyncio.sleep(0.01)
asyncio.run(main())
print("end")
"""


@pytest.mark.parametrize("busy", [0, 60])
def test_a_forgotten_close_does_not_keep_the_interpreter_from_ending(busy: int) -> None:
    code = FORGOTTEN.format(busy=busy)
    done = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


FORKED = """
import asyncio, os, sys
from maia_async.offload import Thread
from maia_async.errors import MisuseError
async def main():
    thread = Thread("parent's")
    child = os.fork()
    if not child:
        for use in (lambda: thread.submit(int, lambda *_: None), thread.check):
            try: use()
            except MisuseError as error: print(error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print(await thread.run(int))
    await thread.aclose()
asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_a_forked_child_is_refused_and_the_parent_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.count("does not exist in a forked process") == 2
    assert done.stdout.endswith("\n0\n")
