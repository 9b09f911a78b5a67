"""Streaming definitions: what the API checks of one, all problems at once with dotted paths; what it does not know it lets pass; pure.

| field                                                               | known type          | said when it does not fit               |
| ------------------------------------------------------------------- | ------------------- | --------------------------------------- |
| name                                                                |                     | must not be empty                       |
| agentId                                                             |                     | must not be null; must be a valid UUID  |
| agentId, when the account's agents are known                        |                     | is no streaming agent of the account    |
| streamingTarget, streamingSource                                    |                     | must not be null                        |
| streamingTarget.type, streamingSource.type                          |                     | must not be empty                       |
| streamingTarget.connection                                          | snowflake           | must not be null                        |
| streamingTarget.connection.authentication                           | snowflake           | must not be null                        |
| streamingTarget.connection.authentication.type                      | snowflake           | must not be empty                       |
| streamingTarget.connection.authentication.privateKey                | of key-pair         | must not be null                        |
| streamingTarget.connection.accountName, .username                   | snowflake           | must not be empty                       |
| streamingTarget.bucket                                              | s3                  | must not be empty                       |
| streamingTarget.container                                           | abs                 | must not be empty                       |
| streamingSource.connection                                          | all                 | must not be null                        |
| streamingSource.connection.host, .username                          | all                 | must not be empty                       |
| streamingSource.connection.database                                 | not mysql, db2ibmi  | must not be empty                       |
| streamingSource.connection.port                                     | all                 | must not be null                        |
| streamingSource.connection.port, of 1 to 65535                      | all                 | must be between 1 and 65535             |
| streamingSource.connection.password                                 | all                 | must not be null                        |
| streamingSource.tables                                              | all                 | must not be empty                       |
| streamingSource.tables[n].table                                     | all                 | must not be empty                       |
| secretType, secretName of a secret reference                        | all                 | must not be empty                       |
| advancedProperties, jdbcProperties, a secret given as a text        |                     | must be an object                       |

The guide's two messages (and their order: targets first) are the only ones that a source prints; the others are made after them.
A source or target of another type is checked for being an object with a type, and no further.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from maia_async.emulator.problems import Refused

Problem = tuple[str, str]
Body = Mapping[str, Any]
SOURCES: Final = frozenset({"sqlserver", "postgres", "mysql", "oracle", "db2ibmi"})
_NO_DATABASE: Final = frozenset({"mysql", "db2ibmi"})
_WORDS: Final = frozenset({"secretType", "tablePrefixType", "transformationType", "temporalMapping", "decimalMapping"})
_SECRETS: Final = frozenset({"password", "privateKey", "passphrase", "accountKey"})
# Maps whose keys are the user's own.
_FREE: Final = frozenset({"jdbcProperties", "advancedProperties"})


def checked(body: dict[str, Any], agents: Collection[str] | None) -> dict[str, Any]:
    """The definition, or `Refused` with every problem."""
    problems = list(problems_of(body, agents))
    if problems:
        raise Refused(400, "There are validation errors with the streaming pipeline definition", fields=problems)
    return body


def problems_of(body: Body, agents: Collection[str] | None) -> Iterator[Problem]:
    """The table above. `agents` are the known ones in lower case; None accepts every uuid."""
    yield from _text(body, "name", "name")
    yield from _agent(body.get("agentId"), agents)
    yield from _target(body, "streamingTarget")
    yield from _source(body, "streamingSource")
    yield from _map(body, "advancedProperties", "advancedProperties")


def upper(value: Any) -> Any:
    """The definition with its words in upper case; names of types and the user's own properties stay as they are."""
    if isinstance(value, Mapping):
        return {
            key: item.upper() if key in _WORDS and isinstance(item, str) else item if key in _FREE else upper(item)
            for key, item in value.items()
        }
    return [upper(item) for item in value] if isinstance(value, list) else value


def without_secrets(fields: dict[str, Any]) -> dict[str, Any]:
    """For the log: a secret that was given as a text instead of a reference is struck out. A hook of the JSON reader."""
    return {key: "***" if key in _SECRETS and isinstance(value, str) else value for key, value in fields.items()}


def example(name: str, agent_id: str) -> dict[str, Any]:
    """A small definition that fits, for pipelines that nobody described."""
    secret = {"secretType": "AZURE_KEY_VAULT", "secretLocation": "streaming-key-vault", "secretName": "sqlserver-password"}
    key = {**secret, "secretName": "snowflake-private-key"}
    login = {"type": "key-pair", "privateKey": key}
    return {
        "name": name,
        "agentId": agent_id,
        "streamingSource": {
            "type": "sqlserver",
            "connection": {
                "host": "sqlserver.my-org.com",
                "port": 1433,
                "database": "my_database",
                "username": "sa",
                "password": secret,
            },
            "tables": [{"schema": "my_schema", "table": "my_first_table"}],
        },
        "streamingTarget": {
            "type": "snowflake",
            "connection": {"accountName": "my-snowflake-account.eu-central-1", "username": "STREAMING_USER", "authentication": login},
            "database": "STREAMING_DB",
            "transformationType": "CHANGE_LOG",
        },
    }


def _agent(value: Any, agents: Collection[str] | None) -> Iterator[Problem]:
    if value is None:
        yield "agentId", "must not be null"
        return
    try:
        UUID(value)
    except (ValueError, AttributeError, TypeError):
        yield "agentId", "must be a valid UUID"
        return
    if agents is not None and value.lower() not in agents:
        yield "agentId", "is no streaming agent of the account"


def _target(body: Body, path: str) -> Iterator[Problem]:
    target = body.get(path)
    kind, problems = _kind(target, path)
    yield from problems
    if not isinstance(target, dict):
        return
    if kind == "snowflake":
        connection = target.get("connection")
        yield from _object(connection, f"{path}.connection")
        if isinstance(connection, dict):
            yield from _snowflake(connection, f"{path}.connection")
    elif kind in {"s3", "abs"}:
        key = "bucket" if kind == "s3" else "container"
        yield from _text(target, key, f"{path}.{key}")


def _snowflake(connection: Body, path: str) -> Iterator[Problem]:
    for key in ("accountName", "username"):
        yield from _text(connection, key, f"{path}.{key}")
    login = connection.get("authentication")
    yield from _object(login, f"{path}.authentication")
    if isinstance(login, dict):
        yield from _text(login, "type", f"{path}.authentication.type")
        if login.get("type") == "key-pair":
            yield from _secret(login.get("privateKey"), f"{path}.authentication.privateKey")
            if login.get("passphrase") is not None:
                yield from _secret(login["passphrase"], f"{path}.authentication.passphrase")
    yield from _map(connection, "jdbcProperties", f"{path}.jdbcProperties")


def _source(body: Body, path: str) -> Iterator[Problem]:
    source = body.get(path)
    kind, problems = _kind(source, path)
    yield from problems
    if not isinstance(source, dict) or kind not in SOURCES:
        return
    connection = source.get("connection")
    yield from _object(connection, f"{path}.connection")
    if isinstance(connection, dict):
        for key in ("host", "username") if kind in _NO_DATABASE else ("host", "database", "username"):
            yield from _text(connection, key, f"{path}.connection.{key}")
        yield from _port(connection.get("port"), f"{path}.connection.port")
        yield from _secret(connection.get("password"), f"{path}.connection.password")
        yield from _map(connection, "jdbcProperties", f"{path}.connection.jdbcProperties")
    yield from _tables(source.get("tables"), f"{path}.tables")


def _tables(tables: Any, path: str) -> Iterator[Problem]:
    if tables is None or tables == []:
        yield path, "must not be empty"
    elif not isinstance(tables, list):
        yield path, "must be an array"
    else:
        for place, table in enumerate(tables):
            if isinstance(table, dict):
                yield from _text(table, "table", f"{path}[{place}].table")
            else:
                yield from _object(table, f"{path}[{place}]")


def _kind(endpoint: Any, path: str) -> tuple[str, list[Problem]]:
    """The type in lower case, and what is wrong with it."""
    if not isinstance(endpoint, dict):
        return "", list(_object(endpoint, path))
    problems = list(_text(endpoint, "type", f"{path}.type"))
    return ("" if problems else endpoint["type"].lower()), problems


def _secret(value: Any, path: str) -> Iterator[Problem]:
    """The value itself is never repeated: it may be the secret."""
    yield from _object(value, path)
    if isinstance(value, dict):
        for key in ("secretType", "secretName"):
            yield from _text(value, key, f"{path}.{key}")


def _port(value: Any, path: str) -> Iterator[Problem]:
    if value is None:
        yield path, "must not be null"
    elif not isinstance(value, int) or isinstance(value, bool):
        yield path, "must be a number"
    elif not 1 <= value <= 65535:
        yield path, "must be between 1 and 65535"


def _text(body: Body, key: str, path: str) -> Iterator[Problem]:
    value = body.get(key)
    if value is None or value == "":
        yield path, "must not be empty"
    elif not isinstance(value, str):
        yield path, "must be a string"


def _object(value: Any, path: str) -> Iterator[Problem]:
    if value is None:
        yield path, "must not be null"
    elif not isinstance(value, dict):
        yield path, "must be an object"


def _map(body: Body, key: str, path: str) -> Iterator[Problem]:
    if body.get(key) is not None:
        yield from _object(body[key], path)
