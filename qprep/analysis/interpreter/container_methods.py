"""Methods of lists and dicts, and of classes of the project that derive from abstract mappings."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing
from qprep.analysis.interpreter import instances
from qprep.analysis.interpreter.items import iterate
from qprep.analysis.values.abstract_values import (
    INT,
    NONE,
    TEXT,
    External,
    Kind,
    Mapping,
    Object,
    Sequence,
    join,
    join_all,
    sequence_of,
)

if TYPE_CHECKING:
    from qprep.analysis.interpreter.arguments import Arguments
    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

_MAPPINGS = frozenset(["Mapping", "MutableMapping", "UserDict"])
_GROW = frozenset(["append", "insert", "add", "appendleft"])


def registry_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Object, name: str, arguments: Arguments
) -> Kind | None:
    """Results of the methods that collections.abc's mappings derive from the `__getitem__` of a project class."""
    bases = (base.name for base in analysis.project.mro(receiver.cls) if isinstance(base, External))
    if not any(base.rpartition(".")[2] in _MAPPINGS for base in bases):
        return None
    item = item_of_object(analysis, frame, receiver, arguments.args[0] if arguments.args else TEXT)
    return mapping_method(analysis, frame, node, Mapping(item), name, arguments) if item is not None else None


def item_of_object(analysis: Analysis, frame: Frame, receiver: Object, key: Kind) -> Kind | None:
    """The result of the `__getitem__` of a project class for a key; None if it has none."""
    return instances.call_own(analysis, frame, receiver, "__getitem__", key)


def sequence_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Sequence, name: str, arguments: Arguments
) -> Kind:
    """The result of a method of a list; those that add to it bind the longer list to its name."""
    if name in _GROW and arguments.args:
        added = arguments.args[-1]
        aliasing.stored(analysis, frame, added, node.args[-1], "container")
    elif name == "extend" and arguments.args:
        added = iterate(arguments.args[0])
    else:
        return (
            receiver.item if name in ("pop", "popleft", "__getitem__") else INT if name in ("index", "count") else NONE
        )
    grown = Sequence(added if receiver.items == () else join(receiver.item, added))
    _rebind(analysis, frame, node, grown)
    return NONE


def _rebind(analysis: Analysis, frame: Frame, node: ast.Call, value: Kind) -> None:
    """A method changed the list or dict that a name or attribute holds."""
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name | ast.Attribute):
        analysis.assign(frame, node.func.value, value, None)


def mapping_method(
    analysis: Analysis, frame: Frame, node: ast.Call, receiver: Mapping, name: str, arguments: Arguments
) -> Kind:
    """The result of a method of a dict."""
    if name == "items":
        return Sequence(sequence_of((TEXT, receiver.value)))
    if name == "values":
        return Sequence(receiver.value)
    if name == "keys":
        return Sequence(TEXT)
    if name in ("get", "pop", "setdefault"):
        return join_all([receiver.value, *arguments.args[1:]])
    if name == "update" and arguments.args and isinstance(arguments.args[0], Mapping):
        _rebind(analysis, frame, node, Mapping(join(receiver.value, arguments.args[0].value)))
    return receiver if name == "copy" else NONE
