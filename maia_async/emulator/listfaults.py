"""Faults of the list of executions that a server should not have and a client must survive; values that decide nothing by themselves."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from maia_async.emulator import checks
from maia_async.errors import ConfigurationError


def _page(_instance: Any, attribute: Attribute[Any], value: Any) -> None:
    if value not in {"never", "every"} and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ConfigurationError(f"{attribute.name} must be 'never', 'every' or the number of a page, is {value!r}")


@frozen(kw_only=True)
class ListFaults:
    """How `more` misleads.

    repeat_more: the `more` of this page of a chain (1 is the one without a token), or of "every" page, is that page's own token: whoever
        follows it gets the same page again, without end. The first page's own token is one that begins at the start.
    empty_last: the last page has a `more` too, which leads to a page without rows and without `more`.
    """

    repeat_more: str | int = field(default="never", validator=_page)
    empty_last: bool = field(default=False, validator=checks.flag)

    def repeats(self, page: int) -> bool:
        """Whether the `more` of this page is its own token."""
        return self.repeat_more in {"every", page}
