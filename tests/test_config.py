"""Settings from the environment, regions, and which addresses are accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.config import Region, Settings, checked_base_url, checked_url, default_token_url
from maia_async.errors import ConfigurationError

TOKEN = {"MAIA_TOKEN": "t-1"}
PAIR = {"MAIA_CLIENT_ID": "id", "MAIA_CLIENT_SECRET": "hush-hush"}


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, ["no credentials", "MAIA_CLIENT_ID", "MAIA_CLIENT_SECRET", "MAIA_TOKEN"]),
        ({"MAIA_TOKEN": "", "MAIA_CLIENT_ID": "  "}, ["no credentials", "MAIA_TOKEN"]),
        (TOKEN | PAIR, ["both", "MAIA_TOKEN", "MAIA_CLIENT_ID/MAIA_CLIENT_SECRET", "unset one"]),
        (TOKEN | {"MAIA_CLIENT_ID": "id"}, ["both", "MAIA_TOKEN", "MAIA_CLIENT_ID"]),
        (TOKEN | {"MAIA_CLIENT_SECRET": "hush-hush"}, ["both", "MAIA_TOKEN", "MAIA_CLIENT_SECRET"]),
        ({"MAIA_CLIENT_ID": "id"}, ["MAIA_CLIENT_SECRET is not set"]),
        ({"MAIA_CLIENT_SECRET": "hush-hush"}, ["MAIA_CLIENT_ID is not set"]),
        (TOKEN | {"MAIA_REGION": "mars"}, ["region", "'eu1'", "'us1'", "'mars'", "base_url"]),
        (TOKEN | {"MAIA_BASE_URL": "http://maia.example"}, ["base_url", "https", "loopback"]),
        (TOKEN | {"MAIA_TOKEN_URL": "http://maia.example"}, ["token_url", "https", "loopback"]),
    ],
)
def test_what_is_missing_or_contradictory_is_refused_and_named(environ: dict[str, str], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env(environ)
    assert [word for word in words if word not in str(caught.value)] == []
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (TOKEN, Settings(token="t-1")),
        (PAIR, Settings(client_id="id", client_secret="hush-hush")),
        ({"MAIA_TOKEN": " t-1\n"}, Settings(token="t-1")),
        (TOKEN | {"MAIA_CLIENT_ID": ""}, Settings(token="t-1")),
        (TOKEN | {"MAIA_REGION": "US1"}, Settings(token="t-1", region=Region.US1)),
        (TOKEN | {"MAIA_PROJECT_ID": "p", "OTHER": "x"}, Settings(token="t-1", project_id="p")),
        (
            TOKEN | {"MAIA_BASE_URL": "http://127.0.0.1:8484/dpc/v1/", "MAIA_TOKEN_URL": "http://127.0.0.1:8484/token/"},
            Settings(token="t-1", base_url="http://127.0.0.1:8484/dpc", token_url="http://127.0.0.1:8484/token"),
        ),
    ],
)
def test_what_is_set_is_read_and_an_empty_variable_is_unset(environ: dict[str, str], expected: Settings) -> None:
    assert Settings.from_env(environ) == expected


@pytest.mark.parametrize("environ", [{}, TOKEN, TOKEN | PAIR, {"MAIA_CLIENT_ID": "id"}])
def test_without_the_need_for_credentials_none_are_read(environ: dict[str, str]) -> None:
    found = Settings.from_env(environ | {"MAIA_PROJECT_ID": "p"}, needs_credentials=False)
    assert found == Settings(project_id="p")


def test_no_secret_is_in_the_repr_of_settings() -> None:
    shown = repr(Settings(token="t-secret-1", client_id="id", client_secret="hush-hush"))
    assert "t-secret-1" not in shown
    assert "hush-hush" not in shown


@pytest.mark.parametrize("word", ["eu1", "EU1", "Eu1", Region.EU1])
def test_a_region_is_read_in_any_letter_case(word: str) -> None:
    assert Region.parse(word) is Region.EU1


@pytest.mark.parametrize("word", ["", "eu", "eu-1", " eu1", "https://eu1.api.matillion.com", None, 1])
def test_any_other_region_is_refused_with_the_names_listed(word: str) -> None:
    with pytest.raises(ConfigurationError, match="must be one of 'eu1', 'us1', 'au1'"):
        Region.parse(word)


@pytest.mark.parametrize("region", Region)
def test_every_region_has_an_acceptable_address(region: Region) -> None:
    assert region.base_url == f"https://{region.value}.api.matillion.com/dpc"
    assert checked_base_url(region.base_url) == region.base_url


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://maia.example/dpc", "https://maia.example/dpc"),
        ("https://maia.example/dpc/", "https://maia.example/dpc"),
        ("https://maia.example/dpc/v1", "https://maia.example/dpc"),
        ("https://maia.example/dpc/v1/", "https://maia.example/dpc"),
        ("https://maia.example/v1", "https://maia.example"),
        ("https://maia.example/dpc/v10", "https://maia.example/dpc/v10"),
        ("HTTPS://maia.example", "HTTPS://maia.example"),
        ("http://localhost:8484/dpc", "http://localhost:8484/dpc"),
        ("http://LOCALHOST/dpc", "http://LOCALHOST/dpc"),
        ("http://127.0.0.1:8484/dpc", "http://127.0.0.1:8484/dpc"),
        ("http://127.8.9.1/dpc", "http://127.8.9.1/dpc"),
        ("http://[::1]:8484/dpc", "http://[::1]:8484/dpc"),
    ],
)
def test_https_and_http_on_loopback_are_accepted(url: str, accepted: str) -> None:
    assert checked_base_url(url) == accepted


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://maia.example", "must be https"),
        ("http://127.0.0.1.maia.example", "must be https"),
        ("http://localhost.maia.example", "must be https"),
        ("http://0.0.0.0:8484", "must be https"),
        ("http://10.0.0.1", "must be https"),
        ("http://[2001:db8::1]", "must be https"),
        ("http://2130706433", "must be https"),
        ("ftp://maia.example", "must be an https URL"),
        ("file:///etc/passwd", "must be an https URL"),
        ("maia.example/dpc", "must be an https URL"),
        ("https:///dpc", "must be an https URL"),
        ("https://", "must be an https URL"),
        ("", "must be an https URL"),
        ("https://maia.example/a b", "must be an https URL"),
        ("https://maia.example/\n", "must be an https URL"),
        ("https://maia.example\r\nHost: x", "is not a URL"),
        ("https://maia.example:99999", "is not a URL"),
        ("https://maia.example:port", "is not a URL"),
        ("http://[::1", "is not a URL"),
        ("https://user:hush-hush@maia.example", "must not contain a user name"),
        ("https://user@maia.example", "must not contain a user name"),
        ("https://@maia.example", "must not contain a user name"),
        ("user:hush-hush@maia.example", "must not contain a user name"),
        ("https:user:hush-hush@maia.example", "must not contain a user name"),
        ("https://maia.example/dpc?x=1", "must not contain a query or a fragment"),
        ("https://maia.example/dpc?", "must not contain a query or a fragment"),
        ("https://maia.example/dpc#x", "must not contain a query or a fragment"),
        ("https://maia.example#", "must not contain a query or a fragment"),
    ],
)
def test_any_other_address_is_refused_with_the_setting_named_and_no_password_shown(url: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked_url(url, name="token_url")
    assert str(caught.value).startswith(f"token_url {complaint}")
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("url", [None, 5, b"https://maia.example", ["https://maia.example"]])
def test_what_is_no_text_is_no_address(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^base_url "):
        checked_base_url(url)


@given(st.text())
def test_any_text_is_an_address_or_a_configuration_error(text: str) -> None:
    for url in (text, f"https://{text}", f"http://127.0.0.1{text}"):
        try:
            accepted = checked_url(url, name="base_url")
        except ConfigurationError:
            continue
        assert accepted.lower().startswith(("https://", "http://"))
        assert not set("@?#") & set(accepted)


@pytest.mark.parametrize(
    ("base_url", "token_url"),
    [
        ("https://eu1.api.matillion.com/dpc", "https://id.core.matillion.com/oauth/dpc/token"),
        ("https://proxy.example/dpc", "https://id.core.matillion.com/oauth/dpc/token"),
        ("http://127.0.0.1:8484/dpc", "http://127.0.0.1:8484/oauth/dpc/token"),
        ("http://[::1]:8484/dpc", "http://[::1]:8484/oauth/dpc/token"),
    ],
)
def test_without_a_token_url_credentials_go_to_the_vendor_and_on_loopback_stay_there(base_url: str, token_url: str) -> None:
    assert default_token_url(base_url) == token_url
