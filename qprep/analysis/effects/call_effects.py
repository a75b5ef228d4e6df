"""Calls that change an object: setters, methods, torch's utilities, `exec`, `__new__`, `type`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    NOTHING,
    ClassObject,
    FunctionObject,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch, any_object
from qprep.analysis.effects.made_subclasses import runs_base_constructor
from qprep.analysis.effects.method_calls import are_classes, as_method_calls, may_be_through_class
from qprep.analysis.effects.method_effects import called_through_class, is_mutator, method
from qprep.analysis.effects.mutator_names import GLOBAL_HOOKS, SETTERS
from qprep.analysis.effects.setter_effects import setter
from qprep.analysis.effects.torch_utilities import may_be_torch, torch_utility
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope

_NAMESPACES = frozenset(("globals", "locals", "vars"))


def calls(search: EffectSearch) -> Iterator[Effect]:
    """Calls that change an object: `setattr`, hooks, `train`, methods of containers, torch's own utilities."""
    for node in search.file.index.of(ast.Call):
        name = last_name(node.func)
        for call, func in as_method_calls(node, search.file, search.targets, lambda _name: False):
            yield from _changed(search, call, func)
        if isinstance(node.func, ast.Attribute):
            yield from (_changed_through_class if _changes(name) else called_through_class)(search, node)
        if name in SETTERS:
            yield from setter(search, node, name)
        elif isinstance(node.func, ast.Attribute):
            yield from method(search, node, node.func, name)
        elif name in ("exec", "eval") and isinstance(node.func, ast.Name):
            yield from _text_that_runs(search, node)
        elif name.startswith(GLOBAL_HOOKS) and "hook" in name:
            yield from search.effect(EffectKind.CHANGE, any_object, node, f"calls `{name}`")
        if name == "__new__":
            yield from _new(search, node)
        elif name == "type" and len(node.args) == 3 and not runs_base_constructor(node, search.file):
            yield from search.effect(EffectKind.DERIVE, search.later(node.args[1]), node, "makes a class of it")
        elif isinstance(node.func, ast.Name | ast.Attribute) and may_be_torch(search, node.func):
            yield from torch_utility(search, node)


def _changes(name: str) -> bool:
    """True if a method of this name changes its object, whatever the project defines."""
    return name in SETTERS or is_mutator(name)


def _changed(search: EffectSearch, call: ast.Call, func: ast.Attribute) -> Iterator[Effect]:
    """The effects of a call that is written in another way than as that of a method."""
    yield from (setter(search, call, func.attr) if func.attr in SETTERS else method(search, call, func, func.attr))


def _changed_through_class(search: EffectSearch, node: ast.Call) -> Iterator[Effect]:
    """`nn.Module.train(net)`, as `net.train()`; whether the receiver is a class is found when targets are needed.

    Most calls of these names are those of a list's or dictionary's methods, and most queries need no target of theirs.
    """
    form = may_be_through_class(node, search.file)
    if form is None:
        return
    assert isinstance(node.func, ast.Attribute)
    for effect in _changed(search, *form):
        is_class = partial(_is_class, search, node.func.value)
        listed = partial(_found_if, is_class, effect.find_listed) if effect.find_listed is not None else None
        yield replace(effect, find_targets=partial(_found_if, is_class, effect.find_targets), find_listed=listed)


def _is_class(search: EffectSearch, node: ast.expr) -> bool:
    return are_classes(search.targets(node))


def _found_if(holds: Callable[[], bool], find: Callable[[], References]) -> References:
    return find() if holds() else NOTHING


def _text_that_runs(search: EffectSearch, node: ast.Call) -> Iterator[Effect]:
    """`exec(text)` may do anything to what it can name: the variables around it, and what it is given."""
    if node.args and _only_reads(node.args[0]):
        return
    scope = search.file.scope_of(node)
    found = partial(_named_in, search, node, scope)
    for kind in (EffectKind.CHANGE, EffectKind.SET):
        yield from search.effect(kind, found, node, f"calls `{ast.unparse(node.func)}`")


def _named_in(search: EffectSearch, call: ast.Call, scope: LexicalScope) -> References:
    spaces = [*call.args[1:], *(k.value for k in call.keywords)]
    if all(map(_is_own_namespace, spaces)):
        around = {scope, search.file.top}
        named = frozenset().union(*(search.points_to.variables_at(call, each) for each in around))
    else:
        named = frozenset().union(*map(search.targets, spaces))
    objects = frozenset(each for each in named if not isinstance(each.base, Named | ClassObject | FunctionObject))
    return objects | search.points_to.below(objects) | search.points_to.held_by(objects)


def _is_own_namespace(space: ast.expr) -> bool:
    """True for `globals()` and `locals()`: the variables that a text sees in any case."""
    return isinstance(space, ast.Call) and last_name(space.func) in _NAMESPACES and not space.args


def _new(search: EffectSearch, node: ast.Call) -> Iterator[Effect]:
    """`Net.__new__(Net)`; the class's own `__new__`, which calls the one above, does not count."""
    scope = search.file.scope_of(node)
    if scope.name == "__new__":
        return
    yield from search.effect(
        EffectKind.BYPASS, partial(_made_bare, search, node), node, "makes an instance by `__new__`"
    )


def _made_bare(search: EffectSearch, node: ast.Call) -> References:
    """The classes that `__new__` makes an instance of; the class around where they are not known."""
    scope = search.file.scope_of(node)
    targets = frozenset().union(*map(search.targets, node.args[:1])) if node.args else frozenset()
    if isinstance(node.func, ast.Attribute):
        targets |= search.targets(node.func.value)
    owner = search.points_to.enclosing_class(scope)
    if owner is not None and not any(isinstance(each.base, ClassObject) for each in targets):
        targets |= {Reference(ClassObject(owner))}
    if not any(isinstance(each.base, ClassObject) for each in targets) or scope.has_decorator("staticmethod"):
        reads = search.points_to.calls.meanings(scope.name).reads_of(scope)
        if any(not _is_called(node, file) for node, file in reads):
            return ANY_OBJECT  # other code may give the function any class: `__reduce__` returns it, a table holds it
    return targets


def _is_called(node: ast.expr, file: FileScopes) -> bool:
    parent = file.parents.get(node)
    return isinstance(parent, ast.Call) and parent.func is node


def _only_reads(text: ast.expr) -> bool:
    """True if a text that is written out calls nothing and sets nothing."""
    if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
        return False
    try:
        tree = ast.parse(text.value.strip())
    except SyntaxError:
        return True  # it stops there
    changing = (ast.Call, ast.NamedExpr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete, ast.For, ast.With)
    return not any(isinstance(part, changing) for part in ast.walk(tree))
