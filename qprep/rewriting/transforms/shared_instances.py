"""One instance in several places, or made once for all: each place gets its own."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.facts import MANY
from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import is_attribute_of
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece, closing, opening
from qprep.rewriting.rewrite_result import OWNER
from qprep.rewriting.safety.mutation import changed_attribute, changed_global, changed_name, changed_source
from qprep.rewriting.safety.observability import holds_no_state, memory, reason_to_stay_one

if TYPE_CHECKING:
    from qprep.analysis.facts import ModuleCall, Sharing
    from qprep.rewriting.fix_scope import Scope

Pieces = tuple[Piece, ...]
_HIDDEN = "it would be stored in a plain list or dict, where a quantizer does not find modules: use nn.ModuleList"
_GIVEN = "it is called under a name that may refer to another module at run time"


def separate_instance(scope: Scope, sharing: Sharing) -> Pieces | Rejection:
    """The place of an instance that others hold too gets an instance of its own."""
    if (rejection := _reason_to_leave(scope, sharing) or memory(scope.context, sharing.classes)) is not None:
        return rejection
    listed = ""
    if not all(holds_no_state(scope.context, name) for name in sharing.classes):
        if (rejection := reason_to_stay_one(scope, sharing)) is not None:
            return rejection
        if not scope.target.is_own:
            return Rejection(
                f"it has, or may have, parameters, and {scope.target.name} would convert them once",
                RejectionCode.NO_MODULE,
            )
        listed = ", listed=True"
    name = scope.runtime(_function(scope, sharing))
    start, end = scope.code.span(scope.node)  # type: ignore[arg-type]
    if sharing.how == "copy" and isinstance(scope.node, ast.Call):
        inner = scope.code.span(scope.node.args[0])
        return (Piece(start, end, f"{name}({scope.code.text[slice(*inner)]}{listed})"),)
    return (opening(start, f"{name}(", end - start), closing(end, f"{listed})", end - start))


def _function(scope: Scope, sharing: Sharing) -> str:
    """The text that makes a separate instance of the module there, or of each in a list."""
    if sharing.how == "repetition":
        return "distinct"
    return "unshared" if sharing.how == "common" and _is_parameter(scope) else "another"


def _reason_to_leave(scope: Scope, sharing: Sharing) -> Rejection | None:
    node = scope.node
    if sharing.how == "unpacked":
        return Rejection(
            "all modules of a list or dict are used again: create a second list or dict", RejectionCode.MUTATION
        )
    if isinstance(node, ast.AugAssign):
        return Rejection("the list is repeated in place: create its items in a comprehension", RejectionCode.MUTATION)
    parent = scope.code.parents[node]
    outer = parent if isinstance(parent, ast.List | ast.Dict | ast.ListComp | ast.DictComp) else node
    statement = scope.code.parents[outer]
    if sharing.how in ("container", "repetition") and isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if any(isinstance(target, ast.Attribute) for target in targets):
            return Rejection(_HIDDEN, RejectionCode.MUTATION)
    owner = Unit(scope.code.module, DefinitionName.parse(sharing.function).owner, True)
    return (
        changed_name(scope, node)
        or changed_source(scope.context, owner, node)
        or changed_global(scope, node)
        or _changed_target(scope, sharing)
    )


def _changed_target(scope: Scope, sharing: Sharing) -> Rejection | None:
    """A rejection where something changes the attribute that gets the instance."""
    statement = scope.code.parents[scope.node]
    cls = DefinitionName.parse(sharing.function).owner
    for target in statement.targets if isinstance(statement, ast.Assign) and cls else ():
        if isinstance(target, ast.Attribute):
            unit = Unit(scope.code.module, cls, True)
            made = [sharing.place]
            rejection = changed_attribute(scope.context, unit, target.attr, made, may_be_other=True)
            if rejection is not None:
                return rejection
    return None


def _is_parameter(scope: Scope) -> bool:
    function = scope.code.function(scope.node)
    return function is not None and isinstance(scope.node, ast.Name) and scope.node.id in _local_names(function)


def _local_names(function: ast.FunctionDef) -> set[str]:
    names = {part.arg for part in ast.walk(function.args) if isinstance(part, ast.arg)}
    stored = (part for part in ast.walk(function) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
    return names | {part.id for part in stored}


def separate_common_call(scope: Scope, call: ModuleCall) -> Pieces | Rejection:
    """`self.act(x)` of what the class holds, `ACT(x)` of what the file holds: an instance that self holds."""
    node = scope.node
    assert isinstance(node, ast.Call)
    func, function = node.func, scope.code.function(node)
    if (rejection := memory(scope.context, call.classes_inside)) is not None:
        return rejection
    if is_attribute_of(func, scope.owner):
        if (rejection := changed_attribute(scope.context, scope.unit, func.attr, ())) is not None:
            return rejection
        name, held = func.attr, f"{OWNER}.{func.attr}"
    elif isinstance(func, ast.Name) and function is not None and func.id not in _local_names(function):
        if (rejection := changed_global(scope, func)) is not None:
            return rejection
        name, held = func.id.lower(), func.id
    else:
        return Rejection(_GIVEN, RejectionCode.MUTATION)
    attribute = scope.declare(name, f"{scope.runtime('another')}({held})", many=call.count >= MANY)
    start, end = scope.code.span(func)
    return (Piece(start, end, attribute),)
