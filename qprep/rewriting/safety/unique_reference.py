"""True if a local is the only name of a tensor, so that writing into it and making a new one are the same to all."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from qprep.analysis.values.abstract_values import ClassRef, External, modules_of

if TYPE_CHECKING:
    from qprep.rewriting.fix_scope import Scope

# Modules of torch.nn whose output is never their input, nor a view of it.
_MAKING: Final = ("Conv", "BatchNorm", "Linear", "LayerNorm", "GroupNorm", "InstanceNorm", "Bilinear", "Embedding")


def is_fresh(scope: Scope, node: ast.AugAssign) -> bool:
    """`out = self.conv(x)` before `out += y` in the same block, with nothing between them that mentions `out`."""
    if not isinstance(node.target, ast.Name):
        return False
    parent = scope.code.parents[node]
    body = next(
        (b for b in (getattr(parent, n, None) for n in ("body", "orelse")) if isinstance(b, list) and node in b), []
    )
    for statement in reversed(body[: body.index(node)] if body else []):
        if not any(isinstance(part, ast.Name) and part.id == node.target.id for part in ast.walk(statement)):
            continue
        return _makes(scope, statement, node.target.id)
    return False


def _makes(scope: Scope, statement: ast.stmt, name: str) -> bool:
    """`name = self.conv(…)`."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    target, value = statement.targets[0], statement.value
    if not isinstance(target, ast.Name) or target.id != name or not isinstance(value, ast.Call):
        return False
    func = value.func
    if not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Name) or func.value.id != scope.owner:
        return False
    analysis = scope.context.analysis
    entry = analysis.attributes_of(ClassRef(scope.unit.module, scope.unit.name)).names.get(func.attr)
    classes = [module.cls for module in modules_of(entry.kind)] if entry is not None else []
    return bool(classes) and all(
        isinstance(cls, External) and cls.name.removeprefix("torch.nn.").startswith(_MAKING) for cls in classes
    )
