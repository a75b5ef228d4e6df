"""Methods that change the module they are called on: hooks, `train`, `add_module`, methods of containers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects import listed_children
from qprep.analysis.effects.abstract_objects import NOTHING, ClassObject, ClassOf, FunctionObject, Named, References
from qprep.analysis.effects.attribute_names import ANY_THAT_IS_THERE
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch, any_object
from qprep.analysis.effects.item_effects import CONTAINER_METHODS, container_method, is_dictionary, may_be_modules
from qprep.analysis.effects.method_calls import are_classes, of_class
from qprep.analysis.effects.mutator_names import GLOBAL_HOOKS
from qprep.analysis.effects.name_lookups import listed
from qprep.analysis.effects.replaced_children import replaced_by, replacements
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import LexicalScope


_CHANGES = frozenset(("set_submodule", "__init__", "__setstate__", "train", "eval"))
_REGISTERS = frozenset(("add_module", "register_module", "register_parameter", "register_buffer"))


def is_mutator(name: str) -> bool:
    """True if calls of a method of this name have effects of their own, also where no class defines it."""
    return name in _REGISTERS or name in CONTAINER_METHODS or name in _CHANGES or "hook" in name


def called_through_class(search: EffectSearch, node: ast.Call) -> Iterator[Effect]:
    """`Net.method(net, …)`, as a call of the method of an object; whether `Net` is a class is found on demand."""
    name = last_name(node.func)
    if not node.args or not _may_be_called(search, node.args[0], name):
        return
    if (form := of_class(node, search.file)) is not None:
        found = partial(_first_of_class_call, search, node)
        yield from search.effect(EffectKind.CALL, found, form[0], f"calls `{ast.unparse(form[1])}`", re.escape(name))


def _first_of_class_call(search: EffectSearch, node: ast.Call) -> References:
    assert isinstance(node.func, ast.Attribute)
    return search.targets(node.args[0]) if are_classes(search.targets(node.func.value)) else NOTHING


def method(  # noqa: C901, PLR0912  (one branch a kind of method)
    search: EffectSearch, node: ast.Call, func: ast.Attribute, name: str
) -> Iterator[Effect]:
    """The effects of one call of a method."""
    receiver, scope = func.value, search.file.scope_of(node)
    if "hook" in name and name.lstrip("_").startswith("register_"):
        yield from _hook(search, node, receiver, name)
    elif name in _REGISTERS and _named_argument(node) is not None:
        given = _named_argument(node)
        assert given is not None
        if (replaced := replaced_by(search, given)) is not None:
            yield from replacements(search, node, replaced, f"calls `{name}`")
            return
        is_own = isinstance(receiver, ast.Name) and search.is_own(receiver, scope)
        if is_own and isinstance(given, ast.Constant):
            return  # as by an assignment
        found = partial(search.modules, receiver, (Named, ClassObject, FunctionObject))
        for text in search.names_of(given):
            yield from search.effect(EffectKind.SET, found, node, f"calls `{name}`", text)
    elif name == "set_submodule" and node.args:
        below = partial(_with_below, search, receiver)
        yield from search.effect(EffectKind.SET, below, node, f"calls `{name}`")
    elif name == "__init__":
        yield from _constructor_again(search, node, receiver)
    elif name == "__setstate__":
        yield from search.effect(EffectKind.SET, search.later(receiver), node, f"calls `{ast.unparse(func)}`")
    elif name in ("train", "eval"):
        if (whole := listed_children.root_of_uniform(node, search.file.parents)) is not None:
            text = f"calls `{ast.unparse(func)}` for all modules of `{ast.unparse(whole)}`"
            place = Place.of(search.file.module, node)
            yield Effect(EffectKind.MODE, search.later(whole), place, text, owner=search.owner_of(whole))
        elif not _is_mode_of_whole(search, node, receiver, scope):
            yield from search.effect(EffectKind.MODE, search.later(receiver), node, f"calls `{ast.unparse(func)}`")
    elif name in CONTAINER_METHODS and may_be_modules(search, receiver):
        if not search.is_own(receiver, scope) or is_dictionary(receiver):
            yield from container_method(search, node, receiver)
    elif name.startswith(GLOBAL_HOOKS) and "hook" in name:
        yield from search.effect(EffectKind.CHANGE, any_object, node, f"calls `{name}`")
    elif _may_be_called(search, receiver, name):
        yield from search.effect(
            EffectKind.CALL, search.later(receiver), node, f"calls `{ast.unparse(func)}`", re.escape(name)
        )


def _constructor_again(search: EffectSearch, node: ast.Call, receiver: ast.expr) -> Iterator[Effect]:
    """`net.drop.__init__(p=0.9)`, `nn.Dropout.__init__(net.drop, 0.9)`: all attributes of an object get new values.

    `Base.__init__(self)` in a method, and `super().__init__()`, are part of how an object is made.
    """
    is_super = isinstance(receiver, ast.Call) and last_name(receiver.func) == "super"
    is_self = isinstance(receiver, ast.Name) and search.is_own(receiver, search.file.scope_of(node))
    if not (is_super or is_self):
        found = partial(search.modules, receiver, (Named, ClassObject, ClassOf, FunctionObject))
        text = f"calls `{ast.unparse(node.func)}`"
        yield from search.effect(EffectKind.SET, found, node, text, ANY_THAT_IS_THERE)


def _is_mode_of_whole(search: EffectSearch, call: ast.Call, part: ast.expr, scope: LexicalScope) -> bool:
    """True if a part gets the mode of the module that it belongs to: `self.fc.train(self.training)`."""
    match call.args, part:
        case [ast.Attribute(value=ast.Name(id=whole), attr="training")], ast.Attribute(value=ast.Name(id=owner)):
            return whole == owner == search.points_to.receiver(scope)
    return False


def _may_be_called(search: EffectSearch, receiver: ast.expr, name: str) -> bool:
    """True if a method that classes of the project define is called on another object than `self`."""
    if name != "reset_parameters" and not search.points_to.names.is_method(name):
        return False
    return not search.is_own(receiver, search.file.scope_of(receiver)) and not isinstance(
        receiver, ast.Call | ast.Constant
    )


def _named_argument(node: ast.Call) -> ast.expr | None:
    """The name that `add_module` and its like are given."""
    keywords = (keyword.value for keyword in node.keywords if keyword.arg in ("name", None))
    return node.args[0] if node.args else next(keywords, None)


def _hook(search: EffectSearch, node: ast.Call, receiver: ast.expr, name: str) -> Iterator[Effect]:
    if name.startswith(GLOBAL_HOOKS):
        yield from search.effect(EffectKind.CHANGE, any_object, node, f"calls `{name}`")
    if name == "register_hook":
        return  # of a tensor
    if "state_dict" in name:  # no call runs it, but a loop would give new modules one as well
        text = f"calls `{ast.unparse(node.func)}`"
        yield from search.effect(EffectKind.EXPOSE, search.later(receiver), node, text)
        return
    text, place = f"calls `{ast.unparse(node.func)}`", Place.of(search.file.module, node)
    yield Effect(
        EffectKind.CHANGE,
        search.later(receiver),
        place,
        text,
        by_class=search.is_by_class(node),
        find_listed=listed(search, receiver),
        owner=search.owner_of(node),
    )


def _with_below(search: EffectSearch, node: ast.expr) -> References:
    found = search.targets(node)
    return found | search.points_to.below(found)
