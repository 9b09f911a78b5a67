"""Configuration: credentials from the environment only, options before variables, and the emulator only when asked for."""

from __future__ import annotations

import pytest
from cli.harness import PROJECT, Account, Maia

TOKEN = {"MAIA_TOKEN": "s3cret-token"}


async def test_no_credentials_names_the_variables_and_the_ways_without_an_account(bare: Maia) -> None:
    ended = await bare("projects", "list")

    assert ended.status == 2
    assert all(word in ended.err for word in ("MAIA_CLIENT_ID", "MAIA_CLIENT_SECRET", "MAIA_TOKEN", "--emulator", "maia demo"))


@pytest.mark.parametrize(
    ("environ", "argv", "said"),
    [
        ({**TOKEN, "MAIA_CLIENT_ID": "a", "MAIA_CLIENT_SECRET": "b"}, [], "unset one kind"),
        ({"MAIA_CLIENT_ID": "a"}, [], "MAIA_CLIENT_SECRET is not set"),
        ({**TOKEN, "MAIA_BASE_URL": "http://maia.example/dpc"}, [], "must be https"),
        (TOKEN, ["--base-url", "http://maia.example/dpc"], "must be https"),
        (TOKEN, ["--base-url", "http://maia.example/dpc"], "--base-url must be https"),
        ({**TOKEN, "MAIA_BASE_URL": "http://maia.example/dpc"}, [], "MAIA_BASE_URL must be https"),
        ({**TOKEN, "MAIA_TOKEN_URL": "http://maia.example/dpc"}, [], "MAIA_TOKEN_URL must be https"),
        (TOKEN, ["--region", "mars"], "maia: --region must be one of 'eu1', 'us1', 'au1', is 'mars'; for another host give --base-url"),
        ({**TOKEN, "MAIA_REGION": "mars"}, [], "MAIA_REGION must be one of"),
        (TOKEN, ["--region", "us1", "--base-url", "https://maia.example"], "--region or --base-url"),
        ({}, ["--emulator", "--region", "us1"], "without --region"),
        ({}, ["--emulator", "--base-url", "https://maia.example"], "without --region and --base-url"),
    ],
)
async def test_a_wrong_configuration_is_exit_code_2(environ: dict[str, str], argv: list[str], said: str) -> None:
    ended = await Maia(environ)("projects", "list", *argv)

    assert ended.status == 2
    assert said in ended.err
    assert ended.out == ""
    assert "s3cret" not in ended.err


async def test_a_project_is_needed(account: Account) -> None:
    ended = await account.maia.with_environ(MAIA_PROJECT_ID="")("environments", "list")

    assert ended.status == 2
    assert "--project ID" in ended.err


async def test_the_option_beats_the_variable(account: Account) -> None:
    ended = await account.maia.with_environ(MAIA_PROJECT_ID="other")("environments", "list", "--project", PROJECT)

    assert ended.status == 0


async def test_a_region_option_is_not_overruled_by_an_address_in_the_environment(account: Account) -> None:
    ended = await account.maia("projects", "list", "--region", "mars")

    assert ended.status == 2


@pytest.mark.parametrize(
    "environ", [{"MAIA_CLIENT_SECRET": "wrong"}, {"MAIA_CLIENT_ID": "", "MAIA_CLIENT_SECRET": "", "MAIA_TOKEN": "a-bad-token"}]
)
async def test_refused_credentials_are_exit_code_3(account: Account, environ: dict[str, str]) -> None:
    ended = await account.maia.with_environ(**environ)("projects", "list")

    assert ended.status == 3
    assert "401" in ended.err
    assert ("MAIA_TOKEN" in ended.err) is ("MAIA_TOKEN" in environ)
    assert ("MAIA_CLIENT_ID" in ended.err) is ("MAIA_TOKEN" not in environ)
    assert "a-bad-token" not in ended.err


async def test_an_unreachable_api_is_exit_code_4(account: Account) -> None:
    # Port 9 of loopback is refused at once: nothing listens there.
    ended = await account.maia.with_environ(MAIA_CLIENT_ID="", MAIA_CLIENT_SECRET="", MAIA_TOKEN="t" * 20)(
        "projects", "list", "--base-url", "http://127.0.0.1:9/dpc"
    )

    assert ended.status == 4
    assert "Traceback" not in ended.err


async def test_the_emulator_says_that_it_is_one(bare: Maia) -> None:
    ended = await bare("pipelines", "list", "--emulator", "--output", "json")

    assert ended.status == 0
    assert [item["name"] for item in ended.json] == ["My pipeline", "Pipeline 1", "Dev Pipeline"]
    assert "embedded emulator" in ended.err


async def test_tracebacks_are_for_those_who_ask(account: Account) -> None:
    quiet = await account.maia("status", "00000000-0000-4000-8000-000000000000")
    loud = await account.maia.with_environ(MAIA_DEBUG="1")("status", "00000000-0000-4000-8000-000000000000")

    assert quiet.status == loud.status == 1
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err
