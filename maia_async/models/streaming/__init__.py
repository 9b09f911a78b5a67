"""Streaming pipelines as frozen values: states, definitions, secret references, and the check of a definition. No I/O, no decoding.

A definition keeps every key that it does not know in `extra`, and every type that it does not know as `OtherSource` or `OtherTarget`, so
that what the API adds tomorrow survives a round trip through an older client.
"""

from maia_async.models.streaming.checks import definition_problems
from maia_async.models.streaming.definition import StreamingPipelineDefinition
from maia_async.models.streaming.plaintext import PlainText
from maia_async.models.streaming.secret import SecretReference, SecretType
from maia_async.models.streaming.source import (
    Db2ForISource,
    MySqlSource,
    OracleSource,
    OtherSource,
    PostgresSource,
    SourceConnection,
    SqlServerSource,
    StreamingSource,
    Table,
)
from maia_async.models.streaming.state import StreamingState
from maia_async.models.streaming.target import (
    AbsTarget,
    Authentication,
    OtherTarget,
    S3Target,
    SnowflakeConnection,
    SnowflakeTarget,
    StreamingTarget,
)

__all__ = [
    "AbsTarget",
    "Authentication",
    "Db2ForISource",
    "MySqlSource",
    "OracleSource",
    "OtherSource",
    "OtherTarget",
    "PlainText",
    "PostgresSource",
    "S3Target",
    "SecretReference",
    "SecretType",
    "SnowflakeConnection",
    "SnowflakeTarget",
    "SourceConnection",
    "SqlServerSource",
    "StreamingPipelineDefinition",
    "StreamingSource",
    "StreamingState",
    "StreamingTarget",
    "Table",
    "definition_problems",
]
