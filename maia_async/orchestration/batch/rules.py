"""What a batch was asked to do: its options, checked, and the ways in which it may treat its runs. Plain values, and two tables."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from maia_async.errors import ConfigurationError
from maia_async.models.request import ExecutionTag, is_auto_tag
from maia_async.resources.ending import ON_END


class Runs(Enum):
    """What happens to runs from now on."""

    AWAIT = "await"
    CANCEL = "cancel, then await for a while"
    CANCEL_AND_LEAVE = "cancel, then leave"
    CONFIRM_AND_LEAVE = "the block is left: cancel, then await for a while"
    LEAVE = "leave"


def on_leaving(on_cancel: str, runs: Runs) -> Runs:
    """What happens to runs when the block is left, where until now `runs` was.

    on_cancel    cancels have begun      then
    leave        no                      LEAVE
    leave        yes                     CANCEL_AND_LEAVE: leaving takes no cancel back
    cancel       either                  CANCEL_AND_LEAVE
    confirm      either                  CONFIRM_AND_LEAVE
    """
    if on_cancel == "confirm":
        return Runs.CONFIRM_AND_LEAVE
    return Runs.CANCEL_AND_LEAVE if on_cancel == "cancel" or runs is Runs.CANCEL else Runs.LEAVE


@frozen(kw_only=True)
class Rules:
    """The options of a batch, checked. Raises ConfigurationError that names the option."""

    max_running: int
    on_failure: str
    on_conflict: str
    conflict_timeout: float
    on_cancel: str
    timeout: float | None
    max_unacknowledged: int = 1

    def __attrs_post_init__(self) -> None:
        choices = {"on_failure": ("continue", "stop", "cancel"), "on_conflict": ("raise", "wait"), "on_cancel": ON_END}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigurationError(f"{name} must be one of {', '.join(map(repr, allowed))}, is {getattr(self, name)!r}")
        for name in ("max_running", "max_unacknowledged"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"{name} must be a whole number of at least 1, is {value!r}")
        _seconds("conflict_timeout", self.conflict_timeout)
        if self.timeout is not None:
            _seconds("timeout", self.timeout)

    def waits_for(self, tag: ExecutionTag) -> bool:
        """Whether a request with this tag, which the API says is running, is sent again later.

        on_conflict    tag              it
        raise          -                no
        wait           AUTO's           no: nobody else has it, so it could only be its own run that it waits for
        wait           the caller's     yes
        """
        return self.on_conflict == "wait" and not is_auto_tag(tag)


def _seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigurationError(f"{name} must be a number of seconds above 0, is {value!r}")
