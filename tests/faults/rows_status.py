"""Catalogue E: answers with a status that is none of success.

POSTs that start runs are sent again at once only where the status says "not done".
"""

from __future__ import annotations

from typing import Final

from faults.rows_connection import BACKOFFS, FEW, READS
from faults.shapes import Row, batch_in_doubt, fails, in_doubt, ok

from maia_async.emulator import Fault

_VIOLATIONS: Final = {"title": "Bad Request", "status": 400, "detail": "Failed to validate request", "violations": ["limit: too large"]}


def _ambiguous(name: str, status: int, number: int, **given: object) -> Row:
    """A status of a gateway, or of a service that failed: a POST may have been carried out, or not."""
    return Row(
        name=name,
        what=f"{status}, once",
        numbers=(number, "C8"),
        faults=Fault(status=status, times=1, **given),
        cases={
            FEW: ok(2, 0.5),
            "wait": ok(14, 14, status="SUCCESS"),
            "cancel": ok(2, 0.5, shown="CANCELLING"),
            "execute": in_doubt(landed=False, cause="GatewayTimeout" if status == 504 else "ServerError"),
            "batch": batch_in_doubt(),
            "stream_start": fails("GatewayTimeout" if status == 504 else "ServerError", 1, status=status),
        },
    )


ROWS: Final = (
    _ambiguous("500", 500, 47),
    _ambiguous("502-html", 502, 46, body="<html><head><title>502 Bad Gateway</title></head></html>", content_type="text/html"),
    _ambiguous("503", 503, 46),
    _ambiguous("504-html", 504, 46, body="<h1>Gateway Time-out</h1>", content_type="text/html"),
    Row(
        name="500-landed",
        what="500 after the run was started: as ambiguous as a lost answer",
        numbers=(47, 12),
        faults=Fault(status=500, landed=True, times=1),
        cases={
            "execute": in_doubt(landed=True, cause="ServerError"),
            "execute_tagged": in_doubt(landed=True, cause="ServerError", tag="own"),
            "execute_untagged": in_doubt(landed=True, cause="ServerError", tag="none"),
            "batch": batch_in_doubt(),
            "stream_create": ok(3, 1),
        },
    ),
    Row(
        name="504-landed-late",
        what="504 from the gateway, and the run starts 4 s later",
        numbers=(47, 12),
        faults=Fault(status=504, landed=True, lands_after=4, times=1),
        cases={"execute": in_doubt(landed=True, seconds=4, cause="GatewayTimeout"), "stream_create": ok(3, 5)},
    ),
    Row(
        name="503-always",
        what="503 without end",
        numbers=(46, 56, 62),
        faults=Fault(status=503),
        cases={
            f"{READS} cancel": fails("ServerError", 5, BACKOFFS, status=503, says="not available"),
            "wait": fails("StatusUnavailable", 70, 640, least=600, cause="ServerError"),
            "sweep": ok(700, 60, ended={"SUCCESS": 30}),
            "stream_wait": fails("StatusUnavailable", 70, 640, least=600, cause="ServerError"),
            "hand_over": fails("StatusUnavailable", 75, 650, cause="ServerError"),
        },
    ),
    Row(
        name="503-four-minutes",
        what="503 for a while: 20 answers in a row",
        numbers=(46, "C8"),
        faults=Fault(status=503, times=20),
        cases={"wait": ok(30, 600, status="SUCCESS"), "supervise": ok(200, 600, gave_up=False, streamed=True)},
    ),
    Row(
        name="503-retry-after",
        what="503 with Retry-After: 7 s are waited for before the next try",
        numbers=(46,),
        faults=Fault(status=503, retry_after=7, times=1),
        cases={FEW: ok(2, 7, least=7), "cancel": ok(2, 7, least=7), "execute": in_doubt(landed=False, cause="ServerError")},
    ),
    Row(
        name="503-retry-after-day",
        what="503 with a Retry-After of a day: longer than `max_pause`, so the call ends at once",
        numbers=(46, 43),
        faults=Fault(status=503, retry_after=86400, times=1),
        cases={"details": fails("ServerError", 1, retry_after=86400.0), "wait": ok(14, 14, status="SUCCESS")},
    ),
    Row(
        name="501",
        what="501: trying again cannot help",
        numbers=("501",),
        faults=Fault(status=501),
        cases={"details projects executions": fails("ServerError", 1, status=501)},
    ),
    Row(
        name="408",
        what="408, once",
        numbers=(48,),
        faults=Fault(status=408, times=1),
        cases={FEW: ok(2, 0.5), "execute": in_doubt(landed=False, cause="ResponseError")},
    ),
    Row(
        name="425",
        what="425, once",
        numbers=(48,),
        faults=Fault(status=425, times=1),
        cases={FEW: ok(2, 0.5), "execute": in_doubt(landed=False, cause="ResponseError")},
    ),
    Row(
        name="409",
        what="409: a conflict is told, not tried again; an AUTO tag is nobody else's, so its run is looked for first",
        numbers=(48,),
        faults=Fault(status=409, times=1),
        cases={
            "details": fails("Conflict", 1, status=409),
            "execute": fails("Conflict", 2, status=409, runs=0),
            "execute_tagged": fails("Conflict", 1, status=409, runs=0),
            "stream_start": fails("Conflict", 1, status=409),
            "ensure_streaming": ok(40, 60, starts=1),
            "batch": ok(20, 20, runs=2, states={"SUCCESS": 2, "REJECTED": 1}),
        },
    ),
    Row(
        name="400",
        what="400 with violations: told with each of them",
        numbers=("400",),
        faults=Fault(status=400, body=_VIOLATIONS, times=1),
        cases={
            "details stream_status": fails("BadRequest", 1, status=400, says="limit: too large"),
            "execute": fails("BadRequest", 1, status=400, runs=0),
            "batch": ok(40, 15, runs=2, states={"SUCCESS": 2, "REJECTED": 1}),
            "wait": ok(14, 14, status="SUCCESS"),
        },
    ),
    Row(
        name="403",
        what="403: no role, or an address that is not allowed",
        numbers=(50,),
        faults=Fault(status=403),
        cases={
            "details projects executions stream_status execute": fails("Forbidden", 1, status=403),
            "wait": fails("Forbidden", 1, status=403),
            "sweep": ok(400, 60, ended={"SUCCESS": 30}),
            "batch": ok(5, 1, runs=0, states={"REJECTED": 3}),
            "stream_wait": fails("Forbidden", 1, status=403),
            "supervise": ok(40, 600, gave_up=True),
        },
    ),
    Row(
        name="403-once",
        what="403 in the middle, once: a role that is just being changed",
        numbers=(50,),
        faults=Fault(status=403, skip=2, times=1),
        cases={"supervise": ok(200, 600, gave_up=False, streamed=True)},
    ),
    Row(
        name="404-after-trigger",
        what="404 for 20 s after our own trigger: the run is not visible yet",
        numbers=(51,),
        faults=Fault(status=404, times=5),
        cases={"execute_and_wait": ok(25, 60), "batch_reads": ok(60, 60, states={"SUCCESS": 3})},
    ),
    Row(
        name="404-never-visible",
        what="404 for longer than `not_found_grace` after our own trigger",
        numbers=(51, 52),
        faults=Fault(status=404),
        cases={"execute_and_wait": fails("NotFound", 20, 100, least=60, status=404)},
    ),
    Row(
        name="404-reattached",
        what="404 for a run that this process did not start: purged, or never there",
        numbers=(52,),
        faults=Fault(status=404),
        cases={"wait details await": fails("NotFound", 1, status=404), "hand_over": fails("NotFound", 3, status=404)},
    ),
    Row(
        name="410",
        what="410: the pipeline is disabled",
        numbers=(52,),
        faults=Fault(status=410),
        cases={"execute": fails("PipelineDisabled", 1, status=410, runs=0), "batch": ok(5, 1, runs=0, states={"REJECTED": 3})},
    ),
    Row(
        name="410-read",
        what="410 to reads of a run, for a while: never taken for a failure of the run",
        numbers=(52,),
        faults=Fault(status=410, times=3),
        cases={"wait": ok(14, 16, status="SUCCESS"), "details": fails("PipelineDisabled", 1, status=410)},
    ),
    Row(
        name="redirect-other-host",
        what="302 to another host: not followed, so no token goes there",
        numbers=(53,),
        faults=Fault(kind="redirect", times=1),
        cases={
            f"{FEW} cancel": fails("ResponseError", 1, status=302),
            "execute": in_doubt(landed=False, cause="ResponseError"),
            "wait": ok(14, 14, status="SUCCESS"),
        },
    ),
    Row(
        name="redirect-loop",
        what="A redirect to the same address, without end",
        numbers=(53,),
        faults=Fault(kind="redirect", location="/dpc/v1/projects", status=301),
        cases={"projects": fails("ResponseError", 1, status=301)},
    ),
    Row(
        name="redirect-307-post",
        what="307 to a POST: its body does not go to another host",
        numbers=(53,),
        faults=Fault(kind="redirect", status=307),
        cases={
            "execute": in_doubt(landed=False, always=True, cause="ResponseError"),
            "stream_start": fails("ResponseError", 1, status=307),
        },
    ),
    Row(
        name="success-with-retry-after",
        what="Success with Retry-After: nobody waits",
        numbers=(55,),
        faults=Fault(retry_after=60, kind="answer"),
        cases={FEW: ok(3), "execute": ok(1, runs=1), "wait": ok(12, 12, status="SUCCESS")},
    ),
    Row(
        name="599",
        what="A status that nobody knows",
        numbers=("unknown",),
        faults=Fault(status=599, times=1),
        cases={"details": ok(2, 0.5), "execute": in_doubt(landed=False, cause="ServerError")},
    ),
    Row(
        name="418",
        what="Another 4xx that nobody knows: a refusal",
        numbers=("unknown",),
        faults=Fault(status=418, times=1),
        cases={"details": fails("ResponseError", 1, status=418), "execute": fails("ResponseError", 1, status=418, runs=0)},
    ),
    Row(
        name="204-read",
        what="204 where a body is promised",
        numbers=(32,),
        faults=Fault(status=204, times=1),
        cases={
            "details projects executions stream_status": fails("DecodeError", 1, says="empty"),
            "wait": ok(14, 14, status="SUCCESS"),
            "execute": in_doubt(landed=False, cause="DecodeError"),
        },
    ),
)
