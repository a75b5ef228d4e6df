"""Collects writes to attributes of objects other than `self`: `net.act = nn.SiLU()`, `net.act.p = 0.1`.

Over-approximates: a write whose receiver is unknown may hit any class. Hooks on `self.x` are included, since a second
instance would lack them; so are writes to names of imported modules, and changes of instances selected by class.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.class_replacement import class_writes
from qprep.analysis.effects.receivers import receiver_of
from qprep.analysis.effects.write_records import (
    UNKNOWN_ATTRIBUTE,
    ExternalWrite,
    attribute_write,
    value_mutation,
    variable_write,
)
from qprep.analysis.symbols.ast_utils import dotted_root, last_name
from qprep.analysis.symbols.parameter_names import PARAMETER_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.symbols.symbol_table import FileIndex

_SETTING = frozenset(("setattr", "delattr", "__setattr__", "__delattr__", "object"))  # patch.object
_FETCHING = frozenset(("get_submodule", "set_submodule"))
_DICTS = frozenset(("update", "setdefault"))
_MODES = frozenset(("train", "eval", "register_module", "add_module"))


def external_writes(index: FileIndex) -> Iterator[ExternalWrite]:
    """The writes of a file to attributes, variables and instances that other code owns."""
    yield from (write for _, write in located_writes(index))
    yield from class_writes(index)


def located_writes(index: FileIndex) -> Iterator[tuple[ast.expr, ExternalWrite]]:
    """The writes of a file to attributes and variables that other code owns, with the expressions that do it."""
    imported = frozenset(alias.asname or alias.name.partition(".")[0] for alias in index.of(ast.alias))
    for node in index.of(ast.Attribute):
        if not isinstance(node.ctx, ast.Load):
            yield from ((node, write) for write in _assigned(index, node, imported))
        elif node.attr == "__kwdefaults__":  # a dictionary, which may be changed in place
            yield node, variable_write(last_name(node.value))
    for call in index.of(ast.Call):
        yield from ((call, write) for write in _called(call, imported))
    setter = next((node for node in index.of(ast.Call, ast.Subscript) if _sets_any(node)), None)
    if setter is not None:
        yield setter, UNKNOWN_ATTRIBUTE
    for item in index.of(ast.Subscript):
        if _is_dict_of_modules(item.value) or _is_dict_of_attributes(item.value):
            yield from ((item, write) for write in _fetched(item.slice))


def _assigned(index: FileIndex, node: ast.Attribute, imported: frozenset[str]) -> Iterator[ExternalWrite]:
    if last_name(dotted_root(node.value)) in imported:
        yield variable_write(node.attr)
    if node.attr == "training" or not _is_self(node.value):
        yield attribute_write(node.attr, receiver_of(index, node.value))
    if node.attr not in PARAMETER_NAMES and isinstance(node.value, ast.Attribute) and not _is_self(node.value.value):
        # Whatever the class of the object: what it holds may be another object's as well.
        yield from _replaced_or_changed(node.value.attr)
    if isinstance(node.value, ast.Name | ast.Attribute) and node.attr.startswith("__"):  # function.__code__ = …
        yield variable_write(node.value.id if isinstance(node.value, ast.Name) else node.value.attr)


def _called(node: ast.Call, imported: frozenset[str]) -> Iterator[ExternalWrite]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    name = node.func.id if isinstance(node.func, ast.Name) else name
    if name in _SETTING and len(node.args) > 1:
        owner, text = node.args[:2]
        if not _is_self(owner):
            yield from map(attribute_write, _text(text))
        if last_name(dotted_root(owner)) in imported:
            yield from map(variable_write, _text(text))
        yield from _held(owner, also_own=False)
    elif name == "type" and len(node.args) == 3:  # type("Sub", (Net,), {"act": …})
        keys = (key for key in getattr(node.args[2], "keys", ()) if key is not None)
        yield from (attribute_write(text) for key in keys for text in _text(key))
    elif name in _FETCHING and node.args:
        yield from _fetched(node.args[0])
    elif name in ("patch", "setattr") and node.args:  # mock.patch("tools.gate"), monkeypatch.setattr("tools.gate", …)
        yield from map(variable_write, _text(node.args[0]))
    elif "hook" in name or name in _MODES:
        yield from _held(
            node.func.value if isinstance(node.func, ast.Attribute) else node.func, also_own="hook" in name
        )


def _sets_any(node: ast.AST) -> bool:
    """`setattr(net, name, value)`, `net.__dict__.update(values)`, `vars(net)[name] = value`."""
    if isinstance(node, ast.Subscript):
        return not isinstance(node.ctx, ast.Load) and _is_dict_of_attributes(node.value)
    func = node.func if isinstance(node, ast.Call) else None
    if not isinstance(node, ast.Call) or not isinstance(func, ast.Name | ast.Attribute):
        return False
    if isinstance(func, ast.Attribute) and func.attr in _DICTS:
        return _is_dict_of_attributes(func.value)
    name = func.id if isinstance(func, ast.Name) else func.attr
    return name in ("setattr", "__setattr__") and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant)


def _is_dict_of_attributes(node: ast.expr) -> bool:
    """`net.__dict__`, `vars(net)`."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "vars"
    return isinstance(node, ast.Attribute) and node.attr == "__dict__"


def _held(node: ast.expr, *, also_own: bool) -> Iterator[ExternalWrite]:
    """The attribute that an expression is: `net.act`; `self.act` if writes to `self` count as well."""
    if isinstance(node, ast.Attribute) and (also_own or not _is_self(node.value)):
        yield from _replaced_or_changed(node.attr)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _is_dict_of_modules(node: ast.expr) -> bool:
    """`net._modules`, `dict(net.named_modules())`."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
        node = node.args[0]
    func = node.func if isinstance(node, ast.Call) else node
    return isinstance(func, ast.Attribute) and func.attr in ("_modules", "named_modules", "named_children")


def _fetched(node: ast.expr) -> Iterator[ExternalWrite]:
    """Writes to an attribute that is fetched by its name."""
    for name in _text(node):
        yield from _replaced_or_changed(name)


def _replaced_or_changed(name: str) -> Iterator[ExternalWrite]:
    yield from (attribute_write(name), value_mutation(name))


def _text(node: ast.expr) -> Iterator[str]:
    """The last part of a name given as text: "package.module.function"."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value.rpartition(".")[2]
