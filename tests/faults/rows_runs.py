"""Catalogue G, I and J for runs: what reads say of them, ends that are none, clocks, deadlines, hand-over, closing."""

from __future__ import annotations

from typing import Final

from faults.rows_connection import FEW
from faults.shapes import Row, batch_in_doubt, fails, in_doubt, ok
from faults.world import STATIC

from maia_async import StaticToken
from maia_async.emulator import Fault

ELSE: Final = "00000000-0000-4000-8000-0000000000ff"
GOOD: Final = ok(14, 14, status="SUCCESS", least=8)


def _said(name: str, what: str, *numbers: int | str, times: int | None = 3, **fault: object) -> Row:
    """What reads of the run say a few times before they say the truth: it must not end the wait, neither well nor badly."""
    return Row(name=f"run-{name}", what=what, numbers=numbers, faults=Fault(times=times, **fault), cases={"wait": GOOD})


def _end(status: str, error: str) -> Row:
    return Row(
        name=f"ends-{status.lower()}",
        what=f"The run ends with {status}",
        numbers=("C10",),
        pipeline={"outcomes": [status]},
        cases={"execute_and_wait": fails(error, 14, 12, says=status), "batch": ok(40, 15, runs=3, states={status: 3})},
    )


def _finished(answer: int) -> Row:
    return Row(
        name=f"cancel-finished-{answer}",
        what=f"A cancel that crosses the end of the run is answered with {answer}",
        numbers=(79,),
        readings={"patch_finished": answer},
        cases={"cancel_ended": ok(4, 3, status="SUCCESS")},
    )


ROWS: Final = (
    _said("unknown-word", "A status that nobody knows", 54, "C9", put={"result.status": "QUEUED"}),
    _said("null-status", "A status that is null", 54, put={"result.status": None}),
    _said("backwards", "CANCELLING, and then RUNNING again", 70, put={"result.status": "CANCELLING"}),
    _said("stale", "A stale cache tells of the beginning", 70, replay=True),
    _said("of-another", "An end that is another run's", 70, put={"result.status": "FAILED", "result.pipelineExecutionId": ELSE}),
    _said(
        "odd-fields",
        "Fields of other types than they should be",
        54,
        times=None,
        put={"result.startedAt": "yesterday", "result.message": {}},
    ),
    _said("nothing", "An empty object", 32, status=200, body={}),
    _said("404-list", "A problem with 200", 33, status=200, body={"title": "Not Found", "detail": "no such run"}),
    Row(
        name="run-unknown-for-ever",
        what="A status that nobody knows, for ever: the deadline of the wait ends it",
        numbers=(54, "C6", "C9"),
        faults=Fault(put={"result.status": "QUEUED"}),
        cases={"wait_10s": fails("WaitTimeout", 13, 12, least=10, says="QUEUED"), "details": ok(1, status="QUEUED")},
    ),
    Row(
        name="new-fields",
        what="Fields that nobody knows, everywhere",
        numbers=(54,),
        readings={"extra_fields": True},
        cases={f"{FEW} steps": ok(1), "execute": ok(1, runs=1), "wait": GOOD, "sweep": ok(400, 40), "stream_create": ok(1)},
    ),
    Row(
        name="null-fields",
        what="Absent fields are null",
        numbers=(54,),
        readings={"null_fields": "null"},
        cases={f"{FEW} steps": ok(1), "execute": ok(1, runs=1), "wait": GOOD, "sweep": ok(400, 40), "stream_create": ok(1)},
    ),
    Row(
        name="lower-case",
        what="States in lower case",
        numbers=(54,),
        readings={"status_case": "lower"},
        cases={"details": ok(1, status="RUNNING"), "wait": GOOD, "sweep": ok(400, 40), "stream_wait": ok(30, 60, status="STREAMING")},
    ),
    Row(
        name="flat-details",
        what="Details that are not nested, and `/status` that is missing",
        numbers=(54,),
        readings={"details": "flat", "status_endpoint": "missing"},
        cases={"details": ok(1, status="RUNNING"), "status": ok(2, status="RUNNING"), "wait": GOOD},
    ),
    Row(
        name="guide-details",
        what="The four fields of the guide, with `finishedAt` beside RUNNING",
        numbers=(54,),
        readings={"details": "guide", "status_endpoint": "nested", "steps_shape": "steps"},
        cases={"details status": ok(1, status="RUNNING"), "steps": ok(3, steps=1), "wait": GOOD},
    ),
    Row(
        name="trigger-202-id",
        what="A trigger is answered with 202 and `id`",
        numbers=(54,),
        readings={"trigger_status": 202, "trigger_body": "id"},
        cases={"execute": ok(1, runs=1), "batch": ok(40, 15, runs=3)},
    ),
    Row(
        name="trigger-without-id",
        what="A trigger succeeds, and its answer has no id",
        numbers=(47, 12),
        faults=Fault(remove=["pipelineExecutionId"], times=1),
        cases={
            "execute": in_doubt(landed=True, cause="DecodeError"),
            "execute_tagged": in_doubt(landed=True, cause="DecodeError", tag="own"),
            "batch": batch_in_doubt(),
        },
    ),
    Row(
        name="create-without-id",
        what="A create succeeds, and its answer has no id: found in the list",
        numbers=(12,),
        faults=Fault(remove=["streamingPipelineId"], times=1),
        cases={"stream_create": ok(3, 1)},
    ),
    Row(
        name="ends-at-once-lost",
        what="The answer to a trigger is lost, and its run has ended before anybody looks: the tag protects no more",
        numbers=(12, 78),
        faults=Fault(status=502, ends="SUCCESS", times=1),
        cases={
            "execute": in_doubt(landed=True, cause="ServerError"),
            "execute_untagged": in_doubt(landed=True, cause="ServerError", tag="none"),
        },
    ),
    _end("FAILED", "ExecutionFailed"),
    _end("CANCELLED", "ExecutionCancelled"),
    _end("SKIPPED", "ExecutionSkipped"),
    _end("FORBIDDEN", "ExecutionForbidden"),
    _finished(409),
    _finished(400),
    _finished(404),
    _finished(200),
    Row(
        name="cancel-ignored",
        what="A cancel is accepted and changes nothing",
        numbers=(79, "C6"),
        pipeline={"ignores_graceful_cancel": True, "duration": 3600},
        cases={"execute_and_cancel": fails("WaitTimeout", 80, 63, least=60)},
    ),
    Row(
        name="tag-runs",
        what="Two workers start the same work with one tag: one run, and a conflict",
        numbers=(78,),
        cases={"execute_twice": fails("Conflict", 2, status=409, runs=1)},
    ),
    Row(
        name="one-of-three",
        what="One row of a batch is refused: its siblings are not lost",
        numbers=(84,),
        faults=Fault(status=400, request={"scalarVariables": {"n": "1"}}),
        cases={"batch": ok(40, 15, runs=2, states={"SUCCESS": 2, "REJECTED": 1})},
    ),
    Row(
        name="reads-forbidden-in-batch",
        what="The runs of a batch were started and may not be read: known, and left running",
        numbers=(84, 50),
        faults=Fault(status=403),
        cases={"batch_reads": ok(20, 20, runs=3, states={"LEFT_RUNNING": 3})},
    ),
    Row(
        name="bug-in-auth",
        what="Credentials of the caller's own raise what nobody expects: it reaches every waiter, and no wait hangs",
        numbers=(73,),
        around="auth_breaks",
        cases={"wait details execute": fails("ValueError", 0, 1, says="vault", runs=0), "batch": fails("ValueError", 0, 1, runs=0)},
    ),
    Row(
        name="last-waiter-leaves",
        what="The last waiter is cancelled, in an outage: nothing is asked any more",
        numbers=(74,),
        faults=Fault(status=503),
        cases={"wait_and_leave": ok(5, 104, later=0, tasks=0)},
    ),
    Row(
        name="last-waiter-leaves-silence",
        what="The same while a read is under way",
        numbers=(74, 18),
        faults=Fault(kind="silence"),
        cases={"wait_and_leave": ok(2, 104, later=0, tasks=0)},
    ),
    Row(
        name="handed-over",
        what="A wait ends before its run, and the process with it: another one goes on by the reference",
        numbers=(75, 76, "C7"),
        cases={"hand_over": ok(16, 14, ended="WaitTimeout", status="SUCCESS"), "wait_10s": fails("WaitTimeout", 12, 12, least=10)},
    ),
    Row(
        name="handed-over-in-outage",
        what="The same while the first one cannot read",
        numbers=(75, 76, "C8"),
        faults=Fault(status=503, times=3),
        cases={"hand_over": ok(20, 16, ended="WaitTimeout", status="SUCCESS")},
    ),
    Row(
        name="short-waits",
        what="Twenty tasks that loop over short waits share the reads",
        numbers=(19, "C7"),
        cases={"short_waits": ok(12, 12)},
    ),
    Row(
        name="closed",
        what="Use after close, a second close, a close under a wait",
        numbers=(80, "C17"),
        cases={"after_close": fails("SessionClosed", 0), "closed_wait": ok(5, 3, ended="SessionClosed", id=True)},
    ),
    Row(
        name="wall-clock-jumps",
        what="Our wall clock jumps back by an hour at every look",
        numbers=(64,),
        around="wall_clock_jumps",
        cases={
            "wait": GOOD,
            "execute": ok(1, runs=1),
            "sweep": ok(500, 45, ended={"SUCCESS": 30}),
            "stream_wait": ok(30, 60, status="STREAMING"),
        },
    ),
    Row(
        name="server-clock-ahead",
        what="The server's clock is a day ahead of ours",
        numbers=(64,),
        skew={"date": 86400.0},
        cases={"wait": GOOD, "sweep": ok(700, 45, ended={"SUCCESS": 30}), "batch": ok(40, 15, runs=3)},
    ),
    Row(
        name="server-clock-behind",
        what="The server's clock is a day behind ours",
        numbers=(64,),
        skew={"date": -86400.0},
        cases={"wait": GOOD, "sweep": ok(700, 45, ended={"SUCCESS": 30}), "batch": ok(40, 15, runs=3)},
    ),
    Row(
        name="loop-stalls",
        what="The loop stands still, or the machine sleeps, for ten minutes: no burst of requests after it",
        numbers=(65,),
        around="loop_stalls",
        cases={
            "wait": ok(8, 610, status="SUCCESS"),
            "wait_10s": fails("WaitTimeout", 8, 612),
            "sweep": ok(120, 640, ended={"SUCCESS": 30}),
            "supervise": ok(60, 700, gave_up=False),
        },
    ),
    Row(
        name="control-characters",
        what="An error body with line breaks and terminal escapes: told on one line",
        numbers=("log injection",),
        faults=Fault(status=400, body={"detail": "one\ntwo\x1b[31mred"}, times=1),
        cases={
            "details": fails("BadRequest", 1, says="one two [31mred"),
            "execute": fails("BadRequest", 1, says="one two [31mred", runs=0),
        },
    ),
    Row(
        name="echoed-token",
        what="An error body that repeats our token",
        numbers=(86, "C20"),
        client={"auth": StaticToken(STATIC)},
        faults=Fault(status=500, body={"detail": f"bad header: Bearer {STATIC}"}),
        cases={"details": fails("ServerError", 5, 7.5, says="bad header"), "wait_10s": fails("WaitTimeout", 10, 12.1, least=10)},
    ),
)
