"""The account-wide list of executions, its query, and the ways that servers may read it; functions of values, no I/O.

| query                                | 400 when                                                  | under the reading                    |
| ------------------------------------ | --------------------------------------------------------- | ------------------------------------ |
| any                                  | (403)                                                     | `list_access="forbidden"`            |
| `projectId`                          | missing                                                   | `list_access="project"`              |
| a name that nobody knows             | given                                                     | `list_unknown="refused"`             |
| `limit`                              | no number, below 1                                        |                                      |
| `status`                             | no word of the API, in any letter case                    |                                      |
|                                      | several                                                   | `list_statuses="single"`             |
|                                      | with a comma                                              | `list_statuses` is not "any"         |
|                                      | FORBIDDEN                                                 | `list_forbidden="refused"`           |
| `startedAfter`, `startedBefore`      | no date-time with an offset                               |                                      |
|                                      | with a fraction                                           | `list_times="whole"`                 |
| `timeFrame`                          | neither a duration nor a known word                       |                                      |
| `paginationToken`                    | none of ours                                              |                                      |

A filter that `list_ignores` names is not even looked at.
"""

from __future__ import annotations

from typing import Final

from maia_async.emulator import pagetoken, render
from maia_async.emulator.exchange import Call, Reply, parameter, shaped
from maia_async.emulator.executions import STATUSES, as_of
from maia_async.emulator.listing import Filter
from maia_async.emulator.pagetoken import Place
from maia_async.emulator.paging import DEFAULT_SIZE, whole
from maia_async.emulator.problems import Refused, invalid
from maia_async.emulator.readings import FILTERS, Readings
from maia_async.emulator.service import Service
from maia_async.emulator.times import parsed_timestamp, time_frame

_KNOWN: Final = frozenset({*FILTERS, "limit", "paginationToken"})


def list_executions(service: Service, call: Call) -> Reply:
    """`GET /v1/pipeline-executions`: newest start first; a `limit` over the most is cut, as the reference says."""
    readings = service.readings
    _check_access(call, readings)
    limit = min(whole(call, "limit", default=DEFAULT_SIZE, least=1), readings.max_page_size)
    place = _place(call)
    runs, follows = service.account.index.select(
        _filter(call, readings, place),
        limit=limit,
        now=call.now,
        lag=service.list_lag,
        status_lag=service.list_status_lag,
        skip=place.offset,
    )
    then = call.now - service.list_status_lag
    own = parameter(call, "paginationToken")
    more = pagetoken.more(place, own, runs, ends=not follows, kind=readings.page_tokens, faults=service.list_faults)
    return Reply(200, shaped({"more": more, "results": [render.row(as_of(run, then), then, readings) for run in runs]}, readings))


def _check_access(call: Call, readings: Readings) -> None:
    if readings.list_access == "forbidden":
        raise Refused(403, "The role may read its own pipeline executions only")
    if readings.list_access == "project" and parameter(call, "projectId") is None:
        raise invalid("projectId: must not be null")
    if readings.list_unknown == "refused":
        strangers = sorted(set(call.query) - _KNOWN)
        if strangers:
            raise invalid(*(f"{name[:100]}: is not a known parameter" for name in strangers))


def _filter(call: Call, readings: Readings, place: Place) -> Filter:
    ignored = readings.list_ignores
    project_id = _asked(call, "projectId", ignored)
    after, before = (_instant(call, name, readings) for name in ("startedAfter", "startedBefore"))
    frame = _asked(call, "timeFrame", ignored)
    if frame is not None:
        seconds = time_frame(frame)
        if seconds is None:
            raise invalid("timeFrame: must be a time frame such as LAST_HOUR or PT1H")
        after = max(call.now - seconds, after if after is not None else 0.0)
    return Filter(
        project_id=project_id.lower() if project_id is not None else None,
        visible_projects=frozenset(call.client.projects) if call.client is not None and call.client.projects is not None else None,
        pipeline_name=_asked(call, "pipelineName", ignored),
        environment_name=_asked(call, "environmentName", ignored),
        started_after=after,
        started_before=before,
        statuses=None if "status" in ignored else _statuses(call, readings),
        schedule_id=_asked(call, "scheduleId", ignored),
        before=place.before,
        exclusive=readings.list_bounds == "exclusive",
        shown=readings.shown_name,
    )


def _asked(call: Call, name: str, ignored: tuple[str, ...]) -> str | None:
    return None if name in ignored else parameter(call, name)


def _instant(call: Call, name: str, readings: Readings) -> float | None:
    given = _asked(call, name, readings.list_ignores)
    if given is None:
        return None
    seconds = parsed_timestamp(given)
    if seconds is None:
        raise invalid(f"{name}: must be a date-time such as 2023-11-24T10:47:46.944Z")
    if readings.list_times == "whole" and "." in given:
        raise invalid(f"{name}: must be a date-time in whole seconds such as 2023-11-24T10:47:46Z")
    return seconds


def _statuses(call: Call, readings: Readings) -> frozenset[str] | None:
    """The reference says "one of the provided values", and not how several are sent."""
    given = [value for value in call.query.get("status", ()) if value]
    if readings.list_statuses == "any":
        given = [part for value in given for part in value.split(",") if part]
    elif readings.list_statuses == "first":
        given = given[:1]
    elif readings.list_statuses == "single" and len(given) > 1:
        raise invalid("status: must be given once")
    words = {value.upper() for value in given}
    known = STATUSES - {"FORBIDDEN"} if readings.list_forbidden == "refused" else STATUSES
    if not words <= known:
        raise invalid(f"status: must be one of {', '.join(sorted(known))}")
    return frozenset(words) or None


def _place(call: Call) -> Place:
    given = parameter(call, "paginationToken")
    place = Place() if given is None else pagetoken.parsed(given)
    if place is None:
        raise invalid("paginationToken: is not valid")
    return place
