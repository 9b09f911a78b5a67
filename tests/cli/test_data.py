"""stdout: nothing is interpreted, nothing is cut, and what cannot be written is an error."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime

import pytest

from maia_async import ExecutionDetails, ExecutionStatus
from maia_async.cli.data import Data, as_json
from maia_async.cli.environment import Environment

ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"


def data(*, tty: bool = False, width: int = 80, **environ: str) -> tuple[Data, io.StringIO]:
    out = io.StringIO()
    environment = Environment(
        stdout=out, stderr=io.StringIO(), stdout_tty=tty, stderr_tty=tty, width=width, environ={"TERM": "xterm", **environ}
    )
    return Data(environment), out


def test_a_plain_table_is_aligned_and_never_wrapped() -> None:
    stream, out = data(width=10)

    stream.table(("ID", "NAME"), [(ID, "a"), ("日本", None), ("x", "[red]\x1b[2J")])

    assert out.getvalue().splitlines() == [
        "ID" + " " * 36 + "NAME",
        ID + "  a",
        "日本",
        "x" + " " * 37 + "[red]\\x1b[2J",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_a_table_on_a_terminal_keeps_to_its_width_and_cuts_no_id(width: int) -> None:
    stream, out = data(tty=True, width=width, NO_COLOR="1")

    stream.table(("ID", "NAME", "TEXT"), [(ID, "n" * 40, "word " * 40)])

    text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert all(len(line) <= width for line in text.splitlines())
    first_column = "".join(line[: text.index("NAME")].strip() for line in text.splitlines()[1:])
    assert first_column == ID


def test_markup_and_emoji_names_are_data_on_a_terminal_too() -> None:
    stream, out = data(tty=True, NO_COLOR="1")

    stream.table(("NAME",), [("[bold]x[/bold] :rocket: \x1b]0;title\x07",)])
    stream.fields([("name", "[red]y[/red]"), ("none", None)])

    assert "[bold]x[/bold] :rocket: \\x1b]0;title\\x07" in out.getvalue()
    assert "name  [red]y[/red]" in out.getvalue()
    assert "none" not in out.getvalue()


def test_only_a_terminal_gets_colours() -> None:
    plain, plain_out = data()
    coloured, coloured_out = data(tty=True)

    for stream in (plain, coloured):
        stream.table(("STATE",), [("SUCCESS",)])

    assert "\x1b" not in plain_out.getvalue()
    assert "\x1b[32m" in coloured_out.getvalue()


def test_json_has_the_keys_of_the_api() -> None:
    details = ExecutionDetails(status=ExecutionStatus("QUEUED"), pipeline_name="p", started_at=datetime(2026, 1, 1, tzinfo=UTC))

    assert as_json([details]) == [{"status": "QUEUED", "pipelineName": "p", "startedAt": "2026-01-01T00:00:00+00:00"}]
    assert json.dumps(as_json(details))


def test_a_stream_that_cannot_be_written_is_not_passed_over() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    stream = Data(Environment(stdout=Full(), stderr=io.StringIO()))

    with pytest.raises(OSError, match="No space"):
        stream.line("x")
