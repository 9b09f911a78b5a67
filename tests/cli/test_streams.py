"""Which pipelines the words of a command line mean, what a file holds, and a definition as data."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from maia_async import ConfigurationError, MisuseError, NotFound, StreamingPipelineDefinition
from maia_async.cli.data import Data
from maia_async.cli.environment import Environment
from maia_async.cli.exits import UsageProblem
from maia_async.cli.streams import is_id, meant, read_definition
from maia_async.cli.streamshow import document_of, write_definition, write_definitions

ONE, TWO, THREE = (f"{digit}0000000-0000-4000-8000-00000000000a" for digit in "123")
NAMES = {ONE: "orders", TWO: "customers", THREE: "customers"}
SECRET = {"secretType": "AWS_SECRETS_MANAGER", "secretName": "s"}


@pytest.mark.parametrize(
    ("word", "fits"),
    [
        (ONE, True),
        (ONE.upper(), True),
        ("orders", False),
        ("", False),
        ("..", False),
        (ONE.replace("-", ""), False),  # UUID() would take it; the API prints none so, and it may be a name
        (f"{{{ONE}}}", False),
    ],
)
def test_an_id_is_a_uuid_as_the_api_writes_it(word: str, fits: bool) -> None:
    assert is_id(word) is fits


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ([ONE], [ONE]),
        ([ONE.upper()], [ONE]),
        (["orders"], [ONE]),
        ([TWO, "orders"], [TWO, ONE]),
        (["orders", ONE, "orders"], [ONE]),
    ],
)
def test_each_pipeline_is_meant_once_in_the_order_of_the_words(words: list[str], ids: list[str]) -> None:
    assert meant(words, NAMES, "P") == ids


def test_all_that_is_missing_is_named_at_once() -> None:
    unknown = "90000000-0000-4000-8000-00000000000a"

    with pytest.raises(NotFound) as caught:
        meant(["Orders", "orders", unknown], NAMES, "P")

    assert "'Orders'" in str(caught.value)
    assert unknown in str(caught.value)
    assert "'orders'" not in str(caught.value)


def test_a_name_of_several_is_refused_with_their_ids() -> None:
    with pytest.raises(MisuseError, match=f"{TWO}, {THREE}"):
        meant(["customers"], NAMES, "P")


def test_an_id_is_never_read_as_a_name() -> None:
    names = {ONE: TWO, TWO: "orders"}

    assert meant([TWO], names, "P") == [TWO]


def document(**changes: Any) -> dict[str, Any]:
    connection = {"host": "db", "port": 1433, "database": "shop", "username": "sa", "password": SECRET}
    source = {"type": "sqlserver", "connection": connection, "tables": [{"schema": "dbo", "table": "orders"}]}
    return {"name": "orders", "agentId": ONE, "streamingSource": source, "streamingTarget": {"type": "s3", "bucket": "b"}, **changes}


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_file_holds_a_definition(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"d.{suffix}"
    file.write_text(json.dumps(document()))

    assert read_definition(str(file)).to_dict() == document()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("d.json", b"{", "is not valid JSON at line 1"),
        ("d.json", b"[]", "must be an object"),
        ("d.yaml", b"a: [", "is not valid YAML"),
    ],
)
def test_a_file_that_holds_none_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(UsageProblem) as caught:
        read_definition(str(file))

    assert str(file) in caught.value.lines[0]
    assert said in " ".join(caught.value.lines)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.json"):
        read_definition("nowhere.json")


def data() -> tuple[Data, io.StringIO]:
    out = io.StringIO()
    return Data(Environment(stdout=out, stderr=io.StringIO())), out


def test_whatever_an_api_sends_can_be_shown() -> None:
    """A text in the place of a secret is masked, keys and types that nobody knows stay, holes are no crash."""
    strange = document(
        streamingSource={"type": "mongodb", "uri": "x", "tables": [{"schema": "a"}]},
        streamingTarget={"type": "abs", "accountKey": "hunter2", "container": "c", "colour": ["red", None]},
        agentId=None,
        owner={"team": 7},
    )
    definition = StreamingPipelineDefinition.from_dict(strange)
    shown, out = data()

    write_definition(shown, definition, ONE, "P", "json")
    write_definition(shown, definition, ONE, "P", "table")
    write_definitions(shown, [definition, StreamingPipelineDefinition()], "table")
    write_definition(shown, StreamingPipelineDefinition(), ONE, "P", "table")

    assert "hunter2" not in out.getvalue()
    as_sent = document_of(definition)
    assert as_sent["streamingTarget"]["colour"] == ["red", None]
    assert as_sent["streamingTarget"]["accountKey"] != "hunter2"
    assert as_sent["streamingSource"] == {"type": "mongodb", "uri": "x", "tables": [{"schema": "a"}]}
    assert as_sent["owner"] == {"team": 7}


def test_the_json_is_a_file_that_comes_back_equal(tmp_path: Path) -> None:
    definition = StreamingPipelineDefinition.from_dict(document(advancedProperties={"max.batch": 5}))
    shown, out = data()
    write_definition(shown, definition, ONE, "P", "json")
    file = tmp_path / "d.json"
    file.write_text(out.getvalue())

    assert read_definition(str(file)) == definition


def test_the_fields_say_where_from_and_where_to() -> None:
    shown, out = data()

    write_definition(shown, StreamingPipelineDefinition.from_dict(document()), ONE, "P", "table")

    assert "sqlserver db:1433/shop as sa" in out.getvalue()
    assert "dbo.orders" in out.getvalue()
    assert "s3 b" in out.getvalue()
