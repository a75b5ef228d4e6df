"""Functions and methods that make texts of what they are given, by their names and what holds them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from qprep.analysis.effects.abstract_objects import ClassObject, FunctionObject, Named
from qprep.analysis.effects.lexical_scopes import Binding, BindingKind, FileScopes, LexicalScope
from qprep.analysis.effects.points_to import PointsTo
from qprep.analysis.symbols.ast_utils import last_name

TO_TEXT = frozenset(("ascii", "format", "pformat", "repr", "saferepr", "str"))


_PACKAGES_OF_TEXT = ("builtins.", "pprint.", "reprlib.")


TEXT_METHODS = frozenset(("__format__", "__repr__", "__str__"))


def is_of_no_function(points_to: PointsTo, call: ast.Call, scope: LexicalScope) -> bool:
    """True unless a method of the project has this name, whose body says what it does."""
    return not any(isinstance(each.base, FunctionObject) for each in points_to.of(call.func, scope))


def bound_partial(func: ast.expr, scope: LexicalScope) -> ast.Call | None:
    """The call of `functools.partial` that a variable is bound to, and to nothing else."""
    home = scope.binder(func.id) if isinstance(func, ast.Name) else None
    bindings = home.bindings[func.id] if home is not None and isinstance(func, ast.Name) else []
    value = bindings[0].value if len(bindings) == 1 else None
    is_partial = isinstance(value, ast.Call) and last_name(value.func) == "partial" and bool(value.args)
    return value if is_partial and isinstance(value, ast.Call) else None


_HOLDING: WeakKeyDictionary[PointsTo, frozenset[str]] = WeakKeyDictionary()


def names_of_text_functions(points_to: PointsTo) -> frozenset[str]:
    """The names of the attributes and keywords that the project gives `repr` and its like."""
    if points_to not in _HOLDING:
        files = filter(None, map(points_to.file, points_to.modules))
        _HOLDING[points_to] = frozenset(name for file in files for name in _find_names_of_text_functions(file))
    return _HOLDING[points_to]


def _find_names_of_text_functions(file: FileScopes) -> Iterator[str]:
    for call in file.index.of(ast.Call):
        yield from (k.arg for k in call.keywords if k.arg is not None and _is_named_as_text_function(k.value))
    for assignment in file.index.of(ast.Assign):
        if _is_named_as_text_function(assignment.value):
            yield from (target.attr for target in assignment.targets if isinstance(target, ast.Attribute))


def may_be_held(func: ast.expr, scope: LexicalScope) -> bool:
    """True if a callee is a variable or an item that may be `repr` and its like."""
    home = scope.binder(func.id) if isinstance(func, ast.Name) else None
    if home is None or not isinstance(func, ast.Name):
        return isinstance(func, ast.Subscript | ast.Call)
    bindings = home.bindings[func.id]
    return any(b.kind is not BindingKind.DEFINITION and _may_bind_text_function(b) for b in bindings)


def _may_bind_text_function(binding: Binding) -> bool:
    if binding.kind is BindingKind.IMPORT:
        return binding.target.startswith(_PACKAGES_OF_TEXT)
    return not isinstance(binding.value, ast.Constant | ast.Lambda)


def _is_named_as_text_function(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and last_name(node) in TO_TEXT | TEXT_METHODS


def makes_text(points_to: PointsTo, func: ast.expr, scope: LexicalScope) -> bool:
    """True if a callee may be a function of Python that makes texts."""
    return any(_is_of_text(each.base) for each in points_to.of(func, scope))


def _is_of_text(base: object) -> bool:
    name = base.name if isinstance(base, Named) else base.cls if isinstance(base, ClassObject) else ""
    return isinstance(name, str) and name.startswith(_PACKAGES_OF_TEXT) and name.rpartition(".")[2] in TO_TEXT


def is_text_function(node: ast.expr, scope: LexicalScope) -> bool:
    """True for `repr`, `nn.Module.__repr__` and their like as values."""
    if isinstance(node, ast.Name):
        return node.id in TO_TEXT and scope.binder(node.id) is None
    if isinstance(node, ast.Call) and last_name(node.func) == "methodcaller":
        return any(isinstance(name, ast.Constant) and name.value in TEXT_METHODS for name in node.args[:1])
    return isinstance(node, ast.Attribute) and node.attr in TEXT_METHODS
