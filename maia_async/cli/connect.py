"""Opens the client that a command talks through: the real Maia, or an embedded emulator when `--emulator` says so, and only then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from maia_async import ConfigurationError, Maia, Observer, Project
from maia_async.cli.exits import UsageProblem
from maia_async.cli.options import Where, renamed
from maia_async.cli.outage import Outage
from maia_async.cli.program import Program

if TYPE_CHECKING:
    from maia_async.emulator import Control

_CREDENTIALS: Final = ("MAIA_TOKEN", "MAIA_CLIENT_ID", "MAIA_CLIENT_SECRET", "MAIA_TOKEN_FILE", "MAIA_CLIENT_SECRET_FILE")


@asynccontextmanager
async def connected(
    program: Program, where: Where, *, observers: tuple[Observer, ...] = (), streaming: bool = False
) -> AsyncIterator[Maia]:
    """A client; the ledger observes it, and an outage is said. Raises UsageProblem and ConfigurationError before anything is sent.

    streaming: the embedded emulator then holds two streaming pipelines, and its project is theirs: the other one of the vendor's guides.
    """
    outage = Outage(program.talk, watches=not streaming)
    try:
        async with _opened(program, where, (program.ledger, outage, *observers), streaming=streaming) as maia:
            yield maia
    finally:
        outage.close()


@asynccontextmanager
async def _opened(program: Program, where: Where, observers: tuple[Observer, ...], *, streaming: bool) -> AsyncIterator[Maia]:
    if not where.emulator:
        async with _client(program, where, observers) as maia:
            yield maia
        return
    if where.region is not None or where.base_url is not None:
        raise UsageProblem("--emulator runs an emulator of its own: give it without --region and --base-url")
    from maia_async.emulator import Emulator  # noqa: PLC0415 - a server is loaded only by who asks for one

    program.embedded = True
    program.talk.say("using an embedded emulator with example data: nothing reaches Maia, and its runs end with this command", "cyan")
    async with Emulator() as emulator:
        project_id = where.project
        if streaming:
            own = _example_streams(emulator.control)
            project_id = project_id or own
        chosen = {} if project_id is None else {"project_id": project_id}
        async with emulator.client(observers=observers, **chosen) as maia:
            yield maia


def _example_streams(control: Control) -> str:
    """One that streams and one that does not run, because every command ends with its emulator; returns their project's id."""
    created = [*control.create_stream("orders", started_ago=3600), *control.create_stream("customers")]
    return control.stream(created[0]).project_id


def project_of(maia: Maia, where: Where) -> Project:
    """The project of `--project`, else of MAIA_PROJECT_ID. Raises UsageProblem when there is none."""
    if where.project is None and maia.project_id is None:
        raise UsageProblem("no project: give --project ID, or set MAIA_PROJECT_ID", "`maia projects list` shows the ids")
    if where.project == "":
        raise UsageProblem("--project: must not be empty")
    return maia.project(where.project)


def _client(program: Program, where: Where, observers: tuple[Observer, ...]) -> Maia:
    overrides: dict[str, Any] = {"observers": observers}
    if where.region is not None:
        # With an address from the environment, the region would be ignored without a word: the option wins.
        overrides |= {"region": where.region, "base_url": None}
    if where.base_url is not None:
        if where.region is not None:
            raise UsageProblem("give --region or --base-url, not both: a region is an address")
        overrides["base_url"] = where.base_url
    program.connection_options = where.repeated()
    try:
        return Maia.from_env(program.environment.environ, **overrides)
    except ConfigurationError as error:
        said = renamed(
            str(error),
            {
                "region": "MAIA_REGION" if where.region is None else "--region",
                "base_url": "--base-url" if where.base_url is not None or where.region is not None else "MAIA_BASE_URL",
                "token_url": "MAIA_TOKEN_URL",
            },
        )
        if any(program.environment.environ.get(name, "").strip() for name in _CREDENTIALS):
            raise UsageProblem(said) from error
        hint = "without an account: `maia demo` shows what it does, and --emulator runs this command against an embedded emulator"
        raise UsageProblem(said, hint) from error
