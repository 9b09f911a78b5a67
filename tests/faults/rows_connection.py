"""Catalogue A and B: connections that are not made, or break before an answer comes.

Waits for a retry are full jitter, so their sum is a bound.
"""

from __future__ import annotations

from typing import Final

from faults.shapes import Act, Row, batch_in_doubt, fails, in_doubt, ok
from faults.world import STATIC

from maia_async import StaticToken
from maia_async.emulator import Fault

# Four retries wait for at most 0.5 + 1 + 2 + 4 s.
BACKOFFS: Final = 7.5
READS: Final = "details status steps projects executions stream_status raw"
FEW: Final = "details projects executions stream_status"

ROWS: Final = (
    Row(
        name="dns-unknown",
        what="The name does not exist",
        numbers=(1,),
        around="no_such_name",
        cases={
            "details execute": fails("ConnectFailed", 0, BACKOFFS, says="localhost", runs=0, final=False),
            "wait": fails("StatusUnavailable", 0, 640, least=600, cause="ConnectFailed"),
            "wait_10s": fails("WaitTimeout", 0, 12, least=10),
        },
    ),
    Row(
        name="dns-comes-back",
        what="The name cannot be looked up twice, then it can",
        numbers=(1,),
        around="name_comes_back",
        cases={"details": ok(1, 1.5), "execute": ok(1, 1.5, runs=1), "wait": ok(12, 12, status="SUCCESS"), "batch": ok(40, 30, runs=3)},
    ),
    Row(
        name="dns-moved",
        what="The cached address is dead, the name has moved",
        numbers=(2,),
        around="name_moves",
        cases={"details": ok(1, 0.5), "execute": ok(1, 0.5, runs=1), "wait": ok(12, 12, status="SUCCESS")},
    ),
    Row(
        name="dns-hangs-closed",
        what="The client is closed while a name is looked up",
        numbers=(3,),
        around="name_never_answered",
        cases={"closed_meanwhile": ok(0, 1, ended="SessionClosed"), "closed_wait": ok(0, 3, ended="SessionClosed", id=True)},
    ),
    Row(
        name="dns-hangs-closed-own",
        what="The same with a session that is the client's own: its connector is closed",
        numbers=(3,),
        around="name_never_answered_own",
        cases={"closed_meanwhile": ok(0, 1, ended="SessionClosed"), "closed_wait": ok(0, 3, ended="SessionClosed", id=True)},
    ),
    Row(
        name="closed-on-loan",
        what="The client is closed with a request in flight on the caller's own session, which stays open",
        numbers=(80,),
        around="pool_of_two",
        faults=Fault(kind="silence"),
        cases={"closed_meanwhile": ok(1, 1, ended="SessionClosed"), "closed_wait": ok(1, 3, ended="SessionClosed", id=True)},
    ),
    Row(
        name="refused",
        what="Connections are refused, without end",
        numbers=(4,),
        acts=(Act(call="refuse_connections"),),
        cold=True,
        client={"auth": StaticToken(STATIC)},
        cases={
            f"{READS} execute cancel stream_start stream_create": fails("ConnectFailed", 0, BACKOFFS, runs=0, final=False),
            "wait": fails("StatusUnavailable", 0, 640, least=600, cause="ConnectFailed"),
            "hand_over": fails("StatusUnavailable", 0, 650, cause="ConnectFailed"),
        },
    ),
    Row(
        name="refused-20s",
        what="Connections are refused for 20 s",
        numbers=(4, "C8"),
        acts=(Act(call="refuse_connections", options={"seconds": 20}),),
        cases={
            "wait": ok(6, 60, least=20, status="SUCCESS"),
            "sweep": ok(80, 90, ended={"SUCCESS": 30}),
            "batch": ok(40, 90, runs=3, states={"SUCCESS": 3}),
            "stream_wait": ok(30, 90, status="STREAMING"),
            "supervise": ok(120, 600, streamed=True, gave_up=False),
        },
    ),
    Row(
        name="refused-2s",
        what="Connections are refused for a moment",
        numbers=(4, "C8"),
        acts=(Act(call="refuse_connections", options={"seconds": 0.2}),),
        cold=True,
        client={"auth": StaticToken(STATIC)},
        cases={"stream_start": ok(1, BACKOFFS, starts=1), "execute": ok(1, BACKOFFS, runs=1), "stream_create": ok(1, BACKOFFS)},
    ),
    Row(
        name="black-hole",
        what="Nobody answers the SYN",
        numbers=(5,),
        around="syn_black_hole",
        cases={
            "details execute": fails("ConnectFailed", 0, 50 + BACKOFFS, least=50, says="not made in time", runs=0, final=False),
            "wait_10s": fails("WaitTimeout", 0, 22, least=10),
        },
    ),
    Row(
        name="no-tls",
        what="Plain HTTP on the TLS port",
        numbers=(6,),
        around="plain_http_on_tls_port",
        cases={"details execute": fails("ConnectFailed", 0, BACKOFFS, runs=0, final=False)},
    ),
    Row(
        name="certificate-self-signed",
        what="A certificate that nobody vouches for: trying again cannot help",
        numbers=(7,),
        around="certificate_of_nobody",
        cases={
            "details execute cancel stream_status": fails("ConnectFailed", 0, 0, says="certificate was refused", runs=0, final=True),
            "batch": fails("ConnectFailed", 0, 0, says="certificate was refused", runs=0, final=True),
        },
    ),
    Row(
        name="certificate-wrong-host",
        what="A good certificate of another host",
        numbers=(7,),
        around="certificate_of_another_host",
        cases={"details execute": fails("ConnectFailed", 0, 0, says="certificate was refused", runs=0, final=True)},
    ),
    Row(
        name="tls-hangs",
        what="The TLS handshake is not answered",
        numbers=(8,),
        around="tls_never_answered",
        cases={"details execute": fails("ConnectFailed", 0, 50 + BACKOFFS, least=50, runs=0, final=False)},
    ),
    Row(
        name="first-address-dead",
        what="The first of two addresses answers no SYN, the second is well",
        numbers=(9,),
        around="first_address_dead",
        cases={"details": ok(1, 0.25), "execute": ok(1, 0.25, runs=1)},
    ),
    Row(
        name="proxy-407",
        what="A proxy of the caller's session refuses to connect",
        numbers=(10,),
        around="proxy_refuses",
        cases={"details execute": fails("ConnectFailed", 0, BACKOFFS, says="407", runs=0, final=False)},
    ),
    Row(
        name="proxy-in-environment",
        what="The environment names a proxy: it is not used",
        numbers=(10,),
        around="proxy_in_environment",
        cases={"details": ok(1), "execute": ok(1, runs=1)},
    ),
    Row(
        name="reset-unread",
        what="A reset before the request is read, once: who sends cannot know that it was not",
        numbers=(11, "C8"),
        faults=Fault(kind="reset", times=1),
        cases={
            READS: ok(2, 0.5),
            "wait": ok(14, 14, status="SUCCESS"),
            "sweep": ok(400, 45, ended={"SUCCESS": 30}),
            "cancel": ok(2, 0.5, shown="CANCELLING"),
            "cancel_and_confirm": ok(8, 6, status="CANCELLED"),
            "execute": in_doubt(landed=False, cause="Disconnected"),
            "execute_tagged": in_doubt(landed=False, cause="Disconnected", tag="own"),
            "execute_untagged": in_doubt(landed=False, cause="Disconnected", tag="none"),
            "batch": batch_in_doubt(),
            "stream_start": fails("Disconnected", 1, 0, method="POST"),
            "stream_create": fails("CreateOutcomeUnknown", 12, 20, least=15, cause="Disconnected", candidates=()),
            "supervise_start": ok(200, 600, streamed=True, gave_up=False),
        },
    ),
    Row(
        name="reset-read",
        what="A reset after the request was carried out, once: a POST must not be sent again",
        numbers=(12, "C8"),
        faults=Fault(kind="reset", landed=True, times=1),
        cases={
            READS: ok(2, 0.5),
            "wait": ok(14, 14, status="SUCCESS"),
            "cancel": ok(2, 0.5, shown="CANCELLING"),
            "cancel_and_confirm": ok(8, 6, status="CANCELLED"),
            "execute": in_doubt(landed=True, cause="Disconnected"),
            "execute_tagged": in_doubt(landed=True, cause="Disconnected", tag="own"),
            "execute_untagged": in_doubt(landed=True, cause="Disconnected", tag="none"),
            "batch": batch_in_doubt(),
            "stream_start": fails("Disconnected", 1, 0, method="POST"),
            "stream_create": ok(3, 1),
            "supervise_start": ok(200, 600, streamed=True, gave_up=False, restarts=0),
        },
    ),
    Row(
        name="reset-always",
        what="Every answer is lost in a reset",
        numbers=(12, 56),
        faults=Fault(kind="reset", landed=True),
        cases={
            FEW: fails("Disconnected", 5, BACKOFFS, method="GET"),
            "wait": fails("StatusUnavailable", 70, 640, least=600, cause="Disconnected"),
            "hand_over": fails("StatusUnavailable", 75, 650, cause="Disconnected"),
        },
    ),
    Row(
        name="closed-unread",
        what="The connection is closed in order instead of an answer, once",
        numbers=(11, 13),
        faults=Fault(kind="closed", times=1),
        cases={
            FEW: ok(2, 0.5),
            "execute": in_doubt(landed=False, cause="Disconnected"),
            "batch": batch_in_doubt(),
        },
    ),
    Row(
        name="closed-before-reuse",
        what="A kept connection is closed just before it is used again",
        numbers=(13,),
        faults=Fault(kind="closed_on_reuse", path="/dpc/v1/projects", method="GET"),
        cases={"projects": ok(5, 1.5), "raw": ok(1)},
    ),
    Row(
        name="hidden-resend",
        what="The HTTP library would send a GET once more by itself: the server sees each one that is counted, and no other",
        numbers=(14,),
        faults=Fault(kind="closed", times=4),
        cases={FEW: ok(5, BACKOFFS)},
    ),
    Row(
        name="closes-after-every-answer",
        what="The server closes after each answer, without saying so",
        numbers=(15,),
        faults=Fault(kind="closed_after", path="/dpc/**"),
        cases={
            FEW: ok(1, 2),
            "wait": ok(12, 12, status="SUCCESS"),
            "burst": ok(20, 1),
            "batch": ok(40, 15, runs=3),
            "execute": ok(1, runs=1),
        },
    ),
    Row(
        name="idle-connection",
        what="A slow answer, ten idle minutes, and the next request on the same connection",
        numbers=(16,),
        faults=Fault(delay=30, times=1),
        cases={"twice": ok(2, 630, least=630)},
    ),
    Row(
        name="pool-blocked",
        what="Two answers that are too large, in a pool of two connections: whoever comes next gets one",
        numbers=(17,),
        around="pool_of_two",
        faults=Fault(kind="huge", size=40_000_000, times=2),
        cases={"burst": ok(20, 2, failed={"DecodeError": 2})},
    ),
    Row(
        name="cancelled-under-way",
        what="A request is cancelled while the server is silent: its connection and its slot are free again",
        numbers=(18, 61),
        faults=Fault(kind="silence"),
        cases={"cancelled": ok(2, 1, ended=1.0)},
    ),
    Row(
        name="twenty-at-once",
        what="Twenty at once, four of them reset: each is answered in the end",
        numbers=(19, 63),
        faults=Fault(kind="reset", times=4),
        cases={"burst": ok(24, 4, failed={})},
    ),
)
