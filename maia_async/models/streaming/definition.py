"""The definition of a streaming pipeline: what a create sends and a get returns, and its two forms as text. It sends nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from attrs import field, frozen

from maia_async.errors import ConfigurationError, InvalidRequest
from maia_async.models.streaming.document import NESTED, names_only, nested_only, read, unwritable, write
from maia_async.models.streaming.source import OtherSource, StreamingSource, read_source
from maia_async.models.streaming.target import OtherTarget, StreamingTarget, read_target
from maia_async.problems import FieldProblem

_WHAT: Final = "streaming pipeline definition"
_KINDS: Final = {type(None): "null", list: "an array", str: "text", bool: "true or false", int: "a number", float: "a number"}


@frozen(kw_only=True)
class StreamingPipelineDefinition:
    """A pipeline: its name, the streaming agent that runs it (uuid), a source, a target.

    `streaming_pipeline_id` and `project_id` are the API's: they are not sent and make no two definitions differ. `advanced_properties`: any
    names and values. It may hold values that are not valid: `definition_problems` names them all, and nothing invalid is sent.
    """

    name: str | None = None
    agent_id: str | None = None
    streaming_source: StreamingSource | OtherSource | None = field(default=None, repr=nested_only, metadata={NESTED: read_source})
    streaming_target: StreamingTarget | OtherTarget | None = field(default=None, repr=nested_only, metadata={NESTED: read_target})
    advanced_properties: Mapping[str, Any] | None = field(default=None, repr=names_only)
    streaming_pipeline_id: str | None = field(default=None, eq=False)
    project_id: str | None = field(default=None, eq=False)
    extra: Mapping[str, Any] = field(factory=dict, repr=names_only)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """A definition from the API's JSON object. Raises InvalidRequest when it is none."""
        if not isinstance(document, Mapping):
            raise InvalidRequest([FieldProblem("", f"must be an object, is {_KINDS.get(type(document), 'another value')}")], what=_WHAT)
        return read(cls, document)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """A definition from JSON text. Raises InvalidRequest when it is no JSON object; the text is not repeated, it may hold secrets."""
        problem: str
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            problem = f"is not valid JSON at line {error.lineno}, column {error.colno}"
        except (ValueError, RecursionError):
            problem = "is not valid JSON"
        else:
            return cls.from_dict(document)
        # Raised out here: a decoder's error holds the whole text, and would hang on ours as its context.
        raise InvalidRequest([FieldProblem("", problem)], what=_WHAT)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """A definition from a JSON or YAML file (by its ending; anything but `.yaml` and `.yml` is JSON).

        Raises ConfigurationError when the file cannot be read or no YAML reader is installed, InvalidRequest when it holds no definition.
        """
        path = Path(path)
        text = _text_of(path)
        try:
            return cls._from_yaml(text) if path.suffix.lower() in {".yaml", ".yml"} else cls.from_json(text)
        except InvalidRequest as error:
            problems = error.problems
        raise InvalidRequest(problems, what=f"{_WHAT} in {path}")

    @classmethod
    def _from_yaml(cls, text: str) -> Self:
        try:
            import yaml  # noqa: PLC0415 - an extra: only who has YAML files needs it
        except ImportError:
            raise ConfigurationError("reading YAML needs: pip install 'maia-async[cli]'") from None
        problem = "is not valid YAML"
        try:
            document = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            problem += f" at line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        except (yaml.YAMLError, RecursionError, ValueError):
            pass  # ValueError: a date such as 2026-13-45
        else:
            return cls.from_dict(document)
        raise InvalidRequest([FieldProblem("", problem)], what=_WHAT)

    def to_dict(self) -> dict[str, Any]:
        """What is sent: the API's JSON object, without its own ids. Raises InvalidRequest for plain secrets and for what is no JSON."""
        problems = list(unwritable(self))
        if problems:
            raise InvalidRequest(problems, what=_WHAT)
        document: dict[str, Any] = write(self)
        for key in ("streamingPipelineId", "projectId"):
            document.pop(key, None)
        return document

    def to_json(self, *, indent: int | None = 2) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        said = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        said = "it is not UTF-8 text"
    except ValueError:
        said = "no file can be called so"
    # Raised out here: the decoder's error holds the file's content, and would hang on ours as its context.
    raise ConfigurationError(f"cannot read {path}: {said}")
