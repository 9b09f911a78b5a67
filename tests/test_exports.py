"""The public surface: exactly these names, each with a docstring, and an import that pulls in nothing it does not need."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

import maia_async
import maia_async.emulator
import maia_async.orchestration
from maia_async import errors, events, policies

NAMES = [
    "AUTO",
    "AbsTarget",
    "Auth",
    "Authentication",
    "BadRequest",
    "Batch",
    "BatchReport",
    "ChildPipeline",
    "ClientCredentials",
    "ConfigurationError",
    "Conflict",
    "ConnectFailed",
    "CreateOutcomeUnknown",
    "Db2ForISource",
    "DecodeError",
    "Disconnected",
    "Environment",
    "Event",
    "ExecutionCancelled",
    "ExecutionChanged",
    "ExecutionDetails",
    "ExecutionFailed",
    "ExecutionForbidden",
    "ExecutionRequest",
    "ExecutionSkipped",
    "ExecutionStatus",
    "ExecutionStep",
    "ExecutionTrigger",
    "ExecutionTriggered",
    "ExecutionUnsuccessful",
    "ExternallyStopped",
    "FieldProblem",
    "Flapping",
    "Forbidden",
    "GatewayTimeout",
    "GaveUp",
    "InvalidRequest",
    "JournalCorrupt",
    "JournalEntry",
    "JournalError",
    "JournalInUse",
    "JournalMismatch",
    "JournalSummary",
    "JournalWriteFailed",
    "Maia",
    "MaiaError",
    "MisuseError",
    "MySqlSource",
    "NotFound",
    "Observer",
    "OracleSource",
    "OtherSource",
    "OtherTarget",
    "Outcome",
    "OutcomeState",
    "Page",
    "Pager",
    "PipelineDisabled",
    "PipelineExecution",
    "PollPolicy",
    "PostgresSource",
    "ProblemDetail",
    "Project",
    "ProjectSummary",
    "PublishedPipeline",
    "RateLimit",
    "RateLimitPaused",
    "RateLimited",
    "ReachableAgain",
    "Region",
    "ReplayedError",
    "RequestFinished",
    "RequestTimedOut",
    "Response",
    "ResponseError",
    "RestartAttempted",
    "RestartPolicy",
    "RetryPolicy",
    "S3Target",
    "SecretReference",
    "SecretType",
    "ServerError",
    "SessionClosed",
    "SnowflakeConnection",
    "SnowflakeTarget",
    "SourceConnection",
    "SqlServerSource",
    "StartAttempted",
    "StaticToken",
    "Statistics",
    "StatusUnavailable",
    "StepResult",
    "StreamingChanged",
    "StreamingPipeline",
    "StreamingPipelineCreated",
    "StreamingPipelineDefinition",
    "StreamingState",
    "StreamingStopped",
    "StreamingTransition",
    "SupervisedState",
    "Supervisor",
    "SupervisorEvent",
    "SweepBegun",
    "Table",
    "Timeouts",
    "TokenRefreshed",
    "TransportError",
    "TriggerAbandoned",
    "TriggerOutcomeUnknown",
    "TriggerPolicy",
    "TriggerRecovered",
    "Unauthorized",
    "UnknownValueSeen",
    "Unreachable",
    "WaitTimeout",
    "journal_summary",
    "run_batch",
    "supervise",
]
NO_DOCSTRING_OF_THEIR_OWN = {"AUTO", "Observer"}  # a value and an alias: their docstrings stand below them in the source


def public(module: ModuleType) -> list[str]:
    return sorted(name for name in dir(module) if not name.startswith("_") and not isinstance(getattr(module, name), ModuleType))


@pytest.mark.parametrize("package", [maia_async, maia_async.orchestration])
def test_type_checkers_see_the_names_that_are_loaded_on_use(package: Any) -> None:
    tree = ast.parse(inspect.getsource(package))
    seen = {
        (node.module, alias.name, alias.asname)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {(module, name, name) for module, names in package._HOMES.items() for name in names}


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Mia'"):
        _ = maia_async.Mia


def test_the_public_names_are_exactly_these() -> None:
    assert sorted(NAMES) == NAMES
    assert public(maia_async) == NAMES


@pytest.mark.parametrize("module", [errors, events, policies])
def test_every_class_of_a_public_module_is_at_the_root(module: ModuleType) -> None:
    own = {name for name, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__}
    assert {name for name in own if not name.startswith("_")} <= set(NAMES)


def test_the_names_of_orchestration_are_those_of_the_root() -> None:
    for name in ("Batch", "BatchReport", "Outcome", "RestartAttempted", "Supervisor", "run_batch", "supervise"):
        assert getattr(maia_async.orchestration, name) is getattr(maia_async, name)


def test_the_emulator_has_a_root_of_its_own() -> None:
    assert "Emulator" in public(maia_async.emulator)
    assert set(maia_async.emulator.__all__) <= set(public(maia_async.emulator))


def undocumented(name: str, value: Any) -> list[str]:
    """What of a public class or function has no docstring: itself, its public methods and properties."""
    found = [] if inspect.getdoc(value) and "Method generated by attrs" not in (value.__doc__ or "") else [name]
    if inspect.isclass(value):
        found += [] if vars(value).get("__doc__") else [name]
        for member, held in vars(value).items():
            plain = held.fget if isinstance(held, property) else getattr(held, "__func__", held)
            if not member.startswith("_") and inspect.isfunction(plain) and not plain.__doc__:
                found.append(f"{name}.{member}")
    return found


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NO_DOCSTRING_OF_THEIR_OWN])
def test_every_public_class_and_function_and_method_has_a_docstring(name: str) -> None:
    assert undocumented(name, getattr(maia_async, name)) == []


def test_the_check_of_docstrings_finds_what_has_none() -> None:
    class Documented:
        """It is."""

        def silent(self) -> None: ...

        @property
        def quiet(self) -> int:
            return 1

    class Undocumented(Documented): ...

    assert undocumented("D", Documented) == ["D.silent", "D.quiet"]
    assert undocumented("U", Undocumented) == ["U"]


@pytest.mark.parametrize(
    "path",
    [
        "Maia.from_env",
        "Maia.request",
        "Maia.aclose",
        "Maia.statistics",
        "Maia.projects",
        "Maia.project",
        "Maia.executions",
        "Project.environments",
        "Project.pipelines",
        "Project.execute",
        "Project.execution",
        "Project.executions",
        "PipelineExecution.wait",
        "PipelineExecution.details",
        "PipelineExecution.status",
        "PipelineExecution.steps",
        "PipelineExecution.cancel",
        "PipelineExecution.cancel_and_confirm",
        "PipelineExecution.watch",
        "PipelineExecution.last_details",
        "PipelineExecution.__await__",
        "Pager.pages",
        "Pager.__await__",
        "Pager.__aiter__",
        "Batch.report",
        "Batch.outstanding",
        "Batch.__aiter__",
        "Supervisor.add",
        "Supervisor.remove",
        "Supervisor.states",
        "Supervisor.__aiter__",
    ],
)
def test_the_methods_that_the_design_names_exist(path: str) -> None:
    kind, name = path.split(".")
    assert hasattr(getattr(maia_async, kind), name)


def test_importing_the_package_pulls_in_neither_the_emulator_nor_the_command_line() -> None:
    code = (
        "import sys; sys.modules['orjson'] = None; import maia_async; "
        "print(sorted(name for name in sys.modules if name.split('.')[0] in {'cyclopts', 'rich', 'yaml', 'sqlite3', 'hypothesis'} "
        "or f'{name}.'.startswith(('maia_async.emulator.', 'maia_async.cli.'))))"
    )
    assert printed(code) == "[]\n"


def test_a_client_loads_neither_batches_nor_journals_nor_supervisors() -> None:
    code = (
        "import sys; from maia_async import Maia; "
        "print(sorted(name for name in sys.modules if name == 'sqlite3' "
        "or f'{name}.'.startswith(tuple(f'maia_async.orchestration.{part}.' for part in ('batch', 'journal', 'supervision')))))"
    )
    assert printed(code) == "[]\n"


def printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.stderr == ""
    return done.stdout
