"""A run in one line of JSON, to be handed to another process: written and read. It holds no secret, opens nothing and asks nobody.

    {"maia": 1, "region": "eu1", "project": "3fa85f64-…", "execution": "1398aa31-…",
     "pipeline": "Pipeline 1", "environment": "Dev Environment", "started_at": "2026-11-22T07:00:00Z"}

`base_url` stands in the place of `region` when it is no region's. The last three are hints that make looking cheaper, and may be missing.

    what is read                                                          then
    no text, over 32768 characters, no JSON, no object                     refused
    "maia" is missing, or no whole number above 0                         refused: it is no reference
    "maia" is above 1                                                     refused: a newer maia_async made it
    neither or both of region and base_url, an unknown region             refused
    a base_url that is no https (http: on loopback), or names a user      refused
    project or execution: missing, no text, over 255 characters           refused
    project or execution: "", ".", "..", what no URL carries, a           refused
      character that cannot be printed
    a hint of the wrong type, or a time without a zone or out of range    refused
    a hint that is null                                                   taken as missing
    anything else in it                                                   ignored: the same version may come to say more

Everything wrong is said at once. Refusals name the key and show no value: what was pasted here by mistake may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from maia_async.config import Region, checked_base_url
from maia_async.errors import ConfigurationError, InvalidRequest
from maia_async.problems import FieldProblem
from maia_async.wire.segments import segment

VERSION: Final = 1
LONGEST: Final = 32768
LONGEST_ID: Final = 255  # those that there are have 36
LONGEST_NAME: Final = 500  # of a hint; escaped, each of them may take twelve
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


Place = tuple[str, str | None, int | None, str]
"""Scheme, host, port and path of an address."""


@frozen(kw_only=True)
class Reference:
    """Which run it is, and the hints. `started_at` is the API's time, to the second: when the run began, or our trigger was answered."""

    base_url: str
    project_id: str
    execution_id: str
    pipeline_name: str | None = None
    environment_name: str | None = None
    started_at: datetime | None = None

    def __str__(self) -> str:
        """It as text; what `read_reference` reads. Raises InvalidRequest for ids that no path can hold."""
        wrong = [*_id("project", self.project_id), *_id("execution", self.execution_id)]
        if wrong:
            raise InvalidRequest(wrong, what="reference")
        region = next((region for region in Region if same_place(region.base_url, self.base_url)), None)
        # Hints that would be refused are left out: a reference with fewer is better than none.
        told: dict[str, Any] = {
            "maia": VERSION,
            **({"base_url": self.base_url} if region is None else {"region": region.value}),
            "project": self.project_id,
            "execution": self.execution_id,
            "pipeline": None if list(_name("", self.pipeline_name)) else self.pipeline_name,
            "environment": None if list(_name("", self.environment_name)) else self.environment_name,
            "started_at": None if list(_time(self.started_at)) else _written(self.started_at),
        }
        # ASCII, so that it survives any terminal, header, environment and queue.
        return json.dumps({key: value for key, value in told.items() if value is not None})


def read_reference(text: str) -> Reference:
    """The run that `text` refers to. Raises InvalidRequest; see the table of this module."""
    found = _parsed(text)
    wrong = [
        *_address(found),
        *_id("project", found.get("project")),
        *_id("execution", found.get("execution")),
        *_name("pipeline", found.get("pipeline")),
        *_name("environment", found.get("environment")),
        *_time(found.get("started_at")),
    ]
    if wrong:
        raise InvalidRequest(wrong, what="reference")
    return Reference(
        base_url=Region(found["region"]).base_url if "region" in found else checked_base_url(found["base_url"]),
        project_id=found["project"],
        execution_id=found["execution"],
        pipeline_name=found.get("pipeline"),
        environment_name=found.get("environment"),
        started_at=_moment(found.get("started_at")),
    )


def same_place(one: str, other: str) -> bool:
    """Whether two addresses of the API are the same: hosts have no case, and the port of the scheme need not be written."""
    return place(one) == place(other)


def place(url: str) -> Place:
    """What two addresses of the same API have in common."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme), parts.path


def _parsed(text: object) -> Mapping[str, Any]:
    """The object, of a version that we read."""
    if not isinstance(text, str):
        raise _refused(f"must be text, is {type(text).__name__}: give what `execution.reference` gave")
    if len(text) > LONGEST:
        raise _refused(f"has {len(text)} characters, and a reference has at most {LONGEST}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _refused("is no JSON object: give what `execution.reference` gave, whole; for a bare id there is project.execution(id)")
    version = found.get("maia")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise _refused('does not say its version, as in "maia": 1: this is no reference of maia_async', "maia")
    if version > VERSION:
        raise _refused(f"is version {version}, and this maia_async reads {VERSION}: update maia_async here, or hand over the id", "maia")
    return found


def _refused(message: str, field: str = "") -> InvalidRequest:
    return InvalidRequest([FieldProblem(field, message)], what="reference")


def _address(found: Mapping[str, Any]) -> Iterator[FieldProblem]:
    if ("region" in found) == ("base_url" in found):
        yield FieldProblem("region", "must be given, or base_url, and not both")
    elif "region" in found:
        # As it is written by us and in no other case: what is not known here may be known to a newer release.
        if not isinstance(found["region"], str) or found["region"] not in {region.value for region in Region}:
            yield FieldProblem("region", f"must be one of {', '.join(Region)}: update maia_async if it is a newer one")
    else:
        try:
            checked_base_url(found["base_url"])
        except ConfigurationError:
            yield FieldProblem("base_url", "must be an https URL (http on loopback) without user, query or fragment")


def _id(key: str, value: object) -> Iterator[FieldProblem]:
    try:
        segment(value, name=key)  # type: ignore[arg-type]  # anything but text is refused by it, too
    except InvalidRequest as error:
        yield from error.problems
        return
    if not str(value).isprintable():
        yield FieldProblem(key, "has characters that cannot be printed")
    elif len(str(value)) > LONGEST_ID:
        yield FieldProblem(key, f"must have at most {LONGEST_ID} characters")


def _name(key: str, value: object) -> Iterator[FieldProblem]:
    if value is not None and not isinstance(value, str):
        yield FieldProblem(key, f"must be text, is {type(value).__name__}")
    elif value is not None and not 0 < len(value) <= LONGEST_NAME:
        yield FieldProblem(key, f"must not be empty, nor longer than {LONGEST_NAME} characters")


def _time(value: object) -> Iterator[FieldProblem]:
    if value is None:
        return
    moment = _moment(value)
    if moment is None or not EARLIEST <= moment < LATEST:
        yield FieldProblem("started_at", "must be a time with its zone, as in 2026-11-22T07:00:00Z")


def _moment(value: object) -> datetime | None:
    """An aware time, or None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC) if isinstance(moment, datetime) and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
