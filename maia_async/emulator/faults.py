"""`Fault`: one scripted misbehaviour as pure data, the same words in Python, in a scenario file and at the control door; it does nothing.

    | kind              | what goes out instead of a plain answer                                   | `delay` is                    |
    | ----------------- | ------------------------------------------------------------------------- | ----------------------------- |
    | answer (default)  | the answer                                                                | before it                     |
    | html              | the HTML page of a login, with 200                                        | before it                     |
    | redirect          | 302 to `location`                                                         | before it                     |
    | bomb              | 200 with a small gzip body that becomes `size` bytes of JSON              | before it                     |
    | huge              | 200 with `size` bytes of JSON, in chunks without a length                 | before it                     |
    | truncated         | the head, `share` of the body (half), then a reset                        | before it                     |
    | stalled           | the head, `share` of the body (none), then silence                        | the silence, then closed      |
    | trickled          | the head, then the body by `piece` bytes                                  | before each piece (1 s)       |
    | garbage           | `body` as it is on the wire (some bytes that are no HTTP), then closed    | before it, or before each `piece` |
    | silence           | nothing                                                                   | the silence, then closed      |
    | reset             | a connection reset                                                        | before it                     |
    | closed            | a connection closed without an answer                                     | before it                     |
    | closed_after      | the answer; then closed without `Connection: close`                       | before it                     |
    | closed_on_reuse   | the answer; the next request on the connection finds it closed, and is not read | before it               |

A silence without `delay` lasts until the client leaves. Whatever waits ends when the emulator does.

`landed` decides what becomes of the request, and so when the fault is met:

    | landed | kind          | met                                             | the request                                       |
    | ------ | ------------- | ----------------------------------------------- | ------------------------------------------------- |
    | False  | reset, closed | on arrival, before it is read                   | not handled, and not counted against the limit    |
    | False  | others        | after the limit, before its token is looked at  | not handled; counted, as behind a gateway         |
    | True   | any           | after token and path were found good            | handled for real; then its answer is lost or bent |

When it is not given, it is True for what needs the real answer (a kind that sends one, without `status` and `body`) or handling (`ends`,
`lands_after`, `merge`, `put`, `remove`, `replay`), and False otherwise. A request that the limit itself refuses is met by none.

Faults of the list of executions, such as tokens that repeat, are `ListFaults`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import attrs
from attrs import Attribute, field, frozen

from maia_async.emulator import checks
from maia_async.emulator.checks import Span
from maia_async.emulator.executions import TERMINAL
from maia_async.emulator.transforms import steps_of
from maia_async.errors import ConfigurationError

# Kinds that send the real answer when nothing else is given, and all that send one over HTTP.
REAL: Final = frozenset({"answer", "truncated", "stalled", "trickled", "closed_after", "closed_on_reuse"})
SENDING: Final = REAL | {"html", "redirect", "bomb", "huge"}
KINDS: Final = ("answer", *sorted(REAL - {"answer"}), "html", "redirect", "bomb", "huge", "garbage", "silence", "reset", "closed")
_LANDING: Final = ("ends", "lands_after", "merge", "put", "remove", "replay")
_BENDING: Final = frozenset({"merge", "put", "remove", "replay"})
# Which kinds a field is for; a field that is not named here is for all.
_FOR: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("status", "headers", "content_type", "retry_after"), SENDING),
    "body": SENDING - {"bomb", "huge"} | {"garbage"},
    **dict.fromkeys(_BENDING, REAL),
    "share": frozenset({"truncated", "stalled"}),
    "piece": frozenset({"trickled", "garbage"}),
    "size": frozenset({"bomb", "huge"}),
    "location": frozenset({"redirect"}),
}
# aiohttp sets these by the body; wrong ones are written with `garbage`.
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection", "date"})
_MOST_BYTES: Final = 2**30


def _named(name: str, convert: Callable[[Any], Any], value: Any) -> Any:
    """A conversion that lets None through and names its field in a refusal, which no converter is told."""
    try:
        return None if value is None else convert(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _lands_after(value: Any) -> Span | None:
    return cast("Span | None", _named("lands_after", checks.span, value))


def _delay(value: Any) -> Span | None:
    return cast("Span | None", _named("delay", checks.span, value))


def _remove(value: Any) -> tuple[str, ...] | None:
    return cast("tuple[str, ...] | None", _named("remove", checks.texts, value))


def _path(_instance: Any, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, str) or not value.startswith(("/", "*"))):
        raise ConfigurationError(f"{attribute.name} must be a text that begins with '/' or '*', is {value!r}")


def _whole(least: int, most: int, *, optional: bool = False) -> Any:
    def check(_instance: Any, attribute: Attribute[Any], value: Any) -> None:
        if not (optional and value is None) and (isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most):
            raise ConfigurationError(f"{attribute.name} must be a whole number from {least} to {most}, is {value!r}")

    return check


def _part(_instance: Any, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1):
        raise ConfigurationError(f"{attribute.name} must be a number from 0 to 1, is {value!r}")


def _optional_flag(instance: Any, attribute: Attribute[Any], value: Any) -> None:
    if value is not None:
        checks.flag(instance, attribute, value)


def _json(_instance: Any, attribute: Attribute[Any], value: Any) -> None:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{attribute.name} must be a JSON value: {error}") from None


def _object(instance: Any, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value)):
        raise ConfigurationError(f"{attribute.name} must be a mapping with texts as keys, is {value!r}")
    _json(instance, attribute, value)


def _paths(instance: Any, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, Mapping):
        _object(instance, attribute, value)
    for path in value or ():
        if not all(steps_of(path)):
            raise ConfigurationError(f"{attribute.name} must hold paths such as 'results.*.status', holds {path!r}")


def _headers(_instance: Any, attribute: Attribute[Any], value: Any) -> None:
    for name, text in (value or {}).items() if isinstance(value, Mapping | None) else [(None, None)]:
        if not isinstance(name, str) or not isinstance(text, str) or not name or any(ord(char) < 32 for char in name + text):
            raise ConfigurationError(f"{attribute.name} must be texts of one line, holds {name!r}: {text!r}")
        if name.lower() in _FRAMING:
            raise ConfigurationError(f"{attribute.name} cannot hold {name!r}: send it with kind 'garbage'")


def _retry_after(_instance: Any, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, str) and value and value.isprintable():
        return
    if value is not None and (isinstance(value, bool | str) or not isinstance(value, int | float) or not 0 <= value < 1e10):
        raise ConfigurationError(f"{attribute.name} must be seconds of at least 0 or a text of one line, is {value!r}")


@frozen(kw_only=True)
class Fault:
    """A fault. The module's tables say what its `kind` and `landed` mean. Seconds are API seconds; [least, most] is drawn.

    name: what the log shows; the kind when None.

    Which requests it matches; None asks nothing. It meets those after the first `skip`, and `times` at most (None: without end):

    method: in any letter case. path: a glob on the decoded path, in which `*` and `?` stay within a segment and `**` does not:
        "/dpc/v1/projects/*/pipeline-executions", "/oauth/dpc/token", "**/status".
    request: what the JSON (or form) body must hold: {"pipelineName": "load *", "scalarVariables": {"region": "eu"}}. Texts are globs
        (`*`, `?`), objects need to hold these fields among others, null is absent too. The body is read to know.
    probability: of each match, from the dice of the scenario's seed.

    What it does to the request, when it lands:

    ends: a run that it started is over at once with this status. lands_after: it is handled so long after it arrived, come what may.

    What is answered; a field that is not for the kind is refused:

    status: in the place of the real one, and with a problem in the place of the real body; without it and without landing: 503.
    body: a text, or JSON. encoding: "latin-1" makes any byte. content_type, headers: in the place of the real ones, or beside them.
    retry_after: seconds (scaled with the speed) or any other text. retry_after_form: seconds are sent as "seconds" or as a "date".
    merge: an object laid over the real payload, field by field. put: values by path ("results.*.status": null). remove: paths to drop.
    replay: all matches get the real answer that the first one got, as from a stale cache.
    """

    name: str | None = field(default=None, validator=checks.optional_text)
    method: str | None = field(default=None, validator=checks.optional_text)
    path: str | None = field(default=None, validator=_path)
    request: Mapping[str, Any] | None = field(default=None, validator=_object)
    skip: int = field(default=0, validator=_whole(0, 2**31))
    times: int | None = field(default=None, validator=_whole(1, 2**31, optional=True))
    probability: float = field(default=1.0, validator=[checks.number(0), _part])
    kind: str = field(default="answer", validator=checks.one_of(*KINDS))
    landed: bool | None = field(default=None, validator=_optional_flag)
    ends: str | None = field(default=None, validator=checks.one_of(None, *sorted(TERMINAL)))
    lands_after: Span | None = field(default=None, converter=_lands_after)
    delay: Span | None = field(default=None, converter=_delay)
    status: int | None = field(default=None, validator=_whole(200, 599, optional=True))
    body: Any = field(default=None, validator=_json)
    encoding: str = field(default="utf-8", validator=checks.one_of("utf-8", "latin-1"))
    content_type: str | None = field(default=None, validator=checks.optional_text)
    headers: Mapping[str, str] | None = field(default=None, validator=_headers)
    retry_after: float | str | None = field(default=None, validator=_retry_after)
    retry_after_form: str = field(default="seconds", validator=checks.one_of("seconds", "date"))
    merge: Mapping[str, Any] | None = field(default=None, validator=_object)
    put: Mapping[str, Any] | None = field(default=None, validator=[_object, _paths])
    remove: tuple[str, ...] | None = field(default=None, converter=_remove, validator=_paths)
    replay: bool = field(default=False, validator=checks.flag)
    share: float | None = field(default=None, validator=_part)
    piece: int | None = field(default=None, validator=_whole(1, _MOST_BYTES, optional=True))
    size: int | None = field(default=None, validator=_whole(1, _MOST_BYTES, optional=True))
    location: str | None = field(default=None, validator=checks.optional_text)

    def __attrs_post_init__(self) -> None:
        for name, kinds in _FOR.items():
            if self._given(name) and self.kind not in kinds:
                raise ConfigurationError(f"{name} is not for kind {self.kind!r}, but for {', '.join(sorted(kinds))}")
        if self.landed is False:
            for name in _LANDING:
                if self._given(name):
                    raise ConfigurationError(f"{name} needs a request that landed, and landed is False")
        if self.body is not None and any(map(self._given, _BENDING)):
            raise ConfigurationError("body takes the place of the real one: merge, put, remove and replay need that")
        if isinstance(self.body, str):
            try:
                self.body.encode(self.encoding)
            except UnicodeEncodeError as error:
                raise ConfigurationError(f"body has no form in {self.encoding}: {error}") from None
        elif self.kind == "garbage" and self.body is not None:
            raise ConfigurationError("body must be a text for kind 'garbage'")

    @property
    def label(self) -> str:
        """What the log shows."""
        return self.name or (f"answer {self.status}" if self.kind == "answer" and self.status is not None else self.kind)

    @property
    def lands(self) -> bool:
        """Whether the request is handled for real."""
        if self.landed is not None:
            return self.landed
        return self.bends or any(map(self._given, _LANDING)) or (self.kind in REAL and self.status is None and self.body is None)

    @property
    def bends(self) -> bool:
        """Whether the real payload is changed."""
        return any(map(self._given, _BENDING))

    def _given(self, name: str) -> bool:
        default = getattr(attrs.fields(Fault), name).default
        return bool(getattr(self, name) != default)
