"""What a journal file is: its marks, its tables, and what it says about itself. Texts and one value; no I/O.

One row for each request. `request` holds the tag that was sent; `auto` says that it was ours, so that the request as the caller gave it
can be told, and `digest` is of that one. Times of ours are ISO 8601; `server_time` is the server's clock in seconds since 1970, as far as
it was known before the POST. An INTENT whose POST was sent again while an earlier one was in doubt keeps the first one's `server_time`, and
has that of the last one as `{"sentAgain": ...}` in `outcome`. A column of its own would be another format, and journals are resumed by
newer versions of this package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from typing import Any, Final

from attrs import asdict, fields, frozen

APPLICATION_ID: Final = 0x4D614A6C  # "MaJl": `file` shows it, and no other program's database has it
VERSION: Final = 1
PAGES_TO_CHECKPOINT: Final = 1000  # SQLite's own default; tests make it small

TABLES: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)",
    (
        "CREATE TABLE run (idx INTEGER PRIMARY KEY NOT NULL, request TEXT NOT NULL, auto INTEGER NOT NULL, digest BLOB NOT NULL, "
        "stage TEXT NOT NULL, server_time REAL, sent_at TEXT, execution_id TEXT, started_at TEXT, "
        "state TEXT, outcome TEXT, triggered_at TEXT, finished_at TEXT)"
    ),
)
COLUMNS: Final = (
    "idx, request, auto, digest, stage, server_time, sent_at, execution_id, started_at, state, outcome, triggered_at, finished_at"
)


@frozen(kw_only=True)
class Meta:
    """What a journal says about itself; nothing of it is a secret.

    options: a digest of the batch's options, kept as it was given and compared with nothing: other limits are no other batch.
    size: how many requests the input has, once that is known.
    """

    project_id: str
    base_url: str
    options: str = ""
    created_at: str = ""
    package_version: str = ""
    size: int | None = None

    def rows(self) -> list[tuple[str, str]]:
        """It as rows of the table."""
        return [(name, json.dumps(value)) for name, value in asdict(self).items()]

    @classmethod
    def of(cls, rows: Mapping[str, str]) -> Meta:
        """It from the table. Raises ValueError or KeyError for what is none."""
        values: dict[str, Any] = {field.name: json.loads(rows[field.name]) for field in fields(cls)}
        texts = all(isinstance(value, str) for name, value in values.items() if name != "size")
        if not texts or not (values["size"] is None or isinstance(values["size"], int)):
            raise ValueError("meta")
        return cls(**values)


def package_version() -> str:
    """Of this package, as installed; "" when it is not."""
    try:
        return metadata.version("maia-async")
    except metadata.PackageNotFoundError:
        return ""
