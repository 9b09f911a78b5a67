"""The entry point of `maia`: joins the process to the program, which is `async_main`. It decides nothing.

Without the extra `cli` it says how to install it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final, TextIO

_NEEDED: Final = ("cyclopts", "rich", "yaml")
_USAGE: Final = 2
_INTERRUPTED: Final = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run `maia` in this process and return the exit code."""
    if any(find_spec(name) is None for name in _NEEDED):
        sys.stderr.write("maia: the command line needs an extra: pip install 'maia-async[cli]'\n")
        return _USAGE
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(argv: Sequence[str]) -> int:
    # Imported here: without the extra, the imports fail before a word could be said.
    from maia_async.cli.app import async_main  # noqa: PLC0415 - see above
    from maia_async.cli.environment import Environment  # noqa: PLC0415 - see above
    from maia_async.cli.program import Program  # noqa: PLC0415 - see above
    from maia_async.cli.signals import Signals  # noqa: PLC0415 - see above

    environment = Environment.from_process()
    program = Program.of(environment)
    status = Signals(program).run(async_main(argv, environment, program=program))
    for stream in (sys.stdout, sys.stderr):
        _let_go(stream)
    return int(status)


def _let_go(stream: TextIO | None) -> None:
    """Where nobody reads it any more, point it to nowhere: the interpreter flushes once more at its end, and would make 120 of the code."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none at all
        try:
            stream.flush()  # type: ignore[union-attr]  # see above
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]  # see above


if __name__ == "__main__":
    sys.exit(main())
