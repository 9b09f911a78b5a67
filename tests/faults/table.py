"""All rows of the table of faults, family by family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from faults import rows_body, rows_connection, rows_limit, rows_lists, rows_runs, rows_status, rows_streams, rows_token
from faults.shapes import Row

FAMILIES: Final[Mapping[str, tuple[Row, ...]]] = {
    "Connections": rows_connection.ROWS,
    "Heads and bodies": rows_body.ROWS,
    "Statuses": rows_status.ROWS,
    "Tokens": rows_token.ROWS,
    "Budget and retries": rows_limit.ROWS,
    "Lists": rows_lists.ROWS,
    "Runs, clocks, closing": rows_runs.ROWS,
    "Streaming pipelines": rows_streams.ROWS,
}
ROWS: Final = tuple(row for rows in FAMILIES.values() for row in rows)
