"""The table of faults: each row tried on each operation that it names, the page that is made of it, and what it leaves out."""

from __future__ import annotations

from collections import Counter

import pytest
from faults.catalogue import CATALOGUE, ELSEWHERE
from faults.operations import OPERATIONS
from faults.render import PAGE, page
from faults.shapes import Row
from faults.table import ROWS
from faults.world import SECRET, play
from leaks import told_by

CASES = [(row, name) for row in ROWS for name in row.cases]


@pytest.mark.parametrize(("row", "name"), CASES, ids=[f"{row.name}-{name}" for row, name in CASES])
async def test_fault(row: Row, name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await play(row, OPERATIONS[name], lambda: caplog.text)


def test_a_secret_is_found_wherever_an_error_holds_it() -> None:
    def broken(header: str) -> None:
        raise KeyError(len(header)) from ValueError(f"bad {header}")

    with pytest.raises(KeyError) as caught:
        broken(SECRET)
    assert SECRET in told_by(caught.value, ours_only=True)
    caught.value.__cause__ = None
    assert SECRET not in told_by(caught.value, ours_only=True)


def test_every_number_of_the_catalogue_has_a_row_or_a_reason_and_none_has_both() -> None:
    covered = {number for row in ROWS for number in row.numbers if isinstance(number, int)}
    assert len(CATALOGUE) == 90
    assert covered | ELSEWHERE.keys() == CATALOGUE.keys()
    assert not covered & ELSEWHERE.keys()


def test_rows_have_names_of_their_own_and_every_operation_is_tried() -> None:
    assert [name for name, count in Counter(row.name for row in ROWS).items() if count > 1] == []
    assert {name for row in ROWS for name in row.cases} == OPERATIONS.keys()


def test_the_page_is_that_of_these_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m faults.render` in tests/, with the package on the path"
