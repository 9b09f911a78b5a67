"""Argument parsing and nothing else: which command is which function. `async_main` is the whole program as a function.

Commands are named as text and loaded when they are called, so that `maia --help` loads none.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import metadata
from typing import Final

from cyclopts import App, CycloptsError, Parameter

from maia_async.cli.environment import Environment
from maia_async.cli.exits import ExitStatus
from maia_async.cli.program import Program
from maia_async.cli.talk import console_for

_COMMANDS: Final = "maia_async.cli.commands"
_HELP: Final = "Run Maia pipelines from the command line. Data goes to stdout, everything else to stderr."
_EPILOGUE: Final = (
    "Credentials come from the environment: MAIA_CLIENT_ID and MAIA_CLIENT_SECRET, or MAIA_TOKEN "
    "(or from a file with mode 0600 that MAIA_CLIENT_SECRET_FILE or MAIA_TOKEN_FILE names). "
    "Without an account, begin with `maia demo`. "
    "Exit codes: 0 all succeeded, 1 something did not, 2 usage or configuration, 3 credentials refused, 4 the API or the network failed, "
    "70 a bug of ours, 130 interrupted, 143 terminated. MAIA_DEBUG=1 shows tracebacks."
)
# (group or None, command, where it is, one line of help)
_TABLE: Final = (
    (None, "demo", "demo:demo", "Watch 200 executions run in an embedded emulator, without an account."),
    (None, "run", "run:run", "Run one published pipeline and wait for its end."),
    (None, "batch", "batch:batch", "Run every row of a YAML, JSON, JSON lines or CSV file."),
    (None, "status", "executions:status", "Show one execution, whatever its status."),
    (None, "watch", "executions:watch", "Follow executions to their ends."),
    (None, "cancel", "executions:cancel", "Cancel executions."),
    ("projects", "list", "lists:projects", "List the projects that the credentials may see."),
    ("environments", "list", "lists:environments", "List the environments of a project."),
    ("pipelines", "list", "lists:pipelines", "List the published pipelines of a project."),
    ("streaming", "list", "streaming:listing", "List the streaming pipelines of a project."),
    ("streaming", "create", "streaming:create", "Create a streaming pipeline from a JSON or YAML file and print its id."),
    ("streaming", "show", "streaming:show", "Show the definition of a streaming pipeline."),
    ("streaming", "replace", "streaming:replace", "Replace the definition of a streaming pipeline."),
    ("streaming", "delete", "streaming:delete", "Delete a streaming pipeline."),
    ("streaming", "start", "startstop:start", "Start streaming pipelines."),
    ("streaming", "stop", "startstop:stop", "Stop streaming pipelines."),
    ("streaming", "status", "streaming:status", "Read the state of a streaming pipeline."),
    ("streaming", "wait", "streaming:wait", "Wait until a streaming pipeline shows a state."),
    ("streaming", "supervise", "supervise:supervise_", "Keep streaming pipelines streaming, until Ctrl-C."),
    ("journal", "show", "journal:show", "Show what the journal of a batch says of each request."),
    (None, "emulator", "emulator:emulator", "Serve an emulated Maia on its own, until Ctrl-C."),
)
_GROUPS: Final = {
    "journal": "Journals of batches.",
    "projects": "Projects of the account.",
    "environments": "Environments of a project.",
    "pipelines": "Published pipelines of a project.",
    "streaming": "Streaming pipelines of a project: definitions, commands, supervision.",
}


async def async_main(argv: Sequence[str], environment: Environment, *, program: Program | None = None) -> ExitStatus:
    """Run `maia` with these arguments (without the program's name) in this environment. It reads nothing else of the process."""
    running = program if program is not None else Program.of(environment)

    async def command() -> ExitStatus:
        return await _dispatch(argv, running)

    return await running.conclude(command)


async def _dispatch(argv: Sequence[str], program: Program) -> ExitStatus:
    app = _app(program.environment)
    try:
        command, bound, ignored = app.parse_args(_stdin_last(argv), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        error.verbose = False
        program.talk.say(f"maia: {error}", "red")
        program.talk.say(f"  see: {' '.join(('maia', *(error.command_chain or ()), '--help'))}")
        return ExitStatus.USAGE
    injected = dict.fromkeys(ignored, program)  # the only parameter that is not parsed is the program itself
    result = command(*bound.args, **bound.kwargs, **injected)
    if inspect.isawaitable(result):
        result = await result
    return result if isinstance(result, ExitStatus) else ExitStatus.OK  # help and version return nothing


def _stdin_last(argv: Sequence[str]) -> list[str]:
    """`-` is stdin and no option, wherever it stands: the parser takes it behind `--` only."""
    words = [word for word in argv if word != "-"]
    return list(argv) if "--" in argv or len(words) == len(argv) else [*words, "--", *["-"] * (len(argv) - len(words))]


def _app(environment: Environment) -> App:
    app = App(
        name="maia",
        help=_HELP,
        help_epilogue=_EPILOGUE,
        help_format="plaintext",  # nothing in help texts is markup
        help_formatter="default" if environment.stdout_tty else "plain",
        version=lambda: f"maia {metadata.version('maia-async')}",
        console=console_for(environment, error=False),
        error_console=console_for(environment, error=True),
        default_parameter=Parameter(negative=()),  # `--no-emulator` and `--empty-var` would be noise
    )
    groups = {name: App(name=name, help=text, help_epilogue="") for name, text in _GROUPS.items()}
    for group, name, place, text in _TABLE:
        parent = app if group is None else groups[group]
        # No epilogue below the top: a page of help is about its command.
        parent.command(f"{_COMMANDS}.{place}", name=name, help=text, help_epilogue="")
    for sub in groups.values():
        app.command(sub)
    return app
