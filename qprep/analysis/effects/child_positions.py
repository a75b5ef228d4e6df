"""Containers of a custom class: code that takes their children by position, and code that adds children."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.analysis.facts import Numbered
from qprep.analysis.values.abstract_values import ClassRef, External, Kind, Module, modules_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

_TAKING = frozenset(("len", "list", "tuple", "enumerate", "zip", "reversed", "iter", "next", "sorted", "map"))
_READING = frozenset(("keys", "values", "items", "pop", "__iter__", "__getitem__", "__len__"))
_NUMBERING = frozenset(("append", "extend", "insert"))  # under a name that counts the children there are


def note_taken(analysis: Analysis, frame: Frame, kind: Kind) -> None:
    """A value is gone through, counted or indexed outside the methods of its class."""
    for module in modules_of(kind):
        if not module.is_self:
            _note(analysis, frame, module)


def note_builtin(analysis: Analysis, frame: Frame, name: str, arguments: Iterable[Kind]) -> None:
    """A function of Python's own is given a container: `len(blocks)`."""
    for kind in arguments if name in _TAKING else ():
        note_taken(analysis, frame, kind)


def note_method(analysis: Analysis, frame: Frame, module: Module, name: str) -> None:
    """A method of a container is called that numbers its children."""
    if name in _NUMBERING or (name in _READING and not module.is_self):
        _note(analysis, frame, module)


def is_keyed(analysis: Analysis, module: Module) -> bool:
    """True if an index into a module is a name."""
    cls = module.cls
    return isinstance(cls, ClassRef) and External("torch.nn.ModuleDict") in analysis.project.mro(cls)


def _note(analysis: Analysis, frame: Frame, module: Module) -> None:
    if isinstance(module.cls, ClassRef) and analysis.is_container(module.cls):
        found = Numbered(module.cls, (frame.index.name, frame.function))
        analysis.facts.numbered.add(found)
