"""Definitions of streaming pipelines: what a file, a text or the API says comes back key for key, and what is no definition is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async import (
    AbsTarget,
    Authentication,
    ConfigurationError,
    Db2ForISource,
    InvalidRequest,
    MySqlSource,
    OracleSource,
    OtherSource,
    OtherTarget,
    PostgresSource,
    S3Target,
    SecretReference,
    SecretType,
    SnowflakeConnection,
    SnowflakeTarget,
    SourceConnection,
    SqlServerSource,
    StreamingPipelineDefinition,
    Table,
)
from maia_async.models.streaming import definition_problems

SAMPLE: Final = Path(__file__).parents[1] / "samples" / "streaming-pipeline.json"
GUIDE: Final[dict[str, Any]] = json.loads(SAMPLE.read_text(encoding="utf-8"))
SECRET: Final = {"secretType": "AWS_SECRETS_MANAGER", "secretName": "n", "secretKey": "k"}
SOURCES: Final = {
    "sqlserver": SqlServerSource,
    "postgres": PostgresSource,
    "mysql": MySqlSource,
    "oracle": OracleSource,
    "db2ibmi": Db2ForISource,
}
TARGETS: Final = {"snowflake": SnowflakeTarget, "s3": S3Target, "abs": AbsTarget}


def built() -> StreamingPipelineDefinition:
    """The guide's pipeline as a program would build it."""

    def vault(name: str) -> SecretReference:
        return SecretReference(secret_type=SecretType.AZURE_KEY_VAULT, secret_location="streaming-key-vault", secret_name=name)

    login = Authentication(
        type="key-pair", private_key=vault("snowflake-private-key"), passphrase=vault("snowflake-private-key-passphrase")
    )
    return StreamingPipelineDefinition(
        name="my-streaming-pipeline",
        agent_id="2734aa6f-0c64-4d2b-9406-f44dc8f1f3b6",
        streaming_source=SqlServerSource(
            connection=SourceConnection(
                host="sqlserver.my-org.com",
                port=1433,
                database="my_database",
                username="sa",
                password=vault("sqlserver-password"),
                jdbc_properties={"lockTimeout": 60},
            ),
            tables=(Table(schema="my_schema", table="my_first_table"), Table(schema="my_schema", table="my_second_table")),
        ),
        streaming_target=SnowflakeTarget(
            connection=SnowflakeConnection(
                account_name="my-snowflake-account.eu-central-1",
                username="STREAMING_USER",
                authentication=login,
                jdbc_properties={"networkTimeout": 60},
            ),
            role="STREAMING_ROLE",
            warehouse="STREAMING_WH",
            database="STREAMING_DB",
            stage_schema="STREAMING_SCHEMA",
            stage_name="STREAMING_STAGE",
            stage_prefix="MY_STREAMING_PIPELINE",
            table_schema="STREAMING_SCHEMA",
            table_prefix_type="PREFIX",
            transformation_type="CHANGE_LOG",
            temporal_mapping="NATIVE",
        ),
        advanced_properties={"max.batch.size": "40000"},
    )


def test_the_guides_body_loads_and_goes_out_key_for_key() -> None:
    definition = StreamingPipelineDefinition.from_file(SAMPLE)

    assert definition.to_dict() == GUIDE
    assert json.loads(definition.to_json()) == GUIDE
    assert StreamingPipelineDefinition.from_json(definition.to_json(indent=None)) == definition
    assert definition_problems(definition) == ()


def test_what_a_program_builds_is_what_the_guide_prints() -> None:
    assert built() == StreamingPipelineDefinition.from_dict(GUIDE)
    assert built().to_dict() == GUIDE


def test_every_value_of_the_guide_has_its_typed_field() -> None:
    """Nothing of it ends in `extra`, where it would survive unseen."""

    def extras(value: Any) -> list[str]:
        if isinstance(value, tuple):
            return [key for item in value for key in extras(item)]
        if not attrs.has(type(value)):
            return []
        return [*value.extra, *(key for field in attrs.fields(type(value)) for key in extras(getattr(value, field.name)))]

    assert extras(StreamingPipelineDefinition.from_dict(GUIDE)) == []


def test_the_apis_own_ids_are_read_and_neither_sent_nor_compared() -> None:
    told = StreamingPipelineDefinition.from_dict({**GUIDE, "streamingPipelineId": "s", "projectId": "p"})

    assert (told.streaming_pipeline_id, told.project_id) == ("s", "p")
    assert told.to_dict() == GUIDE
    assert told == built()
    assert attrs.evolve(told, name="other") != built()


@pytest.mark.parametrize("kind", SOURCES)
def test_every_known_source_comes_back_with_its_unknown_keys(kind: str) -> None:
    connection = {
        "host": "h",
        "port": 1,
        "database": "d",
        "pdb": "p",
        "username": "u",
        "password": {**SECRET, "key": "terraform"},
        "jdbcProperties": {"a": {"b": [1, None]}},
        "sslMode": "REQUIRE",
    }
    table = {"schema": "s", "table": "t", "columns": ["a"]}
    source = {"type": kind, "connection": connection, "tables": [table], "mode": "EXPERT"}

    definition = StreamingPipelineDefinition.from_dict({**GUIDE, "streamingSource": source})

    found = definition.streaming_source
    assert isinstance(found, SOURCES[kind])
    assert (found.connection.port, found.connection.password.secret_key) == (1, "k")
    assert found.tables[0].table == "t"
    assert definition.to_dict()["streamingSource"] == source
    assert definition_problems(definition) == ()


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("snowflake", {**GUIDE["streamingTarget"], "tablePrefixType": "FUTURE", "temporalMapping": "epoch", "extraKey": [1]}),
        ("s3", {"type": "s3", "bucket": "b", "prefix": "p", "decimalMapping": "LOGICAL", "region": "eu"}),
        ("abs", {"type": "abs", "container": "c", "prefix": "p", "accountName": "a", "accountKey": SECRET, "decimalMapping": "NEW"}),
    ],
)
def test_every_known_target_comes_back_with_its_unknown_keys_and_words(kind: str, target: dict[str, Any]) -> None:
    definition = StreamingPipelineDefinition.from_dict({**GUIDE, "streamingTarget": target})

    assert isinstance(definition.streaming_target, TARGETS[kind])
    assert definition.to_dict()["streamingTarget"] == target
    assert definition_problems(definition) == ()


@pytest.mark.parametrize("word", [*SecretType.__members__, "HASHICORP_VAULT"])
def test_secret_managers_are_an_open_enum(word: str) -> None:
    body = {**GUIDE, "streamingTarget": {"type": "abs", "container": "c", "accountName": "a", "accountKey": {**SECRET, "secretType": word}}}

    definition = StreamingPipelineDefinition.from_dict(body)

    assert definition.streaming_target.account_key.secret_type == word  # type: ignore[union-attr]  # the types are asserted elsewhere
    assert definition.to_dict() == body
    assert SecretReference(secret_type="azure_key_vault").secret_type is SecretType.AZURE_KEY_VAULT  # type: ignore[arg-type]  # a text will do


def test_types_of_tomorrow_keep_all_their_keys() -> None:
    body = {
        **GUIDE,
        "streamingSource": {"type": "mongo", "uri": "x", "deep": {"a": [None]}},
        "streamingTarget": {"type": "kafka", "tables": 1},
    }

    definition = StreamingPipelineDefinition.from_dict(body)

    assert definition.streaming_source == OtherSource(type="mongo", extra={"uri": "x", "deep": {"a": [None]}})
    assert definition.streaming_target == OtherTarget(type="kafka", extra={"tables": 1})
    assert definition.to_dict() == body
    assert definition_problems(definition) == ()


def test_a_type_in_other_letters_is_known_and_keeps_them() -> None:
    body = {**GUIDE, "streamingSource": {**GUIDE["streamingSource"], "type": "SQLServer"}}

    definition = StreamingPipelineDefinition.from_dict(body)

    assert isinstance(definition.streaming_source, SqlServerSource)
    assert definition.to_dict() == body


def test_null_is_the_same_as_missing_and_unknown_nulls_stay() -> None:
    source = {**GUIDE["streamingSource"], "future": None}
    body = {**GUIDE, "advancedProperties": None, "projectId": None, "unknown": None, "streamingSource": source}

    definition = StreamingPipelineDefinition.from_dict(body)

    assert definition.advanced_properties is None
    assert definition.to_dict() == {key: value for key, value in body.items() if key not in {"advancedProperties", "projectId"}}


def test_a_field_that_is_set_wins_over_what_was_read_under_its_key() -> None:
    for tables in (None, [], "all"):
        source = StreamingPipelineDefinition.from_dict(
            {**GUIDE, "streamingSource": {**GUIDE["streamingSource"], "tables": tables}}
        ).streaming_source
        assert isinstance(source, SqlServerSource)
        assert source.tables == ()
        changed = attrs.evolve(source, tables=(Table(schema="s", table="t"),))
        assert attrs.evolve(built(), streaming_source=changed).to_dict()["streamingSource"]["tables"] == [{"schema": "s", "table": "t"}]


WORDS: Final = st.text(max_size=8)
SCALARS: Final = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
JSON: Final = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6)


def objects(unknown: bool = True, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of the fields, and keys that nobody knows."""
    known = st.fixed_dictionaries({}, optional=fields)
    if not unknown:
        return known
    return st.tuples(st.dictionaries(WORDS.filter(lambda key: key not in fields), JSON, max_size=2), known).map(
        lambda pair: {**pair[0], **pair[1]}
    )


NUMBERS: Final = st.integers(-5, 70_000) | WORDS
REFERENCES: Final = objects(
    secretType=st.sampled_from([*SecretType.__members__, "X"]), secretName=WORDS, secretLocation=WORDS, secretKey=WORDS, key=WORDS
)
MAPS: Final = st.dictionaries(WORDS, JSON, max_size=3)
CONNECTIONS: Final = objects(host=WORDS, port=NUMBERS, database=WORDS, pdb=WORDS, username=WORDS, password=REFERENCES, jdbcProperties=MAPS)
TABLES: Final = st.lists(objects(schema=WORDS, table=WORDS), max_size=3)
LOGINS: Final = objects(type=WORDS, privateKey=REFERENCES, passphrase=REFERENCES)
KNOWN_SOURCES: Final = objects(type=st.sampled_from([*SOURCES, "Oracle", "future"]), connection=CONNECTIONS, tables=TABLES)
KNOWN_TARGETS: Final = objects(
    type=st.sampled_from([*TARGETS, "S3", "future"]),
    connection=objects(accountName=WORDS, username=WORDS, authentication=LOGINS, jdbcProperties=MAPS),
    bucket=WORDS,
    container=WORDS,
    accountKey=REFERENCES,
    role=WORDS,
    tablePrefixType=WORDS,
)
DEFINITIONS: Final = objects(
    name=WORDS, agentId=WORDS, streamingSource=KNOWN_SOURCES, streamingTarget=KNOWN_TARGETS, advancedProperties=MAPS
)


@given(DEFINITIONS)
def test_any_object_that_looks_like_a_definition_survives(body: dict[str, Any]) -> None:
    definition = StreamingPipelineDefinition.from_dict(body)

    assert definition.to_dict() == body
    again = StreamingPipelineDefinition.from_json(definition.to_json())
    assert again == definition
    assert again.to_dict() == body
    assert isinstance(repr(definition), str)
    paths = [problem.field for problem in definition_problems(definition)]
    assert len(paths) == len(set(paths))


@given(JSON | st.dictionaries(st.sampled_from([*GUIDE, "streamingPipelineId", "x"]), JSON))
def test_no_json_at_all_crashes_the_reader_or_the_check(value: Any) -> None:
    try:
        definition = StreamingPipelineDefinition.from_dict(value)
    except InvalidRequest:
        assert not isinstance(value, dict)
        return
    assert definition_problems(definition)  # nothing of this kind can be sent
    assert isinstance(repr(definition), str)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not valid JSON at line 1, column 1"),
        ('{"name": "a",\n "agentId": hunter2}', "is not valid JSON at line 2, column 13"),
        ("[1]", "must be an object, is an array"),
        ('"hunter2"', "must be an object, is text"),
        ("null", "must be an object, is null"),
        ("5", "must be an object, is a number"),
        (b"\xff\xfe\xfd", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
    ],
)
def test_text_that_is_no_definition_is_refused_without_repeating_it(text: str | bytes, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        StreamingPipelineDefinition.from_json(text)

    assert str(caught.value) == f"invalid streaming pipeline definition: 1 problem: {said}"
    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert caught.value.__context__ is None  # a decoder's error would hold the text


@pytest.mark.parametrize("ending", [".yaml", ".yml", ".YAML"])
def test_yaml_says_the_same_as_json(tmp_path: Path, ending: str) -> None:
    import yaml

    path = tmp_path / f"pipeline{ending}"
    path.write_text(yaml.safe_dump(GUIDE), encoding="utf-8")

    assert StreamingPipelineDefinition.from_file(path) == built()
    assert StreamingPipelineDefinition.from_file(str(path)).to_dict() == GUIDE


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.json"
    path.write_bytes(b"\xef\xbb\xbf" + SAMPLE.read_bytes())
    assert StreamingPipelineDefinition.from_file(path) == built()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "{\n\n", "is not valid JSON at line 3, column 1"),
        ("a.yaml", "name: a\nother: [hunter2\n", "is not valid YAML at line 3"),
        ("a.yaml", "name: 2026-13-45", "is not valid YAML"),
        ("a.yaml", "name: \x01", "is not valid YAML"),
        ("a.yaml", "[" * 1500, "is not valid YAML"),
        ("a.yaml", "", "must be an object, is null"),
        ("a.yaml", "- hunter2", "must be an object, is an array"),
        ("a.yaml", "!!python/object/apply:os.getcwd []", "is not valid YAML at line 1"),
    ],
)
def test_a_file_that_holds_no_definition_is_named_with_the_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")

    with pytest.raises(InvalidRequest) as caught:
        StreamingPipelineDefinition.from_file(path)
    assert str(caught.value) == f"invalid streaming pipeline definition in {path}: 1 problem: {said}"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path, "No such file or directory"),
        (lambda path: path.parent, "Is a directory"),
        (lambda path: path.parent / "a\0b", "no file can be called so"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, make: Any, said: str) -> None:
    path = make(tmp_path / "none.json")
    with pytest.raises(ConfigurationError) as caught:
        StreamingPipelineDefinition.from_file(path)
    assert str(caught.value) == f"cannot read {path}: {said}".replace("\0", "\\x00")


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "noending"])
def test_a_binary_file_is_refused_and_nothing_of_it_hangs_on_the_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x89PNG\r\n\xff")
    with pytest.raises(ConfigurationError, match="it is not UTF-8 text") as caught:
        StreamingPipelineDefinition.from_file(path)
    assert caught.value.__context__ is None


def test_without_a_yaml_reader_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("{}", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'maia-async\[cli\]'"):
        StreamingPipelineDefinition.from_file(path)
    assert StreamingPipelineDefinition.from_file(SAMPLE) == built()
