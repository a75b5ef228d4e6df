"""Loops over names and modules that select by name: which statements no module that is added can reach.

A text that no listing of names gave is not the name of a module that a fix adds (`docs/soundness.md`). A pattern that
comes from outside the source may match such a name by a wildcard. It counts where the loop raises an error for each
selected module that lacks an attribute: then the selection is meant for modules that have it.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import FunctionObject, Named
from qprep.analysis.effects.class_conditions import may_bind
from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.analysis.effects.listings import lists_names
from qprep.analysis.effects.reference_sets import may_be_listed
from qprep.analysis.symbols.ast_utils import argument_values, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

MAX_STEPS = 40
"""Expressions that lead to a pattern before it counts as one that the source may spell."""

_WHOLE = frozenset(("fullmatch", "fnmatch", "fnmatchcase"))
_COLLECTIONS = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp)
_WILDCARD = re.compile(r"[*+?\[\]{}|()^$]|\\[^.]")


def is_out_of_reach(statement: ast.stmt, loop: ast.For, points_to: PointsTo, scope: LexicalScope) -> bool:
    """True if no module that is added comes to a statement of a loop over names and modules.

    `loop` is `for name, module in x.named_modules()`, in which nothing else binds either name, or `for name in names`.
    """
    module: str | None = None
    match loop.target:
        case ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=module)]) if lists_names(loop.iter):
            pass
        case ast.Name(id=name):
            pass
        case _:
            return False
    if not _keeps_ends(loop.body, name) or (module is not None and may_bind(loop.body, module)):
        return False
    found = list(_held(statement, loop, scope.file.parents))
    if any(_is_given_name(test, name, points_to, scope) for test in found):
        return True
    if module is None:
        return False
    is_selected = any(_is_outside_pattern(test, name, points_to, scope) for test in found)
    return is_selected and _is_checked(statement, loop, module, scope.file.parents)


def _keeps_ends(body: list[ast.stmt], name: str) -> bool:
    """True if a name goes on ending with that of the module: what stands in front of it may be taken off or added."""
    statements = [part for each in body for part in ast.walk(each) if isinstance(part, ast.stmt)]
    bound = [s for s in statements if not isinstance(s, ast.If) and may_bind([s], name)]
    simple = [
        s for s in bound if isinstance(s, ast.Assign) and len(s.targets) == 1 and isinstance(s.targets[0], ast.Name)
    ]
    return len(simple) == len(bound) and all(_ends_with(each.value, name) for each in simple)


def _ends_with(node: ast.expr, name: str) -> bool:
    """True if a text ends with that of a variable, where this is not empty."""
    match node:
        case ast.Name(id=other):
            return other == name
        case ast.Call(func=ast.Attribute(value=value, attr="removeprefix"), args=[_]):
            return _ends_with(value, name)
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(), attr="join"), args=[ast.List(elts=e) | ast.Tuple(elts=e)]
        ):
            return bool(e) and _ends_with(e[-1], name)
        case ast.BinOp(op=ast.Add(), right=right):
            return _ends_with(right, name)
        case ast.JoinedStr(values=[*_, ast.FormattedValue(value=value, conversion=-1, format_spec=None)]):
            return _ends_with(value, name)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            is_empty_else = _is_not_empty(test, name) or _ends_with(orelse, name)
            return is_empty_else and _ends_with(body, name)
    return False


def _is_not_empty(test: ast.expr, name: str) -> bool:
    return ast.unparse(test) in (name, f"len({name})", f"len({name}) > 0", f"{name} != ''")


def _held(statement: ast.stmt, loop: ast.For, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.expr]:
    """Tests that hold where a statement runs, of those in the body of the loop."""
    current: ast.AST = statement
    while current is not loop:
        parent = parents[current]
        for block in (getattr(parent, name, None) for name in ("body", "orelse")):
            if not isinstance(block, list) or current not in block:
                continue
            if isinstance(parent, ast.If):
                yield from _parts(parent.test, is_true=block is parent.body)
            for earlier in block[: block.index(current)]:
                if isinstance(earlier, ast.If) and _leaves(earlier):
                    yield from _parts(earlier.test, is_true=False)
        current = parent


def _leaves(statement: ast.If) -> bool:
    return not statement.orelse and isinstance(statement.body[-1], ast.Continue | ast.Return | ast.Raise | ast.Break)


def _parts(test: ast.expr, *, is_true: bool) -> Iterator[ast.expr]:
    """Expressions that are true where a test is true, or where it is false; comparisons are turned round for that."""
    match test:
        case ast.BoolOp(op=op, values=values) if isinstance(op, ast.And) is is_true:
            for value in values:
                yield from _parts(value, is_true=is_true)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _parts(operand, is_true=not is_true)
        case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot() as op], comparators=[ast.Constant(value=None)]):
            if isinstance(op, ast.IsNot) is is_true:
                yield left
        case ast.Compare(left=left, ops=[ast.NotEq()], comparators=[right]) if not is_true:
            yield ast.Compare(left, [ast.Eq()], [right])
        case ast.Compare(left=left, ops=[ast.NotIn()], comparators=[right]) if not is_true:
            yield ast.Compare(left, [ast.In()], [right])
        case _ if is_true:
            yield test


def _is_given_name(test: ast.expr, name: str, points_to: PointsTo, scope: LexicalScope) -> bool:
    """`name == wanted`, `name in wanted`, where no listing gave what is wanted."""
    match test:
        case ast.Compare(left=ast.Name(id=tested), ops=[ast.Eq()], comparators=[other]) if tested == name:
            return not may_be_listed(points_to.of(other, scope))
        case ast.Compare(left=other, ops=[ast.Eq()], comparators=[ast.Name(id=tested)]) if tested == name:
            return not may_be_listed(points_to.of(other, scope))
        case ast.Compare(left=ast.Name(id=tested), ops=[ast.In()], comparators=[other]) if tested == name:
            return _is_container(other, scope) and not may_be_listed(points_to.of(other, scope))
    return False


def _is_container(node: ast.expr, scope: LexicalScope) -> bool:
    """True if an expression is a collection, or a variable that is bound to some: `name in text` means a part of it."""
    if isinstance(node, _COLLECTIONS):
        return True
    home = scope.binder(node.id) if isinstance(node, ast.Name) else None
    bindings = home.bindings[node.id] if home is not None and isinstance(node, ast.Name) else []
    values = [binding.value for binding in bindings]
    return any(isinstance(value, _COLLECTIONS) for value in values) and all(
        isinstance(value, _COLLECTIONS) or _is_grown(value, node) for value in values
    )


def _is_grown(value: ast.AST | None, variable: ast.expr) -> bool:
    """`wanted = wanted.union(more)`, `wanted = wanted | more`."""
    match value:
        case ast.Call(func=ast.Attribute(value=inner, attr="union" | "copy")) | ast.BinOp(op=ast.BitOr(), left=inner):
            return ast.unparse(inner) == ast.unparse(variable)
    return False


# Patterns


def _is_outside_pattern(test: ast.expr, name: str, points_to: PointsTo, scope: LexicalScope) -> bool:
    """`re.fullmatch(pattern, name)`, where neither the source nor a listing of names gives the pattern."""
    match test:
        case ast.Call(func=ast.Name(id="any"), args=[ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner)]):
            return _is_outside_pattern(inner, name, points_to, scope)
        case ast.Call(func=func, args=arguments, keywords=[]) if last_name(func) in _WHOLE:
            patterns = [each for each in arguments if not (isinstance(each, ast.Name) and each.id == name)]
            if isinstance(func, ast.Attribute) and len(arguments) == 1:
                patterns.append(func.value)  # a compiled pattern
        case _:
            return False
    is_tested = len(arguments) > sum(each in arguments for each in patterns)
    spelled = any(_Origins(points_to).is_spelled(each, scope) for each in patterns)
    return is_tested and not spelled and not any(may_be_listed(points_to.of(each, scope)) for each in patterns)


class _Origins:
    """The origin of a text."""

    def __init__(self, points_to: PointsTo) -> None:
        self.points_to = points_to
        self.seen: set[ast.AST] = set()

    def is_spelled(self, node: ast.AST, scope: LexicalScope, steps: int = MAX_STEPS) -> bool:
        """True if the source may spell a pattern with wildcards that gets into a text."""
        if node in self.seen:
            return False
        if not steps:
            return True
        self.seen.add(node)
        match node:
            case ast.Constant(value=value):
                return isinstance(value, str) and bool(_WILDCARD.search(value))
            case ast.Name(id=name):
                return self._is_variable_spelled(name, scope, steps - 1)
            case ast.Attribute(value=value, attr=attribute):
                return self._is_of_file(value, scope) or self._is_attribute_spelled(attribute, steps - 1)
            case ast.Call(func=ast.Attribute(value=value, attr="replace")):
                return self.is_spelled(value, scope, steps - 1)  # wildcards written in another way
            case ast.Call(func=func):
                if self._is_returned_spelled(func, scope, steps - 1):
                    return True
                parts = list(argument_values(node))
                if isinstance(func, ast.Attribute) and not self._is_of_file(func.value, scope):
                    parts.append(func.value)  # a method
                return any(self.is_spelled(part, scope, steps - 1) for part in parts)
        return any(self.is_spelled(part, scope, steps - 1) for part in ast.iter_child_nodes(node))

    def _is_of_file(self, node: ast.expr, scope: LexicalScope) -> bool:
        """True if an expression is a file or a package."""
        return any(isinstance(each.base, Named) for each in self.points_to.of(node, scope))

    def _is_returned_spelled(self, func: ast.expr, scope: LexicalScope, steps: int) -> bool:
        found = (each.base.scope for each in self.points_to.of(func, scope) if isinstance(each.base, FunctionObject))
        return any(self.is_spelled(value, inner, steps) for inner in found for value in inner.returned)

    def _is_variable_spelled(self, name: str, scope: LexicalScope, steps: int) -> bool:
        home = scope.binder(name)
        if home is None:
            return False  # a name of Python's own
        kept = (each for each in self.points_to.stores.of_variable(home, name) if each.keeps_texts)
        values: list[ast.expr] = [*(value for each in kept for value in each.values), *_keys_set(name, home)]
        for binding in home.bindings[name]:
            if binding.kind is BindingKind.PARAMETER and self._is_parameter_spelled(name, home, steps):
                return True
            if binding.kind is BindingKind.IMPORT and not self.points_to.of_binding(home, name, binding):
                return True  # a text of another file
            if binding.kind in (BindingKind.VALUE, BindingKind.ITEM) and isinstance(binding.value, ast.expr):
                values.append(binding.value)
        return any(self.is_spelled(value, home, steps) for value in values)

    def _is_parameter_spelled(self, name: str, home: LexicalScope, steps: int) -> bool:
        calls, arguments = self.points_to.calls, home.arguments
        if calls.is_unknown(home) or arguments is None:
            return True
        defaults = [each for each in (*arguments.defaults, *arguments.kw_defaults) if each is not None]
        given = [(value, home.parent or home) for value in defaults]
        return any(self.is_spelled(value, at, steps) for value, at in (*given, *calls.arguments(home, name)))

    def _is_attribute_spelled(self, attribute: str, steps: int) -> bool:
        """The values of the attribute of a name on any object, also in the bodies of classes."""
        names, project = self.points_to.names, self.points_to.project
        for node, scope in names.stores(self.points_to, attribute):
            statement = scope.file.parents.get(node)
            value = getattr(statement, "value", None)
            if value is None or self.is_spelled(value, scope, steps):
                return True
        for cls in names.holders(attribute):
            entry, file = project.class_node(cls), self.points_to.file(cls.module)
            value = entry.values.get(attribute) if entry is not None else None
            if value is not None and file is not None and self.is_spelled(value, file.top, steps):
                return True
        return False


def _keys_set(name: str, scope: LexicalScope) -> Iterator[ast.expr]:
    """`key` in `table[key] = …`."""
    for item in scope.file.index.of(ast.Subscript):
        if isinstance(item.ctx, ast.Store) and isinstance(item.value, ast.Name) and item.value.id == name:
            yield item.slice


# Errors for what lacks an attribute


def _is_checked(statement: ast.stmt, loop: ast.For, module: str, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if a statement is the error for a module that lacks an attribute, or stands behind that check."""
    current: ast.AST = statement
    while current is not loop:
        parent = parents[current]
        if isinstance(parent, ast.If) and _is_check(parent, module) and isinstance(statement, ast.Raise):
            return True
        for block in (getattr(parent, name, None) for name in ("body", "orelse")):
            earlier = block[: block.index(current)] if isinstance(block, list) and current in block else []
            if any(_is_check(each, module) for each in earlier):
                return True
        current = parent
    return False


def _is_check(statement: ast.stmt, module: str) -> bool:
    """`if not hasattr(module, name): raise …`, for one name, for all of several, or in a loop over them."""
    if isinstance(statement, ast.For) and len(statement.body) == 1:
        return _is_check(statement.body[0], module)
    if isinstance(statement, ast.Assert):
        return _asks_for_attributes(statement.test, module, is_true=True)
    if not isinstance(statement, ast.If) or statement.orelse or not isinstance(statement.body[-1], ast.Raise):
        return False
    return _asks_for_attributes(statement.test, module, is_true=False)


def _asks_for_attributes(test: ast.expr, module: str, *, is_true: bool) -> bool:
    """True if a module has attributes where a test is true, or where it is false."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _asks_for_attributes(operand, module, is_true=not is_true)
        case ast.Call(func=ast.Name(id="all" | "any" as function), args=[ast.GeneratorExp() | ast.ListComp() as each]):
            is_whole = (function == "all") is is_true and not any(part.ifs for part in each.generators)
            return is_whole and _asks_for_attributes(each.elt, module, is_true=is_true)
        case ast.Call(func=ast.Name(id="hasattr"), args=[ast.Name(id=tested), _]):
            return is_true and tested == module
    return False
