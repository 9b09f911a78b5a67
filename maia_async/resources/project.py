"""A project as a handle: what is in it, and starting pipelines in it. Making one does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from attrs import define

from maia_async.models import AUTO, Environment, ExecutionDetails, ExecutionRequest, ExecutionTag, ProjectSummary, PublishedPipeline
from maia_async.resources.execution import PipelineExecution, handle_of
from maia_async.resources.lists import by_name, pager
from maia_async.resources.pager import Pager
from maia_async.resources.runtime import Runtime
from maia_async.resources.streaming import StreamingPipeline, stream_of
from maia_async.resources.streaming_list import StreamingPipelines
from maia_async.wire import operations
from maia_async.wire.paging import PAGE_SIZE


@define(slots=True, repr=False)
class Projects:
    """The projects that the credentials may see; without any role the list is empty, not an error."""

    _runtime: Runtime

    def list(self, *, page_size: int = PAGE_SIZE) -> Pager[ProjectSummary]:
        """All of them."""
        return pager(self._runtime, operations.list_projects, ProjectSummary, lambda project: project.id, size=page_size)

    async def get(self, name: str) -> ProjectSummary:
        """The project called `name`. Raises NotFound, or MisuseError when several are called so."""
        return await by_name(self.list(), name, what="project", path="/v1/projects")


@define(slots=True, repr=False)
class Environments:
    """The environments of a project. They have no id: the name is the key."""

    _runtime: Runtime
    _project_id: str

    def list(self, *, page_size: int = PAGE_SIZE) -> Pager[Environment]:
        """All of them."""
        return pager(
            self._runtime,
            lambda query: operations.list_environments(self._project_id, query),
            Environment,
            lambda environment: environment.name,
            size=page_size,
        )

    async def get(self, name: str) -> Environment:
        """The environment called `name`. Raises NotFound."""
        return await by_name(self.list(), name, what="environment", path=f"/v1/projects/{self._project_id}/environments")


@define(slots=True, repr=False)
class PublishedPipelines:
    """The published pipelines of a project: only these can be executed."""

    _runtime: Runtime
    _project_id: str

    def list(self, environment_name: str | None = None, *, page_size: int = PAGE_SIZE) -> Pager[PublishedPipeline]:
        """All of them, or those of one environment. Whether the API requires the environment is not documented: give it if this fails."""
        return pager(
            self._runtime,
            lambda query: operations.list_published_pipelines(self._project_id, environment_name, query),
            PublishedPipeline,
            lambda pipeline: pipeline.name,
            size=page_size,
        )

    async def get(self, name: str, environment_name: str | None = None) -> PublishedPipeline:
        """The published pipeline called `name`. Raises NotFound."""
        path = f"/v1/projects/{self._project_id}/published-pipelines"
        return await by_name(self.list(environment_name), name, what="published pipeline", path=path)


@define(slots=True, repr=False)
class Executions:
    """The list of executions, newest start first: account-wide, or of one project."""

    _runtime: Runtime
    _project_id: str | None = None

    def list(
        self,
        project_id: str | None = None,
        *,
        environment_name: str | None = None,
        pipeline_name: str | None = None,
        status: str | Iterable[str] | None = None,
        started_after: datetime | str | None = None,
        started_before: datetime | str | None = None,
        time_frame: str | None = None,
        schedule_id: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Pager[ExecutionDetails]:
        """Executions that match every filter given. `pipeline_name` matches parts, in any case; both time bounds are inclusive.

        Raises InvalidRequest for a naive datetime. Rows carry neither the tag nor the variables.
        """
        filters = operations.execution_filters(
            project_id=self._project_id if project_id is None else project_id,
            environment_name=environment_name,
            pipeline_name=pipeline_name,
            status=status,
            started_after=started_after,
            started_before=started_before,
            time_frame=time_frame,
            schedule_id=schedule_id,
        )
        return pager(
            self._runtime,
            lambda query: operations.list_executions(filters + query),
            ExecutionDetails,
            lambda row: row.pipeline_execution_id,
            tokens=True,
            size=page_size,
        )


@define(slots=True, repr=False)
class Project:
    """A project by id. `runtime` is for the package's own use."""

    runtime: Runtime
    id: str

    @property
    def environments(self) -> Environments:
        """Its environments."""
        return Environments(self.runtime, self.id)

    @property
    def pipelines(self) -> PublishedPipelines:
        """Its published pipelines."""
        return PublishedPipelines(self.runtime, self.id)

    @property
    def executions(self) -> Executions:
        """Its executions."""
        return Executions(self.runtime, self.id)

    @property
    def streaming_pipelines(self) -> StreamingPipelines:
        """Its streaming pipelines."""
        return StreamingPipelines(self.runtime, self.id)

    def streaming_pipeline(self, streaming_pipeline_id: str) -> StreamingPipeline:
        """A streaming pipeline by its id."""
        return stream_of(self.runtime, self.id, streaming_pipeline_id)

    async def execute(
        self,
        pipeline_name: str,
        environment_name: str,
        *,
        agent_id: str | None = None,
        version_name: str | None = None,
        execution_tag: ExecutionTag = AUTO,
        scalar_variables: Mapping[str, str] | None = None,
        grid_variables: Mapping[str, Sequence[Sequence[str]]] | None = None,
    ) -> PipelineExecution:
        """Start a published pipeline and return its handle; await that for the end of the run.

        execution_tag: AUTO gives the run a tag of its own, None sends none; Maia lets one run per tag and environment run at a time.
        Raises InvalidRequest (nothing was sent), BadRequest, Unauthorized, Forbidden, NotFound (no such pipeline is published there),
        Conflict (the tag is running; with AUTO only if the list shows no run of it), PipelineDisabled, RateLimited, ConnectFailed: after
        any of these there is no run of it. A refusal of a POST that is sent again (see below) is none of these.

        A POST that gets no usable answer (5xx, timeout, reset) is looked up: the list of executions is read until `TriggerPolicy.settle`
        has passed, and new POSTs for this pipeline and environment wait meanwhile. The run is adopted if it can be no other; with AUTO the
        POST is sent again if there is none. Where the list does not settle it: TriggerOutcomeUnknown, with the ids of the candidates, and
        nothing more is sent. Cancelled after the POST went out, it goes to the observers as TriggerAbandoned, within 10 s.
        """
        request = ExecutionRequest(
            pipeline_name=pipeline_name,
            environment_name=environment_name,
            agent_id=agent_id,
            version_name=version_name,
            execution_tag=execution_tag,
            scalar_variables=scalar_variables,
            grid_variables=grid_variables,
        )
        begun = await self.runtime.trigger.start(self.id, request)
        return handle_of(self.runtime, self.id, begun.execution_id, triggered_at=begun.at, request=request)

    def execution(self, execution_id: str) -> PipelineExecution:
        """Re-attach to a run by its id."""
        return handle_of(self.runtime, self.id, execution_id)

    def __repr__(self) -> str:
        return f"<Project {self.id}>"
