"""The client in programs of others: each is a process in development mode where every warning is an error, and must leave not one line.

"Unclosed client session", "Task was destroyed but it is pending", "coroutine ... was never awaited", "exception was never retrieved" all go
to stderr, and so does what a destructor raises; hence an empty stderr and exit code 0 say that there is none of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

# What every program does with its client: reads, runs, waits of each kind, a batch, a supervisor, and cancellations in the middle.
WORK = """
import asyncio, contextlib, gc, logging, os, sys, threading
import anyio
from maia_async import *
from maia_async.emulator import Emulator, Pipeline, Scenario
from maia_async.emulator.scenario import STREAMING_PROJECT

logging.getLogger("maia_async").addHandler(logging.NullHandler())  # what the client has to say is said in order; asyncio's words are not
DEV = "Dev Environment"
SCENARIO = Scenario.of(Pipeline(name="short", duration=(1, 9)), Pipeline(name="long", duration=100_000))

async def work(maia, stream=1):
    project = maia.project()
    assert len((await project.pipelines.list()).items) == 2
    run = await project.execute("short", DEV)
    assert (await run).status == "SUCCESS"
    assert [details.status async for details in run.watch()][-1] == "SUCCESS"
    report = await run_batch(project, [ExecutionRequest(pipeline_name="short", environment_name=DEV)] * 20)
    assert report.counts["SUCCESS"] == 20
    long = await project.execute("long", DEV)
    for how in ("leave", "cancel"):
        try:
            await long.wait(0.05, on_timeout=how)
        except WaitTimeout:
            pass
    for seconds in (0, 0.001, 0.01, 0.03):  # a cancellation may come at any moment
        try:
            async with asyncio.timeout(seconds):
                await (await project.execute("long", DEV)).wait(on_cancel="leave")
        except TimeoutError:
            pass
    with anyio.move_on_after(0.05):
        async with Batch(project, [ExecutionRequest(pipeline_name="long", environment_name=DEV)] * 9) as batch:
            async for _ in batch:
                pass
    with anyio.move_on_after(0.2):
        async with supervise([maia.project().streaming_pipeline(f"00000000-0000-0000-0000-00000000000{stream}")]) as supervisor:
            async for _ in supervisor:
                pass
"""


def run(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    script = WORK + dedent(program)
    command = [sys.executable, "-X", "dev", "-W", "error", *options, "-c", script]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def runs_clean(program: str, *options: str) -> str:
    ended = run(program, *options)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr + ended.stdout
    return ended.stdout


MAIN = """
async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no defect
    async with Emulator(SCENARIO, speed=600) as emulator, emulator.client() as maia:
        await work(maia)
    gc.collect()
    print([task.get_name() for task in asyncio.all_tasks()] == [asyncio.current_task().get_name()])
"""


@pytest.mark.parametrize(
    "start",
    [
        "asyncio.run(main())",
        "asyncio.run(main(), debug=True)",
        "import uvloop; uvloop.run(main())",
        "import uvloop; uvloop.run(main(), debug=True)",
        "anyio.run(main)",
        "anyio.run(main, backend_options={'use_uvloop': True})",
    ],
)
def test_it_works_in_any_asyncio_loop_and_leaves_nothing(start: str) -> None:
    if "uvloop" in start:
        pytest.importorskip("uvloop")
    assert runs_clean(f"{MAIN}\n{start}\ngc.collect()") == "True\n"


def test_inside_a_task_group_of_anyio_whose_tasks_come_and_go() -> None:
    runs_clean("""
    async def main():
        async with Emulator(SCENARIO, speed=600) as emulator:
            async with emulator.client() as maia, anyio.create_task_group() as group:
                async def wait(task_status):
                    run = await maia.project().execute("long", DEV)
                    task_status.started(run)
                    await run

                runs = [await group.start(wait) for _ in range(5)]
                group.start_soon(work, maia, 1)
                await work(maia, 2)
                group.cancel_scope.cancel()
            assert len({run.id for run in runs}) == 5
            try:
                async with emulator.client() as maia, anyio.create_task_group() as group:
                    group.start_soon(wait_for_ever, maia)
                    await anyio.sleep(0.1)
                    raise LookupError("of the program")
            except* LookupError:
                pass

    async def wait_for_ever(maia):
        await (await maia.project().execute("long", DEV))

    asyncio.run(main())
    gc.collect()
    """)


@pytest.mark.parametrize(
    "application",
    ["Starlette(routes=[Route('/start', start)], lifespan=lifespan)", "fast(start, lifespan)"],
    ids=["starlette", "fastapi"],
)
def test_in_the_lifespan_of_a_web_application(application: str) -> None:
    out = runs_clean(
        """
    from contextlib import asynccontextmanager
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    @asynccontextmanager
    async def lifespan(app):
        async with Emulator(SCENARIO, speed=600) as emulator, emulator.client() as app.state.maia:
            yield

    def fast(start, lifespan):
        from fastapi import FastAPI

        app = FastAPI(lifespan=lifespan)
        app.add_api_route("/start", start)
        return app

    async def start(request: Request):
        run = await request.app.state.maia.project().execute(request.query_params["pipeline"], DEV)
        try:
            return JSONResponse({"status": (await run).status})
        except SessionClosed as error:
            return JSONResponse({"reference": error.reference}, status_code=503)

    async def ask(app, pipeline):
        sent = []

        async def receive():
            await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/start", "headers": [], "query_string": f"pipeline={pipeline}".encode()}
        await app(scope, receive, send)
        return sent[0]["status"]

    async def server(app):  # as servers do it: the lifespan in a task, each request in another
        events, told = asyncio.Queue(), asyncio.Queue()
        living = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, events.get, told.put))
        await events.put({"type": "lifespan.startup"})
        assert (await told.get())["type"] == "lifespan.startup.complete"
        print(await asyncio.gather(*(ask(app, "short") for _ in range(10))))
        slow = [asyncio.create_task(ask(app, "long")) for _ in range(3)]
        await asyncio.sleep(0.1)
        await events.put({"type": "lifespan.shutdown"})
        assert (await told.get())["type"] == "lifespan.shutdown.complete"
        await living
        print(await asyncio.gather(*slow))

    asyncio.run(server(APPLICATION))
    gc.collect()
    """.replace("APPLICATION", application)
    )
    assert out == f"{[200] * 10}\n{[503] * 3}\n"


@pytest.mark.parametrize("how", ["cleanup_ctx", "startup"])
def test_in_an_aiohttp_application(how: str) -> None:
    ways = {
        "cleanup_ctx": """
        async def living(app):
            async with emulator.client() as app[MAIA]:
                yield

        app.cleanup_ctx.append(living)
        """,
        "startup": """
        async def begin(app):
            app[MAIA] = emulator.client()

        async def end(app):
            await app[MAIA].aclose()

        app.on_startup.append(begin)
        app.on_shutdown.append(end)  # while requests are still being answered
        """,
    }
    out = runs_clean(f"""
    import aiohttp
    from aiohttp import web

    MAIA = web.AppKey("maia", Maia)

    async def start(request):
        run = await request.app[MAIA].project().execute(request.query["pipeline"], DEV)
        try:
            return web.json_response({{"status": (await run).status}})
        except SessionClosed:
            return web.json_response({{}}, status=503)

    async def ask(http, pipeline):
        try:
            async with http.get(f"{{address}}/start", params={{"pipeline": pipeline}}) as answer:
                return answer.status
        except aiohttp.ClientError:
            return "cut off"

    async def main():
        global address, emulator
        async with Emulator(SCENARIO, speed=600) as emulator, aiohttp.ClientSession() as http:
            app = web.Application()
            app.router.add_get("/start", start)
            {dedent(ways[how]).strip().replace(chr(10), chr(10) + " " * 12)}
            runner = web.AppRunner(app, shutdown_timeout=0.5)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            address = f"http://127.0.0.1:{{runner.addresses[0][1]}}"
            print([await ask(http, "short") for _ in range(3)])
            slow = [asyncio.create_task(ask(http, "long")) for _ in range(3)]
            await asyncio.sleep(0.1)
            await runner.cleanup()
            print(await asyncio.gather(*slow))

    asyncio.run(main())
    gc.collect()
    """)
    first, second = out.splitlines()
    assert first == str([200] * 3)
    assert second == str([503] * 3 if how == "startup" else ["cut off"] * 3)


def test_in_a_notebook_where_cells_await_and_are_interrupted() -> None:
    out = runs_clean("""
    import ast, types

    CELLS = [
        "emulator = await Emulator(SCENARIO, speed=600).__aenter__()",
        "maia = emulator.client()",
        "run = await maia.project().execute('short', DEV)",
        "print((await run).status)",
        "run = await maia.project().execute('long', DEV)",
        "await run  # interrupted",
        "print(run)",
        "await work(maia)",
        "background = asyncio.get_running_loop().create_task(run.wait(check=False))",
        "await run.cancel()",
        "print((await background).status)",
        "await maia.aclose(); await maia.aclose()",
        "await emulator.__aexit__(None, None, None)",
    ]

    async def kernel():
        space = dict(globals())
        for cell in CELLS:
            code = compile(cell, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            awaited = types.FunctionType(code, space)()
            if awaited is None:
                continue
            task = asyncio.get_running_loop().create_task(awaited)
            if "interrupted" in cell:
                asyncio.get_running_loop().call_later(0.1, task.cancel)
            try:
                await task
            except asyncio.CancelledError:
                print("interrupted")

    asyncio.run(kernel())
    gc.collect()
    """)
    words = out.splitlines()
    assert (words[0], words[1], words[3]) == ("SUCCESS", "interrupted", "CANCELLED")
    assert "PipelineExecution" in words[2]


def test_a_program_that_fails_or_is_told_to_stop_leaves_nothing_either() -> None:
    runs_clean("""
    async def fail():
        async with Emulator(SCENARIO, speed=600) as emulator, emulator.client() as maia:
            run = await maia.project().execute("long", DEV)
            waits = [asyncio.create_task(wait(run, how)) for how in ("leave", "cancel", "confirm")]
            await asyncio.sleep(0.1)
            raise SystemExit(0)

    async def wait(run, how):
        with contextlib.suppress(SessionClosed):
            await run.wait(on_cancel=how)

    asyncio.run(fail())
    """)


# Where it cannot work, it says so.

ENTRANCES = """
    NEW = "00000000-0000-0000-0000-00000000000"

    async def supervised(maia):
        async with supervise([maia.project().streaming_pipeline(NEW + "7")]) as supervisor:
            async for event in supervisor:
                return event

    async def watched(maia):
        async for details in maia.project().execution(NEW + "1").watch():
            return details

    async def waited(maia, **options):
        return await maia.project().execution(NEW + "2").wait(**options)

    async def awaited(maia):
        return await maia.project().execution(NEW + "3")

    async def entered(maia):
        async with Batch(maia.project(), []):
            pass

    def outside_of_loops(maia, run):  # a batch has a scope of anyio's, which says it itself
        return {name: use for name, use in entrances(maia, run).items() if "batch" not in name}

    def entrances(maia, run):
        stream = maia.project().streaming_pipeline(NEW + "9")
        request = ExecutionRequest(pipeline_name="short", environment_name=DEV)
        return {
            "list": lambda: awaits(maia.projects.list()),
            "request": lambda: maia.request("GET", "/v1/projects"),
            "execute": lambda: maia.project().execute("short", DEV),
            "await": lambda: awaited(maia),
            "wait": lambda: waited(maia, timeout=3),
            "wait to confirm": lambda: waited(maia, timeout=3, on_timeout="confirm", on_cancel="confirm"),
            "watch": lambda: watched(maia),
            "details": run.details,
            "status": run.status,
            "cancel": run.cancel,
            "cancel_and_confirm": run.cancel_and_confirm,
            "steps": lambda: awaits(run.steps()),
            "stream": lambda: awaits(stream),
            "start": stream.start,
            "ensure": stream.ensure_streaming,
            "ensure in time": lambda: stream.ensure_stopped(timeout=3),
            "supervise": lambda: supervised(maia),
            "batch": lambda: entered(maia),
            "run_batch": lambda: run_batch(maia.project(), [request]),
            "enter": maia.__aenter__,
        }

    async def awaits(thing):
        return await thing

    async def refused(maia, run, words, bound=lambda: asyncio.timeout(5), entrances=entrances):
        for name, use in entrances(maia, run).items():
            try:
                async with bound():
                    found = await use()
            except MisuseError as error:
                assert words in str(error), (name, error)
            else:
                raise AssertionError(f"{name} gave {found}")
"""


def test_in_a_second_event_loop_every_use_is_refused() -> None:
    runs_clean(f"""
    {ENTRANCES}
    ELSEWHERE = "opened in another event loop: make one client for each loop"

    async def first():
        global maia, run, emulator
        async with Emulator(SCENARIO, speed=600) as emulator:
            maia = emulator.client()
            run = await maia.project().execute("short", DEV)
            await run
            going = asyncio.create_task((await maia.project().execute("long", DEV)).wait(check=False))
            await asyncio.sleep(0.1)

            def thread():  # while the first one runs
                asyncio.run(refused(maia, run, ELSEWHERE))
                try:
                    asyncio.run(maia.aclose())
                except MisuseError as error:
                    assert ELSEWHERE in str(error)
                else:
                    raise AssertionError("closed from another loop")
                done.append(1)

            done = []
            other = threading.Thread(target=thread)
            other.start()
            while other.is_alive():
                await asyncio.sleep(0.05)
            assert done == [1]
            assert (await maia.projects.list()).items  # and nothing of the first one was disturbed
            assert not going.done()
            going.cancel()
            await asyncio.wait([going])

    async def second():
        await refused(maia, run, ELSEWHERE)
        await maia.aclose()  # its own loop is over: nothing is left to be disturbed
        await refused(maia, run, "this Maia client")

    asyncio.run(first())
    asyncio.run(second())
    """)


def test_after_a_fork_every_use_is_refused_in_the_child_and_the_parent_goes_on() -> None:
    out = runs_clean(f"""
    {ENTRANCES}
    async def child(maia, run):
        try:
            await refused(maia, run, "opened before a fork", contextlib.AsyncExitStack, outside_of_loops)
            await maia.aclose()
            await refused(maia, run, "this Maia client", contextlib.AsyncExitStack, outside_of_loops)
        except BaseException as error:
            sys.stderr.write(repr(error))
            os._exit(1)
        os._exit(0)

    async def main():
        async with Emulator(SCENARIO, speed=600) as emulator, emulator.client() as maia:
            run = await maia.project().execute("short", DEV)
            await run
            going = asyncio.create_task((await maia.project().execute("long", DEV)).wait(check=False))
            await asyncio.sleep(0.1)
            number = os.fork()
            if number == 0:  # in the loop of the parent, as it were
                coroutine = child(maia, run)
                coroutine.send(None)
                os._exit(2)
            print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))
            await work(maia)  # on connections that the child has not closed
            going.cancel()
            await asyncio.wait([going])

    asyncio.run(main())
    """)
    assert out == "0\n"


def test_in_a_child_process_that_makes_its_own_loop_a_client_of_the_parent_is_refused() -> None:
    runs_clean(f"""
    import multiprocessing
    {ENTRANCES}

    def child():
        asyncio.run(refused(maia, run, "opened before a fork"))
        asyncio.run(maia.aclose())

    async def main():
        global maia, run
        async with Emulator(SCENARIO, speed=600) as emulator, emulator.client() as maia:
            run = await maia.project().execute("short", DEV)
            await run
            process = multiprocessing.get_context("fork").Process(target=child)
            process.start()
            process.join(20)
            assert process.exitcode == 0
            await work(maia)

    asyncio.run(main())
    """)


def test_without_an_asyncio_loop_it_says_which_loop_it_needs() -> None:
    runs_clean(f"""
    {ENTRANCES}

    async def main():
        async with Emulator() as emulator:
            return emulator.client()

    def by_hand(coroutine):  # as a loop of another library would
        try:
            coroutine.send(None)
        except MisuseError as error:
            assert "runs in an asyncio event loop, and none runs here" in str(error), error
        else:
            raise AssertionError("it ran")

    maia = asyncio.run(main())
    by_hand(maia.__aenter__())
    by_hand(Emulator().__aenter__())
    run = maia.project().execution(NEW + "1")
    for use in outside_of_loops(maia, run).values():
        by_hand(use())
    """)


def test_a_client_that_nobody_closes_warns_and_hangs_nothing() -> None:
    ended = run("""
    async def main():
        async with Emulator(SCENARIO, speed=600) as emulator:
            maia = emulator.client()
            await work(maia)

    asyncio.run(main())
    """)
    assert "Unclosed c" in ended.stderr  # client session, or connector: whichever is collected first
    assert "Task was destroyed" not in ended.stderr
    assert "never awaited" not in ended.stderr
