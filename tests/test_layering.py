"""The arrows between the layers, read from the source: every import, also inside functions and under TYPE_CHECKING.

A module that has no place in `LEVELS` fails, so that a new one must be given one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen

PACKAGE = Path(__file__).resolve().parent.parent / "maia_async"
ROOT, EMULATOR, CLI, INTEGRATIONS = "maia_async", "maia_async.emulator", "maia_async.cli", "maia_async.integrations"
LEVELS = {
    **dict.fromkeys(["errors", "loading", "logs", "problems", "secrets"], 0),
    **dict.fromkeys(["models", "config", "secretfiles", "policies", "events", "clock", "statistics", "backoffs", "retrying"], 1),
    "wire": 2,
    **dict.fromkeys(["auth", "lanes", "breaker", "budget", "governor", "home", "tasks", "offload", "observers", "session", "exchange"], 3),
    "watching": 4,
    "resources": 5,
    **dict.fromkeys(["orchestration", "client"], 6),
    "": 7,  # the root: public names
    **dict.fromkeys(["cli", "integrations"], 8),
    "__main__": 9,
}
MOST_LINES = 400

# What only one place may use: (name, who may use it).
OWNED = {
    "aiohttp": ("maia_async.session", EMULATOR),
    "cattrs": ("maia_async.wire.codec",),
    "backoff": ("maia_async.backoffs",),
}
TASK_STARTERS = {"create_task", "ensure_future"}
WALL_CLOCKS = {
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "time.time",
    "time.time_ns",
}
CLOCK_READERS = ("maia_async.clock", "maia_async.emulator.clock")


@frozen
class Import:
    """`module` imports `target`; `typed` under TYPE_CHECKING only, `lazy` inside a function or under TYPE_CHECKING."""

    module: str
    target: str
    line: int
    typed: bool
    lazy: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {name_of(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def is_within(module: str, *places: str) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def level_of(module: str) -> int | None:
    """The level of a module of the core or of the command line; None when it has none."""
    parts = module.split(".")
    return LEVELS.get(parts[1] if len(parts) > 1 else "")


def imports_of(module: str, source: str, modules: set[str]) -> Iterator[Import]:
    """Every import in `source`. A name imported from a package counts as the submodule of that name when there is one."""

    def walk(node: ast.AST, *, typed: bool, lazy: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, typed, lazy)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                target = f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base
                yield Import(module, target, node.lineno, typed, lazy)
        guarded = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, typed=typed or guarded, lazy=lazy or guarded or inside)

    yield from walk(parsed(source), typed=False, lazy=False)


@cache
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


def wrong_edge(edge: Import) -> bool:
    """Whether an import inside the package breaks the layers.

    from            to
    core, level n   core, level n or lower
    cli             the root, the emulator's own root, cli
    integrations    the root, the emulator's own root, integrations
    emulator        levels 0 and 1, emulator; the root when lazy
    anything        a relative name: never, it hides the layer
    """
    if edge.target.startswith("."):
        return True
    if is_within(edge.module, EMULATOR):
        level = level_of(edge.target)
        low = level is not None and level <= 1
        return not (is_within(edge.target, EMULATOR) or low or (edge.target == ROOT and edge.lazy))
    for tower in (CLI, INTEGRATIONS):
        if is_within(edge.module, tower):
            return not (edge.target in {ROOT, EMULATOR} or is_within(edge.target, tower))
    source, target = level_of(edge.module), level_of(edge.target)
    return is_within(edge.target, EMULATOR) or source is None or target is None or target > source


def inside(edges: Iterator[Import]) -> list[Import]:
    return [edge for edge in edges if is_within(edge.target, ROOT) or edge.target.startswith(".")]


def used_names(source: str) -> Iterator[tuple[str, int]]:
    """Every dotted name in `source`, with import aliases resolved."""
    tree = parsed(source)
    real: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            real.update({alias.asname: alias.name for alias in node.names if alias.asname})
        elif isinstance(node, ast.ImportFrom):
            real.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            head, dot, rest = ast.unparse(node).partition(".")
            yield f"{real.get(head, head)}{dot}{rest}", node.lineno


def forbidden_use(module: str, name: str) -> str | None:
    """Why `module` may not use the dotted `name`; None when it may."""
    if name.rpartition(".")[2] in TASK_STARTERS and "." in name and module != "maia_async.tasks":
        return "background tasks are owned by tasks.py"
    if name == "asyncio.gather":
        return "use a task group"
    if name in WALL_CLOCKS and module not in CLOCK_READERS:
        return "the wall clock is read in clock.py"
    return None


def forbidden_import(edge: Import) -> bool:
    owners = OWNED.get(edge.target.partition(".")[0])
    if owners is None or is_within(edge.module, *owners):
        return False
    return not (edge.target == "aiohttp" and edge.module == "maia_async.client" and edge.typed)


def test_every_module_has_a_place_in_the_layers() -> None:
    assert [module for module in SOURCES if not is_within(module, EMULATOR) and level_of(module) is None] == [], "place them in LEVELS"


def test_imports_only_go_down() -> None:
    edges = [edge for module, source in SOURCES.items() for edge in inside(imports_of(module, source, set(SOURCES)))]
    assert len(edges) > len(SOURCES)
    assert [str(edge) for edge in edges if wrong_edge(edge)] == []


def test_no_two_modules_import_each_other_however_far_around() -> None:
    graph = {
        module: {edge.target for edge in inside(imports_of(module, source, set(SOURCES))) if not edge.lazy}
        for module, source in SOURCES.items()
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module not in done:
            for target in sorted(graph.get(module, ())):
                visit(target, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_what_one_place_owns_is_used_nowhere_else() -> None:
    wrong: list[str] = []
    for module, source in SOURCES.items():
        wrong += [str(edge) for edge in imports_of(module, source, set(SOURCES)) if forbidden_import(edge)]
        wrong += [f"{module}:{line} uses {name}: {why}" for name, line in used_names(source) if (why := forbidden_use(module, name))]
    assert wrong == []


def test_every_module_says_what_it_promises_and_none_is_long() -> None:
    first = {module: (ast.get_docstring(parsed(source)) or "").partition("\n")[0] for module, source in SOURCES.items()}
    assert [module for module, line in first.items() if len(line) <= 20] == []
    assert [module for module, source in SOURCES.items() if len(source.splitlines()) > MOST_LINES] == []


# The checks themselves: each finds what it is for.


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("maia_async.errors", "from maia_async.problems import FieldProblem", False),
        ("maia_async.errors", "from maia_async.models import Page", True),
        ("maia_async.errors", "def f():\n    from maia_async.models import Page", True),
        ("maia_async.errors", "if TYPE_CHECKING:\n    from maia_async import models", True),
        ("maia_async.wire.codec", "from maia_async import errors", False),
        ("maia_async.wire.codec", "import maia_async.session", True),
        ("maia_async.wire.codec", "from maia_async import Maia", True),
        ("maia_async.wire.codec", "from .problem import plain", True),
        ("maia_async.auth", "from maia_async.session import Session", False),
        ("maia_async.client", "from maia_async.emulator import Emulator", True),
        ("maia_async.client", "from maia_async.cli import main", True),
        ("maia_async.brand_new", "from maia_async import errors", True),
        ("maia_async.client", "from maia_async import brand_new_and_missing", True),
        ("maia_async.cli.run", "from maia_async import Maia", False),
        ("maia_async.cli.run", "from maia_async.emulator import Emulator", False),
        ("maia_async.cli.run", "from maia_async.cli.output import table", False),
        ("maia_async.cli.run", "from maia_async import errors", True),
        ("maia_async.cli.run", "from maia_async.emulator.server import Emulator", True),
        ("maia_async.cli.run", "from maia_async.wire import codec", True),
        ("maia_async.integrations.pytest_plugin", "from maia_async.emulator import Emulator", False),
        ("maia_async.integrations.pytest_plugin", "from maia_async.session import Session", True),
        ("maia_async.integrations.pytest_plugin", "from maia_async.cli import main", True),
        ("maia_async.emulator.app", "from maia_async.policies import RateLimit", False),
        ("maia_async.emulator.app", "from maia_async.emulator.state import State", False),
        ("maia_async.emulator.app", "def f():\n    from maia_async import Maia", False),
        ("maia_async.emulator.app", "from maia_async import Maia", True),
        ("maia_async.emulator.app", "def f():\n    from maia_async.client import Maia", True),
        ("maia_async.emulator.app", "from maia_async.wire import codec", True),
    ],
)
def test_the_check_of_the_arrows_finds_a_wrong_one(module: str, source: str, wrong: bool) -> None:
    edges = inside(imports_of(module, source, set(SOURCES)))
    assert len(edges) == 1
    assert wrong_edge(edges[0]) is wrong


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("maia_async.session", "import aiohttp", False),
        ("maia_async.emulator.app", "from aiohttp import web", False),
        ("maia_async.client", "if TYPE_CHECKING:\n    import aiohttp", False),
        ("maia_async.client", "import aiohttp", True),
        ("maia_async.client", "def f():\n    import aiohttp", True),
        ("maia_async.exchange", "from aiohttp.client import ClientSession", True),
        ("maia_async.wire.codec", "from cattrs.gen import override", False),
        ("maia_async.wire.raw", "import cattrs", True),
        ("maia_async.backoffs", "import backoff", False),
        ("maia_async.exchange", "from backoff import expo", True),
    ],
)
def test_the_check_of_owned_libraries_finds_a_stranger(module: str, source: str, wrong: bool) -> None:
    assert any(forbidden_import(edge) for edge in imports_of(module, source, set(SOURCES))) is wrong


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("maia_async.tasks", "asyncio.get_running_loop().create_task(f())", False),
        ("maia_async.governor", "asyncio.get_running_loop().create_task(f())", True),
        ("maia_async.governor", "import asyncio as a\na.create_task(f())", True),
        ("maia_async.governor", "from asyncio import create_task as go\ngo(f())", True),
        ("maia_async.governor", "from asyncio import ensure_future\nensure_future(f())", True),
        ("maia_async.governor", "start = loop.create_task", True),
        ("maia_async.tasks", "asyncio.gather(a, b)", True),
        ("maia_async.tasks", "from asyncio import gather\ngather(a, b)", True),
        ("maia_async.clock", "from datetime import datetime\ndatetime.now()", False),
        ("maia_async.emulator.clock", "import time\ntime.time()", False),
        ("maia_async.events", "from datetime import datetime\ndatetime.now()", True),
        ("maia_async.events", "import datetime as dt\ndt.datetime.now(dt.UTC)", True),
        ("maia_async.events", "from time import time\nnow = time", True),
        ("maia_async.events", "from datetime import date\ndate.today()", True),
        ("maia_async.events", "asyncio.get_running_loop().time()", False),
        ("maia_async.events", "from datetime import datetime\ndatetime.fromisoformat(x)", False),
    ],
)
def test_the_check_of_uses_finds_a_forbidden_one(module: str, source: str, wrong: bool) -> None:
    assert any(forbidden_use(module, name) for name, _ in used_names(source)) is wrong
