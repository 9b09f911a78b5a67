"""Everything that comes out of a program, as text to look for secrets in: errors with their frames, log lines at any level, warnings."""

from __future__ import annotations

import json
import logging
import traceback
import warnings
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, quote_plus

TESTS = str(Path(__file__).parent)


def told_by(error: BaseException, *, ours_only: bool = False) -> str:
    """Everything that an error tracker could print of `error` and of all that hangs on it: texts, frames, their local variables.

    ours_only: without the frames of the tests themselves, for a test that holds the secret in a variable.
    """
    chain, seen = [error], set[int]()
    text: list[str] = []
    while chain:
        one = chain.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        text += [repr(one), str(one), repr(one.__dict__), *map(repr, one.args)]
        if ours_only:
            text += traceback.format_exception_only(one) + list(_locals(one.__traceback__))
        else:
            text += traceback.TracebackException.from_exception(one, capture_locals=True).format()
        chain += [other for other in (one.__cause__, one.__context__) if other is not None]
        chain += getattr(one, "exceptions", ())
    return "\n".join(text)


def _locals(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(TESTS):
            yield from (f"{code.co_qualname}: {name} = {value!r}" for name, value in trace.tb_frame.f_locals.items())
        trace = trace.tb_next


class Ears(logging.Handler):
    """Hears every logger at every level, and every warning."""

    def __init__(self) -> None:
        super().__init__(0)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@contextmanager
def listening() -> Iterator[Ears]:
    """Everything that is logged or warned of inside the block, whoever does it."""
    ears, root = Ears(), logging.getLogger()
    named = [logging.getLogger(name) for name in ("maia_async", "aiohttp.client", "aiohttp.internal", "asyncio")]
    before = [(logger, logger.level) for logger in (root, *named)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for logger, _ in before:
            logger.setLevel(1)
        root.addHandler(ears)
        try:
            yield ears
        finally:
            root.removeHandler(ears)
            for logger, level in before:
                logger.setLevel(level)
            ears.lines += [str(warning.message) for warning in caught]


def forms_of(secret: str) -> set[str]:
    """A secret as it may be written: plain, in a repr, in JSON, in HTML, in a URL, in a form, in Basic credentials."""
    return {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        escape(secret),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        b64encode(secret.encode()).decode().rstrip("="),
    }


def leaks(secret: str, text: str) -> list[str]:
    """Where a secret stands in a text, with what is around it."""
    return [text[max(0, at - 150) : at + 150] for form in forms_of(secret) if (at := text.find(form)) >= 0]
