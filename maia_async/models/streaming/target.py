"""Where a stream writes to: one class for each type that is known, `OtherTarget` for the rest. Values only; they check nothing.

Types and fields: guide (snowflake), reference (abs), the vendor's Terraform provider (s3). Enumerated values are open: any text is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from attrs import field, frozen

from maia_async.models.streaming.document import NESTED, names_only, nested_only, read
from maia_async.models.streaming.secret import REFERENCE, Secretive, as_secret


@frozen(kw_only=True)
class Authentication:
    """How to sign in to Snowflake: `type` is `key-pair` in every source."""

    type: str | None = None
    private_key: Secretive = field(default=None, converter=as_secret, metadata=REFERENCE)
    passphrase: Secretive = field(default=None, converter=as_secret, metadata=REFERENCE)
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


@frozen(kw_only=True)
class SnowflakeConnection:
    """A Snowflake account."""

    account_name: str | None = None
    username: str | None = None
    authentication: Authentication | None = field(default=None, repr=nested_only, metadata={NESTED: Authentication})
    jdbc_properties: Mapping[str, Any] | None = field(default=None, repr=names_only)
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


@frozen(kw_only=True)
class StreamingTarget:
    """What all known targets have in common."""

    type: ClassVar[str]
    required: ClassVar[tuple[str, ...]] = ()


@frozen(kw_only=True)
class SnowflakeTarget(StreamingTarget):
    """Snowflake tables.

    table_prefix_type: PREFIX, SOURCE_DATABASE_AND_SCHEMA or NONE. transformation_type: COPY_TABLE, COPY_TABLE_SOFT_DELETE or CHANGE_LOG.
    temporal_mapping: NATIVE or EPOCH.
    """

    type = "snowflake"
    required = ("connection",)

    connection: SnowflakeConnection | None = field(default=None, repr=nested_only, metadata={NESTED: SnowflakeConnection})
    role: str | None = None
    warehouse: str | None = None
    database: str | None = None
    stage_schema: str | None = None
    stage_name: str | None = None
    stage_prefix: str | None = None
    table_schema: str | None = None
    table_prefix_type: str | None = None
    transformation_type: str | None = None
    temporal_mapping: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


@frozen(kw_only=True)
class S3Target(StreamingTarget):
    """Files in an S3 bucket. decimal_mapping: LOGICAL or LEGACY."""

    type = "s3"
    required = ("bucket",)

    bucket: str | None = None
    prefix: str | None = None
    decimal_mapping: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


@frozen(kw_only=True)
class AbsTarget(StreamingTarget):
    """Files in Azure Blob Storage. decimal_mapping: LOGICAL or LEGACY."""

    type = "abs"
    required = ("container", "account_name", "account_key")

    container: str | None = None
    prefix: str | None = None
    account_name: str | None = None
    account_key: Secretive = field(default=None, converter=as_secret, metadata=REFERENCE)
    decimal_mapping: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


@frozen(kw_only=True)
class OtherTarget:
    """A target of a type that this version does not know, with all its keys in `extra`."""

    type: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


KNOWN_TARGETS: Final[Mapping[str, type[StreamingTarget]]] = {kind.type: kind for kind in (SnowflakeTarget, S3Target, AbsTarget)}


def read_target(document: Mapping[str, Any]) -> StreamingTarget | OtherTarget:
    """A target by its `type`; a type in other letters than ours keeps them, in `extra`."""
    kind = KNOWN_TARGETS.get(str(document.get("type")).lower())
    if kind is None:
        return read(OtherTarget, document)
    return read(kind, {key: value for key, value in document.items() if (key, value) != ("type", kind.type)})
