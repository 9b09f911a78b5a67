"""The one converter between the API's JSON and our values. It does no I/O, and it never builds a type that the data names.

camelCase keys become snake_case fields; unknown keys are ignored; null and missing are the same for optional fields. What does not
fit raises DecodeError with a `$.path` for each place. The API's sources disagree, so these readings are all accepted:

    execution details      flat (reference) or under `result` (guide, callers); `projectId` may be missing
    status                 any letter case; `/status` may answer {"status"}, {"result": {"status"}} or a bare string
    trigger                {"pipelineExecutionId"} or {"id"} (secondary source), possibly under `result`
    a list                 {"results": [...]}, `steps` for steps (secondary source), or a bare array
    envelope numbers       numbers, or zeros, or missing
    times                  ISO 8601 with any number of decimals; without a zone they are UTC; epoch numbers
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_type_hints

import attrs
from cattrs import Converter, transform_error
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from maia_async.errors import DecodeError, InvalidRequest
from maia_async.models import (
    ExecutionDetails,
    ExecutionRequest,
    ExecutionStatus,
    ExecutionStep,
    ExecutionTrigger,
    OpenEnum,
    Page,
)
from maia_async.models.case import camel
from maia_async.models.streaming import StreamingPipelineDefinition
from maia_async.problems import FieldProblem
from maia_async.wire.problem import first_line

try:  # the `speed` extra
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]  # absent is a case of its own


T = TypeVar("T")
_MOST_PROBLEMS: Final = 20
_LONGEST_KEY: Final = 200  # of a key that is quoted
_MILLISECONDS_FROM: Final = 1e11  # as seconds that would be the year 5138


def _text(value: Any, _: type[str]) -> str:
    # cattrs would call str() on anything: a number or an object in a text field is an error of the server that must not pass silently.
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {_kind(value)}")
    return value


def _word(value: Any, kind: type[OpenEnum]) -> OpenEnum:
    return kind(_text(value, str))


def _moment(value: Any, _: type[datetime]) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000 if abs(value) > _MILLISECONDS_FROM else value, UTC)
    moment = datetime.fromisoformat(_text(value, str))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _kind(value: Any) -> str:
    return {type(None): "null", dict: "an object", list: "an array", str: "text", bool: "true or false"}.get(type(value), "a number")


def _field_hook(converter: Converter, kind: Any, field: attrs.Attribute[Any]) -> Callable[[Any, Any], Any]:
    """How one field is read: null is the same as missing, and so is "" in a time, which some services print for "no time yet".

    cattrs' own way (its hook for each `X | None`, and a copy of each row without its nulls) doubles the time for a list.
    """
    options = [option for option in get_args(kind) if option is not NoneType]
    inner = options[0] if len(options) == 1 and NoneType in get_args(kind) else kind
    structure = converter.get_structure_hook(inner)
    default, required, blanks = field.default, field.default is attrs.NOTHING, field.name.endswith("_at")

    def hook(value: Any, _: Any) -> Any:
        if value is None or (blanks and value == ""):
            if required:
                raise KeyError(field.name)
            return default
        return structure(value, inner)

    def text_or_null(value: Any, _: Any) -> Any:
        return value if value is None or isinstance(value, str) else _text(value, str)

    return text_or_null if inner is str and default is None else hook


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(datetime, _moment)
    for words in (ExecutionStatus, ExecutionTrigger):  # one by one: a hook for str comes before any predicate, and these are str
        converter.register_structure_hook(words, _word)

    # Definitions keep what they do not know; their own reader does that.
    converter.register_structure_hook(StreamingPipelineDefinition, lambda value, _: StreamingPipelineDefinition.from_dict(_object(value)))

    def structure_fn(kind: type[Any]) -> Callable[[Any, Any], Any]:
        hints = get_type_hints(kind)
        fields = {
            field.name: override(rename=camel(field.name), struct_hook=_field_hook(converter, hints[field.name], field))
            for field in attrs.fields(kind)
        }
        structure = make_dict_structure_fn(kind, converter, **fields)  # type: ignore[arg-type]  # overrides are keywords named like fields

        def hook(value: Any, target: Any) -> Any:
            return structure(_object(value), target)

        return hook

    def unstructure_fn(kind: type[Any]) -> Callable[[Any], dict[str, Any]]:
        renames = {field.name: override(rename=camel(field.name)) for field in attrs.fields(kind)}
        return make_dict_unstructure_fn(kind, converter, **renames)  # type: ignore[arg-type]  # the same

    converter.register_structure_hook_factory(attrs.has, structure_fn)
    converter.register_unstructure_hook_factory(attrs.has, unstructure_fn)
    return converter


_converter: Final = _make_converter()


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object, found {_kind(value)}")
    return value


def parse_json(body: bytes) -> Any:
    """The JSON in `body`. Raises DecodeError: empty, HTML, truncated, not UTF-8, nested too deeply, NaN."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    if not body or body.isspace():
        raise DecodeError(["$: the answer is empty where JSON was promised"])
    try:
        # Decoded here: json guesses UTF-16 from bytes, orjson does not.
        return _plain_json.decode(body.decode()) if orjson is None else orjson.loads(body)
    except RecursionError:
        raise DecodeError(["$: the JSON is nested too deeply"]) from None
    except ValueError as error:
        # The first line of a page or a text says who answered; broken JSON is not quoted, half of it may be anything.
        if body.lstrip()[:1] in {b"{", b"["}:
            raise DecodeError([f"$: the answer is not JSON ({error})"]) from None
        kind = "HTML" if body.lstrip()[:1] == b"<" else "not JSON"
        raise DecodeError([f"$: the answer is {kind}: {first_line(body)[:100]}"]) from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_plain_json: Final = json.JSONDecoder(parse_constant=_refuse)  # json.loads with options would make one for every answer


def structure(value: Any, kind: type[T], *, path: str = "$") -> T:
    """`value` (parsed JSON) as `kind`. Raises DecodeError with the path of each place that does not fit."""
    try:
        return _converter.structure(value, kind)
    except RecursionError:
        raise DecodeError([f"{path}: nested too deeply"]) from None
    except Exception as error:  # noqa: BLE001 - cattrs raises what its hooks raise, alone or in groups; all of it is about this value
        lines = transform_error(error, path=path, format_exception=_describe)
        raise DecodeError(_path_first(line) for line in lines[:_MOST_PROBLEMS]) from None


def _path_first(line: str) -> str:
    """`missing @ $.results[3].started_at` as `$.results[3].startedAt: missing`."""
    said, _, where = line.rpartition(" @ ")
    return f"{'.'.join(camel(part) for part in where.split('.'))}: {said}"


def _describe(error: BaseException, kind: type | None) -> str:
    if isinstance(error, KeyError):
        return "missing"
    if isinstance(error, TypeError | ValueError | OverflowError | OSError) and str(error):
        return str(error)[:200]
    return f"not a {getattr(kind, '__name__', kind)}"


def details(data: Any, *, project_id: str | None = None, execution_id: str | None = None, salvage: bool = False) -> ExecutionDetails:
    """Execution details, flat or under `result`; ids that the answer leaves out are filled in. Raises DecodeError.

    salvage: a field other than the status that does not fit is left out instead. An explicit end must not be lost over a time's format.
    """
    flat = _flat(data)
    if "status" not in flat and not flat.keys() & _DETAIL_KEYS:
        raise DecodeError([_NO_DETAILS])
    known = (("pipelineExecutionId", execution_id), ("projectId", project_id))
    missing = {key: value for key, value in known if flat.get(key) in (None, "")}
    filled = {**flat, **missing} if missing else flat
    path = "$.result" if flat is not data else "$"
    try:
        found = structure(filled, ExecutionDetails, path=path)
    except DecodeError:
        if not salvage:
            raise
        fitting = {key: value for key, value in filled.items() if key == "status" or _fits(key, value)}
        found = structure(fitting, ExecutionDetails, path=path)
    told = found.pipeline_execution_id
    if execution_id is not None and told is not None and told != execution_id and plain_id(told) != plain_id(execution_id):
        raise DecodeError(["$.pipelineExecutionId: the answer is about another execution"])
    return found


def plain_id(text: str) -> str:
    """An id in one spelling: a uuid may be printed with capitals, braces or without its dashes."""
    return text.strip("{}").replace("-", "").casefold()


def _fits(key: str, value: Any) -> bool:
    try:
        structure({key: value}, ExecutionDetails)
    except DecodeError:
        return False
    return True


def peek(data: Any) -> ExecutionStatus:
    """Only the status of execution details: what polling needs. Missing or null is UNKNOWN. Raises DecodeError."""
    flat = _flat(data)
    word = flat.get("status")
    if isinstance(word, str):
        return ExecutionStatus(word)
    if word is not None:
        raise DecodeError([f"$.status: expected text, found {_kind(word)}"])
    if not flat.keys() & _DETAIL_KEYS:
        raise DecodeError([_NO_DETAILS])
    return ExecutionStatus.UNKNOWN


def status_only(data: Any) -> ExecutionStatus:
    """The status in an answer of `/status`. Raises DecodeError."""
    word = data if isinstance(data, str) else _flat(data).get("status")
    if not isinstance(word, str) or not word:
        raise DecodeError([f"$.status: expected text, found {_kind(word)}"])
    return ExecutionStatus(word)


def started_id(data: Any) -> str:
    """The id in the answer to a trigger. Raises DecodeError."""
    flat = _flat(data)
    found = run_id(flat)
    if found is None:
        raise DecodeError([f"$.pipelineExecutionId: expected text, found {_kind(flat.get('pipelineExecutionId') or flat.get('id'))}"])
    return found


def run_id(row: Mapping[str, Any]) -> str | None:
    """The id of a run under either of its keys, or None for what is none. A number still names the run."""
    found = row.get("pipelineExecutionId") or row.get("id")
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) and found else None


def page(data: Any, kind: type[T]) -> Page[T]:
    """One page of either kind of list. Raises DecodeError with paths such as `$.results[3].status`."""
    if isinstance(data, list):
        data = {"results": data}
    if not isinstance(data, Mapping):
        raise DecodeError([f"$: expected an object, found {_kind(data)}"])
    key = "steps" if kind is ExecutionStep and "steps" in data and "results" not in data else "results"
    if key not in data:
        raise DecodeError([f"$.{key}: missing"])
    rows = [] if data[key] is None else _array(data[key], key)
    items = structure(rows, list[kind], path=f"$.{key}")  # type: ignore[valid-type]  # kind is a value here
    return Page(
        items=tuple(items),
        page=_count(data.get("page")),
        size=_count(data.get("size")),
        total=_count(data.get("total")),
        more=_more(data),
    )


def raw_rows(data: Any) -> tuple[list[dict[str, Any]], str | None]:
    """The objects of a list page as they are, and the token of the next page. Raises DecodeError."""
    envelope = {"results": data} if isinstance(data, list) else data if isinstance(data, dict) else {}
    rows = _array(envelope.get("results"), "results")
    return [row for row in rows if isinstance(row, dict)], _more(envelope)


def _array(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise DecodeError([f"$.{key}: expected an array, found {_kind(value)}"])
    return value


def _more(envelope: Mapping[str, Any]) -> str | None:
    more = envelope.get("more")
    return more if isinstance(more, str) and more else None


def second_of(value: Any) -> int | None:
    """The second since the epoch in which a time lies, or None for what is no time."""
    try:
        return int(_moment(value, datetime).timestamp())
    except (TypeError, ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=1024)
def names_of(pipeline: str, environment: str) -> tuple[str, str]:
    """One pair for all runs of a pipeline, however often a list repeats its names."""
    return pipeline, environment


def start_of(data: Any) -> tuple[int | None, tuple[str, str] | None]:
    """The second of the start in execution details or in a row, and its pipeline and environment; None for what is not told."""
    flat = _flat(data)
    pipeline, environment = flat.get("pipelineName"), flat.get("environmentName")
    names = names_of(pipeline, environment) if isinstance(pipeline, str) and isinstance(environment, str) else None
    return second_of(flat.get("startedAt")), names


def encode_request(request: ExecutionRequest) -> dict[str, Any]:
    """The JSON body of a trigger; AUTO must have been replaced by a tag before. Fields that are None are left out."""
    body: dict[str, Any] = _converter.unstructure(request)
    return {key: value for key, value in body.items() if value is not None}


def decode_request(row: Any) -> ExecutionRequest:
    """A trigger written down with the API's keys (a batch file's row). Values are taken as they are: `problems()` checks them.

    Raises InvalidRequest for a row that is no object, for unknown keys and for missing ones, all at once.
    """
    if not isinstance(row, Mapping):
        raise InvalidRequest([FieldProblem("", f"must be an object with {', '.join(_REQUEST_KEYS)}, is {_kind(row)}")])
    wrong = [
        FieldProblem(str(key)[:_LONGEST_KEY], f"is not a field of an execution request; known are {', '.join(_REQUEST_KEYS)}")
        for key in row
        if key not in _REQUEST_KEYS
    ]
    wrong += [FieldProblem(key, "is missing") for key in ("pipelineName", "environmentName") if key not in row]
    if wrong:
        raise InvalidRequest(wrong)
    return ExecutionRequest(**{_REQUEST_KEYS[key]: value for key, value in row.items()})


def _flat(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise DecodeError([f"$: expected an object, found {_kind(data)}"])
    inner = data.get("result")
    if not isinstance(inner, Mapping):
        return data
    return inner if len(data) == 1 else {**{key: value for key, value in data.items() if key != "result"}, **inner}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_DETAIL_KEYS: Final = frozenset(camel(field.name) for field in attrs.fields(ExecutionDetails))
_NO_DETAILS: Final = "$: none of the fields of an execution in it"
_REQUEST_KEYS: Final = {camel(field.name): field.name for field in attrs.fields(ExecutionRequest)}
