"""Attributes that code names by a text: getattr, setattr, operator.methodcaller."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import attributes
from qprep.analysis.values.abstract_values import (
    NONE,
    OTHER,
    UNKNOWN,
    ClassRef,
    External,
    Kind,
    Module,
    Partial,
    Tensor,
    Word,
    join_all,
    modules_of,
    options,
)
from qprep.analysis.values.access_paths import AccessPath
from qprep.foundation.catalogue.lookup import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.interpreter.arguments import Arguments
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

_NAMESPACES = frozenset(("torch", "torch.nn.functional", "torch.Tensor"))


def attribute(analysis: Analysis, frame: Frame, node: ast.Call, short: str, arguments: Arguments) -> Kind:
    """getattr and setattr, with a name that is written out, or an unknown one; and type."""
    if short == "type":
        return _class_of(arguments)
    if len(arguments.args) < 2 or len(node.args) < 2:
        return UNKNOWN
    owner, name = arguments.args[0], node.args[1]
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return _written_out(analysis, frame, node, short, arguments, name.value)
    if not (isinstance(owner, Module) and owner.is_self and isinstance(owner.cls, ClassRef)):
        return join_all(_operations(analysis, frame, owner, arguments.args[1])) if short == "getattr" else NONE
    if short == "getattr":
        return _of_self(analysis, frame, owner, name)
    if modules_of(arguments.args[2]):
        added = join_all(Module(m.cls, None, None, m.item) for m in modules_of(arguments.args[2]))
        analysis.attributes_of(owner.cls).add_dynamic(added)
    return NONE


def _class_of(arguments: Arguments) -> Kind:
    """The class of an object of the project: `type(self)`."""
    found = [getattr(option, "cls", None) for option in options(arguments.args[0])] if len(arguments.args) == 1 else []
    known = [cls for cls in found if isinstance(cls, ClassRef)]
    return join_all(known) if known and len(known) == len(found) else OTHER


def _written_out(analysis: Analysis, frame: Frame, node: ast.Call, short: str, arguments: Arguments, name: str) -> Kind:
    owner = arguments.args[0]
    if short == "getattr":
        found = analysis.attribute_of(frame, owner, name)
        return join_all([found, *arguments.args[2:]]) if found is not UNKNOWN else UNKNOWN
    if isinstance(owner, Module) and owner.is_self and isinstance(owner.cls, ClassRef):
        attributes.bind(analysis, frame, owner.cls, name, arguments.args[2], node.args[2])
    return NONE


def _operations(analysis: Analysis, frame: Frame, owner: Kind, name: Kind) -> Iterator[Kind]:
    """Functions of torch, or methods of a tensor, by a name that the run knows: those it may be, and any other."""
    for option in options(owner):
        is_namespace = isinstance(option, External) and option.name in _NAMESPACES
        for word in options(name) if is_namespace or isinstance(option, Tensor) else ():
            if isinstance(word, Word):
                yield analysis.attribute_of(frame, option, word.text)
            elif isinstance(option, External):
                yield External(f"{option.name}.{UNNAMED}")
            else:
                yield Partial(External(f"torch.Tensor.{UNNAMED}"), (option,), ())


def _of_self(analysis: Analysis, frame: Frame, owner: Module, name: ast.expr) -> Kind:
    """Modules added under unknown names, and methods that a name made of texts may be of."""
    assert isinstance(owner.cls, ClassRef)
    methods = [
        attributes.class_attribute(analysis, owner.cls, owner, method)
        for method in _matching(name, analysis.project.method_names(owner.cls))
    ]
    table = analysis.attributes_of(owner.cls)
    if table.dynamic is None:
        return join_all(methods)
    loops = frozenset(
        frame.loop_names[n.id] for n in ast.walk(name) if isinstance(n, ast.Name) and n.id in frame.loop_names
    ) & frozenset(frame.loops)
    path = AccessPath(("getattr",)).item(ast.unparse(name))
    found = (Module(m.cls, path, None, m.item, loops) for m in modules_of(table.dynamic))
    return join_all([*methods, *found])


def _matching(name: ast.expr, known: list[str]) -> list[str]:
    """The known names that `f"run_{kind}"` can be: at least a part of it must be written out."""
    if not isinstance(name, ast.JoinedStr):
        return []
    parts = [str(part.value) if isinstance(part, ast.Constant) else None for part in name.values]
    if not any(part is not None and part.strip("_") for part in parts):
        return []
    pattern = "".join(".*" if part is None else re.escape(part) for part in parts)
    return [other for other in known if re.fullmatch(pattern, other)]


def called(caller_name: Kind, receiver: Kind) -> Kind:
    """The method that `operator.methodcaller(name)` calls on a tensor; unknown if it has no such method."""
    if not any(isinstance(option, Tensor) for option in options(receiver)):
        return UNKNOWN
    words = [option.text if isinstance(option, Word) else UNNAMED for option in options(caller_name)]
    return join_all(External(f"torch.Tensor.{word}") for word in words)
