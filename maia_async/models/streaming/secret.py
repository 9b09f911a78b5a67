"""Secrets as references to a secret manager, never as values: a plain text in a secret's place is kept masked, only to be refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import converters as attrs_converters
from attrs import field, frozen

from maia_async.models.enums import OpenEnum
from maia_async.models.streaming.document import NESTED, names_only, read
from maia_async.models.streaming.plaintext import PlainText


class SecretType(OpenEnum):
    """The secret managers (guide, reference, the vendor's Terraform provider)."""

    AWS_SECRETS_MANAGER = "AWS_SECRETS_MANAGER"
    AZURE_KEY_VAULT = "AZURE_KEY_VAULT"
    GOOGLE_SECRET_MANAGER = "GOOGLE_SECRET_MANAGER"  # noqa: S105 - the name of a product


def _secret_type(value: Any) -> Any:
    return SecretType(value) if isinstance(value, str) else value


@frozen(kw_only=True)
class SecretReference:
    """Where a secret lies. `secret_location`: a key vault's name. `secret_key`: a key within the secret (Terraform sends it as `key`)."""

    secret_type: SecretType | None = field(default=None, converter=attrs_converters.optional(_secret_type))
    secret_name: str | None = None
    secret_location: str | None = None
    secret_key: str | None = None
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)


Secretive = SecretReference | PlainText | None


REFERENCE: Final = {NESTED: SecretReference}
"""Metadata of a field that holds a reference."""


def as_secret(value: Any) -> Any:
    """A converter for fields that hold a reference: an object is read as one, anything else is masked at once, so that nothing shows it."""
    if value is None or isinstance(value, SecretReference | PlainText):
        return value
    return read(SecretReference, value) if isinstance(value, Mapping) else PlainText(value)
