"""Calls of torch functions and tensor methods become calls of modules; literal settings move to the constructor."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from qprep.foundation.catalogue.op import Channels
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.callees import is_builtin, names_operation
from qprep.rewriting.composed_edits import Piece, opening
from qprep.rewriting.module_call import declare, reject_arguments, taken_names
from qprep.rewriting.transforms.argument_edits import (
    edit_arguments,
    edit_callee,
    keyword_piece,
    names_receiver,
    opening_parenthesis,
)
from qprep.rewriting.transforms.islands import without_module
from qprep.rewriting.transforms.module_targets import (
    Argument,
    ModuleTarget,
    bind,
    nn_target,
    plain_target,
    runtime_target,
)
from qprep.rewriting.transforms.operators import guard_space

if TYPE_CHECKING:
    from qprep.analysis.facts import OpSite
    from qprep.foundation.catalogue.call_signature import Spelling
    from qprep.foundation.catalogue.op import Op
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.source_code import Code

Pieces = tuple[Piece, ...]


def invocation(scope: Scope, site: OpSite) -> Pieces | Rejection:
    """Rewrite a function or method call."""
    node, spelling = scope.node, site.spelling
    assert isinstance(node, ast.Call)
    assert spelling is not None
    if site.form == "function" and not names_operation(scope, node.func, site.op):
        return _dispatched(scope, site, node)
    if site.form == "function" and spelling.is_method:  # torch.Tensor.mul(x, y)
        spelling = replace(spelling, is_method=False)
        site = replace(site, spelling=spelling)
    if site.op.module is None and site.op.nn is None:
        return without_module(scope, site)
    if _has_stars(node):
        return _pass_through(scope, site, node)
    arguments = bind(node, spelling)
    if isinstance(arguments, Rejection):
        return arguments
    target = _target(scope, site, node, arguments)
    if isinstance(target, Rejection):
        return target
    edits = edit_arguments(scope.code, node, spelling, arguments, target)
    if edits is None:
        target = plain_target(scope, site)
        if isinstance(target, Rejection):
            return target
        edits = edit_arguments(scope.code, node, spelling, arguments, target)
    if edits is None:
        return Rejection("its arguments cannot be passed on without moving a comment", RejectionCode.LAYOUT)
    op = site.op if target.parameters != ("",) else replace(site.op, dedicated=None)
    if (reason := _rejection_of(op, spelling, arguments, target)) is not None:
        return reason
    edits += _spread(scope.code, op, arguments)
    made = _written_into(scope, op, node, target.constructor)
    name = made if isinstance(made, Rejection) else declare(scope, op, made, many=site.count > 1)
    if isinstance(name, Rejection):
        return name
    receiver = f"{spelling.parameters[0].name}=" if names_receiver(spelling, target) else ""
    return (*edit_callee(scope.code, node, spelling, name, edits, receiver), *edits)


def _target(scope: Scope, site: OpSite, node: ast.Call, arguments: list[Argument]) -> ModuleTarget | Rejection:
    """The module for a call; with `out=` in front of other arguments, all of them stay where they are."""
    if any(keyword.arg == "out" for keyword in node.keywords[:-1]):
        return plain_target(scope, site)
    return nn_target(scope, site, arguments) or runtime_target(scope, site, arguments)


def _written_into(scope: Scope, op: Op, node: ast.Call, constructor: str) -> str | Rejection:
    """The constructor, in one that takes `out=` where the call has that."""
    out = next((keyword.value for keyword in node.keywords if keyword.arg == "out"), None)
    if out is None:
        return constructor
    if isinstance(out, ast.Tuple | ast.List):
        return Rejection("`out=` writes into several tensors", RejectionCode.CALL_FORM)
    if op.quantizer == "float" or op.channels in (Channels.FOLD, Channels.ALONG):
        return Rejection("the operation computes in the dtype of `out=`", RejectionCode.CALL_FORM)
    return f"{scope.runtime('Into')}({constructor})"


def _rejection_of(op: Op, spelling: Spelling, arguments: list[Argument], target: ModuleTarget) -> Rejection | None:
    """The reason why the call of another library's module cannot take the remaining arguments."""
    takes = taken_names(op)
    if takes is None or op.dedicated is None or op.dedicated.takes is None:
        return None
    left = [a for a in arguments if a.name not in target.moved]
    placed = [spelling.parameters[0].name] if spelling.is_method else []
    placed += [a.name for a in left if a.keyword is None]
    reason = reject_arguments(op, [*placed, *(a.name for a in left)])
    if reason is not None:
        return reason
    if any(a.keyword is not None and f"{a.name}=" not in op.dedicated.takes for a in left):
        return Rejection("the module takes its inputs by position, but the call names them", RejectionCode.CALL_FORM)
    if tuple(placed) != takes[: len(placed)]:
        return Rejection("the module takes its inputs in another order", RejectionCode.CALL_FORM)
    return None


def _spread(code: Code, op: Op, arguments: list[Argument]) -> list[Piece]:
    """The tensors of a sequence, one by one: `[x, y]` → `x, y`, `xs` → `*xs`."""
    if op.dedicated is None or not op.dedicated.spread or not op.dedicated.takes:
        return []
    first = next((a.value for a in arguments if a.name == op.dedicated.takes[0]), None)
    if first is None:
        return []
    start, end = code.span(first)
    if isinstance(first, ast.List | ast.Tuple) and first.elts and code.text[start] in "[(":
        return [Piece(start, start + 1, ""), Piece(end - 1, end, "")]
    return [Piece(start, start, "*")]


def _dispatched(scope: Scope, site: OpSite, node: ast.Call) -> Pieces | Rejection:
    """`act(x)` where `act` is a parameter, a choice or a partial → `self.act(act, x)`: a Dispatch runs what it gets."""
    if is_builtin(scope, node.func) or site.op.dedicated is not None:
        return Rejection(
            "the function is passed to another that calls it, with arguments that are unknown before the code runs",
            RejectionCode.RUN_ONLY,
        )
    if site.place in scope.context.facts.helpers:
        return Rejection("the function may also be one of the project", RejectionCode.RUN_ONLY)
    code, (start, end) = scope.code, scope.code.span(node)
    behind, paren = code.span(node.func)[1], opening_parenthesis(code, node)
    if "#" in code.text[behind:paren]:
        return Rejection("a comment precedes its arguments", RejectionCode.LAYOUT)
    comma = "" if code.text[code.skip_blank(paren + 1)] == ")" else ", "
    base = node.func.id if isinstance(node.func, ast.Name) else "dispatch"
    name = scope.declare(base, f"{scope.runtime('Dispatch')}()", many=site.count > 1)
    closing = code.text[behind:paren].rstrip() + comma
    return (opening(start, f"{guard_space(code, start)}{name}(", end - start), Piece(behind, paren + 1, closing))


def _has_stars(node: ast.Call) -> bool:
    return any(isinstance(arg, ast.Starred) for arg in node.args) or any(k.arg is None for k in node.keywords)


def _pass_through(scope: Scope, site: OpSite, node: ast.Call) -> Pieces | Rejection:
    """A call with `*args`: only the callee changes, where the module takes the same parameters in the same order."""
    spelling, first = site.spelling, scope.context.analysis.catalogue.spellings(site.op)[0]
    assert spelling is not None
    if any(keyword.arg == "out" for keyword in node.keywords):
        return Rejection(
            "`out=` writes into another tensor, and the other arguments are known at run time only",
            RejectionCode.RUN_ONLY,
        )
    same = [p.name for p in spelling.parameters] == [p.name for p in first.parameters]
    elsewhere = site.op.dedicated is not None and site.op.dedicated.takes is not None
    if not same or spelling.is_inplace or elsewhere:
        return Rejection("its arguments are known at run time only", RejectionCode.RUN_ONLY)
    target = plain_target(scope, site)
    if isinstance(target, Rejection):
        return target
    edits = _passed_keywords(scope.code, node, spelling, target)
    if isinstance(edits, Rejection):
        return edits
    name = declare(scope, site.op, target.constructor, many=site.count > 1)
    if isinstance(name, Rejection):
        return name
    return (*edit_callee(scope.code, node, spelling, name, edits), *edits)


def _passed_keywords(code: Code, node: ast.Call, spelling: Spelling, target: ModuleTarget) -> list[Piece] | Rejection:
    """Keywords under the names that the module knows; `**settings` are taken where those are the only ones."""
    taken = {name.removeprefix("*") for name in target.parameters}
    named = {parameter.name for k in node.keywords if k.arg and (parameter := spelling.parameter(k.arg)) is not None}
    listed = 0 if any(isinstance(arg, ast.Starred) for arg in node.args) else len(node.args)
    left = [p for p in spelling.parameters[listed:] if p.name not in named]
    plain = all(p.keywords == (p.name,) and p.name in taken for p in left)
    pieces: list[Piece] = []
    for keyword in node.keywords:
        if keyword.arg is None:
            if not plain or not spelling.qualified.startswith("torch.nn.functional."):  # others take `out=`, too
                return Rejection("its arguments are known at run time only", RejectionCode.RUN_ONLY)
            continue
        parameter = spelling.parameter(keyword.arg)
        if parameter is None or parameter.name not in taken:
            return Rejection(f"`{keyword.arg}` is not a parameter of the dedicated module", RejectionCode.CALL_FORM)
        if parameter.name != keyword.arg:
            pieces.append(keyword_piece(code, keyword, parameter.name))
    return pieces
