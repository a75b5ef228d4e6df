"""Losses in a forward: no part of what is deployed, so their operations need no modules.

A value is a loss if a loss function of torch computes it, or arithmetic on such a value. Besides, all that a branch
computes is for a loss if it runs only where an optional input is given, computes a loss, and gives the code behind it
nothing else: `if labels is not None:`.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, TypeGuard

from qprep.analysis.symbols.ast_utils import last_name, walk
from qprep.analysis.values.abstract_values import FunctionRef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

_HOMES = frozenset(("torch", "torch.nn.functional"))
_CLASSES = frozenset(("torch.nn", "torch.nn.modules.loss"))
_NAMES = ("cross_entropy", "kl_div")
_WORDS = re.compile(r"[A-Z]?[a-z]+")


def is_loss(name: str) -> bool:
    """True for a loss function or a loss class of torch, by its dotted name."""
    home, _, last = name.rpartition(".")
    if home in _CLASSES:
        return last.endswith(("Loss", "Loss2d"))
    return home in _HOMES and (last.endswith("_loss") or any(part in last for part in _NAMES))


def is_for_loss(analysis: Analysis, frame: Frame, test: ast.expr, taken: bool, body: Sequence[ast.stmt]) -> bool:
    """True if a branch runs only where an optional input is given, and computes a loss."""
    names = {name for part in _parts(test, taken) if (name := _given(part, taken)) is not None}
    if not (names & _optional(analysis, frame) and any(map(_computes_loss, body))):
        return False
    function = analysis.project.function_node(FunctionRef(frame.index.name, frame.function))
    return function is not None and _gives_loss_alone(function, body)


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


def _gives_loss_alone(function: ast.FunctionDef, body: Sequence[ast.stmt]) -> bool:
    """True if the code behind a branch reads nothing that the branch computes, except for losses.

    A value that a statement returns, stores in an object or gives to a method of one counts as read.
    """
    inside = {node for line in body for node in walk(line)}
    lines = [part for node in inside if isinstance(node, ast.stmt) and not _is_block(node) for part in _results(node)]
    others = [line for line in lines if not _computes_loss(line)]
    read = {node.id for node in walk(function) if node not in inside and _is_read(node)}
    for line in others:
        if not _binds_names_alone(line):
            read |= {node.id for node in walk(line) if _is_read(node)}
            if any(isinstance(node, ast.BinOp | ast.Call) for node in walk(line)):
                return False
    bound = {node.id for line in others for node in walk(line) if isinstance(node, ast.Name) and not _is_read(node)}
    return bound.isdisjoint(read)


def _is_block(node: ast.stmt) -> bool:
    return isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try)


def _results(line: ast.stmt) -> Sequence[ast.AST]:
    """The statement; of one that returns several values, each of these."""
    return line.value.elts if isinstance(line, ast.Return) and isinstance(line.value, ast.Tuple) else [line]


def _binds_names_alone(line: ast.AST) -> bool:
    """True for an assignment to variables, and for a statement that keeps nothing."""
    match line:
        case ast.Assign(targets=targets):
            return all(isinstance(part, ast.Name | ast.Tuple) for target in targets for part in _targets(target))
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return isinstance(target, ast.Name)
        case ast.Assert() | ast.Raise() | ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
    return False


def _targets(target: ast.expr) -> list[ast.expr]:
    return [part for each in target.elts for part in _targets(each)] if isinstance(target, ast.Tuple) else [target]


def _is_read(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def _computes_loss(line: ast.AST) -> bool:
    """True if code assigns something called a loss, or calls what is named so."""
    for node in walk(line):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and _is_called_loss(node.id):
            return True
        if isinstance(node, ast.Call):
            name = last_name(node.func)
            if _is_called_loss(name) or any(part in name.lower() for part in _NAMES):
                return True
    return False


def _is_called_loss(name: str) -> bool:
    """True if one of the words of a name is `loss` or `losses`: `loss_fct`, `BCELoss`, and not `glossy`."""
    return not {"loss", "losses"}.isdisjoint(word.lower() for word in _WORDS.findall(name))
