"""Where a stream reads from: one class for each type that is known, `OtherSource` for the rest. Values only; they check nothing.

Types and fields: guide (sqlserver), reference (db2ibmi), the vendor's Terraform provider (postgres, mysql, oracle).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import field, frozen

from maia_async.models.streaming.document import MANY, NESTED, names_only, nested_only, read
from maia_async.models.streaming.secret import REFERENCE, Secretive, as_secret


@frozen(kw_only=True)
class SourceConnection:
    """A database's address and account. `database` is not for mysql and db2ibmi; `pdb` (a pluggable database) is for oracle only."""

    host: str | None = None
    port: int | None = None
    database: str | None = None
    pdb: str | None = None
    username: str | None = None
    password: Secretive = field(default=None, converter=as_secret, metadata=REFERENCE)
    jdbc_properties: Mapping[str, Any] | None = field(default=None, repr=names_only)
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


@frozen(kw_only=True)
class Table:
    """A table to stream."""

    schema: str | None = None
    table: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


@frozen(kw_only=True)
class StreamingSource:
    """What all known sources have in common. `required` names the connection fields without which it cannot work."""

    type: ClassVar[str]
    required: ClassVar[tuple[str, ...]] = ("host", "port", "username", "password")

    connection: SourceConnection | None = field(default=None, repr=nested_only, metadata={NESTED: SourceConnection})
    tables: tuple[Table, ...] = field(default=(), converter=tuple, metadata={MANY: Table})
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


@frozen(kw_only=True)
class SqlServerSource(StreamingSource):
    """Microsoft SQL Server."""

    type = "sqlserver"
    required = ("host", "port", "database", "username", "password")


@frozen(kw_only=True)
class PostgresSource(StreamingSource):
    """PostgreSQL."""

    type = "postgres"
    required = ("host", "port", "database", "username", "password")


@frozen(kw_only=True)
class MySqlSource(StreamingSource):
    """MySQL."""

    type = "mysql"


@frozen(kw_only=True)
class OracleSource(StreamingSource):
    """Oracle."""

    type = "oracle"
    required = ("host", "port", "database", "username", "password")


@frozen(kw_only=True)
class Db2ForISource(StreamingSource):
    """Db2 for IBM i."""

    type = "db2ibmi"


@frozen(kw_only=True)
class OtherSource:
    """A source of a type that this version does not know, with all its keys in `extra`."""

    type: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


KNOWN_SOURCES: Final[Mapping[str, type[StreamingSource]]] = {
    kind.type: kind for kind in (SqlServerSource, PostgresSource, MySqlSource, OracleSource, Db2ForISource)
}


def read_source(document: Mapping[str, Any]) -> StreamingSource | OtherSource:
    """A source by its `type`; a type in other letters than ours keeps them, in `extra`."""
    kind = KNOWN_SOURCES.get(str(document.get("type")).lower())
    if kind is None:
        return read(OtherSource, document)
    return read(kind, {key: value for key, value in document.items() if (key, value) != ("type", kind.type)})
