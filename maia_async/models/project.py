"""Projects, environments and published pipelines as the lists show them, as frozen values; no I/O."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen


@frozen(kw_only=True)
class ProjectSummary:
    """A project; `id` (uuid) is what every other call wants."""

    id: str
    name: str | None = None
    description: str | None = None


@frozen(kw_only=True)
class Environment:
    """An environment of a project. It has no id: the name is the key everywhere."""

    name: str
    default_agent_id: str | None = None
    default_agent_name: str | None = None


@frozen(kw_only=True)
class PublishedPipeline:
    """A pipeline that is published and can be executed; in practice `name` is often a path such as `folder/load.orch.yaml`."""

    name: str
    published_time: datetime | None = None
