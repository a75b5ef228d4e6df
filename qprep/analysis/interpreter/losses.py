"""Losses in a forward: no part of what is deployed, so their operations need no modules.

A value is a loss if a loss function of torch computes it, or arithmetic on such a value. Besides, all that a branch
computes is for a loss if it runs only where an optional input is given and computes a loss: `if labels is not None:`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import last_name, walk
from qprep.analysis.values.abstract_values import FunctionRef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

_HOMES = frozenset(("torch", "torch.nn.functional"))
_CLASSES = frozenset(("torch.nn", "torch.nn.modules.loss"))
_NAMES = ("cross_entropy", "kl_div")


def is_loss(name: str) -> bool:
    """True for a loss function or a loss class of torch, by its dotted name."""
    home, _, last = name.rpartition(".")
    if home in _CLASSES:
        return last.endswith(("Loss", "Loss2d"))
    return home in _HOMES and (last.endswith("_loss") or any(part in last for part in _NAMES))


def is_for_loss(analysis: Analysis, frame: Frame, test: ast.expr, taken: bool, body: Sequence[ast.stmt]) -> bool:
    """True if a branch runs only where an optional input is given, and computes a loss."""
    names = {name for part in _parts(test, taken) if (name := _given(part, taken)) is not None}
    return bool(names) and bool(names & _optional(analysis, frame)) and any(map(_computes_loss, body))


def rest_is_for_loss(analysis: Analysis, frame: Frame, node: ast.stmt, rest: Sequence[ast.stmt]) -> bool:
    """True if what follows `if labels is None: return …` computes a loss."""
    if not isinstance(node, ast.If) or node.orelse or not isinstance(node.body[-1], ast.Return):
        return False
    return is_for_loss(analysis, frame, node.test, False, rest)


def _parts(test: ast.expr, taken: bool) -> list[ast.expr]:
    """The tests that all hold in a branch: those of an `and`, or where the branch is not taken, of an `or`."""
    is_together = isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) == taken
    return test.values if isinstance(test, ast.BoolOp) and is_together else [test]


def _given(test: ast.expr, taken: bool) -> str | None:
    """The name that a test finds not to be None."""
    match test:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return name if taken else None
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
            return None if taken else name
    return None


def _optional(analysis: Analysis, frame: Frame) -> set[str]:
    """The parameters of the function that runs which may be left out: their default is None."""
    node = analysis.project.function_node(FunctionRef(frame.index.name, frame.function))
    if node is None:
        return set()
    positional = [*node.args.posonlyargs, *node.args.args]
    defaults = node.args.defaults
    pairs = [*zip(positional[len(positional) - len(defaults) :], defaults, strict=True)]
    pairs += [(arg, value) for arg, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value]
    return {arg.arg for arg, value in pairs if isinstance(value, ast.Constant) and value.value is None}


def _computes_loss(line: ast.stmt) -> bool:
    """True if a statement assigns something called a loss, or calls what is named so."""
    for node in walk(line):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and "loss" in node.id.lower():
            return True
        if isinstance(node, ast.Call):
            name = last_name(node.func).lower()
            if "loss" in name or any(part in name for part in _NAMES):
                return True
    return False
