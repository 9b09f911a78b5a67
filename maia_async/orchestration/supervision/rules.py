"""What a supervisor was asked to do: its options, checked. Plain values, no decisions."""

from __future__ import annotations

import math

from attrs import frozen

from maia_async.errors import ConfigurationError
from maia_async.policies import RestartPolicy


@frozen(kw_only=True)
class SuperviseRules:
    """The options of `supervise`, checked. Raises ConfigurationError that names the option."""

    restart: RestartPolicy
    start_grace: float
    unreachable_after: float
    on_external_stop: str
    on_exit: str

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.restart, RestartPolicy):
            raise ConfigurationError(f"restart must be a RestartPolicy, is {self.restart!r}")
        for name, allowed in {"on_external_stop": ("respect", "restart"), "on_exit": ("leave", "stop")}.items():
            if getattr(self, name) not in allowed:
                raise ConfigurationError(f"{name} must be one of {', '.join(map(repr, allowed))}, is {getattr(self, name)!r}")
        for name in ("start_grace", "unreachable_after"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise ConfigurationError(f"{name} must be a number of seconds above 0, is {value!r}")
