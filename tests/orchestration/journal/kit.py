"""Requests, outcomes and ways into a journal, for its tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from maia_async.errors import Conflict
from maia_async.models import AUTO, ExecutionDetails, ExecutionRequest, ExecutionStatus, OutcomeState
from maia_async.orchestration.journal import Journal
from maia_async.orchestration.outcomes import Outcome

WHERE: dict[str, Any] = {"project_id": "P", "base_url": "https://eu1.api.matillion.com/dpc"}
CONFLICT = Conflict(409, method="POST", path="/v1/x")
TEXT = st.text(st.characters(), max_size=12)  # surrogates, NUL and all
NAME = st.text(st.characters(), min_size=1, max_size=12)


async def opened(path: Path, **changes: Any) -> Journal:
    return await Journal.open(path, **{**WHERE, **changes})


def request(number: int = 0, **changes: Any) -> ExecutionRequest:
    values: dict[str, Any] = {"pipeline_name": "Load", "environment_name": "Prod", "scalar_variables": {"day": str(number)}}
    return ExecutionRequest(**{**values, **changes})


def outcome(index: int, state: OutcomeState = OutcomeState.SUCCESS, **changes: Any) -> Outcome:
    return Outcome(**{"index": index, "request": request(index), "state": state, **changes})


def success(index: int, execution_id: str) -> Outcome:
    return outcome(index, execution_id=execution_id, details=ExecutionDetails(status=ExecutionStatus.SUCCESS))


def copied(path: Path, folder: Path) -> Path:
    """The journal as a crash at this moment would leave it: the database and its log, without what lives in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (path.name, f"{path.name}-wal"):
        if (path.parent / name).exists():
            shutil.copyfile(path.parent / name, folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    (folder / f"{path.name}-shm").unlink(missing_ok=True)
    return folder / path.name


def files_of(path: Path) -> dict[str, bytes]:
    """What is in the journal's own files; the index in shared memory is nothing that lasts."""
    return {name: (path.parent / name).read_bytes() for name in (path.name, f"{path.name}-wal") if (path.parent / name).exists()}


GRIDS = st.dictionaries(NAME, st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=3), max_size=2)
REQUESTS = st.builds(
    ExecutionRequest,
    pipeline_name=NAME,
    environment_name=NAME,
    agent_id=st.none() | NAME,
    version_name=st.none() | NAME,
    execution_tag=st.just(AUTO) | st.none() | NAME,
    scalar_variables=st.none() | st.dictionaries(NAME, TEXT, max_size=3),
    grid_variables=st.none() | GRIDS,
)
