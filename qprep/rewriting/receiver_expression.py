"""The expression of a call that reaches the module: a second instance takes its place there."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import is_attribute_of
from qprep.analysis.symbols.private_names import without_class
from qprep.analysis.values.access_paths import AccessPath

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.facts import ModuleCall
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.source_code import Code

_PASSING = frozenset(("enumerate", "reversed", "zip", "list", "tuple"))
_GIVING = frozenset(("values", "items"))  # methods that give the items of a dict
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_BRANCHES = (ast.FunctionDef, ast.Return, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)
_MAYBE = (ast.IfExp, ast.BoolOp, ast.Lambda, *_COMPREHENSIONS)


@dataclass(frozen=True, slots=True)
class Reached:
    """`self.attribute`, what lies under it (`[0]`, `.fc`), and the expression that refers to that.

    is_loop  an item of it is the module: that of an index or a loop, and the expression is the whole list
    is_many  the loop calls its variable several times
    may_miss what lies under it may not be there, since not every run comes by
    """

    node: ast.expr
    attribute: str
    under: str = ""
    is_loop: bool = False
    is_many: bool = False
    may_miss: bool = False

    @property
    def is_itself(self) -> bool:
        """True if the attribute is the module."""
        return not self.under and not self.is_loop

    @property
    def path(self) -> AccessPath:
        """The path from the object to the module."""
        return AccessPath.of_expression(ast.parse(f"({self.attribute}{self.under})", mode="eval").body)

    @property
    def name(self) -> str:
        """A base for the name of a new attribute."""
        return re.sub(r"\W+", "_", without_class(self.attribute) + self.under).strip("_")


def reached(scope: Scope, call: ModuleCall) -> Reached | None:
    """The path from a call to its module; None if it is uncertain."""
    node = scope.call()
    func = node.func
    if isinstance(func, ast.Attribute) and func.attr == "forward" and isinstance(func.value, ast.Attribute):
        func = func.value
    if (attribute := _own(scope, func)) is not None and attribute == str(call.path):
        return Reached(func, attribute)
    handed_on = [arg for arg in node.args if call.path and _own(scope, arg) == str(call.path)]
    if len(handed_on) == 1:
        return Reached(handed_on[0], call.path.root)
    if call.is_named and call.path.is_attribute and not _is_parameter(scope.code, func):
        return Reached(func, call.path.root)
    return _under(scope, func) or _by_index(scope, func) or _in_loop(scope, call, node)


def _own(scope: Scope, node: ast.expr) -> str | None:
    """The attribute of self that an expression reads: `self.pool`, `getattr(self, "pool")`."""
    match node:
        case ast.Call(
            func=ast.Name() as func, args=[ast.Name(id=owner), ast.Constant(value=str() as name)], keywords=[]
        ) if owner == scope.owner and name.isidentifier() and not name.startswith("__"):
            called = scope.context.project.expression_name(scope.index, func)
            return name if called == "builtins.getattr" else None
    return node.attr if is_attribute_of(node, scope.owner) else None


def _is_parameter(code: Code, node: ast.AST) -> bool:
    """True if a name is a parameter of a function around it: who calls that may give another module."""
    name = node.id if isinstance(node, ast.Name) else None
    while not isinstance(node, ast.Module):
        node = code.parents[node]
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            if any(isinstance(part, ast.arg) and part.arg == name for part in ast.walk(node.args)):
                return True
    return False


def _under(scope: Scope, func: ast.expr) -> Reached | None:
    """`self.layers[0]`, `self.block.fc`, or `block.fc` behind `block = self.block`."""
    root = func
    is_plain = True
    while _own(scope, root) is None:
        if isinstance(root, ast.Subscript) and isinstance(root.slice, ast.Constant | ast.Slice | ast.UnaryOp):
            if any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(root.slice)):
                return None
            root, is_plain = root.value, False
        elif isinstance(root, ast.Attribute):
            root = root.value
        elif isinstance(root, ast.Name) and root is not func and (held := _alias(scope, root)) is not None:
            return _under_attribute(scope, func, root, held, is_plain=is_plain)
        else:
            return None
    attribute = _own(scope, root)
    return _under_attribute(scope, func, root, attribute, is_plain=is_plain) if attribute is not None else None


def _under_attribute(scope: Scope, func: ast.expr, root: ast.expr, attribute: str, *, is_plain: bool) -> Reached | None:
    """The text for the value of an attribute; uses names alone if not every run passes here."""
    is_certain = _is_unconditional(scope.code, scope.call())
    under = scope.code.text[scope.code.span(root)[1] : scope.code.span(func)[1]]
    if not is_certain and not (is_plain and re.fullmatch(r"(\.\w+)+", under)):
        return None
    return Reached(func, attribute, under, may_miss=not is_certain)


def _alias(scope: Scope, name: ast.Name) -> str | None:
    """The attribute of self that a local means, which is bound once, on the way to every later line."""
    function = scope.code.function(name)
    stores = (
        [part for part in ast.walk(function) if isinstance(part, ast.Name) and part.id == name.id] if function else []
    )
    stores = [part for part in stores if not isinstance(part.ctx, ast.Load)]
    statement = scope.code.parents[stores[0]] if len(stores) == 1 else None
    if function is None or not isinstance(statement, ast.Assign) or scope.code.parents[statement] is not function:
        return None
    if len(statement.targets) != 1 or _is_parameter(scope.code, name):
        return None
    return _own(scope, statement.value)


def _by_index(scope: Scope, func: ast.expr) -> Reached | None:
    """`self.layers[i]`: an item of a second list, whatever the index is."""
    if not isinstance(func, ast.Subscript) or isinstance(func.slice, ast.Slice):
        return None
    attribute = _own(scope, func.value)
    return Reached(func.value, attribute, is_loop=True) if attribute is not None else None


def _is_unconditional(code: Code, node: ast.AST) -> bool:
    """True if every run of `forward` comes by."""
    function = code.function(node)
    line = code.statement(node).lineno
    nodes = ast.walk(function) if function is not None else ()
    if any(isinstance(part, ast.Return | ast.Raise) and part.lineno < line for part in nodes):
        return False
    while not isinstance(node, ast.FunctionDef):
        node = code.parents[node]
        if isinstance(node, _MAYBE) or (isinstance(node, ast.stmt) and not isinstance(node, _BRANCHES)):
            return False
    return node.name == "forward" and isinstance(code.parents[node], ast.ClassDef)


def _in_loop(scope: Scope, call: ModuleCall, node: ast.Call) -> Reached | None:
    """`for layer in self.layers: x = layer(x)`, where the loop only calls its variable."""
    container = call.path.container
    variables = [part.id for part in (node.func, *node.args) if isinstance(part, ast.Name)]
    function = scope.code.function(node)
    if function is None or not (call.path.is_any_item and container.is_attribute):
        return None
    attribute = container.root
    for loop, target, iterable in _loops_around(scope.code, node):
        bound = {part.id for part in ast.walk(target) if isinstance(part, ast.Name)}
        found = [part for part in ast.walk(iterable) if isinstance(part, ast.expr) and _own(scope, part) == attribute]
        used = bound.intersection(variables)
        if len(found) != 1 or not used:
            continue
        if not _is_passed_on(scope.code, found[0], iterable):
            return None
        uses = [part for name in used for part in _uses(function, name)]
        inside = [use for use in uses if _is_inside(scope.code, use, loop)]
        outside = [use for use in uses if use not in inside]
        if all(_is_run(scope, call, use) for use in inside) and all(_is_bound(scope.code, use) for use in outside):
            return Reached(found[0], attribute, is_loop=True, is_many=len(inside) > 1)
    return None


def _loops_around(code: Code, node: ast.AST) -> Iterator[tuple[ast.AST, ast.expr, ast.expr]]:
    """Loops and comprehensions around a node, from the inside, with what they bind and run over."""
    while not isinstance(node, ast.FunctionDef | ast.Lambda | ast.Module):
        node = code.parents[node]
        if isinstance(node, ast.For):
            yield node, node.target, node.iter
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            yield from ((node, generator.target, generator.iter) for generator in node.generators)


def _is_passed_on(code: Code, node: ast.AST, iterable: ast.expr) -> bool:
    """True if a loop over `iterable` gives the very items of `node`."""
    while node is not iterable:
        node = code.parents[node]
        if isinstance(node, ast.Attribute) and node.attr in _GIVING:
            node = code.parents[node]
            is_passed = isinstance(node, ast.Call) and not node.args and not node.keywords
        else:
            is_passed = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _PASSING
        if not is_passed:
            return False
    return True


def _uses(function: ast.FunctionDef, name: str) -> list[ast.Name]:
    nodes = (part for part in ast.walk(function) if isinstance(part, ast.Name))
    return [part for part in nodes if part.id == name and isinstance(part.ctx, ast.Load)]


def _is_run(scope: Scope, call: ModuleCall, use: ast.Name) -> bool:
    """True if a name stands there to be called, like that of `call`."""
    outer = scope.code.parents[use]
    if not isinstance(outer, ast.Call):
        return False
    end = (outer.end_lineno or outer.lineno, outer.end_col_offset or outer.col_offset)
    known = scope.context.facts.calls.get(Place(scope.code.module, outer.lineno, outer.col_offset, *end))
    return known is not None and known.path == call.path


def _is_bound(code: Code, use: ast.Name) -> bool:
    """True if a loop around a name binds it."""
    targets = (target for _, target, _ in _loops_around(code, use))
    return any(isinstance(part, ast.Name) and part.id == use.id for target in targets for part in ast.walk(target))


def _is_inside(code: Code, node: ast.AST, outer: ast.AST) -> bool:
    while node is not outer and not isinstance(node, ast.Module):
        node = code.parents[node]
    return node is outer
