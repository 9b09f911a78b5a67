"""Options that several commands share, as values. Secrets are none of them: what stands on a command line is seen by everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter

from maia_async import ConfigurationError
from maia_async.cli.data import Form
from maia_async.cli.exits import UsageProblem
from maia_async.cli.program import Program


@Parameter(name="*", group="Connection")
@frozen(kw_only=True)
class Where:
    """Which account, which project."""

    project: Annotated[str | None, Parameter(help="Id of the project; else MAIA_PROJECT_ID.")] = None
    region: Annotated[str | None, Parameter(help="Region of the account: eu1, us1, au1; else MAIA_REGION.")] = None
    base_url: Annotated[str | None, Parameter(help="Another host, https (http on loopback); else MAIA_BASE_URL.")] = None
    emulator: Annotated[bool, Parameter(help="Use an embedded emulator with example data instead of Maia.")] = False

    def repeated(self) -> tuple[str, ...]:
        """The options that another command needs to reach the same account."""
        given = (("--region", self.region), ("--base-url", self.base_url))
        return tuple(part for name, value in given if value is not None for part in (name, value))


EVERYWHERE = Where()
Output = Annotated[Form, Parameter(help="For people, or for programs.")]
Outcomes = Annotated[Form, Parameter(help="For people; json prints JSON lines, one for each outcome and the report last.")]
Changes = Annotated[Form, Parameter(help="For people; json prints JSON lines, one for each change of the status, the end last.")]
Injected = Annotated[Program, Parameter(parse=False)]


@contextmanager
def naming(**words: str) -> Iterator[None]:
    """A setting that is refused, under the name that the user gave it: `naming(speed="--speed")`. Raises UsageProblem."""
    try:
        yield
    except ConfigurationError as error:
        raise UsageProblem(renamed(str(error), words)) from error


def renamed(said: str, words: Mapping[str, str]) -> str:
    """`said` with names of settings, alone or as `Policy.name`, replaced; quoted words are values and stay."""
    for name, word in words.items():
        said = re.sub(rf"(?<!['\"\w.])(?:\w+\.)?{name}\b", word, said)
    return said


def checked_timeout(timeout: float | None) -> None:
    """Raises UsageProblem for a `--timeout` that is no time; NaN is none, either."""
    if timeout is not None and not timeout > 0:
        raise UsageProblem(f"--timeout must be a number of seconds above 0, is {timeout:g}")
