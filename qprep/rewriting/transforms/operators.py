"""Operators become calls: `a + b` → `self.add(a, b)`, `a += b` → `a = self.add(a, b)`, `-a` → `self.neg(a)`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter.tensor_arithmetic import SYMBOLS
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import walk
from qprep.foundation.catalogue.call_signature import parse_constructor
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece, closing, opening
from qprep.rewriting.module_call import construct, declare, missing
from qprep.rewriting.safety.unique_reference import is_fresh
from qprep.rewriting.transforms.islands import without_module
from qprep.rewriting.transforms.repeated_targets import evaluated_once, with_names

if TYPE_CHECKING:
    from qprep.analysis.facts import OpSite
    from qprep.foundation.catalogue.op import Op
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.source_code import Code

Pieces = tuple[Piece, ...]


def operator(scope: Scope, site: OpSite) -> Pieces | Rejection:
    """Rewrite a binary, unary or augmented operator."""
    node = scope.node
    if isinstance(node, ast.AugAssign):
        return _augmented(scope, site, node)
    if isinstance(node, ast.BinOp):
        if any(isinstance(part, ast.Yield | ast.YieldFrom | ast.Await) for part in (node.left, node.right)):
            return Rejection("an operand suspends the function", RejectionCode.CALL_FORM)
        if site.scalar and site.number_first and _needs_number_last(site.op):
            return _turned(scope, site, node)
    if site.op.module is None:
        return without_module(scope, site)
    name = declare(scope, site.op, construct(scope, site.op, {}), many=site.count > 1)
    if isinstance(name, Rejection):
        return name
    if isinstance(node, ast.BinOp):
        return _binary(scope.code, node, name)
    assert isinstance(node, ast.UnaryOp)
    return _unary(scope.code, node, name)


def _turned(scope: Scope, site: OpSite, node: ast.BinOp) -> Pieces | Rejection:
    """`2.0 * x` → `self.mul(x, 2.0)`: sums and products of floats are the same bit for bit in either order."""
    code = scope.code
    start, end = code.span(node)
    right_start, right_end = code.span(node.right)
    gap = code.text[start:right_start]
    if not isinstance(node.op, ast.Add | ast.Mult) or not _is_pure(node.left):
        return Rejection(
            "the module takes the number after the tensor, and the operands cannot be swapped", RejectionCode.CALL_FORM
        )
    if "\n" in gap or "\r" in gap or "#" in gap or _holds_site(scope, node.left):
        return Rejection(
            "the module takes the number after the tensor, and the operator ends its line", RejectionCode.LAYOUT
        )
    if site.op.module is None:
        return missing(scope, site.op)
    name = declare(scope, site.op, construct(scope, site.op, {}), many=site.count > 1)
    if isinstance(name, Rejection):
        return name
    extent = end - start
    pieces = [opening(start, f"{guard_space(code, start)}{name}(", extent), Piece(start, right_start, "")]
    pieces += [Piece(i, i + 1, "") for i in _closers(code, right_end, end)]
    pieces.append(closing(end, f", {code.slice(node.left)})", extent))
    return tuple(pieces)


def _is_pure(node: ast.expr) -> bool:
    """True if a number can be read later as well: it is made of names and constants."""
    parts = (ast.Constant, ast.Name, ast.Attribute, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop, ast.expr_context)
    return all(isinstance(part, parts) for part in ast.walk(node))


def _needs_number_last(op: Op) -> bool:
    return op.dedicated is not None and op.dedicated.number_last


def guard_space(code: Code, offset: int) -> str:
    """A space where a name would run into the word before it: `return-x`."""
    before = code.text[offset - 1] if offset else " "
    return " " if before.isalnum() or before == "_" else ""


def drop_parentheses(code: Code, start: int, end: int) -> list[Piece]:
    """Remove the opening parentheses between two offsets."""
    return [Piece(i, i + 1, "") for i in range(start, end) if code.text[i] == "("]


def _binary(code: Code, node: ast.BinOp, name: str) -> Pieces:
    start, end = code.span(node)
    left_start, left_end = code.span(node.left)
    right_start, right_end = code.span(node.right)
    operator_start = code.skip_blank(left_end, ")")
    operator_end = operator_start + len(SYMBOLS[type(node.op)])
    extent = end - start
    pieces = [opening(start, f"{guard_space(code, start)}{name}(", extent), closing(end, ")", extent)]
    pieces += drop_parentheses(code, start, left_start)
    pieces += _between(code, left_end, operator_start, operator_end, right_start)
    pieces += [Piece(i, i + 1, "") for i in _closers(code, right_end, end)]
    return tuple(pieces)


def _closers(code: Code, start: int, end: int) -> list[int]:
    """Offsets of the closing parentheses between two offsets, comments skipped."""
    found: list[int] = []
    offset = code.skip_blank(start)
    while offset < end:
        if code.text[offset] == ")":
            found.append(offset)
        offset = code.skip_blank(offset + 1)
    return found


def _between(code: Code, left_end: int, operator_start: int, operator_end: int, right_start: int) -> list[Piece]:
    """The operator becomes a comma; on one line it takes the blanks around it along."""
    gap = code.text[left_end:right_start]
    if "\n" not in gap and "\r" not in gap:
        return [Piece(left_end, right_start, ", ")]
    pieces = [Piece(i, i + 1, "") for i in _closers(code, left_end, operator_start)]
    pieces.append(Piece(left_end, left_end, ",", 0, 1 << 60))
    after = operator_end
    while after < right_start and code.text[after] in " \t":
        after += 1
    before = operator_start
    if code.text[after : after + 1] in ("\r", "\n", "\\"):
        while before > left_end and code.text[before - 1] in " \t":
            before -= 1
        after = operator_end
    pieces.append(Piece(before, after, ""))
    pieces += drop_parentheses(code, after, right_start)
    return pieces


def _unary(code: Code, node: ast.UnaryOp, name: str) -> Pieces:
    start, end = code.span(node)
    inner_start, inner_end = code.span(node.operand)
    extent = end - start
    head = opening(start, f"{guard_space(code, start)}{name}(", extent)
    pieces = [head, closing(end, ")", extent), Piece(start, start + 1, "")]
    pieces += drop_parentheses(code, start + 1, inner_start)
    pieces += [Piece(i, i + 1, "") for i in _closers(code, inner_end, end)]
    return tuple(pieces)


def _augmented(scope: Scope, site: OpSite, node: ast.AugAssign) -> Pieces | Rejection:
    if site.op.module is None:
        return missing(scope, site.op)
    settings = {"inplace": "True"}
    if "inplace" not in parse_constructor(site.op.module).parameters:
        if site.op.dedicated is None or not is_fresh(scope, node):
            return Rejection(f"no dedicated module does `{SYMBOLS[type(node.op)]}=` in place", RejectionCode.NO_MODULE)
        settings = {}
    if site.scalar and site.number_first and _needs_number_last(site.op):
        return Rejection("the module takes the number after the tensor", RejectionCode.CALL_FORM)
    if _holds_site(scope, node.target):
        return Rejection("the target would be evaluated twice", RejectionCode.CALL_FORM)
    once = evaluated_once(scope, node.target)
    if isinstance(once, Rejection):
        return once
    if isinstance(node.value, ast.Yield | ast.YieldFrom | ast.Await):
        return Rejection("an operand suspends the function", RejectionCode.CALL_FORM)
    code = scope.code
    name = declare(scope, site.op, construct(scope, site.op, settings), many=site.count > 1)
    if isinstance(name, Rejection):
        return name
    end = code.span(node)[1]
    target_end = code.span(node.target)[1]
    operator_start = code.skip_blank(target_end, ")")
    operator_end = operator_start + len(SYMBOLS[type(node.op)]) + 1
    after = operator_end
    while code.text[after] in " \t":
        after += 1
    head = f"= {name}({with_names(code, node.target, once)}, "
    # A value on the next line behind a backslash stays there: the call's parentheses allow it.
    named = [Piece(*code.span(part), name) for part, name in once]
    return (*named, Piece(operator_start, after, head), closing(end, ")", end - code.span(node)[0]))


def _holds_site(scope: Scope, target: ast.expr) -> bool:
    """True if an operation on activations stands in a target, which is copied as it was: `x[i + 1] += y`."""
    inside = (part for part in walk(target) if isinstance(part, ast.expr))
    return any(Place.of(scope.code.module, part) in scope.context.facts.ops for part in inside)
