"""The three lists, in both forms, on a terminal and elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from cli.harness import DEV, PROJECT, Account

from maia_async.emulator import Pipeline


async def test_projects(account: Account) -> None:
    table = await account.maia("projects", "list")
    json = await account.maia("projects", "list", "--output", "json")

    assert table.out.splitlines()[1].split() == [PROJECT, "Test-project", "project-1"]
    assert json.json == [{"id": PROJECT, "name": "Test-project", "description": "project-1"}]
    assert table.err == json.err == ""


async def test_environments(account: Account) -> None:
    ended = await account.maia("environments", "list", "--output", "json")

    assert [item["name"] for item in ended.json] == ["Environment-1", DEV, "Dev Env"]
    assert "Dev Agent" in (await account.maia("environments", "list")).out


async def test_pipelines_of_one_environment(serve: Any) -> None:
    async with serve(Pipeline(name="a"), Pipeline(name="b", environments=("Dev Env",))) as account:
        everywhere = await account.maia("pipelines", "list", "--output", "json")
        there = await account.maia("pipelines", "list", "--environment", DEV, "--output", "json")

    assert [item["name"] for item in everywhere.json] == ["a", "b"]
    assert [item["name"] for item in there.json] == ["a"]


@pytest.mark.parametrize("tty", [False, True])
async def test_hostile_names_are_shown_and_not_obeyed(serve: Any, tty: bool) -> None:
    name = "\x1b[2J[red]up[/red]\n../../etc"
    async with serve(Pipeline(name=name)) as account:
        table = await evolve(account.maia, tty=tty)("pipelines", "list")
        json = await account.maia("pipelines", "list", "--output", "json")

    assert "\\x1b[2J[red]up[/red]\\n../../etc" in table.out
    assert "\x1b[2J" not in table.out
    assert json.json[0]["name"] == name
    assert "\x1b" not in json.out


async def test_a_foreign_project_is_refused_by_the_api(account: Account) -> None:
    ended = await account.maia("environments", "list", "--project", "00000000-0000-4000-8000-000000000000")

    assert ended.status == 1
    assert "404" in ended.err


@pytest.mark.parametrize("project", ["..", "."])
async def test_a_project_that_is_no_path_segment_is_refused_unsent(account: Account, project: str) -> None:
    ended = await account.maia("environments", "list", "--project", project)

    assert ended.status == 2
    assert account.emulator.control.requests(path_contains="environments") == []
