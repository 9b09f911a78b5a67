"""Secrets as references to a secret manager, never as values: a plain text in a secret's place is kept masked, only to be refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from attrs import Factory, field, frozen
from attrs import converters as attrs_converters

from maia_async.models.enums import OpenEnum
from maia_async.models.streaming.document import NESTED, Unsendable
from maia_async.secrets import MASK

EXAMPLE: Final = '{"secretType": "AZURE_KEY_VAULT", "secretLocation": "my-vault", "secretName": "my-password"}'


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
    extra: Mapping[str, Any] = Factory(dict)


class PlainText(Unsendable):
    """A text that stands where a secret reference belongs. It shows itself to nobody, and no definition that holds one is sent."""

    why = f"must be a reference to a secret, not a text (it is not shown), for example {EXAMPLE}"

    def __init__(self, text: str) -> None:
        self._text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlainText) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"PlainText({MASK})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


Secretive = SecretReference | PlainText | None


REFERENCE: Final = {NESTED: SecretReference}
"""Metadata of a field that holds a reference."""


def as_secret(value: Any) -> Any:
    """A converter for fields that hold a reference: a plain text is masked at once, so that no repr of the definition shows it."""
    return PlainText(value) if isinstance(value, str) else value
