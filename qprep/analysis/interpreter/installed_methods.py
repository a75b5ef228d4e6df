"""Functions that an assignment makes methods of modules: `Net.forward = run`, `net.forward = MethodType(run, net)`.

A function that is assigned to a class which is known not to be a module is no method of one.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import dotted_text, last_name, positional_parameters, walk
from qprep.analysis.values.abstract_values import (
    ACTIVATION,
    ClassRef,
    External,
    FunctionRef,
    Kind,
    Module,
    Sequence,
    options,
)
from qprep.analysis.values.access_paths import AccessPath
from qprep.analysis.values.closure_values import Closure, Home, NameScope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_BINDING = "MethodType"
_HOOKS = frozenset(("register_forward_hook", "register_forward_pre_hook"))


class Installed(NamedTuple):
    """A function that becomes a method, and the module that it is bound to, as far as that is known; None: to none."""

    function: FunctionRef | Closure
    owner: Module | None


class Hook(NamedTuple):
    """A function that is registered as a hook, what it is given, and the call that registers it."""

    function: FunctionRef | Closure
    arguments: Arguments
    call: ast.Call


def installed(analysis: Analysis, module: str) -> Iterator[Installed]:
    """The functions of a file that become methods of modules."""
    index = analysis.project.index(module)
    if index is None:
        return
    for target, name, value in _assignments(index):
        function = _bound_function(value)
        for made, node in _functions(analysis, index, function if function is not None else value):
            owner = _owner(analysis, index, target)
            first = positional_parameters(node)[:1]
            if owner is None or not first:
                continue
            takes_self = function is not None or owner.cls is not None or first[0].arg == "self"
            if takes_self or name == "forward":
                yield Installed(made, owner if takes_self else None)


def hooks(analysis: Analysis, module: str) -> Iterator[Hook]:
    """The functions that a file registers as hooks which may change what a module is given or returns."""
    index = analysis.project.index(module)
    for call in index.of(ast.Call) if index is not None else ():
        name = last_name(call.func)
        if index is None or name not in _HOOKS or not call.args:
            continue
        given: list[Kind] = [Module(None), Sequence(ACTIVATION)]
        given += [ACTIVATION] if name == "register_forward_hook" else []
        method = _method(analysis, index, call.args[0])
        if method is not None:
            yield Hook(method, Arguments(given), call)
        for made, _ in _functions(analysis, index, call.args[0]):
            yield Hook(made, Arguments(given), call)


def _method(analysis: Analysis, index: FileIndex, value: ast.expr) -> FunctionRef | None:
    """The method that `self.method` is, of the module class around it."""
    if not (isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name)):
        return None
    for cls, entry in index.classes.items():
        ref = ClassRef(index.name, cls)
        around = [node for node in entry.methods.values() if _spans(node, value)]
        owners = {parameter.arg for node in around for parameter in positional_parameters(node)[:1]}
        if value.value.id in owners and value.attr in entry.methods and analysis.is_module(ref):
            return FunctionRef(index.name, f"{cls}.{value.attr}", Module(ref))
    return None


def _assignments(index: FileIndex) -> Iterator[tuple[ast.expr, str, ast.expr]]:
    """The assignments to attributes: the object, the name and the value."""
    for node in index.of(ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                yield target.value, target.attr, node.value
    for call in index.of(ast.Call):
        if last_name(call.func) == "setattr" and len(call.args) == 3:
            owner, name, value = call.args
            yield owner, name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else "", value


def _bound_function(value: ast.expr) -> ast.expr | None:
    """The function that `MethodType(run, net)`, `run.__get__(net)` or `partial(run, net)` binds."""
    if not isinstance(value, ast.Call):
        return None
    if last_name(value.func) == _BINDING and len(value.args) == 2:
        return value.args[0]
    if isinstance(value.func, ast.Attribute) and value.func.attr == "__get__" and value.args:
        return value.func.value
    return None


def _functions(
    analysis: Analysis, index: FileIndex, value: ast.expr
) -> Iterator[tuple[FunctionRef | Closure, _Function | ast.Lambda]]:
    """The functions that a value may be: a lambda, or by name those of the function around, the file or another one."""
    if isinstance(value, ast.Lambda):
        yield _closure(index, value, value), value
    if not isinstance(value, ast.Name):
        return
    name = value
    around = [node for node in index.of(ast.FunctionDef) if _spans(node, name)]
    inner = [part for node in around for part in walk(node) if isinstance(part, _Function) and part.name == name.id]
    inner = [part for part in inner if part not in around]
    if inner:
        yield _closure(index, inner[-1], name), inner[-1]
        return
    for option in options(analysis.global_kind(index, name.id)):
        node = analysis.project.function_node(option) if isinstance(option, FunctionRef) else None
        if isinstance(option, FunctionRef) and option.bound is None and node is not None:
            yield option, node


def _closure(index: FileIndex, node: _Function | ast.Lambda, place: ast.expr) -> Closure:
    """A nested function as what is around a place sees it; of the names there nothing is known."""
    outer = next((each.name for each in index.functions.values() if _spans(each, place)), "")
    return Closure(node, NameScope({}), Home(index, Unit(index.name, outer, False), outer, None, None, {}, {}))


def _spans(outer: ast.FunctionDef, node: ast.expr) -> bool:
    return outer.lineno <= node.lineno <= (outer.end_lineno or outer.lineno)


def _owner(analysis: Analysis, index: FileIndex, target: ast.expr) -> Module | None:
    """The module whose method a function becomes; None for an object that is known to be none."""
    root = dotted_text(target).partition(".")[0]
    is_known = root in index.classes or root in index.imports
    dotted = analysis.project.expression_name(index, target) if is_known else None
    found: Kind | None = analysis.project.resolve(dotted) if dotted is not None else None
    match found:
        case ClassRef():
            return Module(found, AccessPath()) if analysis.is_module(found) else None
        case External(name=name):
            return Module(None, AccessPath()) if name.startswith("torch.nn.") else None
        case _:
            return Module(None, AccessPath())
