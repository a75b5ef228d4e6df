"""The scope that a call begins with: what each parameter is, from the arguments, else from the function itself."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import parameter_types
from qprep.analysis.interpreter.arguments import Callee
from qprep.analysis.values.abstract_values import (
    OTHER,
    PART,
    UNKNOWN,
    Kind,
    Mapping,
    Sequence,
    Tensor,
    join_all,
)

if TYPE_CHECKING:
    from qprep.analysis.interpreter.arguments import Arguments
    from qprep.analysis.interpreter.protocol import Analysis


def bind(analysis: Analysis, callee: Callee, arguments: Arguments | None) -> dict[str, Kind]:
    """The parameters by name; without `arguments` all follow from the definition of the function."""
    node = callee.node
    given, extra = _given(callee, arguments)
    names: dict[str, Kind] = {}
    for arg, default in parameter_types.all_parameters(node):
        omitted = arguments is not None and default is not None and arg.arg not in given
        kind = analysis.default_kind(callee.index, default) if omitted and not callee.constructs else None
        names[arg.arg] = kind or _parameter(analysis, callee, arg, default, given.get(arg.arg))
    if node.args.vararg is not None:
        unnamed = Tensor(True) if arguments is None and not callee.constructs else UNKNOWN
        names[node.args.vararg.arg] = Sequence(join_all(extra) if extra else unnamed, tuple(extra) or None)
    if node.args.kwarg is not None:
        names[node.args.kwarg.arg] = Mapping(PART if callee.is_entry and not callee.constructs else UNKNOWN)
    return names


def _given(callee: Callee, arguments: Arguments | None) -> tuple[dict[str, Kind], list[Kind]]:
    """The arguments of the call: by name of the parameter, and those beyond the last one."""
    positional = [arg.arg for arg in (*callee.node.args.posonlyargs, *callee.node.args.args)]
    values = list(arguments.args) if arguments is not None else []
    if callee.bound is not None and positional:
        values.insert(0, callee.bound)
    given = dict(zip(positional, values, strict=False))
    if arguments is not None:
        if arguments.is_open and arguments.args:
            given |= dict.fromkeys(positional[len(values) :], arguments.args[-1])
        given |= arguments.keywords
    return given, values[len(positional) :]


def _parameter(analysis: Analysis, callee: Callee, arg: ast.arg, default: ast.expr | None, given: Kind | None) -> Kind:
    index, node, is_entry = callee.index, callee.node, callee.is_entry
    if given is not None and not (given == UNKNOWN and (is_entry or arg.annotation is not None)):
        return given
    if callee.constructs and callee.cls is not None:
        return parameter_types.constructor_kind(analysis, index, arg, default, callee.cls)
    optional = isinstance(default, ast.Constant) and default.value is None
    told = given is not None or default is None or optional or arg.annotation is not None
    if is_entry and not isinstance(node, ast.AsyncFunctionDef) and told:
        return parameter_types.forward_kind(analysis, callee, node, arg, default)
    if given is None and default is not None:
        return analysis.default_kind(index, default) or UNKNOWN
    kind = analysis.annotated(index, arg.annotation) if arg.annotation is not None else None
    return kind if kind is not None and kind != OTHER else UNKNOWN
