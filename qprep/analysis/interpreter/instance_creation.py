"""New instances: of classes of the project, and of torch.nn."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing, escape
from qprep.analysis.interpreter import (
    constructor_arguments,
    instances,
)
from qprep.analysis.interpreter.arguments import Arguments
from qprep.analysis.values.abstract_values import (
    PARAMETER,
    ClassRef,
    External,
    Kind,
    Mapping,
    Module,
    Sequence,
    join_all,
    modules_of,
    options,
)

if TYPE_CHECKING:
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis


def instantiate(analysis: Analysis, frame: Frame, node: ast.Call, cls: ClassRef, arguments: Arguments) -> Kind:
    """An instance of a project class."""
    constructor_arguments.note(analysis, cls, arguments)
    if not analysis.is_module(cls):
        return instances.construct(analysis, frame, cls, arguments)
    _share_kept(analysis, frame, node, cls, arguments)
    if frame.self_kind is not None:
        analysis.nested.add(cls)
    item = join_all(arguments.args) if analysis.is_container(cls) and arguments.args else None
    return Module(cls, None, analysis.origin(frame, node), item)


def _share_kept(analysis: Analysis, frame: Frame, node: ast.Call, cls: ClassRef, arguments: Arguments) -> None:
    """Modules passed to a constructor that keeps them: alone, in a tuple, or in what `*` and `**` unpack."""
    for holder, expr in arguments.unpacked:
        aliasing.unpacked(analysis, frame, holder, expr)
    if any(isinstance(expr, ast.Starred) for expr in arguments.nodes):
        return
    given: list[tuple[int | str, Kind, ast.expr]] = [
        (position, kind, expr)
        for position, (kind, expr) in enumerate(zip(arguments.args, arguments.nodes, strict=False))
    ]
    given += [(k.arg, arguments.keywords[k.arg], k.value) for k in node.keywords if k.arg in arguments.keywords]
    for name, kind, expr in given:
        parts = [(kind, expr)]
        if isinstance(expr, ast.Tuple) and isinstance(kind, Sequence) and len(kind.items or ()) == len(expr.elts):
            parts = list(zip(kind.items or (), expr.elts, strict=True))
        for value, place in parts:
            if modules_of(value) and escape.keeps(analysis, cls, name):
                aliasing.stored(analysis, frame, value, place, "argument")


def _share_arguments(analysis: Analysis, frame: Frame, arguments: Arguments) -> None:
    # What stands in one list several times is told where the list is made.
    for kind, expr in dict.fromkeys(zip(arguments.args, arguments.sources, strict=False)):
        aliasing.stored(analysis, frame, kind, expr, "argument" if expr in arguments.nodes else "unpacked")


def new_nn_module(analysis: Analysis, frame: Frame, node: ast.Call, name: str, arguments: Arguments) -> Kind:
    """An instance of a class of torch.nn; a Parameter is a tensor, a list or dict of them holds tensors."""
    if name == "torch.nn.Parameter":
        return PARAMETER
    short = name.removeprefix("torch.nn.")
    item: Kind | None = None
    if short == "Sequential":
        _share_arguments(analysis, frame, arguments)
        item = _sequence_item(arguments) if arguments.args else None
    elif short in ("ModuleList", "ModuleDict", "ParameterList", "ParameterDict"):
        first = arguments.args[0] if arguments.args else None
        item = _contents(first) if first is not None else None
        if short.startswith("Parameter"):
            return Sequence(PARAMETER) if short == "ParameterList" else Mapping(PARAMETER)
    return Module(External(name), None, analysis.origin(frame, node), item)


def _sequence_item(arguments: Arguments) -> Kind:
    """The modules of Sequential(...), in order where each is written out."""
    if arguments.exact and len(arguments.args) > 1:
        return join_all(arguments.args)
    return _contents(arguments.args[0])


def _contents(kind: Kind) -> Kind:
    parts: list[Kind] = []
    for option in options(kind):
        if isinstance(option, Sequence):
            parts.append(option.item)
        elif isinstance(option, Mapping):
            parts.append(option.value)
        elif isinstance(option, Module):
            parts.append(option)
    found = [module for part in parts for module in modules_of(part)]
    return join_all(Module(m.cls, None, None, m.item) for m in found) if found else Module(None)
