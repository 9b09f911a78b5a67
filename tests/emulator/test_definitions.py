"""What is checked of a streaming definition: one row for each line of the table, and that the rest passes untouched."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

import pytest

from maia_async.emulator.definitions import checked, example, problems_of, upper, without_secrets
from maia_async.emulator.problems import Refused

GUIDE: Final = json.loads((Path(__file__).parents[1] / "samples" / "streaming-pipeline.json").read_text(encoding="utf-8"))
AGENT: Final = "2734aa6f-0c64-4d2b-9406-f44dc8f1f3b6"
REMOVED: Final = object()


def altered(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The guide's definition with other values at these paths."""
    body: dict[str, Any] = copy.deepcopy(GUIDE)
    for path, value in changes:
        *above, last = path.split(".")
        place: Any = body
        for key in above:
            place = place[int(key)] if isinstance(place, list) else place[key]
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value
    return body


@pytest.mark.parametrize("body", [GUIDE, example("n", AGENT), altered(("agentId", AGENT.upper()))])
def test_the_guides_definition_and_our_own_fit(body: dict[str, Any]) -> None:
    assert checked(body, {AGENT}) is body


@pytest.mark.parametrize(
    ("path", "value", "field", "message"),
    [
        ("name", REMOVED, "name", "must not be empty"),
        ("name", "", "name", "must not be empty"),
        ("name", 1, "name", "must be a string"),
        ("agentId", None, "agentId", "must not be null"),
        ("agentId", "me", "agentId", "must be a valid UUID"),
        ("agentId", 7, "agentId", "must be a valid UUID"),
        ("agentId", "3fa85f64-5717-4562-b3fc-2c963f66afaf", "agentId", "is no streaming agent of the account"),
        ("streamingTarget", REMOVED, "streamingTarget", "must not be null"),
        ("streamingTarget", [], "streamingTarget", "must be an object"),
        ("streamingTarget.type", REMOVED, "streamingTarget.type", "must not be empty"),
        ("streamingTarget.connection", REMOVED, "streamingTarget.connection", "must not be null"),
        ("streamingTarget.connection.accountName", REMOVED, "streamingTarget.connection.accountName", "must not be empty"),
        ("streamingTarget.connection.username", "", "streamingTarget.connection.username", "must not be empty"),
        ("streamingTarget.connection.authentication", REMOVED, "streamingTarget.connection.authentication", "must not be null"),
        ("streamingTarget.connection.authentication.type", None, "streamingTarget.connection.authentication.type", "must not be empty"),
        (
            "streamingTarget.connection.authentication.privateKey",
            REMOVED,
            "streamingTarget.connection.authentication.privateKey",
            "must not be null",
        ),
        (
            "streamingTarget.connection.authentication.passphrase",
            "hush",
            "streamingTarget.connection.authentication.passphrase",
            "must be an object",
        ),
        ("streamingTarget.connection.jdbcProperties", 1, "streamingTarget.connection.jdbcProperties", "must be an object"),
        ("streamingTarget", {"type": "s3"}, "streamingTarget.bucket", "must not be empty"),
        ("streamingTarget", {"type": "ABS"}, "streamingTarget.container", "must not be empty"),
        ("streamingSource", None, "streamingSource", "must not be null"),
        ("streamingSource.type", "", "streamingSource.type", "must not be empty"),
        ("streamingSource.connection", None, "streamingSource.connection", "must not be null"),
        ("streamingSource.connection.host", REMOVED, "streamingSource.connection.host", "must not be empty"),
        ("streamingSource.connection.username", REMOVED, "streamingSource.connection.username", "must not be empty"),
        ("streamingSource.connection.database", REMOVED, "streamingSource.connection.database", "must not be empty"),
        ("streamingSource.connection.port", REMOVED, "streamingSource.connection.port", "must not be null"),
        ("streamingSource.connection.port", 65536, "streamingSource.connection.port", "must be between 1 and 65535"),
        ("streamingSource.connection.port", "1433", "streamingSource.connection.port", "must be a number"),
        ("streamingSource.connection.password", REMOVED, "streamingSource.connection.password", "must not be null"),
        ("streamingSource.connection.password", "hunter2", "streamingSource.connection.password", "must be an object"),
        ("streamingSource.connection.password.secretName", "", "streamingSource.connection.password.secretName", "must not be empty"),
        ("streamingSource.connection.password.secretType", REMOVED, "streamingSource.connection.password.secretType", "must not be empty"),
        ("streamingSource.tables", [], "streamingSource.tables", "must not be empty"),
        ("streamingSource.tables", REMOVED, "streamingSource.tables", "must not be empty"),
        ("streamingSource.tables", "all", "streamingSource.tables", "must be an array"),
        ("streamingSource.tables.1.table", REMOVED, "streamingSource.tables[1].table", "must not be empty"),
        ("streamingSource.tables", ["t"], "streamingSource.tables[0]", "must be an object"),
        ("advancedProperties", [], "advancedProperties", "must be an object"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(path: str, value: Any, field: str, message: str) -> None:
    assert list(problems_of(altered((path, value)), {AGENT})) == [(field, message)]


@pytest.mark.parametrize(
    "changes",
    [
        [("streamingSource", {"type": "mongodb"})],
        [("streamingTarget", {"type": "iceberg", "connection": "somewhere"})],
        [("streamingTarget", {"type": "s3", "bucket": "b"})],
        [("streamingTarget.connection.authentication", {"type": "oauth"})],
        [("streamingSource.connection.password.secretType", "VAULT_OF_TOMORROW"), ("future", {"key": [1, None]})],
        [("streamingSource.type", "mysql"), ("streamingSource.connection.database", REMOVED)],
        [("streamingSource.type", "DB2IBMI"), ("streamingSource.connection.database", REMOVED)],
        [("advancedProperties", REMOVED)],
        [("advancedProperties", {"max.batch.size": 40000})],
    ],
)
def test_what_nobody_knows_and_what_may_be_absent_passes(changes: list[tuple[str, Any]]) -> None:
    assert list(problems_of(altered(*changes), {AGENT})) == []


def test_any_uuid_is_an_agent_where_none_are_listed() -> None:
    assert list(problems_of(altered(("agentId", "3fa85f64-5717-4562-b3fc-2c963f66afaf")), None)) == []


def test_all_problems_come_at_once_and_without_the_secret() -> None:
    body = altered(("name", REMOVED), ("streamingSource.connection.password", "hunter2"), ("streamingSource.tables", []))

    with pytest.raises(Refused) as refusal:
        checked(body, {AGENT})

    assert [field for field, _ in refusal.value.fields] == ["name", "streamingSource.connection.password", "streamingSource.tables"]
    assert "hunter2" not in str(refusal.value.fields)


def test_words_become_upper_case_and_the_users_own_properties_do_not() -> None:
    free = {"secretType": "low", "decimalMapping": "low"}
    body = {
        "streamingSource": {
            "type": "sqlserver",
            "connection": {"password": {"secretType": "azure_key_vault", "secretName": "n"}, "jdbcProperties": free},
        },
        "streamingTarget": [{"transformationType": "change_log", "temporalMapping": 3}],
        "advancedProperties": free,
    }

    assert upper(body) == {
        "streamingSource": {
            "type": "sqlserver",
            "connection": {"password": {"secretType": "AZURE_KEY_VAULT", "secretName": "n"}, "jdbcProperties": free},
        },
        "streamingTarget": [{"transformationType": "CHANGE_LOG", "temporalMapping": 3}],
        "advancedProperties": free,
    }


def test_a_secret_in_plain_text_is_struck_out_for_the_log() -> None:
    text = json.dumps(altered(("streamingSource.connection.password", "hunter2")))

    logged = json.loads(text, object_hook=without_secrets)

    assert logged["streamingSource"]["connection"]["password"] == "***"
    assert logged["streamingTarget"] == GUIDE["streamingTarget"]
