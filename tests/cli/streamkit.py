"""Streaming pipelines for the tests of the command line: a valid definition, a file, one on the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cli.harness import Account

NOBODY = "00000000-0000-4000-8000-000000000000"
AGENT = "2734aa6f-0c64-4d2b-9406-f44dc8f1f3b6"
SECRET = {"secretType": "AZURE_KEY_VAULT", "secretLocation": "vault", "secretName": "password"}


def definition(name: str = "orders", *, without: str = "", **connection: Any) -> dict[str, Any]:
    whole = {"host": "db", "port": 1433, "database": "shop", "username": "sa", "password": SECRET, **connection}
    source = {
        "type": "sqlserver",
        "connection": {key: value for key, value in whole.items() if key != without},
        "tables": [{"schema": "dbo", "table": "orders"}],
    }
    return {"name": name, "agentId": AGENT, "streamingSource": source, "streamingTarget": {"type": "s3", "bucket": "b"}}


def written(folder: Path, document: Any, name: str = "orders.json") -> str:
    path = folder / name
    path.write_text(json.dumps(document))
    return str(path)


def stream(account: Account, name: str = "orders", **settings: Any) -> str:
    return account.emulator.control.create_stream(name, **settings)[0]


def sent(account: Account) -> list[str]:
    return [request.method for request in account.emulator.control.requests(path_contains="/v1/")]
