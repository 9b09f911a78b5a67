"""One attempt over HTTP: bounded in time and size, with connection errors as our own types. The only user of the aiohttp client.

It neither retries nor waits for a rate, and it follows no redirect (credentials and bodies would follow to another host). aiohttp
re-sends GET, PUT and DELETE once on its own when a connection drops, and `TraceConfig` does not see it: our middleware turns the
connection's errors into types that aiohttp does not know, so that every attempt is one that we decided on and counted. The token is
set inside that middleware, hence it is in no local variable of ours or of aiohttp's request function.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final

import aiohttp
import anyio
from yarl import URL

from maia_async.errors import ConnectFailed, DecodeError, Disconnected, MaiaError, RequestTimedOut, SessionClosed
from maia_async.home import Home
from maia_async.policies import Timeouts
from maia_async.secrets import Secret
from maia_async.tasks import is_being_cancelled
from maia_async.wire.requests import Reply

# anyio loads its backend at the first cancel scope: a stall of 15 ms inside somebody's running loop.
import_module("anyio._backends._asyncio")
MAX_BODY: Final = 32 * 1024 * 1024
_INHERITED: Final[list[object]] = []
POOL: Final = 120  # the governor lets at most this many requests fly, so nobody waits for a connection with a timeout running


class _Broken(Exception):
    """Carries our error through aiohttp."""

    def __init__(self, error: MaiaError) -> None:
        self.error = error


class Session:
    """Owns an `aiohttp.ClientSession`, or borrows the caller's and never closes that. Opens at the first request, in that loop."""

    def __init__(
        self, *, timeout: Timeouts, http: aiohttp.ClientSession | None = None, max_body: int = MAX_BODY, home: Home | None = None
    ) -> None:
        self._borrowed = http
        self._http = http
        self._max_body = max_body
        # Above 5 s aiohttp rounds deadlines up to whole seconds unless told otherwise.
        self._timeout = aiohttp.ClientTimeout(total=timeout.total, sock_connect=timeout.connect, ceil_threshold=1e9)
        # There is no public way to read a session's middlewares, and giving ours replaces them.
        self._theirs: Sequence[Any] = tuple(getattr(http, "_middlewares", ()) or ())
        self._home = home or Home()
        self._closed = False
        self._closing = asyncio.Event()
        self._on_loan: set[anyio.CancelScope] = set()  # one for each request through a borrowed session

    @property
    def closed(self) -> bool:
        """Whether `aclose()` was called."""
        return self._closed

    def check_usable(self) -> None:
        """Raises SessionClosed after close, MisuseError anywhere but where it lives (see `home.py`)."""
        if self._closed:
            raise SessionClosed
        self._home.check()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        authorization: Secret | None = None,
        body: bytes | Secret | None = None,
    ) -> Reply:
        """Send one request and read the whole answer, whatever its status.

        Raises ConnectFailed (nothing was sent), RequestTimedOut, Disconnected, DecodeError (the answer is too large), SessionClosed.
        """
        answer = await (self._answer if self._borrowed is None else self._lent)(method, url, headers, authorization, body)
        # Raised out here: no aiohttp error hangs on ours as its context, and no frame of its traceback holds the response. Both print
        # headers in their reprs: the request's with the token, and what a server may have echoed.
        if isinstance(answer, MaiaError):
            raise answer
        return answer

    async def _lent(
        self, method: str, url: str, headers: dict[str, str] | None, authorization: Secret | None, body: bytes | Secret | None
    ) -> Reply | MaiaError:
        """The same on a borrowed session. Our close leaves that open: without a scope its requests would go on until `Timeouts.total`."""
        with anyio.CancelScope() as scope:
            self._on_loan.add(scope)
            try:
                return await self._answer(method, url, headers, authorization, body)
            finally:
                self._on_loan.discard(scope)
        return SessionClosed()

    async def _answer(
        self, method: str, url: str, headers: dict[str, str] | None, authorization: Secret | None, body: bytes | Secret | None
    ) -> Reply | MaiaError:
        http = self._open()
        try:
            async with http.request(
                method,
                URL(url, encoded=True),
                # Wrapped: it stands in a local variable of aiohttp's request function, which a cancellation's traceback shows.
                data=aiohttp.BytesPayload(body.reveal().encode()) if isinstance(body, Secret) else body,
                headers=headers,
                allow_redirects=False,
                raise_for_status=False,  # a borrowed session may say otherwise, and the same for the next one
                auto_decompress=True,
                timeout=self._timeout,
                middlewares=(_guard(authorization), *self._theirs),
            ) as response:
                content = await self._read(response)
                if content is None:
                    return DecodeError([f"$: the answer is larger than {self._max_body} bytes"], status=response.status)
                return Reply(status=response.status, headers=response.headers, body=content, secret=authorization)
        except _Broken as carried:
            return carried.error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _ours(error)
        except asyncio.CancelledError:
            # A connector that is closed cancels its lookups of names, and whoever waits for one would seem to be cancelled himself.
            if not http.closed or is_being_cancelled():
                raise
            return self._gone()
        except RuntimeError:
            if not http.closed:
                raise
            return self._gone()

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts. Raises SessionClosed as soon as the client is closed, and not at the end of the wait."""
        with anyio.move_on_after(seconds):
            await self._closing.wait()
            raise SessionClosed

    async def aclose(self) -> None:
        """Close the connections that we own, and end the requests on those that we do not. Closing twice does nothing."""
        self._closed = True
        self._closing.set()
        for scope in tuple(self._on_loan):
            scope.cancel()
        http, self._http = self._http, None
        if http is not None and http is not self._borrowed:
            await http.close()

    def _gone(self) -> SessionClosed:
        return SessionClosed() if self._closed else SessionClosed("the aiohttp session of this client is closed")

    def disown(self) -> None:
        """Be closed without touching a connection: in a forked child they are the parent's, and so is the selector that watches them."""
        self._closed = True
        if self._http is not None:
            _INHERITED.append(self._http)  # never collected, for aiohttp closes then what it holds
        self._http = None

    def _open(self) -> aiohttp.ClientSession:
        self.check_usable()
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=POOL),
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=65536,  # a policy or cookie of a gateway may be longer than the 8 KiB that aiohttp takes
                max_field_size=65536,
                headers={"User-Agent": f"maia-async/{_version()} aiohttp/{aiohttp.__version__}", "Accept": "application/json"},
                trust_env=False,
            )
        return self._http

    async def _read(self, response: aiohttp.ClientResponse) -> bytes | None:
        """The body; None when it is larger than the bound."""
        chunks: list[bytes] = []
        size = 0
        while chunk := await response.content.readany():  # decoded bytes: a small gzip body can become a large one
            size += len(chunk)
            if size > self._max_body:
                response.close()
                return None
            chunks.append(chunk)
        return b"".join(chunks)


@cache
def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - a tenth of the time of `import maia_async`

    try:
        return version("maia-async")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"


def _guard(authorization: Secret | None) -> Any:
    async def guard(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        if authorization is not None:
            request.headers["Authorization"] = authorization.reveal()
        try:
            response: aiohttp.ClientResponse = await handler(request)
        except aiohttp.ClientError as error:
            raise _Broken(_ours(error)) from None
        return response

    return guard


def _ours(error: Exception) -> MaiaError:
    """The connection's error as ours.

    aiohttp's                                                       ours
    certificate or fingerprint refused                              ConnectFailed, final: trying again cannot help
    connector errors (refused, DNS, TLS), connect timeout, proxy    ConnectFailed
    other timeouts                                                  RequestTimedOut
    anything else (reset, disconnect, cut or malformed answer)      Disconnected
    """
    said = type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ServerFingerprintMismatch):
        return ConnectFailed(f"the server's certificate was refused ({said})", final=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        return ConnectFailed(f"cannot connect to {error.host}: {error.strerror or said}")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectFailed("the connection was not made in time")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ConnectFailed(f"the proxy refused the connection with {error.status}")
    if isinstance(error, TimeoutError):
        return RequestTimedOut("no complete answer in time")
    if isinstance(error, aiohttp.ClientResponseError):
        return Disconnected("the answer is not valid HTTP")
    return Disconnected(f"the connection broke ({said})")
