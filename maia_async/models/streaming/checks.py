"""What can be known to be wrong with a definition before it is sent: every problem at once, by the API's dotted paths. Pure.

checked                                                        message, in the API's words where it has some (guide)
name                                                           must not be empty
agentId                                                        must not be empty; must be a uuid
streamingSource, streamingTarget, their `type`                 must not be null
streamingSource.connection and its required fields             must not be null, must not be empty
streamingSource.connection.port                                must be a whole number from 1 to 65535
streamingSource.tables: at least one; schema and table of each must not be empty
the required fields of a known target                          must not be null, must not be empty
advancedProperties, jdbcProperties                             must be an object; any names and values
every place of a secret                                        a reference with its type and name, never a plain value
sources and targets of other types                             not looked into, but for texts under the names of secrets
anything else                                                  must be what JSON can carry
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from maia_async.models.case import camel
from maia_async.models.streaming.definition import StreamingPipelineDefinition
from maia_async.models.streaming.document import unwritable
from maia_async.models.streaming.plaintext import PlainText
from maia_async.models.streaming.secret import SecretReference
from maia_async.models.streaming.source import OtherSource, SourceConnection, StreamingSource, Table
from maia_async.models.streaming.target import Authentication, OtherTarget, SnowflakeConnection, StreamingTarget
from maia_async.problems import FieldProblem


def definition_problems(definition: StreamingPipelineDefinition) -> tuple[FieldProblem, ...]:
    """All of them, one for each path; empty when the definition can be sent."""
    first: dict[str, FieldProblem] = {}
    for problem in (*_definition(definition), *unwritable(definition)):
        first.setdefault(problem.field, problem)
    return tuple(first.values())


def _definition(definition: StreamingPipelineDefinition) -> Iterator[FieldProblem]:
    yield from _text("name", definition.name)
    agent = definition.agent_id
    if isinstance(agent, str) and agent.strip():
        try:
            UUID(agent)
        except ValueError:
            yield FieldProblem("agentId", "must be a uuid: the id of a streaming agent")
    else:
        yield from _text("agentId", agent)
    yield from _source(definition.streaming_source)
    yield from _target(definition.streaming_target)
    yield from _map("advancedProperties", definition.advanced_properties)


def _source(source: Any) -> Iterator[FieldProblem]:
    if isinstance(source, OtherSource):
        yield from _text("streamingSource.type", source.type)
        return
    if not isinstance(source, StreamingSource):
        yield _no_object("streamingSource", source)
        return
    connection = source.connection
    if isinstance(connection, SourceConnection):
        yield from _connection(connection, source.required)
    else:
        yield _no_object("streamingSource.connection", connection)
    if not source.tables:
        found = source.extra.get("tables") or ()
        message = "must be an array" if not isinstance(found, list | tuple) else "must not be empty: name at least one table"
        yield FieldProblem("streamingSource.tables", message)
    for number, table in enumerate(source.tables):
        path = f"streamingSource.tables[{number}]"
        if not isinstance(table, Table):
            yield FieldProblem(path, "must be an object with schema and table")
            continue
        yield from _text(f"{path}.schema", table.schema)
        yield from _text(f"{path}.table", table.table)


def _connection(connection: SourceConnection, required: tuple[str, ...]) -> Iterator[FieldProblem]:
    path = "streamingSource.connection"
    for name in ("host", "database", "username"):
        if name in required or getattr(connection, name) is not None:
            yield from _text(f"{path}.{name}", getattr(connection, name))
    port = connection.port
    if port is None:
        yield FieldProblem(f"{path}.port", "must not be null")
    elif isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
        yield FieldProblem(f"{path}.port", f"must be a whole number from 1 to 65535, is {str(port)[:20]!r}")
    yield from _secret(f"{path}.password", connection.password, required=True)
    yield from _map(f"{path}.jdbcProperties", connection.jdbc_properties)


def _target(target: Any) -> Iterator[FieldProblem]:
    if isinstance(target, OtherTarget):
        yield from _text("streamingTarget.type", target.type)
        return
    if not isinstance(target, StreamingTarget):
        yield _no_object("streamingTarget", target)
        return
    for name in target.required:
        path = f"streamingTarget.{camel(name)}"
        value = getattr(target, name)
        if name == "connection":
            yield from _snowflake(path, value)
        elif name.endswith("_key"):
            yield from _secret(path, value, required=True)
        else:
            yield from _text(path, value)


def _snowflake(path: str, connection: Any) -> Iterator[FieldProblem]:
    if not isinstance(connection, SnowflakeConnection):
        yield _no_object(path, connection)
        return
    yield from _text(f"{path}.accountName", connection.account_name)
    yield from _text(f"{path}.username", connection.username)
    yield from _map(f"{path}.jdbcProperties", connection.jdbc_properties)
    authentication = connection.authentication
    if not isinstance(authentication, Authentication):
        yield _no_object(f"{path}.authentication", authentication)
        return
    yield from _text(f"{path}.authentication.type", authentication.type)
    is_key_pair = authentication.type == "key-pair"
    yield from _secret(f"{path}.authentication.privateKey", authentication.private_key, required=is_key_pair)
    yield from _secret(f"{path}.authentication.passphrase", authentication.passphrase, required=False)


def _secret(path: str, value: Any, *, required: bool) -> Iterator[FieldProblem]:
    if isinstance(value, PlainText):
        yield FieldProblem(path, value.why)
    elif isinstance(value, SecretReference):
        yield from _text(f"{path}.secretType", value.secret_type)
        yield from _text(f"{path}.secretName", value.secret_name)
    elif required:
        yield FieldProblem(path, "must not be null")


def _text(path: str, value: Any) -> Iterator[FieldProblem]:
    if value is None or (isinstance(value, str) and not value.strip()):
        yield FieldProblem(path, "must not be empty")
    elif not isinstance(value, str):
        yield FieldProblem(path, f"must be text, is {type(value).__name__}")


def _map(path: str, value: Any) -> Iterator[FieldProblem]:
    if value is not None and not isinstance(value, Mapping):
        yield _no_object(path, value)


def _no_object(path: str, value: Any) -> FieldProblem:
    return FieldProblem(path, "must not be null" if value is None else "must be an object")
