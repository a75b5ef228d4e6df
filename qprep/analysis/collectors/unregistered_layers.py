"""Layers that a module runs and does not register: they stand in a plain list, tuple or dict of its own."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.facts import UnregisteredLayers
from qprep.analysis.symbols.ast_utils import argument_values, is_attribute_of, last_name, positional_parameters, walk
from qprep.analysis.values.abstract_values import (
    ClassRef,
    External,
    Mapping,
    Sequence,
    modules_of,
    options,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.values.abstract_values import Kind

_REGISTERING = frozenset(("add_module", "register_module", "setattr", "__setattr__"))
_GROWING = frozenset(("append", "extend", "insert", "update", "setdefault"))


def find_unregistered(analysis: Analysis) -> None:
    """Add to the facts where an attribute gets its layers, if a forward runs them and nothing registers them."""
    for call in list(analysis.facts.calls.values()):
        attribute = call.path.root
        ref = ClassRef(call.unit.module, call.unit.name)
        if not call.unit.is_class or analysis.project.class_summary(ref) is None:
            continue
        entry = analysis.attributes_of(ref).names.get(attribute)
        if entry is None or not _is_plain(entry.kind) or _is_registered(analysis, ref, attribute):
            continue
        for creation in entry.creations.values():
            if _is_plain(creation.kind):
                found = UnregisteredLayers(creation.place, creation.unit, creation.function, attribute)
                analysis.facts.unregistered.setdefault(creation.place, found)


def _is_plain(kind: Kind) -> bool:
    """True if a value is a list or dict of Python's, and no module on any path."""
    return not modules_of(kind) and any(map(_holds_layers, options(kind)))


def _holds_layers(kind: Kind) -> bool:
    """True if a list or dict, or one inside it, holds modules."""
    if not isinstance(kind, Sequence | Mapping):
        return False
    item = kind.item if isinstance(kind, Sequence) else kind.value
    return bool(modules_of(item)) or any(map(_holds_layers, options(item)))


def _is_registered(analysis: Analysis, cls: ClassRef, attribute: str) -> bool:
    """True if some method of the family may register what an attribute holds, or holds what is registered already."""
    family = {base for child in (cls, *analysis.project.subclasses(cls)) for base in analysis.project.mro(child)}
    entries = [entry for ref in family if isinstance(ref, ClassRef) and (entry := analysis.project.class_node(ref))]
    return any(
        _registers(analysis, cls.module, method, attribute)
        for entry in entries
        for method in entry.methods.values()
        if positional_parameters(method)
    )


def _registers(analysis: Analysis, module: str, method: ast.FunctionDef, attribute: str) -> bool:
    owner, nodes = positional_parameters(method)[0].arg, walk(method)
    held = _Held(owner, attribute, _names(owner, attribute, nodes))
    for node in nodes:
        if isinstance(node, ast.Call) and _is_registering(analysis, module, node) and held.is_given(node):
            return True
        if isinstance(node, ast.For) and held.within(node.iter):
            inner = (part for line in node.body for part in walk(line))
            if any(isinstance(part, ast.Call) and last_name(part.func) in _REGISTERING for part in inner):
                return True
        elif isinstance(node, ast.Assign) and any(map(held.is_meant, node.targets)):
            items = _items(node.value)
            if any(_has_name(part, owner) for part in items):
                return True
    return False


def _items(node: ast.expr) -> list[ast.expr]:
    """The items of a list or dict, as far as they are written out."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [part for item in node.elts for part in (_items(item) or [item])]
    if isinstance(node, ast.Dict):
        return list(node.values)
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        return [node.elt]
    if isinstance(node, ast.DictComp):
        return [node.value]
    if isinstance(node, ast.BinOp):
        return [*_items(node.left), *_items(node.right)]
    return [part for arg in node.args for part in _items(arg)] if isinstance(node, ast.Call) else []


def _has_name(node: ast.expr, owner: str) -> bool:
    """True if an item stands under a name of its own, too: `self.conv`, `getattr(self, name)`."""
    is_fetched = isinstance(node, ast.Call) and last_name(node.func) == "getattr"
    return is_fetched or is_attribute_of(node, owner)


def _is_registering(analysis: Analysis, module: str, call: ast.Call) -> bool:
    """True if a call registers modules that it is given: a container of torch's or of the project, or add_module."""
    if last_name(call.func) in _REGISTERING:
        return True
    index = analysis.project.index(module)
    name = analysis.project.expression_name(index, call.func) if index is not None else None
    made = analysis.project.resolve(name) if name is not None else None
    if isinstance(made, ClassRef):
        return analysis.is_module(made)
    return isinstance(made, External) and made.name.startswith("torch.nn.") and "Parameter" not in made.name


def _names(owner: str, attribute: str, nodes: list[ast.AST]) -> frozenset[str]:
    """Local names of what an attribute holds: the list itself, and what is put into it."""
    names: set[str] = set()
    for _ in range(2):
        held = _Held(owner, attribute, frozenset(names))
        names |= set(_named(held, nodes))
    return frozenset(names)


def _named(held: _Held, nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Assign):
            targets = [t.value if isinstance(t, ast.Subscript) else t for t in node.targets]
            if any(map(held.is_meant, targets)) and isinstance(node.value, ast.Name):
                yield node.value.id
            if held.is_meant(node.value):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _GROWING:
            grown = node.args if held.is_meant(node.func.value) else []
            yield from (arg.id for arg in grown if isinstance(arg, ast.Name))


class _Held:
    """The value of an attribute, as a method names it."""

    def __init__(self, owner: str, attribute: str, names: frozenset[str]) -> None:
        self._owner, self._attribute, self._names = owner, attribute, names

    def is_meant(self, node: ast.AST) -> bool:
        """True if a node is one of the names."""
        if isinstance(node, ast.Name):
            return node.id in self._names
        return is_attribute_of(node, self._owner) and node.attr == self._attribute

    def is_given(self, call: ast.Call) -> bool:
        """True if a call is given one of the names, or something made of it."""
        return any(map(self.within, argument_values(call)))

    def within(self, node: ast.AST) -> bool:
        """True if one of the names stands somewhere in an expression."""
        return any(map(self.is_meant, walk(node)))
