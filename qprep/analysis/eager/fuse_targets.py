"""The classes in which the names of a fuse list are looked up: one of the project, or a Sequential written out."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import ClassRef, External, Module, modules_of, options

if TYPE_CHECKING:
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.symbols.symbol_table import FileIndex

_ADDING = frozenset(("setattr", "add_module", "register_module", "_modules", "__dict__", "__getattr__", "__setattr__"))
_SEQUENTIAL = "torch.nn.Sequential"


@dataclass(frozen=True, slots=True)
class Written:
    """`nn.Sequential(…)` as it is written: the expressions of its items by name."""

    module: str
    items: tuple[tuple[str, ast.expr], ...]
    shown: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """A module of torch.nn."""

    cls: str


@dataclass(frozen=True, slots=True)
class Missing:
    """No such name: what was asked, and the names and classes that there are."""

    owner: str
    names: tuple[tuple[str, str], ...]  # (name, class without its package)


FuseTarget = ClassRef | Written
Found = FuseTarget | Leaf | Missing | None  # None: not known


def leaf_class(analysis: Analysis, cls: ClassRef, name: str) -> str:
    """Return the class of the library module that `name` is in a class; nothing for anything else."""
    found = child(analysis, cls, name)
    return found.cls if isinstance(found, Leaf) else ""


def child(analysis: Analysis, holder: FuseTarget, name: str) -> Found:
    """The child that a name refers to in a class or a Sequential."""
    if isinstance(holder, Written):
        item = dict(holder.items).get(name)
        if item is None:
            return Missing(
                holder.shown, tuple((key, _class_shown(analysis, holder, node)) for key, node in holder.items)
            )
        index = analysis.project.index(holder.module)
        return made(analysis, index, item, f"{holder.shown}[{name}]") if index is not None else None
    table = analysis.attributes_of(holder)
    entry = table.names.get(name)
    if entry is None:
        return _missing(analysis, holder, name)
    modules = modules_of(entry.kind)
    if len(modules) != 1 or len(options(entry.kind)) != 1:
        return None
    cls = modules[0].cls
    if isinstance(cls, ClassRef):
        return None if analysis.is_container(cls) else cls
    if not isinstance(cls, External) or not cls.name.startswith("torch.nn."):
        return None
    if cls.name != _SEQUENTIAL:
        return Leaf(cls.name.rpartition(".")[2])
    if len(entry.creations) != 1:
        return None
    creation = next(iter(entry.creations.values()))
    index = analysis.project.index(creation.place.module)
    node = index.expression_at(*creation.place[1:]) if index is not None else None
    return made(analysis, index, node, f"self.{name}") if index is not None and node is not None else None


def walk_down(analysis: Analysis, holder: FuseTarget, dotted: str) -> Found:
    """The module that a path such as "layer1.0.conv" refers to."""
    found: Found = holder
    for name in dotted.split("."):
        if not isinstance(found, ClassRef | Written):
            return None
        found = child(analysis, found, name)
    return found


def made(analysis: Analysis, index: FileIndex, node: ast.expr, shown: str) -> Found:
    """The object that a constructor's call makes, as far as it is written out."""
    if not isinstance(node, ast.Call):
        return None
    dotted = analysis.project.expression_name(index, node.func)
    kind = analysis.project.resolve(dotted) if dotted is not None else None
    if isinstance(kind, ClassRef):
        return None if analysis.is_container(kind) or not analysis.is_module(kind) else kind
    if not isinstance(kind, External) or not kind.name.startswith("torch.nn."):
        return None
    if kind.name != _SEQUENTIAL:
        return Leaf(kind.name.rpartition(".")[2])
    items = _items(node)
    return Written(index.name, items, shown) if items is not None else None


def _items(node: ast.Call) -> tuple[tuple[str, ast.expr], ...] | None:
    """The items of a Sequential by name: positional, or those of an OrderedDict that is written out."""
    if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
        return None
    only = node.args[0] if len(node.args) == 1 else None
    if isinstance(only, ast.Call) and isinstance(only.func, ast.Name | ast.Attribute):
        name = only.func.id if isinstance(only.func, ast.Name) else only.func.attr
        if name == "OrderedDict":
            return _pairs(only)
    return tuple((str(position), arg) for position, arg in enumerate(node.args))


def _pairs(node: ast.Call) -> tuple[tuple[str, ast.expr], ...] | None:
    listed = node.args[0] if len(node.args) == 1 else None
    if not isinstance(listed, ast.List | ast.Tuple):
        return None
    found: list[tuple[str, ast.expr]] = []
    for item in listed.elts:
        if not isinstance(item, ast.Tuple | ast.List) or len(item.elts) != 2:
            return None
        key = item.elts[0]
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return None
        found.append((key.value, item.elts[1]))
    return tuple(found)


def _class_shown(analysis: Analysis, holder: Written, node: ast.expr) -> str:
    index = analysis.project.index(holder.module)
    found = made(analysis, index, node, "") if index is not None else None
    return found.cls if isinstance(found, Leaf) else found.name if isinstance(found, ClassRef) else ""


def _missing(analysis: Analysis, cls: ClassRef, name: str) -> Missing | None:
    """The class has no such name, where everything that it has is known."""
    if analysis.is_container(cls):
        return None
    for ref in (cls, *sorted(analysis.project.subclasses(cls), key=repr)):
        if name in analysis.attributes_of(ref).names or not _is_open_book(analysis, ref, name):
            return None
    names = [
        (key, _class_of(entry.kind))
        for key, entry in analysis.attributes_of(cls).names.items()
        if modules_of(entry.kind)
    ]
    return Missing(cls.name, tuple(names))


def _class_of(kind: object) -> str:
    cls = kind.cls if isinstance(kind, Module) else None
    return cls.name.rpartition(".")[2] if isinstance(cls, External | ClassRef) else ""


def _is_open_book(analysis: Analysis, cls: ClassRef, name: str) -> bool:
    """True if nothing of a class's attributes is hidden: its bases are read, and none is added by a computed name."""
    if analysis.attributes_of(cls).dynamic is not None:
        return False
    for base in analysis.project.mro(cls):
        if isinstance(base, External):
            if base.name not in ("torch.nn.Module", "torch.nn.modules.module.Module", "builtins.object"):
                return False
            continue
        entry = analysis.project.class_node(base) if isinstance(base, ClassRef) else None
        if entry is None or name in entry.values or name in entry.methods or _hides(entry.node, name):
            return False
    return True


def _hides(node: ast.ClassDef, name: str) -> bool:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            if part.attr in _ADDING or (part.attr == name and isinstance(part.ctx, ast.Store)):
                return True
        if isinstance(part, ast.Name) and part.id in _ADDING:
            return True
        if isinstance(part, ast.FunctionDef) and part.name in _ADDING:
            return True
    return False
