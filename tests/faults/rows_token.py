"""The token endpoint and its tokens: down, slow, of the wrong shape, refused, too short. Catalogue 49.

Nothing here may be taken for an answer about the thing that was asked for, and without a token no POST that starts a run goes out.
"""

from __future__ import annotations

from typing import Final

from faults.rows_connection import BACKOFFS
from faults.shapes import Act, Row, fails, ok

from maia_async.emulator import Fault

TOKEN: Final = "/oauth/dpc/token"
API: Final = "/dpc/**"


def _token(**fields: object) -> Fault:
    return Fault(path=TOKEN, **fields)


ROWS: Final = (
    Row(
        name="token-503-once",
        what="The token endpoint is down, once",
        numbers=(49,),
        cold=True,
        faults=_token(status=503, times=1),
        cases={"details": ok(3, 0.5), "execute": ok(3, 0.5, runs=1), "batch": ok(40, 20, runs=3), "wait": ok(16, 14, status="SUCCESS")},
    ),
    Row(
        name="token-503",
        what="The token endpoint is down, without end: the retries of the token are not multiplied by those of the call",
        numbers=(49, 63),
        cold=True,
        faults=_token(status=503),
        cases={
            "details": fails("ServerError", 25, 60, path=TOKEN, status=503),
            "execute": fails("ServerError", 5, BACKOFFS, path=TOKEN, status=503, runs=0),
            "wait": fails("StatusUnavailable", 60, 700, least=600, cause="HeldBack"),  # the breaker lets one probe through at a time
            "outage": ok(5, BACKOFFS, failed={"ServerError": 300}),
        },
    ),
    Row(
        name="token-404",
        what="No token endpoint at this address: no answer about the run",
        numbers=(49,),
        cold=True,
        faults=_token(status=404),
        cases={
            "details": fails("ResponseError", 1, status=404, path=TOKEN),
            "execute": fails("ResponseError", 1, status=404, path=TOKEN, runs=0),
            "wait_10s": fails("WaitTimeout", 15, 12, least=10),
        },
    ),
    Row(
        name="token-401",
        what="The credentials are refused",
        numbers=(49,),
        cold=True,
        faults=_token(status=401, body={"error": "access_denied", "error_description": "Unauthorized"}),
        cases={
            "details": fails("Unauthorized", 1, path=TOKEN, status=401),
            "execute": fails("Unauthorized", 1, path=TOKEN, status=401, runs=0),
            "wait": fails("Unauthorized", 1, path=TOKEN),
            "batch": fails("Unauthorized", 3, path=TOKEN),
        },
    ),
    Row(
        name="token-429",
        what="The token request itself is limited: one pause, and on",
        numbers=(49,),
        cold=True,
        faults=_token(status=429, retry_after=9, times=1),
        cases={"details": ok(3, 10, least=9), "execute": ok(3, 10, least=9, runs=1), "wait": ok(10, 20, status="SUCCESS")},
    ),
    Row(
        name="token-silence",
        what="The token endpoint does not answer, once",
        numbers=(49, 21),
        cold=True,
        faults=_token(kind="silence", times=1),
        cases={"details": ok(3, 61, least=60), "execute": ok(3, 61, runs=1), "wait_10s": fails("WaitTimeout", 2, 80, least=10)},
    ),
    Row(
        name="token-reset",
        what="The token request is reset, once: it is no run, so it is sent again",
        numbers=(49, 12),
        cold=True,
        faults=_token(kind="reset", landed=True, times=1),
        cases={"details": ok(3, 0.5), "execute": ok(3, 0.5, runs=1)},
    ),
    Row(
        name="token-login-page",
        what="The page of a login in the place of a token",
        numbers=(49, 33),
        cold=True,
        faults=_token(kind="html"),
        cases={"details": fails("DecodeError", 1, path=TOKEN, says="Sign in"), "execute": fails("DecodeError", 1, path=TOKEN, runs=0)},
    ),
    Row(
        name="token-wrong-shape",
        what="An answer without access_token: its fields are named, its values are not",
        numbers=(49,),
        cold=True,
        faults=_token(remove=["access_token"]),
        cases={"details": fails("DecodeError", 1, path=TOKEN, says="expires_in"), "execute": fails("DecodeError", 1, path=TOKEN, runs=0)},
    ),
    Row(
        name="token-truncated",
        what="Half a token, and a reset",
        numbers=(49, 27),
        cold=True,
        faults=_token(kind="truncated", times=1),
        cases={"details": ok(3, 0.5)},
    ),
    Row(
        name="token-newline",
        what="A line break at the end of the token",
        numbers=(49, 86, "C20"),
        cold=True,
        faults=_token(put={"access_token": "CANARY-of-the-token-0123456789\n"}),
        cases={"details": ok(2)},
    ),
    Row(
        name="token-with-break",
        what="A line break inside the token: refused, and not shown",
        numbers=(49, 86, "C20"),
        cold=True,
        faults=_token(put={"access_token": "CANARY-of-the-token\r\n-0123456789"}),
        cases={"details": fails("DecodeError", 1, path=TOKEN, says="not shown")},
    ),
    Row(
        name="token-no-expiry",
        what="A token without expires_in: 30 minutes are assumed",
        numbers=(49, "C11"),
        cold=True,
        faults=_token(remove=["expires_in"]),
        cases={"twice": ok(3, 600, least=600)},
    ),
    Row(
        name="token-short",
        what="Tokens of 3 s",
        numbers=(49, "C11"),
        cold=True,
        scenario={"token_lifetime": 3.0},
        cases={"wait": ok(20, 12, status="SUCCESS"), "stream_wait": ok(40, 45, status="STREAMING"), "batch": ok(60, 20, runs=3)},
    ),
    Row(
        name="token-expires-early",
        what="Tokens end 25 minutes earlier than they say: one 401, one new token",
        numbers=(49, "C11"),
        skew={"expiry": 1500.0},
        cases={"twice": ok(4, 600, least=600)},
    ),
    Row(
        name="token-revoked",
        what="All tokens are revoked in the middle: one new token for all",
        numbers=(49, "C11"),
        acts=(Act(call="revoke_tokens"),),
        cases={
            "details projects executions stream_status cancel": ok(3),
            "execute": ok(3, runs=1),
            "execute_tagged": ok(3, runs=1),
            "wait": ok(14, 12, status="SUCCESS"),
            "burst": ok(41, 1, failed={}),
            "batch": ok(50, 20, runs=3, states={"SUCCESS": 3}),
            "stream_start": ok(3, starts=1),
            "stream_create": ok(3),
        },
    ),
    Row(
        name="token-revoked-later",
        what="Tokens are revoked while a wait goes on, and again",
        numbers=(49, "C11"),
        acts=(Act(call="revoke_tokens", at=3), Act(call="revoke_tokens", at=6)),
        cases={
            "wait": ok(18, 12, status="SUCCESS"),
            "sweep": ok(500, 60, ended={"SUCCESS": 30}),
            "batch": ok(60, 20, states={"SUCCESS": 3}),
        },
    ),
    Row(
        name="token-never-good",
        what="401 with every token: told after one new token, not tried for ever",
        numbers=(49,),
        faults=Fault(status=401),
        cases={
            "details projects executions stream_status": fails("Unauthorized", 3, status=401),
            "execute": fails("Unauthorized", 3, status=401, runs=0),
            "wait": fails("Unauthorized", 3, status=401),
            "batch": fails("Unauthorized", 8, status=401, runs=0),
        },
    ),
    Row(
        name="token-refresh-fails",
        what="A token is revoked, and the endpoint is down for the next one",
        numbers=(49,),
        acts=(Act(call="revoke_tokens"),),
        faults=_token(status=503, times=3),
        cases={"details": ok(6, 3.5), "execute": ok(6, 3.5, runs=1), "wait": ok(20, 20, status="SUCCESS")},
    ),
    Row(
        name="token-kind",
        what="A token that is no bearer token",
        numbers=(49,),
        cold=True,
        faults=_token(put={"token_type": "mac"}),
        cases={"details": fails("DecodeError", 1, path=TOKEN, says="expected Bearer")},
    ),
    Row(
        name="token-redirect",
        what="The token endpoint redirects to another host: the secret does not follow",
        numbers=(53, 49),
        cold=True,
        faults=_token(kind="redirect", status=307),
        cases={"details": fails("ResponseError", 1, path=TOKEN, status=307)},
    ),
)
