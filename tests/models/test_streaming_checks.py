"""The check of a definition: every row of its table with the exact path, all at once, and no plain secret shown anywhere."""

from __future__ import annotations

import copy
import datetime as dt
import json
import pickle
import traceback
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from maia_async import Authentication, InvalidRequest, MySqlSource, SecretReference, SourceConnection, StreamingPipelineDefinition
from maia_async.models.streaming import PlainText, definition_problems

GUIDE: Final[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "samples" / "streaming-pipeline.json").read_text(encoding="utf-8"))
SECRET: Final = {"secretType": "AZURE_KEY_VAULT", "secretName": "n"}
S3: Final = {"type": "s3", "bucket": "b"}
ABS: Final = {"type": "abs", "container": "c", "accountName": "a", "accountKey": SECRET}
PASSWORD: Final = "hunter2-XyZ"
MISSING: Final = object()
EMPTY: Final = "must not be empty"
NULL: Final = "must not be null"
OBJECT: Final = "must be an object"
NO_TABLES: Final = "must not be empty: name at least one table"
SOURCE: Final = "streamingSource.connection"
TARGET: Final = "streamingTarget.connection"
LOGIN: Final = f"{TARGET}.authentication"


def changed(path: str, value: Any, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The guide's definition with one value replaced, or taken away."""
    body = copy.deepcopy(GUIDE if body is None else body)
    place: Any = body
    *above, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in above:
        place = place[part]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return body


def problems(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem.field, problem.message) for problem in definition_problems(StreamingPipelineDefinition.from_dict(body))]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("name", MISSING, [("name", EMPTY)]),
        ("name", "", [("name", EMPTY)]),
        ("name", "  ", [("name", EMPTY)]),
        ("name", 5, [("name", "must be text, is int")]),
        ("agentId", None, [("agentId", EMPTY)]),
        ("agentId", "agent", [("agentId", "must be a uuid: the id of a streaming agent")]),
        ("agentId", 5, [("agentId", "must be text, is int")]),
        ("streamingSource", MISSING, [("streamingSource", NULL)]),
        ("streamingSource", [], [("streamingSource", OBJECT)]),
        ("streamingSource", {}, [("streamingSource.type", EMPTY)]),
        ("streamingSource/type", MISSING, [("streamingSource.type", EMPTY)]),
        ("streamingSource/type", "", [("streamingSource.type", EMPTY)]),
        ("streamingSource/type", 5, [("streamingSource.type", "must be text, is int")]),
        ("streamingSource/connection", MISSING, [(SOURCE, NULL)]),
        ("streamingSource/connection", "jdbc:", [(SOURCE, OBJECT)]),
        ("streamingSource/connection/host", "", [(f"{SOURCE}.host", EMPTY)]),
        ("streamingSource/connection/database", MISSING, [(f"{SOURCE}.database", EMPTY)]),
        ("streamingSource/connection/username", MISSING, [(f"{SOURCE}.username", EMPTY)]),
        ("streamingSource/connection/username", False, [(f"{SOURCE}.username", "must be text, is bool")]),
        ("streamingSource/connection/port", MISSING, [(f"{SOURCE}.port", NULL)]),
        ("streamingSource/connection/port", 0, [(f"{SOURCE}.port", "must be a whole number from 1 to 65535, is '0'")]),
        ("streamingSource/connection/port", 65536, [(f"{SOURCE}.port", "must be a whole number from 1 to 65535, is '65536'")]),
        ("streamingSource/connection/port", "1433", [(f"{SOURCE}.port", "must be a whole number from 1 to 65535, is '1433'")]),
        ("streamingSource/connection/port", True, [(f"{SOURCE}.port", "must be a whole number from 1 to 65535, is 'True'")]),
        ("streamingSource/connection/port", 1.5, [(f"{SOURCE}.port", "must be a whole number from 1 to 65535, is '1.5'")]),
        ("streamingSource/connection/port", 1, []),
        ("streamingSource/connection/port", 65535, []),
        ("streamingSource/connection/password", MISSING, [(f"{SOURCE}.password", NULL)]),
        ("streamingSource/connection/password", PASSWORD, [(f"{SOURCE}.password", PlainText.why)]),
        ("streamingSource/connection/password", "", [(f"{SOURCE}.password", PlainText.why)]),
        ("streamingSource/connection/password", 12345, [(f"{SOURCE}.password", PlainText.why)]),
        ("streamingSource/connection/password", {}, [(f"{SOURCE}.password.secretType", EMPTY), (f"{SOURCE}.password.secretName", EMPTY)]),
        ("streamingSource/connection/password/secretType", "", [(f"{SOURCE}.password.secretType", EMPTY)]),
        ("streamingSource/connection/password/secretType", 5, [(f"{SOURCE}.password.secretType", "must be text, is int")]),
        ("streamingSource/connection/password/secretName", MISSING, [(f"{SOURCE}.password.secretName", EMPTY)]),
        ("streamingSource/connection/password/secretLocation", MISSING, []),
        ("streamingSource/connection/jdbcProperties", "a=b", [(f"{SOURCE}.jdbcProperties", OBJECT)]),
        ("streamingSource/connection/jdbcProperties", MISSING, []),
        ("streamingSource/tables", MISSING, [("streamingSource.tables", NO_TABLES)]),
        ("streamingSource/tables", None, [("streamingSource.tables", NO_TABLES)]),
        ("streamingSource/tables", [], [("streamingSource.tables", NO_TABLES)]),
        ("streamingSource/tables", {"a": 1}, [("streamingSource.tables", "must be an array")]),
        ("streamingSource/tables/1", "t", [("streamingSource.tables[1]", "must be an object with schema and table")]),
        ("streamingSource/tables/0/schema", "", [("streamingSource.tables[0].schema", EMPTY)]),
        ("streamingSource/tables/1/table", MISSING, [("streamingSource.tables[1].table", EMPTY)]),
        ("streamingTarget", MISSING, [("streamingTarget", NULL)]),
        ("streamingTarget", "snowflake", [("streamingTarget", OBJECT)]),
        ("streamingTarget/type", MISSING, [("streamingTarget.type", EMPTY)]),
        ("streamingTarget/connection", MISSING, [(TARGET, NULL)]),
        ("streamingTarget/connection/accountName", MISSING, [(f"{TARGET}.accountName", EMPTY)]),
        ("streamingTarget/connection/username", "", [(f"{TARGET}.username", EMPTY)]),
        ("streamingTarget/connection/jdbcProperties", [], [(f"{TARGET}.jdbcProperties", OBJECT)]),
        ("streamingTarget/connection/authentication", MISSING, [(LOGIN, NULL)]),
        ("streamingTarget/connection/authentication", PASSWORD, [(LOGIN, OBJECT)]),
        ("streamingTarget/connection/authentication/type", MISSING, [(f"{LOGIN}.type", EMPTY)]),
        ("streamingTarget/connection/authentication/privateKey", MISSING, [(f"{LOGIN}.privateKey", NULL)]),
        ("streamingTarget/connection/authentication/privateKey", PASSWORD, [(f"{LOGIN}.privateKey", PlainText.why)]),
        ("streamingTarget/connection/authentication/passphrase", PASSWORD, [(f"{LOGIN}.passphrase", PlainText.why)]),
        ("streamingTarget/connection/authentication/passphrase", MISSING, []),
        ("streamingTarget", S3, []),
        ("streamingTarget", {"type": "s3"}, [("streamingTarget.bucket", EMPTY)]),
        ("streamingTarget", ABS, []),
        ("streamingTarget", {**ABS, "container": ""}, [("streamingTarget.container", EMPTY)]),
        ("streamingTarget", {**ABS, "accountName": None}, [("streamingTarget.accountName", EMPTY)]),
        ("streamingTarget", {**ABS, "accountKey": None}, [("streamingTarget.accountKey", NULL)]),
        ("streamingTarget", {**ABS, "accountKey": PASSWORD}, [("streamingTarget.accountKey", PlainText.why)]),
        ("streamingTarget", {"type": "kafka"}, []),
        ("streamingTarget", {"type": "kafka", "login": [{"Password": PASSWORD}]}, [("streamingTarget.login[0].Password", PlainText.why)]),
        ("streamingSource", {"type": "mongo", "password": PASSWORD}, [("streamingSource.password", PlainText.why)]),
        ("streamingSource", {"type": "mongo", "password": [PASSWORD]}, [("streamingSource.password[0]", PlainText.why)]),
        *(
            ("streamingSource", {"type": "mongo", "login": {key: PASSWORD}}, [(f"streamingSource.login.{key}", PlainText.why)])
            for key in (
                *("PASSWORD", "userPassword", "passwd", "pwd", "secret", "clientSecret", "client_secret", "secretKey", "secret-access-key"),
                *(
                    "accessKey",
                    "privateKey",
                    "PRIVATE_KEY",
                    "accountKey",
                    "sharedKey",
                    "apiKey",
                    "passphrase",
                    "token",
                    "sasToken",
                    "access.token",
                ),
            )
        ),
        ("streamingSource/connection/Password", PASSWORD, [(f"{SOURCE}.Password", PlainText.why)]),
        ("streamingTarget/connection/authentication/accessToken", PASSWORD, [(f"{LOGIN}.accessToken", PlainText.why)]),
        *(
            ("streamingSource", {"type": "mongo", "login": {key: "no secret"}}, [])
            for key in (
                "accessKeyId",
                "secretName",
                "secretLocation",
                "tokenUrl",
                "passwordless",
                "privateKeyPath",
                "primaryKey",
                "username",
            )
        ),
        (
            "streamingSource",
            {"type": "mongo", "password": {"secretType": "AWS_SECRETS_MANAGER", "secretName": "mine", "secretKey": "password"}},
            [],
        ),
        ("streamingSource", {"type": "mongo", "connection": {"jdbcProperties": {"password": "any name, any value"}}}, []),
        ("advancedProperties", MISSING, []),
        ("advancedProperties", [], [("advancedProperties", OBJECT)]),
        ("advancedProperties", {"ssl.truststore.password": "any name, any value", "password": "too"}, []),
    ],
)
def test_each_row_of_the_table(path: str, value: Any, expected: list[tuple[str, str]]) -> None:
    assert problems(changed(path, value)) == expected


@pytest.mark.parametrize(
    ("kind", "missing"),
    [("sqlserver", ["database"]), ("postgres", ["database"]), ("oracle", ["database"]), ("mysql", []), ("db2ibmi", [])],
)
def test_which_sources_need_a_database(kind: str, missing: list[str]) -> None:
    body = changed("streamingSource/connection/database", MISSING, changed("streamingSource/type", kind))
    assert [field for field, _ in problems(body)] == [f"{SOURCE}.{name}" for name in missing]


def test_everything_wrong_is_told_at_once_and_in_the_order_of_the_document() -> None:
    body = {"agentId": "x", "streamingSource": {"type": "mysql", "connection": {}, "tables": [{}]}, "streamingTarget": {"type": "abs"}}

    assert [field for field, _ in problems(body)] == [
        "name",
        "agentId",
        f"{SOURCE}.host",
        f"{SOURCE}.username",
        f"{SOURCE}.port",
        f"{SOURCE}.password",
        "streamingSource.tables[0].schema",
        "streamingSource.tables[0].table",
        "streamingTarget.container",
        "streamingTarget.accountName",
        "streamingTarget.accountKey",
    ]


def test_an_empty_definition_misses_what_every_definition_needs() -> None:
    found = [problem.field for problem in definition_problems(StreamingPipelineDefinition())]
    assert found == ["name", "agentId", "streamingSource", "streamingTarget"]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("streamingTarget/role", dt.date(2026, 1, 1), ("streamingTarget.role", "cannot be written as JSON, is date")),
        ("advancedProperties", {"a": [0, {1, 2}]}, ("advancedProperties.a[1]", "cannot be written as JSON, is set")),
        ("advancedProperties", {"a": float("nan")}, ("advancedProperties.a", "cannot be written as JSON, is nan")),
        ("advancedProperties", {7: "a"}, ("advancedProperties.7", "must have text as its key, has int")),
        ("streamingSource/connection/jdbcProperties", {"a": b"x"}, (f"{SOURCE}.jdbcProperties.a", "cannot be written as JSON, is bytes")),
        ("name", dt.date(2026, 1, 1), ("name", "must be text, is date")),
    ],
)
def test_what_no_json_can_carry_is_told_with_its_path(path: str, value: Any, expected: tuple[str, str]) -> None:
    """YAML has dates, sets and numbers as keys."""
    body = changed(path, value)
    assert problems(body) == [expected]
    with pytest.raises(InvalidRequest):
        StreamingPipelineDefinition.from_dict(body).to_json()


def test_a_nesting_that_no_writer_would_survive_is_told() -> None:
    deep: Any = "end"
    for _ in range(5000):
        deep = {"a": deep}
    for path in ("advancedProperties", "future"):
        [(field, message)] = problems(changed(path, deep))
        assert field.startswith(f"{path}.a.a.a")
        assert message == "is nested too deeply"


def hidden(path: str) -> StreamingPipelineDefinition:
    return StreamingPipelineDefinition.from_dict(changed(path, PASSWORD))


SECRET_PLACES: Final = [
    "streamingSource/connection/password",
    "streamingTarget/connection/authentication/privateKey",
    "streamingTarget/connection/authentication/passphrase",
    "streamingTarget/password",
    "password",
]


@pytest.mark.parametrize("path", SECRET_PLACES)
def test_a_plain_secret_is_refused_with_a_message_that_shows_a_reference_and_not_the_secret(path: str) -> None:
    definition = hidden(path)
    field = path.replace("/", ".")

    [problem] = definition_problems(definition)
    assert problem.field == field
    assert '{"secretType": "AZURE_KEY_VAULT"' in problem.message
    for write in (definition.to_dict, definition.to_json):
        with pytest.raises(InvalidRequest) as caught:
            write()
        assert [item.field for item in caught.value.problems] == [field]
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in f"{definition} {definition!r} {problem} {attrs.asdict(definition)}"


@pytest.mark.parametrize(
    "path", [*SECRET_PLACES, "streamingSource/connection", "streamingTarget/connection/authentication", "streamingSource"]
)
def test_nothing_shows_what_may_be_a_secret(path: str) -> None:
    assert PASSWORD not in repr(hidden(path))


@pytest.mark.parametrize(
    "path",
    ["streamingSource/connection/password/value", "advancedProperties/password", "streamingSource/connection/jdbcProperties/password"],
)
def test_values_of_maps_and_of_unknown_keys_are_not_shown(path: str) -> None:
    definition = hidden(path)
    assert PASSWORD not in repr(definition)
    assert path.rsplit("/", 1)[1] in repr(definition)  # the name is


@pytest.mark.parametrize("value", [PASSWORD, PASSWORD.encode(), [PASSWORD], 12345, True])
def test_a_plain_secret_in_a_constructor_is_masked_at_once(value: Any) -> None:
    source = MySqlSource(connection=SourceConnection(password=value))
    assert repr(source.connection.password) == "PlainText(***)"  # type: ignore[union-attr]  # it was just given
    assert str(value) not in repr(source).replace("pdb=None", "")
    assert source == MySqlSource(connection=SourceConnection(password=value))
    assert hash(PlainText(value)) == hash(PlainText(value))


def test_a_reference_may_be_given_as_an_object() -> None:
    login = Authentication(type="key-pair", private_key={"secretType": "AWS_SECRETS_MANAGER", "secretName": "n", "x": 1})  # type: ignore[arg-type]  # that is what it shows
    assert login.private_key == SecretReference(secret_type="AWS_SECRETS_MANAGER", secret_name="n", extra={"x": 1})  # type: ignore[arg-type]  # a text will do


def test_a_plain_secret_is_not_pickled_or_copied() -> None:
    for copier in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            copier(PlainText(PASSWORD))
