"""Targets of assignments: names, attributes, items and what is unpacked."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import attributes, instances
from qprep.analysis.interpreter.items import at_index, iterate
from qprep.analysis.values.abstract_values import (
    NONE,
    UNKNOWN,
    Kind,
    Mapping,
    Object,
    Sequence,
    Tensor,
    flows,
    join,
    join_all,
    options,
)

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis


def assign(analysis: Analysis, frame: Frame, target: ast.expr, value: Kind, node: ast.expr | None) -> None:
    """Bind the names in an assignment's target; `node` is the expression of the value, where there is one."""
    if isinstance(target, ast.Name):
        frame.scope.names[target.id] = value
    elif isinstance(target, ast.Attribute):
        attributes.store(analysis, frame, target, value, node)
    elif isinstance(target, ast.Tuple | ast.List):
        _unpack(analysis, frame, target.elts, value)
    elif isinstance(target, ast.Starred):
        assign(analysis, frame, target.value, value, node)
    elif isinstance(target, ast.Subscript):
        _store_item(analysis, frame, target, value)


def _unpack(analysis: Analysis, frame: Frame, targets: list[ast.expr], value: Kind) -> None:
    starred = any(isinstance(target, ast.Starred) for target in targets)
    for position, target in enumerate(targets):
        parts: list[Kind] = []
        for option in options(value):
            if isinstance(option, Sequence) and option.items and len(option.items) == len(targets) and not starred:
                parts.append(option.items[position])
            elif option != NONE:
                item = iterate(option)
                parts.append(item if starred else at_index(item, str(position)))
        part = join_all(parts)
        assign(analysis, frame, target, Sequence(part) if isinstance(target, ast.Starred) else part, None)


def _store_item(analysis: Analysis, frame: Frame, target: ast.Subscript, value: Kind) -> None:
    """`x[i] = y`: what flows into `y` flows into `x`; a list or dict may now hold it."""
    index = analysis.evaluate(frame, target.slice)
    holder = analysis.evaluate(frame, target.value)
    if isinstance(holder, Object):
        instances.call_own(analysis, frame, holder, "__setitem__", index, value)
    elif isinstance(target.value, ast.Name | ast.Attribute):
        if isinstance(holder, Tensor) and flows(value):
            assign(analysis, frame, target.value, Tensor(True, holder.dtype, holder.is_open), None)
        elif isinstance(holder, Sequence):
            assign(analysis, frame, target.value, Sequence(join(holder.item, value)), None)
        elif isinstance(holder, Mapping):
            held = value if holder.value is UNKNOWN else join(holder.value, value)
            assign(analysis, frame, target.value, Mapping(held), None)
