"""Methods that code fetches without calling them at once, and methods whose names are computed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial

from qprep.analysis.effects.abstract_objects import ANY_OBJECT, ClassObject, ClassOf, Named, Reference, References
from qprep.analysis.effects.attribute_names import ANY_NAME
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch, any_object
from qprep.analysis.effects.library_names import CHILD_TABLE
from qprep.analysis.effects.mutator_names import SETTERS
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.values.abstract_values import ClassRef, External

_VISITS = frozenset(("apply", "children", "modules", "named_children", "named_modules"))
_CALLABLE = frozenset(("__call__", "__func__", "__get__", "__wrapped__"))  # of a method, by which it may run
_GETTERS = frozenset(("attrgetter", "methodcaller"))
_LOOKUPS = frozenset(("getattr", "vars", *_GETTERS))
_APPLIES = frozenset(("map", "reduce", "starmap"))  # what these do with `getattr` is known
_HOOK_TABLE = re.compile(r"_\w*hooks\w*")
"""The dictionaries in which a module keeps its hooks."""
_GLOBAL_HOOK_TABLE = re.compile(r"_global_\w*hooks\w*")
"""The dictionaries of torch.nn.modules.module with the hooks that run for every module."""
_BY_TEXT = re.compile(
    r"_(?:forward|backward)\w*hooks\w*|register_\w*hook|add_module|register_module|set_submodule|__setattr__"
)


def passed_methods(search: EffectSearch) -> Iterator[Effect]:
    """`setattr` and hook methods that are handed around, and calls of attributes whose names are computed."""
    nodes: list[ast.Name | ast.Attribute] = [*search.file.index.of(ast.Name), *search.file.index.of(ast.Attribute)]
    for node in nodes:
        if isinstance(node.ctx, ast.Load):
            yield from _passed_setter(search, node)
            yield from _passed_lookup(search, node)
            yield from _passed_method(search, node) if isinstance(node, ast.Attribute) else ()
    for statement in search.file.index.of(ast.ImportFrom):
        if statement.module == "builtins" and any(each.name in _LOOKUPS | SETTERS for each in statement.names):
            yield from _anything(search, statement, f"has `{ast.unparse(statement)}`")
    for constant in search.file.index.of(ast.Constant):
        if _is_mutator(constant.value) and not _is_plain_use(search, constant):
            yield from search.effect(EffectKind.CHANGE, any_object, constant, f"names `{constant.value!s}` in a text")
    for call in search.file.index.of(ast.Call):
        yield from _computed_call(search, call)
    yield from _global_hook_tables(search)


def _global_hook_tables(search: EffectSearch) -> Iterator[Effect]:
    """`module._global_forward_hooks[0] = hook`, by an attribute, an import or a text; a test changes nothing."""
    for node in search.file.index.of(ast.Attribute):
        if _GLOBAL_HOOK_TABLE.fullmatch(node.attr) and not _is_tested(search, node):
            yield from search.effect(EffectKind.CHANGE, any_object, node, _uses(node))
    for statement in search.file.index.of(ast.ImportFrom):
        for each in statement.names:
            if _GLOBAL_HOOK_TABLE.fullmatch(each.name) and _is_changed(search, statement, each.asname or each.name):
                text = f"imports `{each.name}`"
                yield from search.effect(EffectKind.CHANGE, any_object, statement, text)
    for constant in search.file.index.of(ast.Constant):
        if isinstance(constant.value, str) and _GLOBAL_HOOK_TABLE.fullmatch(constant.value):
            text = f"names `{constant.value}` in a text"
            yield from search.effect(EffectKind.CHANGE, any_object, constant, text)


def _is_changed(search: EffectSearch, statement: ast.stmt, name: str) -> bool:
    """True if code uses an imported table of hooks for more than a test."""
    home = search.file.scope_of(statement)
    reads = (node for node in search.file.index.of(ast.Name) if node.id == name)
    reads = (node for node in reads if search.file.scope_of(node).binder(name) is home)
    return any(not _is_tested(search, node) for node in reads)


def _is_tested(search: EffectSearch, node: ast.expr) -> bool:
    """True if code only asks whether a table is empty."""
    match search.file.parents.get(node):
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.If() | ast.Compare():
            return True
        case ast.Call(func=ast.Name(id="len" | "bool")):
            return True
    return False


def _passed_setter(search: EffectSearch, node: ast.Name | ast.Attribute) -> Iterator[Effect]:
    """`put = setattr`, `attach = net.act.register_forward_hook`."""
    name = last_name(node)
    is_hook = name.startswith("register_") and "hook" in name and isinstance(node, ast.Attribute)
    parent = search.file.parents.get(node)
    if not (name in SETTERS or is_hook) or (isinstance(parent, ast.Call) and parent.func is node):
        return
    scope = search.file.scope_of(node)
    if scope.name in ("__setattr__", "__delattr__") or isinstance(parent, ast.Compare):
        return
    if isinstance(parent, ast.Attribute) and parent.attr not in ("__get__", "__func__", "__call__"):
        return
    for kind in (EffectKind.CHANGE,) if is_hook else (EffectKind.CHANGE, EffectKind.SET):
        yield from search.effect(kind, any_object, node, f"passes on `{ast.unparse(node)}`")


def _passed_lookup(search: EffectSearch, node: ast.Name | ast.Attribute) -> Iterator[Effect]:
    """`g = getattr`, `builtins.vars(net)`: what Python's own functions do is read where their own names stand."""
    parent = search.file.parents.get(node)
    if last_name(node) not in _LOOKUPS:
        return
    if last_name(node) in _GETTERS:
        is_meant = not (isinstance(parent, ast.Call) and parent.func is node)
    elif isinstance(node, ast.Attribute):
        is_meant = search.targets(node.value) == {Reference(Named("builtins"))}
    else:
        is_called = isinstance(parent, ast.Call) and (parent.func is node or last_name(parent.func) in _APPLIES)
        is_meant = not is_called and search.file.scope_of(node).binder(node.id) is None
    if is_meant:
        yield from _anything(search, node, f"passes on `{ast.unparse(node)}`")


def _anything(search: EffectSearch, node: ast.expr | ast.stmt, text: str) -> Iterator[Effect]:
    """Code that may do anything to any object."""
    for kind in (EffectKind.CHANGE, EffectKind.SET, EffectKind.MODE, EffectKind.OBSERVE):
        yield from search.effect(kind, any_object, node, text)


def _passed_method(search: EffectSearch, node: ast.Attribute) -> Iterator[Effect]:
    """`f = net.drop.eval`, `map(nn.Module.eval, parts)`, `net.act._forward_hooks`: what others may use later."""
    if _HOOK_TABLE.fullmatch(node.attr) and not search.is_own(node.value, search.file.scope_of(node)):
        yield from search.effect(EffectKind.CHANGE, search.later(node.value), node, f"uses `{ast.unparse(node)}`")
    if node.attr in _VISITS:
        yield from _passed_visit(search, node)
    if node.attr not in ("train", "eval"):
        return
    parent = search.file.parents.get(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    yield from search.effect(
        EffectKind.MODE, partial(_owners_of_method, search, node.value), node, f"passes on `{ast.unparse(node)}`"
    )


def _passed_visit(search: EffectSearch, node: ast.Attribute) -> Iterator[Effect]:
    """`f = net.apply`, `nn.Module.apply(net, function)`: visits of modules that are not called on their root."""
    parent = search.file.parents.get(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        if parent.args or any(keyword.arg in (None, "self") for keyword in parent.keywords):
            yield from search.effect(EffectKind.OBSERVE, partial(_visited, search, node, True), node, _uses(node))
    elif not (isinstance(parent, ast.Attribute) and parent.attr.startswith("__")) or parent.attr in _CALLABLE:
        yield from search.effect(EffectKind.OBSERVE, partial(_visited, search, node, False), node, _uses(node))


def _may_be_of_modules(search: EffectSearch, reference: Reference) -> bool:
    """True if instances of a class may be modules: `apply` of an autograd function is another method."""
    cls = reference.base.cls if isinstance(reference.base, ClassObject) else None
    if not isinstance(cls, ClassRef):
        return True
    bases = [base.name for base in search.points_to.project.mro(cls) if isinstance(base, External)]
    return any(name == "?" or name.startswith("torch.nn.") for name in bases)


def _visited(search: EffectSearch, node: ast.Attribute, is_called: bool) -> References:
    """The modules below the object whose method is fetched; any module where it is fetched from a class."""
    found = search.targets(node.value)
    if any(is_module_class(each) and _may_be_of_modules(search, each) for each in found):
        return ANY_OBJECT
    return frozenset() if is_called else search.points_to.below(found)


def _owners_of_method(search: EffectSearch, node: ast.expr) -> References:
    """The modules whose method is fetched; any of them where it is fetched from a class."""
    found = search.targets(node)
    is_class = any(map(is_module_class, found))
    return ANY_OBJECT if is_class else frozenset(each for each in found if not isinstance(each.base, Named))


def _is_plain_use(search: EffectSearch, constant: ast.Constant) -> bool:
    """True if the name of a method is a docstring, is compared, or names what `hasattr` and `getattr` ask for."""
    parent = search.file.parents.get(constant)
    if isinstance(parent, ast.Call):
        asks = ("getattr", "hasattr", "attrgetter", "methodcaller", "__getattribute__")
        return last_name(parent.func) in (*asks, *SETTERS)  # what is set is an effect of its own
    return isinstance(parent, ast.Expr | ast.Compare | ast.JoinedStr)


def _computed_call(search: EffectSearch, node: ast.Call) -> Iterator[Effect]:
    match node.func:
        case ast.Call(func=ast.Name(id="getattr"), args=[owner, name, *_]):
            if isinstance(name, ast.Constant) and not str(name.value).startswith("register_"):
                return
            if any(text != ANY_NAME and "register_" not in text for text in search.names_of(name)):
                return
            yield from search.effect(EffectKind.CHANGE, search.later(owner), node, f"calls `{ast.unparse(node.func)}`")
        case ast.Call(func=maker, args=[name, *_]) if last_name(maker) == "methodcaller":
            found = search.later(*node.args)
            yield from search.effect(EffectKind.CHANGE, found, node, f"calls `{ast.unparse(node.func)}`")
    if last_name(node.func) in ("methodcaller", "attrgetter") and node.args:
        yield from _passed_getter(search, node)


def _passed_getter(search: EffectSearch, node: ast.Call) -> Iterator[Effect]:
    """`map(methodcaller("eval"), parts)`: a method by its name, for objects that are given later."""
    parent = search.file.parents.get(node)
    is_called = isinstance(parent, ast.Call) and parent.func is node
    texts = [part.value for part in node.args[:1] if isinstance(part, ast.Constant)]
    names = [text.rpartition(".")[2] for text in texts if isinstance(text, str)]
    for kind, is_meant in (
        (EffectKind.CHANGE, not names or any(map(_is_mutator, names))),
        (EffectKind.OBSERVE, any(name in _VISITS or name == CHILD_TABLE for name in names)),
        (EffectKind.MODE, not names or any(name in ("train", "eval") for name in names)),
    ):
        if is_meant and (not is_called or kind is EffectKind.OBSERVE):
            yield from search.effect(kind, any_object, node, f"makes `{ast.unparse(node)}`")


def _uses(node: ast.expr) -> str:
    return f"uses `{ast.unparse(node)}`"


def _is_mutator(name: object) -> bool:
    """True if a text is the name of a method that changes what a module computes."""
    return isinstance(name, str) and bool(_BY_TEXT.fullmatch(name))


def is_module_class(reference: Reference) -> bool:
    """True if an object is a class of modules, as far as that is known."""
    base = reference.base
    if isinstance(base, Named):
        return base.name.startswith("torch.nn.") and base.name.rpartition(".")[2][:1].isupper()
    return isinstance(base, ClassObject | ClassOf)
