"""Where Maia is and who we are there: addresses checked, variables read from a mapping that is handed in, and files that these name.

Nothing is sent, nothing is written, and no message or traceback shows a secret or the mapping.

Hosts: EU1 and US1 are the published servers; AU1 is in the vendor's Terraform provider only (API survey, section 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from attrs import field, frozen

from maia_async.errors import ConfigurationError
from maia_async.secretfiles import read_secret
from maia_async.secrets import Secret

TOKEN_URL: Final = "https://id.core.matillion.com/oauth/dpc/token"  # noqa: S105 - an address, not a secret
AUDIENCE: Final = "https://api.matillion.com"


class Region(StrEnum):
    """Where the account lives; an account can only be reached through its own region."""

    EU1 = "eu1"
    US1 = "us1"
    AU1 = "au1"

    @property
    def base_url(self) -> str:
        """The API's root in this region; paths under it start with `/v1`."""
        return f"https://{self.value}.api.matillion.com/dpc"

    @classmethod
    def parse(cls, value: str | Region) -> Region:
        """A region from its name in any case; raises ConfigurationError that lists the names."""
        try:
            return cls(value.lower())
        except (ValueError, AttributeError):
            names = ", ".join(repr(region.value) for region in cls)
            raise ConfigurationError(f"region must be one of {names}, is {value!r}; for another host give base_url") from None


def checked_url(url: str, *, name: str) -> str:
    """`url` without a trailing slash, when it is https (or http on loopback), has a host, and no user, query or fragment.

    Raises ConfigurationError, which names the setting and does not repeat a password.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(f"{name} is not a URL") from None
    # Any "@": in "user:password@host" without "//" the parser sees no user, and the messages below repeat the URL.
    if "@" in str(url):
        raise ConfigurationError(f"{name} must not contain a user name or password")
    if not host or parts.scheme not in {"https", "http"} or any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise ConfigurationError(f"{name} must be an https URL with a host, is {url!r}")
    if "?" in url or "#" in url:  # an empty query too: paths are appended to this
        raise ConfigurationError(f"{name} must not contain a query or a fragment, is {url!r}")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(f"{name} must be https (http is accepted on loopback only), is {url!r}")
    return url.rstrip("/")


def checked_base_url(url: str) -> str:
    """`checked_url` for the API's root; a trailing `/v1`, which some of the vendor's pages print, is dropped."""
    return checked_url(url, name="base_url").removesuffix("/v1").rstrip("/")


def default_token_url(base_url: str) -> str:
    """Where credentials go when nobody says: the vendor's endpoint; on loopback the same server, for a secret must not leave the machine
    because a variable was forgotten.
    """  # noqa: D205 - one rule and its reason
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}/oauth/dpc/token" if is_loopback(parts.hostname or "") else TOKEN_URL


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _secret(value: str | Secret | None) -> Secret | None:
    return None if value is None else Secret.of(value)


@frozen(kw_only=True)
class Settings:
    """What the environment says. Exactly one kind of credentials is set: `token`, or `client_id` with `client_secret`."""

    token: Secret | None = field(default=None, repr=False, converter=_secret)
    client_id: str | None = None
    client_secret: Secret | None = field(default=None, repr=False, converter=_secret)
    region: Region | None = None
    base_url: str | None = None
    token_url: str | None = None
    project_id: str | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, needs_credentials: bool = True) -> Settings:
        """Settings from `MAIA_*` variables; an empty variable counts as unset. Without `needs_credentials` none are read.

        `MAIA_TOKEN_FILE` and `MAIA_CLIENT_SECRET_FILE` name files that hold the secret instead; see `secretfiles.py`.
        Raises ConfigurationError, naming the variables, when no credentials are set, when both kinds are, or when one half is missing.
        """
        get = {key: environ.get(f"MAIA_{key}", "").strip() or None for key in _VARIABLES}
        secrets = {key: Secret.of(environ.get(f"MAIA_{key}")) for key in _SECRETS}
        del environ  # a traceback shows local variables
        token, client_secret = (_held(key, secrets[key], get[f"{key}_FILE"]) if needs_credentials else None for key in _SECRETS)
        client_id = get["CLIENT_ID"] if needs_credentials else None
        if token and (client_id or client_secret):
            raise ConfigurationError("both MAIA_TOKEN and MAIA_CLIENT_ID/MAIA_CLIENT_SECRET are set: unset one kind")
        if needs_credentials and not token:
            if not client_id and not client_secret:
                raise ConfigurationError("no credentials: set MAIA_CLIENT_ID and MAIA_CLIENT_SECRET, or MAIA_TOKEN")
            for key, half in (("CLIENT_ID", client_id), ("CLIENT_SECRET", client_secret)):
                if not half:
                    raise ConfigurationError(f"MAIA_{key} is not set, and its other half is: set both")
        return cls(
            token=token,
            client_id=client_id,
            client_secret=client_secret,
            region=Region.parse(get["REGION"]) if get["REGION"] else None,
            base_url=checked_base_url(get["BASE_URL"]) if get["BASE_URL"] else None,
            token_url=checked_url(get["TOKEN_URL"], name="token_url") if get["TOKEN_URL"] else None,
            project_id=get["PROJECT_ID"],
        )


def _held(key: str, given: Secret, path: str | None) -> Secret | None:
    """The secret of `MAIA_{key}`, or of the file that `MAIA_{key}_FILE` names; None when neither is set."""
    if given and path is not None:
        raise ConfigurationError(f"both MAIA_{key} and MAIA_{key}_FILE are set: unset one")
    return read_secret(path, name=f"MAIA_{key}_FILE") if path is not None else given or None


_SECRETS: Final = ("TOKEN", "CLIENT_SECRET")
_VARIABLES: Final = ("CLIENT_ID", "REGION", "BASE_URL", "TOKEN_URL", "PROJECT_ID", *(f"{key}_FILE" for key in _SECRETS))
