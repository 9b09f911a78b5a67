"""A batch's report as data on stdout: counts, times, what it cost, and every row that did not succeed with its id. It adds no judgement.

In the json form each outcome is one line as it comes, and the last line is `{"report": {...}}`. An outcome that comes from a journal is
marked as replayed in both forms.
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
            ("runs in all", _total(report)),
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
            marked = any(one.replayed for one in listed)
            head = ("ROW", "STATE", *(("REPLAYED",) if marked else ()), "PIPELINE", "ENVIRONMENT", "EXECUTION", "REASON")
            data.table(head, _wide(listed, marked=marked))


def _narrow(outcomes: Iterable[Outcome]) -> Iterator[tuple[object, ...]]:
    for outcome in outcomes:
        told = (_ids(outcome), reason(outcome), "replayed from the journal" if outcome.replayed else "")
        yield from stacked(outcome.index, outcome.state.value, outcome.request.pipeline_name, told)


def stacked(index: int, state: str, pipeline_name: str, told: Iterable[str | None]) -> Iterator[tuple[object, ...]]:
    """A row of four columns for a narrow terminal, and one more for each other thing that is told."""
    # An id is 36 columns: in a column of its own it leaves no room for the reason on 80.
    first, *others = [part for part in told if part] or [""]
    yield index + 1, state, pipeline_name, first
    for part in others:
        yield "", "", "", part


def _wide(outcomes: Iterable[Outcome], *, marked: bool) -> Iterator[tuple[object, ...]]:
    for outcome in outcomes:
        request = outcome.request
        mark = ("yes" if outcome.replayed else "",) if marked else ()
        place = (request.pipeline_name, request.environment_name)
        yield outcome.index + 1, outcome.state.value, *mark, *place, _ids(outcome), reason(outcome)


def _total(report: BatchReport) -> str:
    replayed = sum(outcome.replayed for outcome in report.outcomes)
    told = (f"{replayed} of them replayed" if replayed else "", f"and {report.not_read} not read" if report.not_read else "")
    return ", ".join((str(report.total), *filter(None, told)))


def _ids(outcome: Outcome) -> str:
    return outcome.execution_id or ", ".join(outcome.candidates)


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} s"
