"""What can be known to be wrong with a definition before it is sent: every problem at once, by the API's dotted paths. Pure.

checked                                                        message, in the API's words where it has some (guide)
name                                                           must not be empty
agentId                                                        must not be empty; must be a uuid
streamingSource, streamingTarget, their `type`                 must not be null
streamingSource.connection and its required fields             must not be null, must not be empty
streamingSource.connection.port                                must be a whole number from 1 to 65535
streamingSource.tables: at least one; schema and table of each must not be empty
the required fields of a known target                          must not be null, must not be empty
every place of a secret                                        a reference with its type and name, never a text
sources and targets of other types                             not looked into
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from maia_async.models.streaming.definition import StreamingPipelineDefinition
from maia_async.models.streaming.secret import EXAMPLE, PlainText, SecretReference
from maia_async.models.streaming.source import OtherSource, SourceConnection, StreamingSource, Table
from maia_async.models.streaming.target import OtherTarget, SnowflakeConnection, StreamingTarget
from maia_async.problems import FieldProblem


def definition_problems(definition: StreamingPipelineDefinition) -> tuple[FieldProblem, ...]:
    """All of them; empty when the definition can be sent."""
    return tuple(_definition(definition))


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


def _source(source: Any) -> Iterator[FieldProblem]:
    if isinstance(source, OtherSource):
        yield from _text("streamingSource.type", source.type)
        return
    if not isinstance(source, StreamingSource):
        yield FieldProblem("streamingSource", "must not be null")
        return
    connection = source.connection
    if isinstance(connection, SourceConnection):
        yield from _connection(connection, source.required)
    else:
        yield FieldProblem("streamingSource.connection", "must not be null")
    if not source.tables:
        yield FieldProblem("streamingSource.tables", "must not be empty: name at least one table")
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


def _target(target: Any) -> Iterator[FieldProblem]:
    if isinstance(target, OtherTarget):
        yield from _text("streamingTarget.type", target.type)
        return
    if not isinstance(target, StreamingTarget):
        yield FieldProblem("streamingTarget", "must not be null")
        return
    for name in target.required:
        path = f"streamingTarget.{_camel(name)}"
        value = getattr(target, name)
        if name == "connection":
            yield from _snowflake(path, value)
        elif name.endswith("_key"):
            yield from _secret(path, value, required=True)
        else:
            yield from _text(path, value)


def _snowflake(path: str, connection: Any) -> Iterator[FieldProblem]:
    if not isinstance(connection, SnowflakeConnection):
        yield FieldProblem(path, "must not be null")
        return
    yield from _text(f"{path}.accountName", connection.account_name)
    yield from _text(f"{path}.username", connection.username)
    authentication = connection.authentication
    if authentication is None:
        yield FieldProblem(f"{path}.authentication", "must not be null")
        return
    yield from _text(f"{path}.authentication.type", authentication.type)
    is_key_pair = authentication.type == "key-pair"
    yield from _secret(f"{path}.authentication.privateKey", authentication.private_key, required=is_key_pair)
    yield from _secret(f"{path}.authentication.passphrase", authentication.passphrase, required=False)


def _secret(path: str, value: Any, *, required: bool) -> Iterator[FieldProblem]:
    if isinstance(value, PlainText):
        yield FieldProblem(path, value.why)
    elif isinstance(value, SecretReference):
        if value.secret_type is None:
            yield FieldProblem(f"{path}.secretType", "must not be null")
        yield from _text(f"{path}.secretName", value.secret_name)
    elif required or value is not None:
        yield FieldProblem(path, "must not be null" if value is None else f"must be a reference to a secret, for example {EXAMPLE}")


def _text(path: str, value: Any) -> Iterator[FieldProblem]:
    if value is None or (isinstance(value, str) and not value.strip()):
        yield FieldProblem(path, "must not be empty")
    elif not isinstance(value, str):
        yield FieldProblem(path, f"must be text, is {type(value).__name__}")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
