"""Options that several commands share, as values. Secrets are none of them: what stands on a command line is seen by everybody."""

from __future__ import annotations

from typing import Annotated

from attrs import frozen
from cyclopts import Parameter

from maia_async.cli.data import Form
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
Injected = Annotated[Program, Parameter(parse=False)]
