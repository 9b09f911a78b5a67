"""Catalogue C and D: heads and bodies that are slow, cut, too large, or no JSON. A POST whose answer cannot be read is ambiguous."""

from __future__ import annotations

from typing import Final

from faults.rows_connection import BACKOFFS, FEW
from faults.shapes import Row, batch_in_doubt, fails, in_doubt, ok

from maia_async import Timeouts
from maia_async.emulator import Fault

# Five attempts of 60 s, and what is waited between them.
PATIENCE: Final = 5 * 60 + BACKOFFS
_JSON_HEAD: Final = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_RUNNING: Final = '{"status":"RUNNING","projectId":"p"}'
# Written out: what a compressor makes differs between its versions, and this page must not.
_GZIP_OF_A_SPACE: Final = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03S\x00\x00E\xcfl\xe9\x01\x00\x00\x00"
_DEEP: Final = '{"status":"RUNNING","deep":' + "[" * 200_000 + "]" * 200_000 + "}"


def _raw(text: str, **more: object) -> Fault:
    return Fault(kind="garbage", body=text, encoding="latin-1", **more)


def _odd_json(name: str, what: str, body: str, *, wrong: bool | None = True, encoding: str = "utf-8") -> Row:
    """JSON that parsers disagree about, in the place of the details of a run, once."""
    return Row(
        name=f"json-{name}",
        what=what,
        numbers=(36,),
        faults=Fault(status=200, body=body, encoding=encoding, content_type="application/json", times=1),
        cases={
            "wait": ok(14, 14, status="SUCCESS"),
            **({} if wrong is None else {"details": fails("DecodeError", 1) if wrong else ok(1, status="RUNNING")}),
        },
    )


ROWS: Final = (
    Row(
        name="silence",
        what="No answer at all, without end",
        numbers=(21, "C6"),
        faults=Fault(kind="silence"),
        cases={
            "details projects stream_status cancel": fails("RequestTimedOut", 5, PATIENCE, least=300),
            "execute": in_doubt(landed=False, always=True, seconds=60, cause="RequestTimedOut"),
            "execute_tagged": in_doubt(landed=False, seconds=60, cause="RequestTimedOut", tag="own"),
            "wait": fails("StatusUnavailable", 20, 780, least=600, cause="RequestTimedOut"),
            "wait_10s": fails("WaitTimeout", 2, 80, least=10),
            "cancel_and_confirm": fails("WaitTimeout", 3, 65, least=59),
            "closed_meanwhile": ok(1, 1, ended="SessionClosed"),
            "closed_wait": ok(1, 3, ended="SessionClosed", id=True),
        },
    ),
    Row(
        name="silence-landed",
        what="The request is carried out, and no answer comes",
        numbers=(21, 12),
        faults=Fault(kind="silence", landed=True, times=1),
        cases={
            "execute": in_doubt(landed=True, seconds=60, cause="RequestTimedOut"),
            "execute_untagged": in_doubt(landed=True, seconds=60, cause="RequestTimedOut", tag="none"),
            "batch": batch_in_doubt(seconds=60),
            "stream_create": ok(3, 61, least=60),
            "stream_start": fails("RequestTimedOut", 1, 60, least=60),
            # The run has ended by the first PATCH when the second one goes out, and that is what the API says.
            "cancel": fails("Conflict", 2, 61, least=60),
            "cancel_and_confirm": fails("WaitTimeout", 3, 65, least=59),
        },
    ),
    Row(
        name="silence-once",
        what="One answer never comes, in the middle of a wait",
        numbers=(21, "C8"),
        faults=Fault(kind="silence", skip=2, times=1),
        cases={"wait": ok(8, 70, status="SUCCESS"), "sweep": ok(500, 150, ended={"SUCCESS": 30}), "stream_wait": ok(30, 130)},
    ),
    Row(
        name="dripped-head",
        what="The head comes byte by byte, one a second",
        numbers=(22,),
        faults=_raw(_JSON_HEAD + "Content-Length: 36\r\n\r\n" + _RUNNING, piece=1, delay=1),
        cases={"details": fails("RequestTimedOut", 5, PATIENCE, least=300), "wait_10s": fails("WaitTimeout", 3, 80, least=10)},
    ),
    Row(
        name="many-headers",
        what="A thousand headers",
        numbers=(23,),
        faults=_raw(
            _JSON_HEAD + "".join(f"X-{number}: x\r\n" for number in range(1000)) + "Content-Length: 36\r\n\r\n" + _RUNNING, times=1
        ),
        cases={"details stream_status": ok(2, 0.5), "execute": in_doubt(landed=False, cause="Disconnected")},
    ),
    Row(
        name="long-header",
        what="A header of 9 KB, as gateways add: it is taken",
        numbers=(23,),
        faults=Fault(headers={"Content-Security-Policy": "x" * 9000}),
        cases={FEW: ok(1), "execute": ok(1, runs=1)},
    ),
    Row(
        name="endless-header",
        what="A header of 100 KB",
        numbers=(23,),
        faults=_raw(_JSON_HEAD + "X-Long: " + "x" * 100_000 + "\r\nContent-Length: 36\r\n\r\n" + _RUNNING, times=1),
        cases={"details": ok(2, 0.5), "execute": in_doubt(landed=False, cause="Disconnected")},
    ),
    Row(
        name="no-status-line",
        what="What answers is no HTTP server",
        numbers=(24,),
        faults=_raw("SSH-2.0-OpenSSH_9.6\r\n", times=1),
        cases={FEW: ok(2, 0.5), "execute": in_doubt(landed=False, cause="Disconnected"), "wait": ok(14, 14, status="SUCCESS")},
    ),
    Row(
        name="garbage-always",
        what="Bytes that are no HTTP, without end",
        numbers=(24,),
        faults=Fault(kind="garbage"),
        cases={"details": fails("Disconnected", 5, BACKOFFS), "wait": fails("StatusUnavailable", 70, 640, cause="Disconnected")},
    ),
    Row(
        name="two-lengths",
        what="Two lengths that contradict each other",
        numbers=(25,),
        faults=_raw(_JSON_HEAD + "Content-Length: 36\r\nContent-Length: 5\r\n\r\n" + _RUNNING, times=1),
        cases={"details": ok(2, 0.5), "execute": in_doubt(landed=False, cause="Disconnected")},
    ),
    Row(
        name="length-and-chunks",
        what="A length and chunks at once",
        numbers=(25,),
        faults=_raw(_JSON_HEAD + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n24\r\n" + _RUNNING + "\r\n0\r\n\r\n", times=1),
        cases={"details": ok(2, 0.5), "execute": in_doubt(landed=False, cause="Disconnected")},
    ),
    Row(
        name="http-1-0",
        what="HTTP/1.0 without a length: the end of the connection is the end of the answer",
        numbers=(26,),
        faults=_raw("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + _RUNNING, times=1),
        cases={"details": ok(1, status="RUNNING"), "wait": ok(14, 14, status="SUCCESS")},
    ),
    Row(
        name="cut-body",
        what="Half of the promised bytes, and a reset",
        numbers=(27,),
        faults=Fault(kind="truncated", times=1),
        cases={
            FEW: ok(2, 0.5),
            "wait": ok(14, 14, status="SUCCESS"),
            "sweep": ok(500, 60, ended={"SUCCESS": 30}),
            "execute": in_doubt(landed=True, cause="Disconnected"),
            "batch": batch_in_doubt(),
            "stream_create": ok(3, 1),
            "cancel": ok(2, 0.5, shown="CANCELLING"),
        },
    ),
    Row(
        name="cut-chunk",
        what="Cut inside a chunk",
        numbers=(28,),
        faults=_raw(_JSON_HEAD + "Transfer-Encoding: chunked\r\n\r\n24\r\n" + _RUNNING[:10], times=1),
        cases={"details": ok(2, 0.5), "wait": ok(14, 14, status="SUCCESS"), "execute": in_doubt(landed=False, cause="Disconnected")},
    ),
    Row(
        name="slow-body",
        what="A byte a second: each one comes in time, the whole does not",
        numbers=(29, "C6"),
        faults=Fault(kind="trickled"),
        cases={
            "details": fails("RequestTimedOut", 5, PATIENCE, least=300),
            "execute": in_doubt(landed=True, seconds=60, cause="RequestTimedOut"),
            "wait_10s": fails("WaitTimeout", 3, 80, least=10),
        },
    ),
    Row(
        name="stalled-body",
        what="The head, and then nothing",
        numbers=(29, 21),
        faults=Fault(kind="stalled", times=1),
        cases={"details": ok(2, 61, least=60), "execute": in_doubt(landed=True, seconds=60, cause="RequestTimedOut")},
    ),
    Row(
        name="slow-close",
        what="The whole body, and then the connection stays open and answers nothing more",
        numbers=(30,),
        faults=Fault(kind="stalled", share=1.0, delay=600, times=1),
        cases={
            "details stream_status": ok(1),
            "projects": ok(1, 61),
            "execute": ok(1, runs=1),
            "wait": ok(14, 75, status="SUCCESS"),
        },
    ),
    Row(
        name="one-byte-pieces",
        what="The body in pieces of one byte, fast",
        numbers=(31,),
        faults=Fault(kind="trickled", piece=1, delay=0.0001),
        cases={"details stream_status": ok(1, 0.2), "execute": ok(1, 0.2, runs=1)},
    ),
    Row(
        name="empty-200",
        what="200 without a body where JSON is promised",
        numbers=(32,),
        faults=Fault(status=200, body="", times=1),
        cases={
            FEW: fails("DecodeError", 1, says="empty", status=200),
            "wait": ok(14, 14, status="SUCCESS"),
            "execute": in_doubt(landed=False, cause="DecodeError"),
            "cancel": ok(1),
            "stream_start": ok(1, starts=0),
        },
    ),
    Row(
        name="login-page",
        what="The page of a login, with 200",
        numbers=(33,),
        faults=Fault(kind="html"),
        cases={
            FEW: fails("DecodeError", 1, says="Sign in", status=200),
            "raw": ok(1, body="str"),
            "wait": fails("StatusUnavailable", 70, 640, least=600, cause="DecodeError"),
            "sweep": ok(700, 60, ended={"SUCCESS": 30}),
            "execute": in_doubt(landed=False, always=True, cause="DecodeError"),
            "stream_wait": fails("StatusUnavailable", 70, 640, least=600, cause="DecodeError"),
        },
    ),
    Row(
        name="login-page-to-commands",
        what="The page of a login, with 200, in the place of an answer without a body: nothing was carried out",
        numbers=(33,),
        faults=Fault(kind="html", times=1),
        cases={
            "cancel": fails("DecodeError", 1, says="Sign in"),
            "cancel_and_confirm": fails("DecodeError", 1, says="Sign in"),
            "stream_start": fails("DecodeError", 1, says="Sign in", method="POST"),
            "ensure_streaming": fails("DecodeError", 2, 1, says="Sign in"),
            "supervise_start": ok(120, 600, streamed=True, gave_up=False),
        },
    ),
    Row(
        name="wrong-content-type",
        what="Good JSON that is called text/plain: it is taken",
        numbers=(34,),
        faults=Fault(content_type="text/plain"),
        cases={FEW: ok(1), "execute": ok(1, runs=1), "wait": ok(12, 12, status="SUCCESS")},
    ),
    Row(
        name="broken-json",
        what="JSON that ends too early, in a body of the promised length",
        numbers=(35,),
        faults=Fault(status=200, body='{"status":"RUNN', content_type="application/json", times=1),
        cases={
            FEW: fails("DecodeError", 1, says="not JSON", status=200),
            "wait": ok(14, 14, status="SUCCESS"),
            "execute": in_doubt(landed=False, cause="DecodeError"),
        },
    ),
    _odd_json("bom", "JSON behind a byte order mark: it is taken", "\ufeff" + _RUNNING, wrong=False),
    _odd_json("latin-1", "Bytes that are not UTF-8", '{"status":"RUNNING","message":"\xe9"}', encoding="latin-1"),
    _odd_json("nan", "NaN, which is no JSON", '{"status":"RUNNING","extra":NaN}'),
    _odd_json("huge-number", "An integer of 4000 digits: parsers differ", '{"status":"RUNNING","extra":' + "9" * 4000 + "}", wrong=None),
    _odd_json("surrogate", "Half of a surrogate pair, escaped: parsers differ", '{"status":"RUNNING","message":"\\ud800"}', wrong=None),
    _odd_json("twice", "A key that is there twice: the last one counts", '{"status":"SUCCESS","status":"RUNNING"}', wrong=False),
    _odd_json("array", "An array in the place of an object", "[1, 2, 3]"),
    _odd_json("null", "null in the place of an object", "null"),
    _odd_json("types", "A number in the place of the status", '{"status":17}'),
    Row(
        name="deep-json",
        what="200,000 arrays inside each other",
        numbers=(37,),
        faults=Fault(status=200, body=_DEEP, content_type="application/json", times=1),
        cases={
            "details projects executions stream_status": fails("DecodeError", 1, says="JSON"),
            "wait": ok(14, 14, status="SUCCESS"),
            "sweep": ok(500, 60, ended={"SUCCESS": 30}),
        },
    ),
    Row(
        name="gzip-bomb",
        what="A small gzip body that becomes 64 MiB",
        numbers=(38,),
        faults=Fault(kind="bomb", times=1),
        cases={
            "details": fails("DecodeError", 1, says="larger"),
            "execute": in_doubt(landed=False, cause="DecodeError"),
            "wait": ok(14, 14),
        },
    ),
    Row(
        name="corrupt-gzip",
        what="A body that is called gzip and is none",
        numbers=(39,),
        faults=Fault(status=200, body="no gzip at all", headers={"Content-Encoding": "gzip"}, content_type="application/json", times=1),
        cases={"details": ok(2, 0.5), "wait": ok(14, 14, status="SUCCESS"), "execute": in_doubt(landed=False, cause="Disconnected")},
    ),
    Row(
        name="gzip-members",
        what="Thousands of gzip members, one after the other",
        numbers=(39,),
        faults=Fault(
            status=200,
            body=_GZIP_OF_A_SPACE * 5000,
            encoding="latin-1",
            headers={"Content-Encoding": "gzip"},
            content_type="application/json",
            times=1,
        ),
        cases={"details": ok(2, 0.5), "wait": ok(14, 14, status="SUCCESS")},
    ),
    Row(
        name="unknown-encoding",
        what="A content encoding that nobody here can read",
        numbers=(39,),
        faults=Fault(status=200, body=_RUNNING, headers={"Content-Encoding": "br"}, content_type="application/json", times=1),
        cases={"details": ok(2, 0.5), "wait": ok(14, 14, status="SUCCESS")},
    ),
    Row(
        name="endless-body",
        what="A body that does not end: it is left after 32 MiB",
        numbers=(40,),
        faults=Fault(kind="huge", size=200_000_000, times=1),
        cases={"details": fails("DecodeError", 1, says="larger than"), "wait": ok(14, 14, status="SUCCESS")},
    ),
    Row(
        name="late-answer",
        what="Every answer comes after 7.5 s, and the bound is 7.3 s: no rounding up to whole seconds",
        numbers=(66,),
        faults=Fault(delay=7.5),
        client={"timeout": Timeouts(connect=5, total=7.3)},
        cases={
            "details": fails("RequestTimedOut", 5, 5 * 7.3 + BACKOFFS, least=5 * 7.3),
            "execute": in_doubt(landed=True, seconds=7.3, cause="RequestTimedOut"),
        },
    ),
    Row(
        name="late-answer-in-time",
        what="Every answer comes after 20 s: slow is no error",
        numbers=("latency",),
        faults=Fault(delay=20),
        cases={"details": ok(1, 20, least=20), "execute": ok(1, 20, runs=1), "wait": ok(2, 45, status="SUCCESS")},
    ),
)
