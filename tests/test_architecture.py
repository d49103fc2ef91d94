"""The floors of petriflow, read from its source: imports go down, and there is no circle.

An import inside a function is a *door* where it reaches a higher floor or would close a circle.
Every door is in `DOORS`, by name; nothing else may reach up.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

import petriflow
from petriflow.net.errors import PetriflowError

ROOT = Path(petriflow.__file__).parent

FLOORS = {
    "net": 0,
    "patterns": 1,
    "workflow": 2,
    "formats": 3,
    "analysis": 4,
    "execution": 5,
    "simulation": 5,
    "drawing": 6,
    "testing": 6,
    "service": 7,
    "cli": 7,
    "__main__": 8,
    "": 8,  # petriflow/__init__.py, which names everything and loads nothing
}

#: function -> what it reaches: a floor above its own, or a module of its own floor
DOORS = {
    # `a >> b` and `refine` are methods for comfort; what they do is built on fragments
    "patterns.fragment:Fragment.__rshift__": {"patterns.basic"},
    "patterns.fragment:Fragment.refine": {"patterns.parts"},
    "patterns.fragment:Fragment._repr_mimebundle_": {"drawing"},
    # a choice without `otherwise` is accepted where its guards are proved exhaustive
    "workflow.workflow:Workflow._check_choices": {"analysis"},
    "workflow.workflow:Workflow.verify": {"analysis"},
    "workflow.workflow:Workflow.ask": {"analysis"},
    "workflow.workflow:Workflow.simulate": {"simulation"},
    "workflow.workflow:Workflow.solve": {"simulation"},
    "workflow.workflow:Workflow.run": {"execution"},
    "workflow.workflow:Workflow.arun": {"execution"},
    "workflow.workflow:Workflow._repr_mimebundle_": {"drawing"},
    "net.net:Net._repr_mimebundle_": {"drawing"},
    "net.net:Net.play": {"drawing"},
    "patterns.fragment:Fragment.play": {"drawing"},
    "workflow.workflow:Workflow.play": {"drawing"},
    "analysis.soundness.report:Report.play": {"drawing"},
    "analysis.queries.logic:Answer.play": {"drawing"},
    "execution.handle:CaseHandle.view": {"drawing"},
    "analysis.soundness.report:Report.shown": {"drawing"},
    "analysis.soundness.report:Report._picture": {"drawing"},
    "analysis.queries.logic:Answer._picture": {"drawing"},
    "analysis.display:on_net": {"drawing"},
    "analysis.display:states": {"drawing"},
    "execution.handle:CaseHandle._repr_html_": {"drawing"},
    "simulation.results:Result.heat": {"drawing"},
    "cli:_version": {""},
}

#: all that the pure case may import from the standard library: nothing that waits, asks the
#: clock, rolls dice or touches the world
PURE = {
    "__future__", "collections", "dataclasses", "enum", "functools", "heapq", "itertools", "typing",
}  # fmt: skip

HEAVY = (
    "anywidget",
    "graphlay",
    "lark",
    "matplotlib",
    "networkx",
    "numpy",
    "pydantic",
    "sqlalchemy",
    "z3",
)


@dataclass(frozen=True)
class Import:
    module: str  # who imports, such as "net.net"; petriflow itself is ""
    function: str  # the function that the import stands in, or "" at module level
    target: str  # what is imported, such as "net.marking"
    typing: bool  # under `if TYPE_CHECKING:`
    line: int

    def __str__(self) -> str:
        where = f"{self.module}:{self.function}" if self.function else self.module
        return f"{where} imports {self.target or 'petriflow'} (line {self.line})"


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of petriflow, parsed, by its name within the package."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def named(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The full names that a statement imports; `from a import b` may mean the module a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    else:
        assert node.level == 0, f"line {node.lineno}: relative imports hide the floor"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def read(module: str, tree: ast.Module, modules: set[str]) -> Iterator[Import]:
    """The imports of petriflow's own modules that stand in one module."""

    def visit(
        node: ast.AST, scope: tuple[str, ...], inside: bool, typing: bool
    ) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                for name in named(child):
                    if name.split(".")[0] == "petriflow":
                        target = name.removeprefix("petriflow").removeprefix(".")
                        while target not in modules and target not in FLOORS:
                            target = target.rpartition(".")[0]
                        function = ".".join(scope) if inside else ""
                        yield Import(module, function, target, typing, child.lineno)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from visit(child, (*scope, child.name), True, typing)
            elif isinstance(child, ast.ClassDef):
                yield from visit(child, (*scope, child.name), inside, typing)
            else:
                only_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
                yield from visit(child, scope, inside, typing or only_types)

    yield from visit(tree, (), False, False)


@cache
def imports() -> tuple[Import, ...]:
    modules = set(sources())
    return tuple(i for name, tree in sources().items() for i in read(name, tree, modules))


def package(module: str) -> str:
    return module.split(".")[0]


def packages(module: str) -> Iterator[str]:
    """The packages that a module lies in, petriflow itself left out."""
    while module := module.rpartition(".")[0]:
        yield module


def floor(module: str) -> int:
    return FLOORS[package(module)]


def goes_up(i: Import) -> bool:
    """Whether the import reaches a higher floor, or the other room of its own."""
    return floor(i.target) > floor(i.module) or (
        floor(i.target) == floor(i.module) and package(i.target) != package(i.module)
    )


def module_graph() -> dict[str, set[str]]:
    """What each module loads when it is imported: its targets, and the packages they lie in.

    The packages that a module itself lies in are left out: Python has begun them by then.
    """
    graph: dict[str, set[str]] = {module: set() for module in sources()}
    for i in imports():
        if not i.function and not i.typing:
            own = {i.module, *packages(i.module)}
            graph[i.module] |= {i.target, *packages(i.target)} - own
    return graph


def reaches(graph: dict[str, set[str]], start: str, goal: str) -> bool:
    seen, todo = set(), [start]
    while todo:
        module = todo.pop()
        if module == goal:
            return True
        if module not in seen:
            seen.add(module)
            todo.extend(graph.get(module, ()))
    return False


def doors() -> dict[str, set[str]]:
    """The doors that the source has."""
    graph, found = module_graph(), {}
    for i in imports():
        if not i.function:
            continue
        if goes_up(i):
            found.setdefault(f"{i.module}:{i.function}", set()).add(package(i.target))
        elif reaches(graph, i.target, i.module):
            found.setdefault(f"{i.module}:{i.function}", set()).add(i.target)
    return found


def test_every_module_stands_on_a_floor() -> None:
    assert {package(module) for module in sources()} - set(FLOORS) == set()


def test_modules_import_only_from_their_floor_or_below() -> None:
    assert [str(i) for i in imports() if goes_up(i) and not i.function and not i.typing] == []


def test_simulation_and_execution_never_import_each_other() -> None:
    """Not even by a door."""
    apart = {"simulation", "execution"}
    assert [str(i) for i in imports() if {package(i.module), package(i.target)} == apart] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(module_graph()).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_a_package_is_not_imported_by_its_own_modules() -> None:
    """Such an import works or fails by the order of lines in `__init__.py`."""
    assert [
        str(i)
        for i in imports()
        if i.target in packages(i.module) and not i.function and not i.typing
    ] == []


def test_the_doors_are_those_of_the_table() -> None:
    assert doors() == DOORS


def test_types_from_above_are_named_only_by_modules_with_a_door_to_them() -> None:
    open_to: dict[str, set[str]] = {}
    for door, targets in DOORS.items():
        open_to.setdefault(door.split(":")[0], set()).update(targets)
    assert [
        str(i)
        for i in imports()
        if i.typing and goes_up(i) and package(i.target) not in open_to.get(i.module, set())
    ] == []


@pytest.mark.promise("RUN-10")
def test_the_case_imports_nothing_that_waits_or_touches_the_world() -> None:
    graph = module_graph()
    assert "execution.case" in graph
    pure = {m for m in graph if package(m) == "execution" and reaches(graph, "execution.case", m)}
    outside = {
        f"{module} imports {name}"
        for module in pure
        for node in ast.walk(sources()[module])
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in named(node)
        if name.split(".")[0] not in PURE | {"petriflow"}
    }
    assert outside == set()


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = "jupyter", "smt", "postgres", "redis", "metrics", "tracing", "dask"
    optional = (extras[name] for name in names)
    needed = [*project["dependencies"], *chain.from_iterable(optional)]
    declared = {re.sub(r"(-solver|-api|\[\w+\])?[<>=].*", "", n) for n in needed}
    imported = {
        name.split(".")[0]
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in named(node)
    }
    assert imported - {"petriflow"} - sys.stdlib_module_names - declared == set()


def test_a_file_is_one_room() -> None:
    lengths = {
        str(p.relative_to(ROOT)): p.read_text("utf-8").count("\n") for p in ROOT.rglob("*.py")
    }
    assert {path: n for path, n in lengths.items() if n > 600} == {}


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout))


@pytest.mark.promise("API-1")
def test_importing_petriflow_loads_no_heavy_library() -> None:
    assert "petriflow.net" in modules_after("from petriflow import Net")
    assert modules_after("import petriflow") & set(HEAVY) == set()


@pytest.mark.promise("API-1")
def test_building_a_workflow_loads_no_heavy_library() -> None:
    build = "import petriflow.patterns; petriflow.Workflow, petriflow.task, petriflow.Net"
    assert modules_after(f"import petriflow; {build}") & set(HEAVY) == set()


@pytest.mark.promise("API-2")
@pytest.mark.parametrize("name", petriflow.__all__)
def test_a_public_name_is_documented_and_lives_where_it_is_said_to(name: str) -> None:
    value = getattr(petriflow, name)
    assert (inspect.getdoc(value) or "").strip()
    assert value is getattr(importlib.import_module(petriflow._HOME[name]), name)


def test_the_public_names_are_the_same_for_people_tools_and_type_checkers() -> None:
    checked = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(sources()[""])
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("petriflow")
        for alias in node.names
    }
    assert checked == {f"{home}.{name}" for name, home in petriflow._HOME.items()}
    assert sorted(petriflow._HOME) == petriflow.__all__
    assert set(petriflow.__all__) <= set(dir(petriflow))
    with pytest.raises(AttributeError, match="no attribute 'Nett'"):
        _ = petriflow.Nett


@pytest.mark.promise("API-3")
def test_every_exception_is_a_petriflow_error() -> None:
    classes = set()
    for info in pkgutil.walk_packages(petriflow.__path__, "petriflow."):
        if not info.name.endswith("__main__"):
            module = importlib.import_module(info.name)
            classes |= {c for _, c in inspect.getmembers(module, inspect.isclass)}
    ours = {
        c for c in classes if issubclass(c, BaseException) and c.__module__.startswith("petriflow")
    }
    assert PetriflowError in ours
    assert {c for c in ours if not issubclass(c, PetriflowError | Warning)} == set()


# The reader above is a measuring instrument: it must find what it looks for.


def found_in(source: str, module: str = "workflow.workflow") -> list[tuple[str, str, bool]]:
    modules = {"", "net", "net.net", "workflow", "workflow.workflow", "analysis", "analysis.report"}
    return [(i.function, i.target, i.typing) for i in read(module, ast.parse(source), modules)]


def test_the_reader_sees_every_form_of_import() -> None:
    assert found_in("import petriflow.analysis.report") == [("", "analysis.report", False)]
    assert found_in("from petriflow.analysis import verify") == [("", "analysis", False)]
    assert found_in("from petriflow.analysis import report") == [("", "analysis.report", False)]
    assert found_in("from petriflow import Net") == [("", "", False)]
    assert found_in("import petriflows, os") == []


def test_the_reader_sees_imports_wherever_they_stand() -> None:
    source = """
try:
    from petriflow.net import Net
except ImportError:
    pass
if TYPE_CHECKING:
    from petriflow.analysis import Report
class A:
    from petriflow.net import net
    async def b(self):
        if True:
            from petriflow.analysis import report
"""
    assert found_in(source) == [
        ("", "net", False),
        ("", "analysis", True),
        ("", "net.net", False),
        ("A.b", "analysis.report", False),
    ]


def test_up_means_a_higher_floor_or_another_room_of_the_same() -> None:
    assert goes_up(Import("net.net", "", "patterns", False, 1))
    assert goes_up(Import("simulation.kernel", "", "execution.clock", False, 1))
    assert not goes_up(Import("execution.engine", "", "analysis", False, 1))
    assert not goes_up(Import("execution.engine", "", "execution.case", False, 1))
