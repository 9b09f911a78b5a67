"""A run as a line of JSON: what goes in comes out, everything else is refused by name, and no value is repeated."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async import InvalidRequest
from maia_async.wire.reference import EARLIEST, LATEST, LONGEST, LONGEST_ID, LONGEST_NAME, Reference, read_reference, same_place

GOOD = {"maia": 1, "region": "eu1", "project": "p-1", "execution": "e-1"}
SECRET = "s3cr3t-of-somebody"

printable = st.characters(exclude_categories=["C", "Z"])
ids = st.text(printable, min_size=1, max_size=LONGEST_ID).filter(lambda text: text not in {".", ".."})
names = st.none() | st.text(min_size=1, max_size=LONGEST_NAME)
times = st.none() | st.datetimes(datetime(2000, 1, 2), datetime(2199, 12, 30), timezones=st.just(timezone(timedelta(hours=5))))  # noqa: DTZ001 - hypothesis adds the zone
addresses = st.sampled_from(["https://eu1.api.matillion.com/dpc", "https://us1.api.matillion.com/dpc", "https://proxy.example:8443/a/b"])


@given(base_url=addresses, project_id=ids, execution_id=ids, pipeline_name=names, environment_name=names, started_at=times)
def test_what_is_written_is_what_is_read(started_at: datetime | None, **fields: Any) -> None:
    reference = Reference(started_at=started_at, **fields)

    found = read_reference(str(reference))

    assert found == Reference(started_at=None if started_at is None else started_at.replace(microsecond=0), **fields)
    assert str(reference).isascii()
    assert "\n" not in str(reference)
    assert len(str(reference)) <= LONGEST
    assert str(found) == str(reference)


def test_a_region_is_named_and_any_other_address_written_out() -> None:
    assert json.loads(str(Reference(base_url="https://us1.api.matillion.com/dpc", project_id="p", execution_id="e"))) == {
        "maia": 1,
        "region": "us1",
        "project": "p",
        "execution": "e",
    }
    assert json.loads(str(Reference(base_url="http://127.0.0.1:8484/dpc", project_id="p", execution_id="e")))["base_url"] == (
        "http://127.0.0.1:8484/dpc"
    )


@pytest.mark.parametrize(
    "hints",
    [
        {"pipeline_name": ""},
        {"pipeline_name": "x" * (LONGEST_NAME + 1)},
        {"environment_name": "x" * (LONGEST_NAME + 1)},
        {"started_at": EARLIEST - timedelta(seconds=1)},
        {"started_at": LATEST},
        {"started_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - a time without a zone is what is meant
    ],
)
def test_a_hint_that_could_not_be_read_again_is_left_out(hints: dict[str, Any]) -> None:
    bare = Reference(base_url="https://eu1.api.matillion.com/dpc", project_id="p", execution_id="e")

    assert read_reference(str(Reference(base_url=bare.base_url, project_id="p", execution_id="e", **hints))) == bare


@pytest.mark.parametrize("bad", ["", ".", "..", "a\nb", "\x1b[2J", "\ud800", "x" * (LONGEST_ID + 1)])
@pytest.mark.parametrize("key", ["project_id", "execution_id"])
def test_an_id_that_could_not_be_read_again_is_refused_when_it_is_written(key: str, bad: str) -> None:
    with pytest.raises(InvalidRequest, match=key.removesuffix("_id")):
        str(Reference(**{"base_url": "https://eu1.api.matillion.com/dpc", "project_id": "p", "execution_id": "e", key: bad}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "must be text, is NoneType"),
        (b"{}", "must be text, is bytes"),
        (GOOD, "must be text, is dict"),
        ("x" * (LONGEST + 1), f"has {LONGEST + 1} characters"),
        ("", "is no JSON object"),
        (SECRET, "is no JSON object"),
        ('{"maia": 1,', "is no JSON object"),
        ("[1]", "is no JSON object"),
        ('"maia"', "is no JSON object"),
        ("[" * 20_000, "is no JSON object"),
        ("{}", "does not say its version"),
        (json.dumps({**GOOD, "maia": "1"}), "does not say its version"),
        (json.dumps({**GOOD, "maia": True}), "does not say its version"),
        (json.dumps({**GOOD, "maia": 0}), "does not say its version"),
        (json.dumps({**GOOD, "maia": 1.0}), "does not say its version"),
        ('{"maia": 2}', "is version 2, and this maia_async reads 1: update maia_async"),
    ],
)
def test_what_is_no_reference_is_refused_whole(text: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_reference(text)

    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    assert str(caught.value).startswith("invalid reference: 1 problem: ")


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"region": None}, "region", "must be one of eu1, us1, au1"),
        ({"region": "EU1"}, "region", "must be one of"),
        ({"region": SECRET}, "region", "must be one of"),
        ({"region": ["eu1"]}, "region", "must be one of"),
        ({"base_url": "https://x.example"}, "region", "and not both"),
        ({"region": ...}, "region", "must be given, or base_url"),
        ({"region": ..., "base_url": None}, "base_url", "must be an https URL"),
        ({"region": ..., "base_url": 5}, "base_url", "must be an https URL"),
        ({"region": ..., "base_url": []}, "base_url", "must be an https URL"),
        ({"region": ..., "base_url": "http://x.example"}, "base_url", "must be an https URL"),
        ({"region": ..., "base_url": f"https://user:{SECRET}@x.example"}, "base_url", "without user"),
        ({"region": ..., "base_url": f"https://x.example/?key={SECRET}"}, "base_url", "query"),
        *(
            ({key: value}, key, said)
            for key in ("project", "execution")
            for value, said in [
                (..., "must be text"),
                (None, "must be text"),
                (7, "must be text, is int"),
                ("", "must not be empty"),
                (".", "must not be empty, '.' or '..'"),
                ("..", "must not be empty, '.' or '..'"),
                ("\ud800", "no URL can carry"),
                ("a\r\nb", "cannot be printed"),
                ("\x1b[31m", "cannot be printed"),
                ("x" * 256, "at most 255"),
            ]
        ),
        ({"pipeline": 5}, "pipeline", "must be text, is int"),
        ({"pipeline": ""}, "pipeline", "must not be empty"),
        ({"environment": "x" * 501}, "environment", "nor longer than 500"),
        ({"environment": {}}, "environment", "must be text, is dict"),
        ({"started_at": 1}, "started_at", "must be a time with its zone"),
        ({"started_at": SECRET}, "started_at", "must be a time"),
        ({"started_at": "2026-11-22T07:00:00"}, "started_at", "with its zone"),
        ({"started_at": "1999-12-31T23:59:59Z"}, "started_at", "must be a time"),
        ({"started_at": "2200-01-01T00:00:00Z"}, "started_at", "must be a time"),
        ({"started_at": "0001-01-01T00:00:00+14:00"}, "started_at", "must be a time"),
    ],
)
def test_each_key_that_does_not_fit_is_named_and_no_value_is_shown(changes: dict[str, Any], key: str, said: str) -> None:
    text = json.dumps({name: value for name, value in {**GOOD, **changes}.items() if value is not ...})

    with pytest.raises(InvalidRequest) as caught:
        read_reference(text)

    (problem,) = caught.value.problems
    assert problem.field == key
    assert said in problem.message
    assert SECRET not in str(caught.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_reference('{"maia": 1, "pipeline": 1}')

    assert [problem.field for problem in caught.value.problems] == ["region", "project", "execution", "pipeline"]


@given(st.dictionaries(st.text(), st.none() | st.text() | st.integers() | st.lists(st.floats())))
def test_keys_of_the_same_version_that_nobody_knows_are_ignored(more: dict[str, Any]) -> None:
    known = {"base_url", "pipeline", "environment", "started_at", *GOOD}
    text = json.dumps({**{key: value for key, value in more.items() if key not in known}, **GOOD})

    assert read_reference(text) == Reference(base_url="https://eu1.api.matillion.com/dpc", project_id="p-1", execution_id="e-1")


def test_hints_that_are_null_are_missing() -> None:
    assert read_reference(json.dumps({**GOOD, "pipeline": None, "environment": None, "started_at": None})) == read_reference(
        json.dumps(GOOD)
    )


@given(st.text() | st.recursive(st.none() | st.booleans() | st.text() | st.floats(), st.lists).map(json.dumps))
def test_any_other_text_is_refused_with_the_same_error(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_reference(text)


@given(
    st.dictionaries(st.sampled_from([*GOOD, "base_url", "pipeline", "environment", "started_at"]), st.text() | st.integers() | st.none())
)
def test_a_changed_reference_is_read_or_refused_and_nothing_else(changes: dict[str, Any]) -> None:
    text = json.dumps({**GOOD, **changes})
    try:
        found = read_reference(text)
    except InvalidRequest:
        return
    assert read_reference(str(found)) == found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://eu1.api.matillion.com/dpc", "https://EU1.API.matillion.com:443/dpc", True),
        ("http://127.0.0.1/dpc", "http://127.0.0.1:80/dpc", True),
        ("https://eu1.api.matillion.com/dpc", "https://us1.api.matillion.com/dpc", False),
        ("https://x.example/dpc", "https://x.example/DPC", False),
        ("https://x.example/dpc", "https://x.example:8443/dpc", False),
        ("https://localhost/dpc", "http://localhost/dpc", False),
    ],
)
def test_addresses_are_the_same_in_any_spelling_of_the_host(one: str, other: str, same: bool) -> None:
    assert same_place(one, other) is same


def test_a_time_is_written_in_utc_to_the_second() -> None:
    moment = datetime(2026, 11, 22, 9, 0, 0, 999, tzinfo=timezone(timedelta(hours=2)))
    reference = Reference(base_url="https://eu1.api.matillion.com/dpc", project_id="p", execution_id="e", started_at=moment)

    assert json.loads(str(reference))["started_at"] == "2026-11-22T07:00:00Z"
    assert read_reference(str(reference)).started_at == datetime(2026, 11, 22, 7, tzinfo=UTC)
