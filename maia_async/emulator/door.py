"""`/_emulator/*`: the control object over HTTP, in JSON, without authorization and outside the limit; it adds no power of its own.

| request                          | body                          | answer                                        |
| -------------------------------- | ----------------------------- | --------------------------------------------- |
| GET /state                       |                               | overview                                      |
| GET /statistics                  |                               | counts                                        |
| GET /requests                    | query: method, path_contains  | the log; DELETE forgets it (204)              |
| GET /readings                    |                               | all readings; PUT changes those in the body   |
| PUT /network                     | latency_in, latency_out, list_lag | what is in force now                      |
| POST /clock                      | advance                       | `{now}`                                       |
| GET /executions                  |                               | every run                                     |
| POST /executions                 | as `Control.add_execution`    | 201 `{ids}`                                   |
| GET /executions/{id}             |                               | the run                                       |
| PATCH /executions/{id}           | status, message               | the run                                       |
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


class Door:
    """Requests to the control object. What it does not understand is 400 with the reason."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def answer(self, method: str, path: str, query: Query, body: bytes, *, instance: str) -> Reply:
        """The reply to one request; raises `Refused`."""
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        execution = segments[1] if len(segments) == 2 and segments[0] == "executions" else None
        methods = _EXECUTION if execution is not None else _TABLE.get("/".join(segments))
        if methods is None:
            raise Refused(404, f"{instance[:200]} is no path of the control door")
        if method not in methods:
            raise Refused(405, f"Allowed here: {', '.join(methods)}", headers={"Allow": ", ".join(methods)})
        given = parsed_object(body) if body else {}
        if execution is not None:
            given["execution_id"] = execution
        try:
            payload = methods[method](self._control, given, query)
        except (ConfigurationError, TypeError) as error:
            # TypeError: keys that the control's method does not have or misses, or a value that is not of its kind.
            raise Refused(400, str(error)) from None
        if payload is None:
            return Reply(204)
        return Reply(201 if method == "POST" and segments == ["executions"] else 200, payload)


def _requests(control: Control, _: Body, query: Query) -> Any:
    found = control.requests(method=query.get("method"), path_contains=query.get("path_contains"))
    return [attrs.asdict(entry) for entry in found]


def _clear(control: Control, _: Body, __: Query) -> None:
    control.clear_requests()


def _network(control: Control, body: Body, _: Query) -> Any:
    control.set_network(**body)
    return control.state()["network"]


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


def _enable(control: Control, body: Body, _: Query) -> None:
    control.enable(**{"pipeline_name" if name == "name" else name: value for name, value in body.items()})


_Power = Callable[[Control, Body, Query], Any]

_EXECUTION: Final[Mapping[str, _Power]] = {
    "GET": lambda control, body, _: attrs.asdict(control.execution(**body)),
    "PATCH": _settle,
}
_TABLE: Final[Mapping[str, Mapping[str, _Power]]] = {
    "state": {"GET": lambda control, _, __: control.state()},
    "statistics": {"GET": lambda control, _, __: control.statistics()},
    "requests": {"GET": _requests, "DELETE": _clear},
    "readings": {
        "GET": lambda control, _, __: attrs.asdict(control.readings),
        "PUT": lambda control, body, _: attrs.asdict(control.set_readings(**body)),
    },
    "network": {"PUT": _network},
    "clock": {"POST": _advance},
    "executions": {
        "GET": lambda control, _, __: [attrs.asdict(run) for run in control.executions()],
        "POST": lambda control, body, _: {"ids": control.add_execution(**body)},
    },
    "pipelines": {"PATCH": _enable},
    "tokens/revoke": {"POST": lambda control, _, __: {"revoked": control.revoke_tokens()}},
}
