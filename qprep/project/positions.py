"""Containers of a class of one's own: what takes their children by position, and what adds more of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.project.kinds import ClassRef, External, Kind, Module, modules_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.project.analysis import Analysis
    from qprep.project.frames import Frame

_TAKING = frozenset(("len", "list", "tuple", "enumerate", "zip", "reversed", "iter", "next", "sorted", "map"))
_READING = frozenset(("keys", "values", "items", "pop", "__iter__", "__getitem__", "__len__"))
_NUMBERING = frozenset(("append", "extend", "insert"))  # under a name that counts the children there are
_NAMING = frozenset(("add_module", "register_module"))


@dataclass(frozen=True, slots=True)
class Numbered:
    """A function in which children of a class are numbered (or only added, under a name of their own)."""

    cls: ClassRef
    function: tuple[str, str]  # module and qualified name
    only_added: bool


def note_taken(analysis: Analysis, frame: Frame, kind: Kind) -> None:
    """A value is gone through, counted or indexed outside the methods of its class."""
    for module in modules_of(kind):
        if module.path != "":
            _note(analysis, frame, module, only_added=False)


def note_builtin(analysis: Analysis, frame: Frame, name: str, arguments: Iterable[Kind]) -> None:
    """A function of Python's own is given a container: `len(blocks)`."""
    for kind in arguments if name in _TAKING else ():
        note_taken(analysis, frame, kind)


def note_method(analysis: Analysis, frame: Frame, module: Module, name: str) -> None:
    """A method of a container is called that numbers its children, or adds one."""
    if name in _NUMBERING or (name in _READING and module.path != ""):
        _note(analysis, frame, module, only_added=False)
    elif name in _NAMING:
        _note(analysis, frame, module, only_added=True)


def is_keyed(analysis: Analysis, module: Module) -> bool:
    """Whether an index into a module is a name."""
    cls = module.cls
    return isinstance(cls, ClassRef) and External("torch.nn.ModuleDict") in analysis.project.mro(cls)


def _note(analysis: Analysis, frame: Frame, module: Module, *, only_added: bool) -> None:
    if isinstance(module.cls, ClassRef) and analysis.is_container(module.cls):
        found = Numbered(module.cls, (frame.index.name, frame.function), only_added)
        analysis.facts.numbered.add(found)
