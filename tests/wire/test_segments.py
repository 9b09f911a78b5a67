"""One value, one path segment, whatever it contains; and raw paths that cannot leave the API's root."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from maia_async.errors import InvalidRequest
from maia_async.wire.segments import check_path, segment

BASE = "https://maia.example/dpc/v1/projects"
HOSTILE = ["/", "a/b", "../..", "..%2f", "%2e%2e", "?", "#x", "a?b=c#d", "%", "%00", "\n", "\r\nHost: x", "\\", ";", ":", "@", "x" * 10_000]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(HOSTILE)


@given(TEXT.filter(lambda value: value not in {".", ".."}))
def test_any_text_is_exactly_one_segment_for_every_reader_of_the_url(value: str) -> None:
    url = f"{BASE}/{segment(value, name='id')}/environments"

    parts = urlsplit(url)
    assert (parts.netloc, parts.query, parts.fragment) == ("maia.example", "", "")
    assert [unquote(part, errors="strict") for part in parts.path.split("/")] == ["", "dpc", "v1", "projects", value, "environments"]

    as_sent = URL(url, encoded=True)
    assert (as_sent.host, as_sent.raw_query_string, as_sent.raw_fragment) == ("maia.example", "", "")
    assert [unquote(part) for part in as_sent.raw_path.split("/")] == ["", "dpc", "v1", "projects", value, "environments"]
    # A reader that normalises finds nothing to normalise either.
    assert [unquote(part) for part in URL(url).raw_path.split("/")] == ["", "dpc", "v1", "projects", value, "environments"]
    assert as_sent.raw_path.isascii()
    assert as_sent.raw_path.isprintable()


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_empty_and_dot_segments_are_refused(value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        segment(value, name="execution_id")
    assert str(caught.value) == "invalid request: 1 problem: execution_id: must not be empty, '.' or '..'"


@pytest.mark.parametrize("value", [None, 7, b"id", ["id"], object()])
def test_what_is_no_text_is_refused_with_its_type_and_not_its_value(value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        segment(value, name="project_id")
    assert str(caught.value) == f"invalid request: 1 problem: project_id: must be text, is {type(value).__name__}"


def test_half_a_surrogate_pair_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidRequest) as caught:
        segment("hush-\ud800", name="project_id")
    assert caught.value.problems[0].field == "project_id"
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/projects", "/v1/projects"),
        ("/", "/"),
        ("/v1/projects/a%2Fb", "/v1/projects/a%2Fb"),
        ("/v1/projects/é", "/v1/projects/%C3%A9"),
        ("/v1/projects/a:b@c;d=e", "/v1/projects/a:b@c;d=e"),
        ("/v1/projects/...", "/v1/projects/..."),
        ("/v1/projects/..a", "/v1/projects/..a"),
        ("/v1/<x>", "/v1/%3Cx%3E"),
    ],
)
def test_a_raw_path_goes_out_as_it_is_with_the_rest_encoded(path: str, sent: str) -> None:
    assert check_path(path) == sent


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("", "must start with one '/'"),
        ("v1/projects", "must start with one '/'"),
        ("//evil.example/v1", "must start with one '/'"),
        ("https://evil.example/v1", "must start with one '/'"),
        (None, "must start with one '/'"),
        (b"/v1", "must start with one '/'"),
        ("/v1/projects?page=1", "params="),
        ("/v1/projects#x", "params="),
        ("/v1\\projects", "params="),
        ("/v1/../oauth", "'.' or '..'"),
        ("/v1/..", "'.' or '..'"),
        ("/./v1", "'.' or '..'"),
        ("/v1/%2e%2E/x", "'.' or '..'"),
        ("/v1/.%2e/x", "'.' or '..'"),
        ("/v1/%2E", "'.' or '..'"),
        ("/v1/a b", "percent-encode"),
        ("/v1/a\r\nHost: x", "percent-encode"),
        ("/v1/a\x7f", "percent-encode"),
        ("/v1/\ud800", "no URL can carry"),
    ],
)
def test_a_raw_path_that_could_lead_elsewhere_is_refused(path: Any, complaint: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_path(path)
    (problem,) = caught.value.problems
    assert problem.field == "path"
    assert complaint in problem.message


PIECES = st.sampled_from(["/", ".", "%2e", "%2F", "%", "a", "?", "#", "\\", " ", "\n", "é", "\ud800", ";", "@", ":"])


@given(st.lists(PIECES).map("".join) | st.text())
def test_any_raw_path_is_refused_or_stays_under_the_root(path: str) -> None:
    try:
        sent = check_path(f"/{path}")
    except InvalidRequest:
        return
    url = URL(f"https://maia.example/dpc{sent}", encoded=True)
    assert url.host == "maia.example"
    assert (url.raw_query_string, url.raw_fragment) == ("", "")
    assert url.raw_path == f"/dpc{sent}"
    assert URL(str(url)).raw_path.startswith("/dpc")
    assert sent.isascii()
    assert sent.isprintable()
