"""Which runs are still going, as far as this program knows, so that no id is lost however it ends; it asks nobody.

It is an observer of the client. A run enters when it is started here, or seen going, and leaves when its end is seen:

    event                                              the run
    ExecutionTriggered                                 enters
    ExecutionChanged to a status that is no end        enters
    ExecutionChanged to an end                         leaves
    TriggerAbandoned with an id                        enters
    TriggerAbandoned without one                       may have started: its pipeline and tag are kept

A streaming pipeline that was created enters `created`, and leaves when its id was printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote
from typing import Final

from attrs import define, field, frozen

from maia_async import Event, ExecutionChanged, ExecutionRequest, ExecutionTriggered, StreamingPipelineCreated, TriggerAbandoned

MOST_NAMED: Final = 20
MOST_WATCHED: Final = 3  # with a line of its own: the others are in the one command that names all
MOST_IN_ONE: Final = 200  # ids in one command: about eight kilobytes, which every shell takes


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
    """`going`: execution id to project id, in the order of entering. `cancelling`: those of them that were told to cancel.

    `created`: id to project id of the streaming pipelines whose id the user has not seen yet.
    """

    going: dict[str, str] = field(factory=dict)
    cancelling: set[str] = field(factory=set)
    doubts: list[Doubt] = field(factory=list)
    created: dict[str, str] = field(factory=dict)

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
        elif isinstance(event, StreamingPipelineCreated):
            self.created[event.pipeline_id] = event.project_id

    def forget(self, execution_id: str) -> None:
        """The id is in the user's hands: nothing more needs to be said about it."""
        self.going.pop(execution_id, None)

    def forget_created(self, pipeline_id: str) -> None:
        """The id of a streaming pipeline is in the user's hands."""
        self.created.pop(pipeline_id, None)


def closing_words(ledger: Ledger, *, options: Sequence[str] = (), all_on_stdout: bool = False, resume: str | None = None) -> list[str]:
    """What to say at the end about runs that go on: commands that watch the first three, and one that cancels all.

    runs       their ids are
    to 200     all in the one command of their project
    over 200   in one command for every 200; with `all_on_stdout` not named here: the command reads them from stdin

    options: the connection options that were given, to be repeated. all_on_stdout: every id was printed as data already. resume: the
    command that goes on with a batch.
    """
    words: list[str] = []
    cancelled = [(run, project) for run, project in ledger.going.items() if run in ledger.cancelling]
    left = [(run, project) for run, project in ledger.going.items() if run not in ledger.cancelling]
    if left:
        words.append(f"{_runs(len(left))} still going in Maia:")
        words += _each("watch", left[:MOST_WATCHED], options)
        if len(left) > MOST_WATCHED:
            words.append(f"  and {len(left) - MOST_WATCHED} more")
        words.append("to cancel:" if len(left) == 1 else "to cancel them all:")
        words += _together("cancel", left, options, all_on_stdout=all_on_stdout)
    if cancelled:
        words.append(f"{_runs(len(cancelled))} being cancelled; to see the end:")
        few = len(cancelled) <= MOST_WATCHED
        words += _each("watch", cancelled, options) if few else _together("watch", cancelled, options, all_on_stdout=all_on_stdout)
    if ledger.doubts:
        words.append(f"{len(ledger.doubts)} more may have started; look at the executions in Maia before starting them again:")
        words += [f"  {doubt}" for doubt in ledger.doubts]
    for pipeline, project in ledger.created.items():
        words.append(f"streaming pipeline {pipeline} was created; to see it:")
        words.append(f"  {command_line(('streaming', 'show'), [pipeline], project, options)}")
    if resume is not None:
        words.append("to go on with the batch: await what runs, look up what may have started, start the rest:")
        words.append(f"  {resume}")
    return words


def _runs(count: int) -> str:
    return "1 run is" if count == 1 else f"{count} runs are"


def _each(verb: str, runs: Sequence[tuple[str, str]], options: Sequence[str]) -> Iterator[str]:
    return (f"  {command_line((verb,), [run], project, options)}" for run, project in runs)


def _together(verb: str, runs: Sequence[tuple[str, str]], options: Sequence[str], *, all_on_stdout: bool) -> Iterator[str]:
    by_project: dict[str, list[str]] = {}
    for run, project in runs:
        by_project.setdefault(project, []).append(run)
    for project, ids in by_project.items():
        if len(ids) > MOST_IN_ONE and all_on_stdout:
            yield f"  {command_line((verb,), ['-'], project, options)}"
            yield f"  which reads ids from stdin, one a line; the {len(ids)} are on stdout above, in the rows with LEFT_RUNNING"
            continue
        for start in range(0, len(ids), MOST_IN_ONE):
            yield f"  {command_line((verb,), ids[start : start + MOST_IN_ONE], project, options)}"


def command_line(verbs: Sequence[str], ids: Sequence[str], project: str, options: Sequence[str]) -> str:
    """A command that a shell understands, whatever the ids are."""
    # An id that begins with a hyphen would be read as an option, possibly one that does harm.
    safe = ["--", *ids] if any(run.startswith("-") and run != "-" for run in ids) else []
    return " ".join(quote(part) for part in ("maia", *verbs, *(() if safe else ids), "--project", project, *options, *safe))
