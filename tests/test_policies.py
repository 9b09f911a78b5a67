"""Policies refuse nonsense when they are made, and the message names the field."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maia_async.errors import ConfigurationError
from maia_async.policies import PollPolicy, RateLimit, RestartPolicy, RetryPolicy, Timeouts, TriggerPolicy

POLICIES: list[type[Any]] = [PollPolicy, RateLimit, RestartPolicy, RetryPolicy, Timeouts, TriggerPolicy]
FIELDS = [(kind, field.name) for kind in POLICIES for field in attrs.fields(kind)]
WHOLE: set[tuple[type[Any], str]] = {(RetryPolicy, "max_tries"), (RateLimit, "requests"), (RestartPolicy, "max_restarts")}
NONSENSE = [0, 0.0, -1, -0.5, math.nan, math.inf, -math.inf, True, False, None, "5", [5], 10**400, -(10**400), 1j]


@pytest.mark.parametrize(
    ("kind", "defaults"),
    [
        (RetryPolicy, {"max_tries": 5, "base": 0.5, "cap": 30.0}),
        (RateLimit, {"requests": 1000, "per": 60.0, "max_pause": 120.0}),
        (PollPolicy, {"min_interval": 1.0, "max_interval": 30.0, "max_unreachable": 600.0, "not_found_grace": 60.0}),
        (TriggerPolicy, {"settle": 15.0}),
        (RestartPolicy, {"max_restarts": 3, "within": 600.0, "base": 1.0, "cap": 60.0}),
        (Timeouts, {"connect": 10.0, "total": 60.0}),
    ],
)
def test_the_defaults_are_those_of_the_design(kind: type[Any], defaults: dict[str, Any]) -> None:
    assert attrs.asdict(kind()) == defaults


@pytest.mark.parametrize(("kind", "name"), FIELDS)
@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: repr(value)[:12])
def test_nonsense_is_refused_with_the_field_named(kind: type[Any], name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{kind.__name__}\.{name} must be (a|above|at least) "):
        kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), sorted(WHOLE, key=str))
def test_a_count_is_a_whole_number(kind: type[Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{kind.__name__}\.{name} must be a whole number, is 2\.5"):
        kind(**{name: 2.5})
    assert getattr(kind(**{name: 1}), name) == 1


@pytest.mark.parametrize(
    ("kind", "values", "named"),
    [
        (RetryPolicy, {"base": 10.0, "cap": 5.0}, ("RetryPolicy.cap", "RetryPolicy.base")),
        (RetryPolicy, {"base": 31.0}, ("RetryPolicy.cap", "RetryPolicy.base")),
        (PollPolicy, {"min_interval": 5.0, "max_interval": 4.0}, ("PollPolicy.max_interval", "PollPolicy.min_interval")),
        (Timeouts, {"connect": 61.0}, ("Timeouts.total", "Timeouts.connect")),
        (RestartPolicy, {"base": 61.0}, ("RestartPolicy.cap", "RestartPolicy.base")),
    ],
)
def test_contradictory_values_are_refused_with_both_fields_named(kind: type[Any], values: dict[str, float], named: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        kind(**values)
    assert all(name in str(caught.value) for name in named)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (RetryPolicy, {"max_tries": 1, "base": 1, "cap": 1}),
        (PollPolicy, {"min_interval": 0.01, "max_interval": 0.01}),
        (Timeouts, {"connect": 5, "total": 5}),
        (RateLimit, {"requests": 1, "per": 1e-3}),
    ],
)
def test_the_edges_of_what_makes_sense_are_accepted(kind: type[Any], values: dict[str, float]) -> None:
    assert {name: getattr(kind(**values), name) for name in values} == values


@pytest.mark.parametrize("kind", POLICIES)
def test_policies_are_frozen_and_keyword_only(kind: type[Any]) -> None:
    first = attrs.fields(kind)[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(kind(), first, 2)
    with pytest.raises(TypeError, match="positional"):
        kind(1)


@pytest.mark.parametrize(("kind", "name"), FIELDS)
@given(value=st.integers() | st.floats())
def test_any_number_is_accepted_or_refused_as_configuration(kind: type[Any], name: str, value: float) -> None:
    refused = ""
    try:
        accepted = getattr(kind(**{name: value}), name)
    except ConfigurationError as error:
        accepted, refused = None, str(error)
    if refused:
        assert f"{kind.__name__}.{name}" in refused
    else:
        assert accepted == value
        assert value > 0
        assert math.isfinite(value)
