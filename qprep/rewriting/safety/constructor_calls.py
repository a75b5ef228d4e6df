"""Code that runs during construction: methods that constructors call, and constructors that return early."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.places import Unit
from qprep.analysis.values.abstract_values import ClassRef
from qprep.rewriting.fix_session import remembered
from qprep.rewriting.safety.class_body import computed, run_on_self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.safety.class_body import Body


def may_be_early(context: RewriteContext, unit: Unit) -> bool:
    """True if new attributes of a class may be made before the rest of its constructor runs."""
    entry = context.project.class_node(ClassRef(unit.module, unit.name))
    init = entry.methods.get("__init__") if entry is not None else None
    if init is None or returns_early(init):
        return init is not None
    run = run_by_init(context, unit) - {"__init__"}
    return any((m.module, f"{m.name}.{name}") in context.analysis.ran for m in context.family(unit) for name in run)


def runs_at_construction(context: RewriteContext, cls: ClassRef, method: str) -> bool:
    """True if the constructor of a class may run a method."""
    return method in run_by_init(context, Unit(cls.module, cls.name, True))


def returns_early(init: ast.FunctionDef) -> bool:
    """True if a constructor may return before its end."""
    return any(isinstance(node, ast.Return) for node in _own_nodes(init))


def _own_nodes(function: ast.FunctionDef) -> list[ast.AST]:
    """Nodes of a function without those of functions inside it."""
    found: list[ast.AST] = []
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))
    return found


@remembered
def run_by_init(context: RewriteContext, unit: Unit) -> frozenset[str]:
    """Methods of self that some constructor in the family runs, directly or not; calling self runs forward and all."""
    methods = [named for body in bodies_of(context, context.family(unit)) for named in body.methods.items()]
    properties = computed(methods)
    found = {"__init__"}
    while True:
        called = {c for name, method in methods if name in found for c in run_on_self(method, properties)}
        if "forward" in called:
            called |= {name for name, _ in methods}
        if called <= found:
            break
        found |= called
    return frozenset(found)


@remembered
def run_by_base(context: RewriteContext, unit: Unit) -> frozenset[str]:
    """Methods that the constructor of a base runs: before it returns, the class can have made nothing of its own."""
    ref = ClassRef(unit.module, unit.name)
    mro = [base for base in context.project.mro(ref) if isinstance(base, ClassRef)]
    inits = [body.methods["__init__"] for body in bodies_of(context, mro[1:]) if "__init__" in body.methods]
    methods = [
        (name, method)
        for body in bodies_of(context, context.family(unit))
        for name, method in body.methods.items()
        if name != "__init__"
    ]
    properties = computed(methods)
    found = {name for init in inits for name in run_on_self(init, properties)}
    while True:
        if "forward" in found:
            found |= {name for name, _ in methods}
        more = {c for name, method in methods if name in found for c in run_on_self(method, properties)}
        if more <= found:
            break
        found |= more
    return frozenset(found)


def bodies_of(context: RewriteContext, classes: Iterable[ClassRef]) -> Iterator[Body]:
    """The bodies of those classes that the project defines."""
    return (body for cls in classes if (body := context.body(cls)) is not None)
