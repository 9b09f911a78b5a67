"""Handles and collections of the API's resources: awaitable, lazy, cheap to make. They start no task and decide nothing about retries."""

from maia_async.resources.execution import PipelineExecution
from maia_async.resources.pager import Pager
from maia_async.resources.project import Project
from maia_async.resources.streaming import StreamingPipeline

__all__ = ["Pager", "PipelineExecution", "Project", "StreamingPipeline"]
