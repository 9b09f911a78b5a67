"""Which runs are still going, as far as this program knows, so that no id is lost however it ends; it asks nobody.

It is an observer of the client. A run enters when it is started here, or seen going, and leaves when its end is seen:

    event                                              the run
    ExecutionTriggered                                 enters
    ExecutionChanged to a status that is no end        enters
    ExecutionChanged to an end                         leaves
    TriggerAbandoned with an id                        enters
    TriggerAbandoned without one                       may have started: its pipeline and tag are kept
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from shlex import quote
from typing import Final

from attrs import define, field, frozen

from maia_async import Event, ExecutionChanged, ExecutionRequest, ExecutionTriggered, TriggerAbandoned

MOST_NAMED: Final = 20


@frozen
class Doubt:
    """A run that may have started."""

    request: ExecutionRequest
    candidates: tuple[str, ...] = ()

    def __str__(self) -> str:
        request = self.request
        tag = f", execution tag {request.execution_tag}" if isinstance(request.execution_tag, str) else ""
        one_of = f"; it may be one of {', '.join(self.candidates)}" if self.candidates else ""
        return f"{request.pipeline_name!r} in {request.environment_name!r}{tag}{one_of}"


@define
class Ledger:
    """`going`: execution id to project id, in the order of entering. `cancelling`: those of them that were told to cancel."""

    going: dict[str, str] = field(factory=dict)
    cancelling: set[str] = field(factory=set)
    doubts: list[Doubt] = field(factory=list)

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, ExecutionTriggered):
            self.going[event.execution_id] = event.project_id
        elif isinstance(event, ExecutionChanged):
            if event.current.is_terminal:
                self.going.pop(event.execution_id, None)
            else:
                self.going[event.execution_id] = event.project_id
        elif isinstance(event, TriggerAbandoned):
            if event.execution_id is not None:
                self.going[event.execution_id] = event.project_id
            else:
                self.doubts.append(Doubt(event.request))

    def forget(self, execution_id: str) -> None:
        """The id is in the user's hands: nothing more needs to be said about it."""
        self.going.pop(execution_id, None)


def closing_words(ledger: Ledger, *, options: Sequence[str] = (), all_on_stdout: bool = False) -> list[str]:
    """What to say at the end about runs that go on: each one's command to watch it, and one command that cancels them all.

    options: the connection options that were given, to be repeated. all_on_stdout: every id was printed as data already, so that naming
    the first twenty is enough.
    """
    words: list[str] = []
    cancelled = [(run, project) for run, project in ledger.going.items() if run in ledger.cancelling]
    left = [(run, project) for run, project in ledger.going.items() if run not in ledger.cancelling]
    if left:
        words.append(f"{_runs(len(left))} still going in Maia:")
        words += _watch(left, options, all_on_stdout=all_on_stdout)
        words.append("to cancel:" if len(left) == 1 else "to cancel them:")
        words += [f"  {_command('cancel', ids, project, options)}" for project, ids in _by_project(left, all_on_stdout=all_on_stdout)]
    if cancelled:
        words.append(f"{_runs(len(cancelled))} being cancelled; to see the end:")
        words += _watch(cancelled, options, all_on_stdout=all_on_stdout)
    if ledger.doubts:
        words.append(f"{len(ledger.doubts)} more may have started; look at the executions in Maia before starting them again:")
        words += [f"  {doubt}" for doubt in ledger.doubts]
    return words


def _runs(count: int) -> str:
    return "1 run is" if count == 1 else f"{count} runs are"


def _watch(runs: Sequence[tuple[str, str]], options: Sequence[str], *, all_on_stdout: bool) -> Iterable[str]:
    named = runs[:MOST_NAMED] if all_on_stdout else runs
    yield from (f"  {_command('watch', [run], project, options)}" for run, project in named)
    if len(named) < len(runs):
        yield f"  and {len(runs) - len(named)} more: their ids are on stdout, as LEFT_RUNNING"


def _by_project(runs: Sequence[tuple[str, str]], *, all_on_stdout: bool) -> Iterable[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for run, project in runs[:MOST_NAMED] if all_on_stdout else runs:
        found.setdefault(project, []).append(run)
    return found.items()


def _command(verb: str, ids: Sequence[str], project: str, options: Sequence[str]) -> str:
    # An id that begins with a hyphen would be read as an option, possibly one that does harm.
    safe = ["--", *ids] if any(run.startswith("-") for run in ids) else []
    return " ".join(quote(part) for part in ("maia", verb, *(() if safe else ids), "--project", project, *options, *safe))
