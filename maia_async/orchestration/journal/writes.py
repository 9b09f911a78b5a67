"""What can be written to a journal, as frozen values that are complete when they are made; no I/O.

A write holds its JSON already: what a caller does to his variables afterwards does not reach the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import frozen

from maia_async.errors import MisuseError
from maia_async.models import AUTO, ExecutionRequest
from maia_async.orchestration.journal.values import details_form, digest_of, error_form, form_of, to_json
from maia_async.orchestration.outcomes import Outcome


@frozen(kw_only=True)
class Asked:
    """A request as it is written: `form` as the caller gave it, its `digest`, `text` with the tag that is sent."""

    index: int
    form: dict[str, Any]
    auto: bool
    digest: bytes
    text: str

    @classmethod
    def of(cls, index: int, request: ExecutionRequest, *, tag: str | None = None) -> Asked:
        """`request` as the caller gave it; `tag` is what takes the place of AUTO."""
        form = form_of(request)
        given = to_json(form)
        auto = request.execution_tag is AUTO
        sent = to_json({**form, "executionTag": tag}) if auto and tag is not None else given
        return cls(index=index, form=form, auto=auto, digest=digest_of(given), text=sent)


@frozen
class Plan:
    """A whole input of a known size: every request of it, before the first is sent."""

    asked: tuple[Asked, ...]

    @classmethod
    def of(cls, requests: Iterable[ExecutionRequest]) -> Plan:
        """The requests in their order."""
        return cls(tuple(Asked.of(index, request) for index, request in enumerate(requests)))


@frozen
class Intent:
    """A POST is about to be sent. `server_time`: what the server's clock says by then, in seconds since 1970; None: not known.

    last: it is sent again while an earlier POST of it is in doubt: `server_time` is the first one's, this is what the clock says now.
    """

    asked: Asked
    server_time: float | None
    at: str
    last: float | None = None

    @classmethod
    def of(
        cls,
        index: int,
        request: ExecutionRequest,
        *,
        at: str,
        tag: str | None = None,
        server_time: float | None = None,
        last: float | None = None,
    ) -> Intent:
        """`request` as the caller gave it; `tag` is what is sent in the place of AUTO."""
        if request.execution_tag is AUTO and tag is None:
            raise MisuseError(f"request {index} is to be sent with a tag of ours: say which, it cannot be found again without")
        return cls(Asked.of(index, request, tag=tag), server_time, at, last)


@frozen
class Started:
    """The run of a request has this id."""

    index: int
    execution_id: str
    at: str


@frozen(kw_only=True)
class Ended:
    """An outcome. The request in it counts for a row that is not there yet only."""

    asked: Asked
    state: str
    execution_id: str | None
    text: str
    triggered_at: str | None
    finished_at: str | None

    @classmethod
    def of(cls, outcome: Outcome) -> Ended:
        """An outcome as it is written."""
        told = {
            "details": details_form(outcome.details),
            "error": error_form(outcome.error),
            "candidates": list(outcome.candidates) or None,
        }
        return cls(
            asked=Asked.of(outcome.index, outcome.request),
            state=outcome.state.value,
            execution_id=outcome.execution_id,
            text=to_json({key: value for key, value in told.items() if value is not None}),
            triggered_at=None if outcome.triggered_at is None else outcome.triggered_at.isoformat(),
            finished_at=None if outcome.finished_at is None else outcome.finished_at.isoformat(),
        )


@frozen
class InputEnded:
    """The input has so many requests."""

    size: int


Write = Plan | Intent | Started | Ended | InputEnded
