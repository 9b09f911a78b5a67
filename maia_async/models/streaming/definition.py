"""The definition of a streaming pipeline: what a create sends and a get returns, and its two forms as text. It sends nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from attrs import Factory, field, frozen

from maia_async.errors import ConfigurationError, InvalidRequest
from maia_async.models.streaming.document import NESTED, read, write
from maia_async.models.streaming.source import OtherSource, StreamingSource, read_source
from maia_async.models.streaming.target import OtherTarget, StreamingTarget, read_target
from maia_async.problems import FieldProblem

_WHAT = "streaming pipeline definition"


@frozen(kw_only=True)
class StreamingPipelineDefinition:
    """A pipeline: its name, the streaming agent that runs it (uuid), a source, a target.

    `streaming_pipeline_id` and `project_id` are the API's: they are not sent and make no two definitions differ. `advanced_properties`: any
    names and values. It may hold values that are not valid: `definition_problems` names them all, and nothing invalid is sent.
    """

    name: str | None = None
    agent_id: str | None = None
    streaming_source: StreamingSource | OtherSource | None = field(default=None, metadata={NESTED: read_source})
    streaming_target: StreamingTarget | OtherTarget | None = field(default=None, metadata={NESTED: read_target})
    advanced_properties: Mapping[str, Any] | None = None
    streaming_pipeline_id: str | None = field(default=None, eq=False)
    project_id: str | None = field(default=None, eq=False)
    extra: Mapping[str, Any] = Factory(dict)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """A definition from the API's JSON object. Raises InvalidRequest when it is none."""
        if not isinstance(document, Mapping):
            raise InvalidRequest([FieldProblem("", f"must be an object, is {type(document).__name__}")], what=_WHAT)
        return read(cls, {str(key): value for key, value in document.items()})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """A definition from JSON text. Raises InvalidRequest when it is no JSON object; the text is not repeated, it may hold secrets."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise InvalidRequest([FieldProblem("", f"is not valid JSON{where}")], what=_WHAT) from None
        return cls.from_dict(document)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """A definition from a JSON or YAML file (by its ending; anything but `.yaml` and `.yml` is JSON).

        Raises ConfigurationError when the file cannot be read or no YAML reader is installed, InvalidRequest when it holds no definition.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ConfigurationError(f"cannot read {path}: {said}") from None
        if path.suffix.lower() not in {".yaml", ".yml"}:
            return cls.from_json(text)
        try:
            import yaml  # noqa: PLC0415 - an extra: only who has YAML files needs it
        except ImportError:
            raise ConfigurationError("reading YAML needs: pip install 'maia-async[cli]'") from None
        try:
            document = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f" at line {mark.line + 1}" if mark is not None else ""
            raise InvalidRequest([FieldProblem("", f"is not valid YAML{where}")], what=_WHAT) from None
        return cls.from_dict(document)

    def to_dict(self) -> dict[str, Any]:
        """What is sent: the API's JSON object, without its own ids. Raises InvalidRequest where a secret is a plain text."""
        document: dict[str, Any] = write(self)
        for key in ("streamingPipelineId", "projectId"):
            document.pop(key, None)
        return document

    def to_json(self, *, indent: int | None = 2) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)
