"""Text from outside cannot reach the terminal as anything but text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.cli.escapes import json_text, shown


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("load.orch.yaml", "load.orch.yaml"),
        ("Tägliche Ladung 日本 🚀", "Tägliche Ladung 日本 🚀"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eabc", "\\u202eabc"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("[red]x[/red]", "[red]x[/red]"),
    ],
)
def test_what_is_not_printable_is_shown_as_an_escape(text: str, safe: str) -> None:
    assert shown(text) == safe


def test_a_long_text_is_cut_and_says_so() -> None:
    assert shown("x" * 50, longest=10) == "x" * 10 + "… (50 characters)"
    assert shown("x" * 10, longest=10) == "x" * 10


@given(st.text())
def test_shown_is_always_one_printable_line(text: str) -> None:
    assert shown(text).isprintable()


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_safe_json_means_the_same(value: object) -> None:
    text = json_text(value, indent=2)

    assert json.loads(text) == value
    assert all(line.isprintable() for line in text.split("\n"))
