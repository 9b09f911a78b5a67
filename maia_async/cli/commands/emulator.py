"""`maia emulator`: an emulated Maia on its own, for other programs. Being stopped is its normal end: exit code 0."""

from __future__ import annotations

import asyncio
from shlex import quote
from typing import Annotated

import anyio
from cyclopts import Parameter

from maia_async.cli.exits import ExitStatus
from maia_async.cli.options import Injected, naming
from maia_async.emulator import Emulator, Scenario


async def emulator(
    *,
    port: Annotated[int, Parameter(help="Where to listen; 0 takes a free one.")] = 8484,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    scenario: Annotated[str | None, Parameter(help="YAML or JSON file with the account; else the vendor's examples.")] = None,
    speed: Annotated[float, Parameter(help="How many API seconds pass in one real second.")] = 1.0,
    program: Injected,
) -> ExitStatus:
    """Serve an emulated Maia until Ctrl-C, which is its normal end: exit code 0."""
    account = Scenario() if scenario is None else Scenario.from_file(scenario)
    with naming(port="--port", speed="--speed"):
        served = Emulator(account, host=host, port=port, speed=speed)
    async with served as running:
        first = account.credentials[0]
        for settings in (
            {"MAIA_BASE_URL": running.base_url, "MAIA_TOKEN_URL": running.token_url},
            {"MAIA_CLIENT_ID": first.client_id, "MAIA_CLIENT_SECRET": first.client_secret, "MAIA_PROJECT_ID": account.projects[0].id},
        ):
            program.data.line("export " + " ".join(f"{name}={quote(value)}" for name, value in settings.items()))
        program.talk.say(f"an emulated Maia listens on {running.url}: run the two lines above in another shell; Ctrl-C ends it", "cyan")
        if speed != 1:
            program.talk.say(f"its time runs {speed:g} times as fast; a client's own intervals do not")
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            program.talk.say("the emulator has ended")
    return ExitStatus.OK
