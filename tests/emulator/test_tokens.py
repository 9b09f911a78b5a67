"""The token endpoint and what a token is good for."""

from __future__ import annotations

from typing import Any

import pytest

from maia_async.emulator import Scenario


async def test_credentials_buy_a_bearer_token_for_half_an_hour(api: Any) -> None:
    answer = await api.sign_in()

    assert answer.status == 200
    assert {name: answer.body[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 1800,
        "scope": "pipeline-execution",
    }
    assert answer.body["access_token"].count(".") == 2
    assert (await api.get("/v1/projects", token=answer.body["access_token"])).status == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": "emulator", "client_secret": "wrong"}, 401, "access_denied"),
        ({"grant_type": "client_credentials", "client_id": "who", "client_secret": "emulator"}, 401, "access_denied"),
        ({"grant_type": "client_credentials"}, 401, "access_denied"),
        ({"grant_type": "password", "client_id": "emulator", "client_secret": "emulator"}, 400, "unsupported_grant_type"),
        ({}, 400, "unsupported_grant_type"),
    ],
)
async def test_other_forms_are_refused(api: Any, form: dict[str, str], status: int, error: str) -> None:
    answer = await api.call(
        "POST", api.emulator.token_url, token=None, data=form, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert (answer.status, answer.body["error"]) == (status, error)


async def test_the_token_endpoint_takes_a_form_by_post_only(api: Any) -> None:
    fields = {"grant_type": "client_credentials", "client_id": "emulator", "client_secret": "emulator"}

    assert (await api.call("POST", api.emulator.token_url, token=None, json=fields)).status == 400
    assert (await api.get(api.emulator.token_url)).headers["Allow"] == "POST"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}])
async def test_without_a_good_token_every_path_is_401(api: Any, headers: dict[str, str]) -> None:
    for path in ("/v1/projects", "/v1/nothing", api.runs):
        answer = await api.get(path, token=None, headers=headers)
        assert (answer.status, answer.headers["WWW-Authenticate"], answer.body["title"]) == (401, "Bearer", "Unauthorized")


async def test_a_token_expires_and_an_older_one_outlives_a_newer_request(serve: Any) -> None:
    async with serve(Scenario(token_lifetime=100)) as api:
        old = api.token
        api.emulator.control.advance(60)
        new = (await api.sign_in()).body["access_token"]
        assert old != new
        assert [(await api.get("/v1/projects", token=token)).status for token in (old, new)] == [200, 200]
        api.emulator.control.advance(40)
        assert [(await api.get("/v1/projects", token=token)).status for token in (old, new)] == [401, 200]
        api.emulator.control.advance(60)
        assert (await api.get("/v1/projects", token=new)).status == 401


async def test_revoked_tokens_are_401_and_static_ones_are_good_until_then(serve: Any) -> None:
    async with serve(Scenario(tokens={"fixed": "emulator"})) as api:
        api.emulator.control.advance(1e6)
        assert (await api.get("/v1/projects", token="fixed")).status == 200
        api.emulator.control.revoke_tokens()
        assert (await api.get("/v1/projects", token="fixed")).status == 401
        api.emulator.control.add_token("another")
        assert (await api.get("/v1/projects", token="another")).status == 200
