"""`maia journal show`: both forms, hostile names, a journal that is being written, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cli.harness import Maia

from maia_async import ExecutionDetails, ExecutionRequest, ExecutionStatus, Outcome, OutcomeState
from maia_async.errors import Conflict
from maia_async.orchestration.journal import Journal

HOSTILE = "\x1b[2J[red]up\n\ud800"


def request(name: str = "Load", **changes: Any) -> ExecutionRequest:
    return ExecutionRequest(pipeline_name=name, environment_name="Prod", scalar_variables={"password": "hunter2"}, **changes)


async def written(path: Path) -> Journal:
    journal = await Journal.open(path, project_id="P", base_url="https://eu1.api.matillion.com/dpc")
    await journal.plan([request(), request(HOSTILE), request(), request(), request()])
    await journal.intent(0, request(), tag="t-0")
    await journal.started(0, "e-0")
    done = ExecutionDetails(status=ExecutionStatus.SUCCESS)
    await journal.outcome(Outcome(index=0, request=request(), state=OutcomeState.SUCCESS, execution_id="e-0", details=done))
    await journal.intent(1, request(HOSTILE), tag="t-1")
    await journal.intent(2, request(), tag="t-2")
    await journal.started(2, "e-2")
    refused = Conflict(409, method="POST", path="/v1/x")
    await journal.outcome(Outcome(index=3, request=request(), state=OutcomeState.REJECTED, error=refused))
    return journal


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("tty", [True, False])
async def test_people_see_how_far_each_request_has_come(bare: Maia, tmp_path: Path, tty: bool, closed: bool) -> None:
    journal = await written(tmp_path / "j.db")
    if closed:
        await journal.close()
    ended = await evolve(bare, tty=tty, width=120)("journal", "show", str(tmp_path / "j.db"))
    await journal.close()

    assert (ended.status, ended.err) == (0, "")
    assert all(word in ended.out for word in ("PLANNED", "INTENT", "STARTED", "SUCCESS", "REJECTED", "e-0", "e-2", "tag t-1", "409"))
    assert "requests  5" in ended.out.replace("\x1b[0m", "")
    assert "\\x1b[2J[red]up\\n\\ud800" in ended.out
    assert "\x1b[2J" not in ended.out
    assert "hunter2" not in ended.out


async def test_an_id_is_whole_on_a_terminal_of_80_columns(bare: Maia, tmp_path: Path) -> None:
    name = "1398aa31-0000-4562-b3fc-2c963f66afa6"
    async with await Journal.open(tmp_path / "j.db", project_id="P", base_url="u") as journal:
        await journal.intent(0, request("Load orders nightly"), tag="t")
        await journal.started(0, name)
        ended = await evolve(bare, tty=True, width=80)("journal", "show", str(tmp_path / "j.db"))

    assert name in ended.out
    assert "Load orders nightly" in ended.out


async def test_programs_get_one_document(bare: Maia, tmp_path: Path) -> None:
    async with await written(tmp_path / "j.db"):
        ended = await bare("journal", "show", str(tmp_path / "j.db"), "--output", "json")

    assert ended.status == 0
    assert (ended.json["projectId"], ended.json["size"]) == ("P", 5)
    assert ended.json["counts"] == {"SUCCESS": 1, "INTENT": 1, "STARTED": 1, "REJECTED": 1, "PLANNED": 1}
    assert [entry["state"] for entry in ended.json["entries"]] == ["SUCCESS", "INTENT", "STARTED", "REJECTED", "PLANNED"]
    assert [(entry["index"], entry["row"]) for entry in ended.json["entries"]] == [(place, place + 1) for place in range(5)]
    assert ended.json["entries"][1]["executionTag"] == "t-1"
    assert ended.json["entries"][3]["error"] == "POST /v1/x: 409"
    assert "hunter2" not in ended.out


async def test_an_input_without_a_known_end_is_said_to_be_one(bare: Maia, tmp_path: Path) -> None:
    async with await Journal.open(tmp_path / "j.db", project_id="P", base_url="u") as journal:
        empty = await bare("journal", "show", str(tmp_path / "j.db"))
        await journal.intent(0, request(), tag="t")
        one = await bare("journal", "show", str(tmp_path / "j.db"))
        await journal.outcome(Outcome(index=0, request=request(), state=OutcomeState.NOT_STARTED))
        await journal.input_ended(3)
        known = await bare("journal", "show", str(tmp_path / "j.db"))

    assert "0, and the end of the input was not reached" in empty.out
    assert "1, and the end of the input was not reached" in one.out
    assert "1 of 3" in known.out


async def test_what_is_no_journal_is_refused(bare: Maia, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine" * 1000)
    missing = await bare("journal", "show", str(tmp_path / "none"))
    foreign = await bare("journal", "show", str(tmp_path / "notes"))

    assert (missing.status, foreign.status) == (2, 2)
    assert "does not exist" in missing.err
    assert "is damaged or is no journal" in foreign.err
    assert (missing.out, foreign.out) == ("", "")
