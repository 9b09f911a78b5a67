"""Who we are: gives an Authorization value, renews it before it expires, forgets one that was rejected. It sends nothing itself.

Token endpoint (API survey, section 1): form fields grant_type, client_id, client_secret, audience; the answer has `access_token` and
`expires_in`; a token is valid for 30 minutes (older pages: 2 hours), so `expires_in` decides and 30 minutes is the guess without it.

When a token is asked for, with `left` the seconds until its end and `margin` a tenth of its life, at most 5 minutes:

    token                              another task is fetching    then
    none, rejected, or left <= 0       no                          fetch
    none, rejected, or left <= 0       yes                         wait for that one
    0 < left <= margin                 no                          fetch for at most 5 s; if that fails, use the old one
    0 < left <= margin                 yes                         use the old one
    left > margin                      -                           use it
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Final, Protocol

import anyio
from attrs import Attribute, define, field, frozen

from maia_async.config import AUDIENCE, checked_url
from maia_async.errors import ConfigurationError, DecodeError, MaiaError
from maia_async.secrets import Secret

MAX_MARGIN: Final = 300.0
MARGIN_SHARE: Final = 0.1
EARLY_BOUND: Final = 5.0
ASSUMED_LIFE: Final = 1800.0


class Auth(Protocol):
    """What a client needs from its credentials; any object with these two methods will do."""

    async def authorization(self) -> str:
        """The value of the `Authorization` header, for example `Bearer …`."""

    def forget(self, authorization: str) -> None:
        """Do not give this value again: it was answered with 401. If nothing else can be given, do nothing."""


_NO_WORD: Final = "must be text without spaces or control characters (its value is not shown)"


def _one_word(_instance: Any, attribute: Attribute[Any], value: Secret) -> None:
    """Fit for a header. A stray newline in it would otherwise be printed by the HTTP library's complaint."""
    if not value.is_one_word:
        raise ConfigurationError(f"{attribute.name} {_NO_WORD}")


def _in_a_form(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name} must be text and not empty")
    if not value.strip().isprintable():  # half a surrogate pair would fail where the form is written, with the secret in that frame
        raise ConfigurationError(f"{name} must not contain control characters")


# Both have an `__init__` of their own, because a traceback shows the arguments of the one that attrs would write.
@frozen(init=False)
class StaticToken:
    """A bearer token that somebody else renews; after a 401 there is nothing else to give."""

    ready: ClassVar[bool] = True

    token: Secret = field(validator=_one_word, repr=False)

    def __init__(self, token: str | Secret) -> None:
        secret = Secret.of(token)
        del token
        self.__attrs_init__(secret)

    async def authorization(self) -> str:
        """`Bearer` and the token."""
        return f"Bearer {self.token.reveal()}"

    def forget(self, authorization: str) -> None:
        """Nothing can be done about it here."""


@frozen(init=False)
class ClientCredentials:
    """API credentials. `token_url` None: the client's, else the vendor's, which is the same for all regions."""

    client_id: str
    client_secret: Secret = field(validator=_one_word, repr=False)
    token_url: str | None = field(default=None, kw_only=True)
    audience: str | None = field(default=AUDIENCE, kw_only=True)

    def __init__(
        self, client_id: str, client_secret: str | Secret, *, token_url: str | None = None, audience: str | None = AUDIENCE
    ) -> None:
        secret = Secret.of(client_secret)
        del client_secret
        self.__attrs_init__(client_id, secret, token_url=token_url, audience=audience)

    def __attrs_post_init__(self) -> None:
        _in_a_form("client_id", self.client_id)
        if self.audience is not None:
            _in_a_form("audience", self.audience)
        if self.token_url is not None:
            checked_url(self.token_url, name="token_url")

    def form(self) -> dict[str, str]:
        """The fields of the token request."""
        fields = {
            "grant_type": "client_credentials",
            "client_id": self.client_id.strip(),
            "client_secret": self.client_secret.reveal(),
        }
        return fields if self.audience is None else {**fields, "audience": self.audience}


@frozen
class Token:
    """A token and its life in seconds (None when the endpoint did not say)."""

    secret: Secret
    expires_in: float | None


def read_token(data: Any) -> Token:
    """The token in the endpoint's answer. Raises DecodeError that shows the names of its fields and no value."""
    if not isinstance(data, Mapping):
        raise DecodeError(["$: expected an object with access_token"])
    if not isinstance(data.get("access_token"), str) or not data["access_token"].strip():
        raise DecodeError([f"$.access_token: missing; fields present: {', '.join(sorted(map(str, data)))[:200]}"])
    kind = data.get("token_type")
    if kind is not None and str(kind).lower() != "bearer":
        raise DecodeError(["$.token_type: expected Bearer"])
    secret = Secret.of(data["access_token"])
    if not secret.is_one_word:
        raise DecodeError([f"$.access_token: access_token {_NO_WORD}"])
    return Token(Secret(f"Bearer {secret.reveal()}"), _seconds(data.get("expires_in")))


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < 1e9 else None


@define
class TokenSource:
    """The Auth behind ClientCredentials: one token for all requests, fetched once however many ask (`fetch` sends, `now` is a clock)."""

    _fetch: Callable[[], Awaitable[Token]]
    _now: Callable[[], float]
    _token: Secret | None = None
    _expires_at: float = 0.0
    _renew_at: float = 0.0
    _lock: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _fetches: int = field(default=0, init=False)
    _failure: Exception | None = field(default=None, init=False)

    async def authorization(self) -> str:
        """A token that is valid as far as we know; see the table of this module. Raises what the token request raises."""
        usable = self._usable()
        if usable is not None and (self._now() < self._renew_at or self._lock.locked()):
            return usable.reveal()
        fetches = self._fetches
        async with self._lock:
            usable = self._usable()
            if usable is None:
                if self._failure is not None and self._fetches != fetches:
                    raise self._failure.with_traceback(
                        None
                    )  # the fetch that we waited for failed: asking again for each waiter would multiply an outage
                await self._renew()
            elif self._now() >= self._renew_at:
                # Bounded: an endpoint that stalls must not keep requests from a token that is good.
                with anyio.move_on_after(min(EARLY_BOUND, (self._expires_at - self._now()) / 2)), contextlib.suppress(MaiaError):
                    await self._renew()
                if self._now() >= self._renew_at:
                    # The old one still serves: look again a little later instead of at every request.
                    self._renew_at = self._now() + max(1.0, (self._expires_at - self._now()) / 4)
        return self._token.reveal() if self._token is not None else await self.authorization()

    @property
    def ready(self) -> bool:
        """Whether `authorization()` would give a token without fetching one first."""
        return self._usable() is not None

    def forget(self, authorization: str) -> None:
        """Drop the token if it is the one that was rejected; a newer one stays."""
        if self._token is not None and self._token.reveal() == authorization:
            self._token = None

    def _usable(self) -> Secret | None:
        return self._token if self._now() < self._expires_at else None

    async def _renew(self) -> None:
        try:
            token = await self._fetch()
        except Exception as error:
            self._fetches, self._failure = self._fetches + 1, error
            raise
        self._fetches, self._failure = self._fetches + 1, None
        life = ASSUMED_LIFE if token.expires_in is None else token.expires_in
        now = self._now()
        # An endpoint that says 0 gives tokens that we use until they are refused: fetching for every request would never end.
        self._expires_at = now + life if life > 0 else float("inf")
        self._renew_at = self._expires_at - min(MAX_MARGIN, MARGIN_SHARE * life)
        self._token = token.secret
