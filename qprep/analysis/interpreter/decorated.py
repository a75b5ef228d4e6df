"""Functions under decorators of the project: the operations of their wrappers in addition to the function's own."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.interpreter.call_evaluation import call_kind
from qprep.analysis.interpreter.expressions import evaluate
from qprep.analysis.symbols.ast_utils import last_name, positional_parameters
from qprep.analysis.values.abstract_values import (
    UNKNOWN,
    FunctionRef,
    Kind,
    Module,
    Returning,
    Sequence,
    join_all,
    options,
)
from qprep.analysis.values.closure_values import Closure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.module_resolver import Project


def wrapped(analysis: Analysis, maker: Frame, frame: Frame, node: ast.FunctionDef, returned: Kind) -> Kind:
    """The result of calling a decorated function, if the function itself returns `returned`.

    What the wrappers run happens in `frame`, whose scope holds the function's parameters; `maker` records nothing:
    the decorators themselves run when the class or the file is made.
    """
    for decorator in reversed(node.decorator_list):
        made = evaluate(analysis, maker, decorator) if _is_own(analysis, maker, decorator) else None
        if made is None or (isinstance(made, FunctionRef) and _gives_back(analysis, maker, decorator, made)):
            continue
        wrapper, call = _applied(analysis, maker, decorator, made, returned)
        closures = [option for option in options(wrapper) if isinstance(option, Closure)]
        if closures:
            given = Arguments(_positional(frame, node))
            own = [_of_class(analysis, frame, decorator, closure) for closure in closures]
            returned = join_all([call_kind(analysis, frame, call, closure, given) for closure in own])
    return returned


def _of_class(analysis: Analysis, frame: Frame, decorator: ast.expr, closure: Closure) -> Closure:
    """The wrapper of a method: what it runs belongs to the class of the method, if nothing else has the decorator."""
    first = positional_parameters(closure.node)[:1]
    if not frame.unit.is_class or not isinstance(frame.self_kind, Module) or [arg.arg for arg in first] != ["self"]:
        return closure
    name = last_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
    if name not in analysis.named_decorators:
        analysis.named_decorators[name] = sum(_times_named(analysis.project, name))
    if analysis.named_decorators[name] != 1:
        return closure
    return Closure(closure.node, closure.scope, replace(closure.home, unit=frame.unit, function=frame.function))


def _times_named(project: Project, name: str) -> Iterator[int]:
    """The number of times that each given file names something, its definition and imports not counted."""
    for module in project.given:
        index = project.index(module) if name in (project.text(module) or "") else None
        if index is not None:
            yield sum(node.id == name for node in index.of(ast.Name))
            yield sum(node.attr == name for node in index.of(ast.Attribute))


def _applied(
    analysis: Analysis, maker: Frame, decorator: ast.expr, made: Kind, returned: Kind
) -> tuple[Kind, ast.Call]:
    """The function that a decorator makes of one that returns `returned`, and the call that does it."""
    call = ast.copy_location(ast.Call(func=decorator, args=[], keywords=[]), decorator)
    return call_kind(analysis, maker, call, made, Arguments([Returning(returned)])), call


def _gives_back(analysis: Analysis, maker: Frame, decorator: ast.expr, made: FunctionRef) -> bool:
    """True if a decorator gives back the function that it is given, whatever that returns.

    What it makes of a function that may return anything covers what it makes of any other. So a decorator that only
    registers or documents functions is evaluated once, and not for each kind that each of them returns.
    """
    known = analysis.plain_decorators
    if made not in known:
        known[made] = _applied(analysis, maker, decorator, made, UNKNOWN)[0] == Returning(UNKNOWN)
    return known[made]


def _is_own(analysis: Analysis, maker: Frame, decorator: ast.expr) -> bool:
    """True if a decorator, or what makes it, is a function of the project."""
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return any(isinstance(option, FunctionRef) for option in options(analysis.name_kind(maker, function)))


def _positional(frame: Frame, node: ast.FunctionDef) -> list[Kind]:
    """The values of the parameters of a call, in their order."""
    names = frame.scope.names
    kinds = [names[arg.arg] for arg in (*node.args.posonlyargs, *node.args.args)]
    extra = names.get(node.args.vararg.arg) if node.args.vararg is not None else None
    return [*kinds, *(extra.items or ())] if isinstance(extra, Sequence) else kinds
