"""Catalogue K: streaming pipelines that flap, refuse, hang, are stopped by others, or cannot be reached."""

from __future__ import annotations

from typing import Final

from faults.shapes import Act, Row, fails, ok
from faults.world import STREAM

from maia_async.emulator import Fault, StreamScript

ROWS: Final = (
    Row(
        name="stream-drops",
        what="A stream dies once: restarted",
        numbers=(87,),
        acts=(Act(call="drop_stream", at=120, given=(STREAM,)),),
        cases={"supervise": ok(120, 600, streamed=True, gave_up=False, restarts=1, state="STREAMING")},
    ),
    Row(
        name="stream-flaps",
        what="No start lives longer than 20 s: given up after three restarts, and told",
        numbers=(87,),
        script=StreamScript(flaps_every=20),
        cases={"supervise": ok(200, 600, gave_up=True, restarts=3, state="NOT_RUNNING")},
    ),
    Row(
        name="stream-never-starts",
        what="A START is accepted, and the state stays NOT_RUNNING",
        numbers=(88,),
        script=StreamScript(refuses_to_start="stays"),
        cases={
            "ensure_streaming": fails("StreamingStopped", 40, 75, least=60),
            "stream_wait": fails("StreamingStopped", 40, 75, least=60),
            "supervise": ok(200, 600, gave_up=True, streamed=False),
        },
    ),
    Row(
        name="stream-starts-and-stops",
        what="A START is accepted, STARTING shows, and then NOT_RUNNING",
        numbers=(88,),
        script=StreamScript(refuses_to_start="returns", starting=8),
        cases={"ensure_streaming": fails("StreamingStopped", 20, 20), "supervise": ok(200, 600, gave_up=True, streamed=False)},
    ),
    Row(
        name="stream-start-409",
        what="START is answered with 409 while the state is NOT_RUNNING",
        numbers=(88, 48),
        script=StreamScript(refuses_to_start=409),
        cases={"stream_start": fails("Conflict", 1, status=409), "ensure_streaming": fails("Conflict", 80, 75, least=55)},
    ),
    Row(
        name="stream-start-500",
        what="START is answered with 500, three times",
        numbers=(88,),
        script=StreamScript(refuses_to_start=500, refusals=3),
        cases={"stream_start": fails("ServerError", 1, status=500), "supervise": ok(200, 600, gave_up=False, streamed=True)},
    ),
    Row(
        name="stream-stuck",
        what="A stream never leaves STARTING: no failure, it may take hours",
        numbers=(88, "C7"),
        script=StreamScript(stuck_starting=True),
        cases={"supervise": ok(120, 600, gave_up=False, streamed=False, restarts=0, state="STARTING")},
    ),
    Row(
        name="stream-never-stops",
        what="A STOP is accepted, and the state stays STOPPING",
        numbers=(88,),
        script=StreamScript(stop_seconds=100_000),
        cases={"ensure_stopped": fails("WaitTimeout", 60, 303, least=300, says="STOPPING")},
    ),
    Row(
        name="stream-start-lags",
        what="A reader sees NOT_RUNNING for 20 s after an accepted START",
        numbers=(70,),
        script=StreamScript(start_lag=20, starting=25),
        cases={"ensure_streaming": ok(40, 80, starts=1), "supervise": ok(120, 600, gave_up=False, streamed=True, restarts=0)},
    ),
    Row(
        name="stream-unknown",
        what="The agent is out of reach for a minute: UNKNOWN",
        numbers=(54,),
        script=StreamScript(unreachable=((10, 60),)),
        cases={
            "stream_wait": ok(60, 120, status="STREAMING"),
            "ensure_streaming": ok(60, 120, starts=1),
            "supervise": ok(120, 600, gave_up=False, streamed=True, restarts=0),
        },
    ),
    Row(
        name="stream-unknown-long",
        what="The agent is out of reach for seven minutes: told after five",
        numbers=(54,),
        script=StreamScript(unreachable=((100, 420),)),
        cases={"supervise": ok(150, 600, gave_up=False, unreachable=1)},
    ),
    Row(
        name="stream-stopped-by-others",
        what="Somebody else stops it: respected",
        numbers=(89,),
        acts=(Act(call="stop_stream", at=120, given=(STREAM,)),),
        script=StreamScript(stop_seconds=30),
        cases={"supervise": ok(120, 600, gave_up=False, streamed=True, restarts=0, state="NOT_RUNNING")},
    ),
    Row(
        name="stream-stopped-in-restart",
        what="It drops, and somebody else stops it while it is being restarted: respected",
        numbers=(89,),
        acts=(Act(call="drop_stream", at=120, given=(STREAM,)), Act(call="stop_stream", at=170, given=(STREAM,))),
        script=StreamScript(stop_seconds=30, starting=60),
        cases={"supervise": ok(120, 600, gave_up=False, restarts=1, state="NOT_RUNNING")},
    ),
    Row(
        name="stream-deleted",
        what="It is not there any more: 404",
        numbers=(52,),
        faults=Fault(status=404),
        cases={
            "stream_status stream_wait stream_start": fails("NotFound", 1, status=404),
            "supervise": ok(40, 600, gave_up=True),
        },
    ),
    Row(
        name="stream-status-null",
        what="A state that is null, a few times",
        numbers=(54,),
        faults=Fault(put={"status": None}, times=4),
        cases={"stream_wait": ok(40, 60, status="STREAMING"), "supervise": ok(120, 600, gave_up=False, streamed=True)},
    ),
    Row(
        name="stream-status-new",
        what="A state that nobody knows, a few times",
        numbers=(54, "C9"),
        faults=Fault(put={"status": "REBALANCING"}, times=4),
        cases={"stream_wait": ok(40, 60, status="STREAMING"), "supervise": ok(120, 600, gave_up=False, streamed=True)},
    ),
    Row(
        name="stream-command-200",
        what="Commands are answered with 200 in the place of 202",
        numbers=(54,),
        readings={"streaming_command_status": 200},
        cases={"stream_start": ok(1, starts=1), "ensure_streaming": ok(30, 60, starts=1)},
    ),
    Row(
        name="stream-start-lost",
        what="The answer to a START is lost in a 504, and the START had its effect",
        numbers=(12, 47),
        faults=Fault(status=504, landed=True, times=1),
        cases={
            "stream_start": fails("GatewayTimeout", 1, status=504),
            "ensure_streaming": fails("GatewayTimeout", 2, 1, status=504),
            "supervise_start": ok(120, 600, gave_up=False, streamed=True, restarts=0),
        },
    ),
)
