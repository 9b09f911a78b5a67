"""One request of ours from the budget to its answer: a token, a slot, an attempt, another when right. It knows nothing of runs.

after an attempt                            then
2xx                                         return it
401, first time, and auth has another       once more, not counted as a try
429                                         the governor pauses everybody; once more unless the pause is over `max_pause`
may be sent again (wire/answers.py)         wait: full jitter, or Retry-After when that is longer; then once more
none: held back in an outage (breaker.py)   the same, the first time after the pause; nothing of the budget of retries
anything else, or no tries, or no budget    raise it

whose answer it is          its `Date` is the API's time (`server_time`, and what is concluded about runs)
the API's                   yes; without a usable one it takes back what an earlier one told
the token endpoint's        no: that is another machine, whose clock may be ahead, and the run of a POST would seem to have begun before it
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from attrs import define, evolve

from maia_async.auth import Auth, ClientCredentials, Token, TokenSource, read_token
from maia_async.backoffs import jittered
from maia_async.breaker import Breaker, HeldBack
from maia_async.clock import utc_now
from maia_async.config import default_token_url
from maia_async.errors import (
    ConfigurationError,
    DecodeError,
    MaiaError,
    RateLimited,
    ResponseError,
    TransportError,
    Unauthorized,
)
from maia_async.events import RateLimitPaused, RequestFinished, TokenRefreshed
from maia_async.governor import Governor, Lane, Slot
from maia_async.logs import logger
from maia_async.observers import Observers
from maia_async.policies import RateLimit, RetryPolicy
from maia_async.retrying import RetryBudget
from maia_async.secrets import Secret
from maia_async.session import Session
from maia_async.wire.answers import error_of, is_failure, may_send_again
from maia_async.wire.bodies import decoded, encoded, masked_lines, written
from maia_async.wire.codec import parse_json
from maia_async.wire.landing import Landing, landing_of
from maia_async.wire.requests import Reply, RequestSpec
from maia_async.wire.retry_after import http_date

T = TypeVar("T")
Dated = tuple[str, float]
"""The `Date` header of the API's last answer ("" when it had none), and the loop's time at which it came."""
_JSON = {"Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class Exchange:
    """Everything that a request passes on its way: one per client."""

    def __init__(
        self,
        *,
        session: Session,
        governor: Governor,
        auth: Auth | ClientCredentials,
        base_url: str,
        token_url: str | None,
        retry: RetryPolicy,
        max_pause: float | None,
        observers: Observers,
    ) -> None:
        self.session = session
        self.governor = governor
        self.observers = observers
        self.outcomes: Counter[str] = Counter()
        self.retries = 0
        # The two may be different machines, and each must not be kept from the client for the other's sake.
        self.breaker, self.token_breaker = Breaker(retry.base, retry.cap), Breaker(retry.base, retry.cap, paths=1)
        self.base_url = base_url
        self._retry = retry
        self.max_pause = RateLimit().max_pause if max_pause is None else max_pause
        self._budget = RetryBudget()
        self._given: Secret | None = None
        self.dated: Dated | None = None
        self.auth: Auth = self._token_source(auth, token_url) if isinstance(auth, ClientCredentials) else auth

    def server_time(self) -> float | None:
        """Seconds since the epoch by the API's clock: the last `Date` header and what has passed since; None before the first answer.

        An answer without a usable one is taken to be of our clock's time.
        """
        if self.dated is None:
            return None
        told = self.server_date()
        return utc_now().timestamp() if told is None else told

    def server_date(self) -> float | None:
        """The same, but None when the last answer had no usable `Date`: for conclusions that a wrong clock of ours would falsify."""
        return server_time_at(self.dated, _loop_time())

    @property
    def held_back(self) -> int:
        """How many attempts were not sent because nothing answered, tokens included."""
        return self.breaker.held + self.token_breaker.held

    @property
    def sent(self) -> int:
        """How many attempts have been sent, tokens included."""
        return sum(self.outcomes.values())

    async def call(
        self,
        spec: RequestSpec,
        lane: Lane,
        *,
        tries: int | None = None,
        ride_out: bool = False,
        in_doubt: Callable[[bool], None] | None = None,
        announce: Callable[[], Awaitable[None]] | None = None,
    ) -> Reply:
        """Send `spec` until it succeeds or must not be tried again; returns a 2xx.

        tries: instead of the policy's. ride_out: wait through any pause. in_doubt: told True just before an attempt
        goes out, and False when its answer shows that it was not carried out; what it was told last holds when this raises.
        announce: awaited before that, when nothing else is waited for any more; what it raises keeps the attempt from going out.
        Raises InvalidRequest (what no URL or JSON can carry), TransportError, ResponseError, SessionClosed, MisuseError, and what getting
        a token raises.
        """
        self.session.check_usable()  # before the budget: its queues belong to one loop, too
        url = self.base_url + spec.path + (written(spec.query) if spec.query else "")
        body = None if spec.json is None else encoded(spec.json)
        outgoing = _Outgoing(self, spec, lane, url, None if body is None else _JSON, body, ride_out, in_doubt, announce)
        return await self._until_final(spec, outgoing.attempt, tries or self._retry.max_tries, ride_out=ride_out)

    async def read(
        self,
        spec: RequestSpec,
        lane: Lane,
        decode: Callable[[Any], T],
        *,
        tries: int | None = None,
        ride_out: bool = False,
        in_doubt: Callable[[bool], None] | None = None,
    ) -> T:
        """`call`, then `decode` of the parsed body. Raises DecodeError with the operation in it, and what `call` raises."""
        return decoded(spec, await self.call(spec, lane, tries=tries, ride_out=ride_out, in_doubt=in_doubt), decode)

    async def _until_final(
        self, spec: RequestSpec, attempt: Callable[[], Awaitable[Reply | MaiaError]], tries: int, *, ride_out: bool
    ) -> Reply:
        waits: Iterator[float] | None = None
        waited = False
        for number in range(1, tries + 1):
            self.retries += number > 1
            answer = await attempt()
            if isinstance(answer, Reply):
                self._budget.succeeded()
                return answer
            hint = answer.retry_after if isinstance(answer, ResponseError) else None
            too_long = hint is not None and hint > self.max_pause and not ride_out
            if number == tries or too_long or not may_send_again(spec, answer):
                raise answer
            if isinstance(answer, RateLimited):
                continue  # the governor holds everybody until the pause is over
            waits = waits or jittered(self._retry.base, self._retry.cap)
            if isinstance(answer, HeldBack):
                pause, waited = 0.0 if waited else answer.wait, True
                await self.session.sleep(pause + next(waits))
                continue
            if not self._budget.take():
                raise answer
            await self.session.sleep(max(next(waits), hint or 0.0))
        raise AssertionError("unreachable: the last try returns or raises")

    async def once(
        self, slot: Slot, outgoing: _Outgoing, breaker: Breaker, *, secret: Secret | None, authorization: Secret | None = None
    ) -> Reply | MaiaError:
        """One attempt: its reply when that is a 2xx, else the error that it is. Accounts for slot and breaker, counts and tells.

        The caller has just found that it is not to be held back. secret: what no error may quote from the answer.
        """
        method, path, lane = outgoing.spec.method, outgoing.spec.path, outgoing.lane
        started = _loop_time()
        probe = breaker.leave(started)
        reply: Reply | None = None
        answer: Reply | MaiaError
        try:
            reply = await self.session.send(method, outgoing.url, headers=outgoing.headers, authorization=authorization, body=outgoing.body)
        except (TransportError, DecodeError) as error:
            answer = error.at(method, path)
            slot.unanswered()
        except BaseException as error:
            slot.unanswered()
            if probe:
                breaker.unused()
            self._count(method, path, lane, None, type(error).__name__, started)
            raise
        else:
            answer = self._judged(slot, reply, method, path, secret)
        ended = _loop_time()
        if reply is not None and breaker is self.breaker:
            self.dated = reply.headers.get("Date", ""), ended
        self._heard(breaker, path, answer, started, ended, probe=probe)
        failed = None if isinstance(answer, Reply) else type(answer).__name__
        self._count(method, path, lane, None if reply is None else reply.status, failed, started)
        return answer

    def _heard(self, breaker: Breaker, path: str, answer: Reply | MaiaError, started: float, now: float, *, probe: bool) -> None:
        """Tell the breaker; when an outage ends, see to it that nobody stampedes."""
        if isinstance(answer, MaiaError) and is_failure(answer):
            if breaker.failed(path, now, sent_at=started, probe=probe):
                logger.warning("nothing answers any more (%s): requests are held back, and one at a time looks", type(answer).__name__)
            return
        # Of the API, also when it was the token endpoint that failed: nothing could be sent without a token.
        if breaker.troubled and self.breaker.silence(now) >= breaker.window:
            self.governor.resume(self.breaker.normal)
        breaker.alive(now)

    def _count(self, method: str, path: str, lane: Lane, status: int | None, error: str | None, started: float) -> None:
        self.outcomes[str(error) if status is None else str(status)] += 1
        if self.observers:
            duration = _loop_time() - started
            event = RequestFinished(at=utc_now(), method=method, path=path, lane=lane.name, status=status, error=error, duration=duration)
            self.observers.emit(event)

    def _judged(self, slot: Slot, reply: Reply, method: str, path: str, secret: Secret | None) -> Reply | MaiaError:
        fine = 200 <= reply.status < 300
        if fine and reply.body[:1] in {b"{", b"["}:
            slot.answered()
            return reply
        if secret is not None:  # whatever else it is, its text may be quoted in an error
            headers = {name.lower(): secret.scrub_text(value) for name, value in reply.headers.items()} if not fine else reply.headers
            reply = Reply(status=reply.status, headers=headers, body=secret.scrub(reply.body), secret=secret)
        error = error_of(reply, method=method, path=path)
        if isinstance(error, RateLimited):
            pause = slot.refused(error.retry_after)
            if self.observers:
                self.observers.emit(RateLimitPaused(at=utc_now(), seconds=pause))
        else:
            slot.answered()
        return error or reply

    def checked(self, value: str) -> Secret:
        """What auth gave, as a header that can be sent. Raises ConfigurationError."""
        if self._given is None or value != self._given.reveal():  # it changes every half hour and is asked for at every request
            given = Secret(value)
            if not given.fits_header:
                del value  # a traceback shows local variables
                raise ConfigurationError("auth.authorization() must give printable ASCII text on one line (its value is not shown)")
            self._given = given
        return self._given

    async def authorization(self) -> str:
        """What auth gives. Its own trouble with a network (a vault, say) is a transport error like ours, and ridden out like one."""
        try:
            return await self.auth.authorization()
        except MaiaError:
            raise
        except OSError as error:  # TimeoutError is one, too
            raise TransportError(f"auth.authorization() failed: {type(error).__name__}") from error

    async def has_another(self, rejected: Secret) -> bool:
        """Whether there is another token than the one that was just answered with 401."""
        self.auth.forget(rejected.reveal())
        return Secret(await self.authorization()) != rejected

    def _token_source(self, credentials: ClientCredentials, token_url: str | None) -> TokenSource:
        url = credentials.token_url or token_url or default_token_url(self.base_url)
        path = urlsplit(url).path
        spec = RequestSpec(method="POST", path=path, repeatable=True)
        outgoing = _Outgoing(self, spec, Lane.TOKEN, url, _FORM, Secret(urlencode(credentials.form())))
        breaker = self.token_breaker

        async def attempt() -> Reply | MaiaError:
            if (held := _held(breaker, spec)) is not None:
                return held
            slot = await self.governor.acquire(Lane.TOKEN, method="POST", path=path)
            try:
                if (held := _held(breaker, spec)) is not None:
                    return held
                return await self.once(slot, outgoing, breaker, secret=credentials.client_secret)
            finally:
                slot.unused()

        async def fetch() -> Token:
            try:
                reply = await self._until_final(spec, attempt, self._retry.max_tries, ride_out=False)
            except ResponseError as error:
                raise _token_refused(error) from None
            token = _token_in(spec, evolve(reply, secret=credentials.client_secret))
            if self.observers:
                self.observers.emit(TokenRefreshed(at=utc_now(), expires_in=token.expires_in))
            return token

        return TokenSource(fetch, _loop_time)


@define(eq=False, slots=True)
class _Outgoing:
    """A request on its way. An object and not closures: their cells are what the garbage collector would spend its time on."""

    exchange: Exchange
    spec: RequestSpec
    lane: Lane
    url: str
    headers: dict[str, str] | None
    body: bytes | Secret | None
    ride_out: bool = False
    in_doubt: Callable[[bool], None] | None = None
    announce: Callable[[], Awaitable[None]] | None = None
    replayed: bool = False

    async def attempt(self) -> Reply | MaiaError:
        """One try: two attempts when the first is answered with 401 and there is another token."""
        exchange, in_doubt = self.exchange, self.in_doubt
        refetched = False
        while True:
            # Before it asks for a token and waits in line, and after that, when the line may have waited for the end of nothing.
            if (held := _held(exchange.breaker, self.spec)) is not None:
                return held
            # Asked for before the slot is taken: a slot held while a token is fetched could be the last one.
            given = None if getattr(exchange.auth, "ready", False) else exchange.checked(await exchange.authorization())
            slot = await exchange.governor.acquire(self.lane, method=self.spec.method, path=self.spec.path, ride_out=self.ride_out)
            try:
                # And again after it, once: the wait for a slot may have outlasted the token, but the next may be over at once as well.
                over = not getattr(exchange.auth, "ready", True)
                if over and not refetched:
                    refetched = True
                    continue
                authorization = given if over and given is not None else exchange.checked(await exchange.authorization())
                if (held := _held(exchange.breaker, self.spec)) is not None:
                    return held
                if self.announce is not None:
                    await self.announce()
                if in_doubt is not None:
                    in_doubt(True)
                answer = await exchange.once(slot, self, exchange.breaker, authorization=authorization, secret=authorization)
            finally:
                slot.unused()
            if in_doubt is not None and isinstance(answer, MaiaError) and landing_of(answer) is Landing.NOT_LANDED:
                in_doubt(False)
            # A loop: calling itself, `attempt` would be a reference cycle for every request.
            if not isinstance(answer, Unauthorized) or self.replayed or not await exchange.has_another(authorization):
                return answer
            self.replayed, refetched = True, False


def _loop_time() -> float:
    return asyncio.get_running_loop().time()  # anyio's function costs ten times as much, and this is asked for every request


def _held(breaker: Breaker, spec: RequestSpec) -> HeldBack | None:
    """The error of a request that must not go out now; None when it may."""
    return breaker.holds_back(spec, _loop_time()) if breaker.is_open else None


def server_time_at(dated: Dated | None, at: float) -> float | None:
    """Seconds since the epoch by the API's clock at the loop's time `at`, judged by this `Date`; None when it tells nothing."""
    moment = None if dated is None else http_date(dated[0])
    return None if dated is None or moment is None else moment.timestamp() + at - dated[1]


def _token_in(spec: RequestSpec, reply: Reply) -> Token:
    """The token of the endpoint's answer. Raises DecodeError that neither shows any of the answer nor hangs on a frame that holds it."""
    problems: tuple[str, ...]
    try:
        data = parse_json(reply.body)
    except DecodeError as error:
        # A page (a proxy's sign-in) has no token in it and its title says what to do; broken JSON may show half a token.
        problems = tuple(masked_lines(error, reply)) if reply.body.lstrip()[:1] in {b"", b"<"} else ("$: the answer is not JSON",)
    else:
        try:
            return read_token(data)
        except DecodeError as error:
            problems = tuple(masked_lines(error, reply))  # it may name fields
        del data
    raise DecodeError(problems, method=spec.method, path=spec.path, status=reply.status)


def _token_refused(error: ResponseError) -> ResponseError:
    """A token endpoint's refusal as an error that is about credentials or servers, never about the thing that was asked for.

    400, 401, 403 are refused credentials (its error body is not documented); another 4xx, such as the 404 of a wrong address, is a bare
    ResponseError, since NotFound or PipelineDisabled would be taken for an answer about a run.
    """
    definite = 400 <= error.status < 500 and error.status not in {408, 425, 429}
    if not definite:
        return error
    kind = Unauthorized if error.status in {400, 401, 403} else ResponseError
    return kind(error.status, method=error.method, path=error.path, problem=error.problem, request_id=error.request_id)
