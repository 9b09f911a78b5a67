"""`Emulator`: a Maia on loopback for as long as a block lasts; nothing of it survives the block, and it never talks to anybody else."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from aiohttp import web
from attrs import evolve

from maia_async.emulator.app import TOKEN, App
from maia_async.emulator.clock import Clock, ClockLike
from maia_async.emulator.control import Control
from maia_async.emulator.door import Door
from maia_async.emulator.exchange import API
from maia_async.emulator.gate import Gate
from maia_async.emulator.lines import Lines, Server
from maia_async.emulator.readings import Readings
from maia_async.emulator.scenario import Scenario
from maia_async.emulator.service import Service
from maia_async.errors import ConfigurationError, MisuseError
from maia_async.logs import logger_named
from maia_async.policies import PollPolicy, RateLimit, RetryPolicy, Timeouts, TriggerPolicy

if TYPE_CHECKING:
    from maia_async import Maia

_logger = logger_named("maia_async.emulator")
# Long enough for a reply that is being written, short enough that leaving a block is not felt.
_LAST_WORDS = 0.05


class Emulator:
    """An embedded Maia: `async with Emulator() as emulator`.

    scenario: the account and its behaviour; the data of the vendor's guides when None.
    host, port: where it listens; port 0 takes a free one. Off loopback it says so in a warning: it has no secrets worth the name.
    speed: one API second lasts 1/speed real seconds. Durations, `Retry-After`, `expires_in` and latencies shrink with it, and the `Date`
        header runs faster. Away from 1, `Retry-After` may be a decimal such as "0.5".
    clock: another source of API time (see `Clock`). readings, rate_limit: override those of the scenario.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 1,
        clock: ClockLike | None = None,
        readings: Readings | None = None,
        rate_limit: RateLimit | Literal["scenario"] | None = "scenario",
    ) -> None:
        if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed < float("inf"):
            raise ConfigurationError(f"speed must be a number above 0, is {speed!r}")
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
            raise ConfigurationError(f"port must be a whole number from 0 to 65535, is {port!r}")
        scenario = scenario if scenario is not None else Scenario()
        if readings is not None:
            scenario = evolve(scenario, readings=readings)
        if rate_limit != "scenario":
            scenario = evolve(scenario, rate_limit=rate_limit)
        self.scenario = scenario
        self.speed = speed
        self._host = host
        self._port = port
        self._clock = clock if clock is not None else Clock()
        self._service = Service.of(scenario, clock=self._clock, speed=speed)
        self._lines = Lines()
        self._app: App | None = None
        self._runner: web.ServerRunner | None = None
        self._url: str | None = None
        self.control = Control(self._service)

    async def __aenter__(self) -> Self:
        if self._app is not None:
            raise MisuseError("an Emulator can be entered once; make another one")
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise MisuseError("the emulator runs in an asyncio event loop, and none runs here; trio's is none") from None
        if not _is_loopback(self._host):
            _logger.warning("the emulator listens on %s, which others can reach; it checks no real credentials", self._host)
        self._clock.start(self.speed)
        if self.scenario.others_per_minute:
            self.control.set_others(self.scenario.others_per_minute)
        for crowd in self.scenario.crowds:
            self.control.add(crowd)
        self._app = App(self._service, Door(self.control), self._lines)
        # 64 KiB of request line: an id of ten kilobytes is to be answered with 404, not cut off by the parser.
        server = Server(self._app, self._lines, access_log=None, max_line_size=65536, max_field_size=65536)
        self._runner = web.ServerRunner(server, shutdown_timeout=_LAST_WORDS)
        gate = Gate(server, self._lines)
        try:
            await self._runner.setup()
            port = await gate.open(self._host, self._port)
        except BaseException as error:
            await self._runner.cleanup()
            if isinstance(error, OSError):
                raise ConfigurationError(
                    f"the emulator cannot listen on {self._host} port {self._port}: {error.strerror or error}; port 0 takes a free one"
                ) from error
            raise
        for outage in self.scenario.outages:
            gate.plan(outage.after / self.speed, outage.seconds / self.speed)
        self._service.gate = gate
        self._url = _url(self._host, port)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._runner is not None and self._app is not None:
            if self._service.gate is not None:
                await self._service.gate.close()
            self._lines.end()
            await self._runner.cleanup()
            # aiohttp cancels what is still being answered and does not wait for it.
            for _ in range(100):
                if not self._app.in_flight:
                    break
                await asyncio.sleep(0)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, where a client on this machine finds it."""
        if self._url is None:
            raise MisuseError("the emulator has an address inside `async with Emulator()` only")
        return self._url

    @property
    def base_url(self) -> str:
        """The API's root; paths under it start with `/v1`."""
        return self.url + API

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return self.url + TOKEN

    def client(self, **overrides: Any) -> Maia:
        """A client with the first credentials and project of the scenario, and policies that fit the speed; an override wins."""
        from maia_async import ClientCredentials, Maia  # noqa: PLC0415 - the emulator stands beside the client: no cycle through the root

        speed = self.speed
        poll, retry, trigger, limit, timeouts = PollPolicy(), RetryPolicy(), TriggerPolicy(), RateLimit(), Timeouts()
        settings: dict[str, Any] = {
            "base_url": self.base_url,
            "token_url": self.token_url,
            "project_id": self.scenario.projects[0].id,
            "rate_limit": RateLimit(requests=limit.requests, per=limit.per / speed, max_pause=limit.max_pause / speed),
            "poll": PollPolicy(
                min_interval=poll.min_interval / speed,
                max_interval=poll.max_interval / speed,
                max_unreachable=poll.max_unreachable / speed,
                not_found_grace=poll.not_found_grace / speed,
            ),
            "retry": RetryPolicy(max_tries=retry.max_tries, base=retry.base / speed, cap=retry.cap / speed),
            "trigger": TriggerPolicy(settle=trigger.settle / speed),
            # Real machines answer in real time: timeouts do not shrink below what a busy one needs.
            "timeout": Timeouts(connect=max(timeouts.connect / speed, 2.0), total=max(timeouts.total / speed, 5.0)),
        }
        if "auth" not in overrides:
            first = self.scenario.credentials[0]
            settings["auth"] = ClientCredentials(first.client_id, first.client_secret, token_url=self.token_url)
        return Maia(**{**settings, **overrides})


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _url(host: str, port: int) -> str:
    """Where a client on this machine finds it: a wildcard address is reached through loopback."""
    if host in {"", "0.0.0.0"}:  # noqa: S104 - compared with, not bound to
        host = "127.0.0.1"
    elif host == "::":
        host = "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
