"""The fault as a value: what it refuses, what it matches, how often, and what it answers; no server."""

from __future__ import annotations

import gzip
import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.emulator import Fault, Scenario, Skew
from maia_async.emulator import faults as script
from maia_async.emulator.checks import load
from maia_async.emulator.exchange import Reply
from maia_async.emulator.faultanswers import answer_of, bomb, huge
from maia_async.emulator.faultrules import Faults, Stage, glob, holds, met, parsed, stage_of
from maia_async.emulator.faults import KINDS, REAL, SENDING
from maia_async.emulator.transforms import merged, put, removed
from maia_async.errors import ConfigurationError


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": "explosion"}, "kind"),
        ({"path": "dpc/v1"}, "path"),
        ({"path": 3}, "path"),
        ({"method": ""}, "method"),
        ({"name": 7}, "name"),
        ({"request": ["pipelineName"]}, "request"),
        ({"request": {3: "x"}}, "request"),
        ({"skip": -1}, "skip"),
        ({"skip": True}, "skip"),
        ({"times": 0}, "times"),
        ({"times": 1.5}, "times"),
        ({"probability": 1.1}, "probability"),
        ({"probability": -0.1}, "probability"),
        ({"probability": "often"}, "probability"),
        ({"landed": "yes"}, "landed"),
        ({"ends": "RUNNING"}, "ends"),
        ({"status": 100}, "status"),
        ({"status": 600}, "status"),
        ({"status": "504"}, "status"),
        ({"body": {1, 2}}, "body"),
        ({"body": b"bytes"}, "body"),
        ({"body": "\u20ac", "encoding": "latin-1"}, "body"),
        ({"body": "\ud800"}, "body"),
        ({"kind": "garbage", "body": {"a": 1}}, "body"),
        ({"encoding": "utf-16"}, "encoding"),
        ({"headers": {"A": "b\r\nC: d"}}, "headers"),
        ({"headers": {"Content-Length": "3"}}, "headers"),
        ({"headers": {"A": 1}}, "headers"),
        ({"headers": ["A"]}, "headers"),
        ({"retry_after": -1}, "retry_after"),
        ({"retry_after": float("inf")}, "retry_after"),
        ({"retry_after": "1\r\n"}, "retry_after"),
        ({"retry_after_form": "minutes"}, "retry_after_form"),
        ({"put": {"results..status": 1}}, "put"),
        ({"put": ["results"]}, "put"),
        ({"remove": [""]}, "remove"),
        ({"remove": "results"}, "remove"),
        ({"merge": "x"}, "merge"),
        ({"share": 1.5, "kind": "truncated"}, "share"),
        ({"piece": 0, "kind": "trickled"}, "piece"),
        ({"size": 0, "kind": "huge"}, "size"),
        ({"kind": "reset", "status": 504}, "status is not for kind 'reset'"),
        ({"kind": "bomb", "body": "x"}, "body is not for kind"),
        ({"kind": "silence", "retry_after": 3}, "retry_after"),
        ({"kind": "html", "merge": {}}, "merge"),
        ({"share": 0.5}, "share"),
        ({"size": 5}, "size"),
        ({"location": "https://elsewhere.invalid"}, "location"),
        ({"landed": False, "ends": "SUCCESS"}, "ends"),
        ({"landed": False, "lands_after": 5}, "lands_after"),
        ({"landed": False, "replay": True}, "replay"),
        ({"body": "x", "put": {"a": 1}}, "put"),
        ({"delay": -1}, "delay"),
        ({"delay": "long"}, "delay"),
        ({"sleep": 5}, "sleep"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused_by_the_name_of_its_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError, match=field):
        load(Fault, wrong, "")
    with pytest.raises(ConfigurationError, match=rf"faults\[1\].*{field}"):
        Scenario.from_mapping({"faults": [{"status": 504}, wrong]})


@pytest.mark.parametrize("wrong", [{"date": "late"}, {"expiry": float("nan")}, {"date": True}, {"other": 1}])
def test_a_skew_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Scenario.from_mapping({"skew": wrong})
    assert Scenario.from_mapping({"skew": {"date": -30}}).skew == Skew(date=-30)


@pytest.mark.parametrize(
    ("fault", "lands", "stage"),
    [
        ({}, True, Stage.ROUTE),
        ({"delay": 5}, True, Stage.ROUTE),
        ({"status": 504}, False, Stage.GATE),
        ({"status": 504, "landed": True}, True, Stage.ROUTE),
        ({"body": "x"}, False, Stage.GATE),
        ({"landed": False}, False, Stage.GATE),
        ({"kind": "reset"}, False, Stage.ARRIVAL),
        ({"kind": "closed"}, False, Stage.ARRIVAL),
        ({"kind": "reset", "landed": True}, True, Stage.ROUTE),
        ({"kind": "reset", "ends": "SUCCESS"}, True, Stage.ROUTE),
        ({"kind": "silence", "lands_after": 90}, True, Stage.ROUTE),
        ({"kind": "silence"}, False, Stage.GATE),
        ({"kind": "garbage"}, False, Stage.GATE),
        ({"kind": "truncated"}, True, Stage.ROUTE),
        ({"kind": "truncated", "status": 502}, False, Stage.GATE),
        ({"merge": {"a": 1}, "status": 500}, True, Stage.ROUTE),
        ({"replay": True}, True, Stage.ROUTE),
        ({"kind": "html"}, False, Stage.GATE),
    ],
)
def test_when_it_is_met_and_whether_the_request_lands(fault: dict[str, Any], lands: bool, stage: Stage) -> None:
    assert (Fault(**fault).lands, stage_of(Fault(**fault))) == (lands, stage)


def test_every_kind_has_a_place() -> None:
    assert len(KINDS) == len(set(KINDS)) == 14
    assert REAL < SENDING < set(KINDS)
    for kind in KINDS:
        assert f"    | {kind}" in str(script.__doc__)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4), lambda inner: st.lists(inner, max_size=2), max_leaves=4
)


@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(min_size=1, max_size=5),
            "method": st.sampled_from(["GET", "post"]),
            "path": st.sampled_from(["/dpc/*", "**/status"]),
            "request": st.dictionaries(st.text(max_size=3), _json, max_size=2),
            "skip": st.integers(0, 5),
            "times": st.none() | st.integers(1, 5),
            "probability": st.floats(0, 1),
            "kind": st.sampled_from(sorted(REAL)),
            "landed": st.just(True),
            "ends": st.sampled_from([None, "SUCCESS", "FAILED"]),
            "delay": st.none() | st.integers(0, 9) | st.just([1.0, 2.0]),
            "status": st.none() | st.integers(200, 599),
            "headers": st.dictionaries(st.sampled_from(["A", "B"]), st.text("abc", max_size=3)),
            "retry_after": st.none() | st.floats(0, 1e5) | st.text("abc", min_size=1),
            "merge": st.dictionaries(st.text(max_size=3), _json, max_size=2),
            "put": st.dictionaries(st.sampled_from(["a", "a.*.b"]), _json),
            "remove": st.lists(st.sampled_from(["a", "b.0"])),
        },
    )
)
def test_it_is_data_that_survives_json(fields: dict[str, Any]) -> None:
    fault = Fault(**fields)
    assert load(Fault, json.loads(json.dumps(attrs.asdict(fault))), "") == fault


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/dpc/v1/projects/*/pipeline-executions", "/dpc/v1/projects/p/pipeline-executions", True),
        ("/dpc/v1/projects/*/pipeline-executions", "/dpc/v1/projects/p/pipeline-executions/r", False),
        ("**/pipeline-executions/*", "/dpc/v1/projects/p/pipeline-executions/r", True),
        ("**/pipeline-executions/*", "/dpc/v1/projects/p/pipeline-executions/r/status", False),
        ("**/pipeline-executions/**", "/dpc/v1/projects/p/pipeline-executions/r/status", True),
        ("**", "/", True),
        ("/a?c", "/abc", True),
        ("/a?c", "/a/c", False),
        ("/[ab].+", "/[ab].+", True),
        ("/[ab]", "/a", False),
        ("/a*", "/a\nb", True),
    ],
)
def test_the_glob_of_a_path(pattern: str, path: str, fits: bool) -> None:
    assert (glob(pattern, segments=True).fullmatch(path) is not None) is fits
    assert bool(Faults(scripted={}).candidates(Stage.GATE, "GET", path)) is False
    faults = Faults()
    faults.add(Fault(path=pattern, status=500))
    assert bool(faults.candidates(Stage.GATE, "GET", path)) is fits


@pytest.mark.parametrize(
    ("wanted", "given_", "fits"),
    [
        ({}, {}, True),
        ({}, None, False),
        ({"pipelineName": "load *"}, {"pipelineName": "load orders", "x": 1}, True),
        ({"pipelineName": "load *"}, {"pipelineName": "load a/b\nc"}, True),
        ({"pipelineName": "load"}, {"pipelineName": "load orders"}, False),
        ({"scalarVariables": {"region": "eu"}}, {"scalarVariables": {"region": "eu", "day": "1"}}, True),
        ({"scalarVariables": {"region": "eu"}}, {"scalarVariables": {"region": "us"}}, False),
        ({"scalarVariables": {"region": "eu"}}, {"scalarVariables": None}, False),
        ({"executionTag": None}, {}, True),
        ({"executionTag": None}, {"executionTag": "t"}, False),
        ({"executionTag": "*"}, {"executionTag": None}, False),
        ({"forceUpdate": True}, {"forceUpdate": True}, True),
        ({"forceUpdate": True}, {"forceUpdate": 1}, False),
        ({"rows": [["a"]]}, {"rows": [["a"]]}, True),
        ({"rows": [["*"]]}, {"rows": [["a"]]}, False),
    ],
)
def test_the_pattern_of_a_body(wanted: Any, given_: Any, fits: bool) -> None:
    assert holds(wanted, given_) is fits


def test_bodies_are_json_or_forms_or_nothing() -> None:
    form = "application/x-www-form-urlencoded; charset=utf-8"
    assert parsed(b"client_id=a&client_id=b&empty=", form) == {"client_id": "a", "empty": ""}
    assert parsed(b'{"a": [1]}', "") == {"a": [1]}
    for broken in (b"", b"{", b"\xff", b"[" * 100_000):
        assert parsed(broken, "application/json") is None
    assert parsed(b"\xff=1", form) is None


def test_counts_skips_and_times() -> None:
    faults = Faults()
    first = faults.add(Fault(status=500, skip=2, times=2))
    second = faults.add(Fault(status=502, times=1, request={"a": "1"}))

    def happened(body: object) -> int | None:
        found = met(faults.candidates(Stage.GATE, "GET", "/"), body)
        return found.fault.status if found is not None else None

    assert [happened({"a": "1"}), *(happened({}) for _ in range(5))] == [502, None, 500, 500, None, None]
    assert (faults.one(first).matched, faults.one(first).hits) == (6, 2)
    # A request that an earlier fault took is not seen by a later one.
    assert (faults.one(second).matched, faults.one(second).hits) == (1, 1)


def test_luck_is_seeded_and_each_fault_has_its_own() -> None:
    def rolls(seed: int, *, before: int = 0) -> list[bool]:
        faults = Faults(seed=seed)
        fault_id = faults.add(Fault(status=500, probability=0.3))
        for _ in range(before):
            faults.add(Fault(status=500, probability=0.5, path="/other"))
            met(faults.candidates(Stage.GATE, "GET", "/other"), None)
        item = faults.one(fault_id)
        item.hits = item.matched = 0
        return [item.meets() for _ in range(1000)]

    assert rolls(1) == rolls(1) != rolls(2)
    assert 250 < sum(rolls(1)) < 350
    never, always = Faults(), Faults()
    never.add(Fault(status=500, probability=0))
    always.add(Fault(status=500, probability=1))
    assert not any(item.meets() for item in never.scripted.values() for _ in range(100))
    assert all(item.meets() for item in always.scripted.values() for _ in range(100))


VALUE = {"a": 1, "list": [{"s": 1, "t": 2}, {"s": 3}], "deep": {"x": {"y": 1}}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", {**VALUE, "a": None}),
        ("new", {**VALUE, "new": None}),
        ("list.0.s", {**VALUE, "list": [{"s": None, "t": 2}, {"s": 3}]}),
        ("list.-1", {**VALUE, "list": [{"s": 1, "t": 2}, None]}),
        ("list.*.s", {**VALUE, "list": [{"s": None, "t": 2}, {"s": None}]}),
        ("list.*.t", {**VALUE, "list": [{"s": 1, "t": None}, {"s": 3, "t": None}]}),
        ("list.7.s", VALUE),
        ("deep.x.y", {**VALUE, "deep": {"x": {"y": None}}}),
        ("deep.*.y", {**VALUE, "deep": {"x": {"y": None}}}),
        ("nowhere.x", VALUE),
        ("a.b", VALUE),
    ],
)
def test_fields_are_set_by_path(path: str, expected: Any) -> None:
    before = json.dumps(VALUE)
    assert put(VALUE, path, None) == expected
    assert json.dumps(VALUE) == before


def test_fields_are_removed_and_merged() -> None:
    assert removed(VALUE, ["a", "list.*.s", "deep.x", "nowhere", "list.9"]) == {"list": [{"t": 2}, {}], "deep": {}}
    assert removed(VALUE, ["list.0", "deep.*"]) == {"a": 1, "list": [{"s": 3}], "deep": {}}
    assert removed([1, 2], ["*"]) == []
    assert merged(VALUE, {"deep": {"x": {"z": None}}, "list": 1, "new": {"q": 1}}) == {
        "a": 1,
        "list": 1,
        "deep": {"x": {"y": 1, "z": None}},
        "new": {"q": 1},
    }
    assert merged(None, {"a": 1}) == {"a": 1}


REAL_REPLY = Reply(200, {"status": "RUNNING"}, headers={"Cache-Control": "no-store"})


@pytest.mark.parametrize(
    ("fault", "reply", "status", "body"),
    [
        ({}, REAL_REPLY, 200, {"status": "RUNNING"}),
        ({"put": {"status": "PAUSED"}, "merge": {"x": 1}}, REAL_REPLY, 200, {"status": "PAUSED", "x": 1}),
        ({"put": {"status": None}, "status": 500}, REAL_REPLY, 500, {"status": None}),
        ({"remove": ["status"]}, REAL_REPLY, 200, {}),
        ({"merge": {"x": 1}}, Reply(202), 202, {"x": 1}),
        ({"body": {"other": []}, "landed": True}, REAL_REPLY, 200, {"other": []}),
        ({"body": []}, None, 503, []),
        ({"status": 418, "body": "teapot"}, None, 418, "teapot"),
        ({"body": ""}, None, 503, ""),
        ({"status": 204}, None, 204, ""),
        ({"kind": "redirect", "status": 307}, None, 307, ""),
        ({"kind": "html", "status": 403, "body": "<p>No"}, None, 403, "<p>No"),
        ({"kind": "reset"}, None, None, None),
        ({"kind": "garbage"}, None, None, None),
        ({"kind": "silence", "landed": True}, REAL_REPLY, None, None),
    ],
)
def test_what_is_answered(fault: dict[str, Any], reply: Reply | None, status: int | None, body: Any) -> None:
    answer = answer_of(Fault(**fault), reply, now=0.0, speed=1, instance="/x")
    if answer is None:
        assert status is None
    else:
        shown = json.loads(answer.body) if not isinstance(body, str) else answer.body.decode()
        assert (answer.status, shown) == (status, body)


def test_a_status_alone_is_a_problem_and_headers_are_added_to_those_of_the_real_answer() -> None:
    problem = answer_of(Fault(status=504, landed=True), REAL_REPLY, now=0.0, speed=1, instance="/x")
    real = answer_of(Fault(headers={"X-A": "b"}, content_type="text/plain"), REAL_REPLY, now=0.0, speed=1, instance="/x")
    page = answer_of(Fault(kind="html"), None, now=0.0, speed=1, instance="/x")

    assert problem is not None
    assert real is not None
    assert page is not None
    assert json.loads(problem.body)["status"] == 504
    assert (problem.content_type, problem.headers) == ("application/problem+json", {})
    assert (real.content_type, real.headers) == ("text/plain", {"Cache-Control": "no-store", "X-A": "b"})
    assert (page.status, page.content_type, page.body[:9]) == (200, "text/html; charset=utf-8", b"<!DOCTYPE")


@pytest.mark.parametrize(
    ("fault", "speed", "sent"),
    [
        ({}, 1, None),
        ({"retry_after": 7}, 1, "7"),
        ({"retry_after": 86400}, 1, "86400"),
        ({"retry_after": 7}, 10, "0.7"),
        ({"retry_after": 7, "retry_after_form": "date"}, 1, "Thu, 01 Jan 1970 00:00:17 GMT"),
        ({"retry_after": 70, "retry_after_form": "date"}, 10, "Thu, 01 Jan 1970 00:00:17 GMT"),
        ({"retry_after": "soon"}, 1, "soon"),
        ({"retry_after": "0"}, 1, "0"),
        ({"retry_after": "-1"}, 1, "-1"),
    ],
)
def test_retry_after_in_every_form(fault: dict[str, Any], speed: float, sent: str | None) -> None:
    answer = answer_of(Fault(status=429, **fault), None, now=10.0, speed=speed, instance="/x")
    assert answer is not None
    assert answer.headers.get("Retry-After") == sent


@pytest.mark.parametrize("size", [1, 27, 1000, 3 * 1024 * 1024 + 5])
def test_large_bodies_are_json_of_their_size_and_bombs_are_small(size: int) -> None:
    plain = b"".join(huge(size))
    assert json.loads(plain)["results"] == []
    assert len(plain) == max(size, 27)
    assert json.loads(gzip.decompress(bomb(size))) == json.loads(plain)
    assert len(bomb(size)) < 5000
