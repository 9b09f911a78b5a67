"""The root object: wires one session, one governor, one watcher and one trigger desk together, and closes them in the right order."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from maia_async.auth import Auth, ClientCredentials, StaticToken
from maia_async.clock import utc_now
from maia_async.config import Region, Settings, checked_base_url, checked_url
from maia_async.errors import ConfigurationError, InvalidRequest
from maia_async.events import Observer, SweepBegun
from maia_async.exchange import Exchange
from maia_async.governor import Governor, Lane
from maia_async.home import Home
from maia_async.models import Response
from maia_async.observers import Observers
from maia_async.orchestration.trigger import Patience, TriggerDesk
from maia_async.policies import PollPolicy, RateLimit, RetryPolicy, Timeouts, TriggerPolicy
from maia_async.problems import FieldProblem
from maia_async.resources.execution import PipelineExecution, handle_from
from maia_async.resources.project import Executions, Project, Projects
from maia_async.resources.runtime import Runtime
from maia_async.resources.sightings import list_reader
from maia_async.session import Session
from maia_async.statistics import Statistics, quantile
from maia_async.tasks import TaskOwner
from maia_async.watching.planner import Plan
from maia_async.watching.watcher import Watcher
from maia_async.wire.raw import raw_request, raw_response

if TYPE_CHECKING:
    import aiohttp


class Maia:
    """A client of one Maia account: `async with Maia(auth=...) as maia`, or make it, use it, and `await maia.aclose()`.

    auth: StaticToken, ClientCredentials, or any object with the two methods of `Auth`. region: where the account lives; `base_url`
    (https, or http on loopback) overrides it. token_url: for ClientCredentials that name none. project_id: the default of `project()`.
    rate_limit None: no budget is kept (for an emulator; a 429 still pauses). http: a session of yours to use; it is not closed.
    Making one does no I/O and needs no event loop. Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        auth: Auth | ClientCredentials,
        region: str | Region = Region.EU1,
        base_url: str | None = None,
        token_url: str | None = None,
        project_id: str | None = None,
        retry: RetryPolicy = RetryPolicy(),
        rate_limit: RateLimit | None = RateLimit(),
        poll: PollPolicy = PollPolicy(),
        trigger: TriggerPolicy = TriggerPolicy(),
        timeout: Timeouts = Timeouts(),
        http: aiohttp.ClientSession | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        if not isinstance(auth, ClientCredentials) and not (hasattr(auth, "authorization") and hasattr(auth, "forget")):
            raise ConfigurationError("auth must be StaticToken, ClientCredentials, or an object with authorization() and forget()")
        self.project_id = project_id
        self.base_url = checked_base_url(base_url) if base_url is not None else Region.parse(region).base_url
        self._observers = Observers(observers)
        self._home = Home()
        self._owner = TaskOwner(self._home)
        self._session = Session(timeout=timeout, http=http, home=self._home)
        self._governor = Governor(rate_limit)
        self._exchange = Exchange(
            session=self._session,
            governor=self._governor,
            auth=auth,
            base_url=self.base_url,
            token_url=None if token_url is None else checked_url(token_url, name="token_url"),
            retry=retry,
            max_pause=None if rate_limit is None else rate_limit.max_pause,
            observers=self._observers,
        )
        self._watcher = Watcher(
            policy=poll,
            governor=self._governor,
            owner=self._owner,
            read_page=list_reader(self._exchange),
            server_time=self._exchange.server_time,
            tell=self._tell_round,
        )
        self._desk = TriggerDesk(
            exchange=self._exchange,
            owner=self._owner,
            observers=self._observers,
            patience=Patience(settle=trigger.settle, unreachable=poll.max_unreachable, max_sends=retry.max_tries, attempt=timeout.total),
        )
        self._runtime = Runtime(
            exchange=self._exchange,
            watcher=self._watcher,
            owner=self._owner,
            observers=self._observers,
            trigger=self._desk,
            settle=trigger.settle,
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """A client from `MAIA_TOKEN`, or `MAIA_CLIENT_ID` and `MAIA_CLIENT_SECRET`; `MAIA_REGION`, `MAIA_BASE_URL`, `MAIA_TOKEN_URL`,
        `MAIA_PROJECT_ID`. `overrides` are arguments of the constructor and win. `MAIA_TOKEN_FILE` and `MAIA_CLIENT_SECRET_FILE` name
        files with the secret instead, which only their owner can read (mode 0600).

        Raises ConfigurationError that says which variables to set.
        """  # noqa: D205 - the list of variables is the summary
        source = [os.environ if environ is None else environ]
        del environ  # a traceback shows local variables
        settings = Settings.from_env(source.pop(), needs_credentials="auth" not in overrides)
        found: dict[str, Any] = {
            "region": settings.region,
            "base_url": settings.base_url,
            "token_url": settings.token_url,
            "project_id": settings.project_id,
        }
        if settings.token is not None:
            found["auth"] = StaticToken(settings.token)
        elif settings.client_id is not None and settings.client_secret is not None:
            found["auth"] = ClientCredentials(settings.client_id, settings.client_secret)
        if "region" in overrides:
            found["base_url"] = None  # the argument wins over both variables that say where the account is
        return cls(**{**{name: value for name, value in found.items() if value is not None}, **overrides})

    @property
    def projects(self) -> Projects:
        """The projects of the account."""
        return Projects(self._runtime)

    @property
    def executions(self) -> Executions:
        """The executions of the account."""
        return Executions(self._runtime)

    def project(self, project_id: str | None = None) -> Project:
        """A project by id; None: the client's `project_id`. Raises ConfigurationError when there is none."""
        chosen = self.project_id if project_id is None else project_id
        if chosen is None:
            raise ConfigurationError("no project: give project_id, or set MAIA_PROJECT_ID")
        if not isinstance(chosen, str) or not chosen:
            raise InvalidRequest([FieldProblem("project_id", "must be text and not empty")])
        return Project(self._runtime, chosen)

    def execution_from(self, reference: str) -> PipelineExecution:
        """Re-attach to a run by what `execution.reference`, or `error.reference`, gave in another process. It does no I/O.

        Raises InvalidRequest for anything that is no reference, or one of a newer version, and MisuseError for a run at another region or
        base_url than this client's. That a 404 soon after a trigger is no end (`not_found_grace`) holds for the triggering process only.
        """
        return handle_from(self._runtime, reference)

    async def request(
        self, method: str, path: str, *, params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None, json: Any = None
    ) -> Response:
        """The raw door to any operation: `path` starts with `/v1`, is percent-encoded, and holds no query.

        The same auth, budget, retries and errors as everywhere: a non-2xx raises ResponseError; POST and PATCH are not sent again when
        they may have been carried out. The body comes back as parsed JSON, else as text, else None.
        """
        spec = raw_request(method, path, params, json)
        lane = Lane.READ if spec.method in {"GET", "HEAD", "OPTIONS"} else Lane.TRIGGER
        return raw_response(await self._exchange.call(spec, lane))

    def statistics(self) -> Statistics:
        """What this client has done so far."""
        outcomes, lags = dict(self._exchange.outcomes), sorted(self._watcher.lags)
        middle, tail = quantile(lags, 0.5), quantile(lags, 0.99)
        return Statistics(
            requests=self._exchange.sent,
            outcomes=outcomes,
            rate_limited=outcomes.get("429", 0),
            throttled_seconds=self._governor.throttled_seconds,
            paused_seconds=self._governor.paused_seconds,
            budget=limit if (limit := self._governor.limit_now) < math.inf else None,
            budget_in_use=self._governor.in_use(),
            in_flight=self._governor.in_flight,
            waits=self._watcher.waiting,
            looks=self._watcher.looks,
            sweeps=self._watcher.sweeper.rounds,
            list_pages=self._watcher.chains.pages,
            list_rows=self._watcher.chains.rows,
            triggers_in_doubt=self._desk.counts["in doubt"],
            triggers_adopted=self._desk.counts["adopted"],
            triggers_sent_again=self._desk.counts["sent again"],
            triggers_unknown=self._desk.counts["unknown"],
            retries=self._exchange.retries,
            held_back=self._exchange.held_back,
            detection_lag=None if middle is None or tail is None else (middle, tail),
        )

    def _tell_round(self, project_id: str, plan: Plan, runs: int) -> None:
        if self._observers:
            self._observers.emit(
                SweepBegun(
                    at=utc_now(), project_id=project_id, plan=plan.kind.value, runs=runs, requests=plan.requests, interval=plan.interval
                )
            )

    async def aclose(self) -> None:
        """Close: waits end with SessionClosed, triggers and cancels under way get 10 s, then nothing of ours runs.

        It may be called from another task than the one that opened, and more than once. In a forked child it leaves the parent's
        connections alone. Raises MisuseError in another event loop while the client's own may still run.
        """
        if self._home.is_forked:
            self._session.disown()
            return
        if not self._home.is_over and not self._session.closed:
            self._home.check()
        # Read from the bottom up. Each step is taken even when a cancellation ends the one before it.
        async with AsyncExitStack() as steps:
            steps.push_async_callback(self._session.aclose)
            steps.callback(self._governor.close)
            steps.push_async_callback(self._owner.aclose)
            steps.push_async_callback(self._desk.aclose)
            steps.push_async_callback(self._watcher.aclose)

    async def __aenter__(self) -> Self:
        self._session.check_usable()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Maia {self.base_url}{' closed' if self._session.closed else ''}>"
