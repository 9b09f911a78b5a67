"""What may be concluded: one case for each line of both tables, and what must hold whatever the list shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async import errors
from maia_async.orchestration.trigger.decision import (
    Adopt,
    Doubt,
    End,
    Look,
    LookAgain,
    SendAgain,
    Stands,
    Unknown,
    Verdict,
    View,
    decide,
    end_of,
)
from maia_async.orchestration.trigger.evidence import Evidence, Row

WHERE: dict[str, Any] = {"method": "POST", "path": "/x"}


@pytest.mark.parametrize(
    ("error", "out", "doubted", "auto", "end"),
    [
        (None, True, False, True, End.STARTED),
        (None, True, True, False, End.STARTED),
        (errors.DecodeError(["$: another request's"]), True, False, False, End.DOUBTED),
        (errors.Conflict(409, **WHERE), True, False, True, End.PROVEN),
        (errors.Conflict(409, **WHERE), True, True, True, End.PROVEN),
        (errors.GatewayTimeout(504, **WHERE), True, False, True, End.DOUBTED),
        (errors.GatewayTimeout(504, **WHERE), True, True, False, End.DOUBTED),
        (errors.Disconnected("reset"), True, False, False, End.DOUBTED),
        (errors.DecodeError(["$: HTML"]), True, False, True, End.DOUBTED),
        (ValueError("a bug"), True, False, True, End.DOUBTED),
        # nothing was in doubt before
        (errors.ConnectFailed("refused"), False, False, True, End.FAILED),
        (errors.RateLimited(429, **WHERE), False, False, True, End.FAILED),
        (errors.ServerError(503, **WHERE), False, False, True, End.FAILED),  # of the token endpoint
        (LookupError("vault"), False, False, True, End.FAILED),
        (errors.NotFound(404, **WHERE), True, False, True, End.FAILED),
        (errors.Conflict(409, **WHERE), True, False, False, End.FAILED),
        # an earlier POST was in doubt, and is no less so now
        (errors.RateLimited(429, **WHERE), False, True, True, End.HELD),
        (errors.ConnectFailed("refused"), False, True, True, End.HELD),
        (errors.ServerError(503, **WHERE), False, True, True, End.HELD),  # of the token endpoint
        (errors.ResponseError(408, **WHERE), False, True, True, End.HELD),
        (errors.RequestTimedOut("late"), False, True, True, End.HELD),
        (errors.ConnectFailed("certificate", final=True), False, True, True, End.REFUSED),
        (errors.ServerError(501, **WHERE), False, True, True, End.REFUSED),
        (errors.Unauthorized(401, **WHERE), False, True, True, End.REFUSED),
        (errors.SessionClosed(), False, True, True, End.REFUSED),
        (LookupError("vault"), False, True, True, End.REFUSED),
        (errors.BadRequest(400, **WHERE), True, True, True, End.REFUSED),
        (errors.NotFound(404, **WHERE), True, True, True, End.REFUSED),
        (errors.Conflict(409, **WHERE), True, True, False, End.REFUSED),
    ],
)
def test_each_way_in_which_a_post_ends(error: Exception | None, out: bool, doubted: bool, auto: bool, end: End) -> None:
    assert end_of(error, out=out, doubted=doubted, auto=auto) is end


def view(look: Look = Look.WHOLE, *, waited: float = 15.0, max_sends: int = 5, latest: Look | None = None) -> View:
    return View(look=look, waited=waited, settle=15.0, patience=60.0, max_sends=max_sends, why="503", latest=latest or look)


def rows(count: int, **fields: Any) -> tuple[Row, ...]:
    return tuple(Row(id=f"r-{number}", name="load", start=1000 + number, **fields) for number in range(count))


LAST = {"proven": End.PROVEN, "first": End.PROVEN, "held": End.HELD, "refused": End.REFUSED}


def doubts(*kinds: str, same: bool = True) -> list[Doubt]:
    """One for each kind: "auto", "own" (it must not be sent again), "spent" (sent too often), "proven" (by the 409 to its second POST),
    "first" (the 409 came to its first), "held" and "refused" (its second POST was), "held own", "held spent", "vague".
    """  # noqa: D205 - the kinds are the summary
    return [
        Doubt(
            key=number,
            same_as="" if same else str(number),
            again="own" not in kind,
            sends=5 if "spent" in kind else 1 if kind in {"auto", "own", "first", "vague"} else 2,
            last=LAST.get(kind.split()[0], End.DOUBTED),
            proven=1500 if kind in {"proven", "first"} else None,
            vague=kind == "vague",
        )
        for number, kind in enumerate(kinds)
    ]


def evidence(unexplained: int = 0, *, otherwise: int = 0, before: int = 0, missing: int = 0, end: int | None = None) -> Evidence:
    return Evidence(
        unexplained=rows(unexplained, end=end),
        spelled_otherwise=tuple(Row(id=f"s-{number}", name="a/load") for number in range(otherwise)),
        before=tuple(Row(id=f"b-{number}") for number in range(before)),
        missing=tuple(f"m-{number}" for number in range(missing)),
    )


def words(found: dict[Any, Verdict]) -> list[str]:
    """Each verdict in a word, in the order of the requests; UNKNOWN with the ids of its candidates."""
    said = []
    for _, verdict in sorted(found.items()):
        if isinstance(verdict, Adopt):
            said.append(verdict.execution_id)
        elif isinstance(verdict, Stands):
            said.append("stands")
        elif isinstance(verdict, Unknown):
            said.append("unknown " + " ".join(verdict.candidates))
        else:
            said.append("again" if isinstance(verdict, SendAgain) else "behind" if verdict.behind else "look")
    return said


ONE, TWO = ["auto"], ["auto", "auto"]


@pytest.mark.parametrize(
    ("seen", "shown", "asked", "expected"),
    [
        # the look
        (view(Look.REFUSED), evidence(1), ONE, ["unknown r-0"]),
        (view(Look.DATELESS), evidence(1), ONE, ["unknown r-0"]),
        (view(Look.NONE, waited=5), evidence(1), ONE, ["look"]),
        (view(Look.WHOLE, waited=14.9), evidence(1), ONE, ["look"]),
        (view(Look.FAILED), evidence(), ONE, ["look"]),
        (view(Look.FAILED, waited=60), evidence(1), ONE, ["unknown r-0"]),
        (view(Look.PART), evidence(), ONE, ["look"]),
        (view(Look.PART, waited=60), evidence(), ONE, ["unknown "]),
        # the list is behind
        (view(), evidence(missing=1), ONE, ["behind"]),
        (view(), evidence(1, missing=1), ONE, ["behind"]),
        (view(waited=60), evidence(1, missing=1), ONE, ["unknown r-0"]),
        (view(), evidence(), ["proven"], ["behind"]),
        (view(), evidence(1), ["proven", "proven"], ["behind", "behind"]),
        (view(waited=60), evidence(), ["proven"], ["unknown "]),
        (view(waited=60), evidence(1), ["proven", "proven"], ["r-0", "unknown "]),
        (view(waited=60), evidence(), ["proven", "auto"], ["unknown ", "unknown "]),
        # the 409 came to the first POST
        (view(), evidence(), ["first"], ["stands"]),
        (view(Look.NONE, waited=0, latest=Look.WHOLE), evidence(before=1), ["first"], ["stands"]),
        (view(Look.NONE, waited=0, latest=Look.WHOLE), evidence(1), ["first"], ["look"]),
        (view(Look.NONE, waited=0, latest=Look.WHOLE), evidence(otherwise=1), ["first"], ["look"]),
        (view(Look.NONE, waited=0, latest=Look.PART), evidence(), ["first"], ["look"]),
        (view(), evidence(), ["first", "auto", "own"], ["stands", "again", "unknown "]),
        (view(Look.NONE, waited=0, latest=Look.WHOLE), evidence(), ["first", "auto"], ["stands", "look"]),
        (view(waited=60), evidence(1), ["first", "first"], ["r-0", "unknown "]),
        (view(waited=60), evidence(missing=1), ["first"], ["unknown "]),
        (view(Look.FAILED, waited=60), evidence(), ["first"], ["unknown "]),
        (view(), evidence(1), ["first"], ["r-0"]),
        # another spelling
        (view(), evidence(otherwise=1), ONE, ["unknown s-0"]),
        (view(), evidence(1, otherwise=1), ONE, ["unknown r-0 s-0"]),
        (view(), evidence(otherwise=1), ["proven"], ["unknown s-0"]),
        # no row
        (view(), evidence(), ONE, ["again"]),
        (view(), evidence(before=3), ONE, ["again"]),
        (view(), evidence(), ["own"], ["unknown "]),
        (view(), evidence(), ["spent"], ["unknown "]),
        (view(), evidence(), ["auto", "own", "spent"], ["again", "unknown ", "unknown "]),
        # no row, and the last POST was turned away
        (view(), evidence(), ["held"], ["again"]),
        (view(waited=60), evidence(), ["held"], ["again"]),
        (view(), evidence(), ["refused", "held own", "held spent"], ["look"] * 3),
        (view(waited=59.9), evidence(), ["refused"], ["look"]),
        (view(waited=60), evidence(), ["refused", "held own", "held spent"], ["unknown "] * 3),
        (view(), evidence(), ["vague"], ["unknown "]),
        (view(), evidence(), ["vague", "auto"], ["unknown ", "again"]),
        # others before
        (view(), evidence(1, before=1), ONE, ["unknown r-0"]),
        # as many rows as requests, fewer, more
        (view(), evidence(1), ONE, ["r-0"]),
        (view(), evidence(1), ["own"], ["r-0"]),
        (view(), evidence(1), ["spent"], ["r-0"]),
        (view(), evidence(2), TWO, ["r-0", "r-1"]),
        (view(), evidence(1), TWO, ["r-0", "again"]),
        (view(), evidence(1), ["own", "own"], ["r-0", "unknown "]),
        (view(), evidence(1), ["auto", "refused"], ["again", "r-0"]),
        (view(), evidence(1), ["refused", "refused"], ["r-0", "look"]),
        (view(), evidence(1), ["refused", "proven"], ["look", "r-0"]),
        (view(), evidence(2), ONE, ["unknown r-0 r-1"]),
        (view(), evidence(3), TWO, ["unknown r-0 r-1 r-2"] * 2),
        (view(), evidence(1), ["vague"], ["r-0"]),
        (view(), evidence(1), ["vague", "auto"], ["unknown ", "r-0"]),
        # proven by a 409
        (view(), evidence(1), ["proven"], ["r-0"]),
        (view(), evidence(1, end=1600), ["proven"], ["r-0"]),
        (view(), evidence(1, end=1400), ["proven"], ["unknown r-0"]),
        (view(), evidence(1), ["auto", "proven"], ["again", "r-0"]),
        (view(), evidence(2), ["auto", "proven"], ["r-1", "r-0"]),
    ],
)
def test_each_line_of_the_table(seen: View, shown: Evidence, asked: list[str], expected: list[str]) -> None:
    assert words(decide(doubts(*asked), shown, seen)) == expected


@pytest.mark.parametrize(
    ("look", "shown", "final"),
    [
        (Look.REFUSED, evidence(), False),
        (Look.DATELESS, evidence(), True),
        (Look.FAILED, evidence(), False),
        (Look.PART, evidence(), True),
        (Look.WHOLE, evidence(1, before=1), True),
    ],
)
def test_only_where_the_list_could_not_be_read_a_later_look_may_say_more(look: Look, shown: Evidence, final: bool) -> None:
    (verdict,) = decide(doubts("auto"), shown, view(look, waited=60)).values()
    assert isinstance(verdict, Unknown)
    assert verdict.final is final


@pytest.mark.parametrize(
    ("shown", "asked", "expected"),
    [
        (evidence(), TWO, ["again", "again"]),
        (evidence(1), TWO, ["unknown r-0"] * 2),
        (evidence(2), TWO, ["unknown r-0 r-1"] * 2),
        (evidence(2), ["proven", "proven"], ["unknown r-0 r-1"] * 2),
        (evidence(1), ["auto", "proven"], ["unknown r-0"] * 2),
    ],
)
def test_requests_that_differ_cannot_be_told_apart(shown: Evidence, asked: list[str], expected: list[str]) -> None:
    assert words(decide(doubts(*asked, same=False), shown, view())) == expected


@pytest.mark.parametrize(
    ("count", "given_up", "expected"),
    [
        (0, ["other"], ["again"]),
        (1, ["other"], ["unknown r-0"]),
        (1, [""], ["r-0"]),
        (2, [""], ["r-0"]),  # two equal requests, two rows: any of them
        (3, [""], ["unknown r-0 r-1 r-2"]),
    ],
)
def test_requests_that_were_given_up_count_too(count: int, given_up: list[str], expected: list[str]) -> None:
    assert words(decide(doubts("auto"), evidence(count), view(), given_up=given_up)) == expected


KINDS = st.lists(
    st.sampled_from(["auto", "own", "proven", "spent", "first", "held", "refused", "held own", "held spent", "vague"]),
    min_size=1,
    max_size=6,
)
SHOWN = st.builds(
    evidence,
    st.integers(0, 7),
    otherwise=st.integers(0, 1),
    before=st.integers(0, 1),
    missing=st.integers(0, 1),
    end=st.none() | st.integers(1000, 2000),
)
VIEWS = st.builds(view, st.sampled_from(Look), waited=st.sampled_from([0.0, 14.9, 15.0, 30.0, 59.9, 60.0, 1000.0]))


@given(kinds=KINDS, shown=SHOWN, seen=VIEWS, same=st.booleans(), given_up=st.lists(st.sampled_from(["", "1", "x"]), max_size=2))
def test_what_holds_whatever_the_list_shows(kinds: list[str], shown: Evidence, seen: View, same: bool, given_up: list[str]) -> None:
    asked = doubts(*kinds, same=same)
    found = decide(asked, shown, seen, given_up=given_up)

    assert found.keys() == {doubt.key for doubt in asked}
    adopted = [verdict.execution_id for verdict in found.values() if isinstance(verdict, Adopt)]
    assert len(set(adopted)) == len(adopted), "two requests adopt one run"
    assert set(adopted) <= {row.id for row in shown.unexplained}
    again = [doubt for doubt in asked if isinstance(found[doubt.key], SendAgain)]
    assert all(doubt.again and not doubt.vague and doubt.proven is None and doubt.sends < seen.max_sends for doubt in again)
    assert not any(doubt.last is End.REFUSED for doubt in again)
    stand = [doubt for doubt in asked if isinstance(found[doubt.key], Stands)]
    assert all(doubt.proven is not None and doubt.sends == 1 for doubt in stand)
    if stand:
        assert seen.latest is Look.WHOLE
        assert (shown.unexplained, shown.spelled_otherwise, shown.missing) == ((), (), ())
    if adopted or again:
        assert seen.look is Look.WHOLE
        assert seen.waited >= seen.settle
        assert not shown.missing
        assert not shown.spelled_otherwise
    if again:
        assert len(adopted) == len(shown.unexplained), "sent again though a row is unexplained"
    if adopted:
        assert not shown.before
        assert len({doubt.same_as for doubt in asked} | set(given_up)) == 1
        assert len(shown.unexplained) <= len(asked) + len(given_up)


@given(kinds=KINDS, shown=SHOWN, same=st.booleans())
def test_everybody_is_told_something_in_the_end(kinds: list[str], shown: Evidence, same: bool) -> None:
    for look in (Look.FAILED, Look.PART, Look.WHOLE, Look.REFUSED):
        found = decide(doubts(*kinds, same=same), shown, view(look, waited=61.0))
        assert not any(isinstance(verdict, LookAgain) for verdict in found.values())
