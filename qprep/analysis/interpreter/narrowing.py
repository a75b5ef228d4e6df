"""Narrowing: a test restricts a name in the branch behind it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import (
    ACTIVATION,
    NONE,
    External,
    InputPart,
    Kind,
    Returning,
    Sequence,
    Tensor,
    join_all,
    options,
)

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

# Tests about how a model is run, whose answer is known where it runs in eager mode.
STATIC = {
    "torch.jit.is_scripting": False,
    "torch.jit.is_tracing": False,
    "torch.onnx.is_in_onnx_export": False,
    "torch.compiler.is_compiling": False,
    "torch.compiler.is_exporting": False,
    "torch.compiler.is_dynamo_compiling": False,
    "typing.TYPE_CHECKING": False,
}
_IS_TENSOR = External("torch.is_tensor")


def static_truth(analysis: Analysis, frame: Frame, test: ast.expr) -> bool | None:
    """The value of a test where it is the same in every eager run."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = static_truth(analysis, frame, test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        parts = [static_truth(analysis, frame, value) for value in test.values]
        decisive = isinstance(test.op, ast.Or)
        if any(part is decisive for part in parts):
            return decisive
        return (not decisive) if all(part is (not decisive) for part in parts) else None
    if isinstance(test, ast.Compare):
        return _decorated_is_none(frame, test)
    func = test.func if isinstance(test, ast.Call) else test
    if isinstance(func, ast.Name | ast.Attribute):
        kind = analysis.name_kind(frame, func)
        if isinstance(kind, Returning):
            return None if isinstance(test, ast.Call) else True
        return STATIC.get(kind.name) if isinstance(kind, External) else None
    return None


def _decorated_is_none(frame: Frame, test: ast.Compare) -> bool | None:
    """The value of `function is None` in a decorator, which is given a function: it makes no other decorator then."""
    match test:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)]):
            kind = frame.scope.lookup(name)
            return isinstance(test.ops[0], ast.IsNot) if isinstance(kind, Returning) else None
    return None


def narrow(analysis: Analysis, frame: Frame, test: ast.expr, taken: bool) -> None:
    """Keep of each tested name the alternatives that fit the branch."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        narrow(analysis, frame, test.operand, not taken)
    elif isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) == taken:
        for value in test.values:
            narrow(analysis, frame, value, taken)
    elif isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and len(test.ops) == 1:
        _narrow_none(frame, test.left.id, test.ops[0], test.comparators[0], taken)
    elif isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id == "isinstance":
        if len(test.args) == 2:
            _narrow_instance(frame, test.args[0], _families(analysis, frame, test.args[1]), taken)
    elif isinstance(test, ast.Call) and len(test.args) == 1 and analysis.name_kind(frame, test.func) == _IS_TENSOR:
        _narrow_instance(frame, test.args[0], (Tensor,), taken)


def _narrow_none(frame: Frame, name: str, operator: ast.cmpop, other: ast.expr, taken: bool) -> None:
    kind = frame.scope.names.get(name)
    if kind is None or not isinstance(other, ast.Constant) or other.value is not None:
        return
    is_none = isinstance(operator, ast.Is | ast.Eq) == taken
    kept = [option for option in options(kind) if (option == NONE) == is_none]
    if kept:
        frame.scope.names[name] = join_all(kept)


def _narrow_instance(frame: Frame, tested: ast.expr, wanted: tuple[type[Kind], ...], taken: bool) -> None:
    """Keep the alternatives of a name that are, or are not, of one of the families `wanted`."""
    kind = frame.scope.names.get(tested.id) if isinstance(tested, ast.Name) else None
    if not isinstance(tested, ast.Name) or kind is None or not wanted:
        return
    kept: list[Kind] = [option for option in options(kind) if isinstance(option, wanted) == taken]
    if taken and Tensor in wanted and any(isinstance(option, InputPart) for option in options(kind)):
        kept.append(ACTIVATION)  # it belongs to an input, and is a tensor
    if kept:
        frame.scope.names[tested.id] = join_all(kept)


def _families(analysis: Analysis, frame: Frame, node: ast.expr) -> tuple[type[Kind], ...]:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    families: list[type[Kind]] = []
    for part in parts:
        kind = analysis.name_kind(frame, part)
        name = kind.name if isinstance(kind, External) else ""
        if name in ("torch.Tensor", "torch._tensor.Tensor"):
            families.append(Tensor)
        elif name in ("builtins.list", "builtins.tuple"):
            families.append(Sequence)
        else:
            return ()
    return tuple(families)
