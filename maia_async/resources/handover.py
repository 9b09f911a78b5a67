"""Hands runs over: from a handle to text, from text to a handle of the same account, from an error to the run that it is about. No I/O."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TypeVar

from maia_async.errors import MaiaError, MisuseError
from maia_async.models import ExecutionDetails
from maia_async.watching.watched import Watched
from maia_async.wire.codec import names_of
from maia_async.wire.reference import Reference, read_reference, same_place

E = TypeVar("E", bound=MaiaError)


def reference_of(watched: Watched, *, base_url: str, project_id: str, execution_id: str) -> str:
    """What refers to this run, with what is known of it."""
    details: ExecutionDetails | None = watched.value
    pipeline, environment = watched.names or (None, None)
    started: datetime | None = None
    if watched.start is not None:
        with contextlib.suppress(ValueError, OverflowError, OSError):  # it may come from a server
            started = datetime.fromtimestamp(watched.start, UTC)
    if details is not None:
        pipeline, environment = pipeline or details.pipeline_name, environment or details.environment_name
        started = started or details.started_at
    return str(
        Reference(
            base_url=base_url,
            project_id=project_id,
            execution_id=execution_id,
            pipeline_name=pipeline,
            environment_name=environment,
            started_at=started,
        )
    )


def referred(text: str, *, base_url: str) -> Reference:
    """The run that `text` refers to. Raises InvalidRequest for no reference, and MisuseError for one of another address of the API."""
    found = read_reference(text)
    if not same_place(found.base_url, base_url):
        # Never followed: a reference says where a run is, not where our credentials go.
        raise MisuseError(
            f"this reference is to a run at {found.base_url}, and this client talks to {base_url}: "
            "hand it to a client of that region or base_url"
        )
    return found


def recall(watched: Watched, reference: Reference) -> None:
    """Let lists be searched where the run is, as if we had started it. What was observed here counts for more.

    Not `triggered_at`: the grace for a 404 soon after a trigger is over, whoever re-attaches.
    """
    if watched.start is None and reference.started_at is not None:
        watched.start = int(reference.started_at.timestamp())
    if watched.names is None and reference.pipeline_name is not None and reference.environment_name is not None:
        watched.names = names_of(reference.pipeline_name, reference.environment_name)


def about(error: E, execution: object) -> E:
    """The error that ended a wait, saying for which run: `execution` and `reference`.

    A copy, unless it says so already: one failure of the token endpoint ends many waits, and comes to calls that are no waits, too.
    """
    if error.execution is not None:
        return error
    twin = type(error).__new__(type(error), *error.args)
    vars(twin).update(vars(error))
    twin.execution = execution
    twin.__cause__ = error.__cause__
    return twin
