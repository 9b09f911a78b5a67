"""Marked secrets go through a client of which everything fails, and everything that comes out is searched for them.

    planted                                         may be found in
    token, client secret, token from the endpoint   the requests that carry them, and nowhere else
    the same, spelled by a server in its own way    the same
    values of pipeline variables                    requests, the caller's own values, a journal; no log line, error text, repr or report

Searched: log lines of every logger at every level, asyncio's in debug mode; warnings; errors with all that hangs on them and the local
variables of every frame that is not the test's; events; reprs; pickles; references; batch reports; a journal's files; the command line.
Servers echo what they were sent in every way that they have.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cli.harness import Maia as Program
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from leaks import Ears, forms_of, leaks, listening, told_by
from scripted import Script, Scripted, Seen, Step, answer, close, garbage, gzip_bomb, html, redirect, reset, stall, truncated
from virtual_time import VirtualLoop

from maia_async import (
    ClientCredentials,
    ConfigurationError,
    ExecutionRequest,
    Maia,
    MaiaError,
    PollPolicy,
    RetryPolicy,
    StaticToken,
    Timeouts,
    run_batch,
)
from maia_async.orchestration.journal import Journal
from maia_async.secrets import Secret
from maia_async.wire.answers import error_of
from maia_async.wire.requests import Reply

ROOT = Path(__file__).resolve().parent.parent.parent
RUN = {"pipelineExecutionId": "1398aa31-af57-4a6a-9752-27c2e8556c3f"}
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=30)
SECRETS = st.builds("{}-c4n4ry-{}".format, WORDS, WORDS)
VALUES = st.builds("{}-v4lue-{}".format, st.text(max_size=12), st.text(max_size=12))


def echoed(seen: Seen) -> dict[str, Any]:
    """Everything that was sent."""
    return {"headers": dict(seen.headers), "body": seen.body.decode("latin-1")}


def echo(status: int) -> Script:
    def step(seen: Seen) -> Step:
        said = json.dumps(echoed(seen))
        token = seen.headers.get("authorization", "nothing")
        problem = {
            "title": token,
            "detail": said,
            "message": seen.body.decode("latin-1"),
            "violations": [said, token],
            "validation-errors": [{"field": token, "message": seen.body.decode("latin-1")}],
            "error": {"message": token},
        }
        return answer(status, problem, x_request_id=token, retry_after="1")

    return step


def page(status: int) -> Script:
    return lambda seen: html(status, f"<title>{seen.headers.get('authorization')}</title>\n{seen.body.decode('latin-1')}")


def text(status: int) -> Script:
    return lambda seen: answer(status, f"{seen.headers.get('authorization')} {seen.body.decode('latin-1')}", content_type="text/plain")


def broken(seen: Seen) -> Step:
    return answer(200, '{"status": "' + seen.headers.get("authorization", "") + seen.body.decode("latin-1"))


def noise(seen: Seen) -> Step:
    return garbage(f"{seen.headers.get('authorization')}\r\n".encode() + seen.body)


def onward(seen: Seen) -> Step:
    return redirect("https://elsewhere.example/login?next=x")


ERRORS = [echo(status) for status in (302, 400, 401, 403, 404, 409, 410, 418, 422, 429, 500, 503, 504)]
SCRIPTS = st.sampled_from(
    [
        *ERRORS,
        *(page(status) for status in (200, 403, 503)),
        *(text(status) for status in (200, 401, 500)),
        broken,
        noise,
        onward,
        stall(),
        close(),
        reset(),
        truncated(answer(200, RUN)),
        gzip_bomb(3000),
        answer(200, RUN),
        answer(200, {"status": "FAILED", "message": "no", **RUN}),
    ]
)


class Theirs:
    """Credentials of a program's own."""

    def __init__(self, secret: str) -> None:
        self._header = f"Bearer {secret}"

    async def authorization(self) -> str:
        return self._header

    def forget(self, authorization: str) -> None:
        pass

    def __repr__(self) -> str:
        return "<theirs>"


async def ways(maia: Maia, value: str) -> list[Any]:
    """Every kind of call, each with the value in a variable; what they raise or return."""
    project = maia.project("p")
    variables = {"scalar_variables": {"day": value}, "grid_variables": {"grid": [[value]]}}
    request = ExecutionRequest(pipeline_name="load", environment_name="e", **variables)
    run = project.execution(RUN["pipelineExecutionId"])

    async def look() -> Any:
        return await maia.projects.list()

    calls = [
        lambda: maia.request("GET", "/v1/projects"),
        lambda: maia.request("POST", "/v1/x", json={"a": 1}),
        look,
        lambda: project.execute("load", "e", **variables),
        lambda: project.execute("load", "e", scalar_variables={"day": [value]}),
        lambda: run.wait(3, on_timeout="cancel"),
        run.details,
        run.cancel,
        lambda: run_batch(project, [request] * 2, timeout=20),
        project.streaming_pipeline("s").start,
        lambda: asyncio.wait_for(project.streaming_pipeline("s").status(), 0.5),
    ]
    found: list[Any] = [request, run, project]
    for call in calls:
        try:
            found.append(await call())
        except (MaiaError, TimeoutError) as error:
            found.append(error)
    return found


def written(found: list[Any]) -> Iterator[str]:
    """All that can be printed of results and errors."""
    for one in found:
        yield repr(one)
        yield str(one)
        if isinstance(one, BaseException):
            yield str(getattr(one, "reference", ""))
        for name in ("to_json", "reference"):
            part = getattr(one, name, None)
            yield str(part() if callable(part) else part)


def pickled(found: list[Any]) -> Iterator[str]:
    """Errors as another process would get them; a request in one is the caller's own value, variables and all."""
    for one in found:
        if isinstance(one, BaseException):
            try:
                yield pickle.dumps(one).decode("latin-1")
            except (TypeError, AttributeError, pickle.PicklingError) as refused:
                yield str(refused)


async def kept(found: list[Any], folder: Path) -> bytes:
    """The files of a journal that was told all of it."""
    async with await Journal.open(folder / "j.db", project_id="p", base_url="https://eu1.api.matillion.com/dpc") as journal:
        for outcome in (outcome for one in found for outcome in getattr(one, "outcomes", ())):
            await journal.intent(outcome.index, outcome.request, tag=f"t{outcome.index}")
            await journal.outcome(outcome)
        return b"".join((folder / name).read_bytes() for name in os.listdir(folder))  # noqa: PTH208 - a test may read its small files here


async def exercise(secret: str, token: str, value: str, kind: str, steps: list[Script], ears: Ears) -> None:
    asyncio.get_running_loop().set_debug(True)
    events: list[Any] = []
    grant = answer(200, {"access_token": token, "expires_in": 1800, "token_type": "Bearer"})

    def serve(seen: Seen) -> Step:
        if seen.target.startswith("/token") and (kind == "credentials" or not steps):
            return grant
        script = steps[len(server.requests) % len(steps)]
        return script if isinstance(script, Step) else script(seen)

    async with Scripted(then=serve) as server, Scripted() as other:
        auth: Any = {"token": StaticToken, "theirs": Theirs}.get(kind, lambda text: ClientCredentials("id", text))(secret)
        options: dict[str, Any] = {
            "base_url": server.url,
            "token_url": f"{server.url}/token",
            "retry": RetryPolicy(max_tries=2, base=0.1),
            "poll": PollPolicy(max_unreachable=5),
            "timeout": Timeouts(connect=1, total=2),
            "observers": [events.append],
        }
        async with Maia(auth=auth, **options) as maia:
            maia._session._max_body = 2000
            found = await ways(maia, value)
            shown = [f"{maia!r} {vars(maia)!r} {auth!r} {maia.statistics()!r} {asyncio.all_tasks()!r}", *map(repr, events)]
        assert other.connections == 0
        carried = [seen for seen in server.requests if seen.target != "/token"]
        assert carried == [] or kind == "credentials" or {seen.headers["authorization"] for seen in carried} == {f"Bearer {secret}"}
        with tempfile.TemporaryDirectory() as folder:
            journal = (await kept(found, Path(folder))).decode("latin-1")
        server.requests.clear()
    errors = [one for one in found if isinstance(one, BaseException)]
    errors += [outcome.error for one in found for outcome in getattr(one, "outcomes", ()) if outcome.error is not None]
    out = "\n".join([*shown, *written(found), ears.text])
    everything = "\n".join([out, journal, *pickled(found), *(told_by(error, ours_only=True) for error in errors)])
    for hidden in (secret, token):
        assert leaks(hidden, everything) == []
    if not any(script in ERRORS or callable(script) for script in steps):  # what the API itself answers with is shown
        assert leaks(value, out) == []


@settings(max_examples=15, phases=(Phase.explicit, Phase.reuse, Phase.generate))  # to shrink one takes longer than to read it
@given(
    SECRETS,
    SECRETS,
    VALUES,
    st.sampled_from(["token", "theirs", "credentials", "credentials refused"]),
    st.lists(SCRIPTS, min_size=1, max_size=4),
)
@example('a"b\\c&d=e+f%g-c4n4ry', "<t>&'-c4n4ry-1", "v4lue", "credentials refused", [echo(400), echo(403), page(403)])
@example('a"b\\c&d=e+f%g-c4n4ry', "<t>&'-c4n4ry-1", "v4lue-v4lue", "credentials", ERRORS)
@example('a"b\\c&d=e+f%g-c4n4ry', "<t>&'-c4n4ry-1", "v4lue-v4lue", "token", [answer(200, RUN), stall(), reset()])
def test_no_secret_is_in_anything_that_comes_out(secret: str, token: str, value: str, kind: str, steps: list[Script]) -> None:
    with listening() as ears, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(exercise(secret, token, value, kind, steps, ears))
    for hidden in (secret, token):  # now with the end of the loop, and with the warnings
        assert leaks(hidden, ears.text) == []


def test_the_search_finds_what_it_is_for() -> None:
    with listening() as ears:
        told = told_by(ValueError("Bearer c4n4ry-1"), ours_only=True)
        logging.getLogger("asyncio").debug("a token: %s", "c4n4ry-2")
    assert leaks("c4n4ry-1", told)
    assert leaks("c4n4ry-2", ears.text)
    assert leaks('a"b', '{"x": "a\\"b"}')
    assert all(leaks("a b&c", form) for form in forms_of("a b&c"))


# Secrets that a server echoes in spellings of its own.

KEY = "Ab1+cd2/ef3==gh4"


def escaped(written: str) -> Callable[[str], str]:
    """Everything but letters and digits written like this."""
    return lambda text: "".join(char if char.isalnum() else written.format(ord(char)) for char in text)


SPELLINGS = {
    "dotnet": escaped("\\u{:04X}"),
    "gson": escaped("\\u{:04x}"),
    "php": lambda text: text.replace("/", "\\/"),
    "percents": escaped("%{:02X}"),
    "small percents": escaped("%{:02x}"),
    "entities": escaped("&#{};"),
    "hexadecimal entities": escaped("&#x{:X};"),
    "entities in percents": escaped("%26%23{}%3b"),
}


def problem(text: str) -> str:
    """A body with the text in every place that is shown; the text may have escapes of JSON in it."""
    entry = f'{{"field": "{text}", "message": "no {text}"}}'
    return (
        f'{{"title": "no right for Bearer {text}", "detail": "{text}", "type": "{text}", "instance": "/x?{text}", "error": "{text}", '
        f'"error_description": "no {text}", "violations": ["{text} is wrong"], "validation-errors": [{entry}]}}'
    )


ANSWERS = {
    "problem": lambda text: answer(403, problem(text)),
    "bare text": lambda text: answer(403, f'"{text}"'),
    "cut": lambda text: answer(403, f'{{"title": "{text}'),
    "page": lambda text: html(403, f"<html><title>no right for Bearer {text}</title></html>"),
    "plain text": lambda text: answer(403, f"no right for {text}", content_type="text/plain"),
    "id": lambda text: answer(403, "{}", x_request_id=text),
    "page that is a success": lambda text: html(200, f"<html><title>Sign in, {text}</title></html>"),
    "text that is a success": lambda text: answer(200, f"Hello {text}", content_type="text/plain"),
    "a time": lambda text: answer(200, f'{{"status": "RUNNING", "startedAt": "{text}"}}'),
    "fields": lambda text: answer(200, f'{{"{text}": 1}}'),
}


@pytest.mark.parametrize("kind", ["token", "client secret"])
@pytest.mark.parametrize("place", ANSWERS)
@pytest.mark.parametrize("how", SPELLINGS)
async def test_no_spelling_of_a_secret_in_an_answer_reaches_an_error(how: str, place: str, kind: str) -> None:
    written = SPELLINGS[how](KEY)
    async with Scripted(then=ANSWERS[place](written)) as server:
        auth: Any = StaticToken(KEY) if kind == "token" else ClientCredentials("id", KEY, token_url=f"{server.url}/token")
        async with Maia(auth=auth, base_url=server.url, retry=RetryPolicy(max_tries=1)) as maia:
            with pytest.raises(MaiaError) as caught:
                await maia.project("p").execution(RUN["pipelineExecutionId"]).details()
        server.requests.clear()
    told = told_by(caught.value, ours_only=True)
    for text in (told, unescape(told), unquote(told), unescape(unquote(told))):
        assert KEY not in text
        assert written not in text
    assert leaks(KEY, told) == []


def test_a_secret_that_hides_in_utf_16_is_found_too() -> None:
    reply = Reply(status=403, headers={}, body=f'{{"title": "no {KEY}"}}'.encode("utf-16"), secret=Secret(f"Bearer {KEY}"))
    assert str(error_of(reply, method="GET", path="/v1/x")) == "GET /v1/x: 403 no ***"


# Settings.

HUSH = "hush-c4n4ry hush"


@pytest.mark.parametrize(
    "environ",
    [
        {"MAIA_TOKEN": HUSH},
        {"MAIA_TOKEN": "c4n4ry", "MAIA_CLIENT_SECRET": "c4n4ry"},
        {"MAIA_CLIENT_SECRET": "c4n4ry"},
        {"MAIA_CLIENT_ID": "id", "MAIA_CLIENT_SECRET": HUSH},
        {"MAIA_CLIENT_ID": "\ud800", "MAIA_CLIENT_SECRET": "c4n4ry"},
        {"MAIA_TOKEN": "c4n4ry", "MAIA_REGION": "mars"},
        {"MAIA_TOKEN": "c4n4ry", "MAIA_BASE_URL": "http://example.org"},
        {"MAIA_CLIENT_ID": "id", "MAIA_CLIENT_SECRET": "c4n4ry", "MAIA_TOKEN_URL": "http://example.org"},
        {"MAIA_TOKEN": "c4n4ry", "MAIA_TOKEN_FILE": "/dev/null"},
        {"MAIA_TOKEN_FILE": "/dev/null", "OTHER_PASSWORD": "c4n4ry"},
        {"OTHER_PASSWORD": "c4n4ry"},
    ],
)
def test_settings_that_are_refused_show_no_variable_of_the_environment(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Maia.from_env(environ)
    assert "c4n4ry" not in told_by(caught.value, ours_only=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: StaticToken(HUSH),
        lambda: StaticToken("c4n4ry\n\x00"),
        lambda: ClientCredentials("id", HUSH),
        lambda: ClientCredentials("", "c4n4ry"),
        lambda: ClientCredentials("\ud800", "c4n4ry"),
        lambda: ClientCredentials("id", "c4n4ry", audience="\ud800"),
        lambda: ClientCredentials("id", "c4n4ry", token_url="http://example.org"),
    ],
)
def test_credentials_that_are_refused_are_in_no_frame_of_ours(make: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert "c4n4ry" not in told_by(caught.value, ours_only=True)


# The command line.


@pytest.mark.parametrize(
    "argv", [("projects", "list"), ("run", "p", "--environment", "e", "--var", "day=v4lue"), ("status", "x"), ("cancel", "x")]
)
@pytest.mark.parametrize("environ", [{"MAIA_TOKEN": "c4n4ry-1"}, {"MAIA_CLIENT_ID": "id", "MAIA_CLIENT_SECRET": "c4n4ry-1"}])
@pytest.mark.parametrize("script", [echo(400), echo(403), page(403), stall(), broken])
async def test_the_command_line_shows_no_secret_either(argv: tuple[str, ...], environ: dict[str, str], script: Script) -> None:
    async with Scripted(then=script) as server:
        maia = Program(
            {**environ, "MAIA_BASE_URL": server.url, "MAIA_TOKEN_URL": f"{server.url}/token", "MAIA_PROJECT_ID": "p", "MAIA_DEBUG": "1"}
        )
        ended = await maia(*argv)
        assert server.requests
    assert leaks("c4n4ry-1", ended.out + ended.err) == []


def test_no_option_of_the_command_line_takes_a_secret() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "maia_async" / "cli").rglob("*.py"))
    assert [word for word in ("--token", "--client-secret", "--secret", "--password", "token:", "client_secret:") if word in sources] == []


@pytest.mark.realtime
def test_a_running_program_shows_its_secret_to_no_other_user(tmp_path: Path) -> None:
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("no /proc")
    with subprocess.Popen(
        [sys.executable, "-m", "maia_async", "emulator", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as server:
        assert server.stdout is not None
        url = dict(word.split("=", 1) for word in server.stdout.readline().split()[1:])
        environ = {**os.environ, **url, "MAIA_CLIENT_ID": "emulator", "MAIA_CLIENT_SECRET": "c4n4ry-1"}
        command = [sys.executable, "-m", "maia_async", "watch", "1398aa31-af57-4a6a-9752-27c2e8556c3f", "--project", "p"]
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT) as program:
            seen = set[bytes]()
            while program.poll() is None:
                for name in ("cmdline", "comm", "status"):
                    for path in Path(f"/proc/{program.pid}").glob(f"task/*/{name}"):
                        with contextlib.suppress(OSError):
                            seen.add(path.read_bytes())
                time.sleep(0.02)
            assert program.stdout is not None
            said = program.stdout.read()
        server.terminate()
    assert program.returncode == 3, said  # the emulator knows no such secret
    assert any(b"maia_async" in line for line in seen)
    assert [line for line in {*seen, said} if b"c4n4ry" in line] == []
