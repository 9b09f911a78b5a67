"""The ways to read the API where its sources disagree or are silent; a frozen value that decides nothing by itself.

Numbers such as #1 are those of the table of contradictions in the survey of the API that this emulator follows. Fields without a
number answer questions that no source answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs
from attrs import evolve, field, frozen

from maia_async.emulator import checks
from maia_async.errors import ConfigurationError

DEFAULT_PAGE_CAP: Final = 100
FILTERS: Final = ("projectId", "pipelineName", "environmentName", "startedAfter", "startedBefore", "timeFrame", "status", "scheduleId")
_ENDINGS: Final = (".yaml", ".yml")


def _choice(*values: Any) -> Any:
    """A field that takes one of `values`; the first is the default, all of them are listed by `Readings.every`."""
    return field(default=values[0], validator=checks.one_of(*values), metadata={"values": values})


def _list_choice(*values: Any) -> Any:
    """The same for the list of executions: a client sees other rows under some of them, so `Readings.every` leaves them out."""
    return field(default=values[0], validator=checks.one_of(*values), metadata={"values": values, "list": True})


def _filters(value: Any) -> tuple[str, ...]:
    """A converter: names of filters, or "all"."""
    names = FILTERS if value == "all" else checks.texts(value) or ()
    for name in names:
        if name not in FILTERS:
            raise ConfigurationError(f"list_ignores must name some of {', '.join(FILTERS)}, or be 'all', holds {name!r}")
    return tuple(names)


@frozen(kw_only=True)
class Readings:
    """One reading of the API. The default is what callers observed, or what the reference says where nobody observed anything.

    details: #1. "nested" under `result` (callers), "flat" (reference), "guide" (the guide's four fields only, with the guide's
        `finishedAt` beside RUNNING).
    details_project_id: #2. Whether the details hold `projectId`.
    page_numbers: #12. "true" numbers in page envelopes, or "zero": `size: 0, total: 0` beside results.
    page_index_base: #13. The number of the first page. With 1, page 0 is answered with the first page too.
    max_page_size: the most that a page holds, in both kinds of lists (100 per a caller).
    page_size_over: a larger `size` is silently cut ("cap") or answered with 400 ("refuse"). A larger `limit` is always cut.
    trigger_status, trigger_body: #6. The answer to a trigger; a secondary catalogue has 202 and `id`.
    status_case: #5 has the states of streams in "upper" (reference) or "lower" case (guide); the same for executions.
    conflict_body: #8. "problem" (operation) or "error": `{error, status}` (guide).
    status_endpoint: the schema of `/status` was not found: "flat", "nested" under `result`, or "missing" (404).
    steps_shape: "results" in a page (callers) or "steps" (secondary catalogue).
    retry_after: "seconds", a "date", or "absent"; the vendor names the header and not its unit.
    published_pipelines_environment: `environmentName` is "optional", or "required" (400 without it).
    patch_finished: the answer to a cancel of an ended run: 409, 400, 200 or 404.
    patch_status: the success status of a cancel: 200, 202, or 204 without a body.
    streaming_command_status: #4. The success status of a command, always without a body: 202 (operation) or 200 (guide).
    definition_project_id: whether a streaming definition holds `projectId` (reference) or not (the guide's create).
    definition_words: the words of a definition (such as `change_log`) are answered as "sent", or in "upper" case, as a caller expects.
    definition_errors: #7. "validation-errors" objects (guide), or "violations" as in other operations.
    streaming_duplicate_name: a definition with the name of another one: "allow", or 409.
    streaming_delete_running: the answer to a delete of a pipeline that is not NOT_RUNNING: 204 or 409.
    streaming_unreachable: a command whose agent is out of reach is "refused" (500), or "accepted" as if it were not.
    extra_fields: unknown fields appear in every object.
    null_fields: absent fields are left out ("omit") or `null`.

    The list of executions; no source answers these, and `every_list` covers them:

    page_tokens: what a token holds: "position" (pages are stable) or "offset" (rows shift between pages); see `pagetoken`.
    list_statuses: several `status`: "repeated" parameters are any of them and a comma is 400; "any" takes commas too; "single": several
        are 400; "first": of repeated ones the first counts.
    list_forbidden: `status=FORBIDDEN`, which the reference leaves out and the guide uses, is "accepted" or "refused" (400).
    list_times: date-times with a fraction are taken ("any") or 400 ("whole").
    list_bounds: runs that started exactly at a bound are in ("inclusive", the reference) or not ("exclusive").
    list_ignores: the filters (names of parameters, or "all") that have no effect, whatever their value.
    list_unknown: a parameter that nobody knows is "ignored" or "refused" (400).
    list_names: `pipelineName` is shown as it was "sent", or as the "path" of a file, in lists and in details alike: `folder/load.orch.yaml`
        for what was executed as `load`. A name with a slash or an ending is shown as it is. Filters fit what is shown.
    list_access: "open"; "project": 400 without `projectId`; "forbidden": 403, for a role that may read its own runs only.
    """

    details: str = _choice("nested", "flat", "guide")
    details_project_id: bool = _choice(False, True)
    page_numbers: str = _choice("true", "zero")
    page_index_base: int = _choice(0, 1)
    max_page_size: int = field(default=DEFAULT_PAGE_CAP, validator=checks.number(1), metadata={"values": (DEFAULT_PAGE_CAP, 10, 1)})
    page_size_over: str = _choice("cap", "refuse")
    trigger_status: int = _choice(201, 202)
    trigger_body: str = _choice("pipelineExecutionId", "id")
    status_case: str = _choice("upper", "lower")
    conflict_body: str = _choice("problem", "error")
    status_endpoint: str = _choice("flat", "nested", "missing")
    steps_shape: str = _choice("results", "steps")
    retry_after: str = _choice("seconds", "date", "absent")
    published_pipelines_environment: str = _choice("optional", "required")
    patch_finished: int = _choice(409, 400, 200, 404)
    patch_status: int = _choice(200, 202, 204)
    streaming_command_status: int = _choice(202, 200)
    definition_project_id: bool = _choice(False, True)
    definition_words: str = _choice("sent", "upper")
    definition_errors: str = _choice("validation-errors", "violations")
    streaming_duplicate_name: str | int = _choice("allow", 409)
    streaming_delete_running: int = _choice(204, 409)
    streaming_unreachable: str = _choice("refused", "accepted")
    extra_fields: bool = _choice(False, True)
    null_fields: str = _choice("omit", "null")
    page_tokens: str = _list_choice("position", "offset")
    list_statuses: str = _list_choice("repeated", "any", "single", "first")
    list_forbidden: str = _list_choice("accepted", "refused")
    list_times: str = _list_choice("any", "whole")
    list_bounds: str = _list_choice("inclusive", "exclusive")
    list_ignores: tuple[str, ...] = field(
        default=(), converter=_filters, metadata={"values": ((), ("status",), ("startedAfter", "startedBefore"), FILTERS), "list": True}
    )
    list_unknown: str = _list_choice("ignored", "refused")
    list_names: str = _list_choice("sent", "path")
    list_access: str = _list_choice("open", "project", "forbidden")

    def shown_name(self, name: str) -> str:
        """A pipeline's name as `list_names` has it."""
        is_path = self.list_names == "sent" or "/" in name or name.endswith(_ENDINGS)
        return name if is_path else f"folder/{name}.orch.yaml"

    def differences(self) -> dict[str, Any]:
        """The fields that are not at their default: a short name for a test, and what the control door shows."""
        default = Readings()
        return {
            item.name: getattr(self, item.name)
            for item in attrs.fields(Readings)
            if getattr(self, item.name) != getattr(default, item.name)
        }

    @classmethod
    def every(cls) -> list[Readings]:
        """A covering list for parametrised tests: the default, each other value of each field alone, and three mixtures.

        The readings of the list of executions stay at their defaults.
        """
        fields = [item for item in attrs.fields(cls) if "list" not in item.metadata]
        mixtures = [
            cls(**{item.name: item.metadata["values"][number % len(item.metadata["values"])] for item in fields}) for number in (1, 2)
        ]
        guide = cls(
            details="guide",
            page_numbers="zero",
            status_case="lower",
            conflict_body="error",
            streaming_command_status=200,
            null_fields="null",
            extra_fields=True,
        )
        return [*_alone(fields), *mixtures, guide]

    @classmethod
    def every_list(cls) -> list[Readings]:
        """The same for the readings of the list of executions: the default, and each other value of each of them alone."""
        return _alone([item for item in attrs.fields(cls) if "list" in item.metadata])


def _alone(fields: Iterable[attrs.Attribute[Any]]) -> list[Readings]:
    default = Readings()
    others = [evolve(default, **{item.name: value}) for item in fields for value in item.metadata["values"] if value != item.default]
    return [default, *others]
