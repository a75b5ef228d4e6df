"""Items that are set, added or removed: `net.layers[0] = …`, `net._modules.update(…)`, `layers += […]`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from qprep.analysis.effects.attribute_names import ANY_NAME
from qprep.analysis.effects.effect_kinds import TRAINING, Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch
from qprep.analysis.effects.mutator_names import OVERRIDES
from qprep.analysis.effects.replaced_children import replaced_by, replacements
from qprep.analysis.effects.stored_values import dictionary_owner
from qprep.analysis.symbols.ast_utils import last_name

CONTAINER_METHODS = frozenset(
    ["append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "__setitem__",
     "__delitem__", "reverse", "sort"]
)  # fmt: skip
_BY_KEY = frozenset(("pop", "setdefault", "__setitem__", "__delitem__"))


def assigned_items(search: EffectSearch) -> Iterator[Effect]:
    """`net.layers[0] = …`, `net._modules["act"] = …`, `vars(net)[name] = …`."""
    for node in search.file.index.of(ast.Subscript):
        if isinstance(node.ctx, ast.Load) or not may_be_modules(search, node.value):
            continue
        if search.is_own(node.value, search.file.scope_of(node)) and not is_dictionary(node.value):
            continue
        replaced = replaced_by(search, node.slice) if dictionary_owner(node.value) is not None else None
        if replaced is not None:
            yield from replacements(search, node, replaced, f"sets `{ast.unparse(node)}`")
            continue
        yield from stored_item(search, node.value, node, search.names_of(node.slice))
    for update in search.file.index.of(ast.AugAssign):
        yield from _updated(search, update)


def _updated(search: EffectSearch, update: ast.AugAssign) -> Iterator[Effect]:
    """`table |= {"act": …}` and `layers += […]` change the object that a variable refers to."""
    target, value = update.target, update.value
    is_in_place = isinstance(update.op, ast.BitOr | ast.Add) and not isinstance(value, ast.Constant)
    if is_in_place and isinstance(target, ast.Name) and may_be_modules(search, target):
        keys = value.keys if isinstance(value, ast.Dict) else [None]
        names = [re.escape(str(key.value)) if isinstance(key, ast.Constant) else ANY_NAME for key in keys]
        yield from stored_item(search, target, update, names)


def container_method(search: EffectSearch, node: ast.Call, receiver: ast.expr) -> Iterator[Effect]:
    """`net.layers.append(…)`, `net._modules.update(…)`: a call of a method that changes a container."""
    if last_name(node.func) in _BY_KEY and node.args:
        yield from stored_item(search, receiver, node, search.names_of(node.args[0]))
        return
    given = [keyword.arg for keyword in node.keywords if keyword.arg is not None]
    for argument in node.args:
        keys = argument.keys if isinstance(argument, ast.Dict) else ()
        given += [re.escape(key.value) for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    yield from stored_item(search, receiver, node, given or [ANY_NAME])


def may_be_modules(search: EffectSearch, node: ast.expr) -> bool:
    """True if a container may be one of modules: a variable is, where it is bound to an attribute."""
    if isinstance(node, ast.Attribute):
        is_known = any(True for _ in search.points_to.names.holders(node.attr))
        return not is_known or search.points_to.may_hold(node.attr)
    if not isinstance(node, ast.Name):
        return True
    home = search.file.scope_of(node).binder(node.id)
    values = [binding.value for binding in home.bindings[node.id]] if home is not None else []
    return any(isinstance(v, ast.Attribute) or (isinstance(v, ast.expr) and dictionary_owner(v)) for v in values)


def is_dictionary(node: ast.expr) -> bool:
    """True for the dictionaries in which an object keeps its attributes."""
    return isinstance(node, ast.Attribute) and node.attr in OVERRIDES


def stored_item(
    search: EffectSearch, container: ast.expr, node: ast.expr | ast.stmt, names: Iterable[str]
) -> Iterator[Effect]:
    """The effect of an item that is set: on an attribute of the owner of the dictionary, or on the container."""
    owner = dictionary_owner(_bound_value(search, container))
    if owner is not None:
        for name in names:
            kind = EffectKind.MODE if name == TRAINING else EffectKind.SET
            yield from search.effect(kind, search.later(owner), node, f"sets `{ast.unparse(node)}`", name)
        return
    yield from search.effect(EffectKind.STRUCTURE, search.later(container), node, f"changes `{ast.unparse(container)}`")


def _bound_value(search: EffectSearch, node: ast.expr) -> ast.expr:
    """`net._modules` for a variable that is bound to it."""
    home = search.file.scope_of(node).binder(node.id) if isinstance(node, ast.Name) else None
    bindings = home.bindings[node.id] if home is not None and isinstance(node, ast.Name) else []
    values = [b.value for b in bindings if isinstance(b.value, ast.expr) and dictionary_owner(b.value)]
    return values[0] if values else node
