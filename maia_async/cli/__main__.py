"""The entry point of `maia`: joins the process to the program, which is `async_main`. It decides nothing.

Without the extra `cli` it says how to install it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

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
    from maia_async.cli.exits import ExitStatus  # noqa: PLC0415 - see above
    from maia_async.cli.program import Program  # noqa: PLC0415 - see above
    from maia_async.cli.signals import Signals  # noqa: PLC0415 - see above

    environment = Environment.from_process()
    program = Program.of(environment)
    status = Signals(program).run(async_main(argv, environment, program=program))
    if status is ExitStatus.BROKEN_PIPE:
        # The interpreter flushes stdout once more at its end, and would complain there.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
