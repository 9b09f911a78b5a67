"""A batch's report as data on stdout: counts, times, what it cost, and every row that did not succeed with its id. It adds no judgement.

In the json form each outcome is one line as it comes, and the last line is `{"report": {...}}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maia_async import BatchReport, Outcome, OutcomeState, Statistics
from maia_async.cli.data import Data
from maia_async.cli.progress import reason


def write_report(data: Data, report: BatchReport, statistics: Statistics, *, embedded: bool = False) -> None:
    """The report for people. `embedded`: runs that go on have ended with their emulator, so their ids are of no use."""
    data.table(("STATE", "COUNT"), [(state.value, count) for state, count in report.counts.items() if count])
    data.line("")
    data.fields(
        (
            ("runs in all", report.total if not report.not_read else f"{report.total}, and {report.not_read} not read"),
            ("run time p50", _seconds(report.durations.p50)),
            ("run time p95", _seconds(report.durations.p95)),
            ("run time max", _seconds(report.durations.max)),
            ("API calls", report.requests_used),
            ("429 answers", statistics.rate_limited),
            ("took", _seconds(report.seconds)),
        )
    )
    listed = [one for one in report.unsuccessful if not embedded or one.state is not OutcomeState.LEFT_RUNNING]
    if listed:
        data.line("")
        if data.is_terminal:
            data.table(("ROW", "STATE", "PIPELINE", "EXECUTION, REASON"), _narrow(listed))
        else:
            data.table(("ROW", "STATE", "PIPELINE", "ENVIRONMENT", "EXECUTION", "REASON"), _wide(listed))


def _narrow(outcomes: Iterable[Outcome]) -> Iterator[tuple[object, ...]]:
    # An id is 36 columns: in a column of its own it leaves no room for the reason on 80.
    for outcome in outcomes:
        first, *others = [part for part in (_ids(outcome), reason(outcome)) if part] or [""]
        yield outcome.index + 1, outcome.state.value, outcome.request.pipeline_name, first
        for part in others:
            yield "", "", "", part


def _wide(outcomes: Iterable[Outcome]) -> Iterator[tuple[object, ...]]:
    for outcome in outcomes:
        request = outcome.request
        yield outcome.index + 1, outcome.state.value, request.pipeline_name, request.environment_name, _ids(outcome), reason(outcome)


def _ids(outcome: Outcome) -> str:
    return outcome.execution_id or ", ".join(outcome.candidates)


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} s"
