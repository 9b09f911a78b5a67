"""What the program can see of its surroundings, handed in at call time; nothing else of the package's command line reads the process."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from typing import BinaryIO, Self, TextIO

from attrs import field, frozen


@frozen(kw_only=True)
class Environment:
    """Streams, terminals and variables.

    stdout_tty, stderr_tty: whether colours and cursor movement make sense there. width: columns; None asks the terminal and follows it.
    environ: may hold secrets and is not shown.
    """

    stdout: TextIO
    stderr: TextIO
    stdout_tty: bool = False
    stderr_tty: bool = False
    width: int | None = 80
    stdin: BinaryIO = field(factory=io.BytesIO)
    environ: Mapping[str, str] = field(factory=dict, repr=False)

    @property
    def debug(self) -> bool:
        """Whether tracebacks are shown: `MAIA_DEBUG` is set, and neither empty nor 0."""
        return self.environ.get("MAIA_DEBUG", "") not in {"", "0"}

    @classmethod
    def from_process(cls) -> Self:
        """The real one. What a stream cannot encode is written as an escape instead of ending the program."""
        stdout, stderr = _stream(sys.stdout), _stream(sys.stderr)
        dumb = os.environ.get("TERM", "").lower() in {"dumb", "unknown"}
        return cls(
            stdout=stdout,
            stderr=stderr,
            stdout_tty=stdout.isatty() and not dumb,
            stderr_tty=stderr.isatty() and not dumb,
            width=None,
            stdin=io.BytesIO() if sys.stdin is None else sys.stdin.buffer,
            environ=os.environ,
        )


def _stream(stream: TextIO | None) -> TextIO:
    if stream is None:  # closed by the caller (`>&-`)
        return io.StringIO()
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream
