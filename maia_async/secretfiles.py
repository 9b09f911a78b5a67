"""A secret from a file that nobody else can read, for who keeps secrets out of the environment. It shows nothing of the content.

    the file                                           then
    missing, a folder, a pipe, not readable            ConfigurationError
    readable or writable by group or others            ConfigurationError: `chmod 600`
    empty, over 64 KiB, not UTF-8, several lines       ConfigurationError
    one line, with or without its end                  the secret

Symbolic links are followed, and what is looked at is what was opened. Windows has other rights, which are not looked at.
"""

from __future__ import annotations

import os
from stat import S_IMODE, S_ISREG
from typing import Final

from maia_async.errors import ConfigurationError
from maia_async.secrets import Secret

_LONGEST: Final = 65536
_OTHERS: Final = 0o077


def read_secret(path: str, *, name: str) -> Secret:
    """The secret in the file at `path`; `name` is the variable that named it. Raises ConfigurationError; see the table."""
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))  # a pipe must not hold us
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{name}: cannot read {path!r}: {getattr(error, 'strerror', None) or 'no file can be called so'}"
        ) from None
    try:
        found = os.fstat(file)
        if not S_ISREG(found.st_mode):
            raise ConfigurationError(f"{name}: {path!r} is not a file")
        if os.name == "posix" and found.st_mode & _OTHERS:
            raise ConfigurationError(
                f"{name}: {path!r} can be used by others (mode {S_IMODE(found.st_mode):04o}): give it mode 0600, as `chmod 600` does"
            )
        secret = _text(file)
    finally:
        os.close(file)
    if secret is None:
        raise ConfigurationError(f"{name}: {path!r} must hold the secret and nothing else, on one line (its content is not shown)")
    return secret


def _text(file: int) -> Secret | None:
    """What is in it, or None for what is no secret. It raises nothing: a traceback would show its local variables."""
    content = os.read(file, _LONGEST + 1)
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return None
    return Secret(text) if text.isprintable() and text and len(content) <= _LONGEST else None
