"""Whatever bytes an answer is, a reader gives a value of ours or refuses with an error of ours. `benchmarks/fuzz.py` tries longer."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.wire import codec

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def fuzz() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    yield import_module("fuzz")
    sys.path.remove(str(BENCHMARKS))
    sys.modules.pop("fuzz", None)


@pytest.fixture(params=["json", "orjson"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The answer is parsed by the standard library, or by the one of the extra `speed`."""
    monkeypatch.setattr(codec, "orjson", None if request.param == "json" else pytest.importorskip("orjson"))
    return str(request.param)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["status", "result", "results", "more", "name", "x"]), inner)
    ),
    max_leaves=15,
)


@given(st.binary(max_size=200) | JSON.map(lambda data: repr(data).replace("'", '"').encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused(fuzz: ModuleType, library: str, body: bytes) -> None:
    assert [said for name in fuzz.READERS if (said := fuzz.attempt(name, body))] == []


@pytest.mark.parametrize("seed", range(10))
def test_broken_answers_are_read_or_refused(fuzz: ModuleType, library: str, seed: int) -> None:
    rng = random.Random(seed)
    bodies = [fuzz.mutated(rng) for _ in range(60)]
    assert [said for body in bodies for name in fuzz.READERS if (said := fuzz.attempt(name, body))] == []


@pytest.mark.long
def test_very_many_broken_answers_are_read_or_refused(fuzz: ModuleType, library: str) -> None:
    rng = random.Random()
    for _ in range(5000):
        body = fuzz.mutated(rng)
        assert [said for name in fuzz.READERS if (said := fuzz.attempt(name, body))] == [], body


def test_the_check_finds_what_it_is_for(fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(body: bytes) -> Any:
        return {b"1": object(), b"2": [Path()]}.get(body) or body.decode("ascii")

    monkeypatch.setitem(fuzz.READERS, "broken", broken)
    assert fuzz.attempt("broken", b"fine") is None
    assert "object" in fuzz.attempt("broken", b"1")
    assert "Path" in fuzz.attempt("broken", b"2")
    assert "UnicodeDecodeError" in fuzz.attempt("broken", b"\xff")
