"""Calls of methods that are written in other ways, as plain method calls: `getattr(x, "eval")()` is `x.eval()`."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import ClassObject, ClassOf, Named
from qprep.analysis.effects.attribute_names import is_any, may_be, patterns_of
from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qprep.analysis.effects.abstract_objects import References
    from qprep.analysis.effects.lexical_scopes import FileScopes


# What gives the modules of an object, or runs for each of them.
_LISTS_MODULES = ("__dict__", "_modules", "apply", "children", "modules", "named_children", "named_modules")
_NO_CLASSES = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Constant, ast.JoinedStr)
_FETCHES = frozenset(("__getattribute__", "__getattr__"))


def as_method_calls(
    node: ast.Call,
    file: FileScopes,
    targets: Callable[[ast.expr], References],
    matters: Callable[[str], bool] = lambda _name: True,
) -> Iterator[tuple[ast.Call, ast.Attribute]]:
    """A call as plain calls of methods, at the same place; nothing where it is one already, or calls none.

    `matters` says which methods' calls through their class are looked for.
    """
    for owner, name, args in _forms(node, file, targets, matters):
        yield _made(node, file, owner, name, args)


def of_class(call: ast.Call, file: FileScopes) -> tuple[ast.Call, ast.Attribute] | None:
    """`x.m(y, …)` as the call `y.m(…)` that it is where `x` is a class."""
    if not isinstance(call.func, ast.Attribute) or not call.args:
        return None
    return _made(call, file, call.args[0], call.func.attr, call.args[1:])


def may_be_through_class(call: ast.Call, file: FileScopes) -> tuple[ast.Call, ast.Attribute] | None:
    """`x.m(y, …)` as `y.m(…)`, if the spelling of `x` allows a class; whether it is one is not looked up."""
    match call.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super"), args=[_, _])):
            return None  # it calls a method of the second argument
        case ast.Attribute(value=owner) if not (_is_no_class(owner) or _is_made_here(owner, file)):
            return of_class(call, file)
    return None


def _is_made_here(node: ast.expr, file: FileScopes) -> bool:
    """True for a variable that holds nothing but lists, dictionaries, sets, texts and numbers as they are written."""
    home = file.scope_of(node).binder(node.id) if isinstance(node, ast.Name) else None
    bindings = home.bindings[node.id] if home is not None and isinstance(node, ast.Name) else ()
    return bool(bindings) and all(each.kind is BindingKind.VALUE and _is_no_class(each.value) for each in bindings)


def _is_no_class(node: ast.AST | None) -> bool:
    return isinstance(node, _NO_CLASSES)


def _made(
    node: ast.Call, file: FileScopes, owner: ast.expr, name: str, args: list[ast.expr]
) -> tuple[ast.Call, ast.Attribute]:
    func = ast.copy_location(ast.Attribute(owner, name, ast.Load()), node)
    call = ast.copy_location(ast.Call(func, list(args), node.keywords), node)
    file.parents[call] = file.parents[node]
    file.parents[func] = call
    return call, func


def calls_of(
    names: frozenset[str], call: ast.Call, file: FileScopes, targets: Callable[[ast.expr], References]
) -> Iterator[tuple[ast.Call, ast.Attribute]]:
    """A call as plain calls of methods of some names, where it calls one: of their object, not of its class."""
    func = call.func
    is_plain = isinstance(func, ast.Attribute) and func.attr not in _FETCHES
    if is_plain and last_name(func) not in names:
        return
    forms = list(as_method_calls(call, file, targets, names.__contains__))
    yield from (form for form in forms if form[1].attr in names)
    if not forms and isinstance(func, ast.Attribute) and func.attr in names:
        yield call, func


_Form = tuple[ast.expr, str, "list[ast.expr]"]


def _forms(
    node: ast.Call, file: FileScopes, targets: Callable[[ast.expr], References], matters: Callable[[str], bool]
) -> Iterator[_Form]:
    for fetched_from, method in attribute_reads(node.func, file):
        is_of_class = node.args and are_classes(targets(fetched_from))
        yield (node.args[0], method, node.args[1:]) if is_of_class else (fetched_from, method, node.args)
    match node.func:
        case ast.Call(func=maker, args=[name, *given]) if last_name(maker) == "methodcaller" and node.args:
            yield from ((node.args[0], text, given) for text in _texts(name, file))
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super"), args=[_, owner]), attr=name):
            yield owner, name, node.args
        case ast.Attribute(value=cls, attr=name) if node.args and matters(name) and are_classes(targets(cls)):
            yield node.args[0], name, node.args[1:]


def are_classes(references: References) -> bool:
    """True if an expression refers to classes alone; a container counts as what it holds, and may hold some."""
    return bool(references) and all(map(_is_class, references))


def _is_class(reference: object) -> bool:
    base = getattr(reference, "base", None)
    if isinstance(base, Named):
        package, _, name = base.name.rpartition(".")
        is_builtin = package == "builtins" and isinstance(getattr(builtins, name, None), type)
        return is_builtin or (base.name.startswith("torch.") and name[:1].isupper())
    return isinstance(base, ClassObject | ClassOf)


def attribute_reads(node: ast.expr, file: FileScopes) -> Iterator[tuple[ast.expr, str]]:
    """The object and the name of each attribute that an expression may read, other than by a dot.

    `getattr(x, "a")`, `attrgetter("a.b")(x)`, `vars(x)["a"]`. Of names that are spelled in part, those count by which
    modules are listed.
    """
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[owner, name, *_]):
            yield from ((owner, text) for text in _texts(name, file))
        case ast.Call(func=func, args=[owner, name, *_]) if last_name(func) == "getattr_static":
            yield from ((owner, text) for text in _texts(name, file))
        case ast.Call(func=ast.Attribute(attr="__getattribute__" | "__getattr__"), args=[owner, name]):
            yield from ((owner, text) for text in _texts(name, file))
        case ast.Call(func=ast.Attribute(value=owner, attr="__getattribute__" | "__getattr__"), args=[name]):
            yield from ((owner, text) for text in _texts(name, file))
        case ast.Call(func=ast.Call(func=getter, args=[path]), args=[owner]) if last_name(getter) == "attrgetter":
            for text in _texts(path, file, is_path=True):
                *parts, name_read = text.split(".")
                yield _attribute(owner, parts, node, file), name_read
        case ast.Subscript(
            value=ast.Attribute(value=owner, attr="__dict__") | ast.Call(func=ast.Name(id="vars"), args=[owner]),
            slice=ast.Constant(value=str(key)),
        ):
            yield owner, key


def _texts(node: ast.expr, file: FileScopes, *, is_path: bool = False) -> Iterator[str]:
    """The names that an expression may be, as far as they are written out."""
    if is_path and isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
        return
    for text in patterns_of(node, file.scope_of(node)):
        if text.isidentifier():
            yield text
        elif not is_any(text):
            yield from (name for name in _LISTS_MODULES if may_be(text, name))


def _attribute(owner: ast.expr, path: list[str], place: ast.expr, file: FileScopes) -> ast.expr:
    """`owner.a.b` for a path of names."""
    for name in path:
        made = ast.copy_location(ast.Attribute(owner, name, ast.Load()), place)
        file.parents[made] = place
        owner = made
    return owner
