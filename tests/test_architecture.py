"""Rules for imports, checked in the sources; `make lint` keeps the order of the packages and finds circles."""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import qprep

PACKAGE = Path(qprep.__file__).parent

HEAVY = {"torch", "libcst", "rich", "numpy"}
# What runs models, and what users' models import: loaded inside functions only by the rest.
APART = {"runtime_modules", "quantizer", "compression", "tracing"}
LOADED_LATE = {"trace"}  # commands that run models: their files are imported when they are called


@dataclass(frozen=True, slots=True)
class SourceModule:
    """One file of the package.

    unit      its room
    at_start  the names whose import runs when the file is loaded; `imported` all of them
    classes   name and line of each class
    """

    path: Path
    unit: str
    at_start: tuple[str, ...]
    imported: tuple[str, ...]
    classes: tuple[tuple[str, int], ...]

    @classmethod
    def read(cls, path: Path) -> SourceModule:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        classes = tuple((node.name, node.lineno) for node in nodes if isinstance(node, ast.ClassDef))
        unit = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        return cls(path, unit, tuple(at_start(tree)), tuple(imported(nodes)), classes)

    def __str__(self) -> str:
        return str(self.path.relative_to(PACKAGE))


@cache
def modules() -> tuple[SourceModule, ...]:
    """Every file of the package, parsed once; trees are not kept, which take a hundred times the memory."""
    return tuple(map(SourceModule.read, sorted(PACKAGE.rglob("*.py"))))


def imported(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_start(tree: ast.Module) -> Iterator[str]:
    """Imports that run when the module is loaded."""
    for statement in tree.body:
        guarded = isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test)
        if not guarded and not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            yield from imported(list(ast.walk(statement)))


def unit_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "qprep" and len(parts) > 1 else None


def test_what_runs_models_is_loaded_inside_functions_only() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in modules()
        if module.unit not in APART and module.path.stem not in LOADED_LATE
        for name in module.at_start
        if unit_of(name) in APART or name.split(".")[0] in HEAVY
    ]
    assert wrong == []


@pytest.mark.parametrize("unit", ["checks", "codemods", "analysis", "foundation"])
def test_analysis_knows_neither_torch_nor_the_terminal(unit: str) -> None:
    barred = {"torch", "click", "rich"}
    wrong = [
        f"{module} imports {name}"
        for module in modules()
        if module.unit == unit
        for name in module.imported
        if name.split(".")[0] in barred
    ]
    assert wrong == []


def test_the_top_has_at_most_twelve_packages() -> None:
    packages = [entry for entry in PACKAGE.iterdir() if entry.is_dir() and entry.name != "__pycache__"]
    files = {entry.name for entry in PACKAGE.glob("*.py")}
    assert (len(packages) <= 12, files) == (True, {"__init__.py", "__main__.py"})


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module in modules():
        for name, line in module.classes:
            places[name].append(f"{module}:{line}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_file_name_stands_more_than_twice() -> None:
    names = Counter(module.path.name for module in modules() if module.path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 2] == []


def test_checks_and_codemods_do_not_know_each_other() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in modules()
        if module.unit in ("checks", "codemods")
        for name in module.imported
        if unit_of(name) in {"checks", "codemods"} - {module.unit}
    ]
    assert wrong == []


def test_runtime_modules_import_torch_alone() -> None:
    allowed = {"torch", *sys.stdlib_module_names}
    late = {"patterns": {"einops"}}  # inside functions that only code with einops in it calls
    wrong = [
        f"{module} imports {name}"
        for module in modules()
        if module.unit == "runtime_modules"
        for names, more in ((module.at_start, set()), (module.imported, late.get(module.path.stem, set())))
        for name in names
        if name.split(".")[0] not in allowed | more and unit_of(name) != "runtime_modules"
    ]
    assert wrong == []
