"""Reads one test of a variable: `isinstance`, `hasattr`, comparisons of the class and of its name."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qprep.analysis.effects.object_tests import AnyOf, AttributeTest, ClassTest, NameInTest, NameTest, Test, negated
from qprep.analysis.effects.written_texts import UNKNOWN_TEXTS
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qprep.analysis.effects.written_texts import WrittenTexts
    from qprep.analysis.values.abstract_values import ClassRef

Classes = frozenset["ClassRef | str"] | None
_IS_TENSOR = frozenset(("torch.is_tensor",))
_TENSOR = frozenset(("torch.Tensor",))
_METHODS = frozenset(("startswith", "endswith", "find", "count", "__contains__"))


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable under test.

    classes_of   the classes that an expression names; None where they are not known
    is_builtin   says whether a name of Python's own functions means that function
    class_names  variables that hold the name of its class: `name = type(m).__name__`
    attributes   variables that hold an attribute of it or None, with the value: `size = getattr(m, "size", None)`
    texts_in     the texts that an expression holds
    """

    name: str
    classes_of: Callable[[ast.expr], Classes]
    is_builtin: Callable[[str], bool] = lambda _: True
    class_names: frozenset[str] = frozenset()
    attributes: Mapping[str, ast.expr] = field(default_factory=dict)
    texts_in: Callable[[ast.expr], WrittenTexts] = field(default=lambda _: UNKNOWN_TEXTS)


def holding(test: ast.expr, variable: Variable) -> list[Test]:
    """Conditions on the variable that hold where `test` is true; those that cannot be read are left out."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return [found for value in values for found in holding(value, variable)]
        case ast.BoolOp(op=ast.Or(), values=values):
            parts = [holding(value, variable) for value in values]
            return [AnyOf(frozenset(part[0] for part in parts))] if all(len(part) == 1 for part in parts) else []
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return failing(operand, variable)
        case ast.NamedExpr(value=value):
            return holding(value, variable)
        case _:
            found = single_test(test, variable)
            return [] if found is None else [found]


def failing(test: ast.expr, variable: Variable) -> list[Test]:
    """Conditions on the variable that hold where `test` is false."""
    match test:
        case ast.BoolOp(op=ast.Or(), values=values):
            return [found for value in values for found in failing(value, variable)]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return holding(operand, variable)
        case ast.BoolOp():
            return []
        case _:
            found = single_test(test, variable)
            opposite = negated(found) if found is not None else None
            return [] if opposite is None else [opposite]


def single_test(test: ast.expr, variable: Variable) -> Test | None:
    """The condition that holds where a test without `and`, `or` and `not` is true; None if it cannot be read."""
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and not variable.is_builtin(test.func.id):
        return None  # a function of the project that has the name
    match test:
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=tested), classes]) if tested == variable.name:
            return ClassTest(variable.classes_of(classes))
        case ast.Call(func=func, args=[ast.Name(id=tested)], keywords=[]) if tested == variable.name:
            # `torch.is_tensor(x)` is `isinstance(x, torch.Tensor)`.
            is_tensor = last_name(func) == "is_tensor" and variable.classes_of(func) == _IS_TENSOR
            return ClassTest(_TENSOR) if is_tensor else None
        case ast.Call(func=ast.Name(id="issubclass"), args=[cls, classes]) if is_class_of(cls, variable):
            return ClassTest(variable.classes_of(classes))
        case ast.Call(func=ast.Name(id="hasattr"), args=[ast.Name(id=tested), ast.Constant(value=str(attribute))]):
            return AttributeTest(attribute) if tested == variable.name else None
        case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id=tested), ast.Constant(value=str(attribute)), _]):
            return AttributeTest(attribute) if tested == variable.name and _is_falsy(test.args[2]) else None
        case ast.Name(id=held) if held in variable.attributes:
            value = variable.attributes[held]
            return single_test(value, variable) if value.lineno < test.lineno else None
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _comparison(left, operator, right, variable)
        case ast.Call(func=ast.Attribute(value=value, attr=how), args=[ast.Constant(value=str(text))]):
            return NameTest(how, text) if how in _METHODS - {"find"} and is_class_name(value, variable) else None
        case _:
            return None


def is_none_or_attribute(node: ast.AST | None, name: str) -> bool:
    """True for `getattr(name, "attribute", None)`."""
    match node:
        case ast.Call(
            func=ast.Name(id="getattr"),
            args=[ast.Name(id=tested), ast.Constant(value=str()), ast.Constant(value=None)],
        ):
            return tested == name
    return False


def _comparison(left: ast.expr, operator: ast.cmpop, right: ast.expr, variable: Variable) -> Test | None:
    is_positive = isinstance(operator, ast.Is | ast.Eq | ast.In)
    if isinstance(operator, ast.In | ast.NotIn) and isinstance(left, ast.Constant) and isinstance(left.value, str):
        return NameTest("in", left.value, is_positive) if is_class_name(right, variable) else None
    if is_class_of(left, variable) and isinstance(
        operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq | ast.In | ast.NotIn
    ):
        return ClassTest(variable.classes_of(right), is_positive)
    if is_class_name(left, variable) and isinstance(operator, ast.In | ast.NotIn):
        names = variable.texts_in(right)
        return NameInTest(names.texts, names.is_complete, is_positive)
    if is_class_name(left, variable) and isinstance(operator, ast.Eq | ast.NotEq) and _is_text(right):
        return NameTest("==", _text(right), is_positive)
    if isinstance(left, ast.Call) and isinstance(left.func, ast.Attribute) and left.func.attr == "find" and left.args:
        is_found = isinstance(operator, ast.NotEq) and ast.unparse(right) == "-1"
        is_found = is_found or (isinstance(operator, ast.GtE) and ast.unparse(right) == "0")
        if is_found and _is_text(left.args[0]) and is_class_name(left.func.value, variable):
            return NameTest("in", _text(left.args[0]))
    is_none = isinstance(right, ast.Constant) and right.value is None
    if is_none and isinstance(operator, ast.Is | ast.IsNot):
        found = single_test(left, variable)
        is_one = isinstance(left, ast.Name) or is_none_or_attribute(left, variable.name)  # another default is not None
        if is_one and isinstance(found, AttributeTest):
            return found if isinstance(operator, ast.IsNot) else negated(found)
    return None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _is_falsy(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def is_class_of(node: ast.expr, variable: Variable) -> bool:
    """True for `type(m)` and `m.__class__`."""
    match node:
        case ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=tested)]):
            return tested == variable.name and variable.is_builtin("type")
        case ast.Attribute(value=ast.Name(id=tested), attr="__class__"):
            return tested == variable.name
        case _:
            return False


def is_class_name(node: ast.expr, variable: Variable) -> bool:
    """True for an expression that gives the name of the class of the variable."""
    match node:
        case ast.Attribute(value=value, attr="__name__" | "__qualname__"):
            return is_class_of(value, variable)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=tested), attr="_get_name"), args=[]):
            return tested == variable.name
        case ast.Name(id=held):
            return held in variable.class_names
        case _:
            return False


def matched(pattern: ast.pattern, classes_of: Callable[[ast.expr], Classes]) -> Classes:
    """The classes that a `case` pattern matches; None where it matches anything else as well."""
    match pattern:
        case ast.MatchClass(cls=cls):
            return classes_of(cls)
        case ast.MatchAs(pattern=inner) if inner is not None:
            return matched(inner, classes_of)
        case ast.MatchOr(patterns=patterns):
            found = [matched(inner, classes_of) for inner in patterns]
            known = [each for each in found if each is not None]
            return frozenset().union(*known) if len(known) == len(found) else None
        case _:
            return None
