"""Hostile input: addresses, names, ids, answers and files that try to be more than data."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import ssl
from pathlib import Path
from typing import Any

import attrs
import pytest
from cli.harness import serving
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from leaks import listening, told_by
from scripted import Scripted, answer, redirect
from virtual_time import VirtualLoop

from maia_async import ClientCredentials, ConfigurationError, Maia, MaiaError, PollPolicy, ResponseError, RetryPolicy, StaticToken
from maia_async.emulator import Emulator, Outcome, Pipeline, Scenario
from maia_async.errors import DecodeError
from maia_async.models import ExecutionDetails, ExecutionRequest, ExecutionStep, ProjectSummary
from maia_async.secretfiles import read_secret
from maia_async.wire import codec

PACKAGE = Path(__file__).resolve().parent.parent.parent / "maia_async"
ONCE = RetryPolicy(max_tries=1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_token_endpoint_that_points_elsewhere_gets_no_secret_sent_there(status: int) -> None:
    async with Scripted() as other, Scripted(then=redirect(f"{other.url}/token", status)) as server:
        auth = ClientCredentials("id", "hush-hush", token_url=f"{server.url}/token")
        async with Maia(auth=auth, base_url=server.url, retry=ONCE) as maia:
            with pytest.raises(ResponseError):
                await maia.request("GET", "/v1/x")
        assert other.connections == 0


def test_nothing_turns_the_verification_of_certificates_off() -> None:
    options = set(inspect.signature(Maia).parameters) | {name for kind in (RetryPolicy, PollPolicy) for name in attrs.fields_dict(kind)}
    assert [name for name in options if re.search("ssl|tls|verif|insecure|cert", name)] == []
    sources = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    words = re.compile(r"CERT_NONE|check_hostname|verify_ssl|ssl\s*=|_create_unverified|insecure", re.IGNORECASE)
    assert [str(path) for path, text in sources.items() if words.search(text)] == []


@pytest.mark.parametrize("variable", ["PYTHONHTTPSVERIFY", "SSL_NO_VERIFY", "CURL_INSECURE", "MAIA_VERIFY", "MAIA_INSECURE"])
async def test_no_variable_does_either(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "0")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PACKAGE.parent / "tests" / "self_signed.pem")
    async with Scripted(tls=context) as server, Maia.from_env({"MAIA_TOKEN": "t", "MAIA_BASE_URL": server.url}) as maia:
        with pytest.raises(MaiaError, match="certificate was refused"):
            await maia.request("GET", "/v1/x")
        assert server.requests == []


# Names and ids.

NASTY = st.text(st.sampled_from("a/?#%\\.:@&=\r\n\t\x00\x1b\x7f\x9b\u2028\u202e\ud800\U000e0001<>\"' 日"), min_size=1, max_size=12)
INJECTION = "x\r\nHost: evil.example\r\n\r\nGET /evil HTTP/1.1\r\n\r\nCRITICAL root: forged\x1b[2J\u202e"


async def use(maia: Maia, one: str, two: str) -> list[BaseException]:
    project = maia.project(one)
    calls = [
        lambda: project.execute(one, two, agent_id=two, execution_tag=one, scalar_variables={one: two}),
        lambda: project.execution(two).wait(1, on_timeout="confirm", on_cancel="cancel"),
        lambda: project.execution(two).cancel(),
        lambda: _listed(project.executions.list(environment_name=one, pipeline_name=two, status=one)),
        lambda: project.pipelines.get(one, two),
        lambda: project.streaming_pipeline(two).start(),
        lambda: maia.request("GET", "/v1/x", params={one: two}),
        lambda: maia.request(one, f"/v1/{two}"),
        lambda: project.execute(one, two, scalar_variables={one: None}),  # type: ignore[dict-item]  # refused by name
    ]
    errors: list[BaseException] = []
    for call in calls:
        try:
            await call()
        except MaiaError as error:
            errors.append(error)
    return errors


async def _listed(pager: Any) -> Any:
    return await pager


async def attack(one: str, two: str) -> tuple[list[BaseException], list[str]]:
    known = {"host", "user-agent", "accept", "accept-encoding", "authorization", "content-type", "content-length"}
    echo = answer(400, {"title": one, "detail": two, "violations": [one]}, x_request_id="r")
    async with Scripted(then=echo) as server, Maia(auth=StaticToken("t"), base_url=server.url, retry=ONCE) as maia:
        errors = await use(maia, one, two)
        for seen in server.requests:
            assert set(seen.headers) <= known
            assert seen.headers["host"] == f"127.0.0.1:{server.port}"
            assert seen.target.startswith("/v1/")
            assert seen.target.isascii()
            assert seen.target.isprintable()
        return errors, [seen.target for seen in server.requests]


@settings(max_examples=60, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(NASTY, NASTY)
def test_no_name_and_no_id_leaves_its_place_in_a_request_an_error_or_a_log(one: str, two: str) -> None:
    with listening() as ears, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        errors, _ = runner.run(attack(one, two))
    ours = [line for line in ears.lines if line.startswith("maia_async") and "Traceback" not in line]
    assert [text for text in (*map(str, errors), *ours) if not text.isprintable()] == []


def test_a_whole_request_in_a_name_stays_a_name() -> None:
    with listening() as ears, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        errors, targets = runner.run(attack(INJECTION, INJECTION))
    assert len(errors) == 9
    assert [target for target in targets if "evil" in target and "%0D%0A" not in target] == []
    assert "\nCRITICAL" not in ears.text
    assert "\x1b" not in ears.text


async def test_an_id_from_the_server_forges_no_line_of_the_log_either() -> None:
    """It came with a 200, so it is kept: what was started must not be lost."""
    forged = {"pipelineExecutionId": "1\nERROR root: all is lost\x1b[2J"}
    with listening() as ears:
        async with Scripted(answer(200, forged), then=answer(503)) as server:
            async with Maia(auth=StaticToken("t"), base_url=server.url, retry=ONCE) as maia:
                execution = await maia.project("p").execute("load", "e")
                with pytest.raises(MaiaError) as caught:
                    await execution.wait(1, on_timeout="cancel")
    assert str(caught.value).isprintable()
    assert r"1\nERROR root" in ears.text
    assert "\nERROR" not in ears.text


# What is shown.

NAME = "<script>alert(1)</script>\x1b[2J\x1b]0;owned\x07[red]bold[/red]\nforged: line\u202e"


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("form", ["table", "json"])
async def test_the_command_line_shows_a_hostile_name_as_text(form: str, tty: bool) -> None:
    async with serving(Pipeline(name=NAME, duration=1, outcomes=[Outcome(status="FAILED", message=NAME)])) as account:
        maia = attrs.evolve(account.maia, tty=tty, width=200)
        run = await maia("run", NAME, "--environment", "Dev Environment", "--output", form)
        ended = [run, await maia("pipelines", "list", "--output", form), await maia("status", execution_of(account), "--output", form)]
    for one in ended:
        said = re.sub(r"\x1b\[[0-9;]*m", "", one.out + one.err) if tty else one.out + one.err  # colours are our own
        assert [char for char in said if not char.isprintable() and char not in "\n\r" and not (tty and char == "\x1b")] == []
        assert "\x1b[2J" not in said
        assert "\x1b]0;" not in said
        assert not re.search(r"^forged", said, re.MULTILINE)
    assert "<script>" in ended[1].out
    assert "[red]" in ended[1].out


def execution_of(account: Any) -> str:
    return str(account.emulator.control.executions()[0].id)


# Types.

OBJECT = st.sampled_from(["_type", "__class__", "__reduce__", "__init__", "py/object", "$type", "@type", "kind", "__dict__", "result"])
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["os.system", "builtins.eval", "subprocess.Popen"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(OBJECT | st.sampled_from(["status", "pipelineExecutionId"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(OBJECT | st.sampled_from(["status", "name", "id", "results"]), HOSTILE, max_size=5),
    st.sampled_from([ExecutionDetails, ExecutionStep, ProjectSummary, ExecutionRequest]),
)
def test_no_data_names_the_type_that_is_built(data: dict[str, Any], kind: type[Any]) -> None:
    try:
        found = codec.structure(data, kind)
    except DecodeError:
        return
    built = [found]
    while built:
        one = built.pop()
        assert type(one).__module__.startswith(("maia_async.models", "datetime", "builtins")), type(one)
        if attrs.has(type(one)):
            built += attrs.asdict(one, recurse=False).values()
        elif isinstance(one, list | tuple):
            built += one


def test_the_converter_has_no_way_to_choose_a_type_by_the_data() -> None:
    source = (PACKAGE / "wire" / "codec.py").read_text(encoding="utf-8")
    assert not re.search("tagged_union|include_subclasses|importlib|pickle|eval", source)
    every = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert not re.search(r"\bpickle\.|\beval\(|\bexec\(|yaml\.(unsafe_load|full_load|Loader\b)|shell=True|os\.system", every)


# The emulator.


async def test_the_emulator_listens_on_loopback_and_says_so_when_told_otherwise() -> None:
    with listening() as ears:
        async with Emulator() as emulator:
            assert emulator.url.startswith("http://127.0.0.1:")
    assert "can reach" not in ears.text
    for host in ("0.0.0.0", "::", ""):
        with listening() as ears:
            try:
                async with Emulator(host=host):
                    pass
            except ConfigurationError:  # no IPv6 here
                continue
        assert "which others can reach; it checks no real credentials" in ears.text


# Secrets in files.


def secret_file(folder: Path, content: bytes = b"hush-hush-hush\n", mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"hush-hush-hush\n", 0o644, "mode 0644.*chmod 600"),
        (b"hush-hush-hush\n", 0o640, "mode 0640.*chmod 600"),
        (b"hush-hush-hush\n", 0o602, "mode 0602.*chmod 600"),
        (b"", 0o600, "nothing else, on one line"),
        (b"\n \n", 0o600, "nothing else, on one line"),
        (b"hush-hush-hush\nmore", 0o600, "nothing else, on one line"),
        (b"\xff\xfehush-hush-hush", 0o600, "nothing else, on one line"),
        (b"hush-hush-hush" * 6000, 0o600, "nothing else, on one line"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_file_that_others_can_use_or_that_holds_more_than_a_secret_is_refused(
    content: bytes, mode: int, words: str, tmp_path: Path
) -> None:
    path = secret_file(tmp_path, content, mode)
    with pytest.raises(ConfigurationError, match=f"MAIA_TOKEN_FILE: .*{words}") as caught:
        Maia.from_env({"MAIA_TOKEN_FILE": str(path)})
    assert "hush" not in told_by(caught.value, ours_only=True)


@pytest.mark.parametrize(
    ("path", "words"), [("/nowhere/at/all", "No such file"), ("/", "is not a file"), ("a\0b", "no file can be called so")]
)
def test_what_is_no_file_is_refused(path: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read_secret(path, name="MAIA_TOKEN_FILE")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigurationError, match="is not a file"):
        read_secret(str(tmp_path / "pipe"), name="MAIA_TOKEN_FILE")


@pytest.mark.parametrize("mode", [0o600, 0o400])
@pytest.mark.parametrize("content", [b"emulator", b"emulator\n", b"\xef\xbb\xbfemulator\r\n"])
async def test_a_secret_from_a_file_of_ones_own_works(content: bytes, mode: int, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(secret_file(tmp_path, content, mode))
    async with Emulator(Scenario(tokens={"emulator": "emulator"})) as emulator:
        where = {"MAIA_BASE_URL": emulator.base_url, "MAIA_TOKEN_URL": emulator.token_url}
        for kind in ({"MAIA_CLIENT_ID": "emulator", "MAIA_CLIENT_SECRET_FILE": str(link)}, {"MAIA_TOKEN_FILE": str(link)}):
            async with Maia.from_env({**where, **kind}) as maia:
                assert (await maia.projects.list()).items


@pytest.mark.parametrize("key", ["MAIA_TOKEN", "MAIA_CLIENT_SECRET"])
def test_a_secret_and_a_file_for_it_contradict_each_other(key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"both {key} and {key}_FILE are set"):
        Maia.from_env({"MAIA_CLIENT_ID": "id", key: "x", f"{key}_FILE": str(secret_file(tmp_path))})
