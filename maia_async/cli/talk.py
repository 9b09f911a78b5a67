"""Everything said on stderr: notes, warnings, progress, closing words. Data never goes here, and nothing here can end the program.

On a terminal there may be one live display at the bottom, and lines appear above it; elsewhere there are plain lines only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Final, Literal

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from maia_async.cli.environment import Environment
from maia_async.cli.escapes import shown

_FRAME: Final = 0.1
_LONGEST: Final = 2000  # of one line: an API message may have any length


class _Console(Console):
    """A console that leaves a broken pipe to its caller: rich would end the process, and silence stdout when it was stderr that broke."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this in its `except BrokenPipeError`


def console_for(environment: Environment, *, error: bool) -> Console:
    """A rich console on stdout or stderr that guesses nothing: terminal or not, width and colours come from the environment."""
    return _Console(
        file=environment.stderr if error else environment.stdout,
        force_terminal=environment.stderr_tty if error else environment.stdout_tty,
        width=environment.width,
        no_color=bool(environment.environ.get("NO_COLOR")),
        highlight=False,
        markup=False,
        emoji=False,
        _environ=environment.environ,
    )


class Talk:
    """Speaks on stderr."""

    def __init__(self, environment: Environment) -> None:
        self._console = console_for(environment, error=True)
        self.live = environment.stderr_tty

    def say(self, text: str, style: str = "", *, too_long: Literal["wrap", "cut", "keep"] = "wrap") -> None:
        """One line; control characters in it are shown escaped.

        too_long: what happens to a line that is wider than a terminal. "keep" leaves it whole, so that a command in it can be copied.
        Elsewhere than on a terminal every line is kept.
        """
        line = Text(shown(text, longest=_LONGEST), style=style)
        cut = self.live and too_long == "cut"
        # A closed stderr must not cost the user the data, or the closing words on whatever still works.
        with contextlib.suppress(OSError):
            # Said here and not in the Text: print() joins what it is given into a new one, without its options.
            overflow: Literal["ellipsis"] | None = "ellipsis" if cut else None
            self._console.print(line, soft_wrap=too_long == "keep" or not self.live, no_wrap=cut or None, overflow=overflow)

    @contextlib.contextmanager
    def display(self, draw: Callable[[], RenderableType]) -> Iterator[None]:
        """Keep what `draw` gives at the bottom of the terminal for as long as the block lasts; without a terminal, nothing happens."""
        if not self.live:
            yield
            return
        # rich would refresh from a thread of its own; a timer of the loop draws a consistent state and needs no lock.
        screen = Live(
            console=self._console, auto_refresh=False, transient=True, get_renderable=draw, redirect_stdout=False, redirect_stderr=False
        )
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None

        def frame() -> None:
            nonlocal timer
            with contextlib.suppress(OSError):
                screen.refresh()
            timer = loop.call_later(_FRAME, frame)

        with screen:
            timer = loop.call_later(0, frame)
            try:
                yield
            finally:
                if timer is not None:
                    timer.cancel()

    @contextlib.contextmanager
    def hearing_logs(self) -> Iterator[None]:
        """Say the package's own warnings here, instead of letting logging write into the live display."""
        logger = logging.getLogger("maia_async")
        handler = _Handler(self)
        before = logger.propagate
        logger.addHandler(handler)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.propagate = before


class _Handler(logging.Handler):
    def __init__(self, talk: Talk) -> None:
        super().__init__(logging.WARNING)
        self._talk = talk

    def emit(self, record: logging.LogRecord) -> None:
        self._talk.say(f"{record.levelname.lower()}: {record.getMessage()}", "yellow")
