"""The live table of supervised pipelines: name, state, since, restarts, last event. It shows what the supervisor knows and asks nobody.

pipelines        shown
up to 15         all, in the order in which they were named
more             15: first those given up or left by others, then those that do not stream, then those with restarts;
                 and one line with the counts of all states
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import define, field
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from maia_async import StreamingState, SupervisedState
from maia_async.cli.data import STYLES
from maia_async.cli.escapes import shown
from maia_async.cli.streamevents import brief_of, duration, style_of

MOST_ROWS: Final = 15
_NAME: Final = 28
_LAST: Final = 200


@define
class StreamTable:
    """Draws. `states` is the supervisor's own view; `names` by id."""

    states: Callable[[], Mapping[str, SupervisedState]]
    names: Mapping[str, str]
    title: str = ""
    _seen: dict[str, tuple[StreamingState | None, float]] = field(factory=dict)

    def draw(self) -> RenderableType:
        """The table; since is counted from when this table first drew the state: the wall clock of the events is not read here."""
        states = self.states()
        now = asyncio.get_running_loop().time()
        for pipeline_id, seen in states.items():
            if pipeline_id not in self._seen or self._seen[pipeline_id][0] != seen.state:
                self._seen[pipeline_id] = (seen.state, now)
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), expand=True)
        table.add_column("NAME", no_wrap=True, overflow="ellipsis", max_width=_NAME)
        table.add_column("STATE", no_wrap=True, min_width=12)
        table.add_column("SINCE", no_wrap=True, justify="right", width=8)
        table.add_column("RESTARTS", no_wrap=True, justify="right", width=8)
        table.add_column("LAST EVENT", no_wrap=True, overflow="ellipsis", ratio=1)
        for pipeline_id in rows_of(states):
            table.add_row(*self._row(pipeline_id, states[pipeline_id], now))
        parts: list[RenderableType] = [Text(shown(self.title), style="bold")] if self.title else []
        return Group(*parts, table, *self._counts(states))

    def _row(self, pipeline_id: str, seen: SupervisedState, now: float) -> Sequence[Text]:
        state = "…" if seen.state is None else seen.state.value
        last = seen.last_event
        return (
            Text(shown(self.names.get(pipeline_id) or pipeline_id, longest=_LAST)),
            Text(shown(state, longest=_NAME), style=STYLES.get(state, "")),
            Text(duration(int(now - self._seen[pipeline_id][1]))),
            Text(str(seen.restarts), style="yellow" if seen.restarts else "dim"),
            Text("") if last is None else Text(shown(brief_of(last), longest=_LAST), style=style_of(last)),
        )

    def _counts(self, states: Mapping[str, SupervisedState]) -> Sequence[Text]:
        if len(states) <= MOST_ROWS:
            # The table's last row is as wide as the terminal: the ^C that it echoes would wrap, and displace the whole display.
            return (Text(""),)
        line = Text(f"{len(states)} in all")
        for state, count in Counter("…" if seen.state is None else seen.state.value for seen in states.values()).most_common():
            line.append(f"   {shown(state, longest=_NAME)} {count}", style=STYLES.get(state, ""))
        return (line,)


def rows_of(states: Mapping[str, SupervisedState]) -> list[str]:
    """The ids to show, as the table of this module says."""
    if len(states) <= MOST_ROWS:
        return list(states)
    return sorted(states, key=lambda pipeline_id: _rank(states[pipeline_id]))[:MOST_ROWS]


def _rank(seen: SupervisedState) -> tuple[bool, bool, int]:
    """Small for what needs eyes; the sort is stable, so rows of equal rank keep their order and do not jump about."""
    return seen.desired is not None, seen.state is StreamingState.STREAMING, -seen.restarts
