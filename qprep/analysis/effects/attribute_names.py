"""Attributes that a computed name may mean, as regular expressions over the parts of the expression."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from qprep.analysis.effects.lexical_scopes import BindingKind

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import LexicalScope

ANY_NAME = ".*"
ANY_THAT_IS_THERE = ".+"
"""Any attribute that an object has already: code that replaces children and adds none."""
MAX_STEPS = 8  # variables that lead to one another; beyond that the name may be any


def is_any(pattern: str) -> bool:
    """True for a pattern that names no attribute in particular."""
    return pattern in (ANY_NAME, ANY_THAT_IS_THERE)


def may_be(pattern: str, name: str) -> bool:
    """True if an attribute whose name matches a pattern may be the one of a name."""
    if is_any(pattern):
        return True
    return pattern == name if pattern.isidentifier() else bool(re.fullmatch(pattern, name))


def patterns_of(node: ast.expr, scope: LexicalScope, steps: int = MAX_STEPS) -> frozenset[str]:
    """Regular expressions for the texts that an expression may be; `ANY_NAME` among them where it may be any."""
    match node:
        case ast.Constant(value=value):
            return frozenset((re.escape(str(value)),))
        case ast.IfExp(body=body, orelse=orelse):
            return patterns_of(body, scope, steps) | patterns_of(orelse, scope, steps)
        case ast.Name(id=name) if steps:
            return _of_variable(name, scope, steps - 1)
    return frozenset((text_pattern(node) or ANY_NAME,))


def _of_variable(name: str, scope: LexicalScope, steps: int) -> frozenset[str]:
    home = scope.binder(name)
    if home is None:
        return frozenset((ANY_NAME,))
    found: frozenset[str] = frozenset()
    for binding in home.bindings[name]:
        value = binding.value
        if binding.kind is BindingKind.VALUE and isinstance(value, ast.expr):
            found |= patterns_of(value, home, steps)
        elif binding.kind is BindingKind.ITEM and isinstance(value, ast.expr):
            found |= _of_items(value, name, home, steps)
        else:
            return frozenset((ANY_NAME,))
    return found or frozenset((ANY_NAME,))


def _of_items(value: ast.expr, name: str, scope: LexicalScope, steps: int) -> frozenset[str]:
    """The items that an iterable gives a variable; for `zip`, those of the argument at the variable's position."""
    match value:
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return frozenset().union(*(patterns_of(item, scope, steps) for item in items))
        case ast.ListComp(elt=item) | ast.GeneratorExp(elt=item):
            return patterns_of(item, scope, steps)
        case ast.Name(id=other) if steps and (home := scope.binder(other)) is not None:
            values = [binding.value for binding in home.bindings[other]]
            known = [each for each in values if isinstance(each, ast.List | ast.Tuple | ast.Set | ast.ListComp)]
            if known and len(known) == len(values):
                return frozenset().union(*(_of_items(each, name, home, steps - 1) for each in known))
        case ast.Call(func=ast.Name(id="zip" | "enumerate" as function), args=arguments):
            loop = scope.file.parents.get(value)
            targets = getattr(getattr(loop, "target", None), "elts", [])
            places = [n for n, target in enumerate(targets) if isinstance(target, ast.Name) and target.id == name]
            place = places[0] - (function == "enumerate") if places else -1
            if 0 <= place < len(arguments):
                return _of_items(arguments[place], name, scope, steps)
    return frozenset((ANY_NAME,))


def text_pattern(node: ast.expr) -> str | None:
    """A pattern for the results of a formatted text; None for another expression."""
    match node:
        case ast.JoinedStr(values=values):
            return "".join(re.escape(str(v.value)) if isinstance(v, ast.Constant) else ANY_NAME for v in values)
        case ast.BinOp(op=ast.Add()):
            return _joined_pattern(node)
        case ast.BinOp(left=ast.Constant(value=str(template)), op=ast.Mod()):
            return ANY_NAME.join(map(re.escape, re.split(r"%[-+0-9.]*[a-z]", template)))
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(template)), attr="format")):
            return ANY_NAME.join(map(re.escape, re.split(r"{[^}]*}", template)))
    return None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _joined_pattern(node: ast.BinOp) -> str | None:
    """A pattern for `"conv" + str(i) + "_act"`: the parts that are written out, in their places; None without any."""
    parts: list[ast.expr] = [node]
    while isinstance(first := parts[0], ast.BinOp) and isinstance(first.op, ast.Add):
        parts[:1] = [first.left, first.right]
    known = [re.escape(text) if (text := _text(part)) is not None else text_pattern(part) for part in parts]
    return "".join(part if part is not None else ANY_NAME for part in known) if any(known) else None
