"""Throws mutated answers at everything that reads an answer, for so many seconds: each returns a value or refuses with an error of ours.

    python benchmarks/fuzz.py --seconds 60 --seed 0

It starts from good answers and breaks them: bytes flipped, cut, doubled, spliced; values replaced by others of the wrong kind, size or
depth. An exception of any other kind, a value of a type that is not ours, or a reading that takes more than a second of CPU is printed
with its input, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import attrs

from maia_async.auth import read_token
from maia_async.errors import DecodeError, InvalidRequest
from maia_async.models import Environment, ExecutionDetails, ExecutionStep, ProjectSummary, PublishedPipeline
from maia_async.models.streaming import StreamingPipelineDefinition
from maia_async.wire import codec, streaming
from maia_async.wire.answers import error_of
from maia_async.wire.problem import first_line, read_problem
from maia_async.wire.reference import read_reference
from maia_async.wire.requests import Reply
from maia_async.wire.retry_after import parse_retry_after

RUN = {
    "pipelineExecutionId": "1398aa31-af57-4a6a-9752-27c2e8556c3f",
    "projectId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "pipelineName": "Pipeline 1",
    "environmentName": "Dev Environment",
    "status": "SUCCESS",
    "startedAt": "2026-11-22T07:00:00.123Z",
    "finishedAt": 1_795_000_000_000,
    "message": None,
    "trigger": "API",
    "childPipelines": [{"pipelineExecutionId": "x", "status": "RUNNING"}],
}
STEP = {"id": "1", "name": "Start", "result": {"status": "SUCCESS", "startedAt": "2026-11-22T07:00:00Z"}, "childPipeline": {"id": "2"}}
STREAM = {
    "name": "orders",
    "agentId": "3fa85f64-5717-4562-b3fc-2c963f66afaf",
    "source": {"type": "postgres", "connection": {"host": "h", "port": 5432, "database": "d"}, "tables": [{"schema": "s", "table": "t"}]},
    "target": {"type": "snowflake", "connection": {"accountName": "a"}, "warehouse": "w"},
    "advancedProperties": {"a": "b"},
}
PROBLEM = {"title": "Bad", "detail": "no", "status": 400, "violations": ["a"], "validation-errors": [{"field": "a.b", "message": "c"}]}
GOOD = [
    RUN,
    {"result": RUN},
    {"results": [RUN, RUN], "page": 0, "size": 100, "total": 2, "more": "token"},
    {"steps": [STEP]},
    [{"id": "1", "name": "p"}],
    STREAM,
    {"results": [STREAM]},
    PROBLEM,
    {"access_token": "abc", "expires_in": 1800, "token_type": "Bearer"},
    {"status": "STREAMING"},
    "RUNNING",
    {"maia": 1, "region": "eu1", "project": "p", "execution": "e", "pipeline": "a", "started_at": "2026-11-22T07:00:00Z"},
]
PAGE = b"<html><head><title>Sign in</title></head><body>please</body></html>"
PLAIN = (str, int, float, bool, type(None), datetime)

Reader = Callable[[bytes], Any]


def _parsed(read: Callable[[Any], Any]) -> Reader:
    return lambda body: read(codec.parse_json(body))


def _header(body: bytes) -> str:
    return body.decode("latin-1").replace("\r", " ").replace("\n", " ")


READERS: dict[str, Reader] = {
    "parse_json": codec.parse_json,
    "details": _parsed(lambda data: codec.details(data, project_id="p", execution_id=None)),
    "details, salvaged": _parsed(lambda data: codec.details(data, salvage=True)),
    "peek": _parsed(codec.peek),
    "status_only": _parsed(codec.status_only),
    "started_id": _parsed(codec.started_id),
    "start_of": _parsed(codec.start_of),
    "raw_rows": _parsed(codec.raw_rows),
    **{
        f"page of {kind.__name__}": _parsed(lambda data, kind=kind: codec.page(data, kind))
        for kind in (ExecutionDetails, ExecutionStep, ProjectSummary, PublishedPipeline, Environment, StreamingPipelineDefinition)
    },
    "decode_request": _parsed(codec.decode_request),
    "streaming state": _parsed(streaming.read_state),
    "streaming definition": _parsed(streaming.read_definition),
    "definition from text": lambda body: StreamingPipelineDefinition.from_json(body.decode("utf-8", "surrogateescape")),
    "token": _parsed(read_token),
    "problem": read_problem,
    "error": lambda body: str(
        error_of(Reply(status=400, headers={"retry-after": _header(body[:40])}, body=body), method="GET", path="/v1/x")
    ),
    "first_line": first_line,
    "reference": lambda body: read_reference(body.decode("utf-8", "surrogateescape")),
    "retry_after": lambda body: parse_retry_after(_header(body), _header(body[::-1])),
}


def mutated(rng: random.Random) -> bytes:
    """A broken answer."""
    if rng.random() < 0.03:
        body = PAGE
    else:
        data = json.loads(json.dumps(rng.choice(GOOD)))
        if isinstance(data, dict) and "results" in data:
            data["results"] *= rng.choice((0, 1, 1, 50))
        for _ in range(rng.randrange(4)):
            data = _changed(data, rng)
        body = json.dumps(data, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        body = _bent(body, rng)
    return body


def _changed(data: Any, rng: random.Random) -> Any:
    """One value somewhere in it replaced, dropped, doubled or renamed."""
    if isinstance(data, dict) and data and rng.random() < 0.85:
        key = rng.choice(list(data))
        what = rng.random()
        if what < 0.1:
            del data[key]
        elif what < 0.2:
            data[_odd(rng) if rng.random() < 0.5 else key.upper()] = data.pop(key)
        else:
            data[key] = _changed(data[key], rng)
        return data
    if isinstance(data, list) and data and rng.random() < 0.85:
        place = rng.randrange(len(data))
        data[place] = _changed(data[place], rng)
        return data
    return _value(rng)


def _value(rng: random.Random) -> Any:
    deep: Any = 0
    for _ in range(rng.choice((3, 60, 250))):  # what json.dumps can write; `_bent` nests text further
        deep = [deep] if rng.random() < 0.5 else {"result": deep}
    options = [
        None,
        True,
        -1,
        0,
        1e308,
        -1e-308,
        10**30,
        253402300800,
        -62135596801,
        "",
        " ",
        _odd(rng),
        {},
        [],
        [None],
        {"status": {}},
        deep,
    ]
    return rng.choice(options)


def _odd(rng: random.Random) -> str:
    odd = (
        "\x00",
        "\ud800",
        "\u2028",
        "é",
        "\U0001d518",
        "\x1b[2J",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59.999999+14:00",
        "-5",
        "NaN",
        "٣",
        "x" * 5000,
    )
    return "".join(rng.choice(odd) for _ in range(rng.randrange(1, 4)))


def _bent(body: bytes, rng: random.Random) -> bytes:
    """Its bytes damaged."""
    place = rng.randrange(len(body) + 1)
    other = rng.randrange(len(body) + 1)
    how = rng.randrange(8)
    if how == 0 and body:
        return body[:place] + bytes([rng.randrange(256)]) + body[place + 1 :]
    if how == 1:
        return body[:place]
    if how == 2:
        return body[:place] + body[min(place, other) : max(place, other)] + body[place:]
    if how == 3:
        return (
            body[:place] + rng.choice((b"NaN", b"-Infinity", b"1e400", b"9" * 5000, b"\xff\xfe", b"\\ud800", b"//", b"\x00")) + body[place:]
        )
    if how == 4:
        nested = rng.choice((b"[", b'{"result":', b'{"a":['))
        return body[:place] + nested * rng.choice((2, 1000, 100_000)) + body[place:]
    if how == 5:
        return b"\xef\xbb\xbf" + body
    if how == 6:
        return rng.randbytes(rng.randrange(64))
    return body.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-8", "utf-7")), "replace")


def strangers(value: Any) -> Iterator[type]:
    """The types in a value that are neither JSON's, nor ours, nor times."""
    found = [value]
    while found:
        one = found.pop()
        if attrs.has(type(one)):
            found += attrs.asdict(one, recurse=False).values()
        elif isinstance(one, dict):
            found += one.values()
        elif isinstance(one, list | tuple):
            found += one
        elif not isinstance(one, PLAIN) and not type(one).__module__.startswith("maia_async."):
            yield type(one)


def attempt(name: str, body: bytes) -> str | None:
    """What is wrong with how this reader takes this body, or None."""
    began = time.process_time()  # a busy machine is no failure
    try:
        found = READERS[name](body)
        odd = list(strangers(found))
    except (DecodeError, InvalidRequest) as error:
        odd = []
        if not str(error).isprintable() or len(str(error)) > 50_000:
            return f"{name}: the text of the error is no line: {str(error)[:300]!r}"
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        return f"{name}: {type(error).__name__}: {str(error)[:300]}"
    took = time.process_time() - began
    if took > 1:
        return f"{name}: took {took:.1f} s"
    return f"{name}: built {odd}" if odd else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    end = time.perf_counter() + options.seconds
    tried, wrong = 0, dict[str, bytes]()
    while time.perf_counter() < end and len(wrong) < 20:
        body = mutated(rng)
        for name in READERS:
            said = attempt(name, body)
            tried += 1
            if said is not None:
                wrong.setdefault(said[:80], body)
                print(said, repr(body[:400]), f"({len(body)} bytes)", sep="\n  ")
    print(f"{tried} readings with seed {options.seed}, {len(wrong)} kinds of failure")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
