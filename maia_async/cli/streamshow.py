"""Definitions of streaming pipelines as data on stdout. Secrets are references; a text in their place is never shown. It reads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from maia_async import StreamingPipelineDefinition
from maia_async.cli.data import Data, Form, camel


def write_definition(data: Data, definition: StreamingPipelineDefinition, pipeline_id: str, project_id: str, output: Form) -> None:
    """One definition. In the json form it is a file that `replace` and `create` take."""
    if output == "json":
        data.document({"streamingPipelineId": pipeline_id, "projectId": project_id, **document_of(definition)})
        return
    source, target = definition.streaming_source, definition.streaming_target
    data.fields(
        (
            ("name", definition.name),
            ("streaming pipeline", pipeline_id),
            ("project", project_id),
            ("agent", definition.agent_id),
            ("source", _source(source)),
            ("tables", ", ".join(map(_table, _tables(source))) or None),
            ("target", _target(target)),
        )
    )


def write_definitions(data: Data, definitions: Sequence[StreamingPipelineDefinition], output: Form) -> None:
    """A list of them."""
    if output == "json":
        data.document([document_of(definition) for definition in definitions])
        return
    rows = [
        (
            definition.streaming_pipeline_id,
            definition.name,
            getattr(definition.streaming_source, "type", None),
            getattr(definition.streaming_target, "type", None),
            len(_tables(definition.streaming_source)),
        )
        for definition in definitions
    ]
    data.table(("ID", "NAME", "SOURCE", "TARGET", "TABLES"), rows)


def document_of(value: Any) -> Any:
    """A definition as the API's JSON. Unlike `to_dict` it refuses nothing: whatever an API sends can be looked at, plain texts masked."""
    if attrs.has(type(value)):
        known = {"type": value.type} if isinstance(getattr(type(value), "type", None), str) else {}
        named = ((item.name, getattr(value, item.name)) for item in attrs.fields(type(value)) if item.name != "extra")
        return {**known, **{camel(name): document_of(found) for name, found in named if found is not None}, **document_of(value.extra)}
    if isinstance(value, Mapping):
        return {str(key): document_of(found) for key, found in value.items()}
    if isinstance(value, list | tuple):
        return [document_of(found) for found in value]
    # A str() of what JSON does not know: of a masked text it is the mask.
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _source(source: Any) -> str | None:
    connection = getattr(source, "connection", None)
    host, port, database, username = (getattr(connection, name, None) for name in ("host", "port", "database", "username"))
    place = "" if host is None else f" {host}" + ("" if port is None else f":{port}") + ("" if database is None else f"/{database}")
    return _said(getattr(source, "type", None), place + ("" if username is None else f" as {username}"))


def _target(target: Any) -> str | None:
    account = getattr(getattr(target, "connection", None), "account_name", None)
    parts = (account, *(getattr(target, name, None) for name in ("account_name", "bucket", "container", "database", "prefix")))
    place = "/".join(str(part) for part in parts if part is not None)
    return _said(getattr(target, "type", None), f" {place}" if place else "")


def _said(kind: Any, rest: str) -> str | None:
    return f"{kind or '?'}{rest}" if kind or rest else None


def _tables(source: Any) -> Sequence[Any]:
    tables: Iterable[Any] = getattr(source, "tables", ())
    return list(tables)


def _table(table: Any) -> str:
    parts = (getattr(table, "schema", None), getattr(table, "table", None))
    return ".".join(str(part) for part in parts if part is not None) or "?"
