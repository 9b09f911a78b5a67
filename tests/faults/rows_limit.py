"""Catalogue F and H, and 41 to 45: the budget, 429 in all its spellings, retries that must not multiply."""

from __future__ import annotations

from typing import Final

from faults.rows_connection import BACKOFFS, FEW
from faults.shapes import Act, Row, fails, ok

from maia_async import PollPolicy, RateLimit, RetryPolicy
from maia_async.emulator import Fault

_TIGHT: Final = RateLimit(requests=100, per=60.0)


def _refused_once(
    name: str, what: str, retry_after: float | str | None, least: float, most: float, *numbers: int | str, **more: object
) -> Row:
    """One 429. It was not carried out, so a POST goes out again.

    Pauses are lengthened by up to a tenth, and at least a second long; after one the rate is halved for a while.
    """
    form = {"retry_after_form": "date"} if more.pop("date", False) else {}
    return Row(
        name=f"429-{name}",
        what=f"429 {what}",
        numbers=(*numbers, 20),
        faults=Fault(status=429, retry_after=retry_after, times=1, **form),
        cases={
            f"{FEW} cancel": ok(2, most + 0.5, least=least),
            "execute execute_tagged execute_untagged": ok(2, most, least=least, runs=1, bodies=1),
            "wait": ok(14, 14 + most, status="SUCCESS"),
        },
        **more,
    )


ROWS: Final = (
    _refused_once("seconds", "with seconds", 7, 7, 7.7, 41),
    _refused_once("date", "with a date", 7, 6, 8.8, 42, date=True),
    _refused_once("date-rfc850", "with a date of RFC 850", "Thursday, 01-Jan-26 00:00:06 GMT", 5, 6.6, 42),
    _refused_once("date-asctime", "with a date of asctime", "Thu Jan  1 00:00:06 2026", 5, 6.6, 42),
    _refused_once("date-past", "with a date that has passed", "Wed, 31 Dec 2025 23:00:00 GMT", 1, 1.1, 43),
    _refused_once("date-skewed", "with a date, by a clock that is a day ahead of ours", 7, 6, 8.8, 43, date=True, skew={"date": 86400.0}),
    _refused_once("zero", "with 0", 0, 1, 1.1, 43),
    _refused_once("decimal", "with half a second", "0.5", 1, 1.1, 43),
    _refused_once("negative", "with -1: as if there were none", "-1", 5, 5.5, 43),
    _refused_once("garbage", 'with "soon": as if there were none', "soon", 5, 5.5, 43),
    _refused_once("none", "without Retry-After", None, 5, 5.5, 44),
    Row(
        name="429-hour",
        what="429 with an hour: longer than `max_pause`, so calls end at once, and waits ride it out",
        numbers=(43,),
        faults=Fault(status=429, retry_after=3600, times=1),
        cases={
            f"{FEW} cancel stream_start": fails("RateLimited", 1, status=429, retry_after=3600.0),
            "execute": fails("RateLimited", 1, status=429, runs=0),
            "wait": ok(4, 4000, least=3600, status="SUCCESS"),
            "batch": ok(40, 4100, runs=3, states={"SUCCESS": 3}),
        },
    ),
    Row(
        name="429-day",
        what="429 with more than a day",
        numbers=(43,),
        faults=Fault(status=429, retry_after=1_000_000, times=1),
        cases={"details": fails("RateLimited", 1, retry_after=86400.0), "wait_10s": fails("WaitTimeout", 1, 13, least=10)},
    ),
    Row(
        name="429-storm",
        what="Twenty requests limited at once: one pause for all, and none is refused twice",
        numbers=(45, "C14"),
        faults=Fault(status=429, retry_after=10, times=20),
        cases={"burst": ok(40, 16, least=10, failed={}), "sweep": ok(500, 150, ended={"SUCCESS": 30})},
    ),
    Row(
        name="429-always",
        what="429 without end",
        numbers=(45, 56, "C14"),
        faults=Fault(status=429, retry_after=2),
        cases={
            "details projects": fails("RateLimited", 5, 11, least=8, status=429),
            "execute": fails("RateLimited", 5, 11, least=8, runs=0),
            "wait_10s": fails("WaitTimeout", 8, 13, least=10),
        },
    ),
    Row(
        name="limit-kept",
        what="Many more requests than the account's budget, some of them reset: no 60 s ever see more than allowed",
        numbers=(67,),
        scenario={"rate_limit": _TIGHT},
        client={"rate_limit": _TIGHT},
        faults=Fault(kind="reset", times=20, landed=True),
        cases={"outage": ok(340, 400, failed={}), "sweep": ok(300, 150, ended={"SUCCESS": 30})},
    ),
    Row(
        name="limit-shared",
        what="Others use nine tenths of the account: their 429 are learned from",
        numbers=(68,),
        acts=(Act(call="set_others", given=(900,)), Act(call="advance", given=(60,))),
        cases={"outage": ok(500, 300, failed={}), "batch": ok(60, 60, runs=3)},
    ),
    Row(
        name="limit-cancel-overtakes",
        what="A hundred reads wait for the budget: a cancel overtakes them, and the reads that are given up cost no slot",
        numbers=(69, 18),
        scenario={"rate_limit": _TIGHT},
        client={"rate_limit": _TIGHT},
        cases={"cancel_in_crowd": ok(40, 1, overtook=True, some_waited=True)},
    ),
    Row(
        name="outage",
        what="503 to all: the retries of 300 calls share one budget of 200",
        numbers=(57, 63, "C14"),
        faults=Fault(status=503),
        cases={"outage": ok(500, 60, failed={"ServerError": 300})},
    ),
    Row(
        name="many-tries",
        what="More tries than a float has exponents",
        numbers=(59, 57),
        faults=Fault(status=503, times=1200),
        client={
            "retry": RetryPolicy(max_tries=2000, base=0.001, cap=0.01),
            "poll": PollPolicy(min_interval=0.01, max_interval=0.02, max_unreachable=600),
        },
        cases={"details": fails("ServerError", 201, 12, status=503), "wait": ok(1300, 120, status="SUCCESS")},
    ),
    Row(
        name="one-try",
        what="503, and a policy of one try",
        numbers=(56,),
        faults=Fault(status=503, times=1),
        client={"retry": RetryPolicy(max_tries=1)},
        cases={FEW: fails("ServerError", 1, status=503), "wait": ok(14, 14, status="SUCCESS")},
    ),
    Row(
        name="cancelled-in-backoff",
        what="A call is cancelled while it waits for its next try: it ends at once",
        numbers=(61,),
        faults=Fault(status=503, retry_after=30),
        cases={"cancelled": ok(2, 1, ended=1.0), "closed_meanwhile": ok(1, 1, ended="SessionClosed")},
    ),
    Row(
        name="deadline-in-backoff",
        what="503 with a Retry-After that lies behind the deadline of the wait",
        numbers=(58, "C6", "C7"),
        faults=Fault(status=503, retry_after=60),
        cases={"wait_10s": fails("WaitTimeout", 10, 12.1, least=10), "short_waits": fails("StatusUnavailable", 45, 700)},
    ),
    Row(
        name="backoffs-in-sum",
        what="503 four times: five tries wait for at most 0.5, 1, 2 and 4 s",
        numbers=(56, 58),
        faults=Fault(status=503, times=4),
        cases={FEW: ok(5, BACKOFFS), "cancel": ok(5, BACKOFFS, shown="CANCELLING")},
    ),
)
