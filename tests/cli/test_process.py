"""The real process: signals, exit codes, streams and start-up, in real time and a few only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.streamkit import definition

pytestmark = pytest.mark.realtime

SCENARIO = """
pipelines: [{name: slow, duration: 1000}, {name: stubborn, duration: 1000, ignores_graceful_cancel: true}]
latency_out: %s
streams: [{starting: 0, snapshot: never, stop_seconds: 1000}]
"""


def maia(*argv: str, **environ: str) -> subprocess.Popen[str]:
    # With the buffers that a process has, and an interpreter of ours may not: they are flushed once more at its end.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAIA_") and name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-m", "maia_async.cli", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**kept, **environ},
    )


@pytest.fixture
def emulator(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The variables of an emulator in a process of its own."""
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO % getattr(request, "param", 0))
    with maia("emulator", "--port", "0", "--scenario", str(file)) as process:
        assert process.stdout is not None
        words = (process.stdout.readline() + process.stdout.readline()).split()
        yield dict(word.split("=", 1) for word in words if "=" in word)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=5)
    assert process.returncode == 0


@pytest.fixture
def rows(tmp_path: Path) -> str:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([{"pipelineName": "slow", "environmentName": "Dev Env"}] * 3))
    return str(file)


@pytest.mark.parametrize(("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
def test_a_signal_ends_a_batch_in_order(emulator: dict[str, str], rows: str, number: signal.Signals, status: int, word: str) -> None:
    with maia("run", "slow", "--environment", "Dev Env", **emulator) as process:
        assert process.stderr is not None
        run = process.stderr.readline().split()[-1]
        process.send_signal(number)
        _, err = process.communicate(timeout=5)

    assert process.returncode == status
    assert word in err
    assert f"maia watch {run} --project {emulator['MAIA_PROJECT_ID']}" in err
    assert "Traceback" not in err


def test_sigterm_leaves_the_runs_of_a_batch_and_says_what_goes_on(emulator: dict[str, str], rows: str) -> None:
    with maia("batch", rows, "--output", "json", "--cancel-on-interrupt", **emulator) as process:
        wait_for_runs(emulator["MAIA_BASE_URL"], 3)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)

    *outcomes, report = (json.loads(line) for line in out.splitlines())
    assert process.returncode == 143
    assert "terminated" in err
    assert "3 runs are still going in Maia:" in err
    assert [outcome["state"] for outcome in outcomes] == ["LEFT_RUNNING"] * 3
    assert report["report"]["counts"]["LEFT_RUNNING"] == 3
    assert sent(emulator["MAIA_BASE_URL"], "PATCH") == 0


def test_a_second_interrupt_does_not_wait_for_runs_that_are_being_cancelled(emulator: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "stubborn.json"
    file.write_text(json.dumps([{"pipelineName": "stubborn", "environmentName": "Dev Env"}] * 2))
    with maia("batch", str(file), "--output", "json", "--cancel-on-interrupt", **emulator) as process:
        wait_for_runs(emulator["MAIA_BASE_URL"], 2)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: sent(emulator["MAIA_BASE_URL"], "PATCH") == 2)
        time.sleep(0.2)  # real: the answers of the cancels
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=5)

    assert process.returncode == 130
    assert "cancelling 2 runs, and waiting at most 60 s for the end; Ctrl-C again ends at once" in err
    assert "2 runs are being cancelled; to see the end:" in err
    assert "Traceback" not in err
    assert [json.loads(line).get("state") for line in out.splitlines()[:-1]] == ["LEFT_RUNNING"] * 2


SERVICE = """
import asyncio, signal, sys
from maia_async import Batch, ExecutionRequest, Maia

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    requests = [ExecutionRequest(pipeline_name="slow", environment_name="Dev Env")] * 2
    async with Maia.from_env() as maia:
        async with Batch(maia.project(), requests, stop_signal=stop) as batch:
            async for outcome in batch:
                print(outcome.state, file=sys.stderr)
        for execution in batch.outstanding:
            print(execution.reference)

asyncio.run(main())
"""
NEXT = """
import asyncio, sys
from maia_async import Maia

async def main():
    async with Maia.from_env() as maia:
        for line in sys.stdin:
            execution = maia.execution_from(line)
            print(execution.id, await execution.status(), (await execution.cancel_and_confirm()).status)

asyncio.run(main())
"""


def test_a_service_that_is_terminated_hands_its_runs_to_the_next_process(emulator: dict[str, str]) -> None:
    environ = {**{name: value for name, value in os.environ.items() if not name.startswith("MAIA_")}, **emulator}
    command = [sys.executable, "-X", "dev", "-W", "error", "-c"]
    with subprocess.Popen([*command, SERVICE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as service:
        wait_for_runs(emulator["MAIA_BASE_URL"], 2)
        service.send_signal(signal.SIGTERM)
        references, said = service.communicate(timeout=20)
    assert service.returncode == 0
    assert said.split() == ["LEFT_RUNNING"] * 2
    assert sent(emulator["MAIA_BASE_URL"], "PATCH") == 0

    there = {name: value for name, value in environ.items() if name != "MAIA_PROJECT_ID"}  # the references say it
    after = subprocess.run([*command, NEXT], input=references, capture_output=True, text=True, check=False, timeout=30, env=there)

    assert after.stderr == ""
    ids = [json.loads(line)["execution"] for line in references.splitlines()]
    assert [line.split() for line in after.stdout.splitlines()] == [[run, "RUNNING", "CANCELLED"] for run in ids]


@pytest.mark.parametrize("emulator", [8], indirect=True)
def test_a_second_interrupt_ends_at_once(emulator: dict[str, str], rows: str) -> None:
    """Answers take 8 seconds, so that the triggers are in doubt when the first interrupt comes."""
    environ = {**emulator, "MAIA_CLIENT_ID": "", "MAIA_CLIENT_SECRET": "", "MAIA_TOKEN": "x" * 20}
    with maia("batch", rows, "--output", "json", **environ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        wait_for_posts(emulator["MAIA_BASE_URL"])
        process.send_signal(signal.SIGINT)
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=3)

    assert process.returncode == 130
    assert "Ctrl-C again ends at once" in first
    assert "Traceback" not in err
    assert {json.loads(line).get("state") for line in out.splitlines()[:-1]} == {"UNKNOWN"}
    assert "3 more may have started" in err


def wait_for_posts(base_url: str) -> None:
    wait_until(lambda: sent(base_url, "POST") >= 3)


def wait_for_runs(base_url: str, count: int) -> None:
    """Until each was started, and the batch has begun to read them."""
    wait_until(lambda: sent(base_url, "POST") > count and sent(base_url, "GET") >= 1)  # one POST is for the token


def sent(base_url: str, method: str) -> int:
    from urllib.request import urlopen

    with urlopen(base_url.removesuffix("/dpc") + "/_emulator/requests") as answer:
        return int(answer.read().count(method.encode()))


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.02)  # real: another process works meanwhile
    raise AssertionError("it did not come to that")


def test_a_second_interrupt_does_not_wait_for_pipelines_that_stop(emulator: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    file.write_text(json.dumps(definition()))
    with maia("streaming", "create", str(file), **emulator) as create:
        out, _ = create.communicate(timeout=20)
    with maia("streaming", "supervise", out.strip(), "--stop-on-exit", **emulator) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.readline()
        while json.loads(process.stdout.readline()).get("current") != "STREAMING":
            pass
        process.send_signal(signal.SIGINT)
        first = process.stderr.readline()
        time.sleep(0.2)  # real: the STOP goes out, and is then waited for
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=3)

    assert process.returncode == 130
    assert "stopping what runs; Ctrl-C again ends at once" in first
    assert "Traceback" not in err
    assert f"maia streaming stop {out.strip()}" in err  # its last read showed it streaming: it is better named than forgotten


def test_a_reader_that_leaves_is_no_traceback(tmp_path: Path) -> None:
    with maia("pipelines", "list", "--emulator", "--output", "json") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()

    assert process.returncode == 141
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


def test_a_stderr_that_nobody_reads_costs_no_data() -> None:
    with maia("pipelines", "list", "--emulator", "--output", "json") as process:
        assert process.stderr is not None
        process.stderr.close()
        assert process.stdout is not None
        out = process.stdout.read()

    assert process.returncode == 0
    assert len(json.loads(out)) == 3


def test_without_the_extra_one_line_says_how_to_get_it() -> None:
    program = (
        "import sys; sys.modules['cyclopts'] = None\n"
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'cyclopts' else real(name, package)\n"
        "from maia_async.cli.__main__ import main; sys.exit(main(['demo']))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=20)

    assert ended.returncode == 2
    assert ended.stderr == "maia: the command line needs an extra: pip install 'maia-async[cli]'\n"


def test_help_loads_no_command_and_no_server() -> None:
    program = (
        "import sys; from maia_async.cli.__main__ import main; main(['--help'])\n"
        "print(sorted(name for name in sys.modules if name.startswith(('maia_async.cli.commands.', 'maia_async.emulator', 'yaml'))))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=20)

    assert ended.stdout.splitlines()[-1] == "[]"


def test_the_package_is_the_program_too() -> None:
    ended = subprocess.run([sys.executable, "-m", "maia_async", "--version"], capture_output=True, text=True, check=True, timeout=20)

    assert ended.stdout.startswith("maia 0.")


@pytest.mark.parametrize(("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
def test_a_signal_ends_the_reading_of_stdin(number: signal.Signals, status: int, word: str) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "maia_async", "cancel", "-", "--emulator"]
    with subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        time.sleep(0.2)  # real: from its words to its read
        process.send_signal(number)
        _, err = process.communicate(timeout=5)
    os.close(ours)
    os.close(theirs)

    assert first == "reading ids from stdin, to its end (Ctrl-D)\n"
    assert process.returncode == status
    assert word in err
    assert "Traceback" not in err


def test_closed_streams_do_not_matter() -> None:
    command = f"{sys.executable} -m maia_async.cli pipelines list --emulator >&- 2>&-"

    assert subprocess.run(["sh", "-c", command], check=False, timeout=20).returncode == 0
