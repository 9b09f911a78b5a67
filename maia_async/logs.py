"""The package's logger: whatever names, ids and messages from outside hold, it stays inside its line. No level and no handler is set."""

from __future__ import annotations

import logging

from maia_async.errors import printable


def one_line(record: logging.LogRecord) -> bool:
    """A filter that lets everything pass, with what cannot be printed as an escape. A traceback keeps its lines."""
    said = record.getMessage()
    if not said.isprintable():
        record.msg, record.args = printable(said), ()
    return True


def logger_named(name: str) -> logging.Logger:
    """A logger whose records are one line each. A filter of a logger is not asked about its children's records: each needs this."""
    found = logging.getLogger(name)
    found.addFilter(one_line)  # a second time does nothing
    return found


logger = logger_named("maia_async")
