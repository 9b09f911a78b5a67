"""`/_emulator/*`: the control object over HTTP, in JSON, without authorization and outside the limit; it adds no power of its own.

| request                          | body                          | answer                                        |
| -------------------------------- | ----------------------------- | --------------------------------------------- |
| GET /state                       |                               | overview                                      |
| GET /statistics                  |                               | counts                                        |
| GET /requests                    | query: method, path_contains  | the log; DELETE forgets it (204)              |
| GET /readings                    |                               | all readings; PUT changes those in the body   |
| PUT /network                     | as `Control.set_network`      | what is in force now                          |
| GET /list-faults                 |                               | all faults; PUT changes those in the body     |
| GET /faults                      |                               | scripted faults with their counts             |
| POST /faults                     | as `Fault`                    | 201 `{id}`; DELETE ends all (204)             |
| GET /faults/{id}                 |                               | the fault; DELETE ends it (204)               |
| PUT /skew                        | date, expiry                  | as `Skew`                                     |
| PUT /connections                 | refused_for                   | 204; seconds, 0 to accept them again          |
| PUT /others                      | requests_per_minute, account  | requests a minute for each account            |
| GET /clock                       |                               | as `ClockReading`                             |
| POST /clock                      | advance                       | `{now}`                                       |
| GET /executions                  |                               | every run                                     |
| POST /executions                 | as `Control.add_execution`    | 201 `{ids}`                                   |
| POST /bulk                       | as `Crowd`, API triggers      | 201 `{ids}`, the oldest start first           |
| POST /crowds                     | as `Crowd`                    | 201 `{added}`                                 |
| GET /ends                        |                               | `{ends: {id: API seconds, or null}}`, all runs |
| POST /ends                       | ids                           | the same for these runs                       |
| GET /executions/{id}             |                               | the run                                       |
| PATCH /executions/{id}           | status, message               | the run                                       |
| GET /streams                     |                               | every streaming pipeline, with its history    |
| POST /streams                    | as `Control.create_stream`    | 201 `{ids}`                                   |
| GET /streams/{id}                |                               | the pipeline                                  |
| PATCH /streams/{id}              | status (null: release), script | the pipeline; `script` holds changes         |
| POST /streams/{id}/start, /stop  | external                      | the pipeline                                  |
| POST /streams/{id}/drop          |                               | the pipeline                                  |
| PATCH /pipelines                 | name, enabled, project_id     | 204                                           |
| POST /tokens/revoke              |                               | `{revoked}`                                   |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import attrs

from maia_async.emulator.control import Control
from maia_async.emulator.exchange import Reply, parsed_object
from maia_async.emulator.problems import Refused
from maia_async.errors import ConfigurationError

Body = dict[str, Any]
Query = Mapping[str, str]
_Power = Callable[[Control, Body, Query], Any]


class Door:
    """Requests to the control object. What it does not understand is 400 with the reason."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def answer(self, method: str, path: str, query: Query, body: bytes, *, instance: str) -> Reply:
        """The reply to one request; raises `Refused`."""
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        id_name = _IDS.get(segments[0]) if len(segments) > 1 else None
        pattern = segments if id_name is None else [segments[0], "*", *segments[2:]]
        methods = _TABLE.get("/".join(pattern))
        if methods is None:
            raise Refused(404, f"{instance[:200]} is no path of the control door")
        if method not in methods:
            raise Refused(405, f"Allowed here: {', '.join(methods)}", headers={"Allow": ", ".join(methods)})
        given = parsed_object(body) if body else {}
        if id_name is not None:
            given[id_name] = segments[1]
        try:
            payload = methods[method](self._control, given, query)
        except (ConfigurationError, TypeError) as error:
            # TypeError: keys that the control's method does not have or misses, or a value that is not of its kind.
            raise Refused(400, str(error)) from None
        if payload is None:
            return Reply(204)
        return Reply(201 if method == "POST" and id_name is None and segments[0] in _CREATING else 200, payload)


def _requests(control: Control, _: Body, query: Query) -> Any:
    found = control.requests(method=query.get("method"), path_contains=query.get("path_contains"))
    return [attrs.asdict(entry) for entry in found]


def _clear(control: Control, _: Body, __: Query) -> None:
    control.clear_requests()


def _network(control: Control, body: Body, _: Query) -> Any:
    control.set_network(**body)
    return control.state()["network"]


def _fault(control: Control, body: Body, _: Query) -> Any:
    return {"id": control.add_fault(body)}


def _connections(control: Control, body: Body, _: Query) -> None:
    # Not without end: nobody could take it back through a closed door.
    if body.keys() != {"refused_for"} or body["refused_for"] is None:
        raise ConfigurationError("refused_for must be given, and nothing else, as a number of seconds")
    if body["refused_for"] == 0:
        control.accept_connections()
    else:
        control.refuse_connections(body["refused_for"])


def _others(control: Control, body: Body, _: Query) -> Any:
    control.set_others(**body)
    return control.state()["others"]


def _ends(control: Control, body: Body, _: Query) -> Any:
    return {"ends": control.ends(**body)}


def _crowd(control: Control, body: Body, _: Query) -> Any:
    # Without the ids: nobody waits for a crowd, and a hundred thousand of them are 4 MB.
    return {"added": len(control.add_crowd(**body))}


def _advance(control: Control, body: Body, _: Query) -> Any:
    control.advance(**{"seconds" if name == "advance" else name: value for name, value in body.items()})
    return {"now": control.now}


def _settle(control: Control, body: Body, _: Query) -> Any:
    if body.get("message") is None:
        body.pop("message", None)
        control.set_status(**body)
    else:
        control.finish(**body)
    return attrs.asdict(control.execution(body["execution_id"]))


def _change_stream(control: Control, body: Body, _: Query) -> Any:
    stream_id = body.pop("stream_id")
    unknown = set(body) - {"status", "script"}
    if unknown or not body:
        raise ConfigurationError(f"give status, script or both; not {', '.join(sorted(unknown)) or 'nothing'}")
    if "script" in body:
        control.script_stream(stream_id, **_mapping(body["script"], "script"))
    if "status" in body:
        control.set_stream_state(stream_id, body["status"])
    return attrs.asdict(control.stream(stream_id))


def _stream_power(power: Callable[..., Any]) -> _Power:
    def use(control: Control, body: Body, _: Query) -> Any:
        power(control, **body)
        return attrs.asdict(control.stream(body["stream_id"]))

    return use


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{name} must be an object, is {value!r}")
    return value


def _enable(control: Control, body: Body, _: Query) -> None:
    control.enable(**{"pipeline_name" if name == "name" else name: value for name, value in body.items()})


_IDS: Final = {"executions": "execution_id", "streams": "stream_id", "faults": "fault_id"}
_CREATING: Final = frozenset({*_IDS, "bulk", "crowds"})
_TABLE: Final[Mapping[str, Mapping[str, _Power]]] = {
    "state": {"GET": lambda control, _, __: control.state()},
    "statistics": {"GET": lambda control, _, __: control.statistics()},
    "requests": {"GET": _requests, "DELETE": _clear},
    "readings": {
        "GET": lambda control, _, __: attrs.asdict(control.readings),
        "PUT": lambda control, body, _: attrs.asdict(control.set_readings(**body)),
    },
    "network": {"PUT": _network},
    "list-faults": {
        "GET": lambda control, _, __: attrs.asdict(control.set_list_faults()),
        "PUT": lambda control, body, _: attrs.asdict(control.set_list_faults(**body)),
    },
    "faults": {
        "GET": lambda control, _, __: [attrs.asdict(item) for item in control.faults()],
        "POST": _fault,
        "DELETE": lambda control, _, __: control.clear_faults(),
    },
    "faults/*": {
        "GET": lambda control, body, _: attrs.asdict(control.fault(**body)),
        "DELETE": lambda control, body, _: control.remove_fault(**body),
    },
    "skew": {"PUT": lambda control, body, _: attrs.asdict(control.set_skew(**body))},
    "connections": {"PUT": _connections},
    "others": {"PUT": _others},
    "clock": {"GET": lambda control, _, __: attrs.asdict(control.clock()), "POST": _advance},
    "executions": {
        "GET": lambda control, _, __: [attrs.asdict(run) for run in control.executions()],
        "POST": lambda control, body, _: {"ids": control.add_execution(**body)},
    },
    "bulk": {"POST": lambda control, body, _: {"ids": control.add_executions(**body)}},
    "crowds": {"POST": _crowd},
    "ends": {"GET": _ends, "POST": lambda control, body, query: _ends(control, {"ids": (), **body}, query)},
    "executions/*": {"GET": lambda control, body, _: attrs.asdict(control.execution(**body)), "PATCH": _settle},
    "streams": {
        "GET": lambda control, _, __: [attrs.asdict(stream) for stream in control.streams()],
        "POST": lambda control, body, _: {"ids": control.create_stream(**body)},
    },
    "streams/*": {"GET": lambda control, body, _: attrs.asdict(control.stream(**body)), "PATCH": _change_stream},
    "streams/*/start": {"POST": _stream_power(Control.start_stream)},
    "streams/*/stop": {"POST": _stream_power(Control.stop_stream)},
    "streams/*/drop": {"POST": _stream_power(Control.drop_stream)},
    "pipelines": {"PATCH": _enable},
    "tokens/revoke": {"POST": lambda control, _, __: {"revoked": control.revoke_tokens()}},
}
