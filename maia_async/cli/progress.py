"""How a batch is getting on: a live display on a terminal, lines elsewhere. It counts outcomes and decides nothing.

outcome            on stderr
SUCCESS, replayed  counted
any other          a line, up to a limit; the whole list is in the summary
every 10 seconds   a line with the counts, where there is no live display
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from attrs import define, field
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from maia_async import Maia, Outcome, ResponseError
from maia_async.cli.data import STYLES
from maia_async.cli.escapes import shown
from maia_async.cli.exits import beyond
from maia_async.cli.talk import Talk

_MOST_LINES: Final = 20
_EVERY: Final = 10.0
_NAME: Final = 60


@define
class BatchProgress:
    """One batch of `total` rows. `running`: how many runs are under way. `beside`: what else the live display shows, below."""

    talk: Talk
    maia: Maia
    title: str
    total: int
    running: Callable[[], int]
    beside: Callable[[], RenderableType] | None = None
    counts: Counter[str] = field(factory=Counter)
    _started: float = field(factory=lambda: asyncio.get_running_loop().time())
    _last_line: float = field(factory=lambda: asyncio.get_running_loop().time())
    _lines: int = 0

    @property
    def done(self) -> int:
        """How many outcomes came."""
        return self.counts.total()

    def note(self, outcome: Outcome) -> None:
        """One more outcome."""
        self.counts[outcome.state.value] += 1
        if not outcome.succeeded and not outcome.replayed:  # what an earlier process has said is no news
            self._lines += 1
            if self._lines <= _MOST_LINES:
                self.talk.say(described(outcome), STYLES.get(outcome.state.value, ""), too_long="cut")
            elif self._lines == _MOST_LINES + 1:
                self.talk.say("more rows that did not succeed are not said here: all are in the summary")
        now = asyncio.get_running_loop().time()
        if not self.talk.live and now - self._last_line >= _EVERY:
            self._last_line = now
            self.talk.say(f"{self.done} of {self.total} done after {now - self._started:.0f} s: {self._counts()}")

    def draw(self) -> RenderableType:
        """The live display."""
        statistics = self.maia.statistics()
        seconds = asyncio.get_running_loop().time() - self._started
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            Text(shown(self.title, longest=_NAME), style="bold"),
            ProgressBar(total=max(1, self.total), completed=self.done, width=30),
            Text(f"{self.done}/{self.total}"),
            Text(f"{int(seconds) // 60}:{int(seconds) % 60:02d}"),
        )
        states = Text("  ")
        states.append(f"running {self.running()}", style=STYLES["RUNNING"])
        for state, count in self.counts.items():
            states.append(f"   {state} {count}", style=STYLES.get(state, ""))
        budget = "" if statistics.budget is None else f"   budget {statistics.budget_in_use}/{statistics.budget:.0f} in use"
        late = (
            ""
            if statistics.detection_lag is None
            else "   ends seen after {:.0f} s, 99 % within {:.0f} s".format(*statistics.detection_lag)
        )
        spent = f"  API calls {statistics.requests}   429 answers {statistics.rate_limited}{budget}{late}"
        return Group(bar, states, Text(spent, style="dim"), *(() if self.beside is None else ("", self.beside())))

    def _counts(self) -> str:
        return ", ".join(f"{count} {state}" for state, count in self.counts.items()) or "nothing yet"


def described(outcome: Outcome) -> str:
    """One line about an outcome, with its row counted from 1 as in the file."""
    request = outcome.request
    name = shown(request.pipeline_name, longest=_NAME)
    return f"row {outcome.index + 1}: {outcome.state.value}  {name}{_because(outcome)}"


def reason(outcome: Outcome) -> str:
    """Why it is not a success, in Maia's words or the error's."""
    if isinstance(outcome.error, ResponseError):
        # Which request it was, the row says.
        return f"{outcome.error.status} {outcome.error.problem}".rstrip()
    if outcome.error is not None:
        return str(outcome.error)
    # The state stands beside it already.
    return beyond(outcome.state.value, outcome.details.message or "") if outcome.details is not None else ""


def _because(outcome: Outcome) -> str:
    why = shown(reason(outcome), longest=200)
    return f": {why}" if why else ""
