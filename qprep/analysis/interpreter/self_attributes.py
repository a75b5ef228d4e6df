"""Expressions that are written `self.name`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import ClassRef, Module

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis


def self_attribute(analysis: Analysis, frame: Frame, node: ast.expr) -> str | None:
    """The name where an expression is written `self.name` (or on another value known to be self), else None."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return None
    owner = frame.scope.lookup(node.value.id)
    if not isinstance(owner, Module) or not owner.is_self or not isinstance(owner.cls, ClassRef):
        return None
    return None if analysis.defines_method(owner.cls, node.attr) else node.attr
