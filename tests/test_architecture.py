"""What may be imported where, read off the sources; `make lint` keeps the order of the rooms and finds circles."""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import qprep

PACKAGE = Path(qprep.__file__).parent

HEAVY = {"torch", "libcst", "rich", "numpy"}
# What runs models, and what users' models import: loaded inside functions only by the rest.
APART = {"runtime_modules", "quantizer", "compression", "tracing"}
LOADED_LATE = {"trace"}  # commands that run models: their files are imported when they are called


def modules() -> Iterator[tuple[Path, str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        unit = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        yield path, unit, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
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
            yield from imported(statement)


def unit_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "qprep" and len(parts) > 1 else None


def test_what_runs_models_is_loaded_inside_functions_only() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path, unit, tree in modules()
        if unit not in APART and path.stem not in LOADED_LATE
        for name in at_start(tree)
        if unit_of(name) in APART or name.split(".")[0] in HEAVY
    ]
    assert wrong == []


@pytest.mark.parametrize("unit", ["checks", "codemods", "analysis", "foundation"])
def test_analysis_knows_neither_torch_nor_the_terminal(unit: str) -> None:
    barred = {"torch", "click", "rich"}
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path, here, tree in modules()
        if here == unit
        for name in imported(tree)
        if name.split(".")[0] in barred
    ]
    assert wrong == []


def test_the_top_has_at_most_twelve_packages() -> None:
    packages = [entry for entry in PACKAGE.iterdir() if entry.is_dir() and entry.name != "__pycache__"]
    files = {entry.name for entry in PACKAGE.glob("*.py")}
    assert (len(packages) <= 12, files) == (True, {"__init__.py", "__main__.py"})


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, _, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_file_name_stands_more_than_twice() -> None:
    names = Counter(path.name for path, _, _ in modules() if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 2] == []


def test_checks_and_codemods_do_not_know_each_other() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path, unit, tree in modules()
        if unit in ("checks", "codemods")
        for name in imported(tree)
        if unit_of(name) in {"checks", "codemods"} - {unit}
    ]
    assert wrong == []


def test_runtime_modules_import_torch_alone() -> None:
    allowed = {"torch", *sys.stdlib_module_names}
    late = {"patterns": {"einops"}}  # inside functions that only code with einops in it calls
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path, unit, tree in modules()
        if unit == "runtime_modules"
        for names, more in ((at_start(tree), set()), (imported(tree), late.get(path.stem, set())))
        for name in names
        if name.split(".")[0] not in allowed | more and unit_of(name) != "runtime_modules"
    ]
    assert wrong == []
