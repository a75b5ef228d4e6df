"""Names through which a module keeps objects that other files give it, and through which it gives them out again.

A registry is the usual case: `found = {}`, a function that adds to it, and one that looks a name up in it.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from qprep.analysis.symbols.ast_utils import dotted_text, last_name, walk
from qprep.analysis.symbols.definition_spans import TopLevelSpans
from qprep.analysis.symbols.held_parameters import HeldParameters, assignments, root_name, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qprep.analysis.symbols.symbol_table import ClassNode, FileIndex

# Methods of Python's containers that add nothing, and functions that keep nothing of an argument.
_READING = frozenset(("get", "keys", "values", "items", "copy", "index", "count", "pop", "popitem", "remove", "clear"))
_PASSING = frozenset(("len", "sorted", "list", "tuple", "set", "dict", "iter", "enumerate", "isinstance", "any", "all"))
_DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
_TYPES = frozenset(("dict", "list", "set"))  # the built-in callables whose results can keep something
# The modules of Python's library whose objects can keep something; those of the others, such as loggers, give none out.
_KEEPING_MODULES = frozenset(
    ("argparse", "array", "collections", "contextvars", "multiprocessing", "queue", "threading", "types", "weakref")
)
_LIBRARY = sys.stdlib_module_names - _KEEPING_MODULES


class KeptObject(NamedTuple):
    """One container, instance or class that keeps what it is given, with the names of the top level that reach it.

    `writers` may add to it and `givers` may give out what is in it; its own name is among both. Where `target` is not
    empty, it is the dotted name of an import: the writers give something to that, which may keep it, and the givers
    read it.
    """

    target: str
    writers: tuple[str, ...]
    givers: tuple[str, ...]


def kept_names(index: FileIndex) -> list[KeptObject]:
    """All that a module keeps: containers of its top level, variables that functions set, and classes.

    A class keeps something where it hears of its subclasses, or writes to a container of its own. A function counts as
    one that keeps something where what it adds may hold one of its parameters.
    """
    owners = TopLevelSpans(index)
    unused = _results_unused(index)
    mentioned: dict[str, set[str]] = defaultdict(set)
    read: dict[str, set[str]] = defaultdict(set)
    for node in index.of(ast.Name):
        if (user := owners.of(node)) is not None:
            mentioned[user].add(node.id)
            if node not in unused:
                read[user].add(node.id)
    keeping = [name for name, entry in index.classes.items() if _keeps(entry)]
    containers = sorted({*_containers(index), *keeping})
    through = {name: entry.target for name, entry in index.imports.items() if not _is_of_library(entry.target)}
    adding = _by_container(index, owners, {*containers, *through})

    def writers(*names: str) -> set[str]:
        return _with_users(set().union(*(adding.get(name, ()) for name in names)), mentioned)

    def givers(name: str) -> set[str]:
        return _with_users({user for user, names in read.items() if name in names}, read)

    found = [KeptObject("", _sorted(writers(name) | {name}), _sorted(givers(name) | {name})) for name in containers]
    found += [KeptObject(target, (), _sorted(givers(name))) for name, target in through.items()]
    for dotted in adding:
        root, dot, rest = dotted.partition(".")
        if root in through:
            found.append(KeptObject(f"{through[root]}{dot}{rest}", _sorted(writers(dotted)), ()))
    return [entry for entry in found if entry.writers or entry.givers]


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _is_of_library(target: str) -> bool:
    """True for a name of Python's library or of torch, which keep nothing that other files of a project take out."""
    root = target.partition(".")[0]
    return root in sys.stdlib_module_names or root == "torch"


def _by_container(index: FileIndex, owners: TopLevelSpans, wanted: set[str]) -> dict[str, set[str]]:
    """The definitions that may add one of their parameters, by what they add it to."""
    nodes: list[ast.expr | ast.stmt] = [*index.of(ast.Call), *assignments(index)]
    nodes += [*index.of(ast.FunctionDef), *index.of(ast.ClassDef)]
    held = HeldParameters(index, owners)
    adding: dict[str, set[str]] = defaultdict(set)
    for node in nodes:
        user = owners.of(node)
        for name in _added_to(index, node, partial(held.may_be_in, user)) if user is not None else ():
            if user is not None and name.partition(".")[0] in wanted:
                adding[name].add(user)
    return adding


def _with_users(names: set[str], used: Mapping[str, set[str]]) -> set[str]:
    """Some names, and the definitions that use one of them, one through another."""
    found = set(names)
    while more := {user for user, of in used.items() if user not in found and not found.isdisjoint(of)}:
        found |= more
    return found


def untaken(index: FileIndex, bindings: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The dotted names of imports from which a file takes no result: it only uses them to decorate and to add.

    `bindings` are names that imports bind, with their targets. A call takes none where it is a statement, and nothing
    that it is given can be called. A decorator is assumed to give back what it decorates.
    """
    targets: dict[str, set[str]] = {}
    for name, target in bindings:
        targets.setdefault(name, set()).add(target)
    resultless = set(_resultless(index))
    inside = {node.value for node in index.of(ast.Attribute)}
    taken: dict[str, bool] = {}
    for node in index.of(ast.Attribute, ast.Name):
        if node in inside:
            continue
        root, _, rest = dotted_text(node).partition(".")
        for target in targets.get(root, ()):
            dotted = f"{target}.{rest}" if rest else target
            taken[dotted] = taken.get(dotted, False) or node not in resultless
    return frozenset(name for name, is_taken in taken.items() if not is_taken)


def _resultless(index: FileIndex) -> Iterator[ast.expr]:
    """The callees whose results go nowhere, and the decorators."""
    definitions: list[ast.FunctionDef | ast.ClassDef] = [*index.of(ast.FunctionDef), *index.of(ast.ClassDef)]
    for definition in definitions:
        for decorator in definition.decorator_list:
            yield decorator.func if isinstance(decorator, ast.Call) else decorator
    for statement in index.of(ast.Expr):
        call = statement.value
        if isinstance(call, ast.Call) and not any(_may_be_called(index, part) for part in walk(call) if part != call):
            yield call.func


def _may_be_called(index: FileIndex, node: ast.AST) -> bool:
    """True for what a call may be given to run, a function of the file or a lambda."""
    return isinstance(node, ast.Lambda) or (isinstance(node, ast.Name) and node.id in index.functions)


def _results_unused(index: FileIndex) -> set[ast.AST]:
    """The names of calls that are statements: `log` in `log.info(x)`."""
    calls = (statement.value for statement in index.of(ast.Expr))
    return {root_of(call.func) for call in calls if isinstance(call, ast.Call)}


def _containers(index: FileIndex) -> frozenset[str]:
    """The values of the top level to which something may be added, and the variables that functions set."""
    values = index.values.items()
    found = {name for name, value in values if not name.startswith("__") and _can_keep(index, value)}
    return frozenset(found.union(*(node.names for node in index.of(ast.Global))))


def _can_keep(index: FileIndex, value: ast.expr) -> bool:
    """True for an expression whose value something may be added to, as far as the file tells."""
    match value:
        case ast.Tuple(elts=parts) | ast.BoolOp(values=parts):
            return any(_can_keep(index, part) for part in parts)
        case ast.IfExp(body=body, orelse=orelse):
            return _can_keep(index, body) or _can_keep(index, orelse)
        case ast.BinOp(left=left, right=right):
            return _can_keep(index, left) or _can_keep(index, right)
        case ast.Call(func=ast.Name(id=name)) if name in index.functions:
            return any(_is_made(index, part) for part in walk(index.functions[name]))
        case ast.Call(func=function):
            return _may_make(index, function)
        case ast.Name(id=name):
            return name not in index.functions and name not in index.classes
        case _:
            return isinstance(value, (*_DISPLAYS, ast.Attribute, ast.Starred, ast.NamedExpr))


def _is_made(index: FileIndex, node: ast.AST) -> bool:
    """True for an expression of a function that may be a new object which can keep something."""
    if not isinstance(node, ast.Call):
        return isinstance(node, _DISPLAYS)
    return root_name(node.func) in (*index.classes, *index.imports, *_TYPES) and _may_make(index, node.func)


def _may_make(index: FileIndex, function: ast.expr) -> bool:
    """True if a call may give an object that can keep something: of a class, a container's type or another package."""
    name = root_name(function)
    if name in index.imports:
        return index.imports[name].target.partition(".")[0] not in _LIBRARY
    return name in _TYPES or not hasattr(builtins, name)


def _added_to(index: FileIndex, node: ast.AST, holds: Callable[[ast.expr], bool]) -> Iterator[str]:
    """The names of the top level to whose values a node may add a parameter, or which it sets to one."""
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from _stored(targets, value, holds)
        case ast.AugAssign(target=target, value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from _stored([target], value, holds)
        case ast.Call(func=function, args=arguments, keywords=keywords):
            given = [*arguments, *(each.value for each in keywords)]
            if last_name(function) not in _READING and any(map(holds, given)):
                yield _dotted(index, function)
            if last_name(function) not in _PASSING:
                names = [each.id for each in given if isinstance(each, ast.Name)]
                yield from (name for name in names if name in index.values and _can_keep(index, index.values[name]))
        case ast.FunctionDef() | ast.ClassDef():
            yield from (
                _dotted(index, each.func if isinstance(each, ast.Call) else each) for each in node.decorator_list
            )


def _stored(targets: list[ast.expr], value: ast.expr, holds: Callable[[ast.expr], bool]) -> Iterator[str]:
    for target in targets:
        if holds(value) or (isinstance(target, ast.Subscript) and holds(target.slice)):
            yield root_name(target)


def _dotted(index: FileIndex, function: ast.expr) -> str:
    """The name of what a call adds to: of an import the dotted name, otherwise the variable."""
    root = root_name(function)
    dotted = dotted_text(function) if root in index.imports else ""
    return dotted if dotted.startswith(root) and dotted else root


def _keeps(entry: ClassNode) -> bool:
    """True for a class that hears of its subclasses, or that adds to a container of its own."""
    if "__init_subclass__" in entry.methods or any(each.arg == "metaclass" for each in entry.node.keywords):
        return True
    own = {name for name, value in entry.values.items() if not name.startswith("__") and _is_container(value)}
    nodes = (node for method in entry.methods.values() for node in walk(method)) if own else ()
    return any(_adds_to_attribute(node, own) for node in nodes)


def _is_container(value: ast.expr) -> bool:
    return isinstance(value, (*_DISPLAYS, ast.Call))


def _adds_to_attribute(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Subscript(ctx=ast.Store(), value=ast.Attribute(attr=name)):
            return name in names
        case ast.Call(func=ast.Attribute(attr=method, value=ast.Attribute(attr=name))):
            return name in names and method not in _READING
        case _:
            return False
