"""How a listed name relates to the one asked for: one case for each line of the table, and what holds for any names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.orchestration.trigger.spelling import Spelling, place_of, spelling_of

SAME, OTHER_SPELLING, OTHER = Spelling

TABLE = [
    ("load", "load", SAME),
    ("load", "Load", OTHER_SPELLING),
    ("load", " load ", OTHER_SPELLING),
    ("caf\u00e9", "cafe\u0301", OTHER_SPELLING),
    ("load", "load.orch.yaml", OTHER_SPELLING),
    ("load", "LOAD.ORCH.YAML", OTHER_SPELLING),
    ("load.tran.yaml", "load", OTHER_SPELLING),
    ("load", "load.yml", OTHER_SPELLING),
    ("load", "load.orch", OTHER_SPELLING),
    ("load.orch", "load.orch.yaml", OTHER_SPELLING),
    ("load", "daily/load.orch.yaml", OTHER_SPELLING),
    ("daily/load.orch.yaml", "load", OTHER_SPELLING),
    ("daily/load", "/a/daily/load", OTHER_SPELLING),
    ("./load", "load", OTHER_SPELLING),
    ("daily\\load", "daily/load", OTHER_SPELLING),
    ("load", None, OTHER_SPELLING),
    ("load", "", OTHER_SPELLING),
    ("a/load", "b/load", OTHER),
    ("load.orch.yaml", "load.tran.yaml", OTHER),
    ("load", "reload", OTHER),
    ("load", "load 2", OTHER),
    ("load", "load.v2", OTHER),
    ("takes 1", "takes 10", OTHER),
]


@pytest.mark.parametrize(("asked", "listed", "relation"), TABLE)
def test_each_line_of_the_table(asked: str, listed: str | None, relation: Spelling) -> None:
    assert spelling_of(listed, asked) is relation


def test_a_spelling_that_a_run_of_ours_showed_is_the_same() -> None:
    assert spelling_of("daily/load.orch.yaml", "load", {"daily/load.orch.yaml"}) is SAME
    assert spelling_of("weekly/load.orch.yaml", "load", {"daily/load.orch.yaml"}) is OTHER_SPELLING


@pytest.mark.parametrize(
    ("listed", "relation"), [("Dev", SAME), (None, SAME), ("dev", OTHER_SPELLING), ("Dev 2", OTHER), ("a/Dev", OTHER), ("Dev.yaml", OTHER)]
)
def test_an_environment_has_neither_folders_nor_an_extension(listed: str | None, relation: Spelling) -> None:
    assert place_of(listed, "Dev") is relation


NAMES = st.text(st.sampled_from("aB/.\\ \u00e9") | st.characters(), min_size=1) | st.sampled_from(
    ["", "load.orch.yaml", "a/load", "/", "."]
)


@given(NAMES, NAMES)
def test_any_two_names_are_related_the_same_both_ways(one: str, other: str) -> None:
    if one and other:
        assert spelling_of(one, other) is spelling_of(other, one)


@given(NAMES)
def test_any_name_is_itself_and_its_own_path(name: str) -> None:
    assert spelling_of(name, name) is SAME
    if name.strip().strip("/\\."):
        assert spelling_of(f"folder/{name}", name) is not OTHER
