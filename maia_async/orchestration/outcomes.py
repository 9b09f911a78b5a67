"""What became of each request of a batch, and of the batch: values and the pure table behind them. No I/O.

How a trigger's error becomes a state:

    error                                                                    the POST went out   state
    TriggerOutcomeUnknown                                                    yes                 UNKNOWN
    InvalidRequest of ours                                                   no                  REJECTED
    400, 403, 404, 409, 410 and other refusals                               yes                 REJECTED
    the same, about the token                                                no                  NOT_STARTED
    RateLimited, ConnectFailed, Unauthorized, SessionClosed and whatever     -                   NOT_STARTED
      else says that the POST did not land

How a wait's end becomes a state: a terminal status is the state of the same name; any error of the wait is LEFT_RUNNING, because the id
is known and the end was not seen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen

from maia_async.errors import InvalidRequest, ResponseError, TriggerOutcomeUnknown
from maia_async.models import ExecutionDetails, ExecutionRequest, OutcomeState
from maia_async.statistics import quantile
from maia_async.wire.landing import Landing, landing_of

MOST_NAMED: Final = 100


@frozen(kw_only=True)
class Outcome:
    """What became of one request.

    index: its place in the input. execution_id: None when it never landed, or when we cannot tell. details: the last that was seen.
    error: why the state is not an end of the run. candidates: ids that may be ours (UNKNOWN). triggered_at, finished_at: our wall clock.
    replayed: it comes from an earlier process.
    """

    index: int
    request: ExecutionRequest
    state: OutcomeState
    execution_id: str | None = None
    details: ExecutionDetails | None = None
    error: Exception | None = field(default=None, eq=False)
    candidates: tuple[str, ...] = ()
    triggered_at: datetime | None = None
    finished_at: datetime | None = None
    replayed: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the run ended with SUCCESS."""
        return self.state is OutcomeState.SUCCESS

    @property
    def duration(self) -> float | None:
        """Seconds that the run took by Maia's clock; by ours when Maia did not say; None when it did not end."""
        if self.details is not None and self.details.is_terminal:
            if self.details.duration is not None:
                return self.details.duration
            if self.triggered_at is not None and self.finished_at is not None:
                return (self.finished_at - self.triggered_at).total_seconds()
        return None

    def to_dict(self) -> dict[str, Any]:
        """It as JSON values."""
        return {
            "index": self.index,
            "pipelineName": self.request.pipeline_name,
            "environmentName": self.request.environment_name,
            "state": self.state.value,
            "executionId": self.execution_id,
            "message": self.details.message if self.details is not None else None,
            "error": None if self.error is None else str(self.error),
            "candidates": list(self.candidates),
            "triggeredAt": _iso(self.triggered_at),
            "finishedAt": _iso(self.finished_at),
            "duration": self.duration,
            "replayed": self.replayed,
        }


@frozen(kw_only=True)
class Durations:
    """Of the runs that ended, in seconds; None when none did."""

    p50: float | None = None
    p95: float | None = None
    max: float | None = None


@frozen(kw_only=True)
class BatchReport:
    """A whole batch.

    counts: outcomes by state, every state present. total: requests taken from the input. not_read: rows of a sized input that were
    never taken; None for an input whose size is not known. requests_used: attempts that the client sent meanwhile, whatever for.
    seconds: from start to end. outcomes: one for each request taken, by index.
    """

    counts: Mapping[OutcomeState, int]
    total: int
    not_read: int | None
    durations: Durations
    requests_used: int
    seconds: float
    outcomes: tuple[Outcome, ...] = field(repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether every request was taken and ended with SUCCESS."""
        return self.counts[OutcomeState.SUCCESS] == self.total and not self.not_read

    @property
    def unsuccessful(self) -> tuple[Outcome, ...]:
        """The outcomes that are not SUCCESS."""
        return tuple(outcome for outcome in self.outcomes if not outcome.succeeded)

    def to_dict(self, *, outcomes: bool = True) -> dict[str, Any]:
        """It as JSON values; `outcomes=False` leaves the single ones out."""
        found: dict[str, Any] = {
            "total": self.total,
            "notRead": self.not_read,
            "counts": {state.value: count for state, count in self.counts.items()},
            "durations": {"p50": self.durations.p50, "p95": self.durations.p95, "max": self.durations.max},
            "requestsUsed": self.requests_used,
            "seconds": round(self.seconds, 3),
        }
        if outcomes:
            found["outcomes"] = [outcome.to_dict() for outcome in self.outcomes]
        return found

    def to_json(self, *, outcomes: bool = True) -> str:
        """It as one JSON document."""
        return json.dumps(self.to_dict(outcomes=outcomes), ensure_ascii=False)


def state_of_trigger(error: Exception, *, out: bool) -> OutcomeState:
    """The state that a trigger's error is; see the table of this module. `out`: the POST went out, and the error is about its answer."""
    if isinstance(error, TriggerOutcomeUnknown):
        return OutcomeState.UNKNOWN
    # A 422 of the token endpoint is an InvalidRequest too, and says nothing about the row.
    ours = isinstance(error, InvalidRequest) and not isinstance(error, ResponseError)
    refused = out and landing_of(error) is Landing.REFUSED
    return OutcomeState.REJECTED if ours or refused else OutcomeState.NOT_STARTED


def state_of_details(details: ExecutionDetails) -> OutcomeState:
    """The state of a run by its details."""
    return OutcomeState(details.status.value) if details.is_terminal else OutcomeState.LEFT_RUNNING


def summarize(outcomes: Iterable[Outcome], *, not_read: int | None, requests_used: int, seconds: float) -> BatchReport:
    """The report over `outcomes`."""
    ordered = tuple(sorted(outcomes, key=lambda outcome: outcome.index))
    counted = Counter(outcome.state for outcome in ordered)
    took = sorted(outcome.duration for outcome in ordered if outcome.duration is not None)
    return BatchReport(
        counts={state: counted[state] for state in OutcomeState},
        total=len(ordered),
        not_read=not_read,
        durations=Durations(p50=quantile(took, 0.5), p95=quantile(took, 0.95), max=took[-1] if took else None),
        requests_used=requests_used,
        seconds=seconds,
        outcomes=ordered,
    )


def parting_words(outcomes: Iterable[Outcome]) -> str:
    """What somebody must know who will not see these outcomes: the runs that go on, and the rows that may have started; "" when none."""
    rows = list(outcomes)
    going = [str(outcome.execution_id) for outcome in rows if outcome.state is OutcomeState.LEFT_RUNNING]
    doubtful = [_doubt(outcome) for outcome in rows if outcome.state is OutcomeState.UNKNOWN]
    told = []
    if going:
        told.append(f"{len(going)} executions go on: {_listed(going)}")
    if doubtful:
        told.append(f"{len(doubtful)} requests may have started a run: {_listed(doubtful)}")
    return "; ".join(told)


def _doubt(outcome: Outcome) -> str:
    tag = outcome.request.execution_tag
    text = f"[{outcome.index}] {outcome.request.pipeline_name!r}" + (f" with tag {tag!r}" if isinstance(tag, str) else "")
    return text + (f" (candidates {_listed(outcome.candidates)})" if outcome.candidates else "")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
