"""Catalogue 70 to 72: lists that lag, shift, repeat, mislead or are not served. A wait never ends by what a list does not show."""

from __future__ import annotations

from typing import Final

from faults.shapes import Act, Expect, Row, ok

from maia_async.emulator import Fault

LIST: Final = "/dpc/v1/pipeline-executions"
ALL: Final = {"SUCCESS": 30}


def _sweep(requests: int = 400, seconds: float = 60.0) -> Expect:
    return ok(requests, seconds, ended=ALL)


def _bent(name: str, what: str, *, whole: Expect | None = None, **fault: object) -> Row:
    """Pages of the list that are not what they should be, without end: waits go on by reads of their own."""
    return Row(
        name=f"list-{name}",
        what=what,
        numbers=(72,) if whole is None else (72, 54),
        faults=Fault(path=LIST, **fault),
        cases={"sweep": _sweep(700), **({} if whole is None else {"executions": whole})},
    )


ROWS: Final = (
    Row(
        name="list-status-lags",
        what="The list shows a change of status 20 s late",
        numbers=(70,),
        network={"list_status_lag": 20},
        cases={"sweep": _sweep(400, 70), "executions": ok(1, items=25)},
    ),
    Row(
        name="list-lags",
        what="A run is not in the list for its first 20 s",
        numbers=(72,),
        network={"list_lag": 20},
        cases={"sweep": _sweep(500), "batch": ok(40, 20, runs=3)},
    ),
    Row(
        name="list-never-shows",
        what="Our runs are in no list",
        numbers=(72,),
        network={"list_lag": 1e6},
        cases={"sweep": _sweep(700), "executions": ok(1, items=0)},
    ),
    Row(
        name="list-replayed",
        what="A stale cache gives the first page of the list, for ever: what it says of runs under way is not believed without end",
        numbers=(70,),
        faults=Fault(path=LIST, replay=True),
        cases={"sweep": _sweep(900, 1200)},
    ),
    Row(
        name="list-shifts",
        what="Rows shift between the pages, as new runs start",
        numbers=(71,),
        readings={"page_tokens": "offset"},
        network={"latency_in": 1},
        acts=tuple(Act(call="add_crowd", at=0.5 + number, given=(3,)) for number in range(4)),
        cases={"executions": ok(6, 10, whole=True)},
    ),
    Row(
        name="list-token-repeats",
        what="Each page's `more` is its own token",
        numbers=(71,),
        list_faults={"repeat_more": "every"},
        cases={"executions": ok(1, items=10), "sweep": _sweep(700)},
    ),
    Row(
        name="list-second-token-repeats",
        what="The second page's `more` leads to itself",
        numbers=(71,),
        list_faults={"repeat_more": 2},
        cases={"executions": ok(1, items=20)},
    ),
    Row(
        name="list-empty-last",
        what="The last page has a `more`, to a page without rows",
        numbers=(71,),
        list_faults={"empty_last": True},
        cases={"executions": ok(2, items=25, whole=True), "sweep": _sweep()},
    ),
    Row(
        name="list-forbidden",
        what="The list is forbidden for this role",
        numbers=(50, 72),
        readings={"list_access": "forbidden"},
        cases={"sweep": _sweep(700), "batch": ok(40, 15, runs=3)},
    ),
    Row(
        name="list-filters-ignored",
        what="The list ignores every filter",
        numbers=("filters",),
        readings={"list_ignores": "all"},
        acts=(Act(call="add_crowd", given=(300,), options={"started_over": 3600, "duration": 5}),),
        cases={"sweep": _sweep(700)},
    ),
    Row(
        name="list-page-cut",
        what="Pages hold ten rows, whatever is asked for",
        numbers=(71,),
        readings={"max_page_size": 10},
        cases={"sweep": _sweep(900), "projects": ok(1, ids=25, items=25), "executions": ok(1, items=25, whole=True)},
    ),
    Row(
        name="list-zero-envelope",
        what="`size: 0, total: 0` beside results",
        numbers=(71,),
        readings={"page_numbers": "zero"},
        cases={"projects": ok(1, ids=25, items=25), "steps": ok(2, steps=1)},
    ),
    Row(
        name="list-index-from-1",
        what="Page numbers begin at 1, and page 0 is the first page too",
        numbers=(71,),
        readings={"page_index_base": 1},
        cases={"projects": ok(3, ids=25, items=25)},
    ),
    Row(
        name="list-index-from-1-zero-envelope",
        what="The same, with an envelope that says nothing",
        numbers=(71,),
        readings={"page_index_base": 1, "page_numbers": "zero"},
        cases={"projects": ok(3, ids=25, items=25)},
    ),
    Row(
        name="list-page-repeats",
        what="The server gives the first page of a numbered list again and again",
        numbers=(71,),
        faults=Fault(replay=True),
        cases={"projects": ok(1, ids=10, items=10)},
    ),
    _bent("status-null", "Rows without a status", put={"results.*.status": None}, whole=ok(1, items=25)),
    _bent("status-unknown", "Rows with a status that nobody knows", put={"results.*.status": "PAUSED"}, whole=ok(1, items=25)),
    _bent("rows-null", "`results` is null", put={"results": None}),
    _bent("rows-object", "`results` is an object", put={"results": {}}),
    _bent("rows-numbers", "Rows that are numbers", put={"results": [1, 2, 3]}),
    _bent("ids-missing", "Rows without an id", remove=["results.*.pipelineExecutionId"]),
    _bent(
        "ids-foreign",
        "Rows of runs that are not ours, all of them ended",
        put={"results.*.pipelineExecutionId": "x", "results.*.status": "FAILED"},
    ),
    _bent("more-number", "`more` is a number", put={"more": 17}, whole=ok(1, items=10)),
    _bent("array", "A bare array in the place of the envelope", status=200, body=[]),
    _bent("400", "400 to every filter", status=400),
    _bent("503", "503", status=503),
    _bent("html", "The page of a login", kind="html"),
)
