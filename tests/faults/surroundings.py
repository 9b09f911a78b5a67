"""What is wrong around a client and no HTTP server's doing: names, addresses, TLS, proxies, pools, clocks. Each gives a client's settings.

The real emulator is there in each; where a name is looked up it is `localhost`, for which plain HTTP is allowed.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from unittest import mock

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from scripted import Scripted, Step, answer, html

from maia_async import clock
from maia_async.emulator import Emulator

Settings = dict[str, Any]
Surrounding = Callable[[Emulator], AbstractAsyncContextManager[Settings]]
ALIVE: Final = "127.0.0.1"
DEAD: Final = "127.0.0.2"
_PEM: Final = Path(__file__).parent.parent / "self_signed.pem"


class Names(AbstractResolver):
    """Answers with these addresses, one list for each question and the last one for ever; None fails, and "never" does not answer."""

    def __init__(self, *answers: list[str] | None) -> None:
        self._answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if found is None:
            raise OSError(socket.EAI_NONAME, "Name or service not known")
        if found == ["never"]:
            await asyncio.Event().wait()
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST) for one in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


@contextmanager
def black_hole(host: str, port: int) -> Iterator[int]:
    """An address that answers no SYN: its queue is full, so the kernel drops what comes."""
    with socket.socket() as listening:
        listening.bind((host, port))
        listening.listen(0)
        place = listening.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(place)
            yield int(place[1])
        finally:
            for filler in fillers:
                filler.close()


def _port(emulator: Emulator) -> int:
    return int(emulator.url.rsplit(":", 1)[1])


@asynccontextmanager
async def _named(emulator: Emulator, *answers: list[str] | None, **connector: Any) -> AsyncIterator[Settings]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Names(*answers), **connector)) as http:
        yield {"base_url": f"http://localhost:{_port(emulator)}/dpc", "http": http}


@asynccontextmanager
async def no_such_name(emulator: Emulator) -> AsyncIterator[Settings]:
    async with _named(emulator, None) as settings:
        yield settings


@asynccontextmanager
async def name_comes_back(emulator: Emulator) -> AsyncIterator[Settings]:
    async with _named(emulator, None, None, [ALIVE]) as settings:
        yield settings


@asynccontextmanager
async def name_moves(emulator: Emulator) -> AsyncIterator[Settings]:
    """The first answer is of an address that is dead by now; the cache of names lasts for no time, as it would after its end."""
    async with _named(emulator, [DEAD], [ALIVE], ttl_dns_cache=0) as settings:
        yield settings


@asynccontextmanager
async def name_never_answered(emulator: Emulator) -> AsyncIterator[Settings]:
    async with _named(emulator, ["never"]) as settings:
        yield settings


@asynccontextmanager
async def name_never_answered_own(emulator: Emulator) -> AsyncIterator[Settings]:
    """In a session that the client takes for one that it has opened itself."""
    http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Names(["never"])))
    yield {"base_url": f"http://localhost:{_port(emulator)}/dpc", "own": http}
    assert http.closed


@asynccontextmanager
async def first_address_dead(emulator: Emulator) -> AsyncIterator[Settings]:
    with black_hole(DEAD, _port(emulator)):
        async with _named(emulator, [DEAD, ALIVE]) as settings:
            yield settings


@asynccontextmanager
async def syn_black_hole(emulator: Emulator) -> AsyncIterator[Settings]:
    with black_hole(DEAD, 0) as port:
        yield {"base_url": f"http://{DEAD}:{port}/dpc"}


@asynccontextmanager
async def plain_http_on_tls_port(emulator: Emulator) -> AsyncIterator[Settings]:
    yield {"base_url": f"https://{ALIVE}:{_port(emulator)}/dpc"}


@asynccontextmanager
async def tls_never_answered(emulator: Emulator) -> AsyncIterator[Settings]:
    async with Scripted(then=Step(end="stall", unread=True)) as server:
        yield {"base_url": f"https://{ALIVE}:{server.port}/dpc"}


@asynccontextmanager
async def certificate_of_nobody(emulator: Emulator) -> AsyncIterator[Settings]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(_PEM)
    async with Scripted(then=answer(), tls=tls) as server:
        yield {"base_url": f"https://{ALIVE}:{server.port}/dpc"}


@asynccontextmanager
async def certificate_of_another_host(emulator: Emulator) -> AsyncIterator[Settings]:
    """Vouched for, and for another name than the one that is asked for."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(_PEM)
    trusting = ssl.create_default_context(cafile=str(_PEM))
    connector = aiohttp.TCPConnector(ssl=trusting, resolver=Names([ALIVE]))
    async with Scripted(then=answer(), tls=tls) as server, aiohttp.ClientSession(connector=connector) as http:
        yield {"base_url": f"https://another-host.test:{server.port}/dpc", "http": http}


@asynccontextmanager
async def proxy_refuses(emulator: Emulator) -> AsyncIterator[Settings]:
    async with Scripted(then=html(407)) as proxy, aiohttp.ClientSession(proxy=proxy.url) as http:
        yield {"base_url": f"https://{ALIVE}:{_port(emulator)}/dpc", "http": http}


@asynccontextmanager
async def proxy_in_environment(emulator: Emulator) -> AsyncIterator[Settings]:
    async with Scripted(then=html(407)) as proxy:
        with mock.patch.dict(os.environ, dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), proxy.url)):
            yield {}
        assert proxy.requests == []


@asynccontextmanager
async def pool_of_two(emulator: Emulator) -> AsyncIterator[Settings]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2)) as http:
        yield {"http": http}


class _Vault:
    """Credentials of the caller's own, with a bug in them."""

    async def authorization(self) -> str:
        raise ValueError("the vault has no such key")

    def forget(self, authorization: str) -> None:
        """Nothing is kept."""


@asynccontextmanager
async def auth_breaks(emulator: Emulator) -> AsyncIterator[Settings]:
    yield {"auth": _Vault()}


@asynccontextmanager
async def loop_stalls(emulator: Emulator) -> AsyncIterator[Settings]:
    """At the third second somebody blocks the loop for ten minutes, or the machine sleeps."""
    loop: Any = asyncio.get_running_loop()

    def stall() -> None:
        loop._virtual.now += 600

    timer = loop.call_later(3, stall)
    yield {}
    timer.cancel()


@asynccontextmanager
async def wall_clock_jumps(emulator: Emulator) -> AsyncIterator[Settings]:
    """Our wall clock goes back by an hour each time somebody looks at it."""
    looks, real = [0], clock.utc_now

    def jumping() -> Any:
        looks[0] += 1
        return real() - timedelta(hours=looks[0])

    users = [module for name, module in list(sys.modules.items()) if name.startswith("maia_async.") and hasattr(module, "utc_now")]
    with ExitStack() as stack:
        for module in users:
            stack.enter_context(mock.patch.object(module, "utc_now", jumping))
        yield {}


SURROUNDINGS: Final[dict[str, Surrounding]] = {
    each.__name__: each
    for each in (
        no_such_name,
        name_comes_back,
        name_moves,
        name_never_answered,
        name_never_answered_own,
        first_address_dead,
        syn_black_hole,
        plain_http_on_tls_port,
        tls_never_answered,
        certificate_of_nobody,
        certificate_of_another_host,
        proxy_refuses,
        proxy_in_environment,
        pool_of_two,
        auth_breaks,
        loop_stalls,
        wall_clock_jumps,
    )
}
